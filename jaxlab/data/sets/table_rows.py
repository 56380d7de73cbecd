"""Rows of a table as a `Raw`: columns that are not preprocessed yet, and the label or the target."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxlab.data.dataset import Raw, Schema, Split, Table, in_memory
from jaxlab.data.fitted.columns import Preprocessing
from jaxlab.errors import UserError


def renamed(rows: np.ndarray, names: Mapping[str, str]) -> np.ndarray:
    """The same rows under other names of columns."""
    return rows.view(np.dtype([(names.get(name, name), rows.dtype[name]) for name in rows.dtype.names or ()]))


def raw_table(
    source: str,
    rows: np.ndarray,
    schema: Schema,
    description: str,
    licence: str,
    notes: tuple[str, ...] = (),
    stand_in: bool = False,
    path: Path | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
) -> Raw:
    """One part 'all': 'columns' [N] structured, 'label' [N] int32 or 'target' [N] float32, and `extra` arrays [N]."""
    schema.check(rows, path)
    columns = rows[list(schema.features)]
    columns = columns.astype(np.dtype([(name, columns.dtype[name]) for name in schema.features]))  # packed
    answers = answer(rows, schema, path)
    digest = hashlib.sha256(repr(columns.dtype.descr).encode())
    for values in (columns, *answers.values()):
        digest.update(values.tobytes())
    return Raw(
        source=source,
        parts={'all': in_memory({'columns': columns, **answers, **(extra or {})})},
        class_names=schema.target.classes,
        description=description,
        licence=licence,
        checksum=digest.hexdigest()[:16],
        notes=notes,
        stand_in=stand_in,
        schema=schema,
        by_class=False,
    )


def answer(rows: np.ndarray, schema: Schema, path: Path | None = None) -> dict[str, np.ndarray]:
    """What is to be predicted: {'label': [N] int32} or {'target': [N] float32}."""
    target, values = schema.target, rows[schema.target.name]
    where = f'{path}: ' if path else ''
    if not target.classes:
        if values.dtype.kind != 'f' or np.isnan(values).any():
            raise UserError(f'{where}target {target.name!r} holds something that is no number')
        return {'target': values.astype(np.float32)}
    if values.dtype.kind == 'f':
        found = np.unique(values)
        if len(found) != len(target.classes) or np.isnan(found).any():
            raise UserError(f'{where}target {target.name!r} has {len(found)} values; valid: {len(target.classes)}')
        return {'label': np.searchsorted(found, values).astype(np.int32)}
    strange = ~np.isin(values, target.classes)
    if strange.any():
        row = int(strange.argmax())
        raise UserError(
            f'{where}row {row + 1}: target {target.name!r} is {str(values[row])!r}; '
            f'valid: {", ".join(target.classes[:10])}'
        )
    number = {name: at for at, name in enumerate(target.classes)}
    return {'label': np.array([number[str(value)] for value in values], np.int32)}


def with_features(
    columns: Mapping[str, Split], schema: Schema, preprocessing: Preprocessing | None = None
) -> tuple[dict[str, Split], Table, tuple[str, ...]]:
    """(splits with 'features' [N, F] float32, what made them, notes). None: fitted on the training rows."""
    if preprocessing is None:
        preprocessing = Preprocessing.fit(_columns(columns['train']), schema.target)
    fitted = tuple(column.name for column in preprocessing.columns)
    if fitted != schema.features:
        raise UserError(
            f'the preprocessing was fitted on the columns {", ".join(fitted)}; here are {", ".join(schema.features)}'
        )
    splits, notes = {}, []
    for name, split in columns.items():
        rows = _columns(split)
        rest = {key: values for key, values in (split.arrays or {}).items() if key != 'columns'}
        splits[name] = Split(
            split.size, {'features': preprocessing.apply(rows), **rest}, split.origin, labels=split.labels
        )
        notes += [
            f'{count} rows of {name} hold a category of {column!r} that no training row has; it counts as missing.'
            for column, count in preprocessing.unseen(rows).items()
        ]
    return splits, Table(columns, schema, preprocessing), tuple(notes)


def _columns(split: Split) -> np.ndarray:
    return (split.arrays or {})['columns']
