r"""The wrong formulas that were printed or executed, kept to be looked at and never used (spec C 0.3 and 0.5).

Each stands beside the right activation, with where it occurs and what it does to the numbers.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.layers.activations import Activation, activation
from jaxlab.worked.cases.base import NetworkCase
from jaxlab.worked.cases.forward import ForwardCase
from jaxlab.worked.network import LayerForward, forward


class WrongFormula(NamedTuple):
    """`wrong` is an `Activation` that can be put in a right one's place to replay what was published."""

    wrong: Activation
    right: str
    where: tuple[str, ...]
    slip: str
    effect: str


def precedence_sigmoid(x: Array) -> Array:
    """`1 / 1 + exp(-x)` as it was executed: the quotient binds first, so this is 1 + e^(-x)."""
    return 1.0 / 1.0 + jnp.exp(-x)


def _precedence_slope(x: Array) -> Array:
    f = precedence_sigmoid(x)
    return f * (1 - f)


def _bipolar_slope(x: Array, form) -> Array:
    return 0.5 * form(activation('bipolar_sigmoid').function(x))


def equal_quotient_bipolar(x: Array) -> Array:
    """Numerator and denominator alike: the constant 1, not a number at 0."""
    return (1 - jnp.exp(-x)) / (1 - jnp.exp(-x))


MUSEUM: dict[str, WrongFormula] = {
    'precedence_sigmoid': WrongFormula(
        Activation(
            'precedence_sigmoid',
            precedence_sigmoid,
            _precedence_slope,
            '1 + e^{-x}',
            'f\\,(1 - f)',
            'operator precedence: 1/1 + exp(-x)',
        ),
        'sigmoid',
        ('C08', 'C10', 'C11'),
        '1 / 1 + exp(-x) is 1 + exp(-x)',
        'values above 1 (2 at 0, 1.1353 at 2, 21.0855 at -3), falling instead of rising, gradient of the wrong sign',
    ),
    'equal_quotient_bipolar': WrongFormula(
        Activation(
            'equal_quotient_bipolar',
            equal_quotient_bipolar,
            jnp.zeros_like,
            r'\frac{1 - e^{-x}}{1 - e^{-x}}',
            '0',
            'denominator 1 - exp(-x)',
        ),
        'bipolar_sigmoid',
        ('C08', 'C10', 'C11'),
        'denominator 1 - exp(-x) for 1 + exp(-x)',
        'the constant 1, not a number at 0 (listed, never called)',
    ),
    'bipolar_slope_square_outside': WrongFormula(
        Activation(
            'bipolar_slope_square_outside',
            activation('bipolar_sigmoid').function,
            lambda x: _bipolar_slope(x, lambda f: (1 - f) ** 2),
            r'\tanh(x/2)',
            r'\tfrac{1}{2}(1 - f)^2',
        ),
        'bipolar_sigmoid',
        ('C11', 'C12', 'C28'),
        '(1 - f)^2 for 1 - f^2',
        '0.1447 at 1 and 1.0689 at -1 (right: 0.3932 at both; listed, never called)',
    ),
    'bipolar_slope_plus': WrongFormula(
        Activation(
            'bipolar_slope_plus',
            activation('bipolar_sigmoid').function,
            lambda x: _bipolar_slope(x, lambda f: 1 + f**2),
            r'\tanh(x/2)',
            r'\tfrac{1}{2}(1 + f^2)',
        ),
        'bipolar_sigmoid',
        ('C33',),
        '1 + f^2 for 1 - f^2',
        '0.6068 at 1 (right: 0.3932); right at 0 only',
    ),
}


def executed(case: NetworkCase) -> tuple[Activation, ...]:
    """The activations that really ran when the page was printed, wrong ones among them."""
    names = case.wrong_activations or case.activations
    return tuple(MUSEUM[name].wrong if name in MUSEUM else activation(name) for name in names)


def forward_as_published(case: ForwardCase) -> tuple[LayerForward, ...]:
    """Replays a forward pass as it was really executed: wrong sigmoid, stale weights, layer 2 fed with X again."""
    weights, entries = case.wrong_weights or case.weights, executed(case)
    if not case.every_layer_reads_inputs:
        return forward(case.inputs, weights, entries)
    return tuple(forward(case.inputs, [matrix], [entry])[0] for matrix, entry in zip(weights, entries))
