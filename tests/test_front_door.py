"""`import jaxlab`: describe, train, open, predict, take the network away."""

import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import jaxlab
from jaxlab.errors import UserError
from jaxlab.experiments.watching import Printing
from jaxlab.training import runtime
from tests.tasks import small_vae
from tests.undrawn import undrawn

SMALL = '''"""A small classifier."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    config = common.experiment('small', task='classification', data='mnist', model='mlp')
    config.data.source = 'embedded'
    config.model.features = (8,)
    config.optimizer, config.training.epochs = common.sgd(0.1), 3
    stand_in = {'training.epochs': 60, 'data.batch_size': 50, 'optimizer.learning_rate': 0.5}
    return common.with_profile(config, profile, smoke={'training.epochs': 1, 'stand_in': stand_in})
'''


@pytest.fixture(scope='module')
def here():
    """The cache and the allocator stay those of the tests; figures are blank."""
    with pytest.MonkeyPatch.context() as patch, undrawn():
        patch.setattr(runtime, 'start', lambda: None)
        yield


@pytest.fixture(scope='module')
def small(here):
    """LeNet on 256 embedded digits, one epoch, without its look at four styles of writing it."""
    changes = {'data__source': 'embedded', 'data__limit': 256, 'data__eval_limit': 64, 'training__epochs': 1}
    changes['report__options'] = {}
    return jaxlab.experiment('lenet_mnist', profile='smoke', variants={}, **changes)


@pytest.fixture(scope='module')
def run(small, tmp_path_factory):
    return small.train(tmp_path_factory.mktemp('front') / 'run', Printing(quiet=True))


def test_nothing_heavy_is_imported_until_it_is_needed():
    code = 'import sys, jaxlab; print([n for n in ("jax", "numpy", "flax", "matplotlib") if n in sys.modules])'
    assert subprocess.check_output([sys.executable, '-c', code], text=True).strip() == '[]'


def test_the_catalogue_and_a_misspelt_name():
    assert jaxlab.catalogue()['gan_mnist'].endswith('?')
    with pytest.raises(UserError, match='did you mean'):
        jaxlab.experiment('configs/lenet_minst.py')
    with pytest.raises(UserError, match='config.training.epochs'):
        jaxlab.experiment('lenet_mnist', training__epoch=1)
    with pytest.raises(UserError, match='no finished run'):
        jaxlab.open_run('nowhere')


def test_what_a_profile_sets_outlasts_stand_in_data(tmp_path):
    """As on the command line: stand-in data change the experiment's own settings, not those of the profile or the user."""
    file = tmp_path / 'small.py'
    file.write_text(SMALL)
    found = jaxlab.experiment(file, 'smoke', data__batch_size=8).prepared
    assert (found.config.training.epochs, found.config.data.batch_size, found.config.optimizer.learning_rate) == (
        1,
        8,
        0.5,
    )
    assert (found.chosen['training.epochs'], found.chosen['optimizer.learning_rate']) == ('profile', 'stand-in data')


def test_describe(small):
    """E2: LeNet has 61,706 parameters."""
    assert small.describe()['parameters'] == 61_706


def test_results_history_and_parameters(run):
    (row,) = run.history
    assert row['epoch'] == 1 and len(row['train_loss']) == len(run.results['seeds'])
    assert sum(np.size(leaf) for layer in run.parameters['model'].values() for leaf in layer.values()) == 61_706


def test_a_training_of_no_epochs_is_a_start(here, tmp_path):
    """The network as it begins can be opened: others are compared with it (notebooks/transfer.ipynb)."""
    changes = {'data__source': 'embedded', 'data__limit': 64, 'data__eval_limit': 64, 'training__epochs': 0}
    model = {'name': 'mlp', 'features': (8,)}
    begun = jaxlab.experiment('lenet_mnist', profile='smoke', variants={}, model=model, **changes)
    opened = jaxlab.open_run(begun.train(tmp_path / 'run', Printing(quiet=True)).folder)
    (layer, *_) = jax.tree.leaves(opened.parameters)
    assert opened.results['steps'] == 0 and all(np.isfinite(layer).ravel())


def test_what_is_opened_later_is_the_same(run):
    again = jaxlab.open_run(run.folder)
    assert again.results == run.results
    np.testing.assert_array_equal(*(jax.tree.leaves(one.parameters)[0] for one in (run, again)))


def test_predict_takes_arrays_and_files_and_is_the_network(run, tmp_path):
    """70 raw digits: more than a block; the network in a script of one's own says the same of scaled ones."""
    split = run._with_data.data.splits['train']
    digits = split.read(np.arange(70))['image']
    found = run.predict(digits)
    module, variables = run.network()
    low, high = run.config.data.scale
    apply = jax.jit(lambda images: nn.softmax(module.apply(variables, images, train=False)))
    shares = apply(jnp.asarray(digits / 255 * (high - low) + low))
    assert [row['class'] for row in found] == [str(label) for label in np.asarray(shares).argmax(1)]
    np.testing.assert_allclose([row['probability'] for row in found], np.asarray(shares).max(1), atol=1e-5)
    Image.fromarray(digits[3, :, :, 0]).save(tmp_path / 'three.png')
    (one,) = run.predict(tmp_path / 'three.png')
    assert one['class'] == found[3]['class'] and one['probability'] == pytest.approx(found[3]['probability'], abs=1e-5)
    with pytest.raises(UserError, match='no mode sample; valid: predict'):
        run.sample(4)


def test_a_mode_is_what_the_command_line_computes(here, tmp_path):
    """Options that are not named have their defaults; what is not there or must be given is refused."""
    run = jaxlab.experiment(small_vae.small(data__scale=(0.0, 1.0))).train(tmp_path, Printing(quiet=True))
    images = run.sample(3, seed=5)
    assert images.shape == (3, 28, 28, 1) and 0 <= images.min() < images.max() <= 1
    done = run.mode('sample', count=3, seed=5)
    np.testing.assert_array_equal(done.arrays['image'], images)
    assert done.facts['count'] == 3 and done.images == {}
    assert not (tmp_path / 'samples').exists()
    with pytest.raises(UserError, match='--mode=sample has no option --number'):
        run.mode('sample', number=3)


def test_weights_as_safetensors(run, tmp_path):
    table = run.save_weights(tmp_path / 'lenet.safetensors')
    loaded = load_file(tmp_path / 'lenet.safetensors')
    assert {name: array.shape for name, array in loaded.items()} == table
    assert sum(np.prod(shape, dtype=int) for shape in table.values()) == 61_706
    for layer, arrays in run.parameters['model'].items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[f'model.params.{layer}.{name}'], array)


def test_a_comparison_has_a_run_a_variant(here, tmp_path):
    rates = {name: {'optimizer.learning_rate': rate} for name, rate in (('slow', 0.01), ('fast', 0.1))}
    sizes = {
        'data__source': 'embedded',
        'data__limit': 64,
        'data__eval_limit': 32,
        'data__batch_size': 32,
        'training__epochs': 1,
    }
    both = jaxlab.experiment('mlp_mnist', profile='smoke', variants=rates, **sizes)
    run = both.train(tmp_path / 'both', Printing(quiet=True))
    assert list(run.variants) == ['slow', 'fast']
    assert run.variants['fast'].config.optimizer.learning_rate == 0.1
    with pytest.raises(UserError, match="valid: run.variants\\['slow'\\]"):
        run.predict(np.zeros((1, 28, 28, 1), np.uint8))
