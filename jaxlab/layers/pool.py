"""Pooling over windows, channels-last."""

from collections.abc import Sequence

import flax.linen as nn
from jaxtyping import Array, Float

Padding = str | Sequence[tuple[int, int]]


def max_pool(
    x: Float[Array, 'N *space C'],
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = 'VALID',
) -> Float[Array, 'N *pooled C']:
    """The largest value of each window (strides default to the window); equal to `flax.linen.max_pool`."""
    space = x.ndim - 2
    window = (window,) * space if isinstance(window, int) else tuple(window)
    strides = window if strides is None else (strides,) * space if isinstance(strides, int) else tuple(strides)
    return nn.max_pool(x, window, strides, padding)


def avg_pool(
    x: Float[Array, 'N *space C'],
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = 'VALID',
) -> Float[Array, 'N *pooled C']:
    """The mean of each window (strides default to the window; padding counts); equal to `flax.linen.avg_pool`."""
    space = x.ndim - 2
    window = (window,) * space if isinstance(window, int) else tuple(window)
    strides = window if strides is None else (strides,) * space if isinstance(strides, int) else tuple(strides)
    return nn.avg_pool(x, window, strides, padding)
