"""Who watches an experiment: a person at a terminal, a test, or nobody."""

from collections.abc import Mapping
from typing import Any, Protocol

from jaxlab.training.loop import Listener


class Watcher(Listener, Protocol):
    """The engine's listener, and what several trainings in one command need of it."""

    title: str
    pages: list[Any]  # worked computations and tables to print once all is over

    def helper(self, title: str) -> 'Watcher':
        """The listener of another training in the same command; the same signals stop it."""

    def close(self) -> None:
        """Called when a training is over: progress display ends."""


class Printing:
    """A line an epoch, and what the engine has to say; quiet: nothing at all. Nothing stops it."""

    def __init__(self, quiet: bool = False) -> None:
        self.title, self.quiet = '', quiet
        self.pages: list[Any] = []

    def started(self, step: int, total_steps: int, steps_per_epoch: int) -> None: ...

    def progress(self, step: int, values: Mapping[str, float]) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None:
        """The mean of each metric over the replicas."""
        means = {name: sum(values) / len(values) for name, values in row.items() if isinstance(values, list)}
        self.say(f'epoch {row["epoch"]}: ' + ', '.join(f'{name} {mean:.4g}' for name, mean in means.items()))

    def say(self, text: str) -> None:
        """One line."""
        if not self.quiet:
            print(f'{self.title}: {text}' if self.title else text)

    def stop_requested(self) -> int:
        return 0

    def helper(self, title: str) -> 'Printing':
        """Of a training inside another: it says nothing."""
        return Printing(quiet=True)

    def close(self) -> None: ...
