"""Who watches an experiment: a person at a terminal, a test, or nobody."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from jaxlab.training.loop import Listener


class Watcher(Listener, Protocol):
    """The engine's listener, and what several trainings in one command need of it."""

    title: str
    pages: list[Any]  # worked computations and tables to print once all is over

    def helper(self, title: str) -> 'Watcher':
        """The listener of another training in the same command; the same signals stop it."""

    def close(self) -> None:
        """A training is over."""


class Silent:
    """Nobody looks, nothing stops it."""

    def __init__(self) -> None:
        self.title = ''
        self.pages: list[Any] = []

    def started(self, step: int, total_steps: int, steps_per_epoch: int) -> None: ...

    def progress(self, step: int, values: Mapping[str, float]) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None: ...

    def say(self, text: str) -> None: ...

    def stop_requested(self) -> int:
        return 0

    def helper(self, title: str) -> Self:
        return self

    def close(self) -> None: ...
