"""Dates of a column as times on an even grid: one format a column, steps of seconds, days, months or years."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxlab.errors import UserError

FORMATS = (  # each with the unit that it tells
    ('%Y-%m-%d', 'D'),
    ('%Y-%m-%d %H:%M:%S', 's'),
    ('%Y-%m-%dT%H:%M:%S', 's'),
    ('%Y-%m-%d %H:%M', 's'),
    ('%Y/%m/%d', 'D'),
    ('%d.%m.%Y', 'D'),
    ('%d.%m.%Y %H:%M', 's'),
    ('%d/%m/%Y', 'D'),
    ('%m/%d/%Y', 'D'),
    ('%m/%d/%y', 'D'),
    ('%d/%m/%y', 'D'),
    ('%Y-%m', 'M'),
    ('%Y', 'Y'),
)


def parse(cells: Sequence[str], given: str = '', where: str = 'dates') -> np.ndarray:
    """[N] datetime64, all by one format: the given one, or the first that fits every cell.

    Where day and month could be either way round, only a format in which the dates rise will do; both doing is an error.
    """
    if given:
        times = _by(cells, given, 's')
        if times is None:
            raise UserError(f'{where}: not every date is written as data.options.date_format={given!r}')
        return coarsest(times)
    fitting = [times for format, unit in FORMATS if (times := _by(cells, format, unit)) is not None]
    rising = [times for times in fitting if (np.diff(times.astype(np.int64)) > 0).all()]
    found = rising or fitting
    if not found:
        wrong = next((cell for cell in cells if all(_by([cell], *one) is None for one in FORMATS)), cells[0])
        raise UserError(
            f'{where}: {wrong!r} is no date like the others; valid: one format, such as 2017-01-12, or data.options.date_format'
        )
    if any(not np.array_equal(found[0], times) for times in found[1:]):
        raise UserError(f'{where}: {cells[0]!r} may be day or month first; valid: data.options.date_format="%d/%m/%Y"')
    return coarsest(found[0])


def _by(cells: Sequence[str], format: str, unit: str) -> np.ndarray | None:
    try:
        return np.array([datetime.datetime.strptime(cell, format) for cell in cells], f'datetime64[{unit}]')
    except ValueError:
        return None


def coarsest(times: np.ndarray) -> np.ndarray:
    """The times in days, where none has an hour; in months, where all are a month's first day."""
    days = times.astype('datetime64[D]')
    if times.dtype in ('datetime64[M]', 'datetime64[Y]') or not np.array_equal(days.astype(times.dtype), times):
        return times
    months = days.astype('datetime64[M]')
    if len(times) > 2 and np.array_equal(months.astype('datetime64[D]'), days):
        return months
    return days


def grid(times: np.ndarray, where: str = 'dates') -> tuple[np.ndarray, np.timedelta64]:
    """(place [N] int64 of each time on an even grid that begins with the first, its step: the most frequent difference)."""
    steps = np.diff(times.astype(np.int64))
    if not len(steps) or (steps <= 0).any():
        at = int((steps <= 0).argmax()) + 1 if len(steps) else 0
        raise UserError(f'{where}: {times[at]} does not come after the date before it; valid: each date once, in order')
    values, counts = np.unique(steps, return_counts=True)
    step: Any = spans(values[counts.argmax()], np.datetime_data(times.dtype)[0])[()]
    places, rest = np.divmod(times.astype(np.int64) - times[:1].astype(np.int64), values[counts.argmax()])
    if rest.any():
        raise UserError(f'{where}: {times[rest.argmax()]} does not lie on steps of {step} from {times[0]}')
    return places, step


def spans(numbers: Any, unit: str) -> np.ndarray:
    """Numbers of a unit of NumPy ('D', 'M', 's' ...) as spans of time."""
    return np.asarray(numbers, np.int64).astype(f'timedelta64[{unit}]')


def years(times: np.ndarray) -> np.ndarray:
    """[N] float64: times as decimal years, for an axis."""
    whole = times.astype('datetime64[Y]')
    start, end = (edge.astype('datetime64[s]').astype(np.float64) for edge in (whole, whole + spans(1, 'Y')))
    seconds = times.astype('datetime64[s]').astype(np.float64)
    return whole.astype(np.int64) + 1970 + (seconds - start) / (end - start)
