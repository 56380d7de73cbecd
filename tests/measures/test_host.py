"""Host-side metrics against scikit-learn, SciPy and hand-made cases."""

import numpy as np
import pytest
import scipy.linalg
import sklearn.metrics as reference

from jaxlab.measures import classification, frechet, regression


@pytest.fixture
def three():
    """60 examples of three classes of four (class 3 never occurs): labels [60], probabilities [60, 4]."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    probabilities = rng.dirichlet(np.ones(4), 60)
    probabilities[np.arange(60), labels] += 0.5
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_accuracy_and_top_k(three):
    labels, probabilities = three
    predictions = probabilities.argmax(1)
    assert classification.accuracy(labels, predictions) == reference.accuracy_score(labels, predictions)
    for k in (1, 2, 3):
        expected = reference.top_k_accuracy_score(labels, probabilities, k=k, labels=range(4))
        assert classification.top_k_accuracy(labels, probabilities, k) == pytest.approx(expected)
    assert classification.top_k_accuracy(np.array([0, 1]), np.zeros((2, 3)), 1) == 0  # all tied: no credit
    ranked = np.tile(np.arange(8.0), (8, 1))  # class 7 scores highest: class c is among the highest 8 - c
    assert classification.top_k_accuracy(np.arange(8), ranked) == 5 / 8


def test_confusion_and_histogram(three):
    labels, probabilities = three
    matrix = classification.confusion_matrix(labels, probabilities.argmax(1), 4)
    np.testing.assert_array_equal(matrix.sum(axis=1), classification.class_histogram(labels, 4))
    assert matrix.shape == (4, 4) and matrix[3].sum() == 0
    small = classification.confusion_matrix(np.array([0, 0, 1]), np.array([1, 0, 1]), 2)
    np.testing.assert_array_equal(small, [[1, 1], [0, 1]])


def test_class_scores_say_nan_where_nothing_is_defined(three):
    labels, probabilities = three
    scores = classification.class_scores(labels, probabilities.argmax(1), 4)
    matrix = classification.confusion_matrix(labels, probabilities.argmax(1), 4)
    hits = np.diag(matrix)[:3]
    np.testing.assert_allclose(scores.recall[:3], hits / matrix.sum(1)[:3])
    np.testing.assert_allclose(scores.precision[:3], hits / matrix.sum(0)[:3])
    np.testing.assert_allclose(scores.f1[:3], 2 * hits / (matrix.sum(0)[:3] + matrix.sum(1)[:3]))
    assert np.isnan(scores.recall[3]) and scores.support[3] == 0


@pytest.mark.parametrize('average', ['macro', 'weighted', 'micro'])
def test_average_scores(three, average):
    labels, probabilities = three
    predictions = probabilities.argmax(1)
    found = classification.average_scores(labels, predictions, average)
    assert found['f1'] == pytest.approx(reference.f1_score(labels, predictions, average=average))
    assert found['recall'] == pytest.approx(
        reference.recall_score(labels, predictions, average=average, zero_division=0)
    )


# Class 0: six examples, five called 0. Class 1: three, one called 1. Class 2: one, called 2.
UNEQUAL = np.array([0] * 6 + [1] * 3 + [2]), np.array([0] * 5 + [1] + [1, 0, 0] + [2])


def test_macro_averages_count_classes_and_not_examples():
    """Recalls 5/6, 1/3, 1 and precisions 5/7, 1/2, 1 by hand; their plain mean is far from the one by support."""
    labels, predictions = UNEQUAL
    recall, precision = np.array([5 / 6, 1 / 3, 1.0]), np.array([5 / 7, 1 / 2, 1.0])
    f1 = 2 * precision * recall / (precision + recall)
    expected = {
        'macro': {name: each.mean() for name, each in (('precision', precision), ('recall', recall), ('f1', f1))},
        'weighted': {
            name: each @ [0.6, 0.3, 0.1] for name, each in (('precision', precision), ('recall', recall), ('f1', f1))
        },
        'micro': dict.fromkeys(('precision', 'recall', 'f1'), 0.7),
    }
    for average, values in expected.items():
        assert classification.average_scores(labels, predictions, average) == pytest.approx(values)
        for name in values:
            score = getattr(reference, f'{name}_score')
            assert values[name] == pytest.approx(score(labels, predictions, average=average))
    assert classification.average_scores(labels, predictions) == pytest.approx(expected['macro'])
    assert classification.balanced_accuracy(labels, predictions) == pytest.approx(recall.mean())
    found = classification.classification_metrics(labels, np.eye(3)[predictions])
    assert {name: found[f'macro_{name}'] for name in expected['macro']} == pytest.approx(expected['macro'])
    assert found['accuracy'] == pytest.approx(0.7)


def test_areas_over_several_classes_count_classes_alike():
    labels, predictions = UNEQUAL
    shares = 0.8 * np.eye(3)[predictions] + 0.2 / 3
    shares[:, 0] += np.linspace(0, 0.1, 10)
    for ours, theirs in (
        (classification.roc_auc, reference.roc_auc_score),
        (classification.pr_auc, reference.average_precision_score),
    ):
        each = [theirs(labels == number, shares[:, number]) for number in range(3)]
        assert ours(labels, shares) == pytest.approx(np.mean(each))
        assert abs(np.mean(each) - np.average(each, weights=[6, 3, 1])) > 0.01


def test_areas(three):
    labels, probabilities = three
    kept = probabilities[:, :3] / probabilities[:, :3].sum(1, keepdims=True)
    expected = reference.roc_auc_score(labels, kept, multi_class='ovr')
    assert classification.roc_auc(labels, kept) == pytest.approx(expected)
    assert np.isfinite(classification.roc_auc(labels, probabilities))  # class 3 is left out
    binary, score = (labels == 0).astype(int), probabilities[:, 0]
    both = np.stack([1 - score, score], axis=1)
    for scores in (score, both):
        assert classification.roc_auc(binary, scores) == pytest.approx(reference.roc_auc_score(binary, score))
        assert classification.pr_auc(binary, scores) == pytest.approx(reference.average_precision_score(binary, score))
    assert classification.roc_curve(binary, score).area == pytest.approx(reference.roc_auc_score(binary, score))
    curve = classification.precision_recall_curve(binary, score)
    assert curve.area == pytest.approx(reference.average_precision_score(binary, score))
    assert np.isnan(classification.roc_auc(np.zeros(5, int), np.linspace(0, 1, 5)))


def test_roc_auc_is_the_chance_of_the_right_order():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert classification.roc_auc(labels, scores) == 0.75


def test_log_loss(three):
    labels, probabilities = three
    expected = reference.log_loss(labels, probabilities, labels=range(4))
    assert classification.log_loss(labels, probabilities) == pytest.approx(expected)
    assert np.isfinite(classification.log_loss(np.array([0]), np.array([[0.0, 1.0]])))


def test_calibration_by_hand():
    """Two examples at 0.8, one right: gap 0.3; two at 0.6, both right: gap 0.4. Half of each: 0.35."""
    probabilities = np.array([[0.8, 0.2], [0.2, 0.8], [0.6, 0.4], [0.4, 0.6]])
    found = classification.calibration(np.array([0, 0, 0, 1]), probabilities, bins=10)
    assert found.error == pytest.approx(0.35)
    assert found.examples.tolist() == [0, 0, 0, 0, 0, 2, 0, 2, 0, 0]
    assert found.accuracy[7] == 0.5 and found.confidence[7] == pytest.approx(0.8) and np.isnan(found.accuracy[0])


def test_perfect_calibration_has_no_error():
    labels = np.arange(100) % 2
    sure = np.eye(2)[labels]
    assert classification.calibration(labels, sure).error == 0
    coin = np.full((100, 2), 0.5)
    assert classification.calibration(labels, coin).error == pytest.approx(0)


def test_classification_metrics(three):
    found = classification.classification_metrics(*three)
    assert set(found) == {
        'accuracy',
        'macro_precision',
        'macro_recall',
        'macro_f1',
        'roc_auc',
        'pr_auc',
        'log_loss',
        'calibration_error',
    }
    assert all(np.isfinite(value) for value in found.values())


def test_labels_must_be_integers():
    with pytest.raises(ValueError, match='integers'):
        classification.accuracy(np.array([0.0, 1.0]), np.array([0, 1]))
    with pytest.raises(ValueError, match='0 and 1'):
        classification.roc_curve(np.array([1, 2]), np.array([0.1, 0.2]))


@pytest.mark.parametrize('shape', [(50,), (50, 3)])
def test_regression(shape):
    rng = np.random.default_rng(1)
    targets = rng.normal(size=shape)
    predictions = targets + 0.3 * rng.normal(size=shape)
    found = regression.regression_metrics(targets, predictions)
    assert found['mse'] == pytest.approx(reference.mean_squared_error(targets, predictions))
    assert found['rmse'] == pytest.approx(found['mse'] ** 0.5)
    assert found['mae'] == pytest.approx(reference.mean_absolute_error(targets, predictions))
    assert found['r2'] == pytest.approx(reference.r2_score(targets, predictions))


def test_regression_corners():
    assert np.isnan(regression.r2(np.ones(4), np.zeros(4)))
    assert regression.r2(np.arange(4.0), np.full(4, 1.5)) == 0
    with pytest.raises(ValueError, match='shape'):
        regression.mean_squared_error(np.zeros(4), np.zeros((4, 1)))


def test_frechet_equals_scipy():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(300, 12)), rng.normal(size=(200, 12)) @ rng.normal(size=(12, 12)) + 1
    (m1, s1), (m2, s2) = frechet.fit(first), frechet.fit(second)
    np.testing.assert_allclose(s1, np.cov(first, rowvar=False), rtol=1e-12)
    root = scipy.linalg.sqrtm(s1 @ s2)
    expected = np.square(m1 - m2).sum() + np.trace(s1 + s2 - 2 * root.real)
    assert frechet.frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet.frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)


def test_frechet_closed_forms():
    """Diagonal Gaussians: |m1 - m2|^2 + sum (s1 - s2)^2. A set against itself: 0. A shift: its square."""
    a = frechet.Gaussian(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    b = frechet.Gaussian(np.array([0.0, 4.0]), np.diag([1.0, 25.0]))
    assert frechet.gaussian_distance(a, b) == pytest.approx(1 + 4 + 1 + 4)
    features = np.random.default_rng(3).normal(size=(100, 8))
    assert frechet.frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet.frechet_distance(features, features + 0.5) == pytest.approx(8 * 0.25, rel=1e-6)


def test_frechet_of_singular_covariances():
    """Fewer examples than features: scipy's root turns complex there; ours stays real, symmetric and above 0."""
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(10, 40)), rng.normal(size=(12, 40))
    there, back = frechet.frechet_distance(first, second), frechet.frechet_distance(second, first)
    assert there == pytest.approx(back, rel=1e-6) and there > 0
    assert frechet.frechet_distance(np.zeros((5, 3)), np.zeros((5, 3))) == 0


def test_frechet_floor():
    features = np.random.default_rng(5).normal(size=(2001, 6))
    floor = frechet.frechet_floor(features)
    assert 0 < floor < 0.05
    assert floor == frechet.frechet_floor(features, seed=0) != frechet.frechet_floor(features, seed=1)
    assert frechet.frechet_distance(features[:1000], features[1000:] + 1) > 10 * floor


def test_frechet_refuses_what_has_no_covariance():
    for features in (np.zeros((1, 3)), np.zeros(4), np.array([[np.nan], [1.0]])):
        with pytest.raises(ValueError):
            frechet.fit(features)


def test_a_class_that_nobody_names_keeps_its_row():
    found = classification.confusion_matrix(np.array([0, 0, 2]), np.array([0, 2, 2]), 4)
    np.testing.assert_array_equal(found, [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])


def test_precision_and_recall_over_the_thresholds_by_hand():
    """Labels 0 1 1 under scores .2 .5 .9: from the lowest threshold 2 of 3, then 2 of 2, 1 of 1, and nothing called."""
    curve = classification.precision_recall_curve(np.array([0, 1, 1]), np.array([0.2, 0.5, 0.9]))
    np.testing.assert_allclose(curve.x, [1, 1, 0.5, 0])
    np.testing.assert_allclose(curve.y, [2 / 3, 1, 1, 1])
    assert curve.area == 1


def test_fifteen_bins_of_confidence_by_default():
    """0.65 and 0.68: two of 15 bins (one below 2/3, one above), one of 16; 30 % wrong in one is not set off by the other."""
    probabilities = np.array([[0.35, 0.65], [0.32, 0.68]])
    found = classification.calibration(np.array([1, 0]), probabilities)
    assert len(found.examples) == 15
    assert found.error == pytest.approx((0.35 + 0.68) / 2)
