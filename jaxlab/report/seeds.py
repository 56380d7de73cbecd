"""What many seeds of one configuration say: how its scores are distributed, and what few seeds could have shown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.figures import Figure, Histogram, Table
from jaxlab.measures.metrics import meaning
from jaxlab.report import statistics, wording

FEWEST = 20  # seeds from which on a distribution can be drawn
TRIED = (1, 3, 5, 10)


def figures(results: Mapping[str, Any]) -> list[Figure]:
    """A histogram of the main metric over the replicas, and the differences that so many seeds show; none for few."""
    name = wording.main_metric(results)
    values = np.asarray(wording.values_of((results.get('metrics') or {}).get(name) or []) if name else [])
    if name is None or len(values) < FEWEST:
        return []
    label, unit = wording.label(name), meaning(name).unit
    average, spread = statistics.mean(values), statistics.std(values)
    note = (
        f'n = {len(values)} seeds: {wording.plus_minus(average, spread)} (mean and standard deviation), median '
        f'{wording.number(float(np.median(values)))}, from {wording.number(values.min())} to {wording.number(values.max())}.'
    )
    axis = f'{label} ({unit})' if unit else label
    bins = max(10, min(30, len(values) // 4))
    return [
        Histogram('seeds', 'How much of the result is chance', note, {label: values}, bins, axis, 'seeds'),
        _table(label, spread, len(values)),
    ]


def _table(label: str, spread: float, seeds: int) -> Table:
    rows = [
        (number, *(_shown(statistics.detectable(spread, number, known), spread) for known in (False, True)))
        for number in TRIED
    ]
    note = (
        f'The smallest difference in {label} between two methods that this many seeds of each would show in four of five '
        f"comparisons (two-sided, 5 %), if both spread as these {seeds} seeds do: by Student's test of the seeds alone, and "
        'if the spread is taken as known.'
    )
    columns = ('seeds of each', 'difference seen', 'with known spread')
    return Table('seeds_needed', 'What few seeds can show', note, columns, rows, '>>>')


def _shown(difference: float, spread: float) -> str:
    return wording.aligned(difference, spread) if np.isfinite(difference) else 'none'
