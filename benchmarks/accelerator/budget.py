"""Time that is shared out: what a part leaves over goes to those after it."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Until `end` (time.monotonic())."""

    end: float

    @classmethod
    def of(cls, seconds: float) -> 'Budget':
        """From now on."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.end - time.monotonic())

    def share(self, fraction: float) -> 'Budget':
        """A part of what is left, from now on."""
        return Budget.of(self.left * fraction)

    def shares(self, weights: Mapping[str, float]) -> Iterator[tuple[str, 'Budget']]:
        """One after the other, each a share of what is left when its turn comes."""
        names = list(weights)
        for place, name in enumerate(names):
            rest = sum(weights[later] for later in names[place:])
            yield name, self.share(weights[name] / rest)
