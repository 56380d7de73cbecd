"""What the columns of a table mean, and what is predicted from them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxlab.data.sheets import Form, strange_cell
from jaxlab.data.text_files import no_column
from jaxlab.errors import UserError


@dataclasses.dataclass(frozen=True)
class Target:
    """What is predicted. A value times `factor` is in `unit`: 4.13 times 100,000 is 413,000 USD."""

    name: str
    unit: str = ''
    factor: float = 1.0
    classes: tuple[str, ...] = ()  # none: a number is predicted
    scaled: bool = False  # whether a network learns the number less its mean, over its deviation


def renamed(rows: np.ndarray, names: Mapping[str, str]) -> np.ndarray:
    """The same rows under other names of columns."""
    return rows.view(np.dtype([(names.get(name, name), rows.dtype[name]) for name in rows.dtype.names or ()]))


@dataclasses.dataclass(frozen=True)
class Schema:
    """What the rows of a table mean. texts: features that are categories; names: (name in a file, name here) of columns.

    form: how its files are written.
    """

    features: tuple[str, ...]
    target: Target
    texts: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    form: Form = Form()

    def derive(self, rows: np.ndarray) -> np.ndarray:
        """Rows of a file as rows with these columns."""
        return renamed(rows, dict(self.names)) if self.names else rows

    def check(self, rows: np.ndarray, path: Path | None = None) -> None:
        """Refuses rows that lack a column, or have text where a number must be."""
        where, names = f'{path}: ' if path else '', rows.dtype.names or ()
        for name in (*self.features, self.target.name):
            if name not in names:
                raise UserError(f'{where}{no_column(name, names)}')
        for name in self.features:
            if name not in self.texts and rows[name].dtype.kind != 'f':
                raise UserError(f'{where}{strange_cell(name, rows[name])}')
