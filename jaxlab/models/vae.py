"""Autoencoders whose code is a Gaussian: an encoder to its mean and log-variance, a decoder to logits of the pixels.

Pixels are `sigmoid(logits)`, in [0, 1]. Drawing a code, losses and their weights are the task's (`jaxlab/tasks/vae`).
Called as a function a module decodes the mean: what a plain autoencoder does.
"""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import Conv, ConvTranspose, Dense
from jaxlab.models.arrays import Images, Weight


class MLPVAE(nn.Module):
    """B22's: dense layers of `hidden` with ReLU down to the code, the same ones up again; PyTorch's starts.

    790,388 parameters with 28x28 images and 2 latent numbers: 314,000 + 80,200 + 402 + 402 + 600 + 80,400 + 314,384.
    """

    latent: int = 2
    hidden: tuple[int, ...] = (400, 200)
    image_shape: tuple[int, ...] = (28, 28, 1)
    dtype: Any = None

    def setup(self) -> None:
        common: dict[str, Any] = {'init_scheme': 'torch', 'dtype': self.dtype}
        self.down = [Dense(width, **common) for width in self.hidden]
        self.mean, self.log_variance = Dense(self.latent, **common), Dense(self.latent, **common)
        self.up = [Dense(width, **common) for width in reversed(self.hidden)]
        self.pixels = Dense(math.prod(self.image_shape), **common)

    def encode(self, images: Images) -> tuple[Float[Array, 'n d'], Float[Array, 'n d']]:
        """Mean and log-variance of the code, float32."""
        x = images.reshape(images.shape[0], -1)
        for layer in self.down:
            x = nn.relu(layer(x))
        return self.mean(x).astype(jnp.float32), self.log_variance(x).astype(jnp.float32)

    def decode(self, codes: Float[Array, 'n d']) -> Images:
        """Logits of the pixels, float32."""
        x = codes
        for layer in self.up:
            x = nn.relu(layer(x))
        return self.pixels(x).reshape(-1, *self.image_shape).astype(jnp.float32)

    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Images:
        return self.decode(self.encode(images)[0])


class ConvVAE(nn.Module):
    """D2.1's: 3x3 convolutions of stride 2 with ReLU, the same ones transposed; Keras's starts.

    3,488,131 parameters with 64x64x3 images and 128 latent numbers: encoder 896 + 18,496 + 73,856 + 2 * 1,048,704,
    decoder 1,056,768 + 147,584 + 73,792 + 18,464 + 867. Each of `filters` halves the image, so its sides are multiples
    of 2 ** len(filters).
    """

    latent: int = 128
    filters: tuple[int, ...] = (32, 64, 128)
    image_shape: tuple[int, ...] = (64, 64, 3)
    dtype: Any = None

    def setup(self) -> None:
        common: dict[str, Any] = {'init_scheme': 'keras', 'dtype': self.dtype}
        self.down = [Conv(width, 3, 2, **common) for width in self.filters]
        self.mean, self.log_variance = Dense(self.latent, **common), Dense(self.latent, **common)
        self.expand = Dense(math.prod(self.smallest), **common)
        self.up = [ConvTranspose(width, 3, 2, transpose_kernel=True, **common) for width in reversed(self.filters)]
        self.pixels = ConvTranspose(self.image_shape[-1], 3, transpose_kernel=True, **common)

    @property
    def smallest(self) -> tuple[int, int, int]:
        """(H, W, C) of the smallest map."""
        height, width = (side // 2 ** len(self.filters) for side in self.image_shape[:2])
        return height, width, self.filters[-1]

    def encode(self, images: Images) -> tuple[Float[Array, 'n d'], Float[Array, 'n d']]:
        """Mean and log-variance of the code, float32."""
        x = images
        for layer in self.down:
            x = nn.relu(layer(x))
        x = x.reshape(x.shape[0], -1)
        return self.mean(x).astype(jnp.float32), self.log_variance(x).astype(jnp.float32)

    def decode(self, codes: Float[Array, 'n d']) -> Images:
        """Logits of the pixels, float32."""
        x = nn.relu(self.expand(codes)).reshape(-1, *self.smallest)
        for layer in self.up:
            x = nn.relu(layer(x))
        return self.pixels(x).astype(jnp.float32)

    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Images:
        return self.decode(self.encode(images)[0])
