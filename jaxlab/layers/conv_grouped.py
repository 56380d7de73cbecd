"""Convolutions in several groups on a CPU, channels-last: three bilinear maps, as `conv_cpu` has them for one group.

A depthwise convolution (one input channel a group) is bound by memory, not by arithmetic. Without oneDNN it is a sum over
taps; other groups are computed one by one. Shapes: kernel [*size, C / groups, D].
"""

from collections.abc import Callable
from functools import partial, reduce

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxlab.layers import conv_cpu, onednn
from jaxlab.layers.conv_geometry import Geometry, dimension_numbers, padded, windows


def forward(geometry: Geometry, groups: int, x: Array, kernel: Array) -> Array:
    """The convolution [N, *out, D]."""
    return _computed('forward', geometry, groups, x, kernel)


def input_gradient(geometry: Geometry, groups: int, g: Array, kernel: Array) -> Array:
    """The gradient to the input [N, *space, C]."""
    return _computed('input_gradient', geometry, groups, g, kernel)


def kernel_gradient(geometry: Geometry, groups: int, x: Array, g: Array) -> Array:
    """The gradient to the kernel [*size, C / groups, D]."""
    return _computed('kernel_gradient', geometry, groups, x, g)


def _computed(name: str, geometry: Geometry, groups: int, a: Array, b: Array) -> Array:
    depthwise = (a.shape[-1] == groups) if name == 'kernel_gradient' else b.shape[-2] == 1
    form = choice(geometry, groups, name, depthwise, onednn.used.value)
    return forms(geometry, groups, name, depthwise)[form](a, b)


def forms(geometry: Geometry, groups: int, name: str, depthwise: bool) -> dict[str, Callable[[Array, Array], Array]]:
    """Every form of the named map that is possible, by its name. depthwise: one input channel a group."""
    found: dict[str, Callable]
    if name == 'forward':
        found = {'plain': plain}
    elif name == 'input_gradient':
        found = {'turned': turned}
    else:
        found = {}
    if depthwise:
        found['taps'] = {'forward': taps, 'input_gradient': taps_input, 'kernel_gradient': taps_kernel}[name]
    else:
        found['split'] = partial(split, name)
    return {form: partial(function, geometry, groups) for form, function in found.items()}


def choice(geometry: Geometry, groups: int, name: str, depthwise: bool, by_onednn: bool) -> str:
    """The name of the form that is taken: the fastest one by the table of `benchmarks.convolutions`."""
    del geometry, groups
    if by_onednn and name != 'kernel_gradient':
        return 'plain' if name == 'forward' else 'turned'
    return 'taps' if depthwise else 'split'


def plain(geometry: Geometry, groups: int, x: Array, kernel: Array) -> Array:
    """XLA's own convolution in groups."""
    edges = tuple((max(low, 0), max(high, 0)) for low, high in geometry.padding)
    x = padded(x, tuple((min(low, 0), min(high, 0)) for low, high in geometry.padding))
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        edges,
        rhs_dilation=geometry.dilation,
        dimension_numbers=dimension_numbers(len(geometry.space)),
        feature_group_count=groups,
    )


def turned(geometry: Geometry, groups: int, g: Array, kernel: Array) -> Array:
    """The convolution of g, zeros between its values where there are strides, with the kernel turned round."""
    rank = len(geometry.space)
    size, features = kernel.shape[:-2], kernel.shape[-1] // groups
    kernel = jnp.flip(kernel, range(rank)).reshape(*size, -1, groups, features)
    kernel = kernel.swapaxes(-1, -3).reshape(*size, features, -1)
    apart = [(0, 0, s - 1) for s in geometry.strides]
    spread = lax.pad(g, jnp.zeros((), g.dtype), [(0, 0, 0), *apart, (0, 0, 0)])
    edges = []
    for n, m, k, (low, _), d in zip(
        geometry.space, spread.shape[1:], geometry.size, geometry.padding, geometry.dilation, strict=False
    ):
        before = (k - 1) * d - low
        edges.append((before, n + (k - 1) * d - m - before))
    whole = Geometry(spread.shape[1:-1], geometry.size, (1,) * rank, tuple(edges), geometry.dilation)
    # The barrier keeps XLA from a convolution that reads the kernel backwards, which falls to naive loops.
    return plain(whole, groups, spread, lax.optimization_barrier(kernel))


def taps(geometry: Geometry, groups: int, x: Array, kernel: Array) -> Array:
    """Depthwise: what each output sees through a tap, times the tap, added up."""
    values = kernel.reshape(len(geometry.taps), groups, -1)
    total = reduce(jnp.add, [w[..., None] * tap for w, tap in zip(windows(x, geometry), values, strict=True)])
    return total.reshape(*total.shape[:-2], -1)


def taps_input(geometry: Geometry, groups: int, g: Array, kernel: Array) -> Array:
    """Depthwise: what each output sends through a tap, put in its place and added up."""
    values = kernel.reshape(len(geometry.taps), groups, -1)
    g = g.reshape(*g.shape[:-1], groups, -1)
    pieces = []
    for place, tap in zip(geometry.taps, values, strict=True):
        edges = [(0, 0, 0), *geometry.places(place), (0, 0, 0)]
        pieces.append(lax.pad((g * tap).sum(-1), jnp.zeros((), g.dtype), edges))
    return reduce(jnp.add, pieces)


def taps_kernel(geometry: Geometry, groups: int, x: Array, g: Array) -> Array:
    """Depthwise: tap by tap what its outputs saw, times their cotangent, summed over examples and places."""
    wide = jnp.promote_types(g.dtype, jnp.float32)
    g = g.reshape(*g.shape[:-1], groups, -1)

    def added(total: Array, image: tuple[Array, Array]) -> tuple[Array, None]:
        seen = windows(image[0][None], geometry)
        sums = [(window[0, ..., None] * image[1]).sum(range(g.ndim - 3), dtype=wide) for window in seen]
        return total + jnp.stack(sums), None

    # Image by image, so that the products stay in the cache.
    total, _ = lax.scan(added, jnp.zeros((len(geometry.taps), *g.shape[-2:]), wide), (x, g))
    return total.astype(jnp.result_type(x, g)).reshape(*geometry.size, 1, -1)


def split(name: str, geometry: Geometry, groups: int, a: Array, b: Array) -> Array:
    """Group by group."""
    function = getattr(conv_cpu, name)
    # The last axis of both operands is one of channels in groups, but for the kernel's own (C / groups).
    parts = zip(jnp.split(a, groups, -1), jnp.split(b, groups, -1), strict=True)
    return jnp.concatenate([function(geometry, *pair) for pair in parts], -1)
