"""What is reached without a network: trivial, linear and one-question rules, fitted by scikit-learn on the same rows.

`config.report.options.baselines` names them; each becomes metrics such as `test_mse_least_squares` and a row of a table
beside the model. They see the features that the network sees, of the training split alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.data.dataset import Dataset, Split
from jaxlab.errors import UserError, lookup
from jaxlab.figures import Table
from jaxlab.metrics import classification as scores
from jaxlab.metrics.regression import regression_metrics

MAIN = ('mse', 'mae', 'accuracy', 'loss')
MOST_VALUES = 200_000_000  # of a training split in memory

Fitted = Callable[[np.ndarray], np.ndarray]  # features [N, F] -> values [N], or class probabilities [N, C]


def mean(features: np.ndarray, target: np.ndarray) -> Fitted:
    """The mean of the training targets: the best constant for squared errors."""
    return lambda x: np.full(len(x), target.mean())


def median(features: np.ndarray, target: np.ndarray) -> Fitted:
    """Their median: the best constant for absolute errors."""
    return lambda x: np.full(len(x), np.median(target))


def least_squares(features: np.ndarray, target: np.ndarray) -> Fitted:
    """The linear function with the least sum of squares."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(features, target).predict


def least_absolute(features: np.ndarray, target: np.ndarray) -> Fitted:
    """The linear function with the least sum of absolute errors (a linear program, solved exactly)."""
    from sklearn.linear_model import QuantileRegressor

    return QuantileRegressor(quantile=0.5, alpha=0.0, solver='highs-ipm').fit(features, target).predict


def majority(features: np.ndarray, labels: np.ndarray) -> Fitted:
    """The shares of the classes, whatever the features: the most frequent class always."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy='prior').fit(features, labels).predict_proba


def one_question(features: np.ndarray, labels: np.ndarray) -> Fitted:
    """One threshold on one feature, the best of all (a decision tree of depth 1): on the Titanic, the sex."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=1, random_state=0).fit(features, labels).predict_proba


def logistic(features: np.ndarray, labels: np.ndarray) -> Fitted:
    """Logistic regression without a penalty, to its optimum."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=np.inf, max_iter=2000, tol=1e-8).fit(features, labels).predict_proba


REGRESSION: Mapping[str, Callable[[np.ndarray, np.ndarray], Fitted]] = {
    'mean': mean, 'median': median, 'least_squares': least_squares, 'least_absolute': least_absolute,
}  # fmt: skip
CLASSIFICATION: Mapping[str, Callable[[np.ndarray, np.ndarray], Fitted]] = {
    'majority': majority, 'one_question': one_question, 'logistic': logistic,
}  # fmt: skip


def names(asked: Sequence[str], classifies: bool) -> tuple[str, ...]:
    """The names in `config.report.options.baselines`, checked."""
    table = CLASSIFICATION if classifies else REGRESSION
    if isinstance(asked, str):
        raise UserError(f"config.report.options.baselines = {asked!r}; valid: a tuple of names, e.g. ('{next(iter(table))}',)")
    for name in asked:
        lookup(table, name, 'name in config.report.options.baselines')
    return tuple(asked)


def measured(asked: Sequence[str], data: Dataset, limit: int = 0) -> dict[str, dict[str, float]]:
    """Baseline -> metric -> value on the test split. limit: training rows used (0: all), for images."""
    if not asked or 'test' not in data.splits:
        return {}
    classifies = bool(data.class_names)
    x, answers = _arrays(data.splits['train'], limit)
    test_x, test_answers = _arrays(data.splits['test'], 0)
    found = {}
    for name in asked:
        predicted = (CLASSIFICATION if classifies else REGRESSION)[name](x, answers)(test_x)
        found[name] = classified(test_answers, predicted) if classifies else regression_metrics(test_answers, predicted)
    return found


def classified(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy and loss (log-loss, nats) of class probabilities [N, C]."""
    return {
        'accuracy': float(np.mean(probabilities.argmax(1) == labels)),
        'loss': scores.log_loss(labels, probabilities),
    }


def metrics(found: Mapping[str, Mapping[str, float]], replicas: int) -> dict[str, list[float]]:
    """`test_METRIC_BASELINE` of the two main metrics, the same for each replica; the table has all of them."""
    return {
        f'test_{metric}_{name}': [value] * replicas
        for name, values in found.items()
        for metric, value in values.items()
        if metric in MAIN
    }


def table(model: Mapping[str, float], found: Mapping[str, Mapping[str, float]], note: str, own: str = 'this network'
          ) -> Table:  # fmt: skip
    """The network's mean over its replicas above the baselines, metric by metric."""
    columns = list(next(iter(found.values())))
    rows: list[tuple[Any, ...]] = [(own, *(model[metric] for metric in columns))]
    rows += [(name.replace('_', ' '), *(values[metric] for metric in columns)) for name, values in found.items()]
    title = 'The network beside what needs none'
    return Table('baselines', title, note, ('rule', *columns), rows)


def _arrays(split: Split, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """(inputs [N, F] float64, answers [N]); images are flattened and brought to [0, 1]."""
    rows = np.arange(min(limit, split.size) if limit else split.size)
    batch = split.read(rows)
    inputs = batch['image'] / 255.0 if 'image' in batch else batch['features']
    inputs = np.asarray(inputs, np.float64).reshape(len(rows), -1)
    if inputs.size > MOST_VALUES:
        raise UserError(f'baselines would hold {inputs.size:,} values; valid: config.report.options.baseline_rows=N')
    return inputs, batch['label'] if 'label' in batch else batch['target'].astype(np.float64)
