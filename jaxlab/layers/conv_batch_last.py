"""The three maps of `conv_cpu` for images kept batch-last, [C, *space, N]: for networks of few channels on a CPU.

With the batch innermost every window is a contiguous slice, so that patches, pooling and its gradient run at the
memory's speed; channels-last, rows of 1 to 16 numbers are picked one by one. A whole LeNet step takes half the time.
With many channels (64 and more) the channels-last form is the faster one.

Shapes: x [C, *space, N], kernel [*size, C, D], cotangent g [D, *out, N].
"""

from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxlab.layers.conv_geometry import Geometry


def batch_last_pays() -> bool:
    """Whether networks of few channels should keep their images batch-last here: on a CPU; accelerators want NHWC."""
    return jax.default_backend() == 'cpu'


def patches(x: Array, geometry: Geometry) -> Float[Array, 'TC outN']:
    """All that each output sees, tap by tap, one output a column."""
    if any(p != (0, 0) for p in geometry.padding):
        x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((lo, hi, 0) for lo, hi in geometry.padding), (0, 0, 0)])
    slices = []
    for tap in geometry.taps:
        start = [t * d for t, d in zip(tap, geometry.dilation, strict=True)]
        limit = [a + (o - 1) * s + 1 for a, o, s in zip(start, geometry.out, geometry.strides, strict=True)]
        slices.append(lax.slice(x, (0, *start, 0), (x.shape[0], *limit, x.shape[-1]), (1, *geometry.strides, 1)))
    return jnp.concatenate(slices).reshape(len(slices) * x.shape[0], -1)


def forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """The convolution [D, *out, N]."""
    features = kernel.shape[-1]
    y = kernel.reshape(-1, features).T @ patches(x, geometry)
    return y.reshape(features, *geometry.out, x.shape[-1])


def input_gradient(geometry: Geometry, g: Array, kernel: Array) -> Array:
    """The gradient to the input [C, *space, N]: what each output sends through each tap, put in its place and added up.

    One spatial axis after the other, the last one first: k additions an axis in place of k^rank, and no patches of g,
    whose channels are many (a LeNet's second convolution: 0.3 ms in place of 2.7).
    """
    rank, channels = len(geometry.space), kernel.shape[-2]
    sent = kernel.reshape(-1, kernel.shape[-1]) @ g.reshape(g.shape[0], -1)
    sent = sent.reshape(*geometry.size, channels, *geometry.out, g.shape[-1])
    for axis in reversed(range(rank)):
        sent = _added(sent, geometry, axis)
    return sent


def _added(sent: Array, geometry: Geometry, axis: int) -> Array:
    """Adds up the taps of one spatial axis: [*size[: axis + 1], C, *out[: axis + 1], *space[axis + 1 :], N] in; the tap axis
    is gone afterwards and `out[axis]` has become `space[axis]`."""
    zero = jnp.zeros((), sent.dtype)
    pieces = []
    for tap in range(geometry.size[axis]):
        place = geometry.places((tap,) * len(geometry.space))[axis]
        piece = lax.index_in_dim(sent, tap, axis, keepdims=False)
        edges = [(0, 0, 0)] * piece.ndim
        edges[axis + 1 + axis] = place
        pieces.append(lax.pad(piece, zero, edges))
    # Without the barrier the compiler would write all axes' additions into one loop again.
    return lax.optimization_barrier(reduce(jnp.add, pieces))


def kernel_gradient(geometry: Geometry, x: Array, g: Array) -> Array:
    """The gradient to the kernel [*size, C, D]."""
    features = g.shape[0]
    wide = jnp.promote_types(x.dtype, jnp.float32)
    product = jnp.matmul(patches(x, geometry), g.reshape(features, -1).T, preferred_element_type=wide)
    return product.astype(jnp.result_type(x, g)).reshape(*geometry.size, x.shape[0], features)
