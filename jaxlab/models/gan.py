"""The DCGAN of A08: a generator of 28x28 images from noise, a discriminator that returns a logit.

Keras defaults, which are part of the published result: Glorot uniform kernels, zero biases, LeakyReLU slope 0.3,
BatchNorm that keeps 0.99 of its running statistics and adds 1e-3 to the variance.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import BatchNorm, Conv, ConvTranspose, Dense, Dropout

SLOPE = 0.3


class Generator(nn.Module):
    """Noise [N, latent] -> images [N, 4s, 4s, channels] in [-1, 1]; 2,330,944 parameters at A08's size.

    The dense output is normalised feature by feature (12,544 of them) before it becomes a 7x7x256 image.
    """

    width: int = 64
    size: int = 7
    channels: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(
        self, noise: Float[Array, 'n latent'], train: bool = False, weight: Array | None = None
    ) -> Float[Array, 'n height width channels']:
        def normal(x: Array) -> Array:
            x = BatchNorm(momentum=0.99, epsilon=1e-3, dtype=self.dtype)(x, train, weight)
            return nn.leaky_relu(x, SLOPE)

        def up(features: int, strides: int) -> ConvTranspose:
            return ConvTranspose(
                features,
                (5, 5),
                (strides, strides),
                'SAME',
                use_bias=False,
                transpose_kernel=True,
                init_scheme='keras',
                dtype=self.dtype,
            )

        first = 4 * self.width
        x = Dense(self.size * self.size * first, use_bias=False, init_scheme='keras', dtype=self.dtype)(noise)
        x = normal(x).reshape(-1, self.size, self.size, first)
        x = normal(up(2 * self.width, 1)(x))
        x = normal(up(self.width, 2)(x))
        return jnp.tanh(up(self.channels, 2)(x))


class Discriminator(nn.Module):
    """Images [N, H, W, C] in [-1, 1] -> logits [N] (above 0: called real); 212,865 parameters at A08's size."""

    width: int = 64
    dropout: float = 0.3
    dtype: Any = None

    @nn.compact
    def __call__(
        self, images: Float[Array, 'n height width channels'], train: bool = False, weight: Array | None = None
    ) -> Float[Array, 'n']:
        x = images
        for features in (self.width, 2 * self.width):
            x = Conv(features, (5, 5), (2, 2), 'SAME', init_scheme='keras', dtype=self.dtype)(x)
            x = Dropout(self.dropout)(nn.leaky_relu(x, SLOPE), train)
        logits = Dense(1, init_scheme='keras', dtype=self.dtype)(x.reshape(x.shape[0], -1))
        return logits[:, 0].astype(jnp.float32)
