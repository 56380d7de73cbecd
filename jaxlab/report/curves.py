"""The learning curves of a run, made from its history."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.figures import Lines
from jaxlab.measures.metrics import meaning, split_of
from jaxlab.report import wording

NOT_METRICS = ('epoch', 'step', 'seconds', 'steps_per_second', 'examples_per_second')
CHANGING_MODEL = (
    'A training value of an epoch averages a model that changes while it is measured (dropout and augmentation on); '
    'it is not comparable with the other splits, which are measured after the epoch.'
)


def history_figures(
    history: Sequence[Mapping[str, Any]],
    published: Mapping[str, Any] | None = None,
    lines: Mapping[str, Mapping[str, float]] | None = None,
    restored: int | None = None,
) -> list[Lines]:
    """One plot a metric, with its splits together, every replica, and the published value as a line.

    lines: metric -> {label: height}, further horizontal lines (what theory predicts, chance); a metric without a split
    means that of every split. Metrics of several networks that end in the same word (`generator_loss`,
    `discriminator_loss`) share a plot.
    """
    names = list(dict.fromkeys(name for row in history for name in row if _is_metric(row, name)))
    metrics = list(dict.fromkeys(split_of(name)[1] for name in names))
    families: dict[str, list[str]] = {}
    for metric in metrics:
        families.setdefault(_family(metric, metrics), []).append(metric)
    order = sorted(
        families, key=lambda family: (family != 'loss', meaning(family).better == 0, list(families).index(family))
    )
    figures = [_figure(family, families[family], history, names, published or {}, lines or {}) for family in order]
    mark = {} if restored is None else {f'restored: epoch {restored}': float(restored)}
    return [dataclasses.replace(figure, vertical=mark) for figure in figures]


def step_figures(step_logs: Sequence[tuple[int, Mapping[str, np.ndarray]]]) -> list[Lines]:
    """The losses of every single update; step_logs: (epoch, metric -> [replicas, steps])."""
    if not step_logs:
        return []
    losses = [metric for metric in step_logs[0][1] if metric.endswith('loss')]
    figures = []
    for metric in losses:
        values = np.concatenate([arrays[metric] for _, arrays in step_logs], axis=1)
        steps = np.arange(1, values.shape[1] + 1)
        note = f'{values.shape[1]:,} updates, n = {len(values)} replicas; each value is the mean of one batch before its update.'
        title = f'{wording.capital(wording.words(metric))} of every update'
        series = {'batch': (steps, values)}
        figures.append(Lines(f'steps_{metric}', title, note, series, x_label='update', y_label=wording.words(metric)))
    return figures


def _family(metric: str, metrics: Sequence[str]) -> str:
    """The last word of a metric that shares it with another one, else the metric itself."""
    last = metric.rpartition('_')[2]
    kin = [other for other in metrics if other.rpartition('_')[2] == last and '_' in other]
    return last if metric in kin and len(kin) > 1 and last not in metrics else metric


def _figure(
    family: str,
    metrics: Sequence[str],
    history: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    published: Mapping[str, Any],
    expected: Mapping[str, Mapping[str, float]],
) -> Lines:
    ours = [name for name in names if split_of(name)[1] in metrics]
    ours.sort(key=lambda name: ('train', 'validation', 'test', '').index(split_of(name)[0]))
    labels = _labels(ours, len(metrics) > 1)
    series = {labels[name]: curve(history, name) for name in ours}
    replicas = max(len(y) for _, y in series.values())
    lines = {}
    for name in ours:
        value = published_value(published.get(name))
        if value is not None:
            lines[f'published, {labels[name]} ({wording.number(value)})'] = value
        lines |= lines_of(name, expected)
    note = (
        f'n = {replicas} replicas (thin) and their mean (thick).'
        if replicas > 1
        else 'One curve: one replica, or the same in all.'
    )
    if any(name.startswith('train_') for name in ours):
        note += '\n' + CHANGING_MODEL
    unit = meaning(family).unit
    label = wording.words(family)
    return Lines(
        name=f'curve_{family}',
        title=f'{wording.capital(label)} while training',
        note=note,
        series=series,
        x_label='epoch' if 'epoch' in history[0] else 'step',
        y_label=f'{label} ({unit})' if unit else label,
        markers=len(history) <= 12,
        horizontal=lines,
        y_log=spans_decades(series),
    )


def lines_of(name: str, lines: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """The horizontal lines for a metric: those of its own name, else those for every split of it."""
    return lines.get(name) or lines.get(split_of(name)[1], {})


def _labels(names: Sequence[str], several: bool) -> dict[str, str]:
    """What a curve is called: its split, or its metric (and its split, where there are several) in a shared plot."""
    splits = {name: split_of(name)[0] for name in names}
    found = {}
    for name, split in splits.items():
        split_word, metric_word = wording.SPLIT_WORDS.get(split, ''), wording.words(split_of(name)[1])
        if several:
            found[name] = f'{metric_word}, {split_word}' if len(set(splits.values())) > 1 else metric_word
        else:
            found[name] = split_word if split else wording.words(name)
    return found


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


def spans_decades(series: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bool:
    """A logarithmic axis where all values are positive and span more than two and a half decades."""
    values = np.concatenate([np.ravel(y) for _, y in series.values()])
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() / values.min() > 300)
