"""Pairs of sentences: read from tab-separated files, parted so that no source stands in two splits."""

from collections.abc import Mapping, Sequence
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


def first_of_each(sources: Sequence[str]) -> np.ndarray:
    """[M] int64, rising: the first row of each different source."""
    _, first = np.unique(np.asarray(sources, object).astype(str), return_index=True)
    return np.sort(first)


def split_by_source(sources: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Split -> its rows [n] int64, rising: all rows of one source are in one split, drawn by `seed`.

    shares: of the different sources, adding up to 1; every split has one source at least.
    """
    if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:
        raise UserError(f'shares of splits: {dict(shares)}; valid: numbers above 0 that add up to 1')
    _, group = np.unique(np.asarray(sources, object).astype(str), return_inverse=True)
    groups = int(group.max()) + 1 if len(group) else 0
    if groups < len(shares):
        raise UserError(f'{groups} different source(s) for {len(shares)} splits; valid: one a split at least')
    order = np.random.default_rng(seed).permutation(groups)
    ends = np.round(np.cumsum(list(shares.values())) * groups).astype(int)
    least, most = np.arange(1, len(shares) + 1), groups - np.arange(len(shares))[::-1]
    ends = np.minimum(np.maximum.accumulate(np.maximum(ends, least)), most)
    parts = np.split(order, ends[:-1])
    return {name: np.flatnonzero(np.isin(group, part)) for name, part in zip(shares, parts, strict=True)}


def seen_in(training: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """[N] bool: which of the others stand in training, letter for letter: what a test should be scored without, too."""
    known = set(training)
    return np.array([one in known for one in others], bool)
