"""Hand gradients beside automatic differentiation and central differences."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.worked import network
from jaxlab.worked.shapes import Numbers


class GradientCheck(NamedTuple):
    """One weight matrix: its gradient three ways (summed over the samples)."""

    hand: np.ndarray
    automatic: np.ndarray
    differences: np.ndarray

    @property
    def gap(self) -> float:
        """Largest |hand - automatic|, relative to the largest gradient where that is above 1."""
        return float(np.max(np.abs(self.hand - self.automatic)) / max(1.0, float(np.max(np.abs(self.automatic)))))


def check_gradients(
    weights: Sequence[Numbers],
    inputs: Numbers,
    targets: Numbers,
    activations: network.Names,
    bias: str | bool = 'auto',
    loss: str = 'half_squared',
    step: float | None = None,
) -> tuple[GradientCheck, ...]:
    """Of all samples at once, one entry a weight matrix. `step`: of the central differences (default by precision)."""
    matrices, target = network.as_weights(weights), network.targets_as_columns(targets)

    @jax.jit
    def total(each):
        return network.total_error(each, inputs, target, activations, bias, loss)

    @jax.jit
    def both(each):
        layers = network.forward(inputs, each, activations, bias)
        return network.backward(layers, target, activations, loss), jax.grad(total)(each)

    hand, automatic = both(matrices)
    h = step or float(jnp.finfo(matrices[0].dtype).eps) ** (1 / 3)
    return tuple(
        GradientCheck(np.asarray(by_hand.gradient), np.asarray(exact), _central(total, matrices, index, h))
        for index, (by_hand, exact) in enumerate(zip(hand, automatic))
    )


def _central(total, matrices, index, h) -> np.ndarray:
    found = np.zeros(matrices[index].shape)

    def beside(place, by) -> float:
        moved = np.array(matrices[index])
        moved[place] += by
        return float(total((*matrices[:index], moved, *matrices[index + 1 :])))

    for place in np.ndindex(*found.shape):
        found[place] = (beside(place, h) - beside(place, -h)) / (2 * h)
    return found
