"""Batch normalisation over the true examples of a batch, on however many devices it lies."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxlab.layers import initializers
from jaxlab.layers.batch_axis import sum_over_batch_axis


def batch_statistics(x: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    """Mean [C], variance [C] (divided by n) and n of x [N, ..., C] over examples of weight 1, over all devices."""
    axes = tuple(range(x.ndim - 1))
    examples = x.shape[0] if weight is None else weight.sum()
    count = sum_over_batch_axis(jnp.asarray(examples, x.dtype)) * math.prod(x.shape[1:-1])
    safe = jnp.maximum(count, 1)
    mean = sum_over_batch_axis(_weighted(x, weight).sum(axes)) / safe
    # Two passes: the mean of squares less the squared mean loses every digit where the mean is large.
    variance = sum_over_batch_axis(_weighted(jnp.square(x - mean), weight).sum(axes)) / safe
    return mean, variance, count


def _weighted(x: Array, weight: Array | None) -> Array:
    """x [N, ...], zero where the weight [N] is."""
    return x if weight is None else jnp.where(weight.reshape(-1, *(1,) * (x.ndim - 1)) > 0, x, 0)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def normalized(
    epsilon: float, x: Array, weight: Array | None, scale: Array, bias: Array
) -> tuple[Array, Array, Array, Array]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, and the statistics, which are constants for the gradient.

    With its own gradient it reads x and g twice, once for the two sums and once for dx:
    dx = scale / sqrt(variance + epsilon) * (g - (sum g + xhat sum(g xhat)) / n).
    """
    mean, variance, count = batch_statistics(x.astype(_wide(x)), weight)
    y = (x - mean) * (lax.rsqrt(variance + epsilon) * scale) + bias
    return y, mean, variance, count


def _forward(epsilon: float, x: Array, weight: Array | None, scale: Array, bias: Array) -> tuple:
    y, mean, variance, count = normalized(epsilon, x, weight, scale, bias)
    return (y, mean, variance, count), (x, weight, scale, bias, mean, variance, count)


def _backward(epsilon: float, kept: tuple, cotangents: tuple) -> tuple:
    x, weight, scale, bias, mean, variance, count = kept
    g, axes = cotangents[0], tuple(range(x.ndim - 1))
    deviation = lax.rsqrt(variance + epsilon)
    xhat = (x - mean) * deviation
    to_bias, to_scale = g.sum(axes), (g * xhat).sum(axes)
    all_bias, all_scale = sum_over_batch_axis((to_bias, to_scale))
    shared = (all_bias + xhat * all_scale) / jnp.maximum(count, 1)
    dx = (scale * deviation * (g - _weighted(shared, weight))).astype(x.dtype)
    return dx, jax.tree.map(jnp.zeros_like, weight), to_scale.astype(scale.dtype), to_bias.astype(bias.dtype)


normalized.defvjp(_forward, _backward)


def _wide(x: Array) -> jnp.dtype:
    return jnp.promote_types(x.dtype, jnp.float32)


class BatchNorm(nn.Module):
    """Ioffe and Szegedy 2015, with collections and names as in `flax.linen.BatchNorm`.

    `weight` [N] in {0, 1} marks the true examples; padding enters no statistic, and statistics are those of the whole
    batch under `pmap` too. `unbiased_variance` stores n / (n - 1) times the variance, as PyTorch does (the batch itself
    is normalised by the plain one in both). `momentum` is the share of the old value: 0.9 is PyTorch's 0.1.
    `axis` is that of the channels; 0 means images kept batch-last, [C, *space, N].
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
        self, x: Float[Array, 'first ...'], train: bool, weight: Float[Array, 'N'] | None = None
    ) -> Float[Array, 'first ...']:
        x = x.swapaxes(0, -1) if self.axis == 0 else jnp.moveaxis(x, self.axis, -1)
        features = (x.shape[-1],)
        mean = self.variable('batch_stats', 'mean', jnp.zeros, features, jnp.float32)
        var = self.variable('batch_stats', 'var', jnp.ones, features, jnp.float32)
        scale = self.param('scale', self.scale_init, features) if self.use_scale else jnp.ones(features)
        bias = self.param('bias', self.bias_init, features) if self.use_bias else jnp.zeros(features)
        if train:
            y, m, v, count = normalized(self.epsilon, x, weight, scale, bias)
            if not self.is_initializing():
                stored = v * (count / jnp.maximum(count - 1, 1)) if self.unbiased_variance else v
                mean.value = self.momentum * mean.value + (1 - self.momentum) * m
                var.value = self.momentum * var.value + (1 - self.momentum) * stored
        else:
            y = (x - mean.value) * (lax.rsqrt(var.value + self.epsilon) * scale) + bias
        y = y.astype(self.dtype or jnp.result_type(x.dtype, scale.dtype))
        return y.swapaxes(0, -1) if self.axis == 0 else jnp.moveaxis(y, -1, self.axis)
