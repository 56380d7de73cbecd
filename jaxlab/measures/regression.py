"""Regression metrics on the host: targets and predictions [N] or [N, D], in the target's own units, float64 inside."""

import numpy as np


def mean_squared_error(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Mean of `(y - t)^2` over all elements."""
    return float(np.mean(np.square(_errors(targets, predictions))))


def root_mean_squared_error(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Root of the mean squared error: in the target's units."""
    return mean_squared_error(targets, predictions) ** 0.5


def mean_absolute_error(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Mean of `|y - t|` over all elements."""
    return float(np.mean(np.abs(_errors(targets, predictions))))


def r2(targets: np.ndarray, predictions: np.ndarray) -> float:
    """`1 - sum (y - t)^2 / sum (t - mean t)^2`, mean over columns; NaN where the targets do not vary.

    0 is what the mean of these targets reaches, so negative is worse than a constant.
    """
    errors = _errors(targets, predictions).reshape(len(targets), -1)
    targets = np.asarray(targets, np.float64).reshape(len(targets), -1)
    spread = np.square(targets - targets.mean(axis=0)).sum(axis=0)
    if not spread.all():
        return float('nan')
    return float(np.mean(1 - np.square(errors).sum(axis=0) / spread))


def regression_metrics(targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """All of the above, by name."""
    return {
        'mse': mean_squared_error(targets, predictions),
        'rmse': root_mean_squared_error(targets, predictions),
        'mae': mean_absolute_error(targets, predictions),
        'r2': r2(targets, predictions),
    }


def _errors(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    targets, predictions = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    if targets.shape != predictions.shape:  # [N] against [N, 1] would broadcast to [N, N]
        raise ValueError(f'targets {targets.shape} and predictions {predictions.shape} differ in shape')
    return predictions - targets
