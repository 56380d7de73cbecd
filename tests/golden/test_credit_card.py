"""B08: the numbers that the source printed, the confusion counts hidden behind them, and what the rebuild is built from."""

import itertools

import jax
import numpy as np
import pytest
import sklearn.utils.class_weight

from configs import imbalance_credit_card
from jaxlab.data import resample
from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel
from jaxlab.data.splits import drawn_order, stratified
from jaxlab.measures import binary, classification
from jaxlab.models import build_model
from jaxlab.tasks.classification.step import class_weights
from jaxlab.training.feeding import Feed, blocks
from tests.training import lab

NORMAL, FRAUD = 56_864, 98
FULL = np.repeat([0, 1], [284_807 - 492, 492])
HIDDEN = binary.Counts(83, 15, 117, 56_747), binary.Counts(83, 15, 118, 56_746)


def rounded(counts: binary.Counts) -> tuple[float, ...]:
    """Every cell of the printed report: precision, recall, F1 of both classes, accuracy, macro and weighted averages."""
    tp, fn, fp, tn = counts
    fraud, normal = counts.scores, binary.Counts(tn, fp, fn, tp).scores
    names = ('precision', 'recall', 'f1')
    pairs = [(fraud[name], normal[name]) for name in names]
    weighted = [(f * FRAUD + n * NORMAL) / (FRAUD + NORMAL) for f, n in pairs]
    cells = [value for pair in pairs for value in pair] + [fraud['accuracy']] + [sum(p) / 2 for p in pairs] + weighted
    return tuple(round(cell, 2) for cell in cells)


def test_the_hidden_counts_are_the_only_ones():
    """By trying all: precision 0.41, recall 0.85, F1 0.56, macro 0.71, 0.92, 0.78, everything else 1.00."""
    printed = (0.41, 1.0, 0.85, 1.0, 0.56, 1.0, 1.0, 0.71, 0.92, 0.78, 1.0, 1.0, 1.0)
    possible = (
        binary.Counts(tp, FRAUD - tp, fp, NORMAL - fp) for tp, fp in itertools.product(range(60, 99), range(50, 250))
    )
    assert [counts for counts in possible if rounded(counts) == printed] == list(HIDDEN)


@pytest.mark.parametrize(
    ('counts', 'precision', 'f1', 'macro_precision', 'macro_recall', 'macro_f1', 'accuracy', 'false', 'mcc'),
    [
        (HIDDEN[0], 0.415000, 0.557047, 0.707368, 0.922441, 0.777943, 0.99768266, 0.00205754, 0.591948),
        (HIDDEN[1], 0.412935, 0.555184, 0.706336, 0.922432, 0.777007, 0.99766511, 0.00207513, 0.590467),
    ],
)
def test_scores_of_the_hidden_counts(
    counts, precision, f1, macro_precision, macro_recall, macro_f1, accuracy, false, mcc
):
    """By the counts' own arithmetic and through scikit-learn."""
    found = counts.scores
    assert found['recall'] == pytest.approx(0.846939, abs=5e-7)
    assert found['precision'] == pytest.approx(precision, abs=5e-7) and found['f1'] == pytest.approx(f1, abs=5e-7)
    assert found['accuracy'] == pytest.approx(accuracy, abs=1e-8)  # printed cut off
    assert found['false_positive_rate'] == pytest.approx(false, abs=5e-9)
    assert found['mcc'] == pytest.approx(mcc, abs=5e-7)
    assert found['balanced_accuracy'] == pytest.approx(macro_recall, abs=5e-7)
    labels = np.repeat([1, 1, 0, 0], counts)
    called = np.repeat([1, 0, 1, 0], counts)
    assert binary.counts(labels, called == 1) == counts
    macro = classification.average_scores(labels, called, 'macro')
    assert macro['precision'] == pytest.approx(macro_precision, abs=5e-7)
    assert macro['recall'] == pytest.approx(macro_recall, abs=5e-7)
    assert macro['f1'] == pytest.approx(macro_f1, abs=5e-7)
    assert classification.matthews_correlation(labels, called) == pytest.approx(mcc, abs=5e-7)


def test_wilson_intervals():
    assert np.round(binary.wilson(83, 98), 3).tolist() == [0.763, 0.905]
    assert round(binary.wilson(83, 201)[0], 3) == 0.347 and round(binary.wilson(83, 200)[1], 3) == 0.484


def test_accuracy_hides_everything():
    """The classifier that never calls a fraud beats the published network."""
    never = binary.counts(np.repeat([0, 1], [NORMAL, FRAUD]), np.zeros(NORMAL + FRAUD, bool)).scores['accuracy']
    assert never == pytest.approx(0.99827955, abs=5e-9) and never > max(c.scores['accuracy'] for c in HIDDEN)


def test_split_and_batches():
    """Stratified 80/20, seed 42: of the full set and of the public 7,409 rows."""
    rest, out = stratified(FULL, 0.2, 42)
    assert np.bincount(FULL[rest]).tolist() == [227_451, 394] and np.bincount(FULL[out]).tolist() == [NORMAL, FRAUD]
    assert Feed(len(rest), 64, False, True, (0,)).steps_per_epoch == 3561 and len(blocks(out, 64)) == 891
    assert (blocks(rest, 64)[-1] >= 0).sum() == 5 and (blocks(out, 64)[-1] >= 0).sum() == 2
    few = np.repeat([0, 1], [6917, 492])
    rest, out = stratified(few, 0.2, 42)
    assert np.bincount(few[rest]).tolist() == [5533, 394] and np.bincount(few[out]).tolist() == [1384, 98]
    assert len(blocks(rest, 64)) == 93 and (blocks(rest, 64)[-1] >= 0).sum() == 39
    assert len(blocks(out, 64)) == 24 and (blocks(out, 64)[-1] >= 0).sum() == 10
    odds, majority = 394 / 5533, 1384 / 1482
    assert odds == pytest.approx(0.07120911, abs=5e-9) and majority == pytest.approx(0.93387314, abs=5e-9)


def test_class_weights():
    """n / (2 n_c) of the training part, as scikit-learn computes them, and one over a class's rows as the sampler's."""
    labels = np.repeat([0, 1], [227_451, 394])
    counts = np.bincount(labels)
    split = in_memory({'features': np.zeros((len(labels), 1), np.float32), 'label': labels.astype(np.int32)})
    balanced = class_weights(
        'balanced', Dataset('', '', {'train': split}, {'label': ClassLabel(('normal', 'fraud'))}, '', '', '')
    )
    np.testing.assert_allclose(balanced, [0.50086612, 289.143401], rtol=1e-8)
    np.testing.assert_allclose(
        balanced, sklearn.utils.class_weight.compute_class_weight('balanced', classes=np.arange(2), y=labels)
    )
    chances = resample.row_chances(labels, resample.target_counts(counts, 'weighted'))
    np.testing.assert_allclose(chances[[0, -1]], 1 / (2 * counts))


def test_what_an_epoch_of_the_weighted_sampler_sees():
    """39.4 % of the normal rows (89,614.5), each fraud 289.14 times."""
    labels = np.repeat([0, 1], [227_451, 394])
    counts = np.bincount(labels)
    chances = resample.row_chances(labels, resample.target_counts(counts, 'weighted'))
    expected = counts[0] * (1 - (1 - chances[0]) ** len(labels))
    assert expected == pytest.approx(89_614.5, abs=0.05) and expected / counts[0] == pytest.approx(0.393995, abs=5e-7)
    assert chances[-1] * len(labels) == pytest.approx(289.14, abs=5e-3)
    rows = drawn_order(0, 0, chances, len(labels))
    assert len(np.unique(rows[labels[rows] == 0])) == pytest.approx(expected, abs=800)  # four standard deviations
    assert labels[rows].mean() == pytest.approx(0.5, abs=5e-3)


def test_prior_correction():
    """What is even odds to a network that saw equal classes is the share of frauds where they are rare."""
    true = 394 / 227_451
    assert true == pytest.approx(0.00173223, abs=1.2e-8)  # printed with a last digit too few: 0.00173224
    assert float(binary.prior_corrected(np.array(0.5), 1.0, true)) == pytest.approx(0.00172925, abs=5e-9)


@pytest.mark.parametrize(('features', 'parameters'), [(29, 634), (30, 650)])
def test_parameters(features, parameters):
    config = imbalance_credit_card.get_config()
    model = build_model(config.model, 'float32', classes=2)
    example = jax.ShapeDtypeStruct((1, features), np.float32)
    shapes = jax.eval_shape(lambda key, x: model.init(key, x, train=False), jax.random.key(0), example)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == parameters


def test_variants_are_the_five_strategies_and_none():
    config = imbalance_credit_card.get_config()
    assert list(config.variants) == ['none', 'weighted', 'class_weights', 'undersample', 'oversample', 'smote']
    assert config.data.sampling_neighbours == 5 and config.data.split_seed == 42 and config.data.stratify
    assert (config.optimizer.learning_rate, config.data.batch_size, config.training.epochs) == (1e-3, 64, 10)
    assert not lab.small().data.sampling  # nothing is resampled unless asked for
