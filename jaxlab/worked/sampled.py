"""Activations at many numbers: what they give, their slopes, and what automatic differentiation makes of them."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.layers.activations import Activation
from jaxlab.worked.shapes import Numbers


class Sampled(NamedTuple):
    """Of one activation, in the shape of the numbers."""

    value: Float[np.ndarray, '*any']
    slope: Float[np.ndarray, '*any']  # by its derivative in closed form
    automatic: Float[np.ndarray, '*any']  # by jax.grad


def sampled(entries: Sequence[Activation], numbers: Numbers) -> list[Sampled]:
    """Each of these activations at all the numbers, computed by one program."""
    return [Sampled(*map(np.asarray, each)) for each in _all(tuple(entries), jnp.asarray(numbers))]


@functools.partial(jax.jit, static_argnums=0)
def _all(entries: tuple[Activation, ...], x: Float[Array, '*any']) -> list[tuple[Array, Array, Array]]:
    def automatic(entry: Activation) -> Array:
        return jax.vmap(jax.grad(entry.function))(x.ravel()).reshape(x.shape)

    return [(entry.function(x), entry.derivative(x), automatic(entry)) for entry in entries]
