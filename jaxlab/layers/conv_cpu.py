"""How a convolution is computed on a CPU, channels-last: three bilinear maps that stay fast inside compiled loops.

XLA's own lowering of a convolution's gradients falls to naive loops on a CPU once it stands inside `scan` or
`fori_loop` (jax issue 12868), a hundred times slower. Here each map is made of what stays fast there: plain
channels-last convolutions (no dilated input, no other order of axes), matrix products, slices, concatenations.
Each map has several forms, and `choice` takes the one that `benchmarks.convolutions` found fastest: among them one matrix
for images hardly larger than the kernel (`conv_unrolled`) and Winograd's 3x3 convolution (`conv_winograd`). Where the
program has oneDNN's convolutions (`onednn`), plain ones beat most special forms.

Shapes: x [N, *space, C], kernel [*size, C, D], cotangent g [N, *out, D]. With p = o * stride + t * dilation the position
in the padded input that output o sees through tap t:

    forward          y[o]  = sum_t x[p(o, t)] k[t]
    input_gradient   dx[p] = sum over (o, t) with p(o, t) = p of g[o] k[t]^T
    kernel_gradient  dk[t] = sum_o x[p(o, t)]^T g[o]
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial, reduce

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxlab.layers import conv_unrolled, conv_winograd, onednn
from jaxlab.layers.conv_geometry import Geometry, dimension_numbers, images_a_block, padded, patches, turned_round

BLOCK = 1 << 20  # elements of patches made at a time: 4 MB stay in the cache
FEW = 4  # input channels up to which a product and shifted additions beat convolutions (28x28x1: 3 against 11 ms)
TINY, SMALL = 16, 49  # outputs an image up to which many taps see padding only, so that products beat convolutions
FEW_IMAGES, FEW_FEATURES = 32, 16  # up to which the kernel's gradient is faster as a convolution than as a product


def forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """The convolution [N, *out, D]."""
    return _computed('forward', geometry, x, kernel)


def input_gradient(geometry: Geometry, g: Array, kernel: Array) -> Array:
    """The gradient to the input [N, *space, C]; with other words the transposed convolution of g."""
    return _computed('input_gradient', geometry, g, kernel)


def kernel_gradient(geometry: Geometry, x: Array, g: Array) -> Array:
    """The gradient to the kernel [*size, C, D]."""
    return _computed('kernel_gradient', geometry, x, g)


def _computed(name: str, geometry: Geometry, a: Array, b: Array) -> Array:
    return forms(geometry, name, a, b)[choice(geometry, name, a, b, onednn.used.value)](a, b)


def forms(geometry: Geometry, name: str, a: Array, b: Array) -> dict[str, Callable[[Array, Array], Array]]:
    """Every form of the named map that is possible for these operands (arrays or their shapes), by its name."""
    strided, dilated = max(geometry.strides) > 1, max(geometry.dilation) > 1
    if name == 'forward':
        found: dict[str, Callable] = {'plain': plain, 'patches': patches_by_kernel}
    elif name == 'input_gradient':
        found = {'adds': overlapping_adds}
        if not strided:
            found['turned'] = turned
        elif not dilated:
            found['phases'] = phases
    else:
        found = {'exchanged': exchanged, 'patches': patches_by_cotangent}
    if conv_unrolled.possible(geometry):
        found['matrix'] = getattr(conv_unrolled, name)
    if conv_winograd.possible(geometry):
        found['winograd'] = getattr(conv_winograd, name)
    return {form: partial(function, geometry) for form, function in found.items()}


def choice(geometry: Geometry, name: str, a: Array, b: Array, by_onednn: bool) -> str:
    """The name of the form that is taken: the fastest one by the table of `benchmarks.convolutions`."""
    channels, features = (a.shape[-1], b.shape[-1]) if name == 'kernel_gradient' else b.shape[-2:]
    strided, dilated = max(geometry.strides) > 1, max(geometry.dilation) > 1
    outputs, taps = math.prod(geometry.out), math.prod(geometry.size)
    if conv_unrolled.suits(geometry):
        return 'matrix'
    winograd = conv_winograd.suits(geometry, len(a), (channels, features), jnp.result_type(a, b))
    if winograd and (name == 'kernel_gradient' or not by_onednn):
        return 'winograd'
    if name == 'forward':
        return 'patches' if outputs <= TINY or (taps == 1 and not by_onednn) else 'plain'
    if name == 'input_gradient':
        tiny = outputs <= (TINY if by_onednn else SMALL) or (taps == 1 and not by_onednn)
        if tiny or channels <= FEW or (strided and dilated):
            return 'adds'
        return 'phases' if strided else 'turned'
    return 'exchanged' if taps > 1 and (len(a) <= FEW_IMAGES or features <= FEW_FEATURES) else 'patches'


def plain(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """XLA's own convolution."""
    return _plain(x, kernel, geometry.padding, geometry.strides, geometry.dilation)


def patches_by_kernel(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """One product of all that each output sees; of the input itself where the kernel has a single tap."""
    return patches(x, geometry) @ kernel.reshape(-1, kernel.shape[-1])


def _plain(
    x: Array,
    kernel: Array,
    padding: Sequence[tuple[int, int]],
    strides: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> Array:
    """The channels-last convolution in the form that stays fast in loops; negative padding is cropped beforehand."""
    rank = len(padding)
    x = padded(x, tuple((min(low, 0), min(high, 0)) for low, high in padding))
    return lax.conv_general_dilated(
        x,
        kernel,
        strides or (1,) * rank,
        [(max(low, 0), max(high, 0)) for low, high in padding],
        rhs_dilation=dilation,
        dimension_numbers=dimension_numbers(rank),
    )


def turned(geometry: Geometry, g: Array, kernel: Array) -> Array:
    """For strides of 1: the convolution of g with the kernel turned round."""
    # The barrier keeps XLA from a convolution that reads the kernel backwards, which falls to naive loops.
    return _plain(
        g, lax.optimization_barrier(turned_round(kernel)), geometry.turned.padding, dilation=geometry.dilation
    )


def overlapping_adds(geometry: Geometry, g: Array, kernel: Array) -> Array:
    """One product gives what each output sends through each tap; shifted copies of that are added up, one spatial axis
    after the other (the first one first), so that there are k additions an axis in place of k^rank."""
    rank = len(geometry.space)
    sent = g @ kernel.reshape(-1, kernel.shape[-1]).T
    sent = sent.reshape(*g.shape[:-1], *kernel.shape[:-1])
    for axis in range(rank):
        pieces = []
        for tap in range(geometry.size[axis]):
            piece = lax.index_in_dim(sent, tap, rank + 1, keepdims=False)
            edges = [(0, 0, 0)] * piece.ndim
            edges[1 + axis] = geometry.places((tap,) * rank)[axis]
            pieces.append(lax.pad(piece, jnp.zeros((), piece.dtype), edges))
        # Without the barrier the compiler would write all axes' additions into one loop again.
        sent = lax.optimization_barrier(reduce(jnp.add, pieces))
    return sent


def phases(geometry: Geometry, g: Array, kernel: Array) -> Array:
    """Input positions of equal remainder by the stride see the same taps: one plain convolution for each remainder.

    For p = s q + f the taps are t = f + s m and o = q - m, so dx[s q + f] = sum_m g[q - m] k[f + s m]^T. Every
    remainder is computed for the same range of q, then they are interleaved and cropped.
    """
    strides, rank = geometry.strides, len(geometry.space)
    first = [p[0] // s for p, s in zip(geometry.padding, strides, strict=True)]
    last = [-(-(p[0] + n) // s) for p, n, s in zip(geometry.padding, geometry.space, strides, strict=True)]
    counts = [b - a for a, b in zip(first, last, strict=True)]
    parts = []
    for remainder in itertools.product(*map(range, strides)):
        taps = kernel[tuple(slice(f, None, s) for f, s in zip(remainder, strides, strict=True))]
        if 0 in taps.shape:
            parts.append(jnp.zeros((g.shape[0], *counts, kernel.shape[-2]), g.dtype))
            continue
        taps = lax.optimization_barrier(turned_round(taps))
        edges = []
        for m, a, n, o in zip(taps.shape, first, counts, geometry.out, strict=False):
            low = m - 1 - a
            edges.append((low, n + m - 1 - o - low))
        parts.append(_plain(g, taps, edges))
    whole = jnp.stack(parts).reshape(*strides, *parts[0].shape)
    order = [rank]
    for axis in range(rank):
        order += [rank + 1 + axis, axis]
    whole = whole.transpose(*order, 2 * rank + 1)
    shape = [n * s for n, s in zip(counts, strides, strict=True)]
    starts = [p[0] - a * s for p, a, s in zip(geometry.padding, first, strides, strict=True)]
    index = tuple(slice(a, a + n) for a, n in zip(starts, geometry.space, strict=True))
    return whole.reshape(g.shape[0], *shape, kernel.shape[-2])[(slice(None), *index)]


def exchanged(geometry: Geometry, x: Array, g: Array) -> Array:
    """The gradient to the kernel as a plain convolution with the roles changed: channels are the examples, examples the
    channels, and g is the kernel, its values as far apart as the strides."""
    edges = []
    for n, k, o, s, (low, _), d in zip(
        geometry.space, geometry.size, geometry.out, geometry.strides, geometry.padding, geometry.dilation, strict=True
    ):
        edges.append((low, (k - 1) * d + (o - 1) * s + 1 - n - low))
    rank = len(edges)
    by_example = g.transpose(*range(1, rank + 1), 0, rank + 1)
    product = _plain(x.swapaxes(0, -1), by_example, edges, geometry.dilation, geometry.strides)
    return product.transpose(*range(1, rank + 1), 0, rank + 1)


def patches_by_cotangent(geometry: Geometry, x: Array, g: Array) -> Array:
    """The gradient to the kernel [*size, C, D]: patches^T g, a few images at a time, so that they stay in the cache."""
    channels, features, n = x.shape[-1], g.shape[-1], x.shape[0]

    def product(x: Array, g: Array) -> Array:
        rows = patches(x, geometry).reshape(-1, len(geometry.taps) * channels)
        return jnp.matmul(rows.T, g.reshape(-1, features), preferred_element_type=_wide(x.dtype))

    images = images_a_block(n, math.prod(geometry.out) * len(geometry.taps) * channels, BLOCK)
    if images == n:
        total = product(x, g)
    else:
        blocks = (x.reshape(-1, images, *x.shape[1:]), g.reshape(-1, images, *g.shape[1:]))
        zero = jnp.zeros((len(geometry.taps) * channels, features), _wide(x.dtype))
        total = lax.scan(lambda sum_, block: (sum_ + product(*block), None), zero, blocks)[0]
    return total.astype(jnp.result_type(x, g)).reshape(*geometry.size, channels, features)


def _wide(dtype: jnp.dtype) -> jnp.dtype:
    return jnp.promote_types(dtype, jnp.float32)
