"""What a convolution looks like, and what its outputs see: shared by all ways of computing it."""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


class Geometry(NamedTuple):
    """What a convolution looks like; hashable, so that it can be a static argument. One entry a spatial dimension."""

    space: tuple[int, ...]  # of the input, without padding
    size: tuple[int, ...]  # of the kernel
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def out(self) -> tuple[int, ...]:
        """Spatial shape of the output."""
        return tuple(
            max(0, (n + sum(p) - (k - 1) * d - 1) // s + 1)
            for n, k, s, p, d in zip(self.space, self.size, self.strides, self.padding, self.dilation, strict=True)
        )

    @property
    def taps(self) -> list[tuple[int, ...]]:
        """Every position in the kernel, in the order of its memory."""
        return list(itertools.product(*map(range, self.size)))

    @property
    def turned(self) -> 'Geometry':
        """For strides of 1: the convolution of the output's gradient, with the kernel turned round, that gives the input's."""
        reach = [(k - 1) * d for k, d in zip(self.size, self.dilation, strict=True)]
        padding = tuple((r - low, r - high) for r, (low, high) in zip(reach, self.padding, strict=True))
        return self._replace(space=self.out, padding=padding)

    def places(self, tap: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """The `lax.pad` that puts each output's value where it sees the input through `tap`."""
        edges = []
        for t, n, o, s, (low, _), d in zip(
            tap, self.space, self.out, self.strides, self.padding, self.dilation, strict=True
        ):
            start = t * d - low
            edges.append((start, n - start - ((o - 1) * s + 1), s - 1))
        return edges


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Channels-last: input, kernel, output."""
    letters = 'DHW'[-rank:]
    return f'N{letters}C', f'{letters}IO', f'N{letters}C'


def turned_round(kernel: Array) -> Array:
    """The kernel [*size, C, D] read backwards along each spatial axis, from D to C channels: [*size, D, C]."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def padded(x: Array, padding: tuple[tuple[int, int], ...]) -> Array:
    """x [N, *space, C] with zeros around; negative padding crops."""
    if all(p == (0, 0) for p in padding):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((lo, hi, 0) for lo, hi in padding), (0, 0, 0)])


def windows(x: Array, geometry: Geometry) -> list[Array]:
    """For each tap what the outputs see through it: slices [N, *out, C] of x."""
    x = padded(x, geometry.padding)
    slices = []
    for tap in geometry.taps:
        start = [t * d for t, d in zip(tap, geometry.dilation, strict=True)]
        limit = [a + (o - 1) * s + 1 for a, o, s in zip(start, geometry.out, geometry.strides, strict=True)]
        slices.append(lax.slice(x, (0, *start, 0), (x.shape[0], *limit, x.shape[-1]), (1, *geometry.strides, 1)))
    return slices


def patches(x: Array, geometry: Geometry) -> Float[Array, 'N *out TC']:
    """All that each output sees, tap by tap."""
    slices = windows(x, geometry)
    return slices[0] if len(slices) == 1 else jnp.concatenate(slices, -1)


def images_a_block(n: int, elements: int, limit: int) -> int:
    """The largest divisor of n images (or batches) whose intermediates (`elements` each) fit into `limit`; at least one."""
    return max(i for i in range(1, n + 1) if n % i == 0 and (i == 1 or i * elements <= limit))
