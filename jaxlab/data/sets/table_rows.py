"""Rows of a table as a `Raw`: columns that are not preprocessed yet, and the label or the target."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Columns, Feature, Value
from jaxlab.data.schema import Schema, Target
from jaxlab.errors import UserError

MOST = 1e18  # of a target: its square is a float32, too


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
        features={'features': Columns(schema), **_predicted(schema.target)},
        description=description,
        licence=licence,
        checksum=digest.hexdigest()[:16],
        notes=notes,
        stand_in=stand_in,
        by_class=False,
    )


def _predicted(target: Target) -> dict[str, Feature]:
    """The field that `answer` makes."""
    if target.classes:
        return {'label': ClassLabel(target.classes)}
    return {'target': Value(target.name, target.unit, target.factor, target.scaled)}


def answer(rows: np.ndarray, schema: Schema, path: Path | None = None) -> dict[str, np.ndarray]:
    """What is to be predicted: {'label': [N] int32} or {'target': [N] float32}."""
    target, values = schema.target, rows[schema.target.name]
    where = f'{path}: ' if path else ''
    if not target.classes:
        if values.dtype.kind != 'f' or np.isnan(values).any():
            raise UserError(f'{where}target {target.name!r} holds something that is no number')
        if np.abs(values).max() > MOST:
            raise UserError(
                f'{where}target {target.name!r} holds {values[np.abs(values).argmax()]:g}; valid: below {MOST:g}'
            )
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
