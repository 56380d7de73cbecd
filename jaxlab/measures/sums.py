"""Means that are exact over examples, batches and devices: totals and weights are kept apart until the end."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers.batch_axis import sum_over_batch_axis


def sums(weight: Float[Array, 'N ...'], **values: Array) -> dict[str, tuple[jax.Array, jax.Array]]:
    """`{'loss': (sum of weight * value, sum of weight)}`: this device's share; the engine adds and divides once.

    weight: [N] or longer (a token mask [N, T]); values: float or bool, of the weight's shape or with further axes, over
    which the mean then runs as well. Metrics with different weights: `sums(w, loss=a) | sums(mask, accuracy=b)`.
    """
    return {name: _total(value, weight) for name, value in values.items()}


def weighted_mean(values: Float[Array, 'N ...'], weight: Float[Array, 'N ...']) -> Float[Array, '']:
    """`sum(values * weight) / sum over devices of sum(weight)`: this device's share of the mean over all examples.

    Shares add up to the mean, so gradients of it are summed over devices (`TrainState.apply_gradients`) and never
    averaged: an average of means is wrong as soon as one device has padding. 0 where every weight is 0.
    """
    total, count = _total(values, weight)
    count = sum_over_batch_axis(count)
    return total / jnp.where(count > 0, count, 1)


def _total(values: Array, weight: Array) -> tuple[jax.Array, jax.Array]:
    """(sum of weight * value, sum of weight) in float32 or wider; what has weight 0 may even be NaN."""
    dtype = jnp.promote_types(values.dtype if jnp.issubdtype(values.dtype, jnp.floating) else jnp.float32, jnp.float32)
    if values.shape[: weight.ndim] != weight.shape:
        raise ValueError(f'values {values.shape} do not start with the shape of the weight {weight.shape}')
    weight = weight.astype(dtype).reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
    weight = jnp.broadcast_to(weight, values.shape)
    return jnp.sum(jnp.where(weight != 0, values.astype(dtype), 0) * weight), jnp.sum(weight)
