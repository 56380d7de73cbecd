"""What every regression reports: examples, predicted against actual values, residuals, coefficients, baselines."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.features import Value
from jaxlab.figures import Bars, Figure, Histogram, Lines, Points, Table
from jaxlab.measures import regression as scores
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks import baselines
from jaxlab.tasks.regression.step import Regression
from jaxlab.tasks.reporting import TaskReport


@dataclasses.dataclass(frozen=True)
class RegressionReport(TaskReport[Regression]):
    """Reports a regression as `config.report` asks; its options are checked before training."""

    beside: baselines.Asked  # what needs no network: config.report.options.baselines

    @classmethod
    def from_config(cls, config: Any, task: Regression, data: Dataset) -> Self:
        return cls(task, data, config.report.examples, baselines.asked(config.report.options, classifies=False))

    def keeps(self, split: str) -> int:
        """All of each: its errors are reported in the target's unit."""
        return ALL

    def report(self, record: Record) -> Report:
        """Figures are of the first replica on the test split (or the last one that was evaluated), metrics of all."""
        feature = self.data.input_feature
        train = feature.source('train', self.data.splits['train'])
        rows = np.arange(min(self.examples_shown, train.size))
        target = target_of(self.data)
        first = {target.name: [float(value) for value in train.read(rows)['target']]} if len(rows) else {}
        note = f'the first {len(rows)} of {train.size:,} training examples; {target.name} in {target.unit_words}'
        figures: list[Figure] = [
            feature.figure('examples', 'Training examples', note, train, self.data.input, rows, first),
            _targets(self.data, target),
        ]
        figures += _stage_curves(record, self.task.stages)
        metrics = {
            name: values
            for split in record.outputs
            for name, values in _metrics(record, self.data, split, target).items()
        }
        split = 'test' if 'test' in record.outputs else next(iter(record.outputs), None)
        if split is None:
            return Report(tuple(figures))
        truth = targets_of(self.data, split)
        predictions = record.outputs[split][0]['prediction'].astype(np.float64)
        note = f'{split} split, n = {len(truth):,}, first replica'
        figures += [_scatter(truth, predictions, target, note), _residuals(truth, predictions, target, note)]
        rules = baselines.fitted(self.beside, self.data)
        found = baselines.measured(rules, self.data)
        if found:
            figures.append(_beside(record, metrics, found, target, len(truth)))
            metrics |= baselines.metrics(found, len(record.states))
        figures += _weights(record, self.data, rules)
        return Report(tuple(figures), metrics, (_remark(metrics, split, target),))


def target_of(data: Dataset) -> Value:
    """The feature of the predicted field, with its unit."""
    feature = data.answer_feature
    assert isinstance(feature, Value)
    return feature


def _unit_name(target: Value) -> str:
    """The unit as part of a metric's name: 'usd'."""
    return re.sub(r'\W+', '_', target.unit.lower())


def targets_of(data: Dataset, split: str) -> np.ndarray:
    """All targets of a split, [N] float64."""
    source = data.splits[split]
    return source.read(np.arange(source.size))['target'].astype(np.float64)


def _metrics(record: Record, data: Dataset, split: str, target: Value) -> dict[str, list[float]]:
    """Of each replica: root mean squared error, R^2, and the mean absolute error in the unit itself."""
    truth = targets_of(data, split)
    found = [
        scores.regression_metrics(truth, outputs['prediction'].astype(np.float64)) for outputs in record.outputs[split]
    ]
    named = {f'{split}_{metric}': [one[metric] for one in found] for metric in ('rmse', 'r2')}
    if target.unit:
        named[f'{split}_mae_{_unit_name(target)}'] = [one['mae'] * target.factor for one in found]
    return {name: values for name, values in named.items() if np.isfinite(values).all()}


def _targets(data: Dataset, target: Value) -> Histogram:
    samples = {name: targets_of(data, name) for name in data.splits}
    label = f'{target.name} ({target.unit_words})'
    return Histogram('targets', 'What is to be predicted', '', samples, 50, label, 'examples')


def _scatter(truth: np.ndarray, predictions: np.ndarray, target: Value, note: str) -> Points:
    low, high = truth.min(), truth.max()
    room = 0.03 * (high - low)
    capped = int((truth == truth.max()).sum())
    if capped > 0.01 * len(truth):
        note += f'; {capped:,} targets lie at the largest value {truth.max():g}: they were cut there'
    unit = target.unit_words
    return Points(
        'predicted_actual',
        'Predicted against actual values',
        note,
        {'one example': np.stack([truth, predictions], axis=1)},
        {'predicted = actual': np.array([[low, low], [high, high]])},
        x_label=f'actual {target.name} ({unit})',
        y_label=f'predicted {target.name} ({unit})',
        x_range=(low - room, high + room),
    )


def _residuals(truth: np.ndarray, predictions: np.ndarray, target: Value, note: str) -> Histogram:
    errors = predictions - truth
    note += f'; mean {errors.mean():.3g}, median {np.median(errors):.3g}'
    label = f'predicted minus actual {target.name} ({target.unit_words})'
    return Histogram('residuals', 'Errors of the predictions', note, {'errors': errors}, 60, label, 'examples')


def _stage_curves(record: Record, stages: Sequence[Any]) -> list[Lines]:
    """Both errors over all stages: losses of different units cannot be compared by their height."""
    if not stages or not record.history:
        return []
    ends = np.cumsum([epochs for _, epochs in stages])[:-1]
    vertical = {f'{name} errors from here': float(end) for (name, _), end in zip(stages[1:], ends, strict=True)}
    made = []
    for metric, title in (('mse', 'Squared error over the stages'), ('mae', 'Absolute error over the stages')):
        series = {}
        for split in ('train', 'validation'):
            rows = [row for row in record.history if row.get(f'{split}_{metric}') is not None]
            if rows:
                epochs = np.array([row['epoch'] for row in rows])
                series[split] = (epochs, np.array([row[f'{split}_{metric}'] for row in rows]).T)
        note = 'training: before each update; validation: after it'
        made.append(Lines(f'stages_{metric}', title, note, series, 'epoch', f'mean {metric}', vertical=vertical))
    return made


def _beside(
    record: Record,
    metrics: Mapping[str, Sequence[float]],
    found: Mapping[str, Mapping[str, float]],
    target: Value,
    size: int,
) -> Table:
    known = {**record.metrics, **metrics}
    model = {metric: float(np.mean(known[f'test_{metric}'])) for metric in ('mse', 'rmse', 'mae', 'r2')}
    replicas = len(record.states)
    note = f'test split, n = {size:,}; the network: mean of {replicas} replica{"s" if replicas > 1 else ""}; '
    return baselines.table(model, found, note + f'errors in {target.unit_words}')


def feature_names(data: Dataset) -> tuple[str, ...]:
    """One a number that the network is given; x1, x2 and so on where they have no names."""
    width = data.input_feature.flat(data.splits['train'].read([0])[data.input]).shape[1]
    return getattr(data.input_feature, 'names', ()) or tuple(f'x{number}' for number in range(1, width + 1))


def _weights(record: Record, data: Dataset, rules: Mapping[str, baselines.Fitted]) -> list[Figure]:
    """A linear model's coefficients beside the exact ones; else how strongly the first layer takes up each feature."""
    params = record.states[0]['model'].params
    names = feature_names(data)
    kernel = np.asarray(params.get('Dense_0', {}).get('kernel', np.zeros((0, 0))), np.float64)
    if kernel.shape[:1] != (len(names),):
        return []
    if 'Dense_1' in params:
        strength = np.abs(kernel).mean(axis=1)
        note = f'mean of the absolute weights to the {kernel.shape[1]} units of the first layer; first replica'
        title = 'How strongly the first layer takes up each feature'
        return [Bars('first_layer', title, note, names, {'mean |w|': strength}, {}, 'feature', 'mean |w|')]
    offset, factor = target_of(data).scaling
    bias = float(np.asarray(params['Dense_0']['bias'])[0])
    columns = {'network': np.append(kernel[:, 0] * factor, bias * factor + offset)}
    columns |= {
        name.replace('_', ' '): values
        for name, predict in rules.items()
        for values in [_coefficients(predict, len(names))]
        if np.any(values[:-1])
    }
    rows = [(name, *(float(values[at]) for values in columns.values())) for at, name in enumerate((*names, 'bias'))]
    note = 'change of the prediction when the feature grows by its standard deviation; first replica'
    return [Table('coefficients', 'Coefficients', note, ('feature', *columns), rows)]


def _coefficients(predict: baselines.Fitted, width: int) -> np.ndarray:
    """Of a linear rule over `width` features, bias last: its values at 0 and at one step along each feature."""
    bias = predict(np.zeros((1, width)))
    return np.append(predict(np.eye(width)) - bias, bias)


def _remark(metrics: Mapping[str, Sequence[float]], split: str, target: Value) -> str:
    errors = metrics.get(f'{split}_mae_{_unit_name(target)}')
    r2 = metrics.get(f'{split}_r2')
    words = f'It explains {np.mean(r2):.1%} of the variance of the {split} split.' if r2 else ''
    return f'The mean absolute error is {np.mean(errors):,.6g} {target.unit}. {words}'.strip() if errors else words
