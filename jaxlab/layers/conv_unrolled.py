"""Convolutions of images hardly larger than the kernel, as one matrix from all inputs to all outputs, channels-last.

On 2x2 cells a 3x3 kernel's taps mostly see padding, and the plain form falls to a slow path on a CPU (a layer of 512
channels: 50 times slower than the one product made here). Deep nets on small images are full of such layers.

Shapes as in `conv_cpu`; M [I * C, O * D] with I input and O output cells holds the tap that joins them, or zeros.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.layers.conv_geometry import Geometry

CELLS = 64  # input times output cells: the matrix is that many times a tap


def possible(geometry: Geometry) -> bool:
    """Whether the matrix is small."""
    return 0 < math.prod(geometry.space) * math.prod(geometry.out) <= CELLS


def suits(geometry: Geometry) -> bool:
    """Whether it also asks for no more products than the taps do."""
    return possible(geometry) and math.prod(geometry.space) <= math.prod(geometry.size)


def forward(geometry: Geometry, x: Array, kernel: Array) -> Float[Array, 'N *out D']:
    """The convolution."""
    y = x.reshape(len(x), -1) @ _matrix(geometry, kernel)
    return y.reshape(len(x), *geometry.out, kernel.shape[-1])


def input_gradient(geometry: Geometry, g: Array, kernel: Array) -> Float[Array, 'N *space C']:
    """The gradient to the input."""
    dx = g.reshape(len(g), -1) @ _matrix(geometry, kernel).T
    return dx.reshape(len(g), *geometry.space, kernel.shape[-2])


def kernel_gradient(geometry: Geometry, x: Array, g: Array) -> Float[Array, '*size C D']:
    """The gradient to the kernel: that to the matrix, gathered tap by tap."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    product = jnp.matmul(x.reshape(len(x), -1).T, g.reshape(len(g), -1), preferred_element_type=wide)
    joins = _joins(geometry)
    product = product.reshape(joins.shape[1], x.shape[-1], joins.shape[2], g.shape[-1])
    dk = jnp.einsum('tio,icod->tcd', joins.astype(wide), product)
    return dk.astype(jnp.result_type(x, g)).reshape(*geometry.size, *dk.shape[1:])


def _matrix(geometry: Geometry, kernel: Array) -> Float[Array, 'IC OD']:
    taps = kernel.reshape(-1, *kernel.shape[-2:])
    joins = _joins(geometry)
    matrix = jnp.einsum('tio,tcd->icod', joins.astype(kernel.dtype), taps)
    return matrix.reshape(joins.shape[1] * taps.shape[1], -1)


def _joins(geometry: Geometry) -> Float[np.ndarray, 'T I O']:
    """1 where a tap joins an input to an output cell."""
    inputs = list(itertools.product(*map(range, geometry.space)))
    joins = np.zeros((len(geometry.taps), len(inputs), math.prod(geometry.out)), np.float32)
    for t, tap in enumerate(geometry.taps):
        for o, cell in enumerate(itertools.product(*map(range, geometry.out))):
            seen = tuple(
                c * s + k * d - low
                for c, s, k, d, (low, _) in zip(
                    cell, geometry.strides, tap, geometry.dilation, geometry.padding, strict=True
                )
            )
            if seen in inputs:
                joins[t, inputs.index(seen), o] = 1
    return joins
