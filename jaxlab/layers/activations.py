r"""Every activation that an experiment names, each with its closed-form derivative (spec C 0.3, C06, C33).

One explicit table, `ACTIVATIONS`; `activation(name, **options)` looks a name up and sets its options, for example
`activation('leaky_relu', slope=0.2)`. The derivative is written out and never taken from automatic differentiation, so
that both can be compared. **At a kink** the derivative is the one from the left for the rectifiers (0 for `relu`, the
slope for `leaky_relu`) and 0 at every corner of a clipped line; steps have derivative 0 everywhere and fire at 0.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError, lookup


class Activation(NamedTuple):
    """A function, its derivative, both as LaTeX, its range (for automatic checks) and what to know about it.

    `elementwise` is False for softmax alone: its derivative is the Jacobian [..., K, K] over the last axis.
    """

    name: str
    function: Callable[..., Float[Array, '...']]
    derivative: Callable[..., Float[Array, '...']]
    latex: str
    latex_derivative: str
    note: str = ''
    low: float = -math.inf
    high: float = math.inf
    kinks: tuple[float, ...] = ()
    options: tuple[str, ...] = ()
    elementwise: bool = True


def step(x: Array) -> Array:
    """1 from zero upwards, else 0."""
    return jnp.where(x >= 0, 1.0, 0.0).astype(x.dtype)


def bipolar_step(x: Array) -> Array:
    """1 from zero upwards, else -1."""
    return jnp.where(x >= 0, 1.0, -1.0).astype(x.dtype)


def bipolar_sigmoid(x: Array) -> Array:
    r"""$(1 - e^{-x}) / (1 + e^{-x})$, written as $\tanh(x/2)$, which does not overflow."""
    return jnp.tanh(0.5 * x)


def relu(x: Array) -> Array:
    """max(0, x)."""
    return jnp.where(x > 0, x, 0.0)


def relu6(x: Array) -> Array:
    """min(max(0, x), 6)."""
    return jnp.clip(x, 0.0, 6.0)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """x above zero, slope * x below. Slopes in use: 0.01 (Flax, PyTorch), 0.2 (Keras function), 0.3 (Keras layer)."""
    return jnp.where(x > 0, x, slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x above zero, alpha (e^x - 1) below."""
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0.0)))  # the minimum keeps the unused branch finite


def gelu(x: Array) -> Array:
    r"""$x\,\Phi(x)$, exactly (BERT's)."""
    return 0.5 * x * (1 + jax.lax.erf(x / math.sqrt(2)))  # SciPy's normal distribution knows no bfloat16


_GELU_SCALE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def gelu_tanh(x: Array) -> Array:
    """GELU's tanh form (GPT-2's), within 5e-4 of the exact one."""
    return 0.5 * x * (1 + jnp.tanh(_GELU_SCALE * (x + _GELU_CUBE * x**3)))


def hard_sigmoid(x: Array) -> Array:
    """clip(x / 6 + 1 / 2, 0, 1), as in JAX, PyTorch and Keras 3 (older Keras: slope 0.2)."""
    return jnp.clip(x / 6 + 0.5, 0.0, 1.0)


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum."""
    return jax.nn.softmax(x, axis=-1)


def _sigmoid_slope(x: Array) -> Array:
    y = jax.nn.sigmoid(x)
    return y * (1 - y)


def _gelu_tanh_slope(x: Array) -> Array:
    t = jnp.tanh(_GELU_SCALE * (x + _GELU_CUBE * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * _GELU_SCALE * (1 + 3 * _GELU_CUBE * x**2)


def _swish_slope(x: Array) -> Array:
    y = jax.nn.sigmoid(x)
    return y + x * y * (1 - y)


def _hard_swish_slope(x: Array) -> Array:
    return jnp.where(x > 3, 1.0, jnp.where(x > -3, (2 * x + 3) / 6, 0.0)).astype(x.dtype)


def _where(x: Array, condition: Array, yes: float, no: float) -> Array:
    return jnp.where(condition, yes, no).astype(x.dtype)


def _softmax_jacobian(x: Array) -> Array:
    p = softmax(x)
    return p[..., :, None] * (jnp.eye(x.shape[-1], dtype=x.dtype) - p[..., None, :])


_TABLE = (
    Activation('linear', lambda x: x, jnp.ones_like, 'x', '1', 'no non-linearity: layers of it collapse into one'),
    Activation(
        'step',
        step,
        jnp.zeros_like,
        r'[x \ge 0]',
        '0',
        'threshold unit, 0 or 1; no gradient, so it is learned by the perceptron rule',
        0.0,
        1.0,
        (0.0,),
    ),
    Activation(
        'bipolar_step',
        bipolar_step,
        jnp.zeros_like,
        r'2\,[x \ge 0] - 1',
        '0',
        'threshold unit, -1 or 1; sign(0) is taken as 1',
        -1.0,
        1.0,
        (0.0,),
    ),
    Activation(
        'sigmoid',
        jax.nn.sigmoid,
        _sigmoid_slope,
        r'\frac{1}{1 + e^{-x}}',
        'f\\,(1 - f)',
        'unipolar sigmoid; steepest at 0 with 0.25, saturates on both sides',
        0.0,
        1.0,
    ),
    Activation(
        'bipolar_sigmoid',
        bipolar_sigmoid,
        lambda x: 0.5 * (1 - bipolar_sigmoid(x) ** 2),
        r'\frac{1 - e^{-x}}{1 + e^{-x}} = \tanh(x/2)',
        r'\tfrac{1}{2}(1 - f^2)',
        'steepest at 0 with 0.5; equals 2 sigmoid(x) - 1',
        -1.0,
        1.0,
    ),
    Activation(
        'tanh', jnp.tanh, lambda x: 1 - jnp.tanh(x) ** 2, r'\tanh x', '1 - f^2', 'steepest at 0 with 1', -1.0, 1.0
    ),
    Activation(
        'relu',
        relu,
        lambda x: _where(x, x > 0, 1.0, 0.0),
        r'\max(0, x)',
        '[x > 0]',
        "f'(0) = 0; a unit whose net stays below 0 learns nothing more",
        0.0,
        math.inf,
        (0.0,),
    ),
    Activation(
        'relu6',
        relu6,
        lambda x: _where(x, (x > 0) & (x < 6), 1.0, 0.0),
        r'\min(\max(0, x), 6)',
        '[0 < x < 6]',
        "f'(0) = f'(6) = 0",
        0.0,
        6.0,
        (0.0, 6.0),
    ),
    Activation(
        'leaky_relu',
        leaky_relu,
        lambda x, slope=0.01: _where(x, x > 0, 1.0, slope),
        r'x\;(x > 0),\;\alpha x\;(x \le 0)',
        r'1\;(x > 0),\;\alpha\;(x \le 0)',
        "f'(0) = slope, as TensorFlow has it (JAX's own says 1)",
        kinks=(0.0,),
        options=('slope',),
    ),
    Activation(
        'elu',
        elu,
        lambda x, alpha=1.0: jnp.where(x > 0, 1.0, alpha * jnp.exp(jnp.minimum(x, 0.0))),
        r'x\;(x > 0),\;\alpha(e^x - 1)\;(x \le 0)',
        r'1\;(x > 0),\;f + \alpha\;(x \le 0)',
        "f'(0) = alpha: no kink for alpha = 1",
        options=('alpha',),
    ),
    Activation('softplus', jax.nn.softplus, jax.nn.sigmoid, r'\ln(1 + e^x)', r'\sigma(x)', 'a smooth relu', 0.0),
    Activation(
        'swish',
        lambda x: x * jax.nn.sigmoid(x),
        _swish_slope,
        r'x\,\sigma(x)',
        r'\sigma + x\,\sigma(1 - \sigma)',
        'also called SiLU; least value -0.2785 at x = -1.2785',
        -0.2785,
    ),
    Activation(
        'gelu',
        gelu,
        lambda x: jax.scipy.stats.norm.cdf(x) + x * jax.scipy.stats.norm.pdf(x),
        r'x\,\Phi(x)',
        r'\Phi(x) + x\,\varphi(x)',
        'exact form',
        -0.17,
    ),
    Activation(
        'gelu_tanh',
        gelu_tanh,
        _gelu_tanh_slope,
        r'\tfrac{x}{2}\left(1 + \tanh u\right),\; u = \sqrt{2/\pi}\,(x + 0.044715\,x^3)',
        r"\tfrac{1 + \tanh u}{2} + \tfrac{x}{2}(1 - \tanh^2 u)\,u'",
        'approximate form',
        -0.1701,
    ),
    Activation(
        'hard_sigmoid',
        hard_sigmoid,
        lambda x: _where(x, (x > -3) & (x < 3), 1 / 6, 0.0),
        r'\min(\max(0, \tfrac{x}{6} + \tfrac{1}{2}), 1)',
        r'\tfrac{1}{6}\,[-3 < x < 3]',
        "f'(-3) = f'(3) = 0",
        0.0,
        1.0,
        (-3.0, 3.0),
    ),
    Activation(
        'hard_swish',
        lambda x: x * hard_sigmoid(x),
        _hard_swish_slope,
        r'x\,\min(\max(0, \tfrac{x}{6} + \tfrac{1}{2}), 1)',
        r'\tfrac{2x + 3}{6}\;(-3 < x \le 3),\;[x > 3]',
        "MobileNetV3's (arXiv 1905.02244); least value -0.375 at x = -1.5; f'(-3) = 0, f'(3) = 1.5",
        -0.375,
        math.inf,
        (-3.0, 3.0),
    ),
    Activation(
        'softmax',
        softmax,
        _softmax_jacobian,
        r'\frac{e^{x_k}}{\sum_j e^{x_j}}',
        r'p_i(\delta_{ij} - p_j)',
        'over the last axis; its derivative is a matrix',
        0.0,
        1.0,
        elementwise=False,
    ),
)
ACTIVATIONS: dict[str, Activation] = {entry.name: entry for entry in _TABLE}
ALIASES = {
    'lin': 'linear',
    'identity': 'linear',
    'unipolar_sigmoid': 'sigmoid',
    'usigmoid': 'sigmoid',
    'bsigmoid': 'bipolar_sigmoid',
    'silu': 'swish',
}


def activation(name: str | Activation, **options: float) -> Activation:
    """The entry of that name (or alias) with its options set; an `Activation` is returned as it is."""
    if isinstance(name, Activation):
        return name
    entry = lookup(ACTIVATIONS, ALIASES.get(name, name), 'activation')
    for option in options:
        if option not in entry.options:
            valid = ', '.join(entry.options) or 'none'
            raise UserError(f'activation {name!r} has no option {option!r}; its options: {valid}')
    if not options:
        return entry
    return entry._replace(
        function=functools.partial(entry.function, **options), derivative=functools.partial(entry.derivative, **options)
    )
