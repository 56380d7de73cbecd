"""What is reached without a network: trivial, linear and one-question rules, fitted by scikit-learn on the same rows.

`config.report.options.baselines` names them; each becomes metrics such as `test_mse_least_squares` and a row of a table
beside the model. They see the features that the network sees, of the training split alone.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.features import ClassLabel
from jaxlab.errors import UserError, lookup
from jaxlab.figures import Table
from jaxlab.measures import classification as scores
from jaxlab.measures.regression import regression_metrics
from jaxlab.protocol import Record, Report

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


def naive_bayes(features: np.ndarray, labels: np.ndarray) -> Fitted:
    """Multinomial naive Bayes of counts (of words), each smoothed by one."""
    from sklearn.naive_bayes import MultinomialNB

    _are_counts(features, 'naive_bayes')
    return MultinomialNB().fit(features, labels).predict_proba


def _are_counts(features: np.ndarray, name: str) -> None:
    """Refuses what no counting gives."""
    if features.min() < 0:
        raise UserError(
            f'report.options.baselines: {name} is a rule of counts of words; these inputs have negative numbers'
        )


def tfidf_logistic(features: np.ndarray, labels: np.ndarray) -> Fitted:
    """Logistic regression of counts (of words) as (1 + log tf) idf of length 1, with a light penalty (C = 10)."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    _are_counts(features, 'tfidf_logistic')
    rule = make_pipeline(TfidfTransformer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
    return rule.fit(features, labels).predict_proba


REGRESSION: Mapping[str, Callable[[np.ndarray, np.ndarray], Fitted]] = {
    'mean': mean,
    'median': median,
    'least_squares': least_squares,
    'least_absolute': least_absolute,
}
CLASSIFICATION: Mapping[str, Callable[[np.ndarray, np.ndarray], Fitted]] = {
    'majority': majority,
    'one_question': one_question,
    'logistic': logistic,
    'naive_bayes': naive_bayes,
    'tfidf_logistic': tfidf_logistic,
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which ones; rows: training rows that they are fitted on (0: all), `config.report.options.baseline_rows`."""

    names: tuple[str, ...] = ()
    rows: int = 0


def asked(wishes: Mapping[str, Any], classifies: bool) -> Asked:
    """What `config.report.options` asks for, checked."""
    table = CLASSIFICATION if classifies else REGRESSION
    names, rows = wishes.get('baselines', ()), wishes.get('baseline_rows', 0)
    if isinstance(names, str):
        raise UserError(
            f"config.report.options.baselines = {names!r}; valid: a tuple of names, e.g. ('{next(iter(table))}',)"
        )
    for name in names:
        lookup(table, name, 'name in config.report.options.baselines')
    if not isinstance(rows, int) or rows < 0:
        raise UserError(f'config.report.options.baseline_rows = {rows!r}; valid: a whole number from 0 up (0: all)')
    return Asked(tuple(names), rows)


def report(record: Record, data: Dataset, asked: Asked) -> Report:
    """A classifier's table and metrics; empty where nothing is asked for."""
    found = measured(fitted(asked, data), data)
    if not found:
        return Report()
    model = {metric: float(np.mean(record.metrics[f'test_{metric}'])) for metric in ('accuracy', 'loss')}
    replicas = len(record.states)
    note = f'test split, n = {data.splits["test"].size:,}; the network: mean of {replicas} replica{"s"[: replicas > 1]}'
    note += f'; the others fitted on {asked.rows:,} training rows' if asked.rows else ''
    return Report((table(model, found, note),), metrics(found, replicas))


def fitted(asked: Asked, data: Dataset) -> dict[str, Fitted]:
    """Baseline -> what it predicts, learned from the training split."""
    if not asked.names:
        return {}
    rules, (x, answers) = _rules(data), _arrays(data, 'train', asked.rows)
    return {name: rules[name](x, answers) for name in asked.names}


def measured(rules: Mapping[str, Fitted], data: Dataset) -> dict[str, dict[str, float]]:
    """Baseline -> metric -> value on the test split."""
    if not rules or 'test' not in data.splits:
        return {}
    x, answers = _arrays(data, 'test', 0)
    measure = classified if _rules(data) is CLASSIFICATION else regression_metrics
    return {name: measure(answers, predict(x)) for name, predict in rules.items()}


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


def table(
    model: Mapping[str, float], found: Mapping[str, Mapping[str, float]], note: str, own: str = 'this network'
) -> Table:
    """The network's mean over its replicas above the baselines, metric by metric."""
    columns = list(next(iter(found.values())))
    rows: list[tuple[Any, ...]] = [(own, *(model[metric] for metric in columns))]
    rows += [(name.replace('_', ' '), *(values[metric] for metric in columns)) for name, values in found.items()]
    title = 'The network beside what needs none'
    return Table('baselines', title, note, ('rule', *columns), rows)


def _rules(data: Dataset) -> Mapping[str, Callable[[np.ndarray, np.ndarray], Fitted]]:
    """Those that can answer what is asked here."""
    return CLASSIFICATION if isinstance(data.answer_feature, ClassLabel) else REGRESSION


def _arrays(data: Dataset, part: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """(inputs [N, F] float64, answers [N]); images are flattened and brought to [0, 1]."""
    split = data.splits[part]
    batch = split.read(np.arange(min(limit, split.size) if limit else split.size))
    inputs = data.input_feature.flat(batch[data.input])
    if inputs.size > MOST_VALUES:
        raise UserError(f'baselines would hold {inputs.size:,} values; valid: config.report.options.baseline_rows=N')
    answers = batch[data.answer]
    return inputs, answers if np.issubdtype(answers.dtype, np.integer) else answers.astype(np.float64)
