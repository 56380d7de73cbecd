"""3x3 convolutions of stride 1 with 16 products in place of 36 for each 2x2 tile of the output, channels-last.

Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2016, arXiv 1509.09308). A tile y [2, 2] sees a tile
x [4, 4] of the padded input, and is y = A [(G k G^T) * (B x B^T)] A^T with `*` elementwise over the 16 positions: 16
matrix products over channels. The transforms add and halve only, so the result is as exact as the plain sum's.
The kernel's gradient is the transposed map: G^T [sum over tiles of (B x B^T)^T (A^T g A)] G.

Shapes as in `conv_cpu`: x [N, H, W, C], kernel [3, 3, C, D], g [N, *out, D].
"""

import math
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.layers.conv_geometry import Geometry, padded, turned_round

B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)
CHANNELS, TILES = 32, 512  # with fewer of them the transforms cost more than the products they save
WORK = (
    5e8  # multiply-adds of the plain sum below which no run gains back what this form costs to compile (a second a map)
)

Grid = list[list[Array]]  # 4 by 4 arrays, one for each position in a transformed tile


def possible(geometry: Geometry) -> bool:
    """Whether this is a 3x3 convolution of stride 1."""
    return (geometry.size, geometry.strides, geometry.dilation) == ((3, 3), (1, 1), (1, 1))


def suits(geometry: Geometry, images: int, kernel: tuple[int, ...], dtype: jnp.dtype) -> bool:
    """Whether this form is possible and the faster one, for N images and a kernel of that shape."""
    if not possible(geometry):
        return False
    many = min(kernel[-2:]) >= CHANNELS and images * math.prod(_tiles(geometry)) >= TILES
    many &= images * math.prod(geometry.out) * 9 * math.prod(kernel[-2:]) >= WORK
    return many and jnp.finfo(dtype).bits >= 32


def forward(geometry: Geometry, x: Array, kernel: Array) -> Float[Array, 'N H W D']:
    """The convolution."""
    transformed = jnp.einsum('ai,bj,ijcd->abcd', G, G, kernel).astype(x.dtype)
    tiles = _input_tiles(_tileable(geometry, x))
    products = [
        [tile @ kernel for tile, kernel in zip(*rows, strict=True)] for rows in zip(tiles, transformed, strict=True)
    ]
    columns = [_combined(A, list(column)) for column in zip(*products, strict=True)]
    cells = [_combined(A, list(row)) for row in zip(*columns, strict=True)]  # 2 by 2
    tall, wide = _tiles(geometry)
    rows = [jnp.stack([cell.reshape(len(x), tall, wide, -1) for cell in row], 3) for row in cells]
    y = jnp.stack(rows, 2).reshape(len(x), 2 * tall, 2 * wide, -1)  # from [N, tall, 2, wide, 2, D]
    return y[:, : geometry.out[0], : geometry.out[1]]


def input_gradient(geometry: Geometry, g: Array, kernel: Array) -> Float[Array, 'N H W C']:
    """The gradient to the input: the convolution of g with the kernel turned round."""
    return forward(geometry.turned, g, turned_round(kernel))


def kernel_gradient(geometry: Geometry, x: Array, g: Array) -> Float[Array, '3 3 C D']:
    """The gradient to the kernel."""
    g = padded(g, tuple((0, n % 2) for n in geometry.out))
    pairs = zip(_input_tiles(_tileable(geometry, x)), _output_tiles(g), strict=True)
    products = jnp.stack([jnp.stack([a.T @ b for a, b in zip(*rows, strict=True)]) for rows in pairs])
    return jnp.einsum('ai,bj,abcd->ijcd', G, G, products).astype(products.dtype)


def _tiles(geometry: Geometry) -> tuple[int, ...]:
    """How many tiles cover an image of the output, along its height and its width."""
    return tuple(-(-n // 2) for n in geometry.out)


def _tileable(geometry: Geometry, x: Array) -> Array:
    """x padded, and by one more where the output's size is odd."""
    odd = [n % 2 for n in geometry.out]
    return padded(x, tuple((low, high + o) for (low, high), o in zip(geometry.padding, odd, strict=True)))


def _input_tiles(x: Array) -> Grid:
    """B x B^T of all tiles: [N * tiles, C] each."""
    rows = _combined(B, [x[:, i : i + x.shape[1] - 2 : 2] for i in range(4)])
    return [_flat(_combined(B, [row[:, :, j : j + x.shape[2] - 2 : 2] for j in range(4)])) for row in rows]


def _output_tiles(g: Array) -> Grid:
    """A^T g A of all tiles: [N * tiles, D] each."""
    rows = _combined(A.T, [g[:, i::2] for i in range(2)])
    return [_flat(_combined(A.T, [row[:, :, j::2] for j in range(2)])) for row in rows]


def _flat(arrays: list[Array]) -> list[Array]:
    return [a.reshape(-1, a.shape[-1]) for a in arrays]


def _combined(matrix: np.ndarray, arrays: list[Array]) -> list[Array]:
    """matrix @ arrays, written out: entries are 0, 1 and -1."""
    return [reduce(jnp.add, [a if m > 0 else -a for m, a in zip(row, arrays, strict=True) if m]) for row in matrix]
