"""The cases are complete: every slip is proved by a computation, every printed number is there."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.worked import gates, network
from jaxlab.worked.cases.backward import BACKWARD
from jaxlab.worked.cases.forward import FORWARD
from jaxlab.worked.cases.gates import GATES
from jaxlab.worked.cases.perceptron import PERCEPTRON, TARGETS, targets_of
from jaxlab.worked.cases.printed import Golden, numbers
from jaxlab.worked.cases.slips import SLIPS, slips_of
from jaxlab.worked.cases.tape import TAPE, TENSORS, value_and_gradient
from jaxlab.worked.perceptron import train_perceptron
from jaxlab.worked.quantities import forward_quantities, iteration, update_quantities

pytestmark = pytest.mark.usefixtures('float64')


def train(case):
    return train_perceptron(
        case.weights,
        case.inputs,
        case.targets,
        case.learning_rate,
        case.max_epochs,
        case.fires_at_zero,
        case.coding,
        case.tie,
    )


def computed(slip):
    if slip.case in BACKWARD:
        case = BACKWARD[slip.case]
        _, trace = network.backprop_epoch(case.weights, case.inputs, case.targets, case.activations, case.learning_rate)
        return slip.computed(update_quantities(iteration(trace, slip.iteration - 1)))
    if slip.case in FORWARD:
        case = FORWARD[slip.case]
        found = forward_quantities(network.forward(case.inputs, case.weights, case.activations))
        return slip.computed(found | {f'W{index} before': np.array(w) for index, w in enumerate(case.weights)})
    if slip.case in GATES:
        case = GATES[slip.case]
        return slip.computed(
            {'output': gates.gate(gates.truth_inputs(2, case.coding), case.layers, case.coding)[-1].output}
        )
    run = train(PERCEPTRON[slip.case])
    return slip.computed({name: values[slip.iteration - 1] for name, values in run.trace._asdict().items()})


@pytest.mark.parametrize('slip', SLIPS, ids=[f'{slip.spec} {slip.what}' for slip in SLIPS])
def test_slip(slip):
    assert slip.published != slip.right and slip.cause
    if not slip.case:
        return
    values = computed(slip)
    right, halves = numbers(slip.right, 0)
    assert right.shape == values.shape and np.all(np.abs(values - right) <= halves * (1 + 1e-6)), (values, right)
    published, halves = numbers(slip.published, 4)
    agrees = published.shape == values.shape and np.all(np.abs(values - published) <= halves)
    assert not agrees or slip.cause == 'value left out'


def test_every_page_with_slips_is_there():
    assert {slip.spec for slip in SLIPS} == {
        'C02',
        'C11',
        'C12',
        'C14',
        'C19',
        'C22',
        'C24',
        'C27',
        'C29',
        'C31',
        'C33',
        'A03',
        'E1',
    }
    assert len(slips_of('C27')) == 17


@pytest.mark.parametrize('case', PERCEPTRON.values(), ids=PERCEPTRON)
def test_perceptron_cases(case):
    run = train(case)
    assert (run.epochs, run.mistakes.sum()) == (case.golden.epochs, case.golden.updates)
    np.testing.assert_allclose(run.weights, case.golden.weights, atol=1e-12)
    if case.golden.published:
        np.testing.assert_allclose(run.weights, case.golden.published, atol=1e-8)


def test_targets_in_both_codings():
    assert targets_of('or', 'bipolar') == (-1, 1, 1, 1) and targets_of('xor', 'binary') == (0, 1, 1, 0)
    assert all(len(targets) == 4 for targets in TARGETS.values())


@pytest.mark.parametrize('case', TAPE, ids=[case.what for case in TAPE])
def test_tape(case):
    value, gradient = value_and_gradient(case)
    np.testing.assert_allclose(gradient, case.gradient, atol=1e-12)
    if case.value:
        np.testing.assert_allclose(value, case.value, atol=1e-12)


@pytest.mark.parametrize('case', TENSORS, ids=[case.what for case in TENSORS])
def test_tensors(case):
    tensor = jnp.asarray(case.value, case.dtype)
    assert tensor.shape == case.printed and tensor.dtype == case.dtype
    assert (case.listed == case.printed) == (not case.cause)


def test_printed_numbers():
    values, halves = numbers('-4.2366e-05, 5, 1.0034, 0.5')
    np.testing.assert_allclose(values, [-4.2366e-05, 5, 1.0034, 0.5])
    np.testing.assert_allclose(halves, [5e-10, 5e-5, 5e-5, 5e-5])
    assert Golden('a', 0.993307149076, '0.9933').agrees and not Golden('a', 0.9934, '0.9933').agrees
    assert Golden('a', 1.0).agrees and not Golden('a', (1.0, 2.0), '1').agrees


def test_cases_are_data():
    for case in [*FORWARD.values(), *BACKWARD.values(), *PERCEPTRON.values(), *GATES.values()]:
        assert dataclasses.is_dataclass(case) and case.title and hash(case.name)
