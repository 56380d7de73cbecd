"""Activations: the values of spec C, derivatives equal to automatic differentiation, conventions at kinks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.layers.activations import ACTIVATIONS, activation
from jaxlab.worked.museum import MUSEUM

pytestmark = pytest.mark.usefixtures('float64')


@pytest.mark.parametrize('name', sorted(ACTIVATIONS))
def test_derivative_equals_autodiff_away_from_kinks(name):
    entry = ACTIVATIONS[name]
    x = np.linspace(-8, 8, 1601) + 0.001234
    if not entry.elementwise:
        x = np.random.RandomState(0).randn(5)
        found, expected = jax.jit(lambda x: (entry.derivative(x), jax.jacobian(entry.function)(x)))(x)
        np.testing.assert_allclose(found, expected, atol=1e-15)
        return
    slopes = jax.jit(jax.vmap(jax.grad(lambda v: entry.function(v))))
    np.testing.assert_allclose(jax.jit(entry.derivative)(x), slopes(x), atol=1e-12)
    values = np.asarray(jax.jit(entry.function)(x))
    assert values.min() >= entry.low and values.max() <= entry.high


@pytest.mark.parametrize(
    ('name', 'at', 'slope'),
    [
        ('relu', 0.0, 0.0),
        ('relu6', 0.0, 0.0),
        ('relu6', 6.0, 0.0),
        ('leaky_relu', 0.0, 0.01),
        ('elu', 0.0, 1.0),
        ('hard_sigmoid', -3.0, 0.0),
        ('hard_sigmoid', 3.0, 0.0),
        ('hard_swish', -3.0, 0.0),
        ('hard_swish', 3.0, 1.5),
        ('step', 0.0, 0.0),
        ('bipolar_step', 0.0, 0.0),
    ],
)
def test_convention_at_the_kink(name, at, slope):
    assert float(ACTIVATIONS[name].derivative(jnp.float64(at))) == slope


def test_steps_fire_at_zero():
    assert float(ACTIVATIONS['step'].function(jnp.float64(0))) == 1
    assert float(ACTIVATIONS['bipolar_step'].function(jnp.float64(0))) == 1


@pytest.mark.parametrize(
    ('name', 'reference'),
    [
        ('relu', nn.relu),
        ('relu6', nn.relu6),
        ('leaky_relu', nn.leaky_relu),
        ('elu', nn.elu),
        ('softplus', nn.softplus),
        ('swish', nn.swish),
        ('gelu', lambda x: nn.gelu(x, approximate=False)),
        ('gelu_tanh', nn.gelu),
        ('hard_sigmoid', nn.hard_sigmoid),
        ('hard_swish', nn.hard_swish),
        ('softmax', nn.softmax),
        ('tanh', nn.tanh),
        ('sigmoid', nn.sigmoid),
    ],
)
def test_functions_equal_flax(name, reference):
    x = np.linspace(-8, 8, 101)
    found, expected = jax.jit(lambda x: (ACTIVATIONS[name].function(x), reference(x)))(x)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_finite_far_out():
    @jax.jit
    def everything(x):
        gradient = lambda function: jax.grad(lambda v: function(v).sum())(x)
        found = {name: (entry.function(x), entry.derivative(x)) for name, entry in ACTIVATIONS.items()}
        return {name: (*values, gradient(ACTIVATIONS[name].function)) for name, values in found.items()}

    for name, values in everything(np.array([-1e3, 1e3])).items():
        assert all(np.isfinite(value).all() for value in values), name


# z, sigmoid, sigmoid', 1 + exp(-z), bipolar, bipolar' (spec C 0.3)
SCALARS = np.array(
    [
        [-3, 0.04742587317756678, 0.0451766597309121, 21.085536923187668, -0.9051482536448664, 0.0903533194618],
        [-2, 0.11920292202211755, 0.1049935854035065, 8.38905609893065, -0.7615941559557649, 0.2099871708070],
        [-1, 0.2689414213699951, 0.1966119332414819, 3.718281828459045, -0.46211715726000974, 0.3932238664830],
        [0, 0.5, 0.25, 2, 0, 0.5],
        [1, 0.7310585786300049, 0.1966119332414819, 1.3678794411714423, 0.46211715726000974, 0.3932238664830],
        [2, 0.8807970779778823, 0.1049935854035065, 1.1353352832366128, 0.7615941559557649, 0.2099871708070],
        [3, 0.9525741268224334, 0.045176659730912, 1.049787068367864, 0.9051482536448664, 0.0903533194618],
        [4, 0.982013790037908, 0.0176627062132911, 1.018315638888734, 0.9640275800758169, 0.0353254124265822],
        [5, 0.993307149075715, 0.00664805667079003, 1.006737946999085, 0.9866142981514303, 0.0132961133415801],
    ]
)


def test_scalar_goldens():
    z = jnp.asarray(SCALARS[:, 0])
    sigmoid, bipolar = activation('usigmoid'), activation('bsigmoid')
    columns = (
        sigmoid.function,
        sigmoid.derivative,
        MUSEUM['precedence_sigmoid'].wrong.function,
        bipolar.function,
        bipolar.derivative,
    )
    for column, function in enumerate(columns, start=1):
        np.testing.assert_allclose(jax.jit(function)(z), SCALARS[:, column], atol=1e-12)


# i, x, sigmoid, ', bipolar, ', relu, ', leaky (0.2), ' (spec C06)
GRID_ROWS = np.array(
    [
        [0, -5.0, 0.0066928509, 0.0066480567, -0.9866142982, 0.0132961133, 0, 0, -1, 0.2],
        [10, -4.0, 0.0179862100, 0.0176627062, -0.9640275801, 0.0353254124, 0, 0, -0.8, 0.2],
        [25, -2.5, 0.0758581800, 0.0701037165, -0.8482836400, 0.1402074331, 0, 0, -0.5, 0.2],
        [40, -1.0, 0.2689414214, 0.1966119332, -0.4621171573, 0.3932238665, 0, 0, -0.2, 0.2],
        [49, -0.1, 0.4750208125, 0.2493760402, -0.0499583750, 0.4987520804, 0, 0, -0.02, 0.2],
        [50, -1.7763568394002505e-14, 0.5, 0.25, 0, 0.5, 0, 0, -3.6e-15, 0.2],
        [51, 0.1, 0.5249791875, 0.2493760402, 0.0499583750, 0.4987520804, 0.1, 1, 0.1, 1],
        [60, 1.0, 0.7310585786, 0.1966119332, 0.4621171573, 0.3932238665, 1, 1, 1, 1],
        [75, 2.5, 0.9241418200, 0.0701037165, 0.8482836400, 0.1402074331, 2.5, 1, 2.5, 1],
        [99, 4.899999999999965, 0.9926084587, 0.0073369065, 0.9852169173, 0.0146738129, 4.9, 1, 4.9, 1],
    ]
)


def test_c06_grid():
    x = np.arange(-5, 5, 0.1)
    assert len(x) == 100 and x[50] == -1.7763568394002505e-14 and x[99] == 4.899999999999965
    entries = [activation(name) for name in ('sigmoid', 'bipolar_sigmoid', 'relu')]
    entries.append(activation('leaky_relu', slope=0.2))
    functions = [function for entry in entries for function in (entry.function, entry.derivative)]
    curves = [np.asarray(curve) for curve in jax.jit(lambda x: [function(x) for function in functions])(x)]
    rows = GRID_ROWS[:, 0].astype(int)
    np.testing.assert_allclose(np.stack([x, *curves], axis=1)[rows], GRID_ROWS[:, 1:], atol=1e-10)
    np.testing.assert_allclose(
        [curve.sum() for curve in curves],
        [49.5066928509, 9.8660336805, -0.9866142982, 19.7320673610, 122.5, 49, 97.0, 59.2],
        atol=1e-8,
    )
    assert activation('linear').function(x).sum() == pytest.approx(-5.0, abs=1e-8)
    assert np.argmax(curves[1]) == 50 and float(curves[1][50]) == pytest.approx(0.25)
    assert np.argmax(curves[3]) == 50 and float(curves[3][50]) == pytest.approx(0.5)
    np.testing.assert_allclose(curves[2], 2 * curves[0] - 1, atol=3e-16)


def test_wrong_formulas_do_what_was_published():
    at = jnp.float64([1.0, -1.0])
    np.testing.assert_allclose(
        MUSEUM['bipolar_slope_square_outside'].wrong.derivative(at), [0.1446589763, 1.068893291], atol=1e-9
    )
    np.testing.assert_allclose(MUSEUM['bipolar_slope_plus'].wrong.derivative(at[:1]), 0.6067761335, atol=1e-10)
    assert float(MUSEUM['bipolar_slope_plus'].wrong.derivative(jnp.float64(0))) == 0.5
    constant = MUSEUM['equal_quotient_bipolar'].wrong.function(jnp.float64([1.0, 0.0]))
    assert constant[0] == 1 and np.isnan(constant[1])


def test_exact_gelu_goldens():
    x = jnp.float64([-2, -1, -0.5, 0.5, 1, 2])
    np.testing.assert_allclose(
        activation('gelu').function(x),
        [-0.0455002639, -0.1586552539, -0.1542687694, 0.3457312306, 0.8413447461, 1.9544997361],
        atol=1e-10,
    )


@pytest.mark.parametrize('name', ACTIVATIONS)
def test_half_precision_stays_and_is_near(name):
    """A network may compute in bfloat16 whatever its activation: values, gradients, and nothing widened on the way."""
    x = np.linspace(-3, 3, 25)  # eighths and quarters: exact in bfloat16
    function = activation(name).function

    @jax.jit
    def run(x):
        found = []
        for given in (x, x.astype(jnp.bfloat16)):
            values, slopes = jax.vjp(function, given)
            found.append((values, slopes(jnp.ones_like(given))[0]))
        return found

    (whole, slopes), (half, half_slopes) = run(x)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(half, np.float32), whole, atol=0.02)
    np.testing.assert_allclose(np.asarray(half_slopes, np.float32), slopes, atol=0.03)


def test_errors_name_what_is_valid():
    with pytest.raises(UserError, match="did you mean 'relu'"):
        activation('relo')
    with pytest.raises(UserError, match="no option 'alpha'; its options: slope"):
        activation('leaky_relu', alpha=0.1)


def test_a_step_is_nothing_below_and_one_from_zero_on():
    np.testing.assert_array_equal(ACTIVATIONS['step'].function(jnp.array([-2.0, -1e-6, 0.0, 3.0])), [0, 0, 1, 1])
