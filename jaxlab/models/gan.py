"""The DCGANs of A08 and D2.2: a generator of images from noise, a discriminator that returns a logit.

Keras defaults, which are part of the published results: Glorot uniform kernels, zero biases, LeakyReLU slope 0.3 (A08),
BatchNorm that keeps 0.99 of its running statistics and adds 1e-3 to the variance.

A08, 28x28x1: the defaults; generator 2,330,944 parameters, 25,472 of them running statistics, discriminator 212,865.
D2.2, 64x64x3: a generator of size 8, 3 channels, kernel 4, strides (2, 2, 2), slope 0 (ReLU): 2,363,136 parameters, 33,152
of them statistics; a discriminator of depth 3, kernel 4, slope 0.2: 675,265.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import BatchNorm, Conv, ConvTranspose, Dense, Dropout
from jaxlab.models.arrays import Images, Weight


class Generator(nn.Module):
    """Noise [N, latent] -> images [N, size * s, size * s, channels] in [-1, 1], s the product of the three strides.

    The dense output is normalised feature by feature (12,544 of them in A08) before it becomes an image of 4 * width
    channels; three transposed convolutions give 2 * width, width, and the image. slope: of LeakyReLU below 0; 0 is ReLU.
    """

    width: int = 64
    size: int = 7
    channels: int = 1
    kernel_size: int = 5
    strides: tuple[int, ...] = (1, 2, 2)
    slope: float = 0.3
    dtype: Any = None

    @nn.compact
    def __call__(self, noise: Float[Array, 'n latent'], train: bool = False, weight: Weight = None) -> Images:
        def normal(x: Array) -> Array:
            x = BatchNorm(momentum=0.99, epsilon=1e-3, dtype=self.dtype)(x, train, weight)
            return nn.leaky_relu(x, self.slope)

        def up(features: int, stride: int) -> ConvTranspose:
            return ConvTranspose(
                features,
                self.kernel_size,
                stride,
                'SAME',
                use_bias=False,
                transpose_kernel=True,
                init_scheme='keras',
                dtype=self.dtype,
            )

        first = 4 * self.width
        x = Dense(self.size * self.size * first, use_bias=False, init_scheme='keras', dtype=self.dtype)(noise)
        x = normal(x).reshape(-1, self.size, self.size, first)
        first_stride, second_stride, last_stride = self.strides
        x = normal(up(2 * self.width, first_stride)(x))
        x = normal(up(self.width, second_stride)(x))
        return jnp.tanh(up(self.channels, last_stride)(x))


class Discriminator(nn.Module):
    """Images [N, H, W, C] in [-1, 1] -> logits [N] (above 0: called real).

    `depth` convolutions of stride 2, the first with `width` channels, each of the others with twice as many as before.
    """

    width: int = 64
    depth: int = 2
    kernel_size: int = 5
    slope: float = 0.3
    dropout: float = 0.3
    dtype: Any = None

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Float[Array, 'n']:
        x = images
        for layer in range(self.depth):
            x = Conv(2**layer * self.width, self.kernel_size, 2, init_scheme='keras', dtype=self.dtype)(x)
            x = Dropout(self.dropout)(nn.leaky_relu(x, self.slope), train)
        logits = Dense(1, init_scheme='keras', dtype=self.dtype)(x.reshape(x.shape[0], -1))
        return logits[:, 0].astype(jnp.float32)
