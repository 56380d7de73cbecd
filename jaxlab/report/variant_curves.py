"""The learning curves of all variants in one plot a metric, over epochs, updates, examples or seconds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.figures import Figure, Lines
from jaxlab.measures.metrics import split_of
from jaxlab.report import curves, statistics, wording

AXES = {  # what `report.x_axes` may name -> (words of the title, label of the axis)
    'epoch': ('', 'epoch'),
    'updates': (', by updates', 'updates'),
    'examples': (', by training examples seen', 'training examples seen'),
    'seconds': (', by time', 'seconds of training, all replicas together'),
}
DECADES = 300.0  # largest over smallest place above which the axis is logarithmic
MOST = 4  # metrics of the evaluated splits that are drawn


def variant_curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]], runs: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> list[Lines]:
    """Curves of the metrics and of the training loss over the first axis, over the others of the first metric and the
    training loss. histories, runs: variant -> rows, results; names: the compared metrics, the main one first."""
    wished = next(iter(runs.values()), {}).get('curves') or {}
    first, *others = [axis for axis in wished.get('x_axes') or ('epoch',) if axis in AXES] or ['epoch']
    losses = [] if 'train_loss' in names else ['train_loss']
    wanted = [(name, first) for name in [*names[:MOST], *losses]]
    wanted += [(name, axis) for name in dict.fromkeys([*names[:1], 'train_loss']) for axis in others]
    made = (_figure(histories, runs, name, axis, wished.get('lines') or {}) for name, axis in wanted)
    return [figure for figure in made if figure is not None]


def curves_to_keep(figures: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """The curves of a report that name a series to be compared, as `curves.json` holds them: name -> x [T], y [R, T] ..."""
    found = {}
    for figure in figures:
        if isinstance(figure, Lines) and figure.compared in figure.series:
            x, y = figure.series[figure.compared]
            texts = {key: getattr(figure, key) for key in ('title', 'x_label', 'y_label', 'note')}
            lines = dict(figure.horizontal)
            found[figure.name] = {**texts, 'horizontal': lines, 'x': x.tolist(), 'y': np.atleast_2d(y).tolist()}
    return found


def overlaid(found: Mapping[str, Mapping[str, Any]]) -> list[Lines]:
    """One figure a curve that all variants have: means of the replicas with intervals. found: variant -> `curves_to_keep`."""
    shared = [name for name in next(iter(found.values()), {}) if all(name in each for each in found.values())]
    return [_overlay(name, {variant: each[name] for variant, each in found.items()}) for name in shared]


def _overlay(name: str, found: Mapping[str, Mapping[str, Any]]) -> Lines:
    """The mean of each variant; at each x Student's interval of the mean, where there are replicas."""
    first = next(iter(found.values()))
    values = {variant: np.asarray(each['y'], np.float64) for variant, each in found.items()}
    series = {variant: (np.asarray(found[variant]['x']), y.mean(axis=0)) for variant, y in values.items()}
    bands = {}
    for variant, y in values.items():
        ends = [statistics.metric_interval(column, bounded=True) for column in y.T]
        if all(end is not None for end in ends):
            low, high = (np.array([getattr(end, side) for end in ends]) for side in ('low', 'high'))
            bands[variant] = (low, high)
    replicas = min(map(len, values.values()))
    sizes = first['note'].partition(';')[0]  # what the curve was measured on; the rest speaks of one variant
    note = f'{sizes}; {replicas} replicas of each variant: means'
    note += "; bands: 95 % intervals of the mean at each place (Student's t)." if bands else '.'
    return Lines(
        f'variants_{name}',
        f'{first["title"]}: all variants',
        note,
        series,
        first['x_label'],
        first['y_label'],
        horizontal=first['horizontal'],
        bands=bands,
    )


def places(history: Sequence[Mapping[str, Any]], run: Mapping[str, Any], axis: str) -> np.ndarray:
    """Where each row of a history lies on an axis. examples: a short last batch counts as its epoch's share."""
    if axis == 'examples':
        size = ((run.get('data') or {}).get('examples') or {}).get('train') or math.nan
        scale = size / (run.get('steps_per_epoch') or math.nan)
    else:
        scale = 1
    key = {'epoch': 'epoch', 'seconds': 'seconds'}.get(axis, 'step')
    return np.array([row.get(key, math.nan) for row in history], np.float64) * scale


def _figure(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    runs: Mapping[str, Mapping[str, Any]],
    name: str,
    axis: str,
    lines: Mapping[str, Mapping[str, float]],
) -> Lines | None:
    series = {}
    for variant, history in histories.items():
        rows = [row for row in history if row.get(name) is not None]
        if rows:
            series[variant] = (places(rows, runs.get(variant, {}), axis), curves.curve(rows, name)[1])
    if len(series) < 2:
        return None
    replicas = max(len(y) for _, y in series.values())
    note = f'n = {replicas} replicas of each variant (thin) and their mean (thick).' if replicas > 1 else 'n = 1 each.'
    if split_of(name)[0] == 'train':
        note += '\n' + curves.CHANGING_MODEL
    label = wording.label(name)
    words, x_label = AXES[axis]
    at = np.concatenate([x for x, _ in series.values()])
    return Lines(
        f'variants_curve_{name}' + ('' if axis == 'epoch' else f'_by_{axis}'),
        f'{wording.capital(label)} while training{words}',
        note,
        series,
        x_label,
        label,
        x_log=bool(at.min() > 0 and at.max() / at.min() > DECADES),
        markers=max(len(x) for x, _ in series.values()) <= 20,
        horizontal=curves.lines_of(name, lines),
        y_log=curves.spans_decades(series),
    )
