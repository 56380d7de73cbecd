"""Forward and backward passes: every printed matrix of spec C, right and as published; hand gradients = jax.grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.layers.activations import ACTIVATIONS, activation
from jaxlab.worked import museum, network
from jaxlab.worked.cases.backward import BACKWARD, ERROR_ROWS
from jaxlab.worked.cases.forward import FORWARD
from jaxlab.worked.cases.printed import numbers
from jaxlab.worked.quantities import forward_quantities, iteration, quantity, update_quantities

pytestmark = pytest.mark.usefixtures('float64')


def check(found, golden):
    np.testing.assert_allclose(
        quantity(found, golden.quantity), golden.right, rtol=0, atol=golden.tolerance, err_msg=golden.quantity
    )


def check_printed(found, golden):
    """The replay of the published computation gives the printed digits."""
    values, halves = numbers(golden.published)
    assert np.all(np.abs(quantity(found, golden.quantity).ravel() - values) <= halves * (1 + 1e-6)), golden.quantity


@pytest.mark.parametrize('case', FORWARD.values(), ids=FORWARD)
def test_forward_goldens(case):
    found = forward_quantities(network.forward(case.inputs, case.weights, case.activations))
    for golden in case.golden:
        check(found, golden)
        assert golden.agrees == (not golden.cause), golden.quantity
    assert list(found) == [golden.quantity for golden in case.golden]


@pytest.mark.parametrize('case', FORWARD.values(), ids=FORWARD)
def test_forward_as_published(case):
    found = forward_quantities(museum.forward_as_published(case))
    for golden in case.golden:
        if not (case.every_layer_reads_inputs and golden.quantity == 'A1'):  # C15: what layer 2 was fed with
            check_printed(found, golden)
    if case.every_layer_reads_inputs:
        np.testing.assert_array_equal(museum.forward_as_published(case)[1].inputs, found['A0'])


@pytest.mark.parametrize('case', FORWARD.values(), ids=FORWARD)
def test_forward_in_float32(case):
    with jax.enable_x64(False):
        found = forward_quantities(network.forward(case.inputs, case.weights, case.activations))
        for golden in case.golden:
            np.testing.assert_allclose(found[golden.quantity], golden.right, atol=1e-6)


def test_c13_linear_layer_collapses():
    case = FORWARD['C13']
    x = jnp.asarray(case.inputs, float)
    collapsed = jnp.array([[1, -1], [0, 0], [-1, 1]]) @ x + jnp.array([[-1], [0], [1]])
    np.testing.assert_array_equal(network.forward(x, case.weights, case.activations)[1].net, collapsed)


def test_c15_listed_second_matrix_on_padded_inputs():
    case = FORWARD['C15']
    layer = network.forward(case.inputs, case.weights[1:], ['bipolar_sigmoid'])[0]
    np.testing.assert_array_equal(layer.net, [[2, 2, 1], [1, -1, 2], [-2, -3, 0]])
    np.testing.assert_allclose(
        layer.output,
        [
            [0.7615941560, 0.7615941560, 0.4621171573],
            [0.4621171573, -0.4621171573, 0.7615941560],
            [-0.7615941560, -0.9051482536, 0],
        ],
        atol=1e-10,
    )


def test_c08_padding_x_instead_of_the_hidden_output():
    case = FORWARD['C08']
    np.testing.assert_array_equal(
        network.forward(case.inputs, case.weights[1:], ['linear'])[0].net, [[0, 1, 0], [0, 2, -1], [-1, 1, -2]]
    )


def test_sizes_may_not_decide_about_the_bias():
    x, w = np.ones((3, 2)), np.ones((1, 3))
    assert network.forward(x, [w], ['linear'])[0].inputs.shape == (3, 2)
    assert network.forward(x, [np.ones((1, 4))], ['linear'], bias=True)[0].inputs.shape == (4, 2)
    with pytest.raises(UserError, match='weight matrix 0 has 3 columns but its input has 3 rows'):
        network.forward(x, [w], ['linear'], bias=True)


@pytest.mark.parametrize('case', BACKWARD.values(), ids=BACKWARD)
def test_backward_goldens(case):
    _, trace = network.backprop_epoch(case.weights, case.inputs, case.targets, case.activations, case.learning_rate)
    for index, goldens in enumerate(case.golden):
        found = update_quantities(iteration(trace, index))
        for golden in goldens:
            check(found, golden)
            if not case.wrong_golden:
                assert golden.agrees, (index, golden)
        for golden in ERROR_ROWS.get(case.name, ())[index : index + 1]:
            row = 0.5 * (found['A1'].item() - np.array(case.targets)) ** 2
            np.testing.assert_allclose(row, golden.right, atol=golden.tolerance, rtol=1e-9)


def test_c11_as_published():
    case = BACKWARD['C11']
    entries = [museum.MUSEUM[name].wrong for name in case.wrong_activations]
    _, trace = network.backprop_epoch(case.weights, case.inputs, case.targets, entries, case.learning_rate)
    for index, goldens in enumerate(case.wrong_golden):
        found = update_quantities(iteration(trace, index))
        for golden in goldens:
            check(found, golden)
            if golden.published:
                check_printed(found, golden)
        row = 0.5 * (found['A1'].item() - np.array(case.targets)) ** 2
        values, halves = numbers(ERROR_ROWS['C11'][index].published)
        assert np.all(np.abs(row - values) <= halves)
    assert (
        float(trace.backward[0].gradient[0, 0, 0])
        < 0
        < float(
            network.backprop_epoch(case.weights, case.inputs, case.targets, ['sigmoid'])[1]
            .backward[0]
            .gradient[0, 0, 0]
        )
    )


def test_c11_true_slope_of_the_wrong_function():
    case, wrong = BACKWARD['C11'], museum.MUSEUM['precedence_sigmoid'].wrong
    error = lambda w: 0.5 * (wrong.function(w @ jnp.array([1.0, 1, 3])) - case.targets[0]) ** 2
    exact = jax.jit(jax.grad(error))(np.ones(3))
    np.testing.assert_allclose(exact, [-0.003414373, -0.003414373, -0.01024312], rtol=1e-6)


def test_c11_two_targets_for_one_input_meet_half_way():
    case = BACKWARD['C11']
    bias = np.array([[np.log(3.0), 0, 0]])
    error = lambda w: network.total_error((w,), case.inputs, case.targets, case.activations)
    gradient = jax.jit(jax.grad(error))(bias)
    np.testing.assert_allclose(gradient, 0, atol=1e-15)
    assert float(network.forward(case.inputs, [bias], case.activations)[0].output[0, 0]) == pytest.approx(0.75)


def test_c11_after_the_epoch():
    case = BACKWARD['C11']
    weights, _ = network.backprop_epoch(case.weights, case.inputs, case.targets, case.activations)
    output = network.forward(case.inputs, weights, case.activations)[0].output[0]
    np.testing.assert_allclose(output, 0.993066623262, atol=1e-12)
    np.testing.assert_allclose(
        0.5 * (output - jnp.array(case.targets)) ** 2, [0.1215573474877, 2.403585649268e-05], rtol=1e-9
    )


def test_c11_cross_entropy_has_no_vanishing_factor():
    case = BACKWARD['C11']
    steps = [
        network.backprop_epoch(case.weights, case.inputs, case.targets, ['sigmoid'], loss=loss)[1].backward[0]
        for loss in ('cross_entropy', 'half_squared')
    ]
    np.testing.assert_allclose([float(step.delta[0, 0, 0]) for step in steps], [0.493307, 0.003280], atol=5e-7)


def test_c12_after_the_epoch_and_in_float32():
    case = BACKWARD['C12']
    weights, _ = network.backprop_epoch(case.weights, case.inputs, case.targets, case.activations)
    output = float(network.forward(case.inputs, weights, case.activations)[0].output[0, 0])
    assert output == pytest.approx(0.993316894028, abs=1e-12)
    assert 0.5 * (output - 1) ** 2 == pytest.approx(2.233195271886e-05, rel=1e-9)
    with jax.enable_x64(False):
        _, trace = network.backprop_epoch(case.weights, case.inputs, case.targets, case.activations)
        for index, goldens in enumerate(case.golden):
            found = update_quantities(iteration(trace, index))
            for golden in goldens:
                np.testing.assert_allclose(found[golden.quantity], golden.right, rtol=2e-5)


C02 = BACKWARD['C02']


@jax.jit
def c02_total(weights):
    return network.total_error(weights, C02.inputs, C02.targets, C02.activations)


def c02_error(weights):
    return float(c02_total(network.as_weights(weights)))


@jax.jit
def c02_epoch(weights, rate):
    return network.backprop_epoch(weights, C02.inputs, C02.targets, C02.activations, rate)


def c02_epochs(rate, epochs):
    weights = network.as_weights(C02.weights)
    for _ in range(epochs):
        weights, trace = c02_epoch(weights, rate)
    return weights, trace


def test_c02_errors_before_and_after():
    layers = network.forward(C02.inputs, C02.weights, C02.activations)
    np.testing.assert_array_equal(layers[1].net, [[3, 1, 3]])
    np.testing.assert_array_equal(0.5 * (layers[1].output - jnp.array(C02.targets)) ** 2, [[4.5, 0.5, 2.0]])
    assert c02_error(C02.weights) == 7
    weights, _ = c02_epochs(1.0, 1)
    after = network.forward(C02.inputs, weights, C02.activations)[1]
    np.testing.assert_array_equal(after.net, [[52662, -26804, 79548]])
    np.testing.assert_array_equal(after.output, [[52662, 0, 79548]])
    assert c02_error(weights) == 4_550_505_726.5


def test_c02_batch_gradient():
    steps = network.backward(network.forward(C02.inputs, C02.weights, C02.activations), [C02.targets], C02.activations)
    np.testing.assert_array_equal(steps[1].gradient, [[6, 7, -9]])
    np.testing.assert_array_equal(steps[0].gradient, [[6, 4, 1], [-6, -4, -1]])


def test_c02_smaller_rates():
    weights, trace = c02_epochs(0.1, 1)
    np.testing.assert_allclose(trace.weights[1][0], [[-0.3, 0.7, -0.4]], atol=1e-12)
    np.testing.assert_allclose(trace.weights[0][0], [[0.7, -0.3, 1], [-0.7, -0.7, 1]], atol=1e-12)
    np.testing.assert_allclose(trace.forward[1].net[1:].ravel(), [0.1, 0.83246], atol=1e-12)
    np.testing.assert_allclose(
        network.forward(C02.inputs, weights, C02.activations)[1].output[0],
        [0.5738160695, 0.0724879342, 0.9183508440],
        atol=1e-10,
    )
    assert c02_error(weights) == pytest.approx(0.1705929834, abs=1e-10)
    assert c02_error(c02_epochs(0.1, 10)[0]) == pytest.approx(0.004841644307, abs=1e-12)
    assert c02_error(c02_epochs(0.1, 100)[0]) < 1e-15
    for rate, one, ten in ((0.05, 1.085501, 0.05055708), (0.01, 4.762021, 0.5598724)):
        assert c02_error(c02_epochs(rate, 1)[0]) == pytest.approx(one, rel=1e-6)
        assert c02_error(c02_epochs(rate, 10)[0]) == pytest.approx(ten, rel=1e-6)


def test_c02_rate_one_explodes():
    weights, _ = c02_epochs(1.0, 2)
    output = network.forward(C02.inputs, weights, C02.activations)[1].output[0]
    np.testing.assert_allclose(output, [0, 4.731e28, 0], rtol=1e-4)
    epochs = [epoch for epoch in range(1, 7) if np.isnan(np.asarray(c02_epochs(1.0, epoch)[0][0])).any()]
    assert epochs[0] == 5
    with jax.enable_x64(False):
        epochs = [epoch for epoch in range(1, 7) if np.isnan(np.asarray(c02_epochs(1.0, epoch)[0][0])).any()]
        assert epochs[0] == 3


@pytest.mark.parametrize('case', BACKWARD.values(), ids=BACKWARD)
def test_hand_gradients_equal_autodiff(case):
    @jax.jit
    def both(weights, x, t):
        by_hand = network.backward(network.forward(x, weights, case.activations), t, case.activations)
        return by_hand, jax.grad(network.total_error)(weights, x, t, case.activations)

    weights = network.as_weights(case.weights)
    for n in range(len(case.targets)):
        x, t = np.array(case.inputs)[:, n : n + 1], np.array(case.targets)[None, n : n + 1]
        for step, expected in zip(*both(weights, x, t), strict=True):
            np.testing.assert_allclose(step.gradient, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize('name', sorted(set(ACTIVATIONS) - {'step', 'bipolar_step'}))
@pytest.mark.parametrize('loss', ['half_squared', 'cross_entropy'])
def test_any_network_equals_autodiff(name, loss):
    rng = np.random.RandomState(0)
    names = [name, 'softmax'] if loss == 'cross_entropy' else [name, 'tanh', name]
    shapes = ((4, 4), (2, 5)) if loss == 'cross_entropy' else ((4, 4), (3, 4), (2, 4))
    weights = tuple(jnp.asarray(rng.randn(*shape)) for shape in shapes)
    inputs, targets = rng.randn(3, 5), np.eye(2)[:, rng.randint(0, 2, 5)]

    @jax.jit
    def both(weights):
        by_hand = network.backward(network.forward(inputs, weights, names), targets, names, loss)
        return by_hand, jax.grad(network.total_error)(weights, inputs, targets, names, loss=loss)

    for step, expected in zip(*both(weights), strict=True):
        np.testing.assert_allclose(step.gradient, expected, rtol=1e-9, atol=1e-12)


def test_binary_cross_entropy_equals_autodiff():
    weights, inputs, targets = (jnp.array([[0.1, -0.4, 0.3]]),), np.ones((2, 1)), [1.0]

    @jax.jit
    def both(weights):
        layers = network.forward(inputs, weights, ['sigmoid'])
        automatic = jax.grad(network.total_error)(weights, inputs, targets, ['sigmoid'], loss='cross_entropy')[0]
        return automatic, network.backward(layers, [targets], ['sigmoid'], 'cross_entropy')

    automatic, steps = both(weights)
    np.testing.assert_allclose(steps[0].gradient, automatic, rtol=1e-12)


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        (
            lambda: network.backprop_epoch([np.ones((1, 3))], np.ones((2, 3)), [0.5, 1], ['sigmoid']),
            '3 samples but 2 targets',
        ),
        (lambda: network.forward(np.ones((2, 3)), [np.ones((1, 5))], ['relu']), 'weight matrix 0 has 5 columns'),
        (lambda: network.forward(np.ones((2, 3)), [np.ones((1, 3))], ['relu', 'relu']), '1 weight matrices but 2'),
        (lambda: network.forward(np.ones((2, 3)), [], []), 'at least one weight matrix'),
        (lambda: network.forward(np.ones((2, 3)), [np.ones((1, 3))], ['rleu']), "did you mean 'relu'"),
        (
            lambda: network.backprop_epoch([np.ones((1, 3))], np.ones((2, 3)), np.ones((2, 3)), ['relu']),
            '2 target rows but 1 output units',
        ),
        (
            lambda: network.backprop_epoch([np.ones((1, 3))], np.ones((2, 1)), [1], ['relu'], loss='cross_entropy'),
            'cross_entropy needs a sigmoid or softmax output',
        ),
        (lambda: activation('sigmoid', slope=0.1), 'its options: none'),
    ],
)
def test_errors_are_one_line(call, words):
    with pytest.raises(UserError, match=words) as caught:
        call()
    assert '\n' not in str(caught.value)
