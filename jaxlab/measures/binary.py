"""Two classes, one of them rare (B08): labels [N] in {0, 1} (1: the rare one), scores or probabilities [N] of class 1.

Called positive is what scores at or above a threshold. A threshold is chosen on one split and applied to another.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxlab.measures.classification import precision_recall_curve, roc_curve, scikit_learn

DRAWN = 10_000_000  # examples of all resamples together: large test sets need fewer, whose ends lie close anyway
FEWEST_DRAWS = 100
FEWEST = 20  # examples of each class below which percentile intervals cover too little


class Counts(NamedTuple):
    """The four cells of a confusion matrix."""

    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def scores(self) -> dict[str, float]:
        """Precision counts as 0 where nothing is called positive; recall is NaN without positives."""
        tp, fn, fp, tn = self
        correlation = np.sqrt(np.array([tp + fp, tp + fn, tn + fp, tn + fn], np.float64)).prod()
        return {
            'precision': _share(tp, tp + fp, 0.0),
            'recall': _share(tp, tp + fn),
            'specificity': _share(tn, fp + tn),
            'f1': _share(2 * tp, 2 * tp + fp + fn),
            'false_positive_rate': _share(fp, fp + tn),
            'balanced_accuracy': (_share(tp, tp + fn) + _share(tn, fp + tn)) / 2,
            'mcc': _share(tp * tn - fp * fn, correlation, 0.0),
            'accuracy': _share(tp + tn, sum(self)),
        }


def counts(labels: np.ndarray, called: np.ndarray) -> Counts:
    """Of decisions [N] bool (True: called positive)."""
    positive = np.asarray(labels) == 1
    hits, false, total = int(np.sum(called & positive)), int(np.sum(called & ~positive)), int(positive.sum())
    return Counts(hits, total - hits, false, len(positive) - total - false)


def best_f1_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """The threshold with the largest F1; of equal ones the highest."""
    precision, recall, thresholds = scikit_learn().precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
    best = len(thresholds) - 1 - int(np.argmax(f1[:-1][::-1]))
    return float(thresholds[best])


def precision_threshold(labels: np.ndarray, scores: np.ndarray, precision: float) -> float:
    """The lowest threshold with at least this precision, so that recall is largest; infinite (nothing called) if none."""
    found, _, thresholds = scikit_learn().precision_recall_curve(labels, scores)
    enough = np.flatnonzero(found[:-1] >= precision)
    return float(thresholds[enough[0]]) if len(enough) else float('inf')


def recall_at_precision(labels: np.ndarray, scores: np.ndarray, precision: float) -> float:
    """The largest recall that some threshold reaches with at least this precision; 0 if none does."""
    found, recall, _ = scikit_learn().precision_recall_curve(labels, scores)
    return float(recall[:-1][found[:-1] >= precision].max(initial=0.0))


def precision_over(labels: np.ndarray, scores: np.ndarray, recalls: np.ndarray) -> np.ndarray:
    """The precision [K] at the highest threshold whose recall is at least each of `recalls` [K], above 0."""
    curve = precision_recall_curve(labels, scores)  # recall falls along the curve
    return curve.y[np.searchsorted(-curve.x, -recalls + 1e-12, side='right') - 1]


def sensitivity_over(labels: np.ndarray, scores: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The largest true positive rate [K] whose false positive rate is at most each of `rates` [K]."""
    curve = roc_curve(labels, scores)
    return curve.y[np.searchsorted(curve.x, rates + 1e-12, side='right') - 1]


def scores_over(labels: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """[3, K]: precision, recall and F1 of `p >= threshold`."""
    above = [
        len(p) - np.searchsorted(np.sort(p), thresholds)
        for p in (probabilities[labels == 1], probabilities[labels == 0])
    ]
    hits, false = (each.astype(np.float64) for each in above)
    called, positives = hits + false, float(labels.sum())
    precision = np.divide(hits, called, out=np.full(len(thresholds), np.nan), where=called > 0)
    return np.stack([precision, hits / positives, 2 * hits / (called + positives)])


def prior_corrected(probabilities: np.ndarray, trained_odds: float, true_odds: float) -> np.ndarray:
    """Probabilities of class 1 as they would be had training seen the true odds n1 / n0 (Bayes' rule).

    odds(p) is likelihood ratio times prior odds, so odds(p') = odds(p) true_odds / trained_odds. Saerens, Latinne,
    Decaestecker, Neural Computation 14 (2002); for undersampling Dal Pozzolo et al. 2015.
    """
    p = np.asarray(probabilities, np.float64)
    weight = true_odds / trained_odds
    return weight * p / (weight * p + (1 - p))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of (p - label)^2."""
    return float(scikit_learn().brier_score_loss(labels, probabilities))


def ranked_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve from ranks (Mann and Whitney's U), six times as fast: a bootstrap asks for hundreds."""
    from scipy.stats import rankdata

    positive = np.asarray(labels) == 1
    hits, others = int(positive.sum()), int((~positive).sum())
    return float((rankdata(scores)[positive].sum() - hits * (hits + 1) / 2) / (hits * others))


def ranked_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """The average precision of labels [N] in {0, 1}: scikit-learn's number to the last bit, without its checks of every
    array, ten times as fast: a bootstrap asks for hundreds."""
    order = np.argsort(scores, kind='stable')[::-1]
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of the examples with each score
    hits = np.cumsum(labels[order] == 1)[last]
    precision, recall = hits / (last + 1), hits / hits[-1]
    return float(max(0.0, -np.sum(np.diff(np.append(recall[::-1], 0)) * precision[::-1])))


def wilson(successes: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share; NaN without examples."""
    from scipy.stats import binomtest

    if not total:
        return float('nan'), float('nan')
    interval = binomtest(successes, total).proportion_ci(level, method='wilson')
    return float(interval.low), float(interval.high)


def bootstrap(
    labels: np.ndarray,
    scores: np.ndarray,
    metric: Callable[[np.ndarray, np.ndarray], float],
    draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of `metric(labels, scores)` over stratified resamples: as many of each class as there are.

    How far another test set of these sizes would move the number for one trained model. NaN below 20 of either class. Above
    20,000 examples there are fewer than 500 draws, 100 at least.
    """
    rows = [np.flatnonzero(np.asarray(labels) == number) for number in (0, 1)]
    if min(map(len, rows)) < FEWEST:
        return float('nan'), float('nan')
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(min(draws, max(FEWEST_DRAWS, DRAWN // len(labels)))):
        drawn = np.concatenate([generator.choice(each, len(each)) for each in rows])
        values.append(metric(labels[drawn], scores[drawn]))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _share(part: float, whole: float, nothing: float = float('nan')) -> float:
    return float(part / whole) if whole else nothing
