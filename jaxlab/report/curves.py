"""The learning curves of a run, made from its history."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.figures import Lines
from jaxlab.report import wording

NOT_METRICS = ('epoch', 'step', 'seconds', 'steps_per_second', 'examples_per_second')
CHANGING_MODEL = (
    'A training value of an epoch averages a model that changes while it is measured (dropout and augmentation on); '
    'it is not comparable with the other splits, which are measured after the epoch.'
)


def history_figures(history: Sequence[Mapping[str, Any]], published: Mapping[str, Any] | None = None) -> list[Lines]:
    """One plot a metric, with its splits together, every replica, and the published value as a line."""
    names = list(dict.fromkeys(name for row in history for name in row if _is_metric(row, name)))
    metrics = list(dict.fromkeys(wording.split_of(name)[1] for name in names))
    order = sorted(
        metrics, key=lambda metric: (metric != 'loss', wording.direction(metric) == 0, metrics.index(metric))
    )
    return [_figure(metric, history, names, published or {}) for metric in order]


def _figure(
    metric: str, history: Sequence[Mapping[str, Any]], names: Sequence[str], published: Mapping[str, Any]
) -> Lines:
    ours = [name for name in names if wording.split_of(name)[1] == metric]
    ours.sort(key=lambda name: ('train', 'validation', 'test', '').index(wording.split_of(name)[0]))
    splits = {name: wording.split_of(name)[0] for name in ours}
    series = {wording.SPLIT_WORDS[splits[n]] if splits[n] else wording.words(n): curve(history, n) for n in ours}
    replicas = max(len(y) for _, y in series.values())
    lines = {}
    for name in ours:
        value = published_value(published.get(name))
        if value is not None:
            lines[f'published, {wording.SPLIT_WORDS[wording.split_of(name)[0]]} ({wording.number(value)})'] = value
    note = (
        f'n = {replicas} replicas (thin) and their mean (thick).'
        if replicas > 1
        else 'One curve: one replica, or the same in all.'
    )
    if any(name.startswith('train_') for name in ours):
        note += '\n' + CHANGING_MODEL
    unit = wording.UNITS.get(metric) or ('share' if wording.is_bounded(metric) else '')
    label = wording.words(metric)
    return Lines(
        name=f'curve_{metric}', title=f'{label[:1].upper()}{label[1:]} while training', note=note, series=series,
        x_label='epoch' if 'epoch' in history[0] else 'step', y_label=f'{label} ({unit})' if unit else label,
        markers=len(history) <= 12, horizontal=lines, y_log=_spans_decades(series),
    )  # fmt: skip


def curve(history: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """x [T] and y [R, T] of one metric, from the rows that have it; what is missing in a row is NaN."""
    rows = [(i, row) for i, row in enumerate(history) if _is_metric(row, name)]
    place = 'epoch' if 'epoch' in history[0] else 'step'
    replicas = max(len(_values(row[name])) for _, row in rows)
    y = np.full((replicas, len(rows)), math.nan)
    for column, (_, row) in enumerate(rows):
        values = _values(row[name])
        y[: len(values), column] = values
    if (y == y[:1]).all():  # the same in every replica (a schedule): one line says it
        y = y[:1]
    return np.array([row.get(place, i + 1) for i, row in rows]), y


def published_value(entry: Any) -> float | None:
    """The number of one entry of `results['published']`."""
    value = entry.get('value') if isinstance(entry, Mapping) else entry
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _values(value: Any) -> list[float]:
    array = value if isinstance(value, list | tuple | np.ndarray) else [value]
    return [math.nan if each is None else float(each) for each in array]


def _is_metric(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    if name in NOT_METRICS or value is None or isinstance(value, str | bool | Mapping):
        return False
    return not isinstance(value, list | tuple) or (len(value) > 0 and not isinstance(value[0], str))


def _spans_decades(series: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bool:
    """A logarithmic axis where all values are positive and span more than two and a half decades."""
    values = np.concatenate([np.ravel(y) for _, y in series.values()])
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() / values.min() > 300)
