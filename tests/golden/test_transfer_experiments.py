"""Numbers of the transfer experiments that were worked out elsewhere: D1.2, E3a, E3b, B13; and their starts."""

import importlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import fisher_exact

from jaxlab.data.scaling import scaler
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments import start
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.watching import Printing
from jaxlab.models import build_model
from jaxlab.models.pretrained import files
from jaxlab.optimizers.groups import paths
from jaxlab.training import phases
from jaxlab.training.feeding import Feed
from tests.models.drawn import count

NAMES = ('transfer_hymenoptera', 'transfer_flowers', 'transfer_cats_dogs')


def get_config(name, profile='full'):
    return importlib.import_module(f'configs.{name}').get_config(profile)


@pytest.mark.parametrize(
    ('size', 'batch', 'batches', 'last'),
    [(244, 16, 16, 4), (153, 16, 10, 9), (3453, 32, 108, 29), (864, 32, 27, 32), (1600, 32, 50, 32)],
)
def test_batches(size, batch, batches, last):
    """E3a: 16 and 10; B13: 108 and 27; D1.2: 50 an epoch of 1,600 images."""
    feed = Feed(size, batch, False, False, (0,))
    assert feed.steps_per_epoch == batches and (feed.epoch(0)[0, -1] >= 0).sum() == last


def sizes(block, classes, side):
    model = build_model(block, classes=classes)
    return count(model, jnp.zeros((1, side, side, 3)), train=False)


def test_parameters_of_d12():
    """164,097 trained of 2,422,081: weights 2,223,872 and batch-norm statistics 34,112 are frozen."""
    augmented = get_config('transfer_cats_dogs').variants.augmented
    parts = sizes(augmented['model'], 2, 150)
    head = {name: parts.pop(name) for name in ('dense_1', 'head')}
    assert head == {'dense_1': 163_968, 'head': 129} and sum(parts.values()) == 2_223_872
    model = build_model(augmented['model'], classes=2)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 150, 150, 3)), train=False))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes['batch_stats'])) == 34_112
    (phase,) = augmented['training.phases']
    trained = [path for path in paths(shapes['params']) if any(re.search(one, path) for one in phase['train'])]
    assert {path.split('/')[0] for path in trained} == {'dense_1', 'head'}


def test_parameters_of_e3_and_b13():
    """ResNet-18: 11,177,538 with 2 outputs, of which 1,026 are the head; with 17 outputs 8,721."""
    assert sum(sizes({'name': 'resnet', 'depth': 18}, 2, 224).values()) == 11_177_538
    assert sizes({'name': 'resnet', 'depth': 18}, 17, 224)['head'] == 8_721
    assert sizes(get_config('transfer_hymenoptera').model, 2, 224)['head'] == 1_281 * 2


def test_the_upper_half_of_the_flowers_network():
    """Phase 2 trains what computes on 14 x 14 cells and fewer, and leaves the rest."""
    config = get_config('transfer_flowers')
    model = build_model(config.model, classes=17)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 224, 224, 3)), train=False))['params']
    first, second = phases.of(config, 10, 100)
    trained = {path.split('/')[0] for path in paths(shapes) if second.trains(path)}
    assert trained == {'head', 'top', *(f'block_{number}' for number in range(7, 17))}
    assert {path.split('/')[0] for path in paths(shapes) if first.trains(path)} == {'head'}
    assert (first.last, second.first, second.last) == (50, 50, 100)


def test_pixels_of_the_published_networks():
    """T4, T8: (x - 127) / 128 of EfficientNet-Lite0, x / 127.5 - 1 of MobileNetV2; B13's own black and white."""
    pixels = np.array([0, 127, 255], np.uint8).reshape(1, 3, 1, 1).repeat(3, -1)
    for name in NAMES:
        options = get_config(name).data.options
        found = scaler((0.0, 1.0), options['mean'], options['std'])({'image': pixels})['image'][0, :, 0, 0]
        np.testing.assert_allclose(found, [-127 / 128, 0, 1], atol=1e-6)
    keras = get_config('transfer_hymenoptera').variants.kept_mobilenet
    found = scaler(keras['data.scale'])({'image': pixels})['image'][0, :, 0, 0]
    np.testing.assert_allclose(found, [-1, 127 / 127.5 - 1, 1], atol=1e-6)
    published = scaler((0.0, 1.0), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))({'image': pixels})['image'][0, :, 0]
    np.testing.assert_allclose(published[0], (-2.117904, -2.035714, -1.804444), atol=1e-6)
    np.testing.assert_allclose(published[2], (2.248908, 2.428571, 2.640000), atol=1e-6)


def test_what_the_published_numbers_say():
    """E3: 147 and 145 of 153 rank nothing; statistics that keep 0.9 forget; B13: 795 of 864."""
    odds, p = fisher_exact([[147, 6], [145, 8]])
    assert round(p, 6) == 0.785573 and round(odds, 6) == 1.351724
    assert round(147 / 153, 6) == 0.960784 and round(145 / 153, 6) == 0.947712 and round(795 / 864, 6) == 0.920139
    assert f'{0.9**160:.2e}' == '4.77e-08' and f'{0.9**108:.2e}' == '1.14e-05'


# ---- The start: a published head, and some of its outputs -------------------------------------------------------------
@pytest.fixture
def ready():
    """The smoke profile with a network that published weights fit."""
    config = configs.apply(
        get_config('transfer_hymenoptera', 'smoke'),
        {
            'model': {'name': 'resnet', 'depth': 18, 'width': 64},
            'training.phases': ({'epochs': 1, 'train': ('head',)},),
        },
        'test',
    )
    return prepare(config)


def test_outputs_of_the_published_head(ready, tmp_path, monkeypatch):
    """Ours, in our order: ImageNet's ant and bee in the real config."""
    head = {'fc.weight': np.arange(20.0, dtype=np.float32).reshape(5, 4), 'fc.bias': np.arange(5.0, dtype=np.float32)}
    np.savez(tmp_path / 'head.npz', **head)
    block = {'layout': 'resnet18', 'weights': str(tmp_path / 'head.npz'), 'outputs': (3, 1)}
    with_start = ready.__class__(**{**vars_of(ready), 'config': configs.apply(ready.config, {'start': block}, 'test')})
    found = start.start_of(with_start, {}, Printing(quiet=True))
    np.testing.assert_array_equal(found.weights['model.params.head.kernel'], head['fc.weight'][[3, 1]].T)
    np.testing.assert_array_equal(found.weights['model.params.head.bias'], [3, 1])
    mlp = {'name': 'mlp', 'features': ()}
    changes = {'start': {**block, 'classifier': 'Dense_0'}, 'model': mlp, 'training.phases': ()}
    alone = prepare(configs.apply(ready.config, changes, 'test'))
    found = start.start_of(alone, {}, Printing(quiet=True))
    assert set(found.weights) == {'model.params.Dense_0.kernel', 'model.params.Dense_0.bias'}
    np.testing.assert_array_equal(found.weights['model.params.Dense_0.kernel'], head['fc.weight'][[3, 1]].T)
    wrong = configs.apply(ready.config, {'start': {**block, 'outputs': (5,)}}, 'test')
    with pytest.raises(UserError, match='have 5 outputs'):
        start.start_of(ready.__class__(**{**vars_of(ready), 'config': wrong}), {}, Printing(quiet=True))
    monkeypatch.setitem(files.PACKAGES, 'resnet18', ('nowhere_at_all', 'nowhere-at-all', '.pth'))
    absent = configs.apply(ready.config, {'start': {'layout': 'resnet18'}}, 'test')
    with pytest.raises(UserError, match='install the package nowhere-at-all'):
        start.start_of(ready.__class__(**{**vars_of(ready), 'config': absent}), {}, Printing(quiet=True))


def vars_of(prepared):
    """Its fields, without what was built of them, but the task (whose networks are asked for)."""
    return {name: value for name, value in vars(prepared).items() if name not in ('task', 'reporter')}


def test_frozen_and_never_trained_is_said(ready, capsys):
    start.start_of(ready, {}, Printing())
    assert 'no weights are loaded: what a phase does not train is random' in capsys.readouterr().out
