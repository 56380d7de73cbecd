"""Decisions of the loop as pure functions of logs and history: means, divergence, reasons to stop."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxlab.errors import UserError

Logs = Mapping[str, np.ndarray]  # metric -> [replicas, steps, 2]: (total, weight)

HINT = 'try a smaller learning_rate or optimizer.clip_norm=1.0'


class Diverged(UserError):
    """A loss that is not finite: the run ends, the last good checkpoint stays."""


def epoch_means(logs: Logs) -> dict[str, list[float]]:
    """Exact means over all examples, one a replica; summed in float64."""
    sums = {name: log.astype(np.float64).sum(axis=1) for name, log in logs.items()}
    return {name: (total[:, 0] / np.maximum(total[:, 1], 1e-300)).tolist() for name, total in sums.items()}


def means(logs: Logs, start: int, stop: int) -> dict[str, float]:
    """Means over some steps and all replicas, for a progress bar."""
    part = {name: log[:, start:stop] for name, log in logs.items()}
    return {name: float(np.mean(values)) for name, values in epoch_means(part).items()}


def first_not_finite(logs: Logs, start: int, stop: int) -> tuple[str, int, int] | None:
    """(metric, replica, step) of the first value that is not finite, or None."""
    found = []
    for name, log in logs.items():
        replicas, steps = np.nonzero(~np.isfinite(log[:, start:stop]).all(axis=2))
        if len(steps):
            first = int(np.argmin(steps))
            found.append((int(steps[first]) + start, int(replicas[first]), name))
    if not found:
        return None
    step, replica, name = min(found)
    return name, replica, step


def not_finite(tree: Any) -> str:
    """Path of the first number in a tree that is NaN or infinite, or ''."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if np.issubdtype(np.result_type(leaf), np.inexact) and not np.isfinite(leaf).all():
            return jax.tree_util.keystr(path, simple=True, separator='/')
    return ''


def padded_steps(chunk: np.ndarray, size: int) -> np.ndarray:
    """A short last block of steps [replicas, steps, batch] brought to `size` steps, so that one program serves all."""
    missing = size - chunk.shape[1]
    return np.pad(chunk, ((0, 0), (0, missing), (0, 0)), constant_values=-1) if missing else chunk


def reason_to_stop(training: Any, history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Why training ends after this history: an aim reached, or no better value for `patience` evaluations."""
    aim = training.stop_at
    last = history[-1]
    if aim:
        values = last.get(aim['metric'])
        if values is None:
            raise UserError(
                f'config.training.stop_at.metric = {aim["metric"]!r} is not measured; valid: {measured(last)}'
            )
        if all(value <= aim['value'] for value in values):
            return {
                'reason': f'{aim["metric"]} reached {aim["value"]:g} in epoch {last["epoch"]}',
                'epoch': last['epoch'],
            }
    if not training.patience:
        return None
    rows = [row for row in history if training.best_metric in row]
    if not rows:
        raise UserError(
            f'config.training.best_metric = {training.best_metric!r} is not measured; valid: {measured(last)}'
        )
    sign = 1.0 if training.best_mode == 'min' else -1.0
    best, best_epoch, waited = np.inf, 0, 0
    for row in rows:
        value = sign * float(np.mean(row[training.best_metric]))
        if value < best - training.min_delta:
            best, best_epoch, waited = value, row['epoch'], 0
        else:
            waited += 1
    if waited < training.patience:
        return None
    words = (
        f'{training.best_metric} was not better than {sign * best:.4g} (epoch {best_epoch}) for {waited} evaluations'
    )
    return {'reason': words, 'epoch': last['epoch'], 'best_epoch': best_epoch}


def measured(row: Mapping[str, Any]) -> str:
    """Names of the metrics in a row."""
    return ', '.join(name for name, value in row.items() if isinstance(value, list))
