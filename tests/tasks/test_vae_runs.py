"""What a run of a variational autoencoder reports, refuses and keeps; ways through its latent space."""

import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.tasks.latent import between, lattice
from jaxlab.tasks.vae.report import explained
from jaxlab.training import run as engine
from jaxlab.training.loop import Interrupted
from tests.tasks.small_vae import small
from tests.training import lab

# ---- ways through the latent space -------------------------------------------------------------------------------------


def test_the_norm_is_kept_on_the_way():
    """In 100 dimensions the straight line falls from 10 to 7.07 midway."""
    ends = np.random.default_rng(0).normal(size=(2, 50, 100))
    way = between(ends[0], ends[1], 9)
    np.testing.assert_allclose(way[:, 0], ends[0], atol=1e-9)
    np.testing.assert_allclose(way[:, -1], ends[1], atol=1e-9)
    norms = np.linalg.norm(way, axis=-1)
    assert norms[:, 4].mean() == pytest.approx(10, abs=0.1)
    assert np.linalg.norm((ends[0] + ends[1]) / 2, axis=-1).mean() == pytest.approx(7.07, abs=0.15)
    same = between(ends[0], 2 * ends[0], 3)
    np.testing.assert_allclose(same[:, 1], 1.5 * ends[0], rtol=1e-6)


def test_the_plane_of_b22():
    axis = np.linspace(-3, 3, 10)
    np.testing.assert_allclose(axis, [-3, -7 / 3, -5 / 3, -1, -1 / 3, 1 / 3, 1, 5 / 3, 7 / 3, 3])
    codes = lattice(axis)
    assert codes.shape == (100, 2) and codes[1].tolist() == [-3, pytest.approx(-7 / 3)] and codes[10][1] == -3


# ---- a run ---------------------------------------------------------------------------------------------------------------


def test_what_a_vae_refuses():
    for changes, words in (
        ({'data__scale': (-1.0, 1.0)}, r'config.data.scale = \(-1.0, 1.0\): decoded pixels are sigmoids'),
        ({'task__reconstruction': 'bces'}, "did you mean 'bce'"),
        ({'task__reduction': 'none'}, 'config.task.reduction'),
        ({'task__kl_weight': -1.0}, 'config.task.kl_weight = -1.0; valid: a number from 0 up'),
        ({'task__deviation': 0.0}, 'config.task.deviation'),
        ({'task__binary': True, 'task__any_targets': True, 'data__scale': (-1.0, 1.0)}, 'task.binary needs chances'),
        ({'model': {'name': 'mlp', 'features': (4,)}}, "config.model.name = 'mlp' has no code"),
    ):
        with pytest.raises(UserError, match=words):
            prepare(small(**changes))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Two replicas, scored by everything; a code of two numbers."""
    two = {'replicas': 2, 'replica_form': 'vmap'}  # stacked: half as much to compile
    config = small(model__latent=2, **two, training__epochs=3, training__snapshot_every=1, report__examples=4)
    config.report.options = {'importance_samples': 60, 'importance_images': 25}
    return prepare(config), lab.train(config, tmp_path_factory.mktemp('vae'))


def test_what_is_reported(trained):
    """Every figure once; the bound with 60 draws in two blocks is below the plain one; the answer has its numbers."""
    _, found = trained
    names = [figure.name for figure in found.report.figures]
    assert len(set(names)) == len(names)
    wanted = (
        'reconstructions',
        'latent_plane',
        'latent_quantiles',
        'latent_codes',
        'latent_interpolation',
        'kl_by_latent',
    )
    assert set(wanted) <= set(names) and names[0] == 'reconstructions'
    metrics = {name: entry['values'] for name, entry in found.facts['metrics'].items()}
    assert all(len(values) == 2 for values in metrics.values())
    for bound, elbo in zip(metrics['test_importance_bound'], metrics['test_negative_elbo'], strict=True):
        assert elbo - 30 < bound < elbo + 3
    assert metrics['test_least_reconstruction'][0] < metrics['test_reconstruction'][0]
    assert metrics['test_mean_image_reconstruction'][0] == metrics['test_mean_image_reconstruction'][1]
    assert 0 <= metrics['latent_neighbours_accuracy'][0] <= 1
    assert f'{np.mean(metrics["test_reconstruction"]):.2f} for its pixels' in found.report.answer
    images = next(figure for figure in found.report.figures if figure.name == 'latent_plane').images
    assert images.shape == (100, 28, 28, 1) and images.min() >= 0 and images.max() <= 1


def test_kl_by_latent_adds_up_to_the_measured_one(trained):
    _, found = trained
    bars = next(figure for figure in found.report.figures if figure.name == 'kl_by_latent')
    assert bars.heights['KL'].sum() == pytest.approx(found.facts['metrics']['test_kl']['values'][0], rel=1e-4)


@pytest.mark.parametrize(
    'changes',
    [
        {'task__reconstruction': 'squared', 'task__reduction': 'mean', 'task__warm_up': 1.0, 'task__free_bits': 0.1},
        {'task__plain': True, 'data__scale': (-1.0, 1.0), 'task__any_targets': True},
    ],
    ids=['squared', 'plain, as printed'],
)
def test_every_option_makes_a_report(changes, tmp_path):
    config = small(**changes, training__epochs=1)
    found = lab.train(config, tmp_path)
    assert found.report.answer and all(remark.endswith('.') for remark in found.report.remarks)
    names = [figure.name for figure in found.report.figures]
    assert 'latent_traversal' in names and ('kl_by_latent' in names) != ('task__plain' in changes)
    said = ' '.join(found.report.remarks)
    assert ('784' in said and 'beside a sum' in said) == (changes.get('task__reduction') == 'mean')
    assert ('unclamped' in said) == ('task__free_bits' in changes)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path):
    """The KL weight follows the number of the update."""
    ready = prepare(small(training__epochs=3, training__steps_per_call=1, task__warm_up=3.0, task__binary=True))
    train = lambda folder, *listener: engine.train(
        ready.config, ready.task, ready.data, tmp_path / folder, *(listener or (lab.Listener(),))
    )
    whole = train('whole')
    with pytest.raises(Interrupted):
        train('cut', lab.Listener(stop_at=4))
    assert train('cut').facts['params_digest'] == whole.facts['params_digest']


def test_what_a_reconstruction_explains_in_words():
    """A collapsed code is said to explain nothing, not less than nothing."""
    assert explained(0.25, 1.0) == '75% of the variance of its pixels' and explained(0.1, 0.0) == 'all of its pixels'
    assert explained(1.1, 1.0) == 'nothing of the variance of its pixels (the mean training image is no worse)'
