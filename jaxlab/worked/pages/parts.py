"""What several pages need."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from jaxlab.figures import Figure
from jaxlab.worked.shapes import Numbers


def renamed(figures: Sequence[Figure], ending: str, title: str) -> list[Figure]:
    """The same figures under another name, each title saying whose they are."""
    return [dataclasses.replace(each, name=f'{each.name}_{ending}', title=f'{title}: {each.title}') for each in figures]


def once(**values: Numbers) -> dict[str, list[float]]:
    """Metrics of a computation that is done once."""
    return {name: [float(value)] for name, value in values.items()}  # type: ignore[arg-type]


def share(count: int, total: int, what: str, verb: str = 'differ') -> str:
    """`3 of 40 printed numbers differ`."""
    return f'{count} of {total} {what} {verb}'


def by_name(figures: Sequence[Figure]) -> dict[str, Any]:
    """Figures by their names, asserting that no two share one."""
    found = {each.name: each for each in figures}
    assert len(found) == len(figures), [each.name for each in figures]
    return found
