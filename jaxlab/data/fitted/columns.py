"""From the columns of a table to what a network is given: missing values filled, categories coded, features scaled.

Everything is fitted on the training rows alone and can be written to a file that a reader understands. A table in memory
is a structured array [N]: a field a column, float64 (NaN: missing) or text ('': missing).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.data.schema import Target
from jaxlab.data.sheets import strange_cell
from jaxlab.errors import UserError, closest


@dataclasses.dataclass(frozen=True)
class Column:
    """One column and the features made of it: a number gives one; two categories give one (0 or 1), more give one each.

    fill: what a missing value counts as (the median, or the most frequent category). mean, scale: one a feature; a feature
    becomes (value - mean) / scale.
    """

    name: str
    kind: str  # 'number' or 'category'
    fill: float | str
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    categories: tuple[str, ...] = ()

    @classmethod
    def fit(cls, name: str, values: np.ndarray) -> 'Column':
        """values: [N] float64 or text, the training rows."""
        present = values[~_missing(values)]
        if not present.size:
            raise UserError(f'column {name!r} has no value in the training rows; leave it out of data.options.features')
        if values.dtype.kind == 'f':
            plain = cls(name, 'number', float(np.median(present)), (0.0,), (1.0,))
        else:
            found, counts = np.unique(present, return_counts=True)
            categories = tuple(str(value) for value in found)
            count = 1 if len(categories) < 3 else len(categories)
            plain = cls(name, 'category', categories[counts.argmax()], (0.0,) * count, (1.0,) * count, categories)
        features = plain.apply(values)
        with np.errstate(over='ignore', invalid='ignore'):
            spread = features.std(axis=0)  # over N, as scikit-learn's StandardScaler
        if not np.isfinite(spread).all():
            raise UserError(f'column {name!r} holds numbers up to {np.abs(present).max():g}; valid: below about 1e150')
        scale = np.where(spread > 0, spread, 1.0)
        return dataclasses.replace(plain, mean=tuple(map(float, features.mean(axis=0))), scale=tuple(map(float, scale)))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One a feature: 'Age', 'Sex = male', or 'Port = C', 'Port = Q', 'Port = S'."""
        if self.kind == 'number':
            return (self.name,)
        shown = self.categories[-1:] if len(self.categories) < 3 else self.categories
        return tuple(f'{self.name} = {category}' for category in shown)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """[N] -> [N, features] float64. What training never saw counts as missing."""
        if self.kind == 'number':
            features = np.where(np.isnan(values), self.fill, values)[:, None]
        else:
            known = np.where(np.isin(values, self.categories), values, self.fill)
            codes = np.searchsorted(self.categories, known)
            features = codes[:, None] if len(self.categories) < 3 else np.eye(len(self.categories))[codes]
        return (features - np.array(self.mean)) / np.array(self.scale)

    def unknown(self, values: np.ndarray) -> np.ndarray:
        """[N] bool: categories that training never saw."""
        if self.kind == 'number':
            return np.zeros(len(values), bool)
        return ~_missing(values) & ~np.isin(values, self.categories)

    def checked(self, values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """A user's values [N] in the column's own form, or a `UserError` that names the row and what is valid.

        numbers: [N], which row of the file each is.
        """
        if self.kind == 'number' and values.dtype.kind != 'f':
            raise UserError(strange_cell(self.name, values, numbers))
        values = values.astype(str) if self.kind == 'category' else values
        strange = self.unknown(values)
        if strange.any():
            row = int(strange.argmax())
            raise UserError(
                f'row {numbers[row]}, column {self.name!r}: unknown category {str(values[row])!r}; '
                f'{closest(str(values[row]), self.categories)}'
            )
        return values


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """The columns in the order of the features, and what is predicted from them. rows: how many it was fitted on."""

    columns: tuple[Column, ...]
    target: Target
    rows: int

    @classmethod
    def fit(cls, table: np.ndarray, target: Target) -> 'Preprocessing':
        """table: the training rows."""
        names = table.dtype.names or ()
        return cls(tuple(Column.fit(name, table[name]) for name in names), target, len(table))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(name for column in self.columns for name in column.feature_names)

    def apply(self, table: np.ndarray) -> np.ndarray:
        """[N] rows -> [N, F] float32."""
        features = [column.apply(table[column.name]) for column in self.columns]
        return _single(np.concatenate(features, axis=1))

    def apply_to_input(self, table: np.ndarray, numbers: np.ndarray | None = None) -> np.ndarray:
        """The same for rows that a user hands in: nothing may be missing from the columns, nothing unknown in them.

        numbers: which rows of the file they are (None: all of them, from 1).
        """
        numbers = np.arange(1, len(table) + 1) if numbers is None else numbers
        names = table.dtype.names or ()
        missing = [column.name for column in self.columns if column.name not in names]
        if missing:
            raise UserError(f'column {missing[0]!r} is missing; needed are {", ".join(c.name for c in self.columns)}')
        features = [column.apply(column.checked(table[column.name], numbers)) for column in self.columns]
        return _single(np.concatenate(features, axis=1))

    def unseen(self, table: np.ndarray) -> dict[str, int]:
        """Column -> how many rows hold a category that training never saw, where any do."""
        counts = {column.name: int(column.unknown(table[column.name]).sum()) for column in self.columns}
        return {name: count for name, count in counts.items() if count}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> 'Preprocessing':
        """From what runs of earlier versions keep: `dataclasses.asdict` of it."""
        try:
            columns = tuple(
                Column(**{name: _tuple(value) for name, value in one.items()}) for one in content['columns']
            )
            target = Target(**{name: _tuple(value) for name, value in content['target'].items()})
            return cls(columns, target, content['rows'])
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"what the run keeps of its table's columns cannot be read ({error}); train again"
            ) from error


def _single(features: np.ndarray) -> np.ndarray:
    """As float32; what is larger than its largest number becomes that."""
    most = np.finfo(np.float32).max
    return np.clip(features, -most, most).astype(np.float32)


def _missing(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == 'f' else values == ''


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
