"""The kernel distance between two sets of features: "KID", Binkowski et al. 2018, arXiv 1801.01401.

The squared maximum mean discrepancy with the kernel `k(x, y) = (x.y / D + 1)^3`. Its estimate has no bias, so that it may be
negative, and, unlike the Fréchet distance, sets of any size can be compared; on other features than Inception's it compares
only with itself.
"""

import numpy as np

SUBSET = 1000  # features a side of one estimate


def squared_discrepancy(first: np.ndarray, second: np.ndarray) -> float:
    """Without bias (pairs of a feature with itself are left out) of features [N, D] and [M, D], N and M above 1."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n, m = len(first), len(second)
    if min(n, m) < 2:
        raise ValueError(f'two features a side are needed, got {n} and {m}')
    within = [
        (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (_kernel(first, first), _kernel(second, second))
    ]
    return float(sum(within) - 2 * _kernel(first, second).mean())


def kernel_distance(first: np.ndarray, second: np.ndarray, subsets: int = 10, seed: int = 0) -> float:
    """The mean over random subsets of SUBSET features a side, or of all where there are fewer, which takes one estimate."""
    size = min(SUBSET, len(first), len(second))
    if size == len(first) == len(second):
        return squared_discrepancy(first, second)
    rng = np.random.default_rng(seed)
    draw = lambda features: features[rng.choice(len(features), size, replace=False)]
    return float(np.mean([squared_discrepancy(draw(first), draw(second)) for _ in range(subsets)]))


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1) ** 3
