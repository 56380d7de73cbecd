"""Learning against each other: named players, each with a network, an optimizer and a loss of its own.

All losses come from one forward pass, and every player follows the gradient of its own loss with respect to its own
parameters alone: what one player's loss says of another's parameters is never computed (the compiler leaves it out).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxlab.optimizers import TrainState

Players = dict[str, TrainState]
Losses = dict[str, jax.Array]  # player -> a scalar
Play = Callable[
    [dict[str, Any]], tuple[Losses, Any]
]  # parameters of all players -> (their losses, what else is wanted)


def gradients(play: Play, params: dict[str, Any]) -> tuple[dict[str, Any], Losses, Any]:
    """(player -> gradient of its loss with respect to its parameters, the losses, what else `play` returned).

    A penalty on a gradient is part of `play`: it may differentiate inside. Players that have no loss there stand still.
    """
    losses, pull, rest = jax.vjp(play, params, has_aux=True)
    nothing = {name: jnp.zeros_like(loss) for name, loss in losses.items()}
    found = {name: pull({**nothing, name: jnp.ones_like(loss)})[0][name] for name, loss in losses.items()}
    return found, losses, rest


def updated(players: Players, grads: Mapping[str, Any], statistics: Mapping[str, Any]) -> Players:
    """One update of every player that has a gradient, at once. statistics: player -> what its forward pass changed."""
    moved = {name: players[name].apply_gradients(grad, statistics.get(name, {})) for name, grad in grads.items()}
    return {**players, **moved}
