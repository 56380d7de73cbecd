"""Rows of a table as a reader knows them: the columns of the file, in their own units, beside what was predicted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.figures import Table

MOST_COLUMNS = 10  # wider tables cannot be read


def feature_names(data: Dataset) -> tuple[str, ...]:
    """One a feature; of data without a table x1, x2 and so on."""
    if data.table is not None:
        return data.table.preprocessing.feature_names
    width = data.splits['train'].read([0])['features'].shape[1]
    return tuple(f'x{number}' for number in range(1, width + 1))


def cells(data: Dataset, split: str, rows: Sequence[int] | np.ndarray) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """(names of columns, one tuple a row) of a split, before any preprocessing where that is known."""
    rows = np.asarray(rows, np.int64)
    if data.table is not None and split in data.table.columns:
        source = (data.table.columns[split].arrays or {})['columns'][rows]
        names = tuple(source.dtype.names or ())[:MOST_COLUMNS]
        return names, [tuple(_shown(row[name]) for name in names) for row in source]
    features = data.splits[split].read(rows)['features'][:, :MOST_COLUMNS]
    return feature_names(data)[:MOST_COLUMNS], [tuple(map(float, row)) for row in features]


def row_table(
    name: str,
    title: str,
    note: str,
    data: Dataset,
    split: str,
    rows: Sequence[int] | np.ndarray,
    beside: Mapping[str, Sequence[Any]],
) -> Table:
    """The columns of these rows, after the columns `beside` (name -> one value a row)."""
    names, values = cells(data, split, rows)
    width = len(feature_names(data))
    if width > len(names):
        note = f'{note}; the first {len(names)} columns'
    lines = [(*first, *rest) for first, rest in zip(zip(*beside.values(), strict=True), values, strict=True)]
    return Table(name, title, note, (*beside, *names), lines, decimals=3)


def _shown(value: Any) -> Any:
    if isinstance(value, np.floating):
        return '–' if np.isnan(value) else int(value) if float(value).is_integer() else float(value)
    return str(value) or '–'
