"""Four styles of one network, other forms of a trained one, and procedures tried on given numbers."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from jaxlab.data.splits import after_repeated_splits, stratified
from jaxlab.looks.network import forms, procedure
from jaxlab.looks.vision import styles
from jaxlab.models.convnet import ConvNet
from jaxlab.models.lenet import LeNet
from tests.models.drawn import numbers, started
from tests.training import lab

PRINTED = (0.5534, 0.5651, 0.5434, 0.5869, 0.6775, 0.7045, 0.7518, 0.7873)  # B07
FILTERS = {'filters': (4,), 'batch_norm': 'after', 'hidden': (), 'dropout': 0.2, 'init_scheme': 'keras'}


@pytest.fixture(scope='module')
def lenet():
    """(parameters, images, labels)."""
    images = numbers(8, 28, 28, 1, seed=1)
    params = started(LeNet(), images[:1])['params']
    return params, images, jnp.arange(8) % 10


# ---- E2 --------------------------------------------------------------------------------------------------------------


def test_four_styles_give_the_same_answers_and_gradients(lenet):
    rows = styles.compared(*lenet)
    assert [row[0] for row in rows] == list(styles.OPINIONS) and [row[1] for row in rows] == [61_706] * 4
    assert rows[0][2:] == ('0.0e+00', '0.0e+00')
    assert all(float(value) < 1e-6 for row in rows for value in row[2:])


def test_a_style_that_differs_is_seen(lenet, monkeypatch):
    """One bias left out in one style shows in both columns."""
    params, images, labels = lenet
    right = styles.functions

    def wrong(classes):
        found = right(classes)
        last = list(found)[-1]
        function, names = found[last]
        return {**found, last: (lambda own, x: function(own, x) + own['dense3']['bias'], names)}

    monkeypatch.setattr(styles, 'functions', wrong)
    assert [float(value) > 1e-2 for value in styles.compared(params, images, labels)[-1][2:]] == [True, True]


def test_the_keras_networks_of_e2(lenet):
    """82,826 parameters with 576 inputs to the dense part; corrected 400 and 61,706, and the same answers."""
    params, images, _ = lenet
    table = styles._keras(params, images, 10)
    assert [row[3:5] for row in table.rows] == [(400, 61_706), (576, 82_826), (400, 61_706), (400, 61_706)]
    assert float(table.rows[2][5]) < 1e-6 < float(table.rows[3][5])


def test_styles_are_shown_of_lenet_only(tmp_path):
    """Whatever the parameters are: here those of the start."""
    options = {'report__options': {'figures': ('styles',)}, 'training__epochs': 0, 'data__eval_limit': 20}
    found = lab.train(lab.small(**options, model={'name': 'lenet'}), tmp_path / 'lenet')
    names = [figure.name for figure in found.report.figures]
    assert {'styles', 'styles_for_and_against', 'styles_keras'} <= set(names)
    assert styles.styles(SimpleNamespace(module=ConvNet(10, (4,)))) == []


# ---- B07, D1 ---------------------------------------------------------------------------------------------------------


def test_early_stopping_on_the_printed_losses():
    curve, table, settings = procedure.patience(None, losses=PRINTED, patience=5)
    assert [row[-1] for row in table.rows] == ['saved', '1/5', 'saved', '1/5', '2/5', '3/5', '4/5', '5/5, stopped']
    assert curve.vertical == {'restored: epoch 3': 3.0, 'stopped after epoch 8': 8.0}
    cells = {row[0]: row[1:] for row in settings.rows}
    assert cells[5][0] == 'stops after 8, restores 3' and cells[8][0] == 'goes on, restores 3'
    assert cells[1][0] == 'stops after 2, restores 1' and cells[3] == (
        'stops after 6, restores 3',
        'stops after 4, restores 3',
        'stops after 4, restores 3',
    )
    assert procedure.patience(None) == []


def test_what_four_splits_into_the_same_folders_leave():
    """D1, 12,500 of each class: 12,480 ± 4.4 in training, 7,380 ± 30 held out; 99.7 % of these in both."""
    found = after_repeated_splits(12_500, 0.2, 4)
    assert (found.train, found.held_out) == pytest.approx((12_480, 7_380), abs=0.5)
    assert (found.train_deviation, found.held_out_deviation) == pytest.approx((4.4, 30), abs=0.5)
    assert found.both / found.held_out == pytest.approx(0.9973, abs=1e-4)
    # The printed folders of both classes hold 24,967 and 14,937: within four deviations, hence nearly all in both.
    assert abs(24_967 - 2 * found.train) < 4 * 2**0.5 * found.train_deviation
    assert abs(14_937 - 2 * found.held_out) < 4.5 * 2**0.5 * found.held_out_deviation


@pytest.mark.parametrize('runs', [1, 2, 4])
def test_expected_leaks_are_those_of_splits_that_were_drawn(runs):
    """200 trials of the real split rule on 100 examples of two classes."""
    labels, counts = np.arange(100) % 2, []
    for trial in range(200):
        parts = [stratified(labels, 0.2, 1000 * trial + run) for run in range(runs)]
        train, held = (set(np.concatenate([part[side] for part in parts])) for side in (0, 1))
        counts.append((len(train), len(held), len(train & held)))
    expected = after_repeated_splits(100, 0.2, runs)
    np.testing.assert_allclose(np.mean(counts, axis=0), expected[:3], atol=0.6)
    np.testing.assert_allclose(np.std(counts, axis=0)[:2], expected[3:], atol=0.4)


def test_one_split_leaks_nothing():
    data = SimpleNamespace(splits={'train': SimpleNamespace(size=80), 'test': SimpleNamespace(size=20)})
    (table,) = procedure.repeated_split(SimpleNamespace(data=data), runs=3)
    assert table.rows[0] == (1, '80', '20', '0', '0.0%') and table.rows[1][1:4] == ('96', '36', '32')


# ---- C04, C35 --------------------------------------------------------------------------------------------------------


def test_batch_statistics_against_running_averages(tmp_path):
    """After five updates the averages (0.99 of the old) are still near their start and answer otherwise."""
    looks = (('batch_statistics', {'batch': 25}),)
    config = lab.small(
        model={'name': 'convnet', **FILTERS},
        report__options={'figures': looks},
        training__epochs=1,
        optimizer__learning_rate=0.01,
    )
    found = lab.train(config, tmp_path)
    (table,) = [figure for figure in found.report.figures if figure.name == 'batch_statistics']
    (running, own) = table.rows
    assert running[1] == pytest.approx(found.facts['metrics']['test_loss']['mean'], abs=1e-5)
    assert abs(running[1] - own[1]) > 1e-3 and 'n = 50 in batches of 25' in table.note


def test_two_softmax_units_are_one_sigmoid():
    logits = np.random.default_rng(0).normal(0, 3, (200, 2)).astype(np.float32)
    record = SimpleNamespace(outputs={'test': [{'logits': logits}]})
    (table,) = forms.two_class_heads(SimpleNamespace(record=record, classes=('cat', 'dog'), split='test'))
    assert table.rows[0][1:] == table.rows[1][1:] and float(table.rows[2][1]) < 1e-6 and table.rows[2][2] == 0
    record.outputs['test'][0]['logits'] = np.zeros((5, 10), np.float32)
    assert forms.two_class_heads(SimpleNamespace(record=record, classes=('cat', 'dog'), split='test')) == []


def test_the_two_heads_are_one_function():
    """A softmax net's last layer folded into its difference, in a sigmoid net: the same probabilities."""
    two, one = (ConvNet(2, (4,), hidden=(8,), outputs=outputs) for outputs in ('softmax', 'sigmoid'))
    images = numbers(6, 8, 8, 3)
    params = dict(started(two, images, seed=1)['params'])
    last = params['dense_2']
    folded = {**params, 'dense_2': {name: (leaf[..., 1] - leaf[..., 0])[..., None] for name, leaf in last.items()}}
    shares = [
        jax.nn.softmax(jax.jit(net.apply)({'params': leaves}, images)) for net, leaves in ((two, params), (one, folded))
    ]
    np.testing.assert_allclose(*shares, atol=1e-6)


@pytest.mark.parametrize(
    'name, parameters',
    [
        ('early_stopping_pets', 263_042),
        ('augmentation_cats_dogs', 19_034_177),
        ('batchnorm_cats_dogs', 989_173),
        ('softmax_cats_dogs', 1_082_174),
    ],
)
def test_the_configs_are_the_specs_networks(name, parameters):
    """B07, D1, C04, C35 at their own image size; the light head of D1 has 159,809."""
    import importlib

    from jaxlab.models import build_model

    config = importlib.import_module(f'configs.{name}').get_config()
    size = config.data.options.image_size

    def count(config: common.Config) -> int:
        model = build_model(config.model, classes=2)
        shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, size, size, 3))))
        return sum(leaf.size for leaf in jax.tree.leaves(shapes['params']))

    assert count(config) == parameters
    if name == 'augmentation_cats_dogs':
        assert count(common.override(config, config.variants['light_head'])) == 159_809
        assert config.training.epochs * config.data.epoch_examples // config.data.batch_size == 500
