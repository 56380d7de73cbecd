"""Phases: a pretrained network's head first, then all of it; what is frozen stays as it is, bit for bit."""

import json

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.report import training_phases
from jaxlab.training import phases
from jaxlab.training.describe import describe
from jaxlab.training.loop import Interrupted
from jaxlab.training.start import Start, named
from tests.training import lab

HEAD = {'epochs': 2, 'train': ('Dense_1',), 'optimizer': {'learning_rate': 0.2}}
ALL = {'epochs': 1, 'optimizer': {'learning_rate': 0.02}}
PARAMETERS = 784 * 16 + 16 + 32 + 16 * 10 + 10


def config(*blocks, **changes):
    return lab.small(training__phases=blocks, **changes)


def leaves(state):
    """Name -> array of the parameters and the running statistics of one replica."""
    return {name: np.asarray(array) for name, array in named(state).items()}


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """Weights that another training left."""
    return lab.train(lab.small(), tmp_path_factory.mktemp('pretrained')).record.states[0]


@pytest.fixture(scope='module')
def tuned(pretrained, tmp_path_factory):
    """(outcome, folder): the head for two epochs, then everything for one, from the pretrained weights."""
    folder = tmp_path_factory.mktemp('tuned')
    return lab.train(config(HEAD, ALL, training__keep=9), folder, weights=Start(named(pretrained))), folder


def of_epoch(folder, found, epoch):
    """The state that was saved after an epoch."""
    from jaxlab.training.checkpoints import Checkpoints

    machine = lab.machine(config(HEAD, ALL))
    with Checkpoints(folder / 'checkpoints') as checkpoints:
        step = epoch * 5
        return machine.replica(checkpoints.read(step, machine.template(machine.init())(step)).state, 0)


def test_the_head_alone_then_everything(pretrained, tuned):
    found, folder = tuned
    before, between, after = leaves(pretrained), leaves(of_epoch(folder, found, 2)), leaves(found.record.states[0])
    moved = {name for name in before if not np.array_equal(before[name], between[name])}
    assert moved == {'model.params.Dense_1.kernel', 'model.params.Dense_1.bias'}
    # A bias before batch norm is taken out again: its gradient is rounding, or nothing at all.
    free = {name for name in before if not name.endswith('Dense_0.bias')}
    assert free <= {name for name in before if not np.array_equal(between[name], after[name])}


def test_each_phase_has_a_fresh_optimizer(pretrained, tuned):
    """Equal to one run of the second phase alone, begun with the first one's weights at its place in the data's order."""
    found, folder = tuned
    between = of_epoch(folder, found, 2)
    alone = lab.machine(config(ALL))
    started = alone.programs.each_replica(Start(named(between)).apply, alone.init())
    for leaf in jax.tree.leaves(started[0]['model'].opt_state):
        assert not np.any(leaf)
    state = alone.placement.state(started)
    rows = alone.placement.split(alone.feed.epoch(2), axis=2)
    state, _, _ = alone.train(state, alone.resident, rows, 0, 5, 10)
    ours = leaves(alone.replica(alone.host_state(state), 0))
    for name, array in leaves(found.record.states[0]).items():
        np.testing.assert_array_equal(array, ours[name], err_msg=name)


def test_scores_after_each_phase(tuned):
    found, _ = tuned
    first, second = found.facts['training_phases']
    assert (first['epochs'], first['trained'], first['parameters']) == (2, 'Dense_1', 170)
    assert (second['epochs'], second['trained'], second['parameters']) == (1, 'all', PARAMETERS)
    assert second['metrics']['test_loss'] == found.facts['metrics']['test_loss']
    assert first['metrics']['test_loss'] != second['metrics']['test_loss']
    table = training_phases.table(json.loads(json.dumps(found.facts)))
    assert table.columns == ('phase', 'epochs', 'trained', 'parameters', 'test accuracy', 'test loss')
    assert [row[:4] for row in table.rows] == [(1, 2, 'Dense_1', 170), (2, 1, 'all', PARAMETERS)]
    assert training_phases.table({}) is None


@pytest.mark.parametrize('stop_at', [3, 10, 12])
def test_interrupted_in_any_phase(pretrained, tuned, tmp_path, stop_at):
    """Stopped in the first phase, at its end, in the second: the same bits as undisturbed."""
    asked = config(HEAD, ALL, training__steps_per_call=1)
    weights = Start(named(pretrained))
    with pytest.raises(Interrupted):
        lab.train(asked, tmp_path, lab.Listener(stop_at=stop_at), weights=weights)
    again = lab.train(asked, tmp_path, weights=weights)
    assert lab.equal(again.record.states[0], tuned[0].record.states[0])
    assert again.facts['training_phases'] == tuned[0].facts['training_phases']


def test_frozen_batch_norm_infers_unless_it_adapts(pretrained, tmp_path):
    weights = Start(named(pretrained))
    adapting = lab.train(config({**HEAD, 'batchnorm': 'adapts'}), tmp_path, weights=weights)
    before, after = leaves(pretrained), leaves(adapting.record.states[0])
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    statistics = {name for name in before if 'batch_stats' in name}
    assert statistics and statistics <= moved and not any('Dense_0' in name or 'scale' in name for name in moved)


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Both phases from the start, on one device with one replica."""
    return lab.train(config(HEAD, ALL), tmp_path_factory.mktemp('plain'))


@pytest.mark.parametrize(
    'changes', [{'replicas': 2}, {'replicas': 2, 'replica_form': 'vmap'}, {'parallel__mode': 'pmap'}]
)
def test_in_every_form(changes, plain, tmp_path):
    """Replicas and pmap follow the same phases as one device and one replica; each its own, within rounding."""
    found = lab.train(config(HEAD, ALL, **changes), tmp_path / 'other')
    lab.close(plain.record.states[0], found.record.states[0], 2e-5)
    assert [len(phase['metrics']['test_loss']['values']) for phase in found.facts['training_phases']] == [
        changes.get('replicas', 1)
    ] * 2


NAMES = ('Dense_0', 'BatchNorm_0', 'Dense_1')


@settings(max_examples=6, deadline=None)
@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_any_subset_leaves_the_others_as_they_are(trained):
    machine = lab.machine(config({'epochs': 1, 'train': tuple(sorted(trained)), 'optimizer': {'weight_decay': 0.1}}))
    start = machine.init()
    rows = machine.placement.split(machine.feed.epoch(0), axis=2)
    state, _, _ = machine.train(machine.placement.state(start), machine.resident, rows, 0, 2, 0)
    before, after = leaves(start[0]), leaves(machine.host_state(state)[0])
    for name in before:
        if name.split('.')[2] not in trained:
            np.testing.assert_array_equal(before[name], after[name], err_msg=name)
        elif 'kernel' in name:
            assert not np.array_equal(before[name], after[name]), name


def test_a_schedule_runs_over_its_phase():
    """A linear warm-up of ten steps begins anew; the rate of the second phase's first step is a tenth of its own."""
    block = {'epochs': 3, 'optimizer': {'learning_rate': 1.0, 'warmup': 10, 'momentum': 0.0}}
    machine = lab.machine(config(block, block, task__label_smoothing=0.1))
    start = machine.init()
    first, second = (machine.entered(start, phase) for phase in machine.phases)
    ones = jax.tree.map(np.ones_like, start[0]['model'].params)
    for state in (first, second):
        network = state[0]['model']
        changes, _ = network.tx.update(ones, network.opt_state, network.params)
        rates = {float(-np.asarray(leaf).flat[0]) for leaf in flatten_dict(changes).values()}
        assert len(rates) == 1 and rates.pop() == pytest.approx(0.1, rel=1e-6)


def test_without_phases_nothing_changes():
    machine = lab.machine(lab.small())
    assert machine.phases == (phases.Phase(0, 10),) and machine.template('state')(7) == 'state'


def test_a_state_without_a_network_is_described():
    ready = prepare(
        configs.apply(configs.load(configs.main_folder() / 'perceptron_and.py', 'smoke'), {'variants': {}}, 'test')
    )
    assert 'training_phases' not in describe(ready.config, ready.task, ready.data)


def test_described_before_it_is_run():
    machine = lab.machine(config(HEAD, ALL))
    found = describe(machine.config, machine.task, machine.data)
    assert [row['parameters'] for row in found['training_phases']] == [170, PARAMETERS]
    assert found['epochs'] == 3 and found['steps'] == 15


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'training__phases': ({'train': ('Dense_0',)},)}, 'epochs = None'),
        ({'training__phases': ({'epochs': 1, 'trian': ()},)}, "did you mean 'train'"),
        ({'training__phases': ({'epochs': 1, 'train': ('Dens_9',)},)}, 'matches no parameter'),
        ({'training__phases': (HEAD, {'epochs': 1, 'train': ('Dens_9',)})}, 'matches no parameter'),
        ({'training__phases': ({'epochs': 1, 'train': 'Dense_0'},)}, 'a tuple of regexes'),
        ({'training__phases': ({'epochs': 1, 'train': ('(',)},)}, 'not a regular expression'),
        ({'training__phases': ({'epochs': 1, 'batchnorm': 'off'},)}, 'infers or adapts'),
        ({'training__phases': (ALL,), 'training__steps': 3}, 'valid: 0'),
        ({'training__phases': ({'epochs': 1, 'optimizer': {'learning_rte': 1}},)}, 'learning_rte'),
    ],
)
def test_bad_phases_are_refused(changes, words):
    with pytest.raises(UserError, match=words.replace('(', r'\(')):
        lab.machine(lab.small(**changes)).init()


def test_two_networks_have_no_phases():
    with pytest.raises(UserError, match='several networks'):
        lab.machine(lab.gan(training__phases=({'epochs': 1},)))
