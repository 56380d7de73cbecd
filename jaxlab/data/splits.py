"""Splits and orders: pure functions of sizes, labels and seeds.

The split rules are those of scikit-learn's `train_test_split` (legacy NumPy generator), reproduced index by index, so
that published splits can be rebuilt without it.
"""

import math
from typing import NamedTuple

import numpy as np


def epoch_order(seed: int, epoch: int, size: int, stream: int = 0) -> np.ndarray:
    """The order of one epoch: a permutation [size] int32, a pure function of (seed, epoch); one for each stream."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, stream])))
    return generator.permutation(size).astype(np.int32)


def drawn_order(seed: int, epoch: int, chances: np.ndarray, draws: int) -> np.ndarray:
    """Rows [draws] int32, drawn with replacement by the chances [size] (sum 1); a pure function of (seed, epoch)."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    return generator.choice(len(chances), size=draws, p=chances).astype(np.int32)


def stretched_order(seed: int, epoch: int, size: int, draws: int, stream: int = 0) -> np.ndarray:
    """Rows [draws] int32 of one epoch: the next `draws` of permutation after permutation of `size` examples.

    Every example is drawn equally often up to one; with `draws` = `size` it is `epoch_order`.
    """
    first = epoch * draws
    turns = range(first // size, -(-(first + draws) // size))
    return np.concatenate([epoch_order(seed, turn, size, stream) for turn in turns])[first - turns.start * size :][
        :draws
    ]


class Repeated(NamedTuple):
    """Expected numbers of examples, and the standard deviation of the first two."""

    train: float
    held_out: float
    both: float
    train_deviation: float
    held_out_deviation: float


def after_repeated_splits(size: int, fraction: float, runs: int) -> Repeated:
    """What lies in the folders once a split was drawn `runs` times and never emptied before (D1: a leak).

    An example misses a folder only if it goes to the other one every time, with chance share ** runs.
    """
    parts = (round(size * (1 - fraction)), round(size * fraction))
    missed = [(1 - part / size) ** runs for part in parts]
    pairs = [((size - part) * (size - part - 1) / (size * (size - 1))) ** runs for part in parts]  # two of them miss it
    deviations = [
        math.sqrt(max(0.0, size * p * (1 - p) + size * (size - 1) * (both - p * p)))
        for p, both in zip(missed, pairs, strict=True)
    ]
    train, out = (size * (1 - p) for p in missed)
    return Repeated(train, out, train + out - size, *deviations)


def held_out(size: int, fraction: float) -> int:
    """How many of `size` examples a fraction holds out: rounded up, as scikit-learn does (0.1 + 0.2 noise forgiven)."""
    return math.ceil(round(fraction * size, 9))


def permuted(size: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rest, held out): the first ceil(fraction * size) of the legacy permutation are held out; both in its order."""
    order = np.random.RandomState(seed).permutation(size)
    cut = held_out(size, fraction)
    return order[cut:], order[:cut]


def grouped(groups: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rest, held out): a fraction of the groups is held out whole, and of each the first example. groups: [size] integers.

    The rest keeps its order; what is held out stands in that of the permutation.
    """
    kinds, first, number = np.unique(groups, return_index=True, return_inverse=True)
    rest, out = permuted(len(kinds), fraction, seed)
    return np.flatnonzero(np.isin(number, rest)), first[out]


def stratified(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rest, held out) with class shares as equal as whole examples allow; labels: [size] integers.

    Every class with at least two examples may still give none to a very small part.
    """
    generator = np.random.RandomState(seed)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(classes, kind='stable'), np.cumsum(counts)[:-1])
    out_size = held_out(len(labels), fraction)
    rest_counts = _shares(counts, len(labels) - out_size, generator)
    out_counts = _shares(counts - rest_counts, out_size, generator)
    rest, out = [], []
    for rows, rest_count, out_count in zip(members, rest_counts, out_counts, strict=True):
        shuffled = rows[generator.permutation(len(rows))]
        rest.append(shuffled[:rest_count])
        out.append(shuffled[rest_count : rest_count + out_count])
    return generator.permutation(np.concatenate(rest)), generator.permutation(np.concatenate(out))


def _shares(counts: np.ndarray, draws: int, generator: np.random.RandomState) -> np.ndarray:
    """Whole numbers that sum to `draws`, proportional to `counts`; ties of the largest remainders by lot."""
    if draws == 0:
        return np.zeros_like(counts)
    exact = counts / counts.sum() * draws
    shares = np.floor(exact)
    remainders, missing = exact - shares, int(draws - shares.sum())
    for value in np.sort(np.unique(remainders))[::-1] if missing else ():
        (tied,) = np.where(remainders == value)
        chosen = generator.choice(tied, size=min(len(tied), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
        if missing == 0:
            break
    return shares.astype(np.int64)
