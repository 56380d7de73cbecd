"""How large the parameters of a network have become, and how many of them are nearly or exactly nothing."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxlab.figures import Histogram, Lines, Table
from jaxlab.protocol import Record, Report

NEARLY = 1e-3


def flat(params: Any) -> np.ndarray:
    """All parameters, biases too, [P] float64."""
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(params)])


def measures(weights: np.ndarray) -> dict[str, float]:
    """Of all parameters [P]: sum |w|, root of sum w^2, share of |w| < 0.001, share of exact zeros."""
    size = np.abs(weights)
    return {
        'weights_sum_abs': float(size.sum()),
        'weights_norm': float(np.sqrt(np.square(weights).sum())),
        'weights_near_zero': float(np.mean(size < NEARLY)),
        'weights_zero': float(np.mean(size == 0)),
    }


def report(record: Record) -> Report:
    """Metrics and sizes of every replica; the first one's weights as a histogram, and layer by layer."""
    params = [state['model'].params for state in record.states]
    found = [measures(flat(one)) for one in params]
    metrics = {name: [one[name] for one in found] for name in found[0]}
    weights = flat(params[0])
    note = f'all {weights.size:,} parameters, biases too; first replica'
    histogram = Histogram(
        'weights', 'Where the parameters lie', note, {'parameters': weights}, 60, 'value', 'parameters'
    )
    sizes = np.linspace(0, 0.5, 101)
    below = np.stack([np.mean(np.abs(flat(one))[:, None] <= sizes, axis=0) for one in params])
    curve = Lines(
        'weight_sizes',
        'How many parameters are no larger than a size',
        f'all {weights.size:,} parameters, biases too; at 0: those that are exactly 0; {len(params)} replicas',
        {'parameters': (sizes, below)},
        'size |w|',
        'share of the parameters',
        compared='parameters',
    )
    columns = ('parameters of', 'number', 'sum |w|', f'|w| < {NEARLY:g}', 'exactly 0')
    table = Table('sparsity', 'Size of the parameters', note, columns, _rows(params[0]))
    return Report((histogram, curve, table), metrics)


def _rows(params: Any) -> Sequence[tuple[Any, ...]]:
    rows = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = ' '.join(str(getattr(key, 'key', key)) for key in path)
        one = measures(np.ravel(np.asarray(leaf, np.float64)))
        shares = (f'{one[key]:.1%}' for key in ('weights_near_zero', 'weights_zero'))
        rows.append((name, int(np.size(leaf)), one['weights_sum_abs'], *shares))
    return rows
