"""CSV files as structured arrays: a field a column, float64 (NaN: missing) or text ('': missing)."""

import csv
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from jaxlab.data.schema import is_number
from jaxlab.errors import UserError

MISSING = ('', 'na', 'n/a', 'nan', 'null', 'none', '?')  # in any case


def read_csv(path: Path, texts: Collection[str] = (), header: bool | None = True) -> np.ndarray:
    """The rows [N] of a CSV file; columns of nothing but numbers are float64, others (and `texts`) are text.

    header: whether the first line names the columns; None: unless all of it is numbers. Without one the columns are
    'c1', 'c2' and so on.
    """
    lines = _lines(path)
    if not lines:
        raise UserError(f'{path} is empty; valid: a CSV file with names of columns in its first line')
    named = header if header is not None else not all(is_number(cell) for cell in lines[0])
    names = lines[0] if named else [f'c{number}' for number in range(1, len(lines[0]) + 1)]
    rows = lines[1:] if named else lines
    if not rows:
        raise UserError(f'{path} has no rows below the names of its columns')
    double = next((name for name in names if names.count(name) > 1 or not name), None)
    if double is not None:
        raise UserError(f'{path}: column name {double!r} occurs twice or is empty')
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise UserError(f'{path}, row {number + 1}: {len(row)} cells; valid: {len(names)}, one a column')
    columns = [_column(cells, name in texts) for name, cells in zip(names, zip(*rows, strict=True), strict=True)]
    return table(names, columns)


def table(names: Sequence[str], columns: Sequence[np.ndarray]) -> np.ndarray:
    """Columns [N] as one structured array [N]."""
    made = np.empty(len(columns[0]), [(name, values.dtype) for name, values in zip(names, columns, strict=True)])
    for name, values in zip(names, columns, strict=True):
        made[name] = values
    return made


def _lines(path: Path) -> list[list[str]]:
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            return [[_cell(cell) for cell in line] for line in csv.reader(file, strict=True) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'{path} cannot be read as CSV: {getattr(error, "strerror", None) or error}') from error


def _cell(text: str) -> str:
    """Without blanks and without the quotes that some files put inside their cells; '' where it says 'missing'."""
    text = text.strip()
    text = text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == "'" else text
    return '' if text.lower() in MISSING else text


def _column(cells: Sequence[str], text: bool) -> np.ndarray:
    if not text:
        try:
            values = np.array([cell or 'nan' for cell in cells], np.float64)
            if not np.isinf(values).any():
                return values
        except ValueError:
            pass
    return np.array(cells, np.str_)
