"""What a page printed, as it stands there, beside the right value."""

import dataclasses
import re
from typing import Any

import numpy as np

_NUMBER = re.compile(r'[-+]?\d+(?:\.(\d*))?(?:[eE]([-+]?\d+))?')


def numbers(text: str, least_decimals: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The numbers in a printed text and half a unit of the last place of each.

    Trailing zeros are dropped where arrays are printed with 4 decimals (1 for 1.0000), so a number without an exponent
    counts as having at least `least_decimals`; handwriting does not (0).
    """
    values, halves = [], []
    for found in _NUMBER.finditer(text):
        decimals, exponent = len(found.group(1) or ''), found.group(2)
        place = decimals - int(exponent) if exponent else max(decimals, least_decimals)
        values.append(float(found.group()))
        halves.append(0.5 * 10.0**-place)
    return np.array(values), np.array(halves)


@dataclasses.dataclass(frozen=True)
class Golden:
    """One quantity: its right value, what was printed for it (None: not printed), and why they differ where they do."""

    quantity: str
    right: Any
    published: str | None = None
    cause: str = ''
    tolerance: float = 1e-12

    @property
    def agrees(self) -> bool:
        """Whether the printed numbers are the right ones, rounded."""
        if self.published is None:
            return True
        values, halves = numbers(self.published)
        right = np.asarray(self.right, np.float64).ravel()
        return values.shape == right.shape and bool(np.all(np.abs(values - right) <= halves * (1 + 1e-6)))


def same(quantity: str, right: Any, tolerance: float = 1e-12) -> Golden:
    """A quantity printed in full (integers): the page and the right value are alike."""
    return Golden(quantity, right, str(np.asarray(right).tolist()), '', tolerance)


@dataclasses.dataclass(frozen=True)
class Slip:
    """A slip of a page: `published` where `right` belongs.

    `case`, `quantity`, `iteration` (from 1) and `row` (from 0) name the computation that proves it; `right` then lists
    that quantity's numbers in order. Without a case both are words.
    """

    spec: str
    what: str
    published: str
    right: str
    cause: str
    case: str = ''
    quantity: str = ''
    iteration: int = 0
    row: int | None = None

    def computed(self, found: dict[str, np.ndarray]) -> np.ndarray:
        """The numbers of that computation."""
        values = np.asarray(found[self.quantity])
        return np.ravel(values if self.row is None else values[self.row])
