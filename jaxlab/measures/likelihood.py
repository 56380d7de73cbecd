"""The importance-weighted bound on a likelihood (Burda et al. 2016, arXiv 1509.00519), on the host."""

from collections.abc import Iterable

import numpy as np


def importance_weighted_bound(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """`log((1/k) sum_i w_i)` [N] of log weights in blocks [k_b, N], k the draws of all blocks together; float64.

    With k = 1 it is the evidence lower bound; it rises with k towards log p(x). A mean over blocks of the bound of each
    would be the bound of a smaller k.
    """
    total, draws = None, 0
    for block in blocks:
        weights = np.asarray(block, np.float64)
        found = np.logaddexp.reduce(weights, axis=0)
        total, draws = found if total is None else np.logaddexp(total, found), draws + len(weights)
    if total is None:
        raise ValueError('no log weights')
    return total - np.log(draws)
