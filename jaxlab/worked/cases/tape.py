"""Tensors and gradients of the tape pages (spec C06, C09, C32): shapes as printed and as the listing gives them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class TensorCase:
    """`printed`: shape and dtype on the page; `listed`: the shape that the transcribed brackets give (None: ragged)."""

    what: str
    value: Any
    printed: tuple[int, ...]
    dtype: str
    listed: tuple[int, ...] | None
    cause: str = ''


TENSORS = (
    TensorCase('constant 3.', 3.0, (), 'float32', ()),
    TensorCase('constant 3e-38 (smallest normal float32: 1.1754944e-38)', 3e-38, (), 'float32', ()),
    TensorCase('constant [3, 2.0, 3]', [3, 2.0, 3], (3,), 'float32', (3,)),
    TensorCase('variable of two rows', [[3.0, 2, 3], [4, 2, 4]], (2, 3), 'float32', (2, 3)),
    TensorCase('variable', [[[3.0, 2, 3]], [[4, 2, 4]]], (2, 1, 3), 'float32', None, 'a bracket is lost: ragged'),
    TensorCase(
        'nested integers', [[[[[1, 2, 3], [4, 5, 6]]]]], (1, 1, 1, 2, 3), 'int32', (1, 1, 2, 3), 'a bracket is lost'
    ),
    TensorCase(
        'two matrices',
        [[[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]],
        (2, 2, 3),
        'int32',
        (2, 3),
        'the outer bracket is lost: the second list lands in the argument `trainable`',
    ),
)


@dataclasses.dataclass(frozen=True)
class TapeCase:
    """y of x, its latex, and the printed y and dy/dx (None: not printed)."""

    what: str
    function: Callable[..., Any]
    at: tuple[float, ...]
    latex: str
    latex_gradient: str
    gradient: tuple[float, ...]
    value: tuple[float, ...] | None = None
    printed: str = ''
    note: str = ''


TAPE = (
    TapeCase(
        '2x + a with a = 2', lambda x: 2 * x + 2.0, (3.0, 4.0), 'y = 2x + a', r'\frac{dy}{dx} = 2', (2, 2), (8, 10)
    ),
    TapeCase(
        '2x^1 + a',
        lambda x: 2 * x**1 + 2.0,
        (3.0, 4.0),
        'y = 2x^1 + a',
        r'\frac{dy}{dx} = 2',
        (2, 2),
        None,
        '2, 2',
        'the exponent 1 makes the "power" example the linear one',
    ),
    TapeCase(
        '2x^2 + a',
        lambda x: 2 * x**2 + 2.0,
        (3.0, 4.0),
        'y = 2x^2 + a',
        r'\frac{dy}{dx} = 4x',
        (12, 16),
        None,
        '12, 16',
    ),
    TapeCase(
        '2 x1^2 + x2^3 + a',
        lambda x: 2 * x[0] ** 2 + x[1] ** 3 + 2.0,
        (3.0, 1.0),
        'y = 2x_1^2 + x_2^3 + a',
        r'\nabla y = (4x_1,\, 3x_2^2)',
        (12, 3),
        None,
        '12, 3',
    ),
    TapeCase(
        '2 x1^2 + x2^3 + a',
        lambda x: 2 * x[0] ** 2 + x[1] ** 3 + 2.0,
        (3.0, 2.0),
        'y = 2x_1^2 + x_2^3 + a',
        r'\nabla y = (4x_1,\, 3x_2^2)',
        (12, 12),
        None,
        '12, 12',
    ),
    TapeCase(
        'sigmoid',
        jax.nn.sigmoid,
        (3.0,),
        r'y = \sigma(x)',
        r'\frac{dy}{dx} = \sigma(1 - \sigma)',
        (0.045176659730912,),
        (0.9525741268224334,),
        '0.95257413, 0.04517666',
    ),
)


def value_and_gradient(case: TapeCase) -> tuple[Any, Any]:
    """y and the gradient of its sum by automatic differentiation."""
    x = jnp.asarray(case.at)
    return case.function(x), jax.grad(lambda v: jnp.sum(case.function(v)))(x)
