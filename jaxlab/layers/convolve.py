"""The convolution as a function: one of three bilinear maps that are each other's derivatives.

`forward(x, k)`, `input_gradient(g, k)` and `kernel_gradient(x, g)` are linear in either argument, and the gradient of
each is made of the other two; so any order of reverse-mode differentiation stays inside these three. The transposed
convolution is `input_gradient` itself. On GPU and TPU they are XLA's own convolutions, on a CPU those of `conv_cpu`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxlab.layers import conv_batch_last as batch_last
from jaxlab.layers import conv_cpu, conv_grouped
from jaxlab.layers.conv_geometry import Geometry, dimension_numbers

UNROLLED = 8  # replicas side by side under `vmap` on a CPU; above, one after the other


def _stock(geometry: Geometry, x: Array, kernel: Array, groups: int = 1) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=dimension_numbers(len(geometry.space)),
        feature_group_count=groups,
    )


def _stock_input_gradient(geometry: Geometry, g: Array, kernel: Array, groups: int = 1) -> Array:
    x = jax.ShapeDtypeStruct((g.shape[0], *geometry.space, groups * kernel.shape[-2]), g.dtype)
    return jax.linear_transpose(lambda x: _stock(geometry, x, kernel, groups), x)(g)[0]


def _stock_kernel_gradient(geometry: Geometry, x: Array, g: Array, groups: int = 1) -> Array:
    kernel = jax.ShapeDtypeStruct((*geometry.size, x.shape[-1] // groups, g.shape[-1]), g.dtype)
    return jax.linear_transpose(lambda k: _stock(geometry, x, k, groups), kernel)(g)[0]


def _unrolled(function: Callable, merge_first: bool) -> Callable:
    """`function(a, b)` whose `vmap` never makes a grouped convolution, which is slow on a CPU.

    Where only `a` carries the mapped axis it joins the batch axis (`merge_first`); otherwise the members are
    computed one by one, side by side where they are few.
    """
    mapped = jax.custom_batching.custom_vmap(function)

    @mapped.def_vmap
    def rule(axis_size: int, in_batched: list[bool], a: Array, b: Array) -> tuple[Array, bool]:
        if merge_first and not in_batched[1]:
            y = mapped(a.reshape(-1, *a.shape[2:]), b)
            return y.reshape(axis_size, -1, *y.shape[1:]), True
        if axis_size > UNROLLED:
            a, b = (v if is_ else jnp.broadcast_to(v, (axis_size, *v.shape)) for v, is_ in zip((a, b), in_batched))
            return lax.map(lambda pair: mapped(*pair), (a, b)), True
        members = [mapped(*(v[i] if is_ else v for v, is_ in zip((a, b), in_batched))) for i in range(axis_size)]
        return jnp.stack(members), True

    return mapped


class Maps(NamedTuple):
    """The three maps of one layout; each is called as (geometry, argument, argument); in groups as ((geometry, groups), ...)."""

    forward: Callable[[Any, Array, Array], Array]
    input_gradient: Callable[[Any, Array, Array], Array]
    kernel_gradient: Callable[[Any, Array, Array], Array]


def _by_platform(cpu: Callable, stock: Callable, merge_first: bool) -> Callable:
    """A map with its gradient still to be given; `vmap` on a CPU never makes a grouped convolution of it."""

    def function(geometry: Any, a: Array, b: Array) -> Array:
        on_cpu = _unrolled(partial(cpu, geometry), merge_first)
        return lax.platform_dependent(a, b, cpu=on_cpu, default=partial(stock, geometry))

    return jax.custom_vjp(function, nondiff_argnums=(0,))


def _closed(forward: Any, input_gradient: Any, kernel_gradient: Any) -> Maps:
    """Gives each of the maps its gradient, made of the other two."""

    def keep(function: Callable) -> Callable:
        return lambda geometry, a, b: (function(geometry, a, b), (a, b))

    forward.defvjp(
        keep(forward),
        lambda geometry, xk, g: (input_gradient(geometry, g, xk[1]), kernel_gradient(geometry, xk[0], g)),
    )
    input_gradient.defvjp(
        keep(input_gradient),
        lambda geometry, gk, t: (forward(geometry, t, gk[1]), kernel_gradient(geometry, t, gk[0])),
    )
    kernel_gradient.defvjp(
        keep(kernel_gradient),
        lambda geometry, xg, t: (input_gradient(geometry, xg[1], t), forward(geometry, xg[0], t)),
    )
    return Maps(forward, input_gradient, kernel_gradient)


def _swapped(x: Array) -> Array:
    return x.swapaxes(0, -1)


LAYOUTS = {
    'NHWC': _closed(
        _by_platform(conv_cpu.forward, _stock, True),
        _by_platform(conv_cpu.input_gradient, _stock_input_gradient, True),
        _by_platform(conv_cpu.kernel_gradient, _stock_kernel_gradient, False),
    ),
    'CHWN': _closed(
        _by_platform(batch_last.forward, lambda geo, x, k: _swapped(_stock(geo, _swapped(x), k)), False),
        _by_platform(
            batch_last.input_gradient, lambda geo, g, k: _swapped(_stock_input_gradient(geo, _swapped(g), k)), False
        ),
        _by_platform(
            batch_last.kernel_gradient, lambda geo, x, g: _stock_kernel_gradient(geo, _swapped(x), _swapped(g)), False
        ),
    ),
}
forward, input_gradient, kernel_gradient = LAYOUTS['NHWC']


def _in_groups(cpu: Callable, stock: Callable, merge_first: bool) -> Callable:
    """A map of (geometry, groups)."""
    return _by_platform(
        lambda what, a, b: cpu(what[0], what[1], a, b), lambda what, a, b: stock(what[0], a, b, what[1]), merge_first
    )


GROUPED = _closed(
    _in_groups(conv_grouped.forward, _stock, True),
    _in_groups(conv_grouped.input_gradient, _stock_input_gradient, True),
    _in_groups(conv_grouped.kernel_gradient, _stock_kernel_gradient, False),
)


def convolve(
    x: Float[Array, 'first *space last'],
    kernel: Float[Array, '*size c D'],
    strides: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int = 1,
    layout: str = 'NHWC',
) -> Float[Array, '_ *out _']:
    """The convolution in any number of groups.

    `layout` 'CHWN' takes and gives images batch-last, see `conv_batch_last`.
    """
    geometry = Geometry(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    if groups > 1 and layout != 'NHWC':
        return _swapped(convolve(_swapped(x), kernel, strides, padding, dilation, groups))
    if groups > 1:
        return GROUPED.forward((geometry, groups), x, kernel)
    return LAYOUTS[layout].forward(geometry, x, kernel)


def transposed(
    x: Float[Array, 'N *space C'],
    kernel: Float[Array, '*size D C'],
    strides: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
) -> Float[Array, 'N *out D']:
    """The transposed convolution: x sends its values through the kernel, `strides` apart, and the sums are cropped.

    `padding` is that of `jax.lax.conv_transpose`: of the input after `strides - 1` zeros are put between its values.
    """
    size, inputs = kernel.shape[:-2], x.shape[1:-1]
    edges = tuple((k - 1 - lo, k - 1 - hi) for k, (lo, hi) in zip(size, padding, strict=True))
    space = tuple((n - 1) * s + k - lo - hi for n, s, k, (lo, hi) in zip(inputs, strides, size, edges, strict=True))
    return input_gradient(Geometry(space, size, strides, edges, (1,) * len(size)), x, kernel)
