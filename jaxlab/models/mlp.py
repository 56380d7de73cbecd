"""The multilayer perceptron: the one network that every other is compared with."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError, closest
from jaxlab.layers import BatchNorm, Dense, Dropout, initializers
from jaxlab.layers.activations import activation
from jaxlab.models.arrays import Logits, Weight

STARTS = ('torch', 'keras', 'lecun', 'xavier', 'sklearn')


class MLP(nn.Module):
    """Flatten, then per hidden layer Dense, BatchNorm (if asked), activation, Dropout; last a Dense to the logits.

    BatchNorm keeps its statistics as PyTorch does (0.9 of the old value, unbiased variance).
    init_scheme: as in `jaxlab.layers.initializers` ('xavier' is B01's), or 'sklearn' (A04: kernels AND biases
    Glorot-uniform, U(+-sqrt(6 / (fan_in + fan_out)))).
    """

    features: tuple[int, ...]
    classes: int
    activation: str = 'relu'
    init_scheme: str = 'torch'
    dropout: float = 0.0
    batch_norm: bool = False
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(self, x: Float[Array, 'N ...'], train: bool, weight: Weight = None) -> Logits:
        activate = activation(self.activation).function
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.features):
            x = self._dense(width, x.shape[-1], f'Dense_{i}')(x)
            if self.batch_norm:
                x = BatchNorm(momentum=0.9, unbiased_variance=True, dtype=self.dtype)(x, train, weight)
            x = activate(x)
            self.sow('intermediates', f'Dense_{i}_active', x)
            x = Dropout(self.dropout)(x, train)
        logits = self._dense(self.classes, x.shape[-1], f'Dense_{len(self.features)}')(x)
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def _dense(self, features: int, inputs: int, name: str) -> Dense:
        if self.init_scheme not in STARTS:
            raise UserError(f'unknown model.init_scheme {self.init_scheme!r}; {closest(self.init_scheme, STARTS)}')
        if self.init_scheme != 'sklearn':
            return Dense(features, dtype=self.dtype, init_scheme=self.init_scheme, name=name)
        kernel, bias = initializers.glorot_uniform(), uniform(glorot_bound(inputs, features))
        return Dense(features, dtype=self.dtype, kernel_init=kernel, bias_init=bias, name=name)


def glorot_bound(fan_in: int, fan_out: int) -> float:
    """`sqrt(6 / (fan_in + fan_out))`."""
    return (6 / (fan_in + fan_out)) ** 0.5


def uniform(bound: float) -> initializers.Initializer:
    """U(+-bound)."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -bound, bound)
