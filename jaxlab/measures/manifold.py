"""Precision and recall of made examples in a feature space (Kynkaanniemi et al. 2019, arXiv 1904.06991), and class coverage.

The manifold of a set is the union of balls round its features, each as large as the distance to the k-th nearest other one.
Precision is the share of made examples in the manifold of the real ones (are they good?), recall the share of real ones in
the manifold of the made ones (is anything missing?).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

BLOCK = 1000  # rows of distances at a time
ROUNDING = 1e-10  # of a squared distance, a share of the mean squared size of a feature


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]."""

    precision: float
    recall: float


def precision_recall(real: np.ndarray, made: np.ndarray, neighbours: int = 3) -> PrecisionRecall:
    """Of features [N, D] and [M, D]; keep N and M the same wherever values are compared."""
    real, made = np.asarray(real, np.float64), np.asarray(made, np.float64)
    return PrecisionRecall(_inside(made, real, neighbours), _inside(real, made, neighbours))


def class_coverage(shares: np.ndarray, real: np.ndarray, least: float = 0.1) -> float:
    """The share of the classes [C] of real examples that are made at least `least` times as often as they are real.

    shares, real: how often each class is made, and is real; sums of 1.
    """
    there = real > 0
    return float((shares[there] >= least * real[there]).mean())


def _inside(points: np.ndarray, of: np.ndarray, neighbours: int) -> float:
    """The share of the points in the manifold of a set."""
    if len(of) <= neighbours:
        raise ValueError(f'{len(of)} features have no {neighbours} neighbours each')
    middle = of.mean(0)
    points, of = points - middle, of - middle  # products of small numbers lose less to rounding
    # Sorted, a feature's distance to itself comes first, whatever its copies are: the k-th neighbour is number k.
    radii = np.concatenate([np.partition(block, neighbours, axis=1)[:, neighbours] for block in _distances(of, of)])
    radii += ROUNDING * np.square(of).sum(1).mean()  # equal features are in each other's balls of no size
    return float(np.concatenate([(block <= radii).any(axis=1) for block in _distances(points, of)]).mean())


def _distances(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Squared distances [BLOCK, M] of some of the first to all of the second, block by block."""
    squares = np.square(second).sum(1)
    for at in range(0, len(first), BLOCK):
        block = first[at : at + BLOCK]
        yield np.square(block).sum(1)[:, None] - 2 * block @ second.T + squares
