"""Checkpoints: which are kept, what damage does, whom they belong to, and that going on gives the same bits."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.training import run as engine
from jaxlab.training.checkpoints import Checkpoints, digest
from jaxlab.training.identity import check_same, identity
from jaxlab.training.loop import Interrupted
from jaxlab.training.placement import MeshPlacement
from jaxlab.training.snapshots import Snapshots
from tests.training import lab

LONG = {'training__epochs': 4, 'training__steps_per_call': 2, 'data__validation_fraction': 0.1}


def kept(workdir: Path) -> list[int]:
    return sorted(int(path.name) for path in (workdir / 'checkpoints').iterdir() if path.name.isdigit())


def data_files(workdir: Path, step: int) -> list[Path]:
    """The array files of one checkpoint, largest first."""
    files = [path for path in (workdir / 'checkpoints' / str(step) / 'state').rglob('d/*') if path.is_file()]
    return sorted(files, key=lambda path: -path.stat().st_size)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Four epochs without a break, in their own folder: (outcome, workdir)."""
    workdir = tmp_path_factory.mktemp('whole')
    return lab.train(lab.small(**LONG), workdir), workdir


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    shutil.copytree(whole[1], tmp_path / 'run')
    return tmp_path / 'run'


@pytest.mark.parametrize('stop_at', [1, 4, 5, 9, 20])
def test_a_stopped_run_goes_on_to_the_same_bits(stop_at, whole, tmp_path):
    """Stopped within an epoch, at its last update, before the end of the run: the history has every epoch once."""
    with pytest.raises(Interrupted):
        lab.train(lab.small(**LONG), tmp_path, lab.Listener(stop_at=stop_at))
    listener = lab.Listener()
    found = lab.train(lab.small(**LONG), tmp_path, listener)
    assert found.facts['params_digest'] == whole[0].facts['params_digest']
    assert any(words.startswith('restored step') for words in listener.said)
    quiet = [{k: v for k, v in row.items() if k != 'seconds'} for row in found.record.history]
    assert quiet == [{k: v for k, v in row.items() if k != 'seconds'} for row in whole[0].record.history]
    lines = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
    assert [line['epoch'] for line in lines] == [1, 2, 3, 4]


def test_a_finished_run_is_only_evaluated(whole, copy):
    listener = lab.Listener()
    found = lab.train(lab.small(**LONG), copy, listener)
    assert listener.calls == [] and 'restored step 20' in listener.said[0]
    assert found.facts['metrics'] == whole[0].facts['metrics']


def test_keeps_the_latest_and_the_best(tmp_path):
    """A best checkpoint that is older than the latest two stays."""
    config = lab.small(
        training__best_metric='train_loss', training__best_mode='max', training__epochs=5, training__keep=2
    )
    found = lab.train(config, tmp_path)
    losses = [row['train_loss'][0] for row in found.record.history]
    best = 5 * (1 + int(np.argmax(losses)))
    assert best == 5 and kept(tmp_path) == [5, 20, 25]


def test_a_resumed_run_keeps_the_best_of_before(tmp_path):
    """The first epoch is the best; two processes later it is still there, and is what is evaluated."""
    wish = {'training__best_metric': 'train_loss', 'training__best_mode': 'max', 'training__keep': 1}
    for epochs in (2, 3):
        lab.train(lab.small(**wish, training__epochs=epochs), tmp_path, allow_change=True)
    config = lab.small(**wish, training__epochs=5, training__restore_best=True)
    found = lab.train(config, tmp_path, allow_change=True)
    assert kept(tmp_path) == [5, 25] and found.facts['restored'] == {'epoch': 1, 'step': 5}


def test_without_a_best_metric_only_the_latest_stay(tmp_path):
    lab.train(lab.small(training__epochs=4, training__keep=1), tmp_path)
    assert kept(tmp_path) == [20]


@pytest.mark.parametrize('every, expected', [(0, [20]), (3, [15, 20])])
def test_checkpoint_every(every, expected, tmp_path):
    lab.train(lab.small(training__epochs=4, training__checkpoint_every=every), tmp_path)
    assert kept(tmp_path) == expected


def test_the_best_is_evaluated_where_asked_for(tmp_path):
    """The rate is so large that later epochs are worse; eval mode takes the best as well."""
    config = lab.small(
        training__best_metric='train_loss', training__best_mode='max', training__epochs=4, training__restore_best=True
    )
    found = lab.train(config, tmp_path)
    ready = prepare(config)
    with Checkpoints(tmp_path / 'checkpoints', 2, 'max') as checkpoints:
        best = checkpoints.read(5, found.record.states and _template(config)).state
    assert found.facts['params_digest'] == digest(engine.params_of(best))
    again = engine.evaluate(ready.config, ready.task, ready.data, tmp_path, lab.Listener(), ready.reporter)
    assert again.facts['params_digest'] == found.facts['params_digest']
    assert again.facts['metrics'] == found.facts['metrics']


def _template(config):
    return lab.machine(config).init()


def test_a_flipped_bit_falls_back_to_the_checkpoint_before(whole, copy):
    """Orbax restores it in silence as wrong weights; here it is named, set aside, and the run ends in the same bits."""
    flip_a_bit(data_files(copy, 20)[0])
    listener = lab.Listener()
    found = lab.train(lab.small(**LONG), copy, listener)
    assert any('checkpoint of step 20' in words and 'falling back' in words for words in listener.said)
    assert any('restored step 15' in words for words in listener.said)
    assert found.facts['params_digest'] == whole[0].facts['params_digest']
    assert (copy / 'damaged' / '20').is_dir() and kept(copy) == [15, 20]


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')  # Orbax's own threads complain too
@pytest.mark.parametrize('file', ['meta/metadata', '_CHECKPOINT_METADATA', 'state/manifest.ocdbt', 'state/_METADATA'])
def test_truncated_files_fall_back(file, whole, copy):
    path = copy / 'checkpoints' / '20' / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = lab.train(lab.small(**LONG), copy, lab.Listener())
    assert found.facts['params_digest'] == whole[0].facts['params_digest']


def test_a_number_changed_in_the_json_part_is_noticed(copy):
    path = copy / 'checkpoints' / '20' / 'meta' / 'metadata'
    text = path.read_text()
    assert '"epoch": 4' in text
    path.write_text(text.replace('"epoch": 4', '"epoch": 5'))
    listener = lab.Listener()
    lab.train(lab.small(**LONG), copy, listener)
    assert any('do not match its digest' in words for words in listener.said)


def test_a_missing_part_falls_back(whole, copy):
    shutil.rmtree(copy / 'checkpoints' / '20' / 'state')
    found = lab.train(lab.small(**LONG), copy, lab.Listener())
    assert found.facts['params_digest'] == whole[0].facts['params_digest']


def test_all_damaged_is_said(copy):
    for step in (15, 20):
        flip_a_bit(data_files(copy, step)[0])
    with pytest.raises(
        UserError, match=r'every checkpoint in .* is damaged \(steps 20, 15, kept in damaged/\); valid: --fresh'
    ):
        lab.train(lab.small(**LONG), copy, lab.Listener())


def test_another_config_is_refused_naming_the_fields(copy):
    changes = {**LONG, 'data__batch_size': 20, 'optimizer__momentum': 0.5}
    with pytest.raises(UserError) as caught:
        lab.train(lab.small(**changes), copy)
    words = str(caught.value)
    assert 'data.batch_size (24 there, 20 here)' in words and 'optimizer.momentum (0.9 there, 0.5 here)' in words
    assert '--allow_config_change' in words and '--fresh' in words and 'training.epochs' not in words


def test_other_data_are_refused(copy):
    """The same config on other examples: a seed of the split is in the config, the examples themselves are not."""
    ready = prepare(lab.small(**LONG))
    other = dataclasses.replace(ready.data, checksum='0123456789abcdef')
    with pytest.raises(UserError, match="data found .*checksum 0123456789abcdef' here"):
        engine.train(ready.config, ready.task, other, copy, lab.Listener())


def test_fields_without_influence_may_change(whole, copy):
    changes = {**LONG, 'training__keep': 5, 'training__steps_per_call': 1, 'aim': 'Another question.'}
    assert lab.train(lab.small(**changes), copy).facts['params_digest'] == whole[0].facts['params_digest']


def test_a_change_can_be_allowed(copy):
    """Two epochs more, from where the other config stopped."""
    listener = lab.Listener()
    found = lab.train(lab.small(**{**LONG, 'training__epochs': 6}), copy, listener, allow_change=True)
    assert 'restored step 20' in listener.said[0] and found.facts['steps'] == 30
    assert [row['epoch'] for row in found.record.history] == [1, 2, 3, 4, 5, 6]


def test_another_network_is_an_error_and_stays_where_it_is(copy):
    """Not damage: nothing is set aside, cast or left out, also where the change was allowed."""
    misfit = r'checkpoint of step 20 .* is of another network: .*/mean is float32\(16,\), expected float32\(8,\)'
    with pytest.raises(UserError, match=misfit):
        lab.train(lab.small(**LONG, model__features=(8,)), copy, allow_change=True)
    with pytest.raises(UserError, match='is missing, expected float32'):
        lab.train(lab.small(**LONG, model__features=(16, 8)), copy, allow_change=True)
    assert kept(copy) == [15, 20] and not (copy / 'damaged').exists()


def test_it_opens_on_another_number_of_devices(tmp_path):
    """Written on one device, gone on with on eight, and the other way round."""

    def stopped(first: int, then: int):
        workdir = tmp_path / f'{first}'
        with pytest.raises(Interrupted):
            lab.train(lab.small(parallel__devices=first), workdir, lab.Listener(stop_at=4))
        return lab.train(lab.small(parallel__devices=then), workdir)

    lab.close(stopped(1, 8).record.states, stopped(8, 1).record.states, 2e-5)


def test_the_form_of_replicas_is_kept(tmp_path):
    """A choice that was made at the start stays, where the config leaves it open."""
    with pytest.raises(Interrupted):
        lab.train(lab.small(replicas=2, replica_form='vmap'), tmp_path, lab.Listener(stop_at=4))
    assert lab.train(lab.small(replicas=2), tmp_path).facts['replica_form'] == 'vmap'


def test_a_field_that_came_later_refuses_no_older_run():
    """At its neutral value a run of before is gone on with; at another one it is not."""
    before = identity(lab.small())
    assert 'training.matmul_precision' not in before
    check_same(identity(lab.small(training__matmul_precision='default')), before, Path('run'))
    with pytest.raises(UserError, match=r"training.matmul_precision \('not set' there, 'highest' here\)"):
        check_same(identity(lab.small(training__matmul_precision='highest')), before, Path('run'))


@pytest.mark.parametrize('asked, inside', [('default', None), ('high', 'high'), ('highest', 'highest')])
def test_the_precision_of_products_holds_where_programs_are_traced(asked, inside, tmp_path, monkeypatch):
    """Of the update and of evaluations; not outside; and the facts name it."""
    seen = []
    compile_it = MeshPlacement.compile

    def seeing(*arguments, **named):
        seen.append(jax.config.jax_default_matmul_precision)
        with jax.default_matmul_precision(None):  # one program for all three cases
            return compile_it(*arguments, **named)

    monkeypatch.setattr(MeshPlacement, 'compile', seeing)
    facts = lab.train(lab.small(training__matmul_precision=asked, training__epochs=1), tmp_path).facts
    assert len(seen) == 2 and set(seen) == {inside}
    assert facts['matmul_precision'] == asked and jax.config.jax_default_matmul_precision is None


def test_saving_a_step_again_after_falling_back_is_saved(tmp_path):
    """Orbax refuses in silence to save a step below the newest one it knows."""
    state = {'w': np.arange(4, dtype=np.float32)}
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save(10, state, {})
        checkpoints.save(20, state, {})
        checkpoints.wait()
        checkpoints.set_aside(20)
        checkpoints.save(15, state, {})
        checkpoints.wait()
        assert checkpoints.steps == [10, 15]
        assert np.array_equal(checkpoints.read(15, state).state['w'], state['w'])
    assert json.loads((tmp_path / 'checkpoints' / '15' / 'meta' / 'metadata').read_text())['step'] == 15


def test_a_field_that_came_later_and_is_empty_is_not_missed(tmp_path):
    """A checkpoint of a time when the state had no moving average."""
    state = lab.machine(lab.small()).init()
    tree = lab.plain(state)
    assert tree['0']['model'].pop('ema') == {}
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save(5, tree, {})
        checkpoints.wait()
        found = checkpoints.latest(lambda step: state, pytest.fail).state
    assert type(found) is type(state) and lab.equal(found, state)


def test_digest_depends_on_path_type_shape_and_bytes():
    base = {'a': np.zeros(4, np.float32), 'b': np.ones(2, np.float32)}
    others = [
        {'a': np.zeros(4, np.float32), 'c': np.ones(2, np.float32)},
        {'a': np.zeros(4, np.int32), 'b': np.ones(2, np.float32)},
        {'a': np.zeros((2, 2), np.float32), 'b': np.ones(2, np.float32)},
        {'a': -np.zeros(4, np.float32), 'b': np.ones(2, np.float32)},
    ]
    assert digest(base) == digest(dict(reversed(base.items())))
    assert len({digest(base), *map(digest, others)}) == 5


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16, jnp.float32])
def test_snapshots_come_back_as_numbers(dtype, tmp_path):
    """Also those of a network that computes in bfloat16, which a file gives back as raw bytes; later ones are dropped."""
    images = np.asarray(jnp.linspace(0, 1, 6, dtype=dtype).reshape(2, 3))
    taken = Snapshots(tmp_path, writer=True)
    for epoch in (1, 2, 3):
        taken.take(epoch, {'image': images * dtype(epoch)})
    again = Snapshots(tmp_path, writer=True)
    again.resume(2)
    assert [epoch for epoch, _ in again.all()] == [1, 2]
    for epoch, arrays in [*again.all(), *taken.all()]:
        assert arrays['image'].dtype == (np.float16 if dtype == jnp.float16 else np.float32)
        np.testing.assert_array_equal(arrays['image'], (images * dtype(epoch)).astype(arrays['image'].dtype))
