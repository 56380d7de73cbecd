"""Normalisation: of a batch, over its true examples on however many devices it lies; of an image, over its places; of a
token, over its features."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxlab.layers import initializers
from jaxlab.layers.batch_axis import sum_over_batch_axis


def batch_statistics(x: Array, weight: Array | None, axis: int = -1) -> tuple[Array, Array, Array]:
    """Mean [C], variance [C] (divided by n) and n of x over examples of weight 1, over all devices.

    axis: that of the channels; x is [N, ..., C] (-1) or [C, ..., N] (0).
    """
    places = math.prod(x.shape[1:-1])
    examples = x.shape[_batch_axis(axis)] if weight is None else weight.sum()
    count = sum_over_batch_axis(jnp.asarray(examples, x.dtype)) * places
    safe = jnp.maximum(count, 1)
    mean = sum_over_batch_axis(_weighted(x, weight, axis).sum(_others(x, axis))) / safe
    # Two passes: the mean of squares less the squared mean loses every digit where the mean is large.
    deviation = jnp.square(x - _along(mean, x, axis))
    variance = sum_over_batch_axis(_weighted(deviation, weight, axis).sum(_others(x, axis))) / safe
    return mean, variance, count


def _batch_axis(axis: int) -> int:
    return -1 if axis == 0 else 0


def _others(x: Array, axis: int) -> tuple[int, ...]:
    """All axes but the channels'."""
    return tuple(range(1, x.ndim)) if axis == 0 else tuple(range(x.ndim - 1))


def _along(values: Array, x: Array, axis: int) -> Array:
    """One value a channel, shaped to go with x."""
    return values.reshape(-1, *(1,) * (x.ndim - 1)) if axis == 0 else values


def _weighted(x: Array, weight: Array | None, axis: int) -> Array:
    """x, zero where the weight [N] is."""
    if weight is None:
        return x
    return jnp.where((weight if axis == 0 else weight.reshape(-1, *(1,) * (x.ndim - 1))) > 0, x, 0)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def normalized(
    epsilon: float, axis: int, x: Array, weight: Array | None, scale: Array, bias: Array
) -> tuple[Array, Array, Array, Array]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, and the statistics, which are constants for the gradient.

    With its own gradient it reads x and g twice, once for the two sums and once for dx:
    dx = scale / sqrt(variance + epsilon) * (g - (sum g + xhat sum(g xhat)) / n).
    """
    mean, variance, count = batch_statistics(x.astype(_wide(x)), weight, axis)
    return affine(epsilon, axis, x, mean, variance, scale, bias), mean, variance, count


def affine(
    epsilon: float, axis: int, x: Array, mean: Array, variance: Array, scale: Array | None, bias: Array | None
) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias."""
    factor = lax.rsqrt(variance + epsilon) if scale is None else lax.rsqrt(variance + epsilon) * scale
    y = (x - _along(mean, x, axis)) * _along(factor, x, axis)
    return y if bias is None else y + _along(bias, x, axis)


def _forward(epsilon: float, axis: int, x: Array, weight: Array | None, scale: Array, bias: Array) -> tuple:
    y, mean, variance, count = normalized(epsilon, axis, x, weight, scale, bias)
    return (y, mean, variance, count), (x, weight, scale, bias, mean, variance, count)


def _backward(epsilon: float, axis: int, kept: tuple, cotangents: tuple) -> tuple:
    x, weight, scale, bias, mean, variance, count = kept
    g, others = cotangents[0], _others(x, axis)
    xhat = affine(epsilon, axis, x, mean, variance, None, None)
    to_bias, to_scale = g.sum(others), (g * xhat).sum(others)
    all_bias, all_scale = sum_over_batch_axis((to_bias, to_scale))
    shared = (_along(all_bias, x, axis) + xhat * _along(all_scale, x, axis)) / jnp.maximum(count, 1)
    factor = _along(scale * lax.rsqrt(variance + epsilon), x, axis)
    dx = (factor * (g - _weighted(shared, weight, axis))).astype(x.dtype)
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
        axis = 0 if self.axis == 0 else -1
        x = x if axis == 0 else jnp.moveaxis(x, self.axis, -1)
        features = (x.shape[axis],)
        mean = self.variable('batch_stats', 'mean', jnp.zeros, features, jnp.float32)
        var = self.variable('batch_stats', 'var', jnp.ones, features, jnp.float32)
        scale = self.param('scale', self.scale_init, features) if self.use_scale else jnp.ones(features)
        bias = self.param('bias', self.bias_init, features) if self.use_bias else jnp.zeros(features)
        if train:
            y, m, v, count = normalized(self.epsilon, axis, x, weight, scale, bias)
            if not self.is_initializing():
                stored = v * (count / jnp.maximum(count - 1, 1)) if self.unbiased_variance else v
                mean.value = self.momentum * mean.value + (1 - self.momentum) * m
                var.value = self.momentum * var.value + (1 - self.momentum) * stored
        else:
            y = affine(self.epsilon, axis, x, *map(jnp.asarray, (mean.value, var.value, scale, bias)))
        y = y.astype(self.dtype or jnp.result_type(x.dtype, scale.dtype))
        return y if axis == 0 else jnp.moveaxis(y, -1, self.axis)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def instance_normalized(epsilon: float, x: Array) -> Array:
    """(x - mean) / sqrt(variance + epsilon) of each example and channel over its places; x [N, *space, C].

    With its own gradient it reads x and g twice: dx = (g - mean g - xhat mean(g xhat)) / sqrt(variance + epsilon).
    """
    return _instance(epsilon, x)[0]


def _instance(epsilon: float, x: Array) -> tuple[Array, Array]:
    """The normalised x, and 1 / sqrt(variance + epsilon) [N, 1, ..., C]."""
    wide, space = x.astype(_wide(x)), tuple(range(1, x.ndim - 1))
    centred = wide - wide.mean(space, keepdims=True)
    factor = lax.rsqrt(jnp.square(centred).mean(space, keepdims=True) + epsilon)
    return (centred * factor).astype(x.dtype), factor


def _instance_forward(epsilon: float, x: Array) -> tuple[Array, tuple[Array, Array]]:
    y, factor = _instance(epsilon, x)
    return y, (y, factor)


def _instance_backward(epsilon: float, kept: tuple[Array, Array], g: Array) -> tuple[Array]:
    y, factor = kept
    y, g, dtype, space = y.astype(factor.dtype), g.astype(factor.dtype), g.dtype, tuple(range(1, g.ndim - 1))
    along = (g * y).mean(space, keepdims=True)
    return (((g - g.mean(space, keepdims=True) - y * along) * factor).astype(dtype),)


instance_normalized.defvjp(_instance_forward, _instance_backward)


class InstanceNorm(nn.Module):
    """Each channel of each example normalised over its places. Ulyanov et al. 2016, arXiv 1607.08022.

    As PyTorch's `InstanceNorm2d` comes: no parameters, no running statistics, so training and evaluation are the same
    and an example never sees the others of its batch.
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, 'N *space C']) -> Float[Array, 'N *space C']:
        return instance_normalized(self.epsilon, x)


class LayerNorm(nn.Module):
    """`(x - mean) / sqrt(variance + epsilon) * scale + bias` over the last axis. Ba et al., arXiv 1607.06450.

    Parameters as in `flax.linen.LayerNorm`. In two passes and at least float32: small numbers (BERT's epsilon is 1e-12) and
    large means keep their digits.
    """

    epsilon: float = 1e-5
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(self, x: Float[Array, '... D']) -> Float[Array, '... D']:
        scale = self.param('scale', initializers.ones, (x.shape[-1],))
        bias = self.param('bias', initializers.zeros, (x.shape[-1],))
        wide = x.astype(_wide(x))
        centred = wide - wide.mean(-1, keepdims=True)
        y = centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + self.epsilon) * scale + bias
        return y.astype(self.dtype or jnp.result_type(x.dtype, scale.dtype))
