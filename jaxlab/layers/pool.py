"""Pooling over windows: equal to Flax's in values and gradients, fast on a CPU.

Where windows do not overlap ("tiles"), a window is a pair of axes: the maximum is a reduction, and its gradient a mask
instead of XLA's select-and-scatter, which runs on one thread element by element. Like stock, the gradient of equal
values goes to the first of them in row order.
"""

import itertools
from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

Sizes = int | Sequence[int]
Padding = str | Sequence[tuple[int, int]]


def swap_batch_and_channels(x: Float[Array, 'A *space B']) -> Float[Array, 'B *space A']:
    """From channels-last [N, *space, C] to batch-last [C, *space, N] and back."""
    return x.swapaxes(0, -1)


def _each(sizes: Sizes, space: int) -> tuple[int, ...]:
    return (sizes,) * space if isinstance(sizes, int) else tuple(sizes)


def max_pool(
    x: Float[Array, 'N *space C'], window: Sizes, strides: Sizes | None = None, padding: Padding = 'VALID'
) -> Float[Array, 'N *pooled C']:
    """The largest value of each window (strides default to the window).

    First and last axis are left alone: x may be channels-last or batch-last.
    """
    window, strides = _shape(x, window, strides)
    if _tiles(x, window, strides, padding):
        return _tile_maximum(tuple(window), _cropped(x, window))
    return nn.max_pool(x, window, strides, padding)


def avg_pool(
    x: Float[Array, 'N *space C'], window: Sizes, strides: Sizes | None = None, padding: Padding = 'VALID'
) -> Float[Array, 'N *pooled C']:
    """The mean of each window (strides default to the window; zeros of the padding count, as in Flax)."""
    window, strides = _shape(x, window, strides)
    if _tiles(x, window, strides, padding):
        parts = _members(window, _cropped(x, window))
        return sum(parts[1:], parts[0]) / len(parts)
    return nn.avg_pool(x, window, strides, padding)


def adaptive_avg_pool(x: Float[Array, 'N H W C'], size: tuple[int, int]) -> Float[Array, 'N P Q C']:
    """Means over windows that tile the image in `size` parts a side: PyTorch's `AdaptiveAvgPool2d`.

    Window i covers floor(i H / P) up to ceil((i + 1) H / P); a map smaller than `size` is copied.
    """
    rows, columns = (_window_weights(n, parts, x.dtype) for n, parts in zip(x.shape[1:-1], size, strict=True))
    return jnp.einsum('ph,nhwc,qw->npqc', rows, x, columns)


def _window_weights(length: int, parts: int, dtype: jnp.dtype) -> Array:
    """[parts, length]: each row averages one window."""
    weights = np.zeros((parts, length))
    for part in range(parts):
        low, high = part * length // parts, -(-(part + 1) * length // parts)
        weights[part, low:high] = 1 / (high - low)
    return jnp.asarray(weights, dtype)


def _shape(x: Array, window: Sizes, strides: Sizes | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    window = _each(window, x.ndim - 2)
    return window, window if strides is None else _each(strides, x.ndim - 2)


def _tiles(x: Array, window: tuple[int, ...], strides: tuple[int, ...], padding: Padding) -> bool:
    """Whether the windows lie side by side and need no padding."""
    space = x.shape[1:-1]
    if window != strides or any(n < w for n, w in zip(space, window, strict=True)):
        return False
    if padding == 'SAME':
        return all(n % w == 0 for n, w in zip(space, window, strict=True))
    return padding == 'VALID' or (not isinstance(padding, str) and all(tuple(p) == (0, 0) for p in padding))


def _cropped(x: Array, window: tuple[int, ...]) -> Array:
    return x[(slice(None), *(slice(n // w * w) for n, w in zip(x.shape[1:-1], window, strict=True)))]


def _split(window: tuple[int, ...], x: Array) -> Array:
    """[A, H, W, B] -> [A, H/h, h, W/w, w, B]."""
    pairs = itertools.chain(*((n // w, w) for n, w in zip(x.shape[1:-1], window, strict=True)))
    return x.reshape(x.shape[0], *pairs, x.shape[-1])


def _members(window: tuple[int, ...], x: Array) -> list[Array]:
    """For each place in the window, in row order, what lies there in every window: strided slices of x."""
    return [lax.slice(x, (0, *place, 0), x.shape, (1, *window, 1)) for place in itertools.product(*map(range, window))]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _tile_maximum(window: tuple[int, ...], x: Array) -> Array:
    return _split(window, x).max(tuple(range(2, 2 * len(window) + 1, 2)))


def _forward(window: tuple[int, ...], x: Array) -> tuple[Array, tuple[Array, Array]]:
    y = _tile_maximum(window, x)
    return y, (x, y)


def _backward(window: tuple[int, ...], kept: tuple[Array, Array], g: Array) -> tuple[Array]:
    x, y = kept
    free, parts = jnp.ones(y.shape, bool), []
    for member in _members(window, x):
        first = free & (member == y)
        free &= ~first
        parts.append(jnp.where(first, g, jnp.zeros((), g.dtype)))
    whole, rank = jnp.stack(parts).reshape(*window, *y.shape), len(window)
    order = [rank, *itertools.chain(*((rank + 1 + axis, axis) for axis in range(rank))), 2 * rank + 1]
    return (whole.transpose(order).reshape(x.shape),)


_tile_maximum.defvjp(_forward, _backward)
