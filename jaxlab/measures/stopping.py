"""Early stopping as a pure function of the values that were measured: which was best, and how long nothing was better."""

from collections.abc import Sequence
from typing import NamedTuple


class Waiting(NamedTuple):
    """After one evaluation: the best value so far, which evaluation gave it (from 0), how many since were not better."""

    best: float
    at: int
    waited: int

    @property
    def improved(self) -> bool:
        """Whether this evaluation was the best so far: its state is worth keeping."""
        return self.waited == 0


def waiting(values: Sequence[float], mode: str = 'min', min_delta: float = 0.0) -> list[Waiting]:
    """One entry an evaluation. Better means by more than `min_delta`: an equal value is no improvement.

    Training stops after the first entry with `waited == patience` (B07). The first value is better than none; a value
    that is not a number never is.
    """
    sign = 1.0 if mode == 'min' else -1.0
    best, found = Waiting(float('inf') * sign, -1, 0), []
    for at, value in enumerate(values):
        better = sign * value < sign * best.best - min_delta
        best = Waiting(value, at, 0) if better else Waiting(best.best, best.at, best.waited + 1)
        found.append(best)
    return found


def stops_after(values: Sequence[float], patience: int, mode: str = 'min', min_delta: float = 0.0) -> int | None:
    """The evaluation (from 0) after which training stops, or None if it goes on."""
    return next((at for at, one in enumerate(waiting(values, mode, min_delta)) if one.waited >= patience > 0), None)
