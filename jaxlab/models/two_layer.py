"""The network of E1: a sigmoid hidden layer under a softmax, with the parameters that its hand-written gradients name."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.models.arrays import Images, Logits, Weight

STARTS = ('tiny', 'fan_in')


class TwoLayer(nn.Module):
    """Images [N, H, W, C] -> logits [N, classes]; pixels are flattened channel by channel, as in the source.

    `start`: 'tiny' (weights 1e-5 N(0, 1), as published: hidden units begin as near copies of each other) or 'fan_in'
    (N(0, 1) / sqrt(fan_in)). Biases are zero. 308,310 parameters for CIFAR-10 and 100 hidden units.
    """

    hidden: int = 100
    classes: int = 10
    start: str = 'tiny'
    dtype: Any = None

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Logits:
        x = flat(images)
        w1 = self.param('w1', self._normal, (x.shape[1], self.hidden))
        b1 = self.param('b1', nn.initializers.zeros, (self.hidden,))
        w2 = self.param('w2', self._normal, (self.hidden, self.classes))
        b2 = self.param('b2', nn.initializers.zeros, (self.classes,))
        x, w1, b1, w2, b2 = nn.dtypes.promote_dtype(x, w1, b1, w2, b2, dtype=self.dtype)
        logits = nn.sigmoid(x @ w1 + b1) @ w2 + b2
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def _normal(self, key: jax.Array, shape: tuple[int, int]) -> jax.Array:
        scale = 1e-5 if self.start == 'tiny' else shape[0] ** -0.5
        return scale * jax.random.normal(key, shape, jnp.float32)


def flat(images: Images) -> Float[Array, 'n pixels']:
    """[N, H, W, C] -> [N, C * H * W], the order of the source's weights."""
    return images.transpose(0, 3, 1, 2).reshape(images.shape[0], -1)
