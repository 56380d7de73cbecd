"""Learning rate over time: `factor(step)`, which multiplies `learning_rate`. step counts from 0.

Each entry of `SCHEDULES` takes its options (already in steps) and returns a function of the step (as a float array);
`build_schedule` reads the block, turns epochs into steps and multiplies the warm-up on top.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxlab.errors import UserError, closest, lookup

Schedule = Callable[[jax.Array], jax.Array]


def constant() -> Schedule:
    """1."""
    return jnp.ones_like


def step(decay_rate: float, every: int) -> Schedule:
    """`decay_rate ^ floor(step / every)`."""
    return lambda step: decay_rate ** (step // every)


def exponential(decay_rate: float, every: int) -> Schedule:
    """`decay_rate ^ (step / every)`."""
    return lambda step: decay_rate ** (step / every)


def cosine(floor: float, start: int, end: int) -> Schedule:
    """1 until `start`, then `floor + (1 - floor) (1 + cos(pi x)) / 2`, x from 0 to 1 at `end`. arXiv 1608.03983."""
    return lambda step: floor + (1 - floor) * 0.5 * (1 + jnp.cos(jnp.pi * _share(step, start, end)))


def linear(floor: float, start: int, end: int, held: int = 0) -> Schedule:
    """1 until `start`, then a straight line down to `floor` at `end`; `held`: a stair, each value stays for so long.

    CycleGAN's factor in epoch e from 0 on, 1 - max(0, e - 100) / 101, is start 100, end 201, held 1 epoch.
    """
    return lambda step: 1 - (1 - floor) * _share(step // held * held if held else step, start, end)


def rsqrt(timescale: int) -> Schedule:
    """`sqrt(timescale / max(step + 1, timescale))`; with as long a warm-up: the Transformer's, arXiv 1706.03762."""
    return lambda step: jnp.sqrt(timescale / jnp.maximum(step + 1, timescale))


def piecewise(boundaries: tuple[int, ...], decay_rate: float | None = None, factors: tuple | None = None) -> Schedule:
    """`decay_rate ^ (boundaries passed)`, or `factors[boundaries passed]`; a boundary is passed at its own step."""
    if factors is None:
        assert decay_rate is not None  # `_checked` saw to it
        factors = tuple(decay_rate**i for i in range(len(boundaries) + 1))
    table = jnp.asarray(factors, float)
    edges = jnp.asarray(boundaries)
    return lambda step: table[jnp.sum(step >= edges)]


def _share(step: jax.Array, start: int, end: int) -> jax.Array:
    """How much of the way from `start` to `end` is done, in [0, 1]."""
    return jnp.clip((step - start) / max(end - start, 1), 0.0, 1.0)


def warmup_factor(warmup: int) -> Schedule:
    """`min(1, (step + 1) / warmup)`: the first step already moves, step `warmup - 1` is the first at the full rate."""
    return lambda step: jnp.minimum(1.0, (step + 1) / warmup)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    'constant': constant,
    'step': step,
    'exponential': exponential,
    'cosine': cosine,
    'rsqrt': rsqrt,
    'linear': linear,
    'piecewise': piecewise,
}

# option -> (default, whether it is a time in `unit`s); None: chosen in `_resolve`, or must be given
OPTIONS: dict[str, dict[str, tuple[Any, bool]]] = {
    'constant': {},
    'step': {'decay_rate': (0.1, False), 'every': (None, True)},
    'exponential': {'decay_rate': (0.1, False), 'every': (1, True)},
    'cosine': {'floor': (0.0, False), 'start': (None, True), 'end': (None, True)},
    'rsqrt': {'timescale': (None, True)},
    'linear': {'floor': (0.0, False), 'start': (None, True), 'end': (None, True), 'held': (0, True)},
    'piecewise': {'boundaries': (None, True), 'decay_rate': (None, False), 'factors': (None, False)},
}
UNITS = ('epochs', 'steps')


def build_schedule(name: str, options: Mapping, warmup: int, steps_per_epoch: int, total_steps: int) -> Schedule | None:
    """The factor over time, or None where it is 1 throughout (no count to carry, no product to round)."""
    make = lookup(SCHEDULES, name, 'optimizer.schedule')
    found = _resolve(name, dict(options), warmup, steps_per_epoch, total_steps)
    if name == 'constant' and not warmup:
        return None
    parts = [make(**found), *([warmup_factor(warmup)] if warmup else [])]
    return lambda step: math.prod(part(jnp.asarray(step, float)) for part in parts)


def _resolve(name: str, given: dict, warmup: int, steps_per_epoch: int, total_steps: int) -> dict[str, Any]:
    """The options in steps, with defaults."""
    valid = OPTIONS[name]
    unit = given.pop('unit', None) or 'epochs'
    if unit not in UNITS:
        raise UserError(f'optimizer.schedule_options.unit is {unit!r}; {closest(unit, UNITS)}')
    given = {option: value for option, value in given.items() if value is not None}
    for option in given:
        if option not in valid:
            names = closest(option, [*valid, 'unit'])
            raise UserError(f'unknown optimizer.schedule_options.{option} for schedule {name!r}; {names}')
    scale = steps_per_epoch if unit == 'epochs' else 1
    found = {
        option: _in_steps(given.get(option, default), scale if is_time else 1, is_time)
        for option, (default, is_time) in valid.items()
    }
    missing = {'start': warmup, 'end': total_steps, 'timescale': warmup or None}
    found = {option: missing.get(option) if value is None else value for option, value in found.items()}
    return _checked(name, found)


def _in_steps(value: Any, scale: int, is_time: bool) -> Any:
    if value is None or not is_time:
        return value
    if isinstance(value, (tuple, list)):
        return tuple(round(item * scale) for item in value)
    return round(value * scale)


def _checked(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Refuses options that are missing or out of range."""
    where = f'optimizer.schedule_options of schedule {name!r}'
    for option in ('every', 'timescale', 'boundaries'):
        if option in found and found[option] is None:
            hint = ' (or optimizer.warmup)' if option == 'timescale' else ''
            raise UserError(f'{where}: {option!r} is missing{hint}')
    for option in ('every', 'timescale'):
        if option in found and found[option] < 1:
            raise UserError(f'{where}: {option!r} must be at least one step, got {found[option]}')
    if found.get('held', 0) < 0:
        raise UserError(f"{where}: 'held' must be a time from 0, got {found['held']}")
    if name == 'piecewise':
        if (found['decay_rate'] is None) == (found['factors'] is None):
            raise UserError(f"{where}: give one of 'decay_rate' and 'factors'")
        if found['factors'] is not None and len(found['factors']) != len(found['boundaries']) + 1:
            raise UserError(f"{where}: 'factors' needs one more entry than 'boundaries'")
        if list(found['boundaries']) != sorted(found['boundaries']):
            raise UserError(f"{where}: 'boundaries' must rise, got {found['boundaries']}")
    if found.get('end') is not None and found.get('start', 0) > found['end']:
        raise UserError(f"{where}: 'start' ({found['start']}) lies behind 'end' ({found['end']}) (both in steps)")
    return found
