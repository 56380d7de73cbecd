"""A training that begins with weights of another one: over the initialisation, every tensor accounted for."""

import dataclasses

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxlab.errors import UserError
from jaxlab.experiments import many
from jaxlab.experiments import run as experiments
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.start import start_of
from jaxlab.experiments.watching import Printing
from jaxlab.protocol import Needed
from jaxlab.training.start import Start, named
from tests.training import lab

HEAD = r'\.Dense_1\.'
QUIET = Printing(quiet=True)
PLAIN = {'model__dropout': 0.0, 'training__seed': 3}


@pytest.fixture(scope='module')
def before(tmp_path_factory):
    """(state of a small MLP with batch norm after two epochs, its weights as a file)."""
    state = lab.train(lab.small(), tmp_path_factory.mktemp('before')).record.states[0]
    file = tmp_path_factory.mktemp('weights') / 'mlp.safetensors'
    save_file(named(state), str(file))
    return state, file


def begun(tmp_path, start, **changes):
    """What `epochs` 0 leaves of a run that begins so."""
    prepared = prepare(lab.small(start=start, training__epochs=0, **PLAIN, **changes))
    begin = start_of(prepared, {}, QUIET)
    return experiments.engine.train(
        prepared.config, prepared.task, prepared.data, tmp_path, lab.Listener(), weights=begin
    ).record.states


def test_all_but_the_head_is_taken(before, tmp_path):
    """Kernels, biases, norms and their statistics; the head is that of its own seed."""
    (state,) = begun(tmp_path / 'a', {'weights': str(before[1]), 'skip': (HEAD,)})
    own = lab.machine(lab.small(**PLAIN)).init()[0]
    for name, array in named(state).items():
        expected = named(own if '.Dense_1.' in name else before[0])[name]
        np.testing.assert_array_equal(array, expected, err_msg=name)
    assert not np.array_equal(
        named(before[0])['model.params.Dense_0.kernel'], named(own)['model.params.Dense_0.kernel']
    )
    assert int(state['model'].step) == 0
    fresh = state['model'].tx.init(state['model'].params)
    jax.tree.map(np.testing.assert_array_equal, state['model'].opt_state, fresh)


@pytest.mark.parametrize('form', ['unrolled', 'vmap'])
def test_every_replica_begins_with_them(before, tmp_path, form):
    start = {'weights': str(before[1]), 'skip': (HEAD,)}
    states = begun(tmp_path, start, replicas=2, replica_form=form)
    one, two = (named(state) for state in states)
    np.testing.assert_array_equal(one['model.params.Dense_0.kernel'], two['model.params.Dense_0.kernel'])
    assert not np.array_equal(one['model.params.Dense_1.kernel'], two['model.params.Dense_1.kernel'])


def test_a_network_of_the_needs_may_be_the_start(before):
    prepared = prepare(lab.small(start={'needs': 'pretrained'}))
    found = start_of(prepared, {'pretrained': Needed(prepared.task, before[0], {})}, QUIET)
    assert found.digest == Start(named(before[0])).digest
    with pytest.raises(UserError, match="config.start.needs = 'pretrained'; .*of config.needs"):
        start_of(prepared, {}, QUIET)


def test_a_needed_network_begins_with_its_own_weights(before, tmp_path):
    """What an experiment is judged with is trained from the weights that its config names, not from random ones."""
    own = {'start': {'weights': str(before[1])}, 'training.epochs': 0, 'data.limit': 100, 'data.batch_size': 24}
    model = {'name': 'mlp', 'features': (16,), 'batch_norm': True, 'dropout': 0.5}
    block = {'config': 'mlp_mnist', 'overrides': {**own, 'model': model, 'variants': {}, 'stand_in': {}}}
    (needed,) = experiments._needs(prepare(lab.small(needs={'pretrained': block})), tmp_path, QUIET).values()
    found, expected = named(needed.state), named(before[0])
    assert set(found) == set(expected)
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_an_average_begins_with_them_too(tmp_path):
    """A generator's moving average is that of the weights, not of random ones."""
    ready = prepare(lab.gan(task__ema=0.9))
    state = jax.tree.map(np.asarray, lab.machine(lab.gan(task__ema=0.9)).init()[0])
    weights = {name: array + 1 for name, array in named(state).items()}
    found = Start(weights).apply(state)['generator']
    jax.tree.map(np.testing.assert_array_equal, found.ema['params'], found.params)
    assert ready.task.ema == 0.9 and 'params' in found.averaged()


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (lambda found: found.pop('model.params.Dense_0.bias'), "lacks 'model.params.Dense_0.bias'"),
        (lambda found: found.update({'model.params.Dense_9.bias': np.ones(1)}), "have no 'model.params.Dense_9.bias'"),
        (
            lambda found: found.update({'model.params.Dense_0.bias': np.ones(3)}),
            "another shape has 'model.params.Dense_0.bias' (\\(3,\\) there, \\(16,\\)",
        ),
    ],
)
def test_every_tensor_is_accounted_for(before, change, says):
    weights = dict(named(before[0]))
    change(weights)
    with pytest.raises(UserError, match=says.replace('(\\(', '\\(\\(')):
        Start(weights).apply(before[0])


def test_a_run_goes_on_only_with_its_own_weights(before, tmp_path):
    """Their digest is part of the identity; what is only evaluated does not need the file any more."""
    start = {'weights': str(before[1])}
    prepared = prepare(lab.small(start=start, training__epochs=1))
    experiments.train_once(prepared, tmp_path, Printing(quiet=True))
    experiments.train_once(prepared, tmp_path, Printing(quiet=True), mode='eval')
    save_file({name: array + 1 for name, array in named(before[0]).items()}, str(before[1]))
    with pytest.raises(UserError, match='weights found'):
        experiments.train_once(prepared, tmp_path, Printing(quiet=True))
    with pytest.raises(UserError, match='cannot be read'):
        start_of(dataclasses.replace(prepared, config=lab.small(start={'weights': 'none.safetensors'})), {}, QUIET)
    with pytest.raises(UserError, match='config.start'):
        lab.small(start={'weigths': 'x'})


def test_trials_that_would_begin_otherwise_are_refused(before, tmp_path):
    tuning = {'field': 'optimizer.learning_rate', 'values': (0.1, 0.2), 'metric': 'validation_accuracy'}
    prepared = prepare(lab.small(start={'weights': str(before[1])}, tuning=tuning, data__validation_fraction=0.2))
    with pytest.raises(UserError, match='trials would begin without the weights of config.start'):
        many.train(prepared, tmp_path, Printing(quiet=True))
