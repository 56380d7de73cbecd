"""What every classifier reports: examples, class counts, confusions, scores by class, surest mistakes."""

from collections.abc import Sequence

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import labels_of
from jaxlab.data.pictures import has_images, pictures
from jaxlab.figures import Bars, Figure, Images, Matrix, Table
from jaxlab.measures import classification as scores
from jaxlab.measures.classification import softmax
from jaxlab.protocol import Record, Report
from jaxlab.tasks import rows as tabular

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
    figures: list[Figure] = [_scores(labels, predictions, data.class_names, note)]
    if len(data.class_names) <= MOST_CLASSES:
        figures.append(_confusion(labels, predictions, data.class_names, note))
    figures.append(_mistakes(data, split, labels, probabilities, shown, note))
    errors = int((labels != predictions).sum())
    remark = f'The first replica is wrong on {errors:,} of the {len(labels):,} examples of the {split} split.'
    return Report((*examples, *figures), remarks=(remark,))


def _examples(data: Dataset, shown: int) -> Images | Table:
    train = data.splits['train']
    rows = np.arange(min(shown, train.size))
    if not has_images(train):
        train = train if data.table is None else data.table.columns['train']  # before any resampling
        rows = np.arange(min(shown, train.size))
        classes = [data.class_names[label] for label in labels_of(train)[rows]]
        note = f'the first {len(rows)} of {train.size:,} training examples'
        return tabular.row_table('examples', 'Training examples', note, data, 'train', rows, {'class': classes})
    captions = [data.class_names[label] for label in train.read(rows)['label']]
    note = f'the first {len(rows)} of {train.size:,} training examples'
    return Images('examples', 'Training examples', note, pictures(train, rows), captions)


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
) -> Images | Table:
    """The wrong answers that were given with the greatest confidence (right ones fill up a perfect run)."""
    names, predictions, confidence = data.class_names, probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.lexsort((-confidence, predictions == labels))[:shown]
    title = 'Wrong answers given with the greatest confidence'
    if not has_images(data.splits[split]):
        beside = {
            'predicted': [names[predictions[i]] for i in order],
            'confidence': [f'{confidence[i]:.1%}' for i in order],
            'true': [names[labels[i]] for i in order],
        }
        return tabular.row_table('surest_mistakes', title, note, data, split, order, beside)
    captions = [f'{names[predictions[i]]} ({confidence[i]:.0%})\ntrue: {names[labels[i]]}' for i in order]
    wrong = [bool(predictions[i] != labels[i]) for i in order]
    return Images('surest_mistakes', title, note, pictures(data.splits[split], order), captions, wrong)


def _histogram(data: Dataset) -> Bars:
    heights = {
        f'{name} (n = {split.size:,})': scores.class_histogram(labels_of(split), len(data.class_names))
        for name, split in data.splits.items()
    }
    return Bars('class_counts', 'Examples by class', '', data.class_names, heights, {}, 'class', 'examples')
