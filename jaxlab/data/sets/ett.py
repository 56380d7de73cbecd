"""Electricity transformers: load and oil temperature, seven columns an hour, the usual benchmark of long forecasts.

Source: H. Zhou et al., "Informer", arXiv 2012.07436 (ETTh1, ETTh2; CC BY-ND 4.0). As papers split them: the first 14,400 rows,
8,640 for training, 2,880 for validation, 2,880 for the test; each column less its training mean, over its training deviation.
Every column is a series of its own, and one network forecasts all of them; windows of the later parts look back over the
border, answers of the earlier ones do not reach beyond it.
"""

import dataclasses
from typing import Any

import numpy as np

from jaxlab.data import dates
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import Feature, Value
from jaxlab.data.series import Series, windows, with_phases
from jaxlab.data.sheets import read_csv
from jaxlab.data.sources import Request, check_options, checksum, choose, own_folders
from jaxlab.errors import UserError, lookup

FILES = {'ETTh1': 'ETTh1.csv', 'ETTh2': 'ETTh2.csv'}
ENDS = {'train': 8_640, 'validation': 11_520, 'test': 14_400}
UNIT = 'standard deviations'


def read(request: Request) -> Raw:
    """Windows of all columns. Options: file ('ETTh1' or 'ETTh2'), width, horizon."""
    options = check_options(request, {'file': 'ETTh1', 'width': 336, 'horizon': 96})
    file = lookup(FILES, options['file'], 'data.options.file')
    for name in ('width', 'horizon'):
        if not isinstance(options[name], int) or not 1 <= options[name] <= 2880:
            raise UserError(f'data.options.{name}={options[name]!r}; valid: a whole number from 1 to 2880')

    def files(request: Request) -> Raw | None:
        places = (folder / file for folder in own_folders(request, 'time_series', 'ett'))
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            return None
        rows = read_csv(path, ('date',))
        names = [name for name in rows.dtype.names or () if name != 'date']
        columns = np.stack([rows[name] for name in names])
        times = dates.parse([str(cell) for cell in rows['date']], '', f'{path}, column date')
        if columns.shape[1] < ENDS['test'] or np.isnan(columns).any():
            raise UserError(f'{path}: {columns.shape[1]} rows; valid: {ENDS["test"]:,} whole ones at least')
        return _raw('files', columns, times, f'{options["file"]}: {", ".join(names)}, hourly', 'CC BY-ND 4.0', options)

    def embedded(request: Request) -> Raw:
        hours = np.arange(ENDS['test'])
        rng = np.random.default_rng(0)
        waves = [np.sin(2 * np.pi * hours / 24 + k) + 0.5 * np.sin(2 * np.pi * hours / 168) for k in range(2)]
        columns = np.stack([wave + rng.normal(0, 0.5, len(hours)) for wave in waves])
        times = np.datetime64('2016-07-01T00:00:00') + dates.spans(3600 * hours, 's')
        made = _raw('embedded', columns, times, 'Generated: waves of a day and a week, noise', 'none needed', options)
        note = f'embedded data: two generated series stand in for {request.name}; results are not comparable.'
        return dataclasses.replace(made, notes=(note,), stand_in=True)

    readers = {'files': files, 'embedded': embedded}
    return choose(request, readers, f'put {file} into DATA_DIR/time_series, or use embedded')


def _raw(source: str, columns: np.ndarray, times: np.ndarray, description: str, licence: str, options: Any) -> Raw:
    """columns: [C, T]. They lie one behind the other on one axis, a row without a value between them."""
    width, horizon, size = options['width'], options['horizon'], ENDS['test'] + 1
    train = columns[:, : ENDS['train']]
    scaled = (columns[:, : size - 1] - train.mean(axis=1, keepdims=True)) / train.std(axis=1, keepdims=True)
    values = np.pad(scaled, ((0, 0), (0, 1)), constant_values=np.nan).ravel()
    every = windows(values, width, horizon, ())
    at, parts, first, start = every['row'] % size, {}, 0, 0
    for name, end in ENDS.items():
        chosen = (at >= start) & (at + horizon <= end)
        parts[name] = in_memory({field: array[chosen] for field, array in every.items()}, first)
        first, start = first + int(chosen.sum()), end
    past = np.arange(len(values) - 1 - width, len(values) - 1)
    recent = tuple(tuple(map(float, row)) for row in with_phases(values[past], past, ()))
    step = (int(np.diff(times[:2].astype(np.int64))[0]), np.datetime_data(times.dtype)[0])
    last = str(times[size - 2])
    shown = np.tile(np.append(times[: size - 1], times[size - 2]), len(columns))
    feature = Series('all columns', UNIT, last, step, width, horizon, (), recent, 'none', values=values, times=shown)
    features: dict[str, Feature] = {'series': feature, 'target': Value('all columns', UNIT)}
    return Raw(source, parts, features, description, licence, checksum({'values': values}))
