"""What every classifier reports: examples, class counts, confusions, scores by class, surest mistakes."""

import hashlib
from collections.abc import Sequence

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import labels_of, names_of
from jaxlab.figures import Bars, Figure, Matrix, Table
from jaxlab.measures import classification as scores
from jaxlab.measures.classification import softmax
from jaxlab.protocol import Judged, Record, Report

MOST_CLASSES = 20  # above it a confusion matrix cannot be read


def report(record: Record, data: Dataset, shown: int) -> Report:
    """Of the first replica's `logits` [N, classes] on the test split (or the last one that was evaluated)."""
    examples = [_examples(data, shown), _histogram(data)]
    split = 'test' if 'test' in record.outputs else next(iter(record.outputs), None)
    if split is None:
        return Report(tuple(examples))
    source = data.splits[split]
    labels, probabilities = labels_of(source), softmax(record.outputs[split][0]['logits'].astype(np.float64))
    predictions = probabilities.argmax(axis=1)
    note = f'{split} split, n = {len(labels):,}, first replica'
    figures: list[Figure] = [_scores(labels, predictions, names_of(data), note)]
    if len(names_of(data)) <= MOST_CLASSES:
        figures.append(_confusion(labels, predictions, names_of(data), note))
    figures.append(_mistakes(data, split, labels, probabilities, shown, note))
    errors = int((labels != predictions).sum())
    remark = f'The first replica is wrong on {errors:,} of the {len(labels):,} examples of the {split} split.'
    judged = Judged(labels == predictions, hashlib.sha256(np.ascontiguousarray(labels)).hexdigest())
    return Report((*examples, *figures), remarks=(remark,), judged=judged)


def _examples(data: Dataset, shown: int) -> Figure:
    feature = data.input_feature
    train = feature.source('train', data.splits['train'])  # as they came, before any resampling
    rows = np.arange(min(shown, train.size))
    note = f'the first {len(rows)} of {train.size:,} training examples'
    beside = {'class': [names_of(data)[label] for label in labels_of(train)[rows]]}
    return feature.figure('examples', 'Training examples', note, train, data.input, rows, beside)


def _confusion(labels: np.ndarray, predictions: np.ndarray, names: Sequence[str], note: str) -> Matrix:
    counts = scores.confusion_matrix(labels, predictions, len(names))
    title = 'Which class is taken for which'
    return Matrix('confusion_matrix', title, note, counts.astype(float), names, names, 'predicted class', 'true class')


def _scores(labels: np.ndarray, predictions: np.ndarray, names: Sequence[str], note: str) -> Table:
    found = scores.class_scores(labels, predictions, len(names))
    rows = [
        (name, float(found.precision[k]), float(found.recall[k]), float(found.f1[k]), int(found.support[k]))
        for k, name in enumerate(names)
    ]
    return Table('class_scores', 'Scores by class', note, ('class', 'precision', 'recall', 'F1', 'examples'), rows)


def _mistakes(
    data: Dataset, split: str, labels: np.ndarray, probabilities: np.ndarray, shown: int, note: str
) -> Figure:
    """The wrong answers that were given with the greatest confidence; where none is wrong, the least confident ones."""
    names, predictions, confidence = names_of(data), probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    order = (wrong[np.argsort(-confidence[wrong], kind='stable')] if len(wrong) else np.argsort(confidence))[:shown]
    title = 'Wrong answers given with the greatest confidence'
    if not len(wrong):
        title = 'No answer is wrong: right ones given with the least confidence'
    beside = {
        'predicted': [names[predictions[i]] for i in order],
        'confidence': [float(confidence[i]) for i in order],
        'true': [names[labels[i]] for i in order],
    }
    marked = [len(wrong) > 0] * len(order)
    feature = data.input_feature
    source = feature.source(split, data.splits[split])
    return feature.figure('surest_mistakes', title, note, source, data.input, order, beside, marked)


def _histogram(data: Dataset) -> Bars:
    heights = {
        f'{name} (n = {split.size:,})': scores.class_histogram(labels_of(split), len(names_of(data)))
        for name, split in data.splits.items()
    }
    return Bars('class_counts', 'Examples by class', '', names_of(data), heights, {}, 'class', 'examples')
