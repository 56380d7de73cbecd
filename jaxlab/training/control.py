"""Decisions of the loop as pure functions of logs and history: means, divergence, reasons to stop."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.errors import UserError, closest
from jaxlab.measures.stopping import waiting

Logs = Mapping[str, np.ndarray]  # metric -> [replicas, steps, 2]: (total, weight)

HINT = 'try a smaller learning_rate or optimizer.clip_norm=1.0'


class Diverged(UserError):
    """A loss that is not finite: the run ends, the last good checkpoint stays."""


def epoch_means(logs: Logs) -> dict[str, list[float]]:
    """Exact means over all examples, one a replica; summed in float64."""
    sums = {name: log.astype(np.float64).sum(axis=1) for name, log in logs.items()}
    return {name: (total[:, 0] / np.maximum(total[:, 1], 1e-300)).tolist() for name, total in sums.items()}


def step_means(logs: Logs, steps: int) -> dict[str, np.ndarray]:
    """metric -> [replicas, steps]: the mean of each update's batch."""
    return {name: log[:, :steps, 0] / np.maximum(log[:, :steps, 1], 1e-30) for name, log in logs.items()}


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
    """Path of the first number in a tree that is NaN or infinite, or ''. Arrays on devices are looked at there."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array, finite = (leaf, jnp.isfinite) if isinstance(leaf, jax.Array) else (np.asarray(leaf), np.isfinite)
        # Not np.issubdtype: to it bfloat16 is no kind of number.
        if jnp.issubdtype(array.dtype, jnp.inexact) and not finite(array).all():
            return jax.tree_util.keystr(path, simple=True, separator='/')
    return ''


def padded_steps(chunk: np.ndarray, size: int) -> np.ndarray:
    """A short last block of steps [replicas, steps, ...] brought to `size` steps, so that one program serves all."""
    missing = size - chunk.shape[1]
    if not missing:
        return chunk
    return np.pad(chunk, ((0, 0), (0, missing), *((0, 0),) * (chunk.ndim - 2)), constant_values=-1)


def watched(config: Any, splits: Container[str]) -> tuple[str, ...]:
    """The splits that are measured while training goes on: those of `training.watch` that the data has."""
    for name in config.training.watch:
        if name not in ('validation', 'test'):
            raise UserError(f'config.training.watch names {name!r}; valid: a tuple of validation, test')
    return tuple(name for name in config.training.watch if name in splits)


def check_decisions(config: Any) -> None:
    """Refuses a decision that has no metric, or one of the test split: what shows without data."""
    training = config.training
    if not training.best_metric and (training.patience or training.restore_best):
        field = 'patience' if training.patience else 'restore_best'
        raise UserError(
            f"config.training.{field} needs config.training.best_metric; valid: 'validation_loss', 'train_loss'"
        )
    for field, metric in decisive(config).items():
        check_honest(field, metric)


def check_metrics(config: Any, watched: Sequence[str]) -> None:
    """Refuses, before the first step, a decision that has no metric and a metric that is never measured."""
    check_decisions(config)
    splits = ('train', *(name for name in watched if name != 'test')) if config.training.eval_every else ('train',)
    for field, metric in decisive(config).items():
        if metric.partition('_')[0] not in splits:
            raise UserError(
                f'{field} = {metric!r} is not measured while training; valid: a metric of {" or ".join(splits)} (a validation '
                'split: config.data.validation_fraction=0.1 with config.training.eval_every=1)'
            )


def check_honest(field: str, metric: str) -> None:
    """Refuses to choose by the test split: the number that is reported of it would be the best of several."""
    if metric.startswith('test_'):
        raise UserError(
            f'{field} = {metric!r} would choose by the test split, which is there to judge the choice; valid: a metric of '
            f"train or validation, such as 'validation_{metric.removeprefix('test_')}' with config.data.validation_fraction=0.1"
        )


def decisive(config: Any) -> dict[str, str]:
    """Field -> the metric in it that a decision waits for."""
    plateau = config.optimizer.get('plateau') or {}
    found = {
        'config.training.best_metric': config.training.best_metric,
        'config.training.stop_at.metric': config.training.stop_at.get('metric', ''),
        'config.optimizer.plateau.metric': plateau.get('metric', ''),
    }
    return {field: metric for field, metric in found.items() if metric}


def check_measured(config: Any, row: Mapping[str, Any], evaluated: bool) -> None:
    """Refuses a metric that is not in the first row that should have it."""
    for field, metric in decisive(config).items():
        if metric not in row and (evaluated or metric.startswith('train_')):
            names = [name for name, value in row.items() if isinstance(value, list)]
            raise UserError(f'{field} = {metric!r} is not measured; {closest(metric, names)}')


def is_new_best(training: Any, history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last row holds the best `best_metric` so far: its state is the one that `restore_best` takes."""
    metric = training.best_metric
    if not metric or metric not in history[-1]:
        return False
    sign = 1.0 if training.best_mode == 'min' else -1.0
    values = [sign * float(np.mean(row[metric])) for row in history if metric in row]
    return all(values[-1] < before for before in values[:-1])


def reason_to_stop(training: Any, history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Why training ends after this history: an aim reached, or no better value for `patience` evaluations."""
    aim = training.stop_at
    last = history[-1]
    if aim and aim['metric'] in last and all(value <= aim['value'] for value in last[aim['metric']]):
        return {'reason': f'{aim["metric"]} reached {aim["value"]:g} in epoch {last["epoch"]}', 'epoch': last['epoch']}
    rows = [row for row in history if training.best_metric in row]
    if not training.patience or training.best_metric not in last:
        return None
    values = [float(np.mean(row[training.best_metric])) for row in rows]
    now = waiting(values, training.best_mode, training.min_delta)[-1]
    if now.waited < training.patience:
        return None
    best_epoch = rows[now.at]['epoch']
    words = (
        f'{training.best_metric} was not better than {now.best:.4g} (epoch {best_epoch}) for {now.waited} evaluations'
    )
    return {'reason': words, 'epoch': last['epoch'], 'best_epoch': best_epoch}
