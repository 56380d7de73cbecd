"""Forecasts without a network, on the same windows: what each of them reaches is the least that a network must beat.

`config.report.options.baselines` names them, or pairs (name, {arguments}). Each is made of the training windows and targets
and forecasts any number of rows: `(windows [N, width], rows [N], steps) -> [N, steps]` in the series' unit, float64.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.data.series import Series
from jaxlab.errors import UserError, closest, lookup

Forecast = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
WHERE = 'config.report.options.baselines'


@dataclasses.dataclass(frozen=True)
class Known:
    """What a rule learns from: windows [N, width] and targets [N, horizon] of training, and the series itself."""

    windows: np.ndarray
    targets: np.ndarray
    series: Series


def mean(known: Known) -> Forecast:
    """The mean of the training targets."""
    value = known.targets.mean()
    return lambda windows, rows, steps: np.full((len(windows), steps), value)


def persistence(known: Known) -> Forecast:
    """The last value, again and again."""
    return lambda windows, rows, steps: np.repeat(windows[:, -1:], steps, axis=1)


def moving_mean(known: Known, *, rows: int = 7) -> Forecast:
    """The mean of the last `rows` values."""
    return lambda windows, at, steps: np.repeat(windows[:, -rows:].mean(axis=1, keepdims=True), steps, axis=1)


def seasonal(known: Known, *, rows: int = 365) -> Forecast:
    """The value of the same row a season of so many rows before; the last value where there is none."""
    values = known.series.values

    def forecast(windows: np.ndarray, at: np.ndarray, steps: int) -> np.ndarray:
        ahead = np.arange(steps)
        past = at[:, None] + ahead - rows * (1 + ahead // rows)
        found = np.where(past >= 0, values[np.maximum(past, 0)], np.nan)
        return np.where(np.isnan(found), windows[:, -1:], found)

    return forecast


def autoregression(known: Known, *, lags: int = 10) -> Forecast:
    """AR(p): the next value as a linear function of the last p, by least squares; further ones on what was forecast."""
    weights = _least_squares(known.windows[:, -lags:], known.targets[:, :1])

    def forecast(windows: np.ndarray, at: np.ndarray, steps: int) -> np.ndarray:
        seen = windows[:, -lags:]
        for _ in range(steps):
            new = seen[:, -lags:] @ weights[:-1] + weights[-1]
            seen = np.concatenate([seen, new], axis=1)
        return seen[:, lags:]

    return forecast


def linear(known: Known) -> Forecast:
    """Every row of the horizon as its own linear function of the window less its last value, by least squares.

    A network of one layer could learn it (Zeng et al., arXiv 2205.13504: NLinear); here it is solved.
    """
    weights = _least_squares(known.windows - known.windows[:, -1:], known.targets - known.windows[:, -1:])

    def forecast(windows: np.ndarray, at: np.ndarray, steps: int) -> np.ndarray:
        last = windows[:, -1:]
        found = (windows - last) @ weights[:-1] + weights[-1] + last
        while found.shape[1] < steps:
            seen = np.concatenate([windows, found], axis=1)[:, -windows.shape[1] :]
            again = (seen - seen[:, -1:]) @ weights[:-1] + weights[-1] + seen[:, -1:]
            found = np.concatenate([found, again], axis=1)
        return found[:, :steps]

    return forecast


RULES: Mapping[str, Callable[..., Forecast]] = {
    'mean': mean,
    'persistence': persistence,
    'moving_mean': moving_mean,
    'seasonal': seasonal,
    'autoregression': autoregression,
    'linear': linear,
}
Asked = tuple[tuple[str, Callable[[Known], Forecast]], ...]  # label -> rule


def asked(entries: Any, width: int) -> Asked:
    """The rules that a config names, checked. width: rows of a window."""
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise UserError(f'{WHERE} = {entries!r}; valid: a tuple of names or of pairs (name, {{arguments}})')
    return tuple(_asked(entry, width) for entry in entries)


def _asked(entry: Any, width: int) -> tuple[str, Callable[[Known], Forecast]]:
    name, given = entry if isinstance(entry, tuple | list) and len(entry) == 2 else (entry, {})
    rule = lookup(RULES, name, f'name in {WHERE}')
    options = {one.name for one in inspect.signature(rule).parameters.values() if one.kind is one.KEYWORD_ONLY}
    for option, value in dict(given).items():
        if option not in options:
            raise UserError(f'{WHERE}: {name} has no argument {option!r}; {closest(option, sorted(options) or [""])}')
        most = width if name != 'seasonal' else 10**9
        if not isinstance(value, int) or not 1 <= value <= most:
            raise UserError(f'{WHERE}: {option}={value!r} of {name}; valid: a whole number from 1 to {most}')
    label = '_'.join([name, *map(str, dict(given).values())])
    return label, functools.partial(rule, **dict(given))


def _least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[P + 1, H]: weights and, last, the intercept; by the normal equations, so that many windows take no time."""
    means, centres = x.mean(axis=0), y.mean(axis=0)
    centred = x - means
    weights = np.linalg.lstsq(centred.T @ centred, centred.T @ (y - centres), rcond=None)[0]
    return np.concatenate([weights, (centres - means @ weights)[None]])


def half_width(residuals: np.ndarray, level: float) -> float:
    """How far a forecast may be off with this chance, by the absolute residuals [n] of data not trained on.

    The ceil((n + 1) level)-th smallest: of 99 residuals at 90 % the 90th (Vovk et al. 2005; the largest where n is small).
    """
    ordered = np.sort(np.abs(residuals))
    return float(ordered[min(int(np.ceil((len(ordered) + 1) * level)), len(ordered)) - 1])
