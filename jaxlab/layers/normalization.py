"""Batch normalisation over the true examples of a batch, on however many devices it lies."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import initializers
from jaxlab.layers.batch_axis import sum_over_batch_axis


def batch_statistics(x: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    """Mean [C], variance [C] (divided by n) and n of x [N, ..., C] over examples of weight 1, over all devices."""
    axes = tuple(range(x.ndim - 1))
    weights = jnp.ones(x.shape[:1], x.dtype) if weight is None else weight.astype(x.dtype)
    weights = weights.reshape(-1, *(1,) * (x.ndim - 1))
    positions = x[0, ..., 0].size
    count = sum_over_batch_axis(weights.sum()) * positions
    safe = jnp.maximum(count, 1)
    mean = sum_over_batch_axis((x * weights).sum(axes)) / safe
    # Two passes: the mean of squares less the squared mean loses every digit where the mean is large.
    variance = sum_over_batch_axis((jnp.square(x - mean) * weights).sum(axes)) / safe
    return mean, variance, count


class BatchNorm(nn.Module):
    """Ioffe and Szegedy 2015, with collections and names as in `flax.linen.BatchNorm`.

    `weight` [N] in {0, 1} marks the true examples; padding enters no statistic, and statistics are those of the whole
    batch under `pmap` too. `unbiased_variance` stores n / (n - 1) times the variance, as PyTorch does (the batch itself
    is normalised by the plain one in both). `momentum` is the share of the old value: 0.9 is PyTorch's 0.1.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    unbiased_variance: bool = False
    use_scale: bool = True
    use_bias: bool = True
    dtype: jax.typing.DTypeLike | None = None
    axis: int = -1
    scale_init: initializers.Initializer = initializers.ones
    bias_init: initializers.Initializer = initializers.zeros

    @nn.compact
    def __call__(
        self, x: Float[Array, 'N ...'], train: bool, weight: Float[Array, 'N'] | None = None
    ) -> Float[Array, 'N ...']:
        x = jnp.moveaxis(x, self.axis, -1)
        features = (x.shape[-1],)
        mean = self.variable('batch_stats', 'mean', jnp.zeros, features, jnp.float32)
        var = self.variable('batch_stats', 'var', jnp.ones, features, jnp.float32)
        scale = self.param('scale', self.scale_init, features) if self.use_scale else jnp.ones(features)
        bias = self.param('bias', self.bias_init, features) if self.use_bias else jnp.zeros(features)
        if train:
            m, v, count = batch_statistics(x.astype(jnp.promote_types(x.dtype, jnp.float32)), weight)
            if not self.is_initializing():
                stored = v * (count / jnp.maximum(count - 1, 1)) if self.unbiased_variance else v
                mean.value = self.momentum * mean.value + (1 - self.momentum) * m
                var.value = self.momentum * var.value + (1 - self.momentum) * stored
        else:
            m, v = mean.value, var.value
        factor = jax.lax.rsqrt(v + self.epsilon) * scale
        y = (x - m) * factor + bias
        y = y.astype(self.dtype or jnp.result_type(x.dtype, scale.dtype))
        return jnp.moveaxis(y, -1, self.axis)
