"""The compiled programs: bits do not depend on how a run is cut into calls, one compilation serves all, replicas."""

import functools
import time

import jax
import numpy as np
import pytest

from jaxlab.data.splits import epoch_order
from jaxlab.experiments.prepare import prepare
from jaxlab.training import control
from jaxlab.training.feeding import Feed, blocks, gather, prefetched, rows_of_update
from jaxlab.training.machine import Machine
from jaxlab.training.programs import Programs
from tests.training import lab
from tests.training.reading import streamed


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Two epochs, three updates a call."""
    return lab.train(lab.small(training__steps_per_call=3), tmp_path_factory.mktemp('plain'))


@pytest.mark.parametrize('steps_per_call', [1, 0, 100])
def test_bits_do_not_depend_on_the_calls(steps_per_call, plain, tmp_path):
    listener = lab.Listener()
    found = lab.train(lab.small(training__steps_per_call=steps_per_call), tmp_path, listener)
    assert sum(listener.calls) == 10
    assert found.facts['params_digest'] == plain.facts['params_digest']
    assert lab.equal(lab.plain(found.record.states), lab.plain(plain.record.states))
    for name in ('train_loss', 'train_accuracy'):
        assert [row[name] for row in found.record.history] == [row[name] for row in plain.record.history]


def test_one_compilation_serves_any_number_of_steps(monkeypatch):
    """Calls of 1, 2 and 5 updates of two epochs, and the state that they return goes in again. Python goes through the
    update once, not for the shapes of the logs as well."""
    machine = lab.machine(lab.small())
    compiled, traced = [], []
    update = Programs._update
    monkeypatch.setattr(Programs, '_update', lambda *a: traced.append(1) or update(*a))
    compile_it = type(machine.placement).compile
    monkeypatch.setattr(type(machine.placement), 'compile', lambda *a, **k: compiled.append(1) or compile_it(*a, **k))
    state = machine.placement.state(machine.init())
    rows = machine.placement.split(machine.feed.epoch(0), axis=2)
    for start, stop in ((0, 1), (1, 3), (3, 5), (0, 5)):
        state, _, _ = machine.train(state, machine.resident, rows, start, stop, 0)
    assert len(compiled) == len(traced) == 1


def test_one_replicas_program_starts_all(monkeypatch):
    """Compiled side by side, the start of so many replicas would take so many times as long."""
    traced, init = [], Programs.init
    monkeypatch.setattr(
        Programs, 'init', lambda self, seeds, data: traced.append(seeds.shape) or init(self, seeds, data)
    )
    states = lab.machine(lab.small(replicas=3)).init()
    assert traced == [(1,)] and len(states) == 3
    kernels = [state['model'].params['Dense_0']['kernel'] for state in states]
    assert not np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[1], kernels[2])


def test_the_state_is_donated():
    machine = lab.machine(lab.small())
    host = machine.init()
    state = machine.placement.state(host)
    rows = machine.placement.split(machine.feed.epoch(0), axis=2)
    machine.train(state, machine.resident, rows, 0, 5, 0)
    kernels = [leaf for leaf in jax.tree.leaves(state) if leaf.ndim == 2]
    assert kernels and all(leaf.is_deleted() for leaf in kernels)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(host))  # the caller's own copy is still there


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    feed = Feed(100, 24, False, True, (3, 4))
    assert feed.steps_per_epoch == 5
    first, again, next_one = feed.epoch(0), Feed(100, 24, False, True, (3, 4)).epoch(0), feed.epoch(1)
    assert first.shape == (2, 5, 24) and first.dtype == np.int32
    assert np.array_equal(first, again) and not np.array_equal(first, next_one)
    assert not np.array_equal(first[0], first[1])
    assert np.array_equal(first[1], Feed(100, 24, False, True, (4,)).epoch(0)[0])  # replica 1 is the run of seed 4
    for replica in (0, 1):
        assert sorted(first[replica].ravel()[:100]) == list(range(100))
        assert (first[replica].ravel()[100:] == -1).all()
    assert np.array_equal(first[0].ravel()[:100], epoch_order(3, 0, 100))


def test_short_last_batch_is_padded_or_dropped():
    assert Feed(100, 24, True, True, (0,)).epoch(0).shape == (1, 4, 24)
    assert (Feed(100, 24, True, True, (0,)).epoch(0) >= 0).all()
    assert Feed(10, 4, False, False, (0,)).epoch(7).tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]]
    assert blocks(np.arange(5), 5).tolist() == [[0, 1, 2, 3, 4]]


def test_the_published_number_of_updates_an_epoch():
    assert Feed(56_000, 200, False, True, (0,)).steps_per_epoch == 280  # A04
    assert Feed(60_000, 64, False, True, (0,)).steps_per_epoch == 938  # E2
    assert Feed(60_000, 256, False, True, (0,)).steps_per_epoch == 235  # A08: the last batch holds 96
    last = Feed(60_000, 256, False, True, (0,)).epoch(0)[0, -1]
    assert (last >= 0).sum() == 96


def test_an_epoch_of_so_many_examples():
    """D1: 50 updates of 32 count as an epoch. Pass after pass without a gap, so that the number of examples plays no part."""
    lab_like = lab.machine(lab.small(data__epoch_examples=72, training__epochs=5))
    assert lab_like.feed.steps_per_epoch == 3 and lab_like.total_steps == 15
    rows = np.concatenate([lab_like.feed.epoch(epoch)[0].ravel() for epoch in range(5)])
    passes = [epoch_order(0, turn, 100) for turn in range(4)]
    np.testing.assert_array_equal(rows, np.concatenate(passes)[: 5 * 72])
    assert 10 * lab.machine(lab.small(data__epoch_examples=1600, data__batch_size=32)).feed.steps_per_epoch == 500


def test_the_whole_training_set_as_one_batch():
    """`data.batch_size=0`: one update an epoch, also where devices leave a row over, and never dropped."""
    assert rows_of_update(0, 100) == 100 and rows_of_update(0, 100, 8) == 104 and rows_of_update(24, 100, 8) == 24
    for drop in (False, True):
        feed = Feed(100, 104, drop, True, (0,))
        rows = feed.epoch(0)[0]
        assert feed.steps_per_epoch == len(rows) == 1 and sorted(rows[0])[4:] == list(range(100))
    one, other = lab.machine(lab.small(data__batch_size=0)), lab.machine(lab.small(data__batch_size=100))
    assert one.total_steps == 2 and np.array_equal(one.feed.epoch(1), other.feed.epoch(1))


def test_blocks_are_read_ahead_in_order():
    split = prepare(lab.small()).data.splits['train']
    chunks = [np.array([[[1, 2], [3, -1]]]), np.array([[[4, 5], [6, 7]]])]
    read = list(prefetched(functools.partial(gather, split), chunks))
    assert [examples['label'].shape for examples in read] == [(1, 2, 2)] * 2
    assert read[1]['label'].tolist() == gather(split, chunks[1])['label'].tolist()
    assert np.array_equal(read[0]['image'][0, 1, 1], split.arrays['image'][0])  # a row of padding repeats example 0


def test_blocks_are_read_while_the_one_before_is_computed_with():
    """Ten blocks, 40 ms to read and 40 ms to use: little more than the time of one of the two."""
    begun, used = time.perf_counter(), []
    for block in prefetched(lambda chunk: (time.sleep(0.04), chunk)[1], [np.array([n]) for n in range(10)]):
        time.sleep(0.04)
        used.append(int(block[0]))
    assert used == list(range(10)) and time.perf_counter() - begun < 0.7  # 0.8 s one after the other


def test_an_evaluation_reads_ahead():
    """While a batch is used, the next ones are already read and handed over: all but the first wait for nothing."""
    ready, noted = prepare(lab.small(data__eval_limit=50, data__eval_batch_size=5)), []
    machine = Machine(ready.config, ready.task, streamed(ready.data, noted))
    state, seen = machine.placement.state(machine.init()), []

    def heard() -> None:
        if seen:
            time.sleep(0.02)
        seen.append(len([rows for rows, _ in noted if len(rows) == 5]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('jaxlab.training.machine.EVALUATED', 5)
        machine.evaluate(state, 'test', heard=heard)
    assert len(seen) == 10 and all(read > call + 1 for call, read in enumerate(seen[1:8], 1))
    examples = next(machine.read_ahead('test', [np.arange(5)[None, None]]))
    assert isinstance(examples['image'], jax.Array) and examples['image'].shape == (1, 1, 5, 28, 28, 1)


@pytest.mark.parametrize('devices', [1, 8])
def test_streamed_data_gives_the_same_run(devices, tmp_path, monkeypatch):
    """Read two updates at a time (a block of three, the last one padded), evaluated a batch at a time."""
    config = lab.small(parallel__devices=devices, training__epochs=1)
    resident = lab.train(config, tmp_path / 'resident')
    monkeypatch.setattr('jaxlab.training.machine.STREAM_BYTES', 2 * 24 * (784 + 4))
    ready = prepare(config)
    monkeypatch.setattr('jaxlab.experiments.prepare._load', lambda *_: streamed(ready.data))
    assert Machine(config, ready.task, streamed(ready.data)).stream_block == 2
    found = lab.train(config, tmp_path / 'streamed')
    lab.close(resident.record.states, found.record.states, 1e-6)
    lab.close(resident.record.outputs, found.record.outputs, 1e-5)
    assert found.facts['metrics']['test_loss']['mean'] == pytest.approx(
        resident.facts['metrics']['test_loss']['mean'], 1e-5
    )


def test_means_are_exact_with_a_short_last_batch(plain):
    """Over examples, not over batches: recomputed from the logits of the whole test split (50 = 24 + 24 + 2)."""
    logits = plain.record.outputs['test'][0]['logits'].astype(np.float64)
    labels = prepare(lab.small()).data.splits['test'].arrays['label']
    assert logits.shape == (50, 10)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(50), labels]
    metrics = plain.facts['metrics']
    assert metrics['test_loss']['mean'] == pytest.approx(losses.mean(), rel=1e-6)
    assert metrics['test_accuracy']['mean'] == (logits.argmax(1) == labels).mean()
    log = np.array([[[3.0, 2], [10.0, 1]]])  # means 1.5 and 10; over the three examples 13 / 3
    assert control.epoch_means({'loss': log}) == {'loss': [13 / 3]}


@pytest.mark.parametrize('form', ['unrolled', 'vmap'])
def test_replicas_are_the_runs_of_their_seeds(form, tmp_path):
    """Replica r of two is the run of seed 5 + r: close to rounding (another program, trap: not the same bits)."""
    two = lab.train(lab.small(replicas=2, replica_form=form, training__seed=5), tmp_path / 'two')
    assert two.facts['seeds'] == [5, 6] and two.facts['replica_form'] == form
    singles = [lab.train(lab.small(training__seed=5 + r), tmp_path / f'{r}') for r in range(2)]
    for replica, single in enumerate(singles):
        lab.close(two.record.states[replica], single.record.states[0], 2e-5)
        lab.close(two.record.outputs['test'][replica], single.record.outputs['test'][0], 2e-4)
    entry = two.facts['metrics']['test_loss']
    values = [single.facts['metrics']['test_loss']['mean'] for single in singles]
    assert entry['values'] == pytest.approx(values, rel=1e-4)
    assert entry['mean'] == pytest.approx(np.mean(entry['values']))
    assert entry['std'] == pytest.approx(np.std(entry['values'], ddof=1))
    assert singles[0].facts['metrics']['test_loss']['std'] is None
    assert len(set(entry['values'])) == 2


def test_replicas_share_a_mesh(tmp_path):
    """Two replicas over eight devices equal two on one."""
    one = lab.train(lab.small(replicas=2), tmp_path / 'one')
    eight = lab.train(lab.small(replicas=2, parallel__devices=8), tmp_path / 'eight')
    lab.close(one.record.states, eight.record.states, 2e-5)


def test_bfloat16_computes_in_half_and_keeps_float32(tmp_path):
    half = lab.train(lab.small(training__precision='bfloat16'), tmp_path / 'half')
    whole = lab.train(lab.small(), tmp_path / 'whole')
    assert {leaf.dtype for leaf in jax.tree.leaves(half.record.states[0]['model'].params)} == {np.dtype('float32')}
    mine, theirs = (run.facts['metrics']['train_loss']['mean'] for run in (half, whole))
    assert mine == pytest.approx(theirs, rel=0.1) and mine != theirs
