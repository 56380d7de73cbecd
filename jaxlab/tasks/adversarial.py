"""Learning against each other: named players, each with a network, an optimizer and a loss of its own.

Every player follows the gradient of its own loss with respect to its own parameters alone. Players may move at once, from
one forward pass (`gradients`, `updated`), or one after the other, each seeing what the others have become (`move`), and
some only in every n-th step (`every`): a critic that learns n times a step of its generator is a generator that moves in
every n-th step, so that each of the critic's steps has its own examples and its own noise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlab.errors import UserError, closest
from jaxlab.models import build_model
from jaxlab.optimizers import TrainState, build_optimizer

Players = dict[str, TrainState]
Losses = dict[str, jax.Array]  # player, or team -> a scalar
Teams = Mapping[str, Sequence[str]]  # a loss's name -> the players that all follow it
Play = Callable[
    [dict[str, Any]], tuple[Losses, Any]
]  # parameters of all players that move -> (their losses, what else is wanted)


def built(
    config: Any,
    roles: Sequence[str],
    steps_per_epoch: int,
    total_steps: int,
    periods: Mapping[str, int] | None = None,
    known: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, tuple[Any, optax.GradientTransformation]]:
    """Role -> (network, update rule), from the blocks `config.model.ROLE` and `config.optimizer.ROLE`.

    periods: role -> n, where it moves in every n-th step only: its schedule then counts its own steps. known: role ->
    arguments of its network that the data decide.
    """
    for field in ('model', 'optimizer'):
        for name in config[field]:
            if name not in roles:
                task = config.task.name
                raise UserError(f'unknown field config.{field}.{name} of task {task}; {closest(name, roles)}')
    found = {}
    for role in roles:
        network = build_model(
            config.model.get(role, {}), config.training.precision, f'model.{role}', **(known or {}).get(role, {})
        )
        epoch, whole = (max(count // (periods or {}).get(role, 1), 1) for count in (steps_per_epoch, total_steps))
        found[role] = network, build_optimizer(config.optimizer.get(role, {}), epoch, whole, f'optimizer.{role}')
    return found


def gradients(play: Play, params: dict[str, Any], teams: Teams | None = None) -> tuple[dict[str, Any], Losses, Any]:
    """(player -> gradient of its loss with respect to its parameters, the losses, what else `play` returned).

    What one player's loss says of another's parameters is never computed (the compiler leaves it out). A penalty on a
    gradient is part of `play`: it may differentiate inside. Players that have no loss there stand still. teams: losses
    that several players have in common; any other is that of the player with its name.
    """
    losses, pull, rest = jax.vjp(play, params, has_aux=True)
    nothing = {name: jnp.zeros_like(loss) for name, loss in losses.items()}
    found: dict[str, Any] = {}
    for name, loss in losses.items():
        slopes = pull({**nothing, name: jnp.ones_like(loss)})[0]
        found |= {player: slopes[player] for player in (teams or {}).get(name, (name,))}
    return found, losses, rest


def updated(players: Players, grads: Mapping[str, Any], statistics: Mapping[str, Any]) -> Players:
    """One update of every player that has a gradient, at once. statistics: player -> what its forward pass changed."""
    moved = {name: players[name].apply_gradients(grad, statistics.get(name, {})) for name, grad in grads.items()}
    return {**players, **moved}


def move(players: Players, names: Sequence[str], play: Play, teams: Teams | None = None) -> tuple[Players, Losses, Any]:
    """(all players after those named have made one step at once, the losses of these, what else `play` returned).

    play: takes the parameters of the named players; it closes over the others as they are now. What else it returns is a
    pair: statistics that the forward passes changed (player -> collections), and anything that the task wants to keep.
    """
    grads, losses, (statistics, rest) = gradients(play, {name: players[name].params for name in names}, teams)
    return updated(players, grads, statistics), losses, rest


def every(period: int, step: jax.Array | int, turn: Callable[[Any], tuple[Any, Any]], state: Any) -> tuple[Any, Any]:
    """`turn(state)` in every `period`-th step (the last of each), else (state, zeros in the form of what `turn` adds).

    step: counts from 0. What a task adds up of such a turn, totals and weights, is then zero where nothing was done, so
    that means stay those of the steps that were made. The other steps do not pay for it.
    """
    if period == 1:
        return turn(state)
    turn = jax.jit(turn, inline=True)  # traced once, for its shapes and as the branch
    shapes = jax.eval_shape(turn, state)[1]
    nothing = lambda same: (same, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes))
    return jax.lax.cond(step % period == period - 1, turn, nothing, state)
