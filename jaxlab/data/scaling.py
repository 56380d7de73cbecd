"""Pixels as a network is given them, computed on the device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Batch = dict[str, jax.Array]


def scaler(
    scale: tuple[float, float], mean: tuple[float, ...] = (), std: tuple[float, ...] = (), field: str = 'image'
) -> Callable[[Batch], Batch]:
    """Of images in `field`: uint8 0..255 -> float32 low..high, then (x - mean) / std a channel where those are given."""
    low, high = scale
    # Written as (x - offset) / divisor: exact at both ends, symmetric about the middle.
    divisor = jnp.float32(255 / (high - low))
    offset = jnp.float32(-low * 255 / (high - low))

    def prepare(batch: Batch) -> Batch:
        image = batch[field]
        if image.dtype == jnp.uint8:
            image = (image.astype(jnp.float32) - offset) / divisor
            if mean or std:
                image = (image - jnp.asarray(mean or 0.0, jnp.float32)) / jnp.asarray(std or 1.0, jnp.float32)
        return {**batch, field: image}

    return prepare


def value_range(
    scale: tuple[float, float], mean: tuple[float, ...] = (), std: tuple[float, ...] = ()
) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """The prepared values of black and white: two numbers, or one a channel."""
    if not mean and not std:
        return scale
    channels = max(len(mean), len(std))
    mean, std = mean or (0.0,) * channels, std or (1.0,) * channels
    black, white = (tuple((end - m) / s for m, s in zip(mean, std, strict=True)) for end in scale)
    return black, white
