"""Forecasting: losses and units, forecasts on forecasts, rules without a network, intervals, the table, the mode."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from jaxlab import data
from jaxlab.data.sets.series import drawn
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.protocol import Record
from jaxlab.tasks.forecasting import modes, rules
from jaxlab.tasks.forecasting.report import Judged, parted
from jaxlab.tasks.forecasting.step import Forecasting
from tests.training import lab

REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '') or '/nowhere')
real = pytest.mark.skipif(not (REAL / 'time_series').is_dir(), reason='JAXLAB_DATA_DIR has no time_series')


def ready(name='forecast_temperature', folder=None, **changes):
    """An experiment on its stand-in; names with '__' for dots."""
    config = configs.load(configs.main_folder() / f'{name}.py', 'full')
    changes = {'variants': {}, 'replicas': 1} | lab.dotted(changes)
    source = {} if folder else {'data.source': 'embedded'}
    return prepare(configs.apply(config, {**source, **changes}, 'test'), folder and str(folder))


@pytest.fixture(scope='module')
def line():
    """A linear network of the last ten days on the stand-in, as it is started."""
    found = ready(model={'name': 'mlp', 'features': ()}, data__options={'width': 10, 'periods': (365.2425,)})
    batch = {**found.data.splits['test'].read(np.arange(7)), 'weight': np.ones(7, np.float32)}
    batch = found.data.prepare(jax.tree.map(jnp.asarray, batch))
    return found, jax.jit(found.task.init)(jax.random.key(0), batch), batch


def test_errors_in_the_unit(line):
    """The loss is of scaled values, mae and predictions are in degrees."""
    found, state, batch = line
    task: Forecasting = found.task
    sums, outputs = jax.jit(task.eval_step)(state, batch, jax.random.key(0))
    errors = np.asarray(outputs['prediction']) - np.asarray(batch['target'])
    assert outputs['prediction'].shape == (7, 1)
    np.testing.assert_allclose(sums['mae'][0], np.abs(errors).sum(), rtol=1e-5)
    np.testing.assert_allclose(sums['loss'][0], np.square(errors / task.factor).sum(), rtol=1e-4)
    raw = found.data.splits['test'].read([0])['series'][0, :, 0]
    np.testing.assert_allclose(batch['series'][0, :, 0] * task.factor + task.offset, raw, rtol=1e-5)


def test_from_the_last_value_nothing_learned_is_persistence(line):
    found = ready(
        model={'name': 'mlp', 'features': ()}, task__from_last=True, data__options={'width': 10, 'horizon': 3}
    )
    batch = {**found.data.splits['test'].read(np.arange(4)), 'weight': np.ones(4, np.float32)}
    batch = found.data.prepare(jax.tree.map(jnp.asarray, batch))
    state = jax.jit(found.task.init)(jax.random.key(0), batch)
    zero = state['model'].replace(params=jax.tree.map(np.zeros_like, state['model'].params))
    _, outputs = jax.jit(found.task.eval_step)({'model': zero}, batch, jax.random.key(0))
    last = found.data.splits['test'].read(np.arange(4))['series'][:, -1, 0]
    np.testing.assert_allclose(outputs['prediction'], np.repeat(last[:, None], 3, axis=1), rtol=1e-5)
    moved, sums = jax.jit(found.task.train_step)({'model': zero}, batch, jax.random.key(0))
    assert float(sums['loss'][0]) > 0 and any(np.any(leaf) for leaf in jax.tree.leaves(moved['model'].params))


def test_forecasts_stand_on_forecasts(line):
    """Three steps at once are three single ones, each window moved on by hand, its sine and cosine too."""
    found, state, batch = line
    feature, task, split = found.data.input_feature, found.task, found.data.splits['test']
    rolled = jax.jit(task.rollout, static_argnums=2)(state, batch['series'], 3)
    evaluate = jax.jit(task.eval_step)
    window, row = np.array(batch['series'][:1]), int(split.read([0])['row'][0])
    for step in range(3):
        _, outputs = evaluate(state, {**batch, 'series': np.repeat(window, 7, axis=0)}, jax.random.key(0))
        value = float(outputs['prediction'][0, 0])
        np.testing.assert_allclose(rolled[0, step], value, rtol=1e-4)
        angle = 2 * np.pi * (row + step) / feature.periods[0]
        new = [(value - task.offset) / task.factor, np.sin(angle), np.cos(angle)]
        window = np.concatenate([window[:, 1:], np.array(new, np.float32)[None, None]], axis=1)


@pytest.fixture(scope='module')
def known():
    found = data.load({'name': 'melbourne', 'source': 'embedded', 'options': {'width': 10, 'horizon': 3}})
    feature, train = found.input_feature, found.splits['train']
    return rules.Known(feature.windows(train), feature.targets(train), feature)


def test_autoregression_is_that_of_statsmodels(known):
    """AR(3) of a whole series: weights and four forecasts beyond its end."""
    values = drawn()[:400]
    rows = np.arange(3, 400)
    own = rules.Known(values[rows[:, None] + np.arange(-3, 0)], values[rows][:, None], known.series)
    ours = rules.autoregression(own, lags=3)(values[None, -3:], np.array([400]), 4)
    np.testing.assert_allclose(ours[0], AutoReg(values, 3).fit().forecast(4), rtol=1e-9)


def test_rules_by_hand(known):
    windows, rows, values = known.windows[:2], np.array([400, 5]), known.series.values
    assert (rules.persistence(known)(windows, rows, 2) == windows[:, -1:]).all()
    assert rules.moving_mean(known, rows=4)(windows, rows, 1)[1, 0] == pytest.approx(windows[1, -4:].mean())
    assert (rules.mean(known)(windows, rows, 2) == known.targets.mean()).all()
    season = rules.seasonal(known, rows=30)(windows, rows, 31)
    assert season[0].tolist() == [*values[370:400], values[370]] and season[1, 0] == windows[1, -1]
    assert season[1, 25] == values[0]
    line = rules.linear(known)
    found = line(known.windows, known.series.values, 3)
    assert np.square(found - known.targets).mean() <= np.square(known.windows[:, -1:] - known.targets).mean()
    longer = line(windows, rows, 5)
    np.testing.assert_allclose(longer[:, :3], line(windows, rows, 3))


def test_what_is_asked_for_is_checked():
    assert [label for label, _ in rules.asked(('mean', ('autoregression', {'lags': 2})), 10)] == [
        'mean',
        'autoregression_2',
    ]
    for entries, said in (
        ('mean', 'a tuple of names'),
        (('means',), 'mean'),
        ((('autoregression', {'lag': 2}),), "no argument 'lag'"),
        ((('autoregression', {'lags': 20}),), 'from 1 to 10'),
    ):
        with pytest.raises(UserError, match=said):
            rules.asked(entries, 10)
    with pytest.raises(UserError, match='is no series over time'):
        ready(data__name='california_housing', data__options={})


def test_half_the_width_of_an_interval():
    """n = 99 at 90 %: the 90th smallest; drawn ones are covered as often as promised."""
    assert rules.half_width(-np.arange(1.0, 100), 0.9) == 90 and rules.half_width(np.ones(3), 0.9) == 1
    rng = np.random.default_rng(0)
    inside = [abs(rng.normal()) <= rules.half_width(rng.normal(size=99), 0.9) for _ in range(2000)]
    assert abs(np.mean(inside) - 0.9) < 0.02


def test_report_and_mode(line):
    """Every figure is made; a network that is wrong by half a degree everywhere is covered wholly; the mode goes on."""
    found, state, batch = line
    outputs = {}
    for name, error in (('validation', 0.6), ('test', 0.5)):
        truth = found.data.input_feature.targets(found.data.splits[name])
        outputs[name] = [{'prediction': truth + error}]
    judged = Judged.of(found.task, found.data, 'test').measured(outputs['test'][0]['prediction'])
    metrics = {f'test_{name}': [value] for name, value in judged.items()}
    assert judged['mae'] == pytest.approx(0.5) and judged['rmse'] == pytest.approx(0.5)
    assert judged['scaled_mse'] == pytest.approx((0.5 / found.task.factor) ** 2)
    report = found.reporter.report(Record([state], [], outputs, [], metrics, jax.random.key(0)))
    names = [figure.name for figure in report.figures]
    assert names[:2] == ['series', 'examples'] and {'baselines', 'forecast', 'residuals', 'horizons'} <= set(names)
    assert report.metrics['test_coverage'] == [1.0] and report.metrics['test_mase'][0] < 1
    table = next(figure for figure in report.figures if figure.name == 'baselines')
    assert table.rows[0][0] == 'this network' and any('below that of persistence' in one for one in report.remarks)
    trained = type('Trained', (), {'config': found.config, 'task': found.task, 'data': found.data})()
    trained.restore = lambda: (state, 3)
    done = modes.forecast(trained, {'steps': 5})
    assert [row['date'] for row in done.facts['forecast']][:2] == ['1990-12-30', '1990-12-31']
    assert len(done.arrays['value']) == 5 and np.isfinite(done.arrays['value']).all()
    assert modes.lines({**done.facts, 'picture': 'p.png'})[-1] == 'picture: p.png'


GOLDEN = {  # scaled MSE on the test part: B14's table, filled; B18's, the older edition
    'forecast_temperature': (
        'rnn_as_published',
        {
            'mean': 0.0980505,
            'moving_mean_10': 0.0390764,
            'persistence': 0.0356145,
            'autoregression_1': 0.0327022,
            'autoregression_10': 0.0287276,
            'seasonal_365': 0.0805027,
        },
    ),
    'forecast_pm25': (
        'as_published',
        {
            'mean': 0.015887671,
            'moving_mean_7': 0.006691334,
            'persistence': 0.003974071,
            'autoregression_1': 0.003727495,
            'autoregression_7': 0.003815711,
            'autoregression_90': 0.003962861,
        },
    ),
}


@real
@pytest.mark.parametrize('name', GOLDEN)
def test_the_specifications_baselines(name):
    variant, expected = GOLDEN[name]
    changes = configs.load(configs.main_folder() / f'{name}.py', 'full').variants[variant].to_dict()
    found = ready(name, REAL, **changes)
    feature, train = found.data.input_feature, found.data.splits['train']
    judged = Judged.of(found.task, found.data, 'test')
    own = rules.Known(feature.windows(train), feature.targets(train), feature)
    measured = {
        label: judged.measured(rule(own)(judged.windows, judged.rows, 1)) for label, rule in found.reporter.beside
    }
    assert {label: measured[label]['scaled_mse'] for label in expected} == pytest.approx(expected, rel=2e-6)
    if name == 'forecast_temperature':
        assert measured['persistence']['rmse'] == pytest.approx(2.481641, rel=1e-6)
        assert measured['autoregression_10']['mae'] == pytest.approx(1.755838, rel=1e-6)


@pytest.mark.parametrize(
    'name, variant, expected',
    [
        ('forecast_temperature', 'rnn', 1_153),
        ('forecast_temperature', 'lstm', 4_513),
        ('forecast_pm25', 'lstm', 199_297),
        ('forecast_pm25', 'mlp', 5_889),
    ],
)
def test_parameters(name, variant, expected):
    changes = configs.load(configs.main_folder() / f'{name}.py', 'full').variants[variant].to_dict()
    module, example = ready(name, **changes).task.networks()['model']
    shapes = jax.eval_shape(lambda x: module.init(jax.random.key(0), x, train=False), example)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == expected


def test_no_line_over_a_gap():
    x, y = parted(np.array([3, 4, 9, 10, 12]), np.arange(5), np.arange(5) + 0.5)
    np.testing.assert_array_equal(x, [0, 1, np.nan, 2, 3, np.nan, 4])
    np.testing.assert_array_equal(y, [0.5, 1.5, np.nan, 2.5, 3.5, np.nan, 4.5])
    assert len(parted(np.arange(4), np.ones(4))[0]) == 4
