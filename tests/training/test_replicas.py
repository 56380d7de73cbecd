"""Replicas on devices of their own: the bits that each has alone, whatever else a run does with them."""

import jax
import pytest

from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.training import forms, runtime
from jaxlab.training.forms import Forms
from jaxlab.training.loop import Interrupted
from jaxlab.training.machine import Machine
from tests.training import lab, ragged
from tests.training.reading import streamed

PATIENT = {'training__epochs': 3, 'data__validation_fraction': 0.2, 'training__best_metric': 'validation_loss'}


def over(axis: int, replicas: int, devices: int = 0) -> dict:
    """Changes of a config."""
    return {'replicas': replicas, 'parallel__replica_axis': axis, 'parallel__devices': devices or axis}


@pytest.fixture(autouse=True, scope='module')
def known():
    """The data set of sequences and its task are in their tables."""
    with lab.in_tables('ragged', ragged.read, 'reading', 'tests.training.ragged:Reading'):
        yield


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    """The run of one seed, by seed."""
    found: dict[int, lab.engine.Outcome] = {}

    def run(seed: int) -> lab.engine.Outcome:
        if seed not in found:
            found[seed] = lab.train(lab.small(training__seed=seed), tmp_path_factory.mktemp(f'alone{seed}'))
        return found[seed]

    return run


def same(spread: lab.engine.Outcome, alone) -> None:
    """Every replica's state, outputs, metrics and epochs are those of its seed's own run, bit for bit."""
    for replica, seed in enumerate(spread.facts['seeds']):
        single = alone(seed)
        assert lab.equal(lab.plain(spread.record.states[replica]), lab.plain(single.record.states[0]))
        assert lab.equal(spread.record.outputs['test'][replica], single.record.outputs['test'][0])
        for name, entry in single.facts['metrics'].items():
            assert spread.facts['metrics'][name]['values'][replica] == entry['mean']
        for row, other in zip(spread.record.history, single.record.history, strict=True):
            assert row['train_loss'][replica] == other['train_loss'][0]


@pytest.mark.parametrize(('axis', 'replicas'), [(3, 3), (2, 3)])
def test_each_has_the_bits_that_it_has_alone(axis, replicas, alone, tmp_path):
    """One replica a device; three on two devices."""
    found = lab.train(lab.small(**over(axis, replicas)), tmp_path)
    assert found.facts['seeds'] == list(range(replicas)) and found.facts['replica_form'] == 'unrolled'
    same(found, alone)


def convnet(**changes):
    config = lab.small(**changes)
    config.model = {'name': 'convnet', 'filters': (4,)}
    return config


def lstm(**changes):
    return ragged.config(task__recurrent=True, data__buckets=2, data__limit=16, **changes)


@pytest.mark.parametrize('made', [convnet, lstm])
def test_other_networks_too(made):
    """A convnet, and an LSTM whose batches are cut to one of two lengths."""
    two = lab.steps(made(**over(2, 2)), 1)
    one = lab.steps(made(training__seed=1), 1)
    assert lab.equal(lab.plain(two.state[1]), lab.plain(one.state[0]))
    assert lab.equal({name: log[1] for name, log in two.logs.items()}, {name: log[0] for name, log in one.logs.items()})
    assert lab.equal(two.outputs[1], one.outputs[0])


def test_they_lie_on_their_devices():
    machine = lab.machine(lab.small(**over(4, 6, 8)))
    one = lab.machine(lab.small()).init()[0]
    states = tuple(jax.tree.map(lambda leaf: leaf + leaf.dtype.type(number), one) for number in range(6))
    placed = machine.placement.state(states)
    where = [sorted(device.id for device in jax.tree.leaves(part)[0].devices()) for part in placed]
    assert where == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [6, 7]]
    assert machine.placement.devices == 2  # share a batch
    assert lab.equal(machine.host_state(placed), states)


def test_devices_that_share_a_batch_too(tmp_path):
    """Two groups of two devices: the bits of a run on two."""
    four, two = (
        lab.steps(lab.small(**changes), 1, evaluated=False) for changes in (over(2, 2, 4), {'parallel__devices': 2})
    )
    assert lab.equal(lab.plain(four.state[0]), lab.plain(two.state[0]))


def test_vmap_on_each_device():
    """Three stacked replicas on two devices, two of them together."""
    spread = lab.steps(lab.small(**over(2, 3), replica_form='vmap'), 1)
    whole = lab.steps(lab.small(replicas=3, replica_form='vmap'), 1)
    assert jax.tree.leaves(spread.state)[0].shape[0] == 3
    lab.close(spread.state, whole.state, 2e-5)
    lab.close(spread.outputs, whole.outputs, 2e-4)


def test_a_run_goes_on_with_another_number(alone, tmp_path):
    """Stopped within the first epoch on two devices, gone on with on three, then on two again."""
    quick = {'training__steps_per_call': 1}
    for axis, at in ((2, 3), (3, 6)):
        with pytest.raises(Interrupted):
            lab.train(lab.small(**over(axis, 3), **quick), tmp_path, lab.Listener(stop_at=at))
    listener = lab.Listener()
    found = lab.train(lab.small(**over(2, 3)), tmp_path, listener)
    assert any('restored step 6' in line for line in listener.said)
    same(found, alone)


def test_stops_and_restores_as_on_one_device(tmp_path):
    """Decided by the mean of the replicas, as ever; the learning rate falls on all devices."""
    changes = {**PATIENT, 'training__restore_best': True, 'training__patience': 1, 'training__min_delta': 10.0}
    plateau = {'metric': 'train_loss', 'patience': 0, 'factor': 0.5, 'min_delta': 10.0}
    runs = [
        lab.train(lab.small(**changes, **form, optimizer__plateau=plateau), tmp_path / str(number))
        for number, form in enumerate((over(2, 2), {'replicas': 2}))
    ]
    spread, one = runs
    assert spread.facts['stopped'] == one.facts['stopped'] and spread.facts['stopped'] is not None
    assert spread.facts['restored'] == one.facts['restored']
    for mine, theirs in zip(spread.record.states, one.record.states, strict=True):
        lab.close(mine, theirs, 2e-5)


def test_streamed_data(monkeypatch):
    """Every device gets the rows of its own replicas."""
    config, trained = lab.small(**over(2, 2)), []
    monkeypatch.setattr('jaxlab.training.machine.STREAM_BYTES', 2 * 2 * 24 * (784 + 4))
    ready = prepare(config)
    for dataset in (ready.data, streamed(ready.data)):
        machine = Machine(config, ready.task, dataset)
        state, indices = machine.placement.state(machine.init()), machine.feed.epoch(0)
        if machine.streamed:
            indices = indices[:, :2]
            examples = next(machine.read_ahead('train', [indices]))
        else:
            examples = machine.resident
        state, logs, _ = machine.train(state, examples, machine.placement.split(indices, axis=2), 0, 2, 0)
        logs = {name: log[:, :2] for name, log in logs.items()}
        trained.append((machine.host_state(state), logs, machine.evaluate(state, 'test').metrics))
    lab.close(*trained, 1e-5)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (over(3, 2), r'replica_axis = 3, but config.replicas = 2; valid: 1 to 2'),
        (over(2, 2, 3), r'replica_axis = 2 needs a multiple of 2 devices, and there are 3 .*devices=2'),
        ({**over(9, 9), 'parallel__devices': 0}, r'replica_axis = 9 needs .* 9 devices, and there are 8 \(one a core'),
        (
            {**over(2, 2), 'parallel__mode': 'pmap'},
            r"replica_axis = 2 with config.parallel.mode = 'pmap'; valid: 'jit'",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes, words):
    with pytest.raises(UserError, match=words) as error:
        lab.machine(lab.small(**changes))
    assert '\n' not in str(error.value)


def test_virtual_devices_are_asked_for(monkeypatch):
    """As many as are wanted, never more than there are cores, and none where their number is given otherwise."""
    asked: list[int] = []
    monkeypatch.setattr('os.sched_getaffinity', lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr(jax.config, 'update', lambda name, value: asked.append(value))
    for changes in ({}, over(2, 2), over(5, 5), {**over(2, 2), 'parallel__model_axis': 2, 'parallel__devices': 0}):
        runtime.ask_for_devices(lab.small(**changes).parallel)
    assert asked == [2, 3, 3]
    monkeypatch.setenv('XLA_FLAGS', '--xla_force_host_platform_device_count=8')
    runtime.ask_for_devices(lab.small(**over(2, 2)).parallel)
    assert asked == [2, 3, 3]


def test_what_auto_means_on_an_accelerator(monkeypatch):
    """vmap only where a device has several replicas."""
    monkeypatch.setattr(jax, 'default_backend', lambda: 'tpu')
    task = lab.machine(lab.small()).task
    found = [forms.choose(lab.small(**changes), task, 1, {}) for changes in (over(2, 2), over(2, 4))]
    assert found == [Forms('unrolled', 'own'), Forms('vmap', 'own')]


@pytest.mark.parametrize(
    'replicas, groups, form', [(16, 1, 'unrolled'), (17, 1, 'vmap'), (32, 2, 'unrolled'), (33, 2, 'vmap')]
)
def test_what_auto_means_on_a_cpu(replicas, groups, form):
    """Side by side as long as that many copies can be compiled."""
    task = lab.machine(lab.small()).task
    assert forms.choose(lab.small(**over(groups, replicas)), task, 1, {}).replicas == form
