"""Pairs of sentences, read from tab-separated files (`splits.grouped` parts them so that no source stands in two splits)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxlab.data.text.words import one_line, read_lines
from jaxlab.errors import UserError


def read_pairs(path: Path | str, source: int = 0, target: int = 1) -> tuple[list[str], list[str]]:
    """(sources, targets) of a file with a pair a line, its columns parted by tabs; numbers of the columns count from 0.

    A quotation mark is a mark like any other: reading as CSV would alter hundreds of sentences. Blank lines are left out.
    """
    found: tuple[list[str], list[str]] = [], []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        cells = line.split('\t')
        if len(cells) <= max(source, target):
            raise UserError(
                f'{str(path)!r}, line {number}: {len(cells)} column(s); valid: two, with a tab between them'
            )
        for side, column in zip(found, (source, target), strict=True):
            side.append(one_line(cells[column]))
    return found


def seen_in(training: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """[N] bool: which of the others stand in training, letter for letter: what a test should be scored without, too."""
    known = set(training)
    return np.array([one in known for one in others], bool)
