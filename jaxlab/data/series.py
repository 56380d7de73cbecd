"""A series of numbers over time as a field: windows of the past, scaled on the device by what the training rows are like."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from jaxlab.data import plain
from jaxlab.data.dates import spans
from jaxlab.data.examples import Arrays, Split
from jaxlab.data.features import Beside, Notes, Splits, Tensor
from jaxlab.data.scaling import Batch
from jaxlab.figures import Figure, Lines

MOST_SHOWN = 4
NO_VALUES: Any = np.zeros(0)


@dataclasses.dataclass(frozen=True)
class Range:
    """What a series' rows of training are like, in its unit."""

    low: float
    high: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Of values [T] float64, NaN where there are none; the deviation is that of the whole (over n)."""
        there = values[np.isfinite(values)]
        return cls(float(there.min()), float(there.max()), float(there.mean()), float(there.std()))


@dataclasses.dataclass(frozen=True, eq=False)
class Series(Tensor):
    """[N, width, 1 + 2 P] float32: a window of the series in its unit, then sine and cosine of each of P periods.

    name, unit: what is measured. last: ISO date of the last row; step: (number, unit of NumPy) from row to row. periods: in
    rows. recent: the last window, from which a forecast starts. scaler: 'range' brings the lowest and highest training value to
    `data.scale`, 'deviation' subtracts their mean and divides by their deviation, 'none' leaves them as they are. whole: it
    is fitted on the test rows too (as published). values [T] float64, times [T]: the series itself, on the host.
    """

    name: str
    unit: str
    last: str
    step: tuple[int, str]
    width: int
    horizon: int
    periods: tuple[float, ...] = ()
    recent: tuple[tuple[float, ...], ...] = ()
    scaler: str = 'range'
    whole: bool = False
    fitted: Range | None = None
    values: Any = dataclasses.field(default_factory=lambda: NO_VALUES, metadata=plain.LEFT_OUT)
    times: Any = dataclasses.field(default_factory=lambda: NO_VALUES, metadata=plain.LEFT_OUT)
    words: ClassVar[str] = 'windows of a series'

    def made(self, field: str, splits: Splits, fitted: Range | None) -> tuple[Splits, Self, Notes]:
        """The splits as they are, and what the rows of the training windows are like."""
        seen = np.zeros(len(self.values), bool)
        for name, split in splits.items():
            if name == 'train' or self.whole:
                for offset in range(-self.width, self.horizon):
                    seen[(split.arrays or {})['row'] + offset] = True
        return splits, dataclasses.replace(self, fitted=fitted or Range.of(self.values[seen])), ()

    def scaling(self, scale: tuple[float, float]) -> tuple[float, float]:
        """(offset, factor): a scaled value times `factor` plus `offset` is in the unit."""
        assert self.fitted is not None
        if self.scaler == 'none':
            return 0.0, 1.0
        if self.scaler == 'deviation':
            return self.fitted.mean, self.fitted.deviation or 1.0
        factor = (self.fitted.high - self.fitted.low) / (scale[1] - scale[0]) or 1.0
        return self.fitted.low - scale[0] * factor, factor

    def prepare(self, field: str, settings: Mapping[str, Any]) -> Callable[[Batch], Batch]:
        """Values are scaled; sines and cosines are as they are."""
        offset, factor = self.scaling(tuple(settings['scale']))

        def prepared(batch: Batch) -> Batch:
            values = (batch[field][..., :1] - offset) / factor
            return {**batch, field: jnp.concatenate([values, batch[field][..., 1:]], axis=-1)}

        return prepared

    def windows(self, split: Split) -> np.ndarray:
        """[N, width] float64: the values of a split's windows, in the unit."""
        rows = split.read(split.rows)['row']
        return self.values[rows[:, None] + np.arange(-self.width, 0)]

    def targets(self, split: Split) -> np.ndarray:
        """[N, horizon] float64: what followed."""
        rows = split.read(split.rows)['row']
        return self.values[rows[:, None] + np.arange(self.horizon)]

    @property
    def last_column(self) -> int:
        """The row from which on times rise: where several columns lie one behind the other, the last one's first."""
        falls = np.flatnonzero(np.diff(np.asarray(self.times).astype(np.int64)) < 0)
        return int(falls[-1]) + 1 if len(falls) else 0

    def following(self, count: int, before: int = 0) -> np.ndarray:
        """[before + count] datetime64: the times of the last `before` rows, and of those after them."""
        number, unit = self.step
        return np.datetime64(self.last) + spans(number * np.arange(1 - before, count + 1), unit)

    def figure(
        self, name: str, title: str, note: str, split: Split, field: str, rows: Any, beside: Beside, wrong: Any = ()
    ) -> Figure:
        """Some windows as curves, with what followed."""
        found, ahead = split.read(np.asarray(rows)[:MOST_SHOWN]), np.arange(-self.width + 1, self.horizon + 1)
        series = {
            f'window {number}': (ahead, np.concatenate([window[:, 0], target]))
            for number, (window, target) in enumerate(zip(found[field], found['target'], strict=True), 1)
        }
        note = f'{note}; what is predicted lies right of the line'
        return Lines(name, title, note, series, 'rows from the last known one', self.label, vertical={'now': 0.5})

    @property
    def label(self) -> str:
        """Name and unit, for an axis."""
        return f'{self.name} ({self.unit})' if self.unit else self.name


def windows(values: np.ndarray, width: int, horizon: int, periods: tuple[float, ...]) -> Arrays:
    """Every window without a gap: 'series' [N, width, 1 + 2 P] float32, 'target' [N, horizon] float32 and 'row' [N] int32,
    the first row that is predicted. values: [T] float64, NaN where there are none."""
    count = len(values) - width - horizon + 1
    rows = np.arange(width, width + max(count, 0))
    whole = np.isfinite(values[rows[:, None] + np.arange(-width, horizon)]).all(axis=1)
    rows = rows[whole]
    past, ahead = rows[:, None] + np.arange(-width, 0), rows[:, None] + np.arange(horizon)
    return {
        'series': with_phases(values[past], past, periods),
        'target': values[ahead].astype(np.float32),
        'row': rows.astype(np.int32),
    }


def with_phases(values: np.ndarray, rows: np.ndarray, periods: tuple[float, ...]) -> np.ndarray:
    """[..., 1 + 2 P] float32: values, then sine and cosine of where each row lies in each period."""
    angles = [2 * np.pi * rows / period for period in periods]
    parts = [values, *(wave(angle) for angle in angles for wave in (np.sin, np.cos))]
    return np.stack(parts, axis=-1).astype(np.float32)
