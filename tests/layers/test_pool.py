"""Pooling against Flax's, equal values included."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import layers
from tests.models.drawn import numbers

CASES = [
    ((8, 8), 2, None, 'VALID'),
    ((7, 9), 2, None, 'VALID'),
    ((8, 6), (4, 3), (4, 3), 'SAME'),
    ((7, 9), 2, 2, 'SAME'),
    ((9, 9), 3, 2, 'VALID'),
    ((8, 8), 3, 2, ((1, 1), (1, 1))),
    ((9,), 3, None, 'VALID'),
    ((4, 6, 8), 2, None, 'VALID'),
    ((3, 3), 4, None, ((1, 1), (1, 1))),
]


@functools.cache  # compiled once for values with ties and without
def both(kind, space, window, strides, padding):
    """Ours and Flax's, each with its gradient, in one program."""
    each = lambda v: (v,) * len(space) if isinstance(v, int) else v
    ours, stock = getattr(layers, f'{kind}_pool'), getattr(nn, f'{kind}_pool')
    g = jnp.asarray(np.random.default_rng(1).standard_normal(4096), jnp.float32)

    def pull(function, x):
        y, back = jax.vjp(function, x)
        return y, back(g[: y.size].reshape(y.shape))[0]

    mine = lambda x: ours(x, window, strides, padding)
    theirs = lambda x: stock(x, each(window), each(strides or window), padding)
    return jax.jit(lambda x: (pull(mine, x), pull(theirs, x)))


@pytest.mark.parametrize('case', CASES, ids=str)
@pytest.mark.parametrize('kind', ['max', 'avg'])
@pytest.mark.parametrize('ties', [False, True])
def test_pooling_equals_stock(case, kind, ties) -> None:
    """Ties: small whole numbers, most of them equal, so that the gradient's choice shows."""
    x = np.random.default_rng(0).standard_normal((3, *case[0], 4)).astype(np.float32)
    mine, theirs = both(kind, *case)(jnp.asarray(np.round(x) if ties else x))
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_batch_last_needs_no_other_function() -> None:
    x = numbers(3, 8, 8, 4)
    swap = layers.swap_batch_and_channels
    np.testing.assert_array_equal(swap(layers.max_pool(swap(x), 2)), layers.max_pool(x, 2))


def test_second_derivative_exists() -> None:
    x = numbers(2, 4, 4, 3)
    slope = lambda pool: jax.grad(lambda x: jnp.square(pool(x)).sum())
    penalty = lambda pool: jax.jit(jax.grad(lambda x: jnp.square(slope(pool)(x)).sum()))(x)
    stock = penalty(lambda x: nn.max_pool(x, (2, 2), (2, 2)))
    np.testing.assert_allclose(penalty(lambda x: layers.max_pool(x, 2)), stock, atol=1e-5)


@pytest.mark.parametrize('pool, stock', [(layers.max_pool, nn.max_pool), (layers.avg_pool, nn.avg_pool)])
def test_windows_that_overlap_leave_gaps_or_hang_over(pool, stock) -> None:
    """3 every 2, 2 every 3, zeros or nothing around, and what is taken where nothing is said: tiles without padding."""
    x = numbers(2, 7, 9, 3)
    for window, strides, padding in (
        ((3, 3), (2, 2), 'VALID'),
        ((2, 2), (3, 3), 'VALID'),
        ((2, 2), (2, 2), ((1, 1), (0, 1))),
        ((2, 2), (2, 2), ((0, 0), (0, 0))),
        ((2, 2), (2, 2), 'SAME'),
    ):
        np.testing.assert_allclose(pool(x, window, strides, padding), stock(x, window, strides, padding), atol=1e-6)
    np.testing.assert_allclose(pool(x, (2, 3)), stock(x, (2, 3), (2, 3), 'VALID'), atol=1e-6)
