"""Series over time: Melbourne's daily minima, Delhi's PM2.5, and any CSV file of one's own with a date and a value.

Sources: Australian Bureau of Meteorology, daily minimum temperatures in Melbourne 1981-1990; Central Pollution Control Board
of India, "Air Quality Data in India (2015-2020)", city_day.csv.

Options of every series:

| option | meaning |
|---|---|
| width, horizon | rows that a network sees, and rows after them that it predicts |
| gaps | 'split': no window lies across a missing row; 'join': the rows around it become neighbours (as published) |
| periods | in rows: sine and cosine of where a row lies in each stand beside its value |
| scaler | 'range': training values are brought to `data.scale`; 'deviation': less their mean, over their deviation |
| fit | 'train', or 'all' rows (as published: a leak) |
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data import dates
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import Value
from jaxlab.data.series import Series, windows, with_phases
from jaxlab.data.sheets import FORM, Form, read_csv, read_sheet, strange_cell
from jaxlab.data.sources import Request, check_options, checksum, choose, named_file, own_folders
from jaxlab.data.text_files import no_column
from jaxlab.errors import UserError, closest

HOW: dict[str, Any] = {
    'width': 30,
    'horizon': 1,
    'gaps': 'split',
    'periods': (),
    'scaler': 'range',
    'fit': 'train',
}
CHOICES = {'gaps': ('split', 'join'), 'scaler': ('range', 'deviation'), 'fit': ('train', 'all')}
CORRUPTED = ('1982-07-20', '1982-07-21', '1984-07-14')  # "?0.2", "?0.8", "?0.1" in the raw file of Melbourne
MANY = 3  # windows that there must be at least


def read_melbourne(request: Request) -> Raw:
    """3,650 days of minimum temperatures. Option corrupted: the three marked values are 'repaired', or the 'mean' (B14)."""
    options = _options(request, {'corrupted': 'repaired'}, {'corrupted': ('repaired', 'mean')})

    def make(path: Path) -> Raw:
        rows = read_csv(path, ('Date', 'Temp'))
        times, values = _columns(rows, 'Date', 'Temp', path)
        if options['corrupted'] == 'mean':
            marked = np.isin(times.astype('datetime64[D]').astype(str), CORRUPTED)
            values = np.where(marked, values[~marked].mean(), values)
        described = 'Daily minimum temperatures in Melbourne, 1981 to 1990 (Bureau of Meteorology)'
        return _raw('files', times, values, 'minimum temperature', '°C', described, 'public', options)

    return _choose(request, 'daily-min-temperatures.csv', make, options, 'minimum temperature', '°C')


def read_air(request: Request) -> Raw:
    """Air quality of an Indian city, a value a day. Options: city, column."""
    options = _options(request, {'city': 'Delhi', 'column': 'PM2.5'})

    def make(path: Path) -> Raw:
        rows = read_csv(path, ('City', 'Date'))
        _check(rows, ('City', 'Date', options['column']), path)
        rows = rows[rows['City'] == options['city']]
        if not len(rows):
            raise UserError(f'{path}: no row of the city {options["city"]!r} (data.options.city)')
        rows = rows[np.argsort(rows['Date'], kind='stable')]
        times, values = _columns(rows, 'Date', options['column'], path)
        described = f'{options["column"]} in {options["city"]}, daily, {times[0]} to {times[-1]} (CPCB of India)'
        return _raw('files', times, values, options['column'], 'µg/m³', described, 'public', options)

    return _choose(request, 'city_day.csv', make, options, options['column'], 'µg/m³')


def read_series(request: Request) -> Raw:
    """Any CSV file with a date and a value a row, in the order of time.

    Options: path (in the data directory, or from where you are), date and value (names of its columns), unit, date_format
    (such as '%d.%m.%Y'; '': found out); separator, decimal, thousands, encoding, missing: as tables have them.
    """
    own = {'path': '', 'date': 'date', 'value': 'value', 'unit': '', 'date_format': '', **FORM}
    options = _options(request, own)
    form = Form.of(options)
    path = named_file(request, 'path', options['path'], 'a CSV file with a date and a value a row')

    def files(request: Request) -> Raw:
        sheet = read_sheet(path, (options['date'],), form=form)
        times, values = _columns(sheet.rows, options['date'], options['value'], path, options['date_format'])
        described = f'Column {options["value"]} of {path.name}, {times[0]} to {times[-1]}'
        who = 'as its owner says'
        raw = _raw('files', times, values, options['value'], options['unit'], described, who, options)
        return dataclasses.replace(raw, notes=(*sheet.notes, *raw.notes))

    return choose(request, {'files': files}, 'name a CSV file by data.options.path')


def drawn(seed: int = 0, count: int = 3650) -> np.ndarray:
    """[count] float64: a year's wave, and days that hang on the days before (x = .6 x' + .1 x'' + noise)."""
    rng = np.random.default_rng(seed)
    noise, x = rng.normal(0, 2, count), np.zeros(count)
    for at in range(2, count):
        x[at] = 0.6 * x[at - 1] + 0.1 * x[at - 2] + noise[at]
    return 12 + 4 * np.cos(2 * np.pi * np.arange(count) / 365.2425) + x


def _options(request: Request, own: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]] | None = None) -> Any:
    options = check_options(request, {**HOW, **own})
    for name, valid in {**CHOICES, **(choices or {})}.items():
        if options[name] not in valid:
            raise UserError(f'data.options.{name}={options[name]!r}; {closest(str(options[name]), valid)}')
    for name in ('width', 'horizon'):
        if not isinstance(options[name], int) or options[name] < 1:
            raise UserError(f'data.options.{name}={options[name]!r}; valid: a whole number from 1 up')
    periods = options['periods']
    if not isinstance(periods, tuple | list) or any(not isinstance(one, int | float) or one < 2 for one in periods):
        raise UserError(f'data.options.periods={periods!r}; valid: a tuple of numbers of rows, from 2 up')
    return options


def _choose(request: Request, file: str, make: Any, options: Mapping[str, Any], name: str, unit: str) -> Raw:
    def files(request: Request) -> Raw | None:
        found = (folder / file for folder in own_folders(request, 'time_series', request.name))
        path = next((path for path in found if path.is_file()), None)
        return None if path is None else make(path)

    def embedded(request: Request) -> Raw:
        times = np.datetime64('1981-01-01') + np.arange(3650).astype('timedelta64[D]')
        described = 'Generated: ten years of days, a wave of a year and autoregressive noise'
        made = _raw('embedded', times, drawn(), name, unit, described, 'none needed (generated)', options)
        note = f'embedded data: a generated series stands in for {request.name}; results are not comparable.'
        return dataclasses.replace(made, notes=(note, *made.notes), stand_in=True)

    readers = {'files': files, 'embedded': embedded}
    return choose(request, readers, f'put {file} into DATA_DIR/time_series, or use embedded')


def _check(rows: np.ndarray, names: tuple[str, ...], path: Path) -> None:
    for name in names:
        if name not in (rows.dtype.names or ()):
            raise UserError(f'{path}: {no_column(name, rows.dtype.names or ())}')


def _columns(rows: np.ndarray, date: str, value: str, path: Path, format: str = '') -> tuple[np.ndarray, np.ndarray]:
    """(times [N], values [N] float64, NaN where missing). A "?" in front of a number is taken off."""
    _check(rows, (date, value), path)
    cells = rows[value]
    if cells.dtype.kind != 'f':
        cells = np.char.lstrip(cells, '?')
        try:
            cells = np.array([str(cell) or 'nan' for cell in cells], np.float64)
        except ValueError:
            raise UserError(f'{path}, {strange_cell(value, cells)}; valid: numbers (data.options.decimal)') from None
        if np.isinf(cells).any():
            raise UserError(f'{path}, column {value!r}: an infinite value; valid: numbers')
    return dates.parse([str(cell) for cell in rows[date]], format, f'{path}, column {date!r}'), cells


def _raw(
    source: str,
    times: np.ndarray,
    values: np.ndarray,
    name: str,
    unit: str,
    description: str,
    licence: str,
    options: Mapping[str, Any],
) -> Raw:
    places, step = dates.grid(times, 'dates')
    full = np.full(places[-1] + 1, np.nan)
    full[places] = values
    missing = np.isnan(full)
    gaps = int((np.diff(np.concatenate([[0], missing.astype(int)])) == 1).sum())
    every = times[0] + np.arange(len(full)) * step
    if options['gaps'] == 'join':
        full, every = full[~missing], every[~missing]
    width, horizon, periods = options['width'], options['horizon'], tuple(options['periods'])
    arrays = windows(full, width, horizon, periods)
    if len(arrays['row']) < MANY:
        raise UserError(
            f'{len(full)} rows give {len(arrays["row"])} windows of {width} rows and {horizon} to predict; valid: fewer '
            '(data.options.width)'
        )
    number, code = int(step.astype(np.int64)), np.datetime_data(step.dtype)[0]
    runs = np.isfinite(np.lib.stride_tricks.sliding_window_view(full, width)).all(axis=1)
    end = int(np.flatnonzero(runs)[-1]) + width  # behind the last window without a gap
    past = np.arange(end - width, end)
    recent = tuple(tuple(map(float, row)) for row in with_phases(full[past], past, periods))
    feature = Series(
        name,
        unit,
        str(every[end - 1]),
        (number, code),
        width,
        horizon,
        periods,
        recent,
        options['scaler'],
        options['fit'] == 'all',
        values=full,
        times=every,
    )
    across = 'the rows around them are neighbours' if options['gaps'] == 'join' else 'no window lies across'
    note = f'{int(missing.sum())} rows are missing, in {gaps} gaps; {across}.' if missing.any() else ''
    return Raw(
        source,
        {'all': in_memory(arrays)},
        {'series': feature, 'target': Value(name, unit)},
        description,
        licence,
        checksum({'values': full, **arrays}),
        (note,) if note else (),
        in_order=horizon,
    )
