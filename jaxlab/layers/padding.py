"""Reflection at the edges of images."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def reflect_pad(x: Float[Array, 'N *space C'], size: int) -> Float[Array, 'N *padded C']:
    """`size` more places on every side, mirrored at the edge, which is not repeated: PyTorch's `ReflectionPad2d`."""
    return jnp.pad(x, ((0, 0), *((size, size),) * (x.ndim - 2), (0, 0)), mode='reflect')


def reflect_to_multiple(x: Float[Array, 'N H W C'], of: int) -> Float[Array, 'N P Q C']:
    """Mirrored at the bottom and the right until both sides are multiples of `of`: images of any size fit a network that
    halves them a few times, and `y[:, :H, :W]` crops what it made to their own size."""
    edges = [(0, -side % of) for side in x.shape[1:3]]
    # A mirror can be no longer than the image less its edge; smaller images are mirrored again and again.
    return jnp.pad(x, ((0, 0), *edges, (0, 0)), mode='reflect')
