"""Convolutions, equal to Flax's in parameters and results."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxlab.layers import initializers
from jaxlab.layers.convolve import convolve, transposed

Sizes = int | Sequence[int]
Padding = str | int | Sequence[int | tuple[int, int]]


def _each(sizes: Sizes, space: int) -> tuple[int, ...]:
    return (sizes,) * space if isinstance(sizes, int) else tuple(sizes)


def transposed_padding(size: int, stride: int, padding: str) -> tuple[int, int]:
    """Edges that make the output `stride` times the input ('SAME') or all that the input reaches ('VALID')."""
    if padding == 'SAME':
        total = size + stride - 2
        low = size - 1 if stride > size - 1 else -(-total // 2)
    elif padding == 'VALID':
        total = size + stride - 2 + max(size - stride, 0)
        low = size - 1
    else:
        raise ValueError(f"padding: {padding!r} is not 'SAME', 'VALID' or pairs of integers")
    return low, total - low


class Conv(nn.Module):
    """A convolution over x [N, *space, C], kernel [*kernel_size, C / groups, D]: `flax.linen.Conv`, fast on a CPU too.

    An int as `kernel_size` means two spatial dimensions (or as many as x has). `init_scheme` ('torch', 'keras',
    'lecun') chooses how kernel and bias start; `kernel_init` and `bias_init` overrule it one by one.
    `layout` 'CHWN' takes and gives images batch-last, [C, *space, N] (the kernel stays the same): twice as fast on a
    CPU where channels are few; `swap_batch_and_channels` goes there and back.
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = 'SAME'
    kernel_dilation: Sizes = 1
    feature_group_count: int = 1
    use_bias: bool = True
    dtype: jax.typing.DTypeLike | None = None
    init_scheme: str = 'lecun'
    kernel_init: initializers.Initializer | None = None
    bias_init: initializers.Initializer | None = None
    layout: str = 'NHWC'

    @nn.compact
    def __call__(self, x: Float[Array, 'first *space last']) -> Float[Array, '_ *out _']:
        space = x.ndim - 2
        size = _each(self.kernel_size, space)
        inputs = x.shape[0 if self.layout == 'CHWN' else -1]
        shape = (*size, inputs // self.feature_group_count, self.features)
        kernel = self.param('kernel', self.kernel_init or initializers.kernel_init(self.init_scheme), shape)
        bias = None
        if self.use_bias:
            fan_in = math.prod(shape[:-1])
            bias = self.param('bias', self.bias_init or initializers.bias_init(self.init_scheme, fan_in), shape[-1:])
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        strides, dilation = _each(self.strides, space), _each(self.kernel_dilation, space)
        padding = nn.linear.canonicalize_padding(self.padding, space)
        if isinstance(padding, str):
            extent = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
            padding = jax.lax.padtype_to_pads(x.shape[1:-1], extent, strides, padding)
        edges = tuple((low, high) for low, high in padding)
        y = convolve(x, kernel, strides, edges, dilation, self.feature_group_count, self.layout)
        if bias is None:
            return y
        return y + (bias.reshape(-1, *(1,) * (space + 1)) if self.layout == 'CHWN' else bias)


class ConvTranspose(nn.Module):
    """A transposed convolution over x [N, *space, C]: `flax.linen.ConvTranspose`, fast on a CPU too.

    The kernel is [*kernel_size, C, D], or [*kernel_size, D, C] with `transpose_kernel` (then it is exactly the gradient
    of the convolution D -> C, as Keras and PyTorch define it: their kernels fit).
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = 'SAME'
    use_bias: bool = True
    transpose_kernel: bool = False
    dtype: jax.typing.DTypeLike | None = None
    init_scheme: str = 'lecun'
    kernel_init: initializers.Initializer | None = None
    bias_init: initializers.Initializer | None = None

    @nn.compact
    def __call__(self, x: Float[Array, 'N *space C']) -> Float[Array, 'N *out D']:
        space = x.ndim - 2
        size = _each(self.kernel_size, space)
        channels = (self.features, x.shape[-1]) if self.transpose_kernel else (x.shape[-1], self.features)
        kernel_init = self.kernel_init or initializers.kernel_init(self.init_scheme, not self.transpose_kernel)
        kernel = self.param('kernel', kernel_init, (*size, *channels))
        bias = None
        if self.use_bias:
            fan_in = math.prod(size) * self.features
            bias_init = self.bias_init or initializers.bias_init(self.init_scheme, fan_in)
            bias = self.param('bias', bias_init, (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        strides = _each(self.strides, space)
        padding = nn.linear.canonicalize_padding(self.padding, space)
        if isinstance(padding, str):
            padding = [transposed_padding(k, s, padding) for k, s in zip(size, strides, strict=True)]
        if not self.transpose_kernel:
            kernel = jax.numpy.flip(kernel, range(space)).swapaxes(-1, -2)
        y = transposed(x, kernel, strides, tuple((low, high) for low, high in padding))
        return y if bias is None else y + bias
