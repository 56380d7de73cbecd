"""Thresholds, calibration, prior correction and intervals of rare positives, against scikit-learn and hand-made cases."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlab.measures import binary, classification


@pytest.fixture
def rare():
    """400 examples, about 60 of them positive; scores that are partly right."""
    rng = np.random.default_rng(3)
    labels = (rng.random(400) < 0.15).astype(int)
    return labels, 1 / (1 + np.exp(-rng.normal(2.0 * labels - 2.0, 1.2)))


def test_scores_of_counts_are_scikit_learns(rare):
    labels, p = rare
    called = p >= 0.5
    found, called_class = binary.counts(labels, called).scores, called.astype(int)
    assert found['precision'] == pytest.approx(reference.precision_score(labels, called_class))
    assert found['recall'] == pytest.approx(reference.recall_score(labels, called_class))
    assert found['f1'] == pytest.approx(reference.f1_score(labels, called_class))
    assert found['mcc'] == pytest.approx(reference.matthews_corrcoef(labels, called_class))
    assert found['balanced_accuracy'] == pytest.approx(reference.balanced_accuracy_score(labels, called_class))
    assert found['accuracy'] == pytest.approx(reference.accuracy_score(labels, called_class))
    tn, fp, fn, tp = reference.confusion_matrix(labels, called_class).ravel().tolist()
    assert binary.counts(labels, called) == (tp, fn, fp, tn)
    assert found['false_positive_rate'] == pytest.approx(fp / (fp + tn))


def test_where_nothing_is_called():
    found = binary.counts(np.array([0, 0, 1]), np.zeros(3, bool)).scores
    assert found['precision'] == found['recall'] == found['f1'] == found['mcc'] == 0
    assert np.isnan(binary.counts(np.zeros(2, int), np.ones(2, bool)).scores['recall'])


def test_several_classes():
    """Matthews' correlation and balanced accuracy beyond two classes."""
    rng = np.random.default_rng(0)
    labels, guesses = rng.integers(0, 4, 80), rng.integers(0, 4, 80)
    guesses[:40] = labels[:40]
    assert classification.matthews_correlation(labels, guesses) == pytest.approx(
        reference.matthews_corrcoef(labels, guesses)
    )
    expected = reference.balanced_accuracy_score(labels, guesses)
    assert classification.balanced_accuracy(labels, guesses) == pytest.approx(expected)
    assert classification.balanced_accuracy(labels, np.zeros(80, int)) == pytest.approx(0.25)


def test_the_best_threshold_by_trying_all(rare):
    labels, p = rare
    tried = {threshold: reference.f1_score(labels, (p >= threshold).astype(int)) for threshold in np.unique(p)}
    chosen = binary.best_f1_threshold(labels, p)
    assert tried[chosen] == pytest.approx(max(tried.values()))
    assert chosen == max(threshold for threshold, value in tried.items() if value == pytest.approx(max(tried.values())))


@pytest.mark.parametrize('aim', [0.5, 0.8, 0.95])
def test_recall_at_precision_by_trying_all(rare, aim):
    labels, p = rare
    tried = [binary.counts(labels, p >= threshold).scores for threshold in np.unique(p)]
    expected = max((each['recall'] for each in tried if each['precision'] >= aim), default=0.0)
    assert binary.recall_at_precision(labels, p, aim) == pytest.approx(expected)
    threshold = binary.precision_threshold(labels, p, aim)
    reached = binary.counts(labels, p >= threshold).scores
    assert reached['recall'] == pytest.approx(expected) and (not expected or reached['precision'] >= aim)


def test_a_precision_that_nothing_reaches():
    labels, p = np.array([1, 0, 1, 0]), np.array([0.2, 0.9, 0.3, 0.8])
    assert binary.recall_at_precision(labels, p, 0.9) == 0
    assert binary.precision_threshold(labels, p, 0.9) == np.inf


def test_brier_and_reliability(rare):
    labels, p = rare
    assert binary.brier(labels, p) == pytest.approx(np.mean((p - labels) ** 2))
    found = classification.reliability(labels, p, bins=4)
    for at, (low, high) in enumerate(((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1))):
        inside = (p > low) & (p <= high)
        assert found.examples[at] == inside.sum()
        assert found.confidence[at] == pytest.approx(p[inside].mean())
        assert found.accuracy[at] == pytest.approx(labels[inside].mean())
    expected = sum(found.examples * np.abs(found.accuracy - found.confidence)) / 400
    assert found.error == pytest.approx(expected)
    assert classification.reliability(np.array([0, 1]), np.array([0.0, 1.0]), 10).error == 0


@settings(max_examples=60, deadline=None)
@given(prior=st.floats(0.001, 0.6), trained=st.floats(0.05, 0.95), ratio=st.floats(1e-4, 1e4))
def test_prior_correction_is_bayes_rule(prior, trained, ratio):
    """A posterior made under one prior, corrected to another, is the posterior made under that other."""
    posterior = lambda share: share * ratio / (share * ratio + 1 - share)
    found = binary.prior_corrected(np.array(posterior(trained)), trained / (1 - trained), prior / (1 - prior))
    assert float(found) == pytest.approx(posterior(prior), rel=1e-6)


def test_correction_restores_calibration():
    """Scores that are right where classes are equal, on data where they are not."""
    rng = np.random.default_rng(0)
    labels = (rng.random(40_000) < 0.05).astype(int)
    x = rng.normal(2.0 * labels, 1.0)
    balanced = 1 / (1 + np.exp(-(2 * x - 2)))  # log of the densities' ratio, prior odds 1
    corrected = binary.prior_corrected(balanced, 1.0, 0.05 / 0.95)
    assert classification.reliability(labels, balanced, 10).error > 0.1
    assert classification.reliability(labels, corrected, 10).error < 0.01
    assert classification.roc_auc(labels, corrected) == pytest.approx(classification.roc_auc(labels, balanced))


def test_area_from_ranks(rare):
    labels, p = rare
    for scores in (p, np.round(p, 1)):  # with ties too
        assert binary.ranked_auc(labels, scores) == pytest.approx(reference.roc_auc_score(labels, scores))


def test_average_precision_without_checks(rare):
    """Bits are scikit-learn's, with ties and without: no interval of a report moves."""
    labels, p = rare
    for scores in (p, np.round(p, 1), p.astype(np.float32), -p):
        assert binary.ranked_precision(labels, scores) == reference.average_precision_score(labels, scores)


def test_wilson():
    """B08: 83 of 98 frauds, 83 of 200 calls."""
    assert np.round(binary.wilson(83, 98), 3).tolist() == [0.763, 0.905]
    assert np.round(binary.wilson(83, 200), 3).tolist() == [0.349, 0.484]
    assert np.isnan(binary.wilson(0, 0)).all()
    z = 1.2815515655446004  # of a level of 0.8
    assert binary.wilson(0, 4, 0.8) == pytest.approx((0, z * z / (4 + z * z)))


def test_large_test_sets_are_drawn_less_often():
    """The report of 300,000 test rows took minutes: what a draw costs grows with them, what it adds does not."""

    def calls(n):
        asked = []
        labels = np.arange(n) % 2
        binary.bootstrap(labels, labels.astype(float), lambda truth, scores: asked.append(len(truth)) or 0.5)
        assert set(asked) == {n}
        return len(asked)

    assert [calls(n) for n in (1000, 20_000, 50_000, 200_000)] == [500, 500, 200, 100]


def test_bootstrap_of_a_mean():
    """The percentile interval of a recall is about that of the binomial; both classes keep their sizes."""
    labels = np.repeat([0, 1], [500, 100])
    scores = np.concatenate([np.zeros(500), np.repeat([0.0, 1.0], [30, 70])])
    sizes = set()

    def recall(labels, scores):
        sizes.add((len(labels), int(labels.sum())))
        return binary.counts(labels, scores >= 0.5).scores['recall']

    low, high = binary.bootstrap(labels, scores, recall, draws=2000)
    assert sizes == {(600, 100)}
    half = 1.96 * np.sqrt(0.7 * 0.3 / 100)
    assert low == pytest.approx(0.7 - half, abs=0.02) and high == pytest.approx(0.7 + half, abs=0.02)
    assert (low, high) == binary.bootstrap(labels, scores, recall, draws=2000)  # a pure function
    few = np.repeat([0, 1], [500, 19])
    assert np.isnan(binary.bootstrap(few, np.zeros(519), recall)).all()  # below 20 it would cover too little


def test_the_highest_score_alone_may_be_the_threshold():
    """Only the surest of four is right at 100 % precision."""
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    assert binary.precision_threshold(labels, scores, 1.0) == 0.4
