"""Token ids of different length as one array: start and end tokens, cut to a length, padded."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

SIDES = ('front', 'back')


@dataclasses.dataclass(frozen=True)
class Frame:
    """start, end: ids that stand before and behind every text (None: nothing does). longest: length T of a row.

    cut: 'back' leaves out the last words and keeps start and end; 'front' leaves out what is first, the start token too
    (Keras). pad: where padding stands.
    """

    longest: int
    padding: int = 0
    start: int | None = None
    end: int | None = None
    cut: str = 'back'
    pad: str = 'back'

    def __post_init__(self) -> None:
        if self.longest < 1 + (self.start is not None) + (self.end is not None):
            raise ValueError(f'longest={self.longest} leaves no room for a word')
        if self.cut not in SIDES or self.pad not in SIDES:
            raise ValueError(f'cut={self.cut!r}, pad={self.pad!r}; valid: {", ".join(SIDES)}')

    @property
    def marks(self) -> int:
        """How many ids are put around a text."""
        return (self.start is not None) + (self.end is not None)

    def row(self, ids: Sequence[int]) -> list[int]:
        """One text, framed and cut, not padded."""
        before, behind = ([] if one is None else [one] for one in (self.start, self.end))
        if self.cut == 'back':
            return before + list(ids[: self.longest - self.marks]) + behind
        return (before + list(ids) + behind)[-self.longest :]

    def lengths(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """[N] int32: how much of each row is no padding."""
        return np.array([min(len(ids) + self.marks, self.longest) for ids in texts], np.int32)

    def apply(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """[N, longest] int32."""
        found = np.full((len(texts), self.longest), self.padding, np.int32)
        for place, ids in zip(found, texts, strict=True):
            row = self.row(ids)
            place[slice(len(row)) if self.pad == 'back' else slice(self.longest - len(row), None)] = row
        return found

    def inside(self, row: Sequence[int]) -> list[int]:
        """The ids of a text without padding, start, and whatever follows the end token."""
        ids = [int(one) for one in row]
        if self.end is not None and self.end in ids:
            ids = ids[: ids.index(self.end)]
        return [one for one in ids if one not in (self.padding, self.start)]

    def as_json(self) -> dict[str, Any]:
        """As a run keeps it."""
        return dataclasses.asdict(self)
