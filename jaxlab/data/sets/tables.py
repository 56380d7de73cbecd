"""Tables: California housing, the Titanic's passengers, credit-card fraud, and any CSV file of one's own.

Sources: R. K. Pace, R. Barry, "Sparse Spatial Autoregressions", Statistics and Probability Letters 33 (1997) (1990 census);
Encyclopedia Titanica's passenger list, as Kaggle and Stanford's CS109 give it; A. Dal Pozzolo et al., "Calibrating
Probability with Undersampling for Unbalanced Classification", 2015 (ULB, European card holders, two days of 2013).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.names import in_order
from jaxlab.data.schema import Schema, Target, renamed
from jaxlab.data.sets import table_stand_ins
from jaxlab.data.sets.table_rows import raw_table
from jaxlab.data.sheets import (
    FORM,
    MISSING,
    Form,
    Sheet,
    is_number,
    mostly_numbers,
    read_csv,
    read_sheet,
    strange_cell,
    table,
)
from jaxlab.data.sources import Reader, Request, check_options, choose, named_file, own_folders
from jaxlab.data.text_files import no_column
from jaxlab.errors import UserError, lookup

HOUSING = ('MedInc', 'HouseAge', 'AveRooms', 'AveBedrms', 'Population', 'AveOccup', 'Latitude', 'Longitude')
HOUSING_NAMES = {
    'median_income': 'MedInc',
    'housing_median_age': 'HouseAge',
    'population': 'Population',
    'latitude': 'Latitude',
    'longitude': 'Longitude',
}
HOUSING_SHARES = {'AveRooms': 'total_rooms', 'AveBedrms': 'total_bedrooms', 'AveOccup': 'population'}
TITANIC = ('Pclass', 'Sex', 'Age', 'SibSp', 'Parch', 'Fare')
TITANIC_NAMES = (('Siblings/Spouses Aboard', 'SibSp'), ('Parents/Children Aboard', 'Parch'))
TITANIC_EDITIONS = {887: 'the 887-row edition without missing ages', 891: "Kaggle's 891-row edition"}
FRAUD_FILES = ('creditcard.csv', 'creditcard_7409.csv')
KINDS = {'classification': True, 'regression': False}


@dataclasses.dataclass(frozen=True)
class Housing(Schema):
    """California housing in either edition."""

    def derive(self, rows: np.ndarray) -> np.ndarray:
        """The public edition's totals per block group become averages per household; dollars become units of 100,000."""
        if 'median_income' not in (rows.dtype.names or ()):
            return rows
        rows = renamed(rows, HOUSING_NAMES)
        needed = {'households', 'total_rooms', 'total_bedrooms', 'Population'}
        if not needed <= set(rows.dtype.names or ()):
            raise UserError(f'column {min(needed - set(rows.dtype.names or ()))!r} is missing')
        columns = {name: rows[name] for name in HOUSING if name in (rows.dtype.names or ())}
        columns |= {
            'AveRooms': rows['total_rooms'],
            'AveBedrms': rows['total_bedrooms'],
            'AveOccup': rows['Population'],
        }
        if any(values.dtype.kind != 'f' for values in (*columns.values(), rows['households'])):
            raise UserError('a column of totals or households holds something that is no number')
        for name in HOUSING_SHARES:
            columns[name] = columns[name] / rows['households']
        if 'median_house_value' in (rows.dtype.names or ()):
            columns['MedHouseVal'] = rows['median_house_value'] / 100_000.0
        return table(tuple(columns), tuple(columns.values()))


def read_california(request: Request) -> Raw:
    """20,640 block groups, 8 features; target: the median house value in 100,000 USD."""
    check_options(request, {})
    schema = Housing(HOUSING, Target('MedHouseVal', 'USD', 100_000.0))

    def make(rows: np.ndarray) -> Raw:
        description = 'California housing: block groups of the census of 1990, median house value'
        return raw_table('files', rows, schema, description, 'public domain', _filled(rows, HOUSING, 'values'))

    readers = _readers(request, ('california_housing',), ('housing.csv', 'california_housing.csv'), schema, make)
    readers['embedded'] = table_stand_ins.diabetes
    return choose(request, readers, 'put housing.csv into DATA_DIR/california_housing, or use embedded')


def read_titanic(request: Request) -> Raw:
    """887 or 891 passengers, 6 features; did they survive?"""
    check_options(request, {})
    schema = Schema(TITANIC, Target('Survived', classes=('died', 'survived')), ('Sex',), TITANIC_NAMES)

    def make(rows: np.ndarray) -> Raw:
        edition = TITANIC_EDITIONS.get(len(rows), f'an edition of {len(rows)} rows')
        description = f'Titanic: passengers and whether they survived, {edition}'
        return raw_table('files', rows, schema, description, 'public domain', _filled(rows, ('Age',), 'ages'))

    readers = _readers(request, ('titanic',), ('train.csv', 'titanic.csv'), schema, make)
    readers['embedded'] = table_stand_ins.breast_cancer
    return choose(request, readers, 'put train.csv (Kaggle) or titanic.csv into DATA_DIR/titanic, or use embedded')


def read_credit_card(request: Request) -> Raw:
    """Card transactions, 29 features (30 with option `time`); was it fraud?

    Options: file (another file of the folder: a header with `Class`, or no header and the class last), time (whether the
    column Time, seconds since the first row, is a feature).
    """
    options = check_options(request, {'file': '', 'time': False})
    files = (options['file'],) if options['file'] else FRAUD_FILES

    def read(path: Path) -> Raw:
        rows = read_csv(path, header=None)
        names = rows.dtype.names or ()
        target = Target('Class' if 'Class' in names else names[-1], classes=('normal', 'fraud'))
        features = tuple(name for name in names if name != target.name and (options['time'] or name != 'Time'))
        about = 'Credit-card fraud: transactions of European card holders' if 'V1' in names else 'Rare cases'
        description = f'{about}, file {path.name}, {len(rows):,} rows'
        return raw_table('files', rows, Schema(features, target), description, 'DbCL 1.0 or public', path=path)

    readers = {
        'files': lambda request: _first(request, ('credit_card',), files, read),
        'embedded': table_stand_ins.rare_cases,
    }
    return choose(request, readers, f'put {" or ".join(files)} into DATA_DIR/credit_card, or use embedded')


def read_table(request: Request) -> Raw:
    """Any CSV file with names in its first line.

    Options: path (in the data directory, or from where you are), target (its column), kind ('classification' or
    'regression'), features (names; none: every other column), categories (columns of numbers that are names), unit (of the
    target), scale_target (whether a network learns a number less its mean, over its deviation); how the file is written:
    separator, decimal, thousands, encoding ('': found out), missing (cells that mean 'missing' beside empty ones, and in
    columns of numbers NA, None and the like).
    """
    given: dict[str, Any] = {
        'path': '',
        'target': '',
        'kind': 'classification',
        'features': (),
        'categories': (),
        'unit': '',
    }
    given |= {'scale_target': True, **FORM}
    options = check_options(request, given)
    options |= {name: tuple(map(str, options[name])) for name in ('features', 'categories')}
    form = Form.of(options)
    classifies = lookup(KINDS, options['kind'], 'data.options.kind')
    path = named_file(request, 'path', options['path'], 'a CSV file, and data.options.target, one of its columns')

    def files(request: Request) -> Raw:
        texts = (*options['categories'], *((options['target'],) if classifies else ()))
        sheet = read_sheet(path, texts, form=form)
        schema = _own_schema(sheet, options, classifies, form)
        sheet = _answered(sheet, schema.target.name)
        notes = (*sheet.notes, *_alike(schema.target), *_missing(sheet.rows, schema, form))
        return raw_table('files', sheet.rows, schema, f'Rows of {path.name}', 'as its owner says', notes, path=path)

    return choose(request, {'files': files}, 'name a CSV file by data.options.path')


def _own_schema(sheet: Sheet, options: dict[str, Any], classifies: bool, form: Form) -> Schema:
    rows = sheet.rows
    names = rows.dtype.names or ()
    for field, wanted in (
        ('target', [options['target']]),
        ('features', options['features']),
        ('categories', options['categories']),
    ):
        for name in wanted:
            if name not in names:
                raise UserError(f'data.options.{field}: {no_column(name, names)}')
    target = options['target']
    features = tuple(options['features']) or tuple(name for name in names if name != target)
    if target in features or not features:
        raise UserError(f'data.options.features {features}: valid: at least one column, without the target {target!r}')
    classes = in_order({str(value) for value in rows[target]} - {''}) if classifies else ()
    if classifies and not 2 <= len(classes) <= max(2, len(rows) // 2):
        raise UserError(
            f'target {target!r} has {len(classes)} values in {len(rows)} rows; valid: from 2 classes up to '
            'one for every other row, or data.options.kind regression'
        )
    texts = tuple(name for name in features if rows[name].dtype.kind != 'f')
    for name in (*texts, *(() if classifies else (target,))):
        mostly = rows[name].dtype.kind != 'f' and name not in options['categories'] and mostly_numbers(rows[name])
        if mostly or name == target and rows[name].dtype.kind != 'f':
            most = ', most of the column are' if mostly else ''
            raise UserError(
                f'{options["path"]}, {strange_cell(name, rows[name], sheet.numbers)}{most}; valid: numbers '
                '(data.options.decimal and thousands say how they are written, missing=(CELL,) which cells are none), the '
                'column in data.options.categories, or not in features'
            )
    said = Target(target, options['unit'], 1.0, classes, not classifies and bool(options['scale_target']))
    return Schema(features, said, texts, form=dataclasses.replace(form, likely=sheet.decimal))


def _answered(sheet: Sheet, target: str) -> Sheet:
    """The rows that have a value of the target: nothing can be learned from the others, nor can they be scored."""
    values = sheet.rows[target]
    there = ~np.isnan(values) if values.dtype.kind == 'f' else values != ''
    if there.all() or not there.any():
        return sheet
    note = f'{(~there).sum():,} rows without a value of {target!r} are left out.'
    return dataclasses.replace(sheet, rows=sheet.rows[there], numbers=sheet.numbers[there], notes=(*sheet.notes, note))


def _alike(target: Target) -> tuple[str, ...]:
    """Says which classes may be meant as one: 'Yes' and 'yes', '1' and '1.0'."""
    groups: dict[Any, list[str]] = {}
    for name in target.classes:
        groups.setdefault(float(name) if is_number(name) else name.casefold(), []).append(name)
    words = '; '.join(' and '.join(map(repr, names)) for names in groups.values() if len(names) > 1)
    return (f'Classes of {target.name!r} that may be meant as one stand apart: {words}.',) if words else ()


def _missing(rows: np.ndarray, schema: Schema, form: Form) -> tuple[str, ...]:
    """What is missing, and which words that often mean it are taken for a category."""
    empty = {
        name: int(np.isnan(rows[name]).sum() if rows[name].dtype.kind == 'f' else (rows[name] == '').sum())
        for name in schema.features
    }
    said = ', '.join(f'{count:,} of {name!r}' for name, count in empty.items() if count)
    notes = [f'Missing are {said}; the median or most frequent value of the training rows stands in.'] if said else []
    for name in schema.texts:
        words, counts = np.unique(rows[name], return_counts=True)
        for word, count in zip(words.tolist(), counts.tolist(), strict=True):
            if word and word.lower() in MISSING:
                notes.append(
                    f'{count:,} cells of {name!r} say {word!r}, a category like any other; '
                    f'data.options.missing=({word!r},) makes them missing.'
                )
    return tuple(notes)


def _filled(rows: np.ndarray, names: Sequence[str], what: str) -> tuple[str, ...]:
    """Says how many numbers are missing in these columns, if any."""
    missing = sum(int(np.isnan(rows[name]).sum()) for name in names)
    return (f'{missing} missing {what} are filled by the median of the training rows.',) if missing else ()


def _readers(
    request: Request, folders: tuple[str, ...], files: tuple[str, ...], schema: Schema, make: Any
) -> dict[str, Reader]:
    """`make` of the derived rows of the first of `files` that is there."""

    def read(path: Path) -> Raw:
        rows = schema.derive(read_csv(path, schema.texts))
        schema.check(rows, path)
        return make(rows)

    return {'files': lambda request: _first(request, folders, files, read)}


def _first(request: Request, folders: tuple[str, ...], files: tuple[str, ...], read: Any) -> Raw | None:
    for folder in own_folders(request, *folders):
        path = next((folder / file for file in files if (folder / file).is_file()), None)
        if path is not None:
            return read(path)
    return None
