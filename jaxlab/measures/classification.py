"""Classification metrics on the host, through scikit-learn: labels [N] int and probabilities [N, C] float in.

Class c's column is c, also where a class never occurs; what is then undefined (the recall of no examples) is NaN, never
silently 0.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Scores(NamedTuple):
    """Per class, [C] each. precision: what share of the called c is c; recall: what share of c was called c."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray  # 2 / (1 / precision + 1 / recall) = 2 tp / (2 tp + fp + fn)
    support: np.ndarray  # examples of the class, int


class Curve(NamedTuple):
    """A curve over all thresholds: (false positive rate, true positive rate), or (recall, precision); and its area."""

    x: np.ndarray
    y: np.ndarray
    thresholds: np.ndarray
    area: float


class Calibration(NamedTuple):
    """A reliability diagram: bins of confidence, [B] each (NaN where a bin is empty), and the error over all bins."""

    confidence: np.ndarray
    accuracy: np.ndarray
    examples: np.ndarray
    error: float


def scikit_learn() -> Any:
    """`sklearn.metrics`, imported where a first score is asked for: it takes longer than all that a training needs."""
    import sklearn.metrics

    return sklearn.metrics


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Share of examples with the right class."""
    return float(np.mean(_labels(labels) == _labels(predictions)))


def top_k_accuracy(labels: np.ndarray, scores: np.ndarray, k: int = 5) -> float:
    """Share of examples whose class is among the k highest scores [N, C]; ties count against it."""
    labels, scores = _labels(labels), np.asarray(scores)
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    at_least = (scores >= own).sum(axis=1)  # the own class counts itself
    return float(np.mean(at_least <= k))


def class_histogram(labels: np.ndarray, classes: int) -> np.ndarray:
    """Examples of each class, [C] int."""
    return np.bincount(_labels(labels), minlength=classes)


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """[C, C] int; row: true class, column: predicted class."""
    return scikit_learn().confusion_matrix(_labels(labels), _labels(predictions), labels=range(classes))


def class_scores(labels: np.ndarray, predictions: np.ndarray, classes: int) -> Scores:
    """Precision, recall, F1 and support of each class."""
    return Scores(
        *scikit_learn().precision_recall_fscore_support(
            _labels(labels), _labels(predictions), labels=range(classes), zero_division=np.nan
        )
    )


def average_scores(labels: np.ndarray, predictions: np.ndarray, average: str = 'macro') -> dict[str, float]:
    """`{'precision', 'recall', 'f1'}`: 'macro' the mean over classes, 'weighted' by support, 'micro' from all counts.

    Classes that occur neither as label nor as prediction are left out of the mean, as scikit-learn does by default.
    """
    present = np.union1d(_labels(labels), _labels(predictions))
    scores = scikit_learn().precision_recall_fscore_support(
        labels, predictions, labels=present, average=average, zero_division=0.0
    )
    return dict(zip(('precision', 'recall', 'f1'), map(float, scores[:3]), strict=True))


def balanced_accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """The mean of the recalls of the classes that occur: 1 / C for a classifier that always says the same."""
    labels, predictions = _labels(labels), _labels(predictions)
    return float(np.mean([np.mean(predictions[labels == number] == number) for number in np.unique(labels)]))


def matthews_correlation(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Correlation of label and prediction, -1 to 1 (several classes: Gorodkin's); 0 where either is constant."""
    return float(scikit_learn().matthews_corrcoef(_labels(labels), _labels(predictions)))


def roc_curve(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """labels [N] in {0, 1}, scores [N]. The area is the chance that a positive scores above a negative."""
    x, y, thresholds = scikit_learn().roc_curve(_binary(labels), scores)
    return Curve(x, y, thresholds, float(scikit_learn().auc(x, y)))


def precision_recall_curve(labels: np.ndarray, scores: np.ndarray) -> Curve:
    """labels [N] in {0, 1}, scores [N]. The area is the average precision (steps, no optimistic straight lines)."""
    precision, recall, thresholds = scikit_learn().precision_recall_curve(_binary(labels), scores)
    return Curve(recall, precision, thresholds, float(scikit_learn().average_precision_score(labels, scores)))


def roc_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the ROC curve. Scores [N] or [N, 2]: of class 1; [N, C]: mean over classes, one against the rest."""
    return _over_classes(labels, probabilities, scikit_learn().roc_auc_score)


def pr_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Average precision, by the same rule as `roc_auc`. Its trivial value is the share of positives, not 1/2."""
    return _over_classes(labels, probabilities, scikit_learn().average_precision_score)


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of `-log p[label]`, natural logarithm; p is clipped to the smallest float, so that one 0 stays finite."""
    probabilities = np.asarray(probabilities, np.float64)
    chosen = probabilities[np.arange(len(probabilities)), _labels(labels)]
    return float(-np.mean(np.log(np.maximum(chosen, np.finfo(np.float64).tiny))))


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> Calibration:
    """Expected calibration error `sum_b (n_b / N) |accuracy_b - confidence_b|` over `bins` equal widths of (0, 1].

    Confidence is the highest probability. Guo et al., arXiv 1706.04599 (15 bins there).
    """
    probabilities = np.asarray(probabilities, np.float64)
    right = probabilities.argmax(axis=1) == _labels(labels)
    return reliability(right, probabilities.max(axis=1), bins)


def reliability(happened: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> Calibration:
    """How often what was given these probabilities [N] happened [N] (0 or 1), over `bins` equal widths of (0, 1].

    Of the chosen class (`calibration`), or of the rare one, where the choice alone says little.
    """
    probabilities, happened = np.asarray(probabilities, np.float64), np.asarray(happened, np.float64)
    place = np.clip(np.ceil(probabilities * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    share = np.where(count > 0, count, np.nan)
    mean_probability = np.bincount(place, probabilities, bins) / share
    frequency = np.bincount(place, happened, bins) / share
    error = float(np.nansum(count * np.abs(frequency - mean_probability)) / len(probabilities))
    return Calibration(mean_probability, frequency, count, error)


def classification_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """What every classifier's report shows, by name; classes are the columns of `probabilities`."""
    probabilities = np.asarray(probabilities)
    predictions = probabilities.argmax(axis=1)
    macro = average_scores(labels, predictions, 'macro')
    return {
        'accuracy': accuracy(labels, predictions),
        **{f'macro_{name}': value for name, value in macro.items()},
        'roc_auc': roc_auc(labels, probabilities),
        'pr_auc': pr_auc(labels, probabilities),
        'log_loss': log_loss(labels, probabilities),
        'calibration_error': calibration(labels, probabilities).error,
    }


def _over_classes(labels: np.ndarray, probabilities: np.ndarray, score: Callable) -> float:
    """Mean of `score` over classes that have both positives and negatives; NaN where there is none."""
    labels, probabilities = _labels(labels), np.asarray(probabilities)
    if probabilities.ndim == 2 and probabilities.shape[1] == 2:
        probabilities = probabilities[:, 1]
    columns = {1: probabilities} if probabilities.ndim == 1 else dict(enumerate(probabilities.T))
    values = [
        score(labels == number, column)
        for number, column in columns.items()
        if 0 < (labels == number).sum() < len(labels)
    ]
    return float(np.mean(values)) if values else float('nan')


def _labels(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f'class numbers must be [N] integers, got {labels.dtype} {labels.shape}')
    return labels


def _binary(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError('a curve needs labels 0 and 1')
    return labels


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows to probabilities, in the logits' own precision."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
