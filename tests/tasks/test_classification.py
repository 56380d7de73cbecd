"""One update, one evaluation, what is reported, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.figures import Images, Matrix
from jaxlab.tasks.classification import classes
from tests.models.drawn import state_of
from tests.training import lab

PLAIN = {'model__batch_norm': False, 'model__dropout': 0.0, 'optimizer__momentum': 0.0}


@pytest.fixture(scope='module')
def batch():
    data = prepare(lab.small()).data
    rows = data.splits['train'].read(np.arange(12))
    return data.prepare({**rows, 'weight': jnp.asarray([1.0] * 8 + [0.0] * 4)})


def test_one_update_is_the_mean_loss_of_the_true_examples(batch):
    """With label smoothing, against Optax; the four rows of padding do not count."""
    task = prepare(lab.small(**PLAIN, task__label_smoothing=0.1)).task
    state = jax.jit(task.init)(jax.random.key(0), batch)

    def loss(params):
        logits = task.model.apply({'params': params}, batch['image'][:8], train=True)
        targets = optax.smooth_labels(jax.nn.one_hot(batch['label'][:8], 10), 0.1)
        return optax.softmax_cross_entropy(logits, targets).mean()

    value, slope = jax.jit(jax.value_and_grad(loss))(state['model'].params)
    updated, sums = jax.jit(task.train_step)(state, batch, jax.random.key(1))
    assert float(sums['loss'][0]) == pytest.approx(8 * float(value), rel=1e-5) and float(sums['loss'][1]) == 8
    expected = jax.tree.map(lambda p, g: np.asarray(p) - 0.1 * np.asarray(g), state['model'].params, slope)
    lab.close(expected, updated['model'].params, 1e-6)


def test_padding_enters_no_statistic(batch):
    """BatchNorm sees the true samples only."""
    task = prepare(lab.small()).task
    state, step = jax.jit(task.init)(jax.random.key(0), batch), jax.jit(task.train_step)
    rubbish = {**batch, 'image': batch['image'].at[8:].set(1e6)}
    one, other = (step(state, examples, jax.random.key(1)) for examples in (batch, rubbish))
    lab.close(one[0], other[0], 1e-6)
    lab.close(one[1], other[1], 1e-6)


def test_evaluation_has_no_smoothing_and_no_dropout(batch):
    task = prepare(lab.small(task__label_smoothing=0.5)).task
    state, evaluate = jax.jit(task.init)(jax.random.key(0), batch), jax.jit(task.eval_step)
    (one, outputs), (other, _) = (evaluate(state, batch, jax.random.key(seed)) for seed in (1, 2))
    assert float(one['loss'][0]) == float(other['loss'][0])
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs['logits'], batch['label'])
    assert float(one['loss'][0]) == pytest.approx(float(losses[:8].sum()), rel=1e-5)
    assert float(one['accuracy'][1]) == 8
    np.testing.assert_allclose(jax.jit(task.predict)(state, batch['image']).sum(axis=1), 1, rtol=1e-5)


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    return lab.train(lab.small(), tmp_path_factory.mktemp('plain'))


def test_mixup_trains_on_soft_targets(plain, tmp_path):
    found = lab.train(lab.small(data__transforms=(('mixup', {'alpha': 1.0}),)), tmp_path)
    assert found.facts['metrics']['train_loss']['mean'] > plain.facts['metrics']['train_loss']['mean']


def test_the_report_is_of_the_test_split(plain):
    """Counts agree with the accuracy; the surest mistakes are wrong, in order of their confidence."""
    found, figures = plain, {figure.name: figure for figure in plain.report.figures}
    matrix = figures['confusion_matrix']
    assert isinstance(matrix, Matrix) and matrix.values.sum() == 50
    accuracy = found.facts['metrics']['test_accuracy']['mean']
    assert np.trace(matrix.values) / 50 == pytest.approx(accuracy)
    mistakes = figures['surest_mistakes']
    assert isinstance(mistakes, Images) and len(mistakes.images) == min(16, 50 - round(50 * accuracy))
    logits = np.asarray(found.record.outputs['test'][0]['logits'], np.float64)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    labels = prepare(lab.small()).data.splits['test'].labels
    wrong = sorted(np.flatnonzero(shares.argmax(1) != labels), key=lambda row: -shares[row].max())[:16]
    names = [str(digit) for digit in range(10)]
    expected = [f'{names[shares[row].argmax()]} ({shares[row].max():.0%})\ntrue: {names[labels[row]]}' for row in wrong]
    assert list(mistakes.captions) == expected, 'the surest first'
    assert list(mistakes.marked) == [True] * len(wrong)
    assert f'wrong on {50 - round(50 * accuracy)} of the 50' in found.report.remarks[0]


@pytest.mark.parametrize('mistaken, shown', [((3, 7), [7, 3]), ((), [2, 0, 1])])
def test_right_answers_are_not_shown_as_wrong_ones(mistaken, shown):
    """Two of 50 are wrong: both, and no others. None is wrong: the three least confident, under another title."""
    data = prepare(lab.small()).data
    labels = data.splits['test'].labels
    said = labels.copy()
    said[list(mistaken)] = (labels[list(mistaken)] + 1) % 10
    confidence = np.full(50, 0.9)
    confidence[:8] = [0.6, 0.7, 0.5, 0.8, 0.9, 0.9, 0.9, 0.85]
    shares = np.full((50, 10), 0.01)
    shares[np.arange(50), said] = confidence
    found = classes._mistakes(data, 'test', labels, shares, 3, 'note')
    names = [str(digit) for digit in range(10)]
    expected = [f'{names[said[row]]} ({confidence[row]:.0%})\ntrue: {names[labels[row]]}' for row in shown]
    assert list(found.captions) == expected and list(found.marked) == [bool(mistaken)] * len(shown)
    assert found.title.startswith('Wrong answers' if mistaken else 'No answer is wrong')


def test_what_is_refused():
    with pytest.raises(UserError, match="unknown field config.task.label_smoting .*did you mean 'label_smoothing'"):
        prepare(lab.small(task__label_smoting=0.1))
    with pytest.raises(UserError, match='config.task.label_smoothing = True; valid: float'):
        prepare(lab.small(task__label_smoothing=True))
    with pytest.raises(UserError, match='batch_size = 101 is larger than the 100 training examples; valid: 1 to 100'):
        prepare(lab.small(data__batch_size=101))


@pytest.mark.parametrize('model', ['mlp', 'lenet', 'convnet', 'resnet'])
def test_features_are_what_the_last_layer_makes_logits_of(model):
    """As a judge sees images: times the last kernel, plus its bias, they are the logits; with and without a key."""
    options = {'mlp': {'features': (12,)}, 'convnet': {'filters': (4,), 'hidden': (6,)}, 'resnet': {'width': 4}}
    ready = prepare(lab.small(model={'name': model, **options.get(model, {})}))
    images = jnp.asarray(ready.data.splits['test'].read(np.arange(3))['image'], jnp.float32) / 255
    state = state_of(ready.task.model, images, train=False)
    params, variables = state['model'].params, state['model'].variables()
    last = next(layer for layer in params.values() if layer.get('bias') is not None and layer['bias'].shape == (10,))
    both = lambda images: (ready.task.embed(state, images), ready.task.model.apply(variables, images, train=False))
    features, logits = jax.jit(both)(images)
    assert np.isfinite(logits).all() and features.ndim == 2 and features.shape[1] == last['kernel'].shape[0]
    np.testing.assert_allclose(features @ last['kernel'] + last['bias'], logits, atol=1e-4)


def test_a_network_without_a_dense_layer_is_no_judge():
    ready = prepare(lab.small(model={'name': 'two_layer'}))
    batch = {'image': jnp.zeros((2, 28, 28, 1)), 'weight': jnp.ones(2)}
    state = jax.jit(ready.task.init)(jax.random.key(0), batch)
    with pytest.raises(UserError, match='TwoLayer has no dense layer'):
        ready.task.embed(state, batch['image'])
