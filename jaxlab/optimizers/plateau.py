"""Reduce-on-plateau: the one schedule that needs a measured value, so it runs on the host between epochs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxlab.errors import UserError, closest


@dataclasses.dataclass(frozen=True)
class Plateau:
    """Options (the block `optimizer.plateau`) and what was seen so far; `dataclasses.asdict` makes it JSON.

    `patience` evaluations without an improvement of more than `min_delta` are borne; the next one multiplies `scale`
    (the network's `learning_rate_scale`) by `factor`, never below `min_scale`. Same counting as PyTorch's
    `ReduceLROnPlateau(threshold_mode='abs')`.
    """

    metric: str
    factor: float = 0.1
    patience: int = 10
    mode: str = 'min'
    min_delta: float = 1e-4
    min_scale: float = 0.0
    scale: float = 1.0
    best: float | None = None
    waited: int = 0

    @classmethod
    def from_block(cls, block: Mapping) -> 'Plateau':
        """Checked: names, `mode`, ranges. Also takes what `asdict` gave, so that a checkpoint restores it."""
        block = {option: value for option, value in dict(block).items() if value is not None}
        valid = [field.name for field in dataclasses.fields(cls)]
        for option in block:
            if option not in valid:
                raise UserError(f'unknown optimizer.plateau.{option}; {closest(option, valid[:6])}')
        if 'metric' not in block:
            raise UserError("optimizer.plateau.metric is missing; valid: a metric's name such as 'validation_loss'")
        found = cls(**block)
        if found.mode not in ('min', 'max'):
            raise UserError(f'optimizer.plateau.mode is {found.mode!r}; {closest(found.mode, ("min", "max"))}')
        if not 0 < found.factor < 1:
            raise UserError(f'optimizer.plateau.factor is {found.factor!r}; valid: above 0 and below 1')
        if found.patience < 0 or found.min_delta < 0 or not 0 <= found.min_scale <= 1:
            raise UserError('optimizer.plateau: patience and min_delta from 0, min_scale from 0 to 1')
        return found

    def as_json(self) -> dict[str, Any]:
        """All fields; `from_block` reads them back."""
        return dataclasses.asdict(self)


def reduce_on_plateau(state: Plateau, value: float) -> Plateau:
    """The state after one more evaluation; `state.scale` is what the updates are to be multiplied by from now on."""
    sign = 1.0 if state.mode == 'min' else -1.0
    if state.best is None or sign * value < sign * state.best - state.min_delta:  # never true for NaN, once best is set
        best = float(value) if value == value else None
        return dataclasses.replace(state, best=best, waited=0 if best is not None else state.waited)
    if state.waited < state.patience:
        return dataclasses.replace(state, waited=state.waited + 1)
    lowest = min(state.min_scale, state.scale)
    return dataclasses.replace(state, waited=0, scale=max(state.scale * state.factor, lowest))
