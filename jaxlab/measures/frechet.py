"""The Fréchet distance between two sets of features, each described by a Gaussian (Heusel et al., arXiv 1706.08500).

`d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2))`: the squared 2-Wasserstein distance of the Gaussians
(Dowson and Landau 1982). "FID" is this value on the features of one particular Inception network; on other features it
compares only with itself, above all with its own floor: what two halves of the real data give.
"""

from typing import NamedTuple

import numpy as np


class Gaussian(NamedTuple):
    """mean [D] and covariance [D, D] (divided by n - 1), float64."""

    mean: np.ndarray
    covariance: np.ndarray


def fit(features: np.ndarray) -> Gaussian:
    """features: [N, D], N above 1. With N <= D the covariance is singular: the distance is defined, and too large."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f'features must be [N, D] with N above 1, got {features.shape}')
    if not np.isfinite(features).all():
        raise ValueError('features hold NaN or infinity')
    mean = features.mean(axis=0)
    centred = features - mean
    return Gaussian(mean, centred.T @ centred / (len(features) - 1))


def gaussian_distance(first: Gaussian, second: Gaussian) -> float:
    """`d^2` of two Gaussians.

    The trace of the root needs eigenvalues of a symmetric matrix only: S1 S2 has the spectrum of S1^(1/2) S2 S1^(1/2).
    (The usual `sqrtm(S1 @ S2)` is not symmetric and turns complex where a covariance is singular.)
    """
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # rounding can push a zero eigenvalue below zero
    inner = np.linalg.eigvalsh(root @ second.covariance @ root)
    between = np.sqrt(np.maximum(inner, 0)).sum()
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * between
    return float(max(np.square(first.mean - second.mean).sum() + spread, 0.0))


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """`d^2` of two sets of features [N, D] and [M, D]. It falls with N even for equal sources: keep N the same."""
    return gaussian_distance(fit(first), fit(second))


def frechet_floor(features: np.ndarray, seed: int = 0) -> float:
    """Real against real: `d^2` of two disjoint random halves of `features` [N, D]; a perfect generator reaches it."""
    order = np.random.default_rng(seed).permutation(len(features))
    half = len(features) // 2
    features = np.asarray(features)
    return frechet_distance(features[order[:half]], features[order[half : 2 * half]])
