"""Regression: one update, stages, baselines beside the network, what is reported, what is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sklearn.linear_model
from scipy.optimize import linprog

from configs import common
from jaxlab.data.examples import in_memory
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.figures import Histogram, Lines, Points, Table
from jaxlab.protocol import Record
from jaxlab.tasks import baselines, sparsity
from tests.training import lab

LOSSES = {
    'squared': lambda e: e**2,
    'absolute': jnp.abs,
    'huber': lambda e: jnp.where(jnp.abs(e) <= 0.5, e**2 / 2, 0.5 * (jnp.abs(e) - 0.25)),
}


def config(**changes):
    """A linear model on the diabetes data, full batch. Names with '__' for dots."""
    made = common.experiment('mine', task='regression', data='california_housing', model='mlp')
    made.data.update({'source': 'embedded', 'batch_size': 0, 'shuffle': False, 'validation_fraction': 0.2})
    made.model.features, made.optimizer, made.training.epochs = (), common.adam(0.01), 6
    made.parallel.devices = 1
    return common.override(made, lab.dotted(changes))


def batch_of(prepared, size=20):
    rows = prepared.data.splits['train'].read(np.arange(size))
    return {**jax.tree.map(jnp.asarray, rows), 'weight': jnp.asarray([1.0] * (size - 5) + [0.0] * 5)}


@pytest.mark.parametrize('loss', LOSSES)
def test_one_update(loss):
    """Against Optax's Adam on the mean loss of the true examples; the five rows of padding do not count."""
    prepared = prepare(config(task__loss=loss, task__delta=0.5))
    task, batch = prepared.task, batch_of(prepared)
    state = jax.jit(task.init)(jax.random.key(0), batch)

    def mean_loss(params):
        outputs = batch['features'][:15] @ params['Dense_0']['kernel'] + params['Dense_0']['bias']
        return LOSSES[loss](outputs[:, 0] - batch['target'][:15]).mean()

    @jax.jit
    def by_hand(params):
        (value, slope), adam = jax.value_and_grad(mean_loss)(params), optax.adam(0.01)
        return value, optax.apply_updates(params, adam.update(slope, adam.init(params))[0])

    value, expected = by_hand(state['model'].params)
    updated, sums = jax.jit(task.train_step)(state, batch, jax.random.key(1))
    lab.close(expected, updated['model'].params, 1e-6)
    assert float(sums['loss'][0]) == pytest.approx(15 * float(value), rel=1e-5) and float(sums['loss'][1]) == 15
    assert set(sums) == {'loss', 'mse', 'mae'}


def test_stages_are_two_trainings_after_each_other():
    """Squares, then sizes on the same weights with an Adam that has seen nothing; against the two done by hand."""
    prepared = prepare(config(task__stages=(('squared', 3), ('absolute', 3))))
    task, batch = prepared.task, batch_of(prepared)
    assert task.starts == (3,) and task.losses == ('squared', 'absolute')
    init, step = jax.jit(task.init), jax.jit(task.train_step)
    state, seen = init(jax.random.key(0), batch), []
    params = state['model'].params
    for _ in range(6):
        state, sums = step(state, batch, jax.random.key(1))
        seen.append({name: float(total / weight) for name, (total, weight) in sums.items()})
    assert [row['loss'] for row in seen] == [row['mse'] for row in seen[:3]] + [row['mae'] for row in seen[3:]]
    for loss in ('squared', 'absolute'):
        single = dataclasses.replace(task, stages=(), loss=loss)
        fresh, step = (
            {'model': init(jax.random.key(0), batch)['model'].replace(params=params)},
            jax.jit(single.train_step),
        )
        for _ in range(3):
            fresh, _ = step(fresh, batch, jax.random.key(1))
        params = fresh['model'].params
    lab.close(params, state['model'].params, 1e-6)
    third = {'model': state['model'].replace(step=jnp.int32(3))}
    one, _ = jax.jit(task.eval_step)(third, batch, jax.random.key(0))
    assert float(one['loss'][0]) == float(one['mse'][0]), 'after update 3 the stage is still the first'


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'task__loss': 'cubed'}, 'cubed'),
        ({'task__delta': 0.0}, 'above 0'),
        ({'task__stages': (('squared',),)}, 'pairs'),
        ({'task__stages': (('squared', 0), ('absolute', 2))}, 'pairs'),
        ({'task__stages': (('cubed', 1), ('absolute', 2))}, 'cubed'),
        ({'data__name': 'titanic'}, 'has classes'),
        ({'report__options': {'baselines': ('logistic',)}}, 'logistic'),
        ({'report__options': {'baselines': 'mean'}}, 'a tuple of names'),
        ({'report__options': {'baselines': ('mean',), 'baseline_rows': -1}}, 'baseline_rows'),
    ],
)
def test_what_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        prepare(config(**changes))


def test_baselines_are_what_they_say():
    """Constants and linear fits against numpy and a linear program of SciPy's; classifiers against their definitions."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((60, 3))
    y = x @ [1.0, -2.0, 0.5] + 0.3 + generator.standard_cauchy(60)
    made = {name: fit(x, y)(x) for name, fit in baselines.REGRESSION.items()}
    assert set(made['mean']) == {y.mean()} and set(made['median']) == {np.median(y)}
    wide = np.column_stack([x, np.ones(60)])
    np.testing.assert_allclose(made['least_squares'], wide @ np.linalg.lstsq(wide, y)[0])
    dual = linprog(-y, A_eq=wide.T, b_eq=np.zeros(4), bounds=(-1, 1), method='highs')  # max y'd, X'd = 0, |d| <= 1
    assert np.abs(y - made['least_absolute']).sum() == pytest.approx(-dual.fun, rel=1e-6)
    labels = (x[:, 1] + 0.5 * generator.standard_normal(60) > 0).astype(int)
    counting = ('naive_bayes', 'tfidf_logistic')
    shares = {name: fit(x, labels)(x) for name, fit in baselines.CLASSIFICATION.items() if name not in counting}
    for name in counting:
        with pytest.raises(UserError, match=f'{name} is a rule of counts of words'):
            baselines.CLASSIFICATION[name](x, labels)
    counts = generator.poisson(1 + 2 * np.outer(labels, [1.0, 0.0, 0.5]))
    chances = (counts[labels == 1].sum(0) + 1) / (counts[labels == 1].sum() + 3)
    others = (counts[labels == 0].sum(0) + 1) / (counts[labels == 0].sum() + 3)
    odds = counts @ np.log(chances / others) + np.log(labels.mean() / (1 - labels.mean()))
    np.testing.assert_allclose(baselines.naive_bayes(counts, labels)(counts)[:, 1], 1 / (1 + np.exp(-odds)))
    np.testing.assert_allclose(shares['majority'], np.tile([1 - labels.mean(), labels.mean()], (60, 1)))
    best = max(np.mean((x[:, k] > t) == labels) for k in range(3) for t in np.sort(x[:, k]))
    assert baselines.classified(labels, shares['one_question'])['accuracy'] >= best - 0.05
    residual = labels - shares['logistic'][:, 1]
    np.testing.assert_allclose(wide.T @ residual, 0, atol=1e-3)  # the gradient at the optimum of the plain likelihood


def test_the_report():
    """Errors in the target's unit, R^2 as scikit-learn's, the linear coefficients beside the exact ones."""
    options = {'baselines': ('mean', 'least_squares')}
    prepared = prepare(config(report__options=options, task__stages=(('squared', 3), ('absolute', 3))))
    data, task = prepared.data, prepared.task
    state = jax.jit(task.init)(jax.random.key(0), batch_of(prepared))
    outputs, metrics = {}, {}
    for split in ('validation', 'test'):
        batch = jax.tree.map(jnp.asarray, data.splits[split].arrays)
        batch['weight'] = jnp.ones(len(batch['target']))
        sums, kept = jax.jit(task.eval_step)(state, batch, jax.random.key(0))
        outputs[split] = [{name: np.asarray(values) for name, values in kept.items()}]
        metrics |= {f'{split}_{name}': [float(total / weight)] for name, (total, weight) in sums.items()}
    history = [{'epoch': at, 'train_mse': [2.0], 'train_mae': [1.0]} for at in range(1, 7)]
    report = prepared.reporter.report(Record([state], history, outputs, [], metrics, jax.random.key(0)))
    truth = data.splits['test'].arrays['target']
    predicted = outputs['test'][0]['prediction']
    assert report.metrics['test_r2'][0] == pytest.approx(sklearn.metrics.r2_score(truth, predicted), rel=1e-5)
    assert report.metrics['test_mae_points'][0] == pytest.approx(100 * metrics['test_mae'][0], rel=1e-5)
    figures = {figure.name: figure for figure in report.figures}
    kinds = {
        'examples': Table,
        'targets': Histogram,
        'predicted_actual': Points,
        'residuals': Histogram,
        'stages_mse': Lines,
        'baselines': Table,
        'coefficients': Table,
    }
    assert {name: type(figures[name]) for name in kinds} == kinds
    train = data.splits['train'].arrays
    exact = sklearn.linear_model.LinearRegression().fit(train['features'], train['target'])
    columns = dict(zip(figures['coefficients'].columns, zip(*figures['coefficients'].rows, strict=True), strict=True))
    np.testing.assert_allclose(columns['least squares'], [*exact.coef_, exact.intercept_], rtol=1e-4, atol=1e-4)
    kernel = np.asarray(state['model'].params['Dense_0']['kernel'])[:, 0]
    np.testing.assert_allclose(columns['network'][:-1], kernel, rtol=1e-6)
    expected = np.mean((exact.predict(data.splits['test'].arrays['features']) - truth) ** 2)
    assert report.metrics['test_mse_least_squares'] == [pytest.approx(expected, rel=1e-4)]
    assert 'test_r2_mean' not in report.metrics and len(figures['baselines'].rows) == 3


def test_errors_are_predicted_minus_actual():
    """A network that always says 2 of targets 0, 1, 2, 3, 3: errors 2, 1, 0, -1, -1; actual values lie along x."""
    prepared = prepare(config())
    data, size = prepared.data, prepared.data.splits['test'].size
    truth = np.resize([0.0, 1.0, 2.0, 3.0, 3.0], size - size % 5)
    made = in_memory({'features': np.zeros((len(truth), 8), np.float32), 'target': truth})
    data = dataclasses.replace(data, splits={**data.splits, 'test': made})
    outputs = {'test': [{'prediction': np.full(len(truth), 2.0)}]}
    state = jax.jit(prepared.task.init)(jax.random.key(0), batch_of(prepared))
    report = dataclasses.replace(prepared.reporter, data=data).report(
        Record([state], [], outputs, [], {}, jax.random.key(0))
    )
    figures = {figure.name: figure for figure in report.figures}
    errors = figures['residuals']
    np.testing.assert_array_equal(errors.samples['errors'][:5], [2, 1, 0, -1, -1])
    assert errors.x_label.startswith('predicted minus actual') and 'mean 0.2, median 0' in errors.note
    scatter = figures['predicted_actual']
    np.testing.assert_array_equal(scatter.groups['one example'][:5], [[0, 2], [1, 2], [2, 2], [3, 2], [3, 2]])
    assert scatter.x_label.startswith('actual') and scatter.y_label.startswith('predicted')
    assert report.metrics['test_rmse'] == [pytest.approx((7 / 5) ** 0.5)]
    assert report.metrics['test_r2'] == [pytest.approx(1 - 7 / 6.8)]


def test_sizes_of_parameters():
    """Counted by hand: |w| of 0, 0.0005, 0.5, -2."""
    state = {
        'model': dataclasses.make_dataclass('S', ['params'])(
            {'a': jnp.array([[0.0, 0.0005]]), 'b': jnp.array([0.5, -2])}
        )
    }
    report = sparsity.report(Record([state, state], [], {}, [], {}, jax.random.key(0)))
    assert report.metrics['weights_near_zero'] == [0.5, 0.5] and report.metrics['weights_zero'] == [0.25, 0.25]
    assert report.metrics['weights_sum_abs'][0] == pytest.approx(2.5005)
    sizes, below = report.figures[1].series['parameters']
    assert below.shape == (2, len(sizes)) and below[0, 0] == 0.25 and below[0, -1] == 0.75


def test_a_target_in_dollars_is_learned(tmp_path):
    """An own table: 20 epochs find the line; metrics, predictions and coefficients are in dollars."""
    rng = np.random.default_rng(0)
    rooms, age = rng.integers(1, 9, 300), rng.integers(0, 50, 300)
    price = 150_000 + 40_000 * rooms - 1_000 * age
    rows = '\n'.join(map(','.join, np.stack([rooms, age, price], axis=1).astype(str).tolist()))
    (tmp_path / 'own.csv').write_text(f'rooms,age,price\n{rows}\n')
    made = common.experiment('mine', task='regression', data='table', model='mlp')
    made.data.options = {'path': str(tmp_path / 'own.csv'), 'target': 'price', 'kind': 'regression', 'unit': 'USD'}
    made.model.features, made.optimizer, made.training.epochs = (), common.adam(0.05), 20
    made.data.batch_size, made.parallel.devices = 20, 1
    made.report.options = {'baselines': ('least_squares',)}
    found = lab.train(made, tmp_path / 'run')
    metrics = found.facts['metrics']
    assert metrics['test_r2']['mean'] > 0.99 and metrics['test_loss']['mean'] < 0.01
    assert metrics['test_rmse']['mean'] == pytest.approx(metrics['test_mse']['mean'] ** 0.5, rel=1e-4)
    assert 0 < metrics['test_mae_usd']['mean'] < 9_000
    table = next(one for one in found.report.figures if one.name == 'coefficients')
    for name, network, exact in table.rows:
        assert network == pytest.approx(exact, rel=0.1, abs=4_000), name
