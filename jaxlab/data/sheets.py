"""CSV files as people have them, read by pyarrow: separators, decimal commas and encodings are found out or said.

A table in memory is a structured array [N]: a field a column, float64 (NaN: missing) or text ('': missing). A column is one
of numbers where every cell is a number or says that it is missing. In a column of texts only an empty cell is missing:
'None' and 'NA' are words there, unless `Form.missing` names them.
"""

import codecs
import csv
import dataclasses
import io
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data import points
from jaxlab.data.text_files import text_of
from jaxlab.errors import UserError

MISSING = ('', 'na', 'n/a', '#n/a', 'nan', 'null', 'none', '?')  # of numbers, in any case
SEPARATORS = (',', ';', '\t', '|')
NAMES = {',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars'}
NUMBER = r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?'
COMMA = r'[+-]?\d*,\d+([eE][+-]?\d+)?'  # a decimal comma, or thousands
ALIKE = (
    r"[$€£]?\s?[+-]?(\d+[.,]?\d*|[.,]\d+|\d{1,3}([,.' ]\d{3})+([.,]\d+)?)([eE][+-]?\d+)?\s?[%$€£]?"  # meant as numbers
)
SAID = re.compile(r'\s*"?sep=(.)"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)  # a first line that names the separator
MOST_LINES = 4  # line breaks in a cell from which on it is asked whether they are rows
SAMPLE = 50  # rows by which a separator is recognised
MOST_BYTES = 2**31 - 1  # of one block, as pyarrow reads
FORM = {'separator': '', 'decimal': '', 'thousands': '', 'encoding': '', 'missing': ()}  # options of a data set


@dataclasses.dataclass(frozen=True)
class Form:
    """How a file is written; '' is found out. separator, decimal, thousands: one sign each (thousands '': none is taken off).

    missing: further cells that mean 'missing', in every column. quoted: whether quotation marks enclose cells.
    likely: the decimal sign of an earlier file of the kind, which decides where cells do not tell ('1,500').
    """

    separator: str = ''
    decimal: str = ''
    thousands: str = ''
    encoding: str = ''
    missing: tuple[str, ...] = ()
    quoted: bool = True
    likely: str = ''

    @classmethod
    def of(cls, options: Any) -> 'Form':
        """From `data.options`, checked."""
        given = {name: options[name] for name in FORM}
        missing = given['missing']
        given['missing'] = (missing,) if isinstance(missing, str) else tuple(map(str, missing))
        for name, longest in (('separator', 1), ('decimal', 1), ('thousands', 1), ('encoding', 40)):
            if not isinstance(given[name], str) or len(given[name]) > longest:
                raise UserError(f"data.options.{name}={given[name]!r}; valid: one sign, or '' (found out)")
        if given['decimal'] not in ('', '.', ',') or given['thousands'] in ('.', ',') and not given['decimal']:
            raise UserError(
                "data.options.decimal: valid: '.' or ',' (needed where data.options.thousands is one of them)"
            )
        if given['encoding']:
            try:
                codecs.lookup(given['encoding'])
            except LookupError as error:
                raise UserError(f'data.options.encoding={given["encoding"]!r}; valid: utf-8, cp1252 ...') from error
        return cls(**given)


FOUND_OUT = Form()


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """A file as text. columns: name -> its cells [N], a pyarrow array; numbers: [N], which row of the file each is (from 1)."""

    columns: dict[str, Any]
    numbers: np.ndarray
    form: Form
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Sheet:
    """Rows [N] as a structured array; numbers: [N], which row of the file each is (from 1); notes: what was found out.

    decimal: ',' where numbers were found to have one.
    """

    rows: np.ndarray
    numbers: np.ndarray
    notes: tuple[str, ...] = ()
    decimal: str = ''


def table(names: Sequence[str], columns: Sequence[np.ndarray]) -> np.ndarray:
    """Columns [N] as one structured array [N]."""
    made = np.empty(len(columns[0]), [(name, values.dtype) for name, values in zip(names, columns, strict=True)])
    for name, values in zip(names, columns, strict=True):
        made[name] = values
    return made


def read_csv(path: Path, texts: Collection[str] = (), header: bool | None = True) -> np.ndarray:
    """The rows [N] of a file, as `read_sheet` has them."""
    return read_sheet(path, texts, header=header).rows


def read_sheet(
    path: Path,
    texts: Collection[str] = (),
    numbers: Collection[str] = (),
    form: Form = FOUND_OUT,
    header: bool | None = True,
) -> Sheet:
    """A table: columns of nothing but numbers are float64, others (and `texts`) are text.

    numbers: columns that must be numbers, whatever they hold: the first cell that is none is refused by row and column.
    header: as `read_cells` has it.
    """
    found = read_cells(path, form, header)
    commas = [name for name, cells in found.columns.items() if _decimal(_trimmed(cells), found.form) == ',']
    notes = found.notes
    if commas and not form.decimal:
        notes = (*notes, f'{path.name}: numbers have a decimal comma (column {commas[0]!r}).')
    asked = {name: _trimmed(cells) for name, cells in found.columns.items() if name not in texts}
    if (commas or form.likely == ',' and found.form.separator != ',') and not form.decimal:
        points.refuse(path, asked, found.numbers)
    elif found.form.separator != ',' and not form.decimal and not form.thousands:
        notes = (*notes, *points.said(path, asked))
    made = []
    for name, cells in found.columns.items():
        values = None if name in texts else _as_numbers(cells, found.form)
        if values is None and name in numbers:
            raise UserError(f'{path}, {strange_cell(name, _as_texts(cells, found.form), found.numbers)}')
        made.append(_as_texts(cells, found.form) if values is None else values)
    return Sheet(table(tuple(found.columns), made), found.numbers, notes, ',' if commas else '')


def read_cells(path: Path, form: Form = FOUND_OUT, header: bool | None = True) -> Cells:
    """Every cell as it stands. Rows without any value are left out.

    header: whether the first line names the columns; None: unless all of it is numbers. Without one the columns are
    'c1', 'c2' and so on. A first or last column without a name that holds nothing, or counts the rows, is left out.
    """
    import pyarrow.compute as pc

    text, notes = text_of(path, form.encoding)
    told = SAID.match(text)  # by Excel
    text = text[told.end() if told else 0 :].lstrip('\r\n')
    if not text.strip():
        raise UserError(f'{path} is empty; valid: a CSV file with names of columns in its first line')
    separator = form.separator or (told[1] if told else _separator(text, form.quoted))
    if separator != ',' and not form.separator:
        notes.append(f'{path.name}: cells are parted by {NAMES.get(separator, repr(separator))}.')
    first = next(iter(_rows(text, separator, form.quoted)))
    columns, blank = _parsed(path, text, separator, form.quoted, len(first))
    named = header if header is not None else not all(_is(NUMBER, cell.strip(" '")) for cell in first)
    names = [name.strip() for name in first] if named else [f'c{number}' for number in range(1, len(first) + 1)]
    columns = [column.slice(int(named)) for column in columns]
    there = np.zeros(len(columns[0]), bool)
    for column in columns:
        there |= np.asarray(pc.not_equal(pc.utf8_trim_whitespace(column), ''))
    if not there.any():
        raise UserError(f'{path} has no rows below the names of its columns')
    if not there.all():
        columns = [column.filter(there) for column in columns]
        empty = int((~there[: np.flatnonzero(there)[-1]]).sum())
        notes += [f'{path.name}: {empty:,} rows without any value are left out.'] if empty else []
    kept = _named(path, names, columns, notes)
    made = dataclasses.replace(form, separator=separator)
    lines = np.setdiff1d(np.arange(1, int(named) + len(there) + len(blank) + 1), blank)[int(named) :]
    numbers = lines[there] - int(named)
    notes += [f'{path.name}, row {numbers[row]}, {said}' for row, said in _swallowed(kept, separator, len(first))]
    return Cells(kept, numbers, made, tuple(notes))


def mostly_numbers(values: np.ndarray) -> bool:
    """Whether more than half of a column of texts [N] is meant as numbers (what is missing apart)."""
    present = [cell for cell in values.tolist() if cell.lower() not in MISSING]
    return 2 * sum(_is(ALIKE, cell) for cell in present) > len(present)


def strange_cell(name: str, values: np.ndarray, numbers: np.ndarray | None = None) -> str:
    """Which cell of a column of texts [N] is the first that is no number, in words. numbers: rows of the file."""
    row = next((at for at, cell in enumerate(values.tolist()) if is_strange(cell)), 0)
    shown = row + 1 if numbers is None else int(numbers[row])
    return f'row {shown}, column {name!r}: {str(values[row])!r} is no number'


def is_strange(cell: str) -> bool:
    """Whether a cell is neither a number nor one that says it is missing."""
    return cell.lower() not in MISSING and not is_number(cell)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number."""
    return _is(NUMBER, cell)


def _is(pattern: str, cell: str) -> bool:
    return re.fullmatch(pattern, cell, re.ASCII) is not None and (pattern is not NUMBER or np.isfinite(float(cell)))


def _rows(text: str, separator: str, quoted: bool) -> Iterable[list[str]]:
    csv.field_size_limit(sys.maxsize)
    how: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(io.StringIO(text, newline=''), delimiter=separator, quoting=how)


def _separator(text: str, quoted: bool) -> str:
    """The one that parts the first rows into the most cells, as many in each; a comma where none does."""
    sample = text[: 1 << 20]
    found = {}
    for separator in SEPARATORS:
        widths = [
            len(row)
            for row, _ in zip(_rows(sample, separator, quoted), range(SAMPLE))
            if ''.join(row).strip() or len(row) > 1
        ]
        if len(sample) < len(text) and len(widths) < SAMPLE:
            widths = widths[:-1] or widths  # the last one may be cut
        found[separator] = (max(widths, default=0) > 1 and len(set(widths)) == 1, *widths[:1])
    return max(SEPARATORS, key=lambda one: found[one])


def _parsed(path: Path, text: str, separator: str, quoted: bool, width: int) -> tuple[list[Any], list[int]]:
    """(columns of cells, the first row among them; numbers, from 1, of lines of blanks, which are in no column)."""
    import pyarrow as pa
    import pyarrow.csv

    ragged: list[Any] = []
    blank: list[int] = []

    def handle(row: Any) -> str:
        if not row.text.strip():
            blank.append(row.number)
            return 'skip'
        ragged.append(row)
        return 'error'

    raw = text.encode('utf-8', 'surrogatepass')
    if len(raw) >= MOST_BYTES:
        raise UserError(f'{path} has {len(raw):,} bytes; valid: less than {MOST_BYTES:,}')
    try:
        found = pa.csv.read_csv(
            pa.BufferReader(raw),
            pa.csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=len(raw) + 1),
            pa.csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
                ignore_empty_lines=False,
                invalid_row_handler=handle,
            ),
            pa.csv.ConvertOptions(
                column_types={f'f{at}': pa.string() for at in range(width)}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            raise UserError(
                f'{path}, row {ragged[0].number - 1}: {ragged[0].actual_columns} cells; '
                f'valid: {width}, one a column of the first line {text.splitlines()[0][:40]!r}{_hint(ragged[0].text, separator)}'
            ) from None
        raise UserError(f'{path} cannot be read as CSV: {error}') from error
    columns = [column.combine_chunks() for column in found.columns]
    if quoted and text.count('"') % 2 and '\n' in str(columns[-1][-1]):
        raise UserError(f'{path} cannot be read as CSV: a quotation mark is opened and never closed')
    return columns, blank


def _swallowed(columns: dict[str, Any], separator: str, width: int) -> list[tuple[int, str]]:
    """The first cell of each column that holds lines which look like rows of the file: a quotation mark was left open, and
    another one closed it far below."""
    import pyarrow.compute as pc

    found = []
    for name, cells in columns.items():
        breaks = np.asarray(pc.count_substring(cells, '\n'))
        for row in np.flatnonzero(breaks >= MOST_LINES).tolist():
            inner = str(cells[row]).split('\n')[1:-1]
            alike = sum(line.count(separator) == width - 1 for line in inner)
            if 5 * alike >= 4 * len(inner):
                said = (
                    f'column {name!r}: one cell holds {alike} lines that look like rows; is a quotation mark left open?'
                )
                found.append((row, said))
                break
    return found


def _hint(row: str, separator: str) -> str:
    other = next((one for one in SEPARATORS if one != separator and row.count(one) > row.count(separator)), '')
    return f'; are they parted by {NAMES[other]}? (data.options.separator)' if other else ''


def _named(path: Path, names: list[str], columns: list[Any], notes: list[str]) -> dict[str, Any]:
    """Column -> cells, without those that have no name and say nothing."""
    kept = {}
    for at, (name, column) in enumerate(zip(names, columns, strict=True)):
        if not name:
            cells = [cell.strip() for cell in column.to_pylist()]
            counted = [[str(first + row) for row in range(len(cells))] for first in (0, 1)]
            if not any(cells) or (at == 0 and cells in counted):
                said = 'the column without a name counts the rows; it is left out.' if any(cells) else ''
                notes += [f'{path.name}: {said}'] if said else []
                continue
            name = f'column {at + 1}'
            notes.append(f'{path.name}: the {at + 1}. column has no name; it is called {name!r}.')
        if name in kept:
            raise UserError(f'{path}: column name {name!r} occurs twice')
        kept[name] = column
    if not kept:
        raise UserError(f'{path}: no column has a name; valid: names of columns in its first line')
    return kept


def _trimmed(cells: Any) -> Any:
    """Without blanks and without the quotes that some files put inside their cells."""
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(cells)
    if pc.any(pc.starts_with(cells, "'")).as_py():
        cells = pc.utf8_trim_whitespace(pc.replace_substring_regex(cells, "^'(.*)'$", r'\1'))
    return cells


def _as_numbers(cells: Any, form: Form) -> np.ndarray | None:
    """[N] float64, NaN where missing; None where a cell is neither. A column that says nothing is one of numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = _trimmed(cells)
    if form.thousands:
        grouped = rf'^([+-]?\d{{1,3}})((?:{re.escape(form.thousands)}\d{{3}})+)((?:[.,]\d*)?)$'
        flat = pc.replace_substring(cells, form.thousands, '')
        cells = pc.if_else(pc.match_substring_regex(cells, grouped), flat, cells)
    decimal = form.decimal or _decimal(cells, form)
    if decimal == ',':
        both = pc.match_substring(cells, '.')  # 1.234,5: no number as it stands
        cells = pc.if_else(both, pc.binary_join_element_wise(cells, ' ', ''), pc.replace_substring(cells, ',', '.'))
    try:
        values = np.asarray(pc.cast(cells, pa.float64()))
        if np.isfinite(values).all() and not form.missing:
            return values
    except pa.ArrowInvalid:
        pass
    missing = pc.is_in(pc.utf8_lower(cells), pa.array([*MISSING, *(one.lower() for one in form.missing)]))
    number = pc.match_substring_regex(cells, f'^(?:{NUMBER})$')
    there, empty = pc.any(number).as_py(), pc.all(pc.equal(cells, '')).as_py()
    if not pc.all(pc.or_(missing, number)).as_py() or not (there or empty):
        return None
    plain = pc.replace_substring_regex(pc.if_else(missing, 'nan', cells), r'^\+', '')
    values = np.asarray(pc.cast(plain, pa.float64())).copy()
    values[np.isin(values, [float(one) for one in form.missing if is_number(one)])] = np.nan  # -999 is -999.0
    return values if not np.isinf(values).any() else None


def _decimal(cells: Any, form: Form) -> str:
    """',' where a file that is not parted by commas has numbers with one, and it cannot part thousands; else '.'."""
    import pyarrow.compute as pc

    if form.separator == ',':
        return '.'
    comma = pc.match_substring_regex(cells, f'^(?:{COMMA})$')
    three = pc.match_substring_regex(cells, r'^[+-]?[1-9]\d{0,2},\d{3}$')
    points = pc.match_substring_regex(cells, r'^[+-]?\d*\.\d+')
    sure = pc.any(comma if form.likely == ',' else pc.and_(comma, pc.invert(three))).as_py()
    return ',' if sure and not pc.any(points).as_py() else '.'


def _as_texts(cells: Any, form: Form) -> np.ndarray:
    """[N] text, '' where missing."""
    values = np.array(_trimmed(cells).to_pylist(), np.str_)
    return np.where(np.isin(values, form.missing), '', values) if form.missing else values
