"""What all transforms share: the value range, random numbers an example, and the check of arguments."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Batch
from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import first_example

Pair = float | tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Context:
    """low, high: prepared values of black and white, one number or one a channel; classes: how many there are (or 0).

    A batch that was not prepared (uint8) has black 0 and white 255 whatever stands here.
    """

    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 1.0
    classes: int = 0

    def black(self, image: jax.Array) -> jax.Array:
        """The value of black, a scalar or [C] float32."""
        return jnp.float32(0) if image.dtype == jnp.uint8 else jnp.asarray(self.low, jnp.float32)

    def white(self, image: jax.Array) -> jax.Array:
        """The value of white, a scalar or [C] float32."""
        return jnp.float32(255) if image.dtype == jnp.uint8 else jnp.asarray(self.high, jnp.float32)


def example_keys(key: jax.Array, count: int) -> jax.Array:
    """One key an example [count], by its global place in the batch: the same on one device and on several."""
    return jax.vmap(lambda row: jax.random.fold_in(key, row))(first_example(count) + jnp.arange(count))


def uniform(key: jax.Array, count: int, low: Any, high: Any, draws: int = 1) -> jax.Array:
    """[count, draws] float32 in [low, high); low and high: numbers or one a draw."""
    unit = jax.vmap(lambda one: jax.random.uniform(one, (draws,)))(example_keys(key, count))
    low, high = jnp.asarray(low, jnp.float32), jnp.asarray(high, jnp.float32)
    return low + (high - low) * unit


def like(image: jax.Array, values: jax.Array) -> jax.Array:
    """New values in the image's dtype: rounded and clipped for uint8."""
    if image.dtype == jnp.uint8:
        return jnp.clip(jnp.round(values), 0, 255).astype(jnp.uint8)
    return values.astype(image.dtype)


def image_of(batch: Batch) -> jax.Array:
    """The images [N, H, W, C], or a `UserError` for data without any."""
    if 'image' not in batch:
        raise UserError(f'data.transforms need images; this data set has {", ".join(batch)}')
    return batch['image']


def number(transform: str, field: str, value: Any, low: float, high: float) -> float:
    """A number of a transform's arguments, checked against its bounds."""
    right = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        raise UserError(f'transform {transform!r}: {field}={value!r}; valid: a number from {low:g} to {high:g}')
    return float(value)


def pair(transform: str, field: str, value: Any, low: float, high: float) -> tuple[float, float]:
    """A checked number, or one for the rows and one for the columns."""
    values = (value, value) if not isinstance(value, (tuple, list)) else tuple(value)
    if len(values) != 2:
        raise UserError(f'transform {transform!r}: {field}={value!r}; valid: one number or (rows, columns)')
    return number(transform, field, values[0], low, high), number(transform, field, values[1], low, high)
