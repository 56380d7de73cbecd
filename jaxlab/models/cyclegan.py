"""The networks of CycleGAN (Zhu et al. 2017, arXiv 1703.10593) as B21 builds them in PyTorch.

Kernels start at N(0, 0.02^2), biases as PyTorch leaves them. Instance norm takes the biases before it out again, so they
count among the parameters (11,378,179 and 2,764,737 at full size) and have no effect.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import Conv, ConvTranspose, InstanceNorm, initializers, reflect_pad
from jaxlab.models.arrays import Images, Weight

SLOPE = 0.2  # of the discriminator's LeakyReLU
START = initializers.normal(0.02)


class ResidualBlock(nn.Module):
    """x + F(x), F two reflected 3x3 convolutions with instance norm, ReLU between them and none after the sum."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images) -> Images:
        y = x
        for layer in (1, 2):
            conv = Conv(
                x.shape[-1],
                3,
                padding='VALID',
                init_scheme='torch',
                kernel_init=START,
                dtype=self.dtype,
                name=f'conv_{layer}',
            )
            y = InstanceNorm()(conv(reflect_pad(y, 1)))
            y = nn.relu(y) if layer == 1 else y
        return x + y


class ResNetGenerator(nn.Module):
    """Images [N, H, W, C] in [-1, 1] of one domain -> as many, as large, of the other; H and W multiples of 4.

    A reflected 7x7 convolution, two of stride 2, `blocks` residual blocks on 4 * width channels, two transposed ones,
    a reflected 7x7 one and tanh. Nothing but convolutions: any size that 4 divides will do.
    """

    width: int = 64
    blocks: int = 9
    dtype: Any = None
    multiple: ClassVar[int] = 4  # what the sides of its images must be multiples of

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Images:
        common: dict[str, Any] = {'init_scheme': 'torch', 'kernel_init': START, 'dtype': self.dtype}

        def normal(x: Array) -> Array:
            return nn.relu(InstanceNorm()(x))

        x = normal(Conv(self.width, 7, padding='VALID', **common, name='first')(reflect_pad(images, 3)))
        for level in (1, 2):
            x = normal(Conv(2**level * self.width, 3, 2, padding=1, **common, name=f'down_{level}')(x))
        for number in range(1, self.blocks + 1):
            x = ResidualBlock(self.dtype, name=f'block_{number}')(x)
        for level in (1, 0):
            # PyTorch's stride 2, padding 1, output_padding 1: 'SAME' would lie one pixel further.
            edges = ((1, 2), (1, 2))
            up = ConvTranspose(
                2**level * self.width, 3, 2, edges, transpose_kernel=True, **common, name=f'up_{2 - level}'
            )
            x = normal(up(x))
        x = Conv(images.shape[-1], 7, padding='VALID', **common, name='last')(reflect_pad(x, 3))
        return jnp.tanh(x).astype(images.dtype)


class PatchDiscriminator(nn.Module):
    """Images [N, H, W, C] in [-1, 1] -> a map of scores [N, P, Q], each of one patch of the image.

    4x4 convolutions with padding 1: the first without norm, then each with twice the channels, last one to the score.
    strides: (2, 2, 2, 2) is B21's, which sees 94 pixels (15x15 scores at 256); (2, 2, 2, 1) is the usual PatchGAN of 70
    pixels (30x30). Both have the same parameters. Least squares take a score as it is; 1 is real, 0 made.
    """

    width: int = 64
    strides: tuple[int, ...] = (2, 2, 2, 2)
    dtype: Any = None

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Float[Array, 'n rows columns']:
        common: dict[str, Any] = {'padding': 1, 'init_scheme': 'torch', 'kernel_init': START, 'dtype': self.dtype}
        x = images
        for number, stride in enumerate(self.strides):
            x = Conv(2**number * self.width, 4, stride, **common, name=f'conv_{number + 1}')(x)
            x = nn.leaky_relu(InstanceNorm()(x) if number else x, SLOPE)
        return Conv(1, 4, **common, name='score')(x)[..., 0].astype(jnp.float32)


def patch_size(strides: Sequence[int], kernel: int = 4) -> int:
    """Pixels a side that one score of a `PatchDiscriminator` sees."""
    size = kernel
    for stride in reversed(strides):
        size = (size - 1) * stride + kernel
    return size
