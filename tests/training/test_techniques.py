"""Each training technique alone, through the engine, on a problem small enough that its effect can be worked out.

A pixel that is black in every training image tells its weights nothing: whatever they do, the penalty, the rule and the
schedule do. Early stopping, its best weights and stopping at an aim are in test_decisions.py, mixup's targets in
tests/data/test_transforms.py, the rules themselves in tests/optimizers.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from jaxlab.experiments.prepare import prepare
from jaxlab.measures.losses import cross_entropy
from jaxlab.training.loop import Interrupted
from tests.training import lab

RATE, STEPS = 0.05, 10  # two epochs of five updates
LINEAR = {'model__features': (), 'model__batch_norm': False, 'model__dropout': 0.0}


@functools.cache
def black() -> np.ndarray:
    """Which of the 784 pixels are 0 in all training images."""
    images = prepare(lab.small()).data.splits['train'].arrays['image']
    return (images.reshape(len(images), -1) == 0).all(0)


def silent_weights(rule: common.Config, **changes) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the black pixels before and after ten updates."""
    config = lab.small(**LINEAR, **changes)
    config.optimizer = rule
    before = lab.machine(config).init()[0]['model'].params['Dense_0']['kernel']
    after = lab.steps(config, 2, evaluated=False).state[0]['model'].params['Dense_0']['kernel']
    return np.asarray(before)[black()].astype(np.float64), np.asarray(after)[black()]


def shrunk(w: np.ndarray, rates=(RATE,) * STEPS, l1: float = 0.0, l2: float = 0.0) -> np.ndarray:
    """What SGD makes of weights that only the penalty moves."""
    for rate in rates:
        w = w - rate * (l2 * w + l1 * np.sign(w))
    return w


def test_nothing_moves_them_without_a_penalty():
    assert black().sum() > 100
    before, after = silent_weights(common.sgd(RATE, 0.9))
    np.testing.assert_array_equal(before.astype(np.float32), after)


def test_l1_pulls_all_weights_at_the_same_pace_and_makes_zeros():
    """By rate * l1 an update, whatever their size; those that arrive stay within one step of zero."""
    before, after = silent_weights(common.sgd(RATE, l1=0.02))
    np.testing.assert_allclose(after, shrunk(before, l1=0.02), atol=1e-6)
    assert (np.abs(after) <= RATE * 0.02).mean() > 0.25 > (np.abs(before) <= RATE * 0.02).mean()


def test_l2_shrinks_weights_by_their_share():
    before, after = silent_weights(common.sgd(RATE, weight_decay=0.5))
    np.testing.assert_allclose(after, before * (1 - RATE * 0.5) ** STEPS, rtol=1e-5)


def test_elastic_net_is_both():
    before, after = silent_weights(common.sgd(RATE, l1=0.02, weight_decay=0.5))
    np.testing.assert_allclose(after, shrunk(before, l1=0.02, l2=0.5), atol=1e-6)


def test_decoupled_decay_passes_by_the_moments():
    """Under Adam: decoupled, by its share; coupled, by about the rate itself, since Adam divides the decay by its own size."""
    before, after = silent_weights(common.adam(RATE, weight_decay=0.5, weight_decay_mode='decoupled'))
    np.testing.assert_allclose(after, before * (1 - RATE * 0.5) ** STEPS, rtol=1e-5)
    before, after = silent_weights(common.adam(0.001, weight_decay=0.5, weight_decay_mode='coupled'))
    large = np.abs(before) > 0.02
    np.testing.assert_allclose(np.abs(before - after)[large], 0.001 * STEPS, rtol=0.2)


def test_a_schedule_reaches_every_update():
    """Cosine over the ten updates of the run: the decay follows the rate."""
    before, after = silent_weights(common.sgd(RATE, weight_decay=0.5, schedule='cosine'))
    rates = [RATE * (1 + math.cos(math.pi * step / STEPS)) / 2 for step in range(STEPS)]
    np.testing.assert_allclose(after, shrunk(before, rates, l2=0.5), rtol=1e-5)


def test_a_plateau_lowers_the_rate_of_the_epochs_that_follow(tmp_path):
    """Nothing is ever good enough: epochs at 1, 1, 0.5, 0.5 times the rate."""
    plateau = {'metric': 'train_loss', 'patience': 0, 'factor': 0.5, 'min_delta': 100.0}
    config = lab.small(**LINEAR, training__epochs=3)
    config.optimizer = common.sgd(RATE, weight_decay=0.5, plateau=plateau)
    before = np.asarray(lab.machine(config).init()[0]['model'].params['Dense_0']['kernel'])[black()].astype(np.float64)
    after = np.asarray(lab.train(config, tmp_path).record.states[0]['model'].params['Dense_0']['kernel'])[black()]
    scales = (1.0, 1.0, 0.5)  # the first epoch is the first value, the second the first that is no better
    np.testing.assert_allclose(after, shrunk(before, np.repeat(scales, 5) * RATE, l2=0.5), rtol=1e-5)


@pytest.mark.parametrize('rate', [0.0, 0.5])
def test_dropout_costs_while_training_and_is_off_afterwards(rate, tmp_path):
    """At learning rate 0: the loss of training is that of evaluation exactly where nothing is dropped."""
    config = lab.small(model__batch_norm=False, model__dropout=rate, training__epochs=1, training__measure_train=True)
    config.optimizer = common.sgd(0.0)
    metrics = lab.train(config, tmp_path).facts['metrics']
    while_training, clean = metrics['train_loss']['mean'], metrics['train_clean_loss']['mean']
    if rate:
        assert abs(while_training - clean) > 1e-4
    else:
        assert while_training == pytest.approx(clean, rel=1e-6)


@pytest.mark.parametrize('norm', [True, False])
def test_batch_norm_forgets_the_scale_of_the_weights_before_it(norm):
    """A first kernel ten times as large changes nothing in training mode with it, everything without."""
    config = lab.small(model__batch_norm=norm, model__dropout=0.0)
    ready, state = prepare(config), lab.machine(config).init()[0]['model']
    rows = ready.data.splits['train'].read(np.arange(24))
    images = ready.data.prepare({**rows, 'weight': jnp.ones(24)})['image']

    @jax.jit
    def logits(params, images):
        variables = state.variables(params)
        return ready.task.model.apply(variables, images, train=True, weight=jnp.ones(24), mutable=['batch_stats'])[0]

    larger = dict(state.params)
    larger['Dense_0'] = {'kernel': 10 * larger['Dense_0']['kernel'], 'bias': 10 * larger['Dense_0']['bias']}
    one, other = logits(state.params, images), logits(larger, images)
    difference = float(jnp.abs(one - other).max())
    assert (difference < 0.01) == norm and ('BatchNorm_0' in state.params) == norm


def test_label_smoothing_has_a_floor_and_stops_short_of_certainty():
    """With e = 0.2 on ten classes no answer beats H(0.82, 0.02 x 9) = 0.867, reached where the true class gets 0.82."""
    floor = -(0.82 * math.log(0.82) + 9 * 0.02 * math.log(0.02))
    shares = {}
    for smoothing in (0.0, 0.2):
        config = lab.small(**LINEAR, task__label_smoothing=smoothing)
        config.optimizer = common.sgd(0.5)
        found = lab.steps(config, 60, evaluated=False)
        last = found.logs['loss'][0, -5:]
        loss = float(last[:, 0].sum() / last[:, 1].sum())
        assert (loss > floor) == bool(smoothing) and loss < floor + 0.2
        ready = prepare(config)
        rows = ready.data.splits['train'].read(np.arange(100))
        images = ready.data.prepare({**rows, 'weight': jnp.ones(100)})['image']
        guesses = np.asarray(ready.task.predict(found.state[0], images))
        shares[smoothing] = float(guesses[np.arange(100), rows['label']].mean())
    assert shares[0.0] > 0.93 > 0.86 > shares[0.2] > 0.7


def test_mixup_keeps_the_loss_above_that_of_plain_examples():
    """Half of an answer is another class: the mixed targets' own entropy is the floor; the plain loss goes to zero."""
    losses = {}
    for transforms in ((), (('mixup', {'alpha': 1.0}),)):
        config = lab.small(**LINEAR, data__transforms=transforms)
        config.optimizer = common.sgd(0.5)
        last = lab.steps(config, 60, evaluated=False).logs['loss'][0, -50:]
        losses[bool(transforms)] = float(last[:, 0].sum() / last[:, 1].sum())
    # alpha = 1: shares are uniform, E[H(share)] = 0.5; pairs of the same class (one in ten) cost nothing
    assert losses[False] < 0.15 and 0.35 < losses[True] < 1.2


def test_the_floor_of_smoothing_by_the_loss_itself():
    """At the logits whose softmax is the smoothed target the loss is its entropy, and its gradient zero."""
    target = np.full(10, 0.02, np.float32)
    target[3] = 0.82
    loss_and_slope = jax.jit(jax.value_and_grad(lambda z: cross_entropy(z[None], jnp.array([3]), 0.2)[0]))
    loss, slope = loss_and_slope(np.log(target))
    assert float(loss) == pytest.approx(0.8668, abs=1e-4) and float(np.abs(slope).max()) < 1e-6


def test_accumulated_batches_train_as_one_large_one(tmp_path):
    """Through the engine: eight examples twice an update, as sixteen at once; a run that is gone on with ends the same."""
    plain = {'model__batch_norm': False, 'model__dropout': 0.0, 'data__limit': 96, 'training__epochs': 2}
    small = lab.small(**plain, data__batch_size=8, optimizer=common.sgd(0.1, 0.9, accumulate=2).to_dict())
    large = lab.small(**plain, data__batch_size=16)
    found, expected = (lab.train(config, tmp_path / name) for name, config in (('small', small), ('large', large)))
    for mine, theirs in zip(found.record.states, expected.record.states, strict=True):
        lab.close(mine['model'].params, theirs['model'].params, 1e-5)
    assert found.facts['steps'] == 2 * expected.facts['steps'] == 24
    with pytest.raises(Interrupted):
        lab.train(small, tmp_path / 'cut', lab.Listener(stop_at=5))
    assert lab.train(small, tmp_path / 'cut').facts['params_digest'] == found.facts['params_digest']
