"""The loop's decisions as the pure functions they are: means, divergence, what is refused, why a training ends."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.training import control

# Two replicas, three steps: (total, weight). The last batch is short, so that a mean of means would be another number.
LOGS = {'loss': np.array([[[8, 4], [4, 4], [5, 1]], [[0, 4], [4, 4], [1, 1]]], np.float32)}


def settings(**training):
    chosen = {
        'best_metric': '',
        'best_mode': 'min',
        'min_delta': 0.0,
        'patience': 0,
        'restore_best': False,
        'stop_at': {},
        'watch': ('validation', 'test'),
        'eval_every': 1,
    }
    assert set(training) <= set(chosen)
    return types.SimpleNamespace(training=types.SimpleNamespace(**chosen | training), optimizer={})


def history(*values, metric='validation_loss'):
    return [{'epoch': number, metric: [value, value + 2]} for number, value in enumerate(values, 1)]


def test_means_count_examples():
    assert control.epoch_means(LOGS) == {'loss': pytest.approx([17 / 9, 5 / 9])}
    np.testing.assert_allclose(control.step_means(LOGS, 3)['loss'], [[2, 1, 5], [0, 1, 1]])
    np.testing.assert_allclose(control.step_means(LOGS, 2)['loss'], [[2, 1], [0, 1]])
    assert control.means(LOGS, 1, 3) == {'loss': pytest.approx((9 / 5 + 1) / 2)}
    nothing = {'loss': np.zeros((1, 2, 2), np.float32)}
    assert control.epoch_means(nothing) == {'loss': [0.0]} and not control.step_means(nothing, 2)['loss'].any()


def test_sums_are_exact():
    """In float32 the ones would vanish beside 2 ** 24."""
    log = np.array([[[2.0**24, 1], *[[1, 0]] * 100]], np.float32)
    assert control.epoch_means({'loss': log}) == {'loss': [2.0**24 + 100]}


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite(bad):
    logs = {name: np.ones((3, 6, 2), np.float32) for name in ('a', 'b')}
    assert control.first_not_finite(logs, 0, 6) is None
    logs['a'][2, 4, 0] = logs['b'][1, 3, 1] = logs['b'][0, 5, 0] = bad  # replica 0 of b after replica 1
    assert control.first_not_finite(logs, 0, 6) == ('b', 1, 3)
    assert control.first_not_finite(logs, 4, 6) == ('a', 2, 4) and control.first_not_finite(logs, 0, 3) is None
    assert control.first_not_finite(logs, 5, 6) == ('b', 0, 5)


def test_paths_of_what_is_not_finite():
    tree = {'a': {'kernel': np.ones(3)}, 'b': [jnp.ones(2, jnp.bfloat16), np.arange(3)], 'c': np.array([1.0, np.inf])}
    assert control.not_finite(tree) == 'c'
    tree['b'][0] = jnp.array([1, jnp.nan], jnp.bfloat16)
    assert control.not_finite(tree) == 'b/0' and control.not_finite({'n': np.arange(2)}) == ''


def test_short_blocks_are_filled_with_padding():
    chunk = np.arange(12).reshape(2, 3, 2)
    filled = control.padded_steps(chunk, 5)
    assert filled.shape == (2, 5, 2) and (filled[:, 3:] == -1).all() and (filled[:, :3] == chunk).all()
    assert control.padded_steps(chunk, 3) is chunk


def test_watched_splits():
    assert control.watched(settings(), ('train', 'test')) == ('test',)
    assert control.watched(settings(watch=('test', 'validation')), ('validation', 'test')) == ('test', 'validation')
    with pytest.raises(UserError, match=r"^config.training.watch names 'train'; valid: a tuple of validation, test$"):
        control.watched(settings(watch=('train',)), ('train',))


@pytest.mark.parametrize(
    ('training', 'splits', 'words'),
    [
        (
            {'patience': 2},
            ('validation',),
            '^config.training.patience needs config.training.best_metric; valid: .validation_loss',
        ),
        ({'restore_best': True}, ('validation',), '^config.training.restore_best needs config.training.best_metric'),
        ({'best_metric': 'test_loss'}, ('test',), "best_metric = 'test_loss' would choose by the test split"),
        ({'best_metric': 'validation_loss'}, ('test',), 'not measured while training; valid: a metric of train '),
        ({'best_metric': 'validation_loss', 'eval_every': 0}, ('validation',), 'not measured while training'),
        (
            {'stop_at': {'metric': 'validation_loss', 'value': 0.1}},
            (),
            '^config.training.stop_at.metric = .validation_loss',
        ),
        ({'best_metric': 'loss'}, ('validation',), 'a metric of train or validation '),
    ],
)
def test_what_is_refused_before_the_first_step(training, splits, words):
    with pytest.raises(UserError, match=words):
        control.check_metrics(settings(**training), splits)


def test_what_is_not_refused():
    control.check_metrics(settings(), ())
    control.check_metrics(settings(best_metric='train_loss', patience=3, eval_every=0), ())
    control.check_metrics(settings(best_metric='validation_f1', restore_best=True), ('validation', 'test'))
    control.check_honest('config.x', 'train_test_loss')
    with pytest.raises(UserError, match=r"^config.x = 'test_f1' .* such as 'validation_f1' with"):
        control.check_honest('config.x', 'test_f1')


def test_fields_that_decide():
    config = settings(best_metric='train_loss', stop_at={'metric': 'train_mse', 'value': 1.0})
    config.optimizer = {'plateau': {'metric': 'validation_loss'}}
    assert control.decisive(config) == {
        'config.training.best_metric': 'train_loss',
        'config.training.stop_at.metric': 'train_mse',
        'config.optimizer.plateau.metric': 'validation_loss',
    }
    assert control.decisive(settings()) == {}


def test_a_metric_that_is_missing_from_the_row():
    row = {'epoch': 1, 'train_loss': [1.0], 'validation_loss': [1.0]}
    control.check_measured(settings(best_metric='validation_f1'), row, evaluated=False)
    control.check_measured(settings(best_metric='validation_loss'), row, evaluated=True)
    for metric, evaluated in (('validation_los', True), ('train_los', False)):
        expected = rf"^config.training.best_metric = '{metric}' is not measured; did you mean '{metric}s'"
        with pytest.raises(UserError, match=expected):
            control.check_measured(settings(best_metric=metric), row, evaluated)


@pytest.mark.parametrize(
    ('mode', 'values', 'best'),
    [
        ('min', (3, 2, 2, 1), [True, True, False, True]),
        ('max', (3, 4, 4, 5), [True, True, False, True]),
        ('max', (3, 2, 1, 4), [True, False, False, True]),
        ('min', (3, 4, 5, 2), [True, False, False, True]),
    ],
)
def test_new_bests(mode, values, best):
    chosen = settings(best_metric='validation_loss', best_mode=mode).training
    rows = history(*values)
    assert [control.is_new_best(chosen, rows[: at + 1]) for at in range(4)] == best
    assert not control.is_new_best(settings().training, rows)
    assert not control.is_new_best(chosen, [*rows, {'epoch': 5}])


def test_an_aim_is_reached_by_every_replica():
    chosen = settings(stop_at={'metric': 'train_loss', 'value': 1.0}).training
    assert control.reason_to_stop(chosen, [{'epoch': 3, 'train_loss': [0.5, 1.1]}]) is None
    assert control.reason_to_stop(chosen, [{'epoch': 3}]) is None
    found = control.reason_to_stop(chosen, [{'epoch': 3, 'train_loss': [0.5, 1.0]}])
    assert found == {'reason': 'train_loss reached 1 in epoch 3', 'epoch': 3}


@pytest.mark.parametrize(('mode', 'values', 'best'), [('min', (5, 3, 4, 3), 4.0), ('max', (1, 3, 2, 3), 4.0)])
def test_patience_runs_out(mode, values, best):
    """Means over the replicas (one lies 2 above the other); an equal value is no improvement."""
    chosen = settings(best_metric='validation_loss', best_mode=mode, patience=2).training
    rows = history(*values)
    assert control.reason_to_stop(chosen, rows[:3]) is None
    found = control.reason_to_stop(chosen, rows)
    words = f'validation_loss was not better than {best:.4g} (epoch 2) for 2 evaluations'
    assert found == {'reason': words, 'epoch': 4, 'best_epoch': 2}
    assert control.reason_to_stop(settings(best_metric='validation_loss', patience=0).training, rows) is None
    assert control.reason_to_stop(chosen, [*rows, {'epoch': 5}]) is None  # not measured in the last epoch


def test_patience_counts_only_gains_above_min_delta():
    chosen = settings(best_metric='validation_loss', patience=2, min_delta=0.5).training
    assert control.reason_to_stop(chosen, history(5, 4.8, 4.7)) is not None
    assert control.reason_to_stop(chosen, history(5, 4.4, 4.3)) is None
