"""Class weights against PyTorch, and what a classifier of two classes reports: metrics, threshold, correction, figures."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
import sklearn.utils.class_weight

from configs import common
from jaxlab.data.dataset import Dataset, Sampling
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Tensor
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.figures import Lines, Matrix, Table
from jaxlab.measures.losses import cross_entropy
from jaxlab.protocol import Record
from jaxlab.tasks.classification import two_classes as binary
from tests.training import lab


def rare(**changes):
    """1,500 generated rows, 2 % of them rare; a small network, two replicas."""
    config = common.experiment('rare', task='classification', data='credit_card', model='mlp')
    config.aim = 'A test.'
    config.model.features = (8,)
    config.data.update({'source': 'embedded', 'limit': 1500, 'eval_limit': 1500, 'validation_fraction': 0.2})
    config.data.stratify = True
    config.optimizer = common.adam(1e-2)
    config.training.epochs = 2
    config.replicas = 2
    config.parallel.devices = 1
    return lab.changed(config, **changes)


@pytest.fixture(scope='module')
def outcome(tmp_path_factory):
    return lab.train(rare(data__sampling='weighted'), tmp_path_factory.mktemp('rare'))


@pytest.fixture
def hand_made():
    """40 validation and 60 test examples with given scores: record, data."""
    rng = np.random.default_rng(0)
    labels = {
        'train': np.repeat([0, 1], [900, 100]),
        'validation': np.repeat([0, 1], 20),
        'test': np.repeat([0, 1], 30),
    }
    outputs, splits = {}, {}
    for name, label in labels.items():
        score = rng.normal(2.0 * label - 1, 1.5, (2, len(label)))
        splits[name] = in_memory({'features': score[0, :, None].astype(np.float32), 'label': label.astype(np.int32)})
        outputs[name] = [{'logits': np.stack([np.zeros_like(each), each], axis=1)} for each in score]
    del outputs['train']
    data = Dataset(
        'made', 'embedded', splits, {'features': Tensor(), 'label': ClassLabel(('normal', 'rare'))}, '', '', ''
    )
    return Record((), (), outputs, (), {}, jax.random.key(0)), data


# ---- class weights


@pytest.mark.parity
def test_weighted_loss_and_gradient_are_pytorchs():
    """CrossEntropyLoss(weight=w): divided by the sum of the weights of the batch; rows of padding count for nothing."""
    torch = pytest.importorskip('torch')
    weights = (0.6, 3.5)
    task = prepare(rare(task__class_weights=weights)).task
    rng = np.random.default_rng(0)
    features, label = rng.normal(size=(12, 29)).astype(np.float32), rng.integers(0, 2, 12).astype(np.int32)
    batch = {'features': jnp.asarray(features), 'label': jnp.asarray(label)}
    batch['weight'] = jnp.asarray([1.0] * 9 + [0.0] * 3)
    state = jax.jit(task.init)(jax.random.key(0), batch)
    layers = state['model'].params
    net = torch.nn.Sequential(torch.nn.Linear(29, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    for module, name in ((net[0], 'Dense_0'), (net[2], 'Dense_1')):
        module.weight.data = torch.tensor(np.asarray(layers[name]['kernel']).T.copy())
        module.bias.data = torch.tensor(np.asarray(layers[name]['bias']).copy())
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(weights))(
        net(torch.tensor(features[:9])), torch.tensor(label[:9], dtype=torch.long)
    )
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    loss.backward()
    optimizer.step()
    updated, sums = jax.jit(task.train_step)(state, batch, jax.random.key(1))
    moved = updated['model'].params['Dense_0']['kernel']
    np.testing.assert_allclose(moved, net[0].weight.detach().numpy().T, atol=2e-6)
    assert float(sums['loss'][1]) == 9  # the metric: unweighted, before the update
    plain = cross_entropy(task.model.apply({'params': layers}, batch['features'][:9], train=False), batch['label'][:9])
    assert float(sums['loss'][0]) == pytest.approx(float(plain.sum()), rel=1e-5)


def test_the_loss_is_the_weighted_mean():
    """Of integer and of soft targets, by NumPy."""
    task = prepare(rare(task__class_weights=(1.0, 4.0))).task
    np.testing.assert_allclose(task._class_weight(jnp.array([0, 1, 1])), [1, 4, 4])
    np.testing.assert_allclose(task._class_weight(jnp.array([[0.5, 0.5], [1.0, 0.0]])), [2.5, 1.0])


@pytest.mark.parametrize('sampling', ['', 'undersample'])
def test_balanced_weights_are_scikit_learns(sampling):
    """Of what an epoch shows: 1 each once the classes are equal."""
    ready = prepare(rare(task__class_weights='balanced', data__sampling=sampling))
    expected = sklearn.utils.class_weight.compute_class_weight(
        'balanced', classes=np.arange(2), y=ready.data.splits['train'].labels
    )
    np.testing.assert_allclose(ready.task.class_weights, expected)
    assert prepare(rare()).task.class_weights == ()


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        ('balance', "class_weights = 'balance'; valid: 'none', 'balanced', or a number a class"),
        ((1.0,), r'class_weights = \(1.0,\); valid: 2 positive numbers, one a class'),
        ((1.0, -1.0), 'valid: 2 positive numbers'),
        (3, 'class_weights = 3; valid: str or tuple or list'),
    ],
)
def test_refused_weights(value, words):
    with pytest.raises(UserError, match=words):
        prepare(rare(task__class_weights=value))


# ---- the report


def test_metrics_are_scikit_learns(hand_made):
    record, data = hand_made
    found = binary.report(record, data).metrics
    labels = data.splits['test'].labels
    for replica in (0, 1):
        score = record.outputs['test'][replica]['logits'][:, 1]
        p = 1 / (1 + np.exp(-score))
        called = (p >= 0.5).astype(int)
        expected = {
            'test_average_precision': sklearn.metrics.average_precision_score(labels, score),
            'test_roc_auc': sklearn.metrics.roc_auc_score(labels, score),
            'test_f1': sklearn.metrics.f1_score(labels, called),
            'test_mcc': sklearn.metrics.matthews_corrcoef(labels, called),
            'test_brier': sklearn.metrics.brier_score_loss(labels, p),
        }
        for name, value in expected.items():
            assert found[name][replica] == pytest.approx(value), name


def test_the_threshold_is_the_validation_splits(hand_made):
    """Other test labels change the score at the chosen threshold, never the threshold."""
    record, data = hand_made
    plain = binary.report(record, data).metrics
    flipped = dict(data.splits)
    flipped['test'] = in_memory({**data.splits['test'].arrays, 'label': 1 - data.splits['test'].arrays['label']})
    other = binary.report(record, dataclasses.replace(data, splits=flipped)).metrics
    assert plain['test_chosen_threshold'] == other['test_chosen_threshold']
    assert plain['test_f1_tuned_threshold'] != other['test_f1_tuned_threshold']
    p = 1 / (1 + np.exp(-record.outputs['validation'][0]['logits'][:, 1]))
    truth = data.splits['validation'].labels
    best = max(sklearn.metrics.f1_score(truth, (p >= t).astype(int)) for t in p)
    chosen = (p >= plain['test_chosen_threshold'][0]).astype(int)
    assert sklearn.metrics.f1_score(truth, chosen) == pytest.approx(best)
    calls = 1 / (1 + np.exp(-record.outputs['test'][0]['logits'][:, 1])) >= plain['test_chosen_threshold'][0]
    expected = sklearn.metrics.f1_score(data.splits['test'].labels, calls.astype(int))
    assert plain['test_f1_tuned_threshold'][0] == pytest.approx(expected)


def test_the_precise_threshold_is_the_validation_splits(hand_made):
    """The lowest threshold with a precision of 0.9 there, found by trying all; test labels have no part in it."""
    record, data = hand_made
    flipped = {**data.splits}
    flipped['test'] = in_memory({**data.splits['test'].arrays, 'label': 1 - data.splits['test'].arrays['label']})
    rules = []
    for each in (data, dataclasses.replace(data, splits=flipped)):
        judged = binary.judge(record, each, 'test')
        rules.append(binary.decisions(judged, binary.judge(record, each, 'validation'), None)['precise'])
    truth = data.splits['validation'].labels
    for replica in (0, 1):
        p = 1 / (1 + np.exp(-record.outputs['validation'][replica]['logits'][:, 1]))
        lowest = min(t for t in p if truth[p >= t].mean() >= 0.9)
        on_test = 1 / (1 + np.exp(-record.outputs['test'][replica]['logits'][:, 1]))
        labels = data.splits['test'].labels
        assert [rule.thresholds[replica] for rule in rules] == pytest.approx([lowest, lowest])
        assert min(t for t in on_test if labels[on_test >= t].mean() >= 0.9) != pytest.approx(lowest)
        np.testing.assert_allclose(rules[0].probabilities[replica], on_test)
        called = on_test >= lowest
        counts = rules[0].counts(labels)[replica]
        assert (counts.tp, counts.fp) == (called[labels == 1].sum(), called[labels == 0].sum())
    row = figure(binary.report(record, data), 'decisions').rows
    (shown,) = [cells for cells in row if cells[0] == 'precision at least 0.9 on the validation split']
    assert float(shown[1]) == pytest.approx(rules[0].thresholds.mean(), rel=1e-3)


def test_recall_at_a_precision_by_trying_all_thresholds(hand_made):
    """It asks what some threshold could reach, so it is the test split's own, as the areas are."""
    record, data = hand_made
    found, labels = binary.report(record, data).metrics, data.splits['test'].labels
    for replica in (0, 1):
        score = record.outputs['test'][replica]['logits'][:, 1]
        reached = [(score[labels == 1] >= t).mean() for t in score if labels[score >= t].mean() >= 0.9]
        assert found['test_recall_at_90_precision'][replica] == pytest.approx(max(reached))


def test_the_positive_class_is_the_rarer_one(hand_made):
    """Whatever its place: the same numbers under swapped classes; a named one gives those of scikit-learn's pos_label."""
    record, data = hand_made
    swapped = {
        name: in_memory({**split.arrays, 'label': 1 - split.arrays['label']}) for name, split in data.splits.items()
    }
    names = {**data.features, 'label': ClassLabel(('rare', 'normal'))}
    turned = {name: [{'logits': one['logits'][:, ::-1]} for one in each] for name, each in record.outputs.items()}
    plain = binary.report(record, data, (1.0, 2.0))
    other = binary.report(
        dataclasses.replace(record, outputs=turned),
        dataclasses.replace(data, splits=swapped, features=names),
        (2.0, 1.0),
    )
    assert {name: pytest.approx(values) for name, values in plain.metrics.items()} == other.metrics
    assert plain.remarks == other.remarks and "those of 'rare'" in plain.remarks[0]
    assert 'called rare' in figure(other, 'decisions').columns and 'of them rare' in figure(other, 'roc').note
    of_normal = binary.report(record, data, named='normal').metrics
    labels, scores = data.splits['test'].labels, record.outputs['test'][0]['logits'][:, 1]
    called = (scores > 0).astype(int)
    assert of_normal['test_recall'][0] == pytest.approx(sklearn.metrics.recall_score(labels, called, pos_label=0))
    assert of_normal['test_precision'][0] == pytest.approx(sklearn.metrics.precision_score(labels, called, pos_label=0))
    expected = sklearn.metrics.average_precision_score(labels, -scores, pos_label=0)
    assert of_normal['test_average_precision'][0] == pytest.approx(expected)
    with pytest.raises(UserError, match="config.report.options.positive 'normale'; did you mean 'normal'"):
        binary.positive_class(data, 'normale')


def test_a_validation_split_of_too_few_is_named(hand_made):
    record, data = hand_made
    few = {**data.splits, 'validation': data.splits['validation'].take(np.arange(15, 40))}
    many = {**few, 'test': data.splits['test'].take(np.r_[np.arange(30), np.repeat(np.arange(30), 3), 30:41])}
    outputs = {
        name: [{'logits': one['logits'][: split.size]} for one in record.outputs[name]]
        for name, split in many.items()
        if name != 'train'
    }
    outputs['test'] = [{'logits': np.resize(one['logits'], (many['test'].size, 2))} for one in record.outputs['test']]
    remarks = binary.report(
        dataclasses.replace(record, outputs=outputs), dataclasses.replace(data, splits=many)
    ).remarks
    assert any('The validation split has fewer than 10 examples of a class' in one for one in remarks)
    assert not any('no validation split' in one for one in remarks)


def test_a_test_split_of_too_few_is_named(hand_made):
    """Four of the positive class: no curves, and the report says why."""
    record, data = hand_made
    rows = np.r_[np.arange(30), 30:34]
    few = dataclasses.replace(data, splits={**data.splits, 'test': data.splits['test'].take(rows)})
    outputs = {**record.outputs, 'test': [{'logits': one['logits'][rows]} for one in record.outputs['test']]}
    found = binary.report(dataclasses.replace(record, outputs=outputs), few)
    assert not found.figures and not found.metrics
    assert found.remarks == (
        '4 of the 34 examples of the test split are rare: precision, recall and curves need 10 of each class.',
    )


def test_odds_that_training_saw(hand_made):
    """Resampling and class weights both count; undone they are the odds of the training rows as they came."""
    _, data = hand_made
    assert binary.odds(data) == (pytest.approx(1 / 9), pytest.approx(1 / 9))
    assert binary.odds(data, (1.0, 9.0)) == (pytest.approx(1.0), pytest.approx(1 / 9))
    equal = Sampling('smote', np.array([900, 100]), np.array([900, 900]), 1000)
    assert binary.odds(dataclasses.replace(data, sampling=equal)) == (1.0, pytest.approx(1 / 9))


def test_correction_is_reported_where_there_is_one(hand_made):
    record, data = hand_made
    plain = binary.report(record, data)
    assert 'test_ece_corrected' not in plain.metrics  # the test classes are equal, and nothing was resampled
    equal = Sampling('smote', np.array([900, 100]), np.array([900, 900]), 1000)
    resampled = binary.report(record, dataclasses.replace(data, sampling=equal))
    assert resampled.metrics['test_recall_corrected'][0] < resampled.metrics['test_recall'][0]
    assert any('a probability of 0.5 stands for 0.1.' in remark for remark in resampled.remarks)
    assert 'corrected for the true odds' in figure(resampled, 'reliability').series


def figure(report, name):
    return next(each for each in report.figures if each.name == name)


def test_curves_are_steps_through_scikit_learns_points(hand_made):
    record, data = hand_made
    report = binary.report(record, data)
    labels, score = data.splits['test'].labels, record.outputs['test'][1]['logits'][:, 1]
    x, y = figure(report, 'roc').series['model']
    for at in (0, 37, 100, 200):
        tried = [((score[labels == 0] >= t).mean(), (score[labels == 1] >= t).mean()) for t in (*score, np.inf)]
        assert y[1, at] == pytest.approx(max(rate for false, rate in tried if false <= x[at] + 1e-9))
    x, y = figure(report, 'precision_recall').series['model']
    for at in (0, 50, 120, 199):
        threshold = max(t for t in score if (score[labels == 1] >= t).mean() >= x[at] - 1e-9)
        assert y[1, at] == pytest.approx(labels[score >= threshold].mean())
    assert figure(report, 'precision_recall').compared == 'model'


def test_scores_by_threshold(hand_made):
    record, data = hand_made
    lines = figure(binary.report(record, data), 'scores_by_threshold')
    labels, p = data.splits['test'].labels, 1 / (1 + np.exp(-record.outputs['test'][0]['logits'][:, 1]))
    for at in (20, 100, 170):
        called = (p >= at / 200).astype(int)
        assert lines.series['recall'][1][0, at] == pytest.approx(sklearn.metrics.recall_score(labels, called))
        assert lines.series['precision'][1][0, at] == pytest.approx(sklearn.metrics.precision_score(labels, called))
        assert lines.series['F1'][1][0, at] == pytest.approx(sklearn.metrics.f1_score(labels, called))


def test_a_real_run(outcome):
    """Everything is there, the matrix agrees with the scores, and the Bayes rule stands beside the network."""
    metrics = outcome.facts['metrics']
    names = (
        'average_precision',
        'recall_at_90_precision',
        'ece',
        'ece_corrected',
        'f1_tuned_threshold',
        'bayes_average_precision',
    )
    assert all(len(metrics[f'test_{name}']['values']) == 2 for name in names)
    assert metrics['test_bayes_average_precision']['mean'] > metrics['test_average_precision']['mean']
    assert metrics['test_ece_corrected']['mean'] < metrics['test_ece']['mean']
    report = outcome.report
    matrix = figure(report, 'confusion_matrix_tuned')
    assert isinstance(matrix, Matrix) and matrix.values.sum() == 1500
    found = matrix.values[1, 1] / matrix.values[1].sum()
    assert found == pytest.approx(metrics['test_recall_tuned_threshold']['values'][0])
    assert {'model', 'Bayes rule'} <= set(figure(report, 'precision_recall').series)
    table = figure(report, 'decisions')
    assert isinstance(table, Table) and table.rows[0][0] == 'always normal'
    assert table.rows[0][columns(table).index('accuracy')] == pytest.approx(1 - matrix.values[1].sum() / 1500)
    intervals = figure(report, 'test_set_intervals')
    for _, value, low, high, _ in intervals.rows:
        assert low <= value <= high
    assert len(intervals.rows) == 5  # three of them by bootstrap: there are 20 of each class
    for each in report.figures:
        if isinstance(each, Lines):
            assert each.title and each.x_label and each.y_label and 'n = ' in each.note


def columns(table):
    return list(table.columns)


def test_a_run_without_validation_split_says_so(tmp_path):
    found = lab.train(rare(data__validation_fraction=0.0), tmp_path)
    assert 'test_f1_tuned_threshold' not in found.facts['metrics']
    assert found.facts['metrics']['test_ece_corrected'] == found.facts['metrics']['test_ece']
    assert any('no validation split to choose a threshold on' in remark for remark in found.report.remarks)


def test_ten_classes_have_none_of_this(tmp_path):
    found = lab.train(lab.small(), tmp_path)
    assert not {'precision_recall', 'roc'} & {each.name for each in found.report.figures}
