"""What a forecaster shows: forecasts with intervals, residuals, errors by horizon, rules without a network in one table."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data import dates
from jaxlab.data.dataset import Dataset
from jaxlab.data.series import Series
from jaxlab.figures import Figure, Histogram, Lines, Table
from jaxlab.measures.regression import regression_metrics
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks.forecasting import rules
from jaxlab.tasks.forecasting.step import Forecasting
from jaxlab.tasks.reporting import TaskReport

LEVEL = 0.9  # of the intervals
SHOWN = 60  # rows in the enlarged figure
FARTHEST = 14  # rows ahead in the figure of errors by horizon
LAGS = 30
MAIN = ('scaled_mse', 'rmse', 'mae', 'r2', 'mase')


@dataclasses.dataclass(frozen=True)
class ForecastingReport(TaskReport[Forecasting]):
    """Reports a forecaster as `config.report` asks; its options are checked before training."""

    beside: rules.Asked  # what needs no network: config.report.options.baselines

    @classmethod
    def from_config(cls, config: Any, task: Forecasting, data: Dataset) -> Self:
        beside = rules.asked(config.report.options.get('baselines', ()), series_of(data).width)
        return cls(task, data, config.report.examples, beside)

    def keeps(self, split: str) -> int:
        """All: residuals of validation say how wide an interval must be."""
        return 0 if split == 'train' else ALL

    def report(self, record: Record) -> Report:
        """Figures are of the first replica on the test split (or the last one that was evaluated), metrics of all."""
        feature, splits = series_of(self.data), self.data.splits
        rows = np.linspace(0, splits['train'].size - 1, self.examples_shown).astype(int)
        note = f'{feature.label}, windows of {feature.width} rows'
        first = feature.figure('examples', 'Training windows', note, splits['train'], self.data.input, rows, {})
        figures: list[Figure] = [_whole(feature, splits), first]
        split = self.split
        if split not in record.outputs:
            return Report(tuple(figures))
        seen = Judged.of(self.task, self.data, split)
        predictions = [outputs['prediction'].astype(np.float64) for outputs in record.outputs[split]]
        metrics = _by_replica([seen.measured(one) for one in predictions], split, ('rmse', 'r2', 'mase'))
        known = rules.Known(feature.windows(splits['train']), feature.targets(splits['train']), feature)
        made = {label: rule(known) for label, rule in self.beside}
        found = {label: seen.measured(rule(seen.windows, seen.rows, feature.horizon)) for label, rule in made.items()}
        metrics |= {
            f'{split}_{metric}_{label}': [values[metric]] * len(predictions)
            for label, values in found.items()
            for metric in ('scaled_mse', 'rmse')
        }
        measured = {**record.metrics, **metrics}
        figures.append(_table(found, {name: float(np.mean(measured[f'{split}_{name}'])) for name in MAIN}, seen))
        intervals = _intervals(record, self.data, seen, predictions)
        figures += _forecasts(seen, predictions[0], intervals)
        figures += _residuals(seen, predictions[0])
        if intervals is not None:
            metrics[f'{split}_coverage'] = intervals.coverage
        figures += _by_horizon(self.task, self.data, record, seen, made)
        return Report(tuple(figures), metrics, _remarks(found, measured, split, feature, intervals))


@dataclasses.dataclass(frozen=True)
class Judged:
    """A split: windows [N, width], what followed [N, H], the first row of it [N]; factor: unit of a scaled value; step: mean
    absolute change from row to row in training, by which errors are divided (MASE)."""

    split: str
    series: Series
    windows: np.ndarray
    targets: np.ndarray
    rows: np.ndarray
    factor: float
    step: float

    @classmethod
    def of(cls, task: Forecasting, data: Dataset, name: str) -> Self:
        """One split of the data."""
        feature, split, train = series_of(data), data.splits[name], data.splits['train']
        changes = np.abs(np.diff(feature.windows(train), axis=1))
        rows = split.read(split.rows)['row'].astype(np.int64)
        return cls(
            name, feature, feature.windows(split), feature.targets(split), rows, task.factor, float(changes.mean())
        )

    def measured(self, predictions: np.ndarray) -> dict[str, float]:
        """Errors of forecasts [N, H] in the unit; mse is left out, scaled_mse is in scaled units."""
        found = regression_metrics(self.targets, predictions)
        return {
            'scaled_mse': found['mse'] / self.factor**2,
            **{name: found[name] for name in ('rmse', 'mae', 'r2')},
            'mase': found['mae'] / self.step,
        }

    @property
    def years(self) -> np.ndarray:
        """[N]: when the first row of each answer is."""
        return dates.years(self.series.times[self.rows])

    @property
    def note(self) -> str:
        """Split and size, for the notes under figures."""
        return f'{self.split} split, n = {len(self.rows):,}'


@dataclasses.dataclass(frozen=True)
class Intervals:
    """half: [R, H] of each replica and step ahead; coverage: share of the targets inside, a replica; size: residuals each."""

    half: np.ndarray
    coverage: list[float]
    size: int


def series_of(data: Dataset) -> Series:
    """The feature of the windows."""
    feature = data.input_feature
    assert isinstance(feature, Series)
    return feature


def _by_replica(found: Sequence[Mapping[str, float]], split: str, names: Sequence[str]) -> dict[str, list[float]]:
    return {f'{split}_{name}': [one[name] for one in found] for name in names}


def _whole(feature: Series, splits: Mapping[str, Any]) -> Lines:
    """The series, and where its parts begin."""
    borders = {name: int(split.read([0])['row'][0]) for name, split in splits.items()}
    years = dates.years(feature.times)
    vertical = {f'{name} from here': float(years[row]) for name, row in borders.items() if name != 'train'}
    end = int(np.flatnonzero(np.isfinite(feature.values))[-1]) + 1
    shown = slice(feature.last_column, end)
    values, missing = feature.values[shown], int(np.isnan(feature.values[shown]).sum())
    note = f'{len(values):,} rows' + (f', {missing} of them missing' if missing else '')
    note += '; the last of several columns' if feature.last_column else ''
    series = {feature.name: (years[shown], values)}
    return Lines('series', 'The whole series', note, series, 'year', feature.label, vertical=vertical)


def _table(found: Mapping[str, Mapping[str, float]], model: Mapping[str, float], seen: Judged) -> Table:
    lines = {'this network': model, **{name.replace('_', ' '): one for name, one in found.items()}}
    rows = [(name, *one.values()) for name, one in sorted(lines.items(), key=lambda line: line[1]['scaled_mse'])]
    unit = seen.series.unit or 'the unit'
    note = f'{seen.note}; scaled MSE: of values as the network sees them; RMSE and MAE in {unit}; MASE: MAE over the mean change '
    note += 'from row to row in training (1: as wrong as persistence there); the network: mean of its replicas'
    columns = ('forecast', 'scaled MSE', 'RMSE', 'MAE', 'R²', 'MASE')
    return Table('baselines', 'The network beside what needs none', note, columns, rows, decimals=5)


def _intervals(record: Record, data: Dataset, seen: Judged, predictions: Sequence[np.ndarray]) -> Intervals | None:
    """From the residuals of the validation split, step by step; what they cover of the other."""
    if 'validation' not in record.outputs or seen.split == 'validation':
        return None
    truth = series_of(data).targets(data.splits['validation'])
    residuals = [outputs['prediction'] - truth for outputs in record.outputs['validation']]
    half = np.array([[rules.half_width(one[:, h], LEVEL) for h in range(one.shape[1])] for one in residuals])
    inside = [np.abs(one - seen.targets) <= width for one, width in zip(predictions, half, strict=True)]
    return Intervals(half, [float(one.mean()) for one in inside], len(truth))


def _forecasts(seen: Judged, predictions: np.ndarray, intervals: Intervals | None) -> list[Figure]:
    """The next row as forecast from true past values, all of the split and its last rows."""
    made, shown = list[Figure](), seen.rows >= seen.series.last_column
    note = f'{seen.note}, first replica; each from the true values before it'
    if intervals is not None:
        note += f'; band: {LEVEL:.0%} by {intervals.size} residuals of validation, it covers {intervals.coverage[0]:.1%} here'
    for name, title, part in (
        ('forecast', 'Forecast and what came', slice(None)),
        ('forecast_last', f'The last {min(SHOWN, len(seen.rows))} of them', slice(-SHOWN, None)),
    ):
        columns = (seen.years[shown][part], seen.targets[shown, 0][part], predictions[shown, 0][part])
        x, measured, forecast = parted(seen.rows[shown][part], *columns)
        bands = {}
        if intervals is not None:
            bands = {'forecast': (forecast - intervals.half[0, 0], forecast + intervals.half[0, 0])}
        series = {'measured': (x, measured), 'forecast': (x, forecast)}
        made.append(Lines(name, title, note, series, 'year', seen.series.label, bands=bands))
    return made


def parted(rows: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
    """Columns [T] with a value that is none between rows that are no neighbours: no line is drawn over a gap."""
    after = np.flatnonzero(np.diff(rows) > 1) + 1
    return [np.insert(column.astype(float), after, np.nan) for column in columns]


def _residuals(seen: Judged, predictions: np.ndarray) -> list[Figure]:
    """Errors of the next row over time, how they are spread, and whether one tells the next."""
    shown = seen.rows >= seen.series.last_column
    errors, years = (seen.targets[:, 0] - predictions[:, 0])[shown], seen.years[shown]
    note, label = f'{seen.note}, first replica', f'measured minus forecast ({seen.series.unit or "unit"})'
    x, error = parted(seen.rows[shown], years, errors)
    over_time = Lines(
        'residuals', 'Errors over time', note, {'error': (x, error)}, 'year', label, horizontal={'none': 0.0}
    )
    spread = Histogram(
        'residual_histogram',
        'How the errors are spread',
        f'{note}; mean {errors.mean():.3g}',
        {'errors': errors},
        50,
        label,
    )
    lags = np.arange(1, min(LAGS, len(errors) - 1) + 1)
    centred = errors - errors.mean()
    found = np.array([np.sum(centred[lag:] * centred[:-lag]) for lag in lags]) / max(np.sum(centred**2), 1e-12)
    bound = 1.96 / len(errors) ** 0.5
    correlation = Lines(
        'residual_autocorrelation',
        'Does an error tell the next?',
        f'{note}; between the lines lie 95 % of the values of errors that are independent',
        {'autocorrelation': (lags, found)},
        'rows between two errors',
        'autocorrelation',
        markers=True,
        horizontal={'+1.96 / √n': bound, '-1.96 / √n': -bound},
    )
    return [over_time, spread, correlation]


def _by_horizon(
    task: Forecasting, data: Dataset, record: Record, seen: Judged, made: Mapping[str, rules.Forecast]
) -> list[Figure]:
    """RMSE of the k-th row ahead, forecasts standing on forecasts, beside the rules without a network."""
    values, steps = seen.series.values, max(FARTHEST, seen.series.horizon)
    rows = seen.rows[seen.rows + steps <= len(values)]
    truth = values[rows[:, None] + np.arange(steps)]
    there = np.isfinite(truth).all(axis=1)
    if there.sum() < 2:
        return []
    rows, truth = rows[there], truth[there]
    chosen = np.flatnonzero(np.isin(seen.rows, rows))
    split = data.splits[seen.split]
    batch = {data.input: jnp.asarray(split.read(chosen)[data.input])}
    rolled = jax.jit(lambda state, batch: task.rollout(state, data.prepare(batch)[data.input], steps))
    windows = seen.windows[chosen]
    found = {'this network': np.asarray(rolled(record.states[0], batch), np.float64)}
    found |= {label.replace('_', ' '): rule(windows, rows, steps) for label, rule in made.items()}
    ahead = np.arange(1, steps + 1)
    series = {name: (ahead, np.sqrt(np.square(one - truth).mean(axis=0))) for name, one in found.items()}
    note = f'{seen.split} split, n = {len(rows):,}, first replica; each forecast stands on those before it'
    label = f'RMSE ({seen.series.unit or "unit"})'
    return [Lines('horizons', 'Errors by horizon', note, series, 'rows ahead', label, markers=True)]


def _remarks(
    found: Mapping[str, Mapping[str, float]],
    measured: Mapping[str, Sequence[float]],
    split: str,
    feature: Series,
    intervals: Intervals | None,
) -> tuple[str, ...]:
    own, remarks = float(np.mean(measured[f'{split}_scaled_mse'])), []
    for label, values in found.items():
        gap = own / values['scaled_mse'] - 1
        words = 'below' if gap < 0 else 'above'
        if label == 'persistence' or label.startswith('autoregression'):
            remarks.append(f'Its squared error is {abs(gap):.1%} {words} that of {label.replace("_", " ")}.')
    if intervals is not None:
        remarks.append(f'{LEVEL:.0%} intervals cover {np.mean(intervals.coverage):.1%} of the {split} rows.')
    return tuple(remarks)
