"""The fully connected GAN of B20 on 28x28 images: no normalisation, no dropout, PyTorch's starts.

Parameters at B20's size: generator 12,928 + 33,024 + 131,584 + 402,192 = 579,728; discriminator 401,920 + 131,328 +
32,896 + 129 = 566,273. The source ends its discriminator with a sigmoid; here it gives the logit of it.
"""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import Dense
from jaxlab.models.arrays import Images, Weight

SLOPE = 0.2


class Generator(nn.Module):
    """Noise [N, latent] -> images [N, *image_shape] in [-1, 1], through dense layers of `features` with ReLU."""

    features: tuple[int, ...] = (128, 256, 512)
    image_shape: tuple[int, ...] = (28, 28, 1)
    dtype: Any = None

    @nn.compact
    def __call__(self, noise: Float[Array, 'n latent'], train: bool = False, weight: Weight = None) -> Images:
        x = noise
        for width in self.features:
            x = nn.relu(Dense(width, init_scheme='torch', dtype=self.dtype)(x))
        x = Dense(math.prod(self.image_shape), init_scheme='torch', dtype=self.dtype)(x)
        return jnp.tanh(x).reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
    """Images [N, H, W, C] in [-1, 1] -> logits [N] (above 0: called real), through dense layers with LeakyReLU 0.2."""

    features: tuple[int, ...] = (512, 256, 128)
    dtype: Any = None

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Float[Array, 'n']:
        x = images.reshape(images.shape[0], -1)
        for width in self.features:
            x = nn.leaky_relu(Dense(width, init_scheme='torch', dtype=self.dtype)(x), SLOPE)
        return Dense(1, init_scheme='torch', dtype=self.dtype)(x)[:, 0].astype(jnp.float32)
