"""Can one line do it, and with how much room? (A01, C05, C14, C18)

The decision is a linear programme, so "not separable" is a proof and not a run that was given up.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxlab.errors import UserError
from jaxlab.worked import shapes
from jaxlab.worked.shapes import Numbers


class Separability(NamedTuple):
    """`weights` have the bias first and norm 1 in (w1, w2, ...); `margin` the least distance to the line."""

    separable: bool
    weights: Float[np.ndarray, 'W'] | None
    margin: float


def signs(targets: Numbers) -> Float[np.ndarray, 'N']:
    """+1 for the larger of the two target values, -1 for the other one."""
    targets = np.asarray(targets, np.float64)
    values = np.unique(targets)
    if targets.ndim != 1 or len(values) > 2:
        raise UserError(f'separability needs one target a sample and at most two different ones, got {len(values)}')
    return np.where(targets > 0.5 * (values[0] + values[-1]), 1.0, -1.0) if len(values) == 2 else np.ones(len(targets))


def separability(inputs: Numbers, targets: Numbers) -> Separability:
    r"""Decides by a linear programme whether a line (plane, ...) separates the two classes.

    $$\max_{w, b, m} m \quad\text{with}\quad s_i (b + w\cdot x_i) \ge m,\; -1 \le w_j \le 1,\qquad s_i = \pm 1$$

    The box keeps the programme bounded; the classes are separable exactly when the best m is positive.
    """
    from scipy.optimize import linprog  # a third of a second: only where the question is asked

    points, side = np.asarray(inputs, np.float64), signs(targets)
    if points.ndim != 2:
        raise UserError(f'inputs: expected rows of numbers, got shape {points.shape}')
    shapes.same_count(points.shape[0], side.shape[0])
    count, features = points.shape
    if len(np.unique(side)) < 2:  # one class only: any line beyond all the points will do
        bias = np.zeros(1 + features)
        bias[0] = side[0]
        return Separability(True, bias, float('inf'))
    rows = np.concatenate([np.ones((count, 1)), points], axis=1) * side[:, None]
    answer = linprog(
        c=[0.0] * (1 + features) + [-1.0],
        A_ub=np.concatenate([-rows, np.ones((count, 1))], axis=1),
        b_ub=np.zeros(count),
        bounds=[(None, None)] + [(-1.0, 1.0)] * features + [(None, None)],
    )
    if not answer.success or answer.x[-1] <= 1e-9 * max(1.0, np.abs(points).max()):
        return Separability(False, None, 0.0)
    weights = answer.x[:-1] / np.linalg.norm(answer.x[1:-1])
    return Separability(True, weights, distance_to_line(weights, points, targets))


def distance_to_line(weights: Numbers, inputs: Numbers, targets: Numbers) -> float:
    """Least signed distance of a sample to the line w0 + w.x = 0, negative where one lies on the wrong side."""
    weights, points = np.asarray(weights, np.float64), np.asarray(inputs, np.float64)
    norm = np.linalg.norm(weights[1:])
    if norm == 0.0:
        return float('nan')  # zero weights draw no line
    return float(np.min(signs(targets) * (weights[0] + points @ weights[1:])) / norm)


def _augmented(inputs: Numbers, width: int) -> Float[np.ndarray, 'N W']:
    """Samples with their leading 1 where there is a bias weight; always float64."""
    points = np.asarray(inputs, np.float64)
    return points if points.shape[1] == width else np.concatenate([np.ones((len(points), 1)), points], axis=1)


def margin(weights: Numbers, inputs: Numbers) -> float:
    r"""$\gamma = \min_i |w\cdot x_i| / \lVert w\rVert$ in the augmented space (x with its 1, w with its bias)."""
    weights = np.asarray(weights, np.float64)
    rows = _augmented(inputs, len(weights))
    norm = np.linalg.norm(weights)
    return float(np.min(np.abs(rows @ weights)) / norm) if norm else float('nan')


def mistake_bound(weights: Numbers, inputs: Numbers) -> float:
    r"""Novikoff: weights that separate with margin $\gamma$ allow a zero start at most $(R/\gamma)^2$ updates."""
    rows = _augmented(inputs, len(np.asarray(weights)))
    gamma = margin(weights, inputs)
    return float(np.max(np.sum(rows**2, axis=1)) / gamma**2) if gamma > 0 else float('inf')


def line(
    weights: Numbers, level: float, x_range: tuple[float, float], y_range: tuple[float, float]
) -> Float[np.ndarray, 'M 2'] | None:
    """The part of w0 + w1 x + w2 y = level inside the box: its two ends, or None where there is no line in it.

    Holds for a vertical line (w2 = 0, where solving for y divides by zero) and for zero weights (no line at all).
    """
    w0, w1, w2 = (float(w) for w in np.asarray(weights, np.float64))
    if not np.all(np.isfinite([w0, w1, w2])) or (w1 == 0.0 and w2 == 0.0):
        return None
    # a point of the line and its direction, then both clipped by the four sides of the box
    foot = (level - w0) * np.array([w1, w2]) / (w1**2 + w2**2)
    direction = np.array([-w2, w1]) / np.hypot(w1, w2)
    first, last = -np.inf, np.inf
    for axis, (low, high) in enumerate((x_range, y_range)):
        if direction[axis] == 0.0:
            if not low <= foot[axis] <= high:
                return None
            continue
        ends = sorted(((low - foot[axis]) / direction[axis], (high - foot[axis]) / direction[axis]))
        first, last = max(first, ends[0]), min(last, ends[1])
    return np.stack([foot + first * direction, foot + last * direction]) if first < last else None
