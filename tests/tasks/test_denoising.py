"""Denoising: the noise of B23 in numbers, one update by hand, scores of each image, filters, and images of one's own."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm

from configs import common
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.use import use
from jaxlab.experiments.watching import Printing
from jaxlab.layers import normal_per_example
from jaxlab.measures.images import decibels, psnr, ssim
from jaxlab.models.denoiser import DenoisingAutoencoder
from jaxlab.tasks.denoising import filters, report
from jaxlab.tasks.denoising.modes import MODES
from jaxlab.tasks.denoising.step import added, masked
from jaxlab.tasks.whole_images import through
from tests.models.drawn import started
from tests.training import lab


def small(**changes):
    """Forty digits; keys are dotted paths with `__` for the dots."""
    config = common.experiment('small_denoising', task='denoising', data='mnist', model='denoising_autoencoder')
    config.model.filters = (4,)
    config.data.update({'source': 'embedded', 'limit': 40, 'eval_limit': 30, 'batch_size': 16, 'eval_batch_size': 16})
    config.optimizer = common.sgd(0.1)
    config.training.epochs, config.parallel.devices = 2, 1
    return lab.changed(config, **changes)


@pytest.fixture(scope='module')
def ready():
    return prepare(small())


class Same(nn.Module):
    """Gives its input back, as logits."""

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        zero = self.param('zero', nn.initializers.zeros, ())
        p = jnp.clip(images, 1e-6, 1 - 1e-6)
        return jnp.log(p / (1 - p)) + zero


# ---- noise -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('value', 'error', 'level'),
    [
        (0.0, 0.115067116, 9.390488),
        (0.1, 0.114063603, 9.428529),
        (0.25, 0.120449199, 9.191961),
        (0.5, 0.129014638, 8.893610),
        (0.75, 0.120449199, 9.191961),
        (1.0, 0.115067116, 9.390488),
    ],
)
def test_clipped_noise_of_b23(value, error, level, float64):
    """Over a fine grid of quantiles; a black pixel is 0.195225789 on average."""
    draws = jnp.asarray(norm.ppf((np.arange(400_000) + 0.5) / 400_000))
    noisy = added(jnp.full(draws.shape, value), draws, 0.5, True)
    found = float(jnp.square(noisy - value).mean())
    assert found == pytest.approx(error, abs=2e-6)
    assert float(decibels(jnp.asarray(error))) == pytest.approx(level, abs=1e-5)
    if value == 0:
        assert float(noisy.mean()) == pytest.approx(0.195225789, abs=2e-6)
    unclipped = added(jnp.full(draws.shape, value), draws, 0.5, False)
    assert float(jnp.square(unclipped - value).mean()) == pytest.approx(0.25, abs=1e-4)


def test_masking_blackens_a_share():
    draws = jax.random.normal(jax.random.key(0), (100_000,))
    found = masked(jnp.ones(100_000), draws, 0.3, True)
    assert set(np.unique(found)) == {0.0, 1.0} and float(found.mean()) == pytest.approx(0.7, abs=0.01)


def test_training_noise_is_new_and_held_out_noise_is_not(ready, batch):
    task, seen = ready.task, []

    class Watched(Same):
        def __call__(self, images, train=False, weight=None):
            jax.debug.callback(lambda x: seen.append(np.asarray(x)), images)
            return Same.__call__(self, images, train, weight)

    task = dataclasses.replace(task, model=Watched())
    state = jax.jit(task.init)(jax.random.key(0), batch)
    jax.effects_barrier()
    seen.clear()
    train, evaluate = jax.jit(task.train_step), jax.jit(task.eval_step)
    for seed in (0, 1):
        train(state, batch, jax.random.key(seed))
        jax.effects_barrier()
    for seed in (0, 1):
        evaluate(state, batch, jax.random.key(seed))
    jax.effects_barrier()
    evaluate(state, {**batch, 'image': batch['image'][::-1]}, jax.random.key(0))
    jax.effects_barrier()
    assert len(seen) == 5 and not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[2], seen[3])
    np.testing.assert_array_equal(seen[2], seen[4][::-1])
    assert all(images.min() >= 0 and images.max() <= 1 for images in seen)


# ---- learning and scores -----------------------------------------------------------------------------------------------


def test_one_update_is_that_of_the_squared_error(ready, batch):
    """Against the clean image, by plain differentiation; padding counts for nothing."""
    task, key = ready.task, jax.random.key(3)
    state = jax.jit(task.init)(jax.random.key(0), batch)
    noise = normal_per_example(jax.random.split(key)[0], 16, (28, 28, 1))
    clean, weight = batch['image'], batch['weight']

    def loss(params):
        made = jax.nn.sigmoid(task.model.apply({'params': params}, jnp.clip(clean + 0.5 * noise, 0, 1)))
        return (jnp.square(made - clean).mean((1, 2, 3)) * weight).sum() / weight.sum()

    value, slope = jax.jit(jax.value_and_grad(loss))(state['model'].params)
    step = jax.jit(task.train_step)
    updated, measured = step(state, batch, key)
    assert float(measured['loss'][0] / measured['loss'][1]) == pytest.approx(float(value), rel=1e-5)
    expected = jax.tree.map(lambda p, g: np.asarray(p) - 0.1 * np.asarray(g), state['model'].params, slope)
    lab.close(expected, updated['model'].params, 1e-6)
    rubbish = {**batch, 'image': clean.at[10:].set(0.3)}
    lab.close(step(state, rubbish, key)[0], updated, 1e-6)


def test_evaluation_scores_each_image_and_all_together(ready, batch):
    """A network that does nothing scores what the noise does; the pooled PSNR is lower than the mean of PSNRs."""
    task = dataclasses.replace(ready.task, model=Same())
    state = jax.jit(task.init)(jax.random.key(0), batch)
    measured, outputs = jax.jit(task.eval_step)(state, batch, jax.random.key(0))
    noisy = jax.jit(task.held_out)(batch['image'])
    mean = {name: float(total / weight) for name, (total, weight) in measured.items() if jnp.ndim(total) == 0}
    expected = psnr(noisy, batch['image'])[:10]
    assert (
        mean['psnr'] == pytest.approx(float(expected.mean()), rel=1e-4) == pytest.approx(mean['noisy_psnr'], rel=1e-4)
    )
    assert mean['ssim'] == pytest.approx(float(ssim(noisy, batch['image'])[:10].mean()), rel=1e-3)
    np.testing.assert_allclose(outputs['psnr'][:10], expected, rtol=1e-4)
    totals = {'squared_error': np.asarray(measured['squared_error'][0])}
    part = dataclasses.replace(ready.data.splits['test'], size=10)
    pooled = task.score(totals, {}, part)['pooled_psnr']
    assert pooled == pytest.approx(float(decibels(jnp.square(noisy - batch['image'])[:10].mean())), rel=1e-4)
    assert pooled < mean['psnr']


def test_psnr_over_batches_as_b23_prints_it():
    """Two batches, the last one short: it weighs as much."""
    errors = np.array([0.01, 0.03, 0.05])
    expected = np.mean([-10 * np.log10(0.02), -10 * np.log10(0.05)])
    assert report._batch_psnr(errors, 2) == pytest.approx(expected, rel=1e-5)


# ---- filters -----------------------------------------------------------------------------------------------------------


def test_filters_are_tuned_and_told_the_noise():
    """Smooth images: each filter takes noise away; the settings are those of the least error among those tried."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 3, 32)
    clean = np.stack([0.5 + 0.4 * np.sin(x + a)[:, None, None] * np.cos(x - a)[None, :, None] for a in range(4)])
    noisy = np.clip(clean + 0.15 * rng.normal(size=clean.shape), 0, 1)
    found = {one.name: one for one in filters.tuned(noisy, clean)}
    assert set(found) == {'median filter', 'Gaussian filter', 'non-local means'}
    before, sigma = np.square(noisy - clean).mean(), (noisy - clean).std()
    for one in found.values():
        error = np.square(one(noisy) - clean).mean()
        assert error < 0.4 * before
        tried = [filters.Tuned(one.name, one.filter, each) for each in filters.candidates(sigma)[one.name][1]]
        assert error == pytest.approx(min(np.square(each(noisy) - clean).mean() for each in tried))
    assert found['non-local means'].settings['sigma'] == pytest.approx(sigma)
    colour = np.repeat(noisy, 3, axis=-1)
    assert all(one(colour).shape == colour.shape for one in found.values())


# ---- a run, and images of one's own --------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    config = small(replicas=2, replica_form='vmap')  # stacked: half as much to compile
    folder = tmp_path_factory.mktemp('denoising')
    return prepare(config), folder, lab.train(config, folder)


def test_what_is_reported(trained):
    _, _, found = trained
    metrics = {name: entry['values'] for name, entry in found.facts['metrics'].items()}
    names = [figure.name for figure in found.report.figures]
    assert names == ['denoised', 'beside_filters', 'noise_levels', 'psnr_by_image']
    table = found.report.figures[1]
    assert [row[0] for row in table.rows][:3] == ['noisy image', 'black image', 'network'] and len(table.rows) == 6
    assert metrics['test_noisy_psnr'][0] == metrics['test_noisy_psnr'][1]
    assert metrics['test_pooled_psnr'][0] <= metrics['test_psnr'][0]
    assert metrics['median_filter_psnr'][0] > metrics['test_noisy_psnr'][0]
    assert 'dB from' in found.report.answer and all(len(values) == 2 for values in metrics.values())
    levels = found.report.figures[2].series['noisy image'][1]
    assert (np.diff(levels) < 0).all()  # more noise, less PSNR


def test_own_images_of_any_size(trained, tmp_path):
    """Of 13x18 and 28x28 pixels, in colour and grey; with noise that is added, its PSNR is said."""
    ready, folder, _ = trained
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (13, 18, 3), np.uint8)).save(tmp_path / 'first.png')
    Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(tmp_path / 'second.png')
    mode = MODES['denoise']
    options = mode.read('denoise', {'input': str(tmp_path)})
    found = use(ready, folder, Printing(quiet=True), mode, options, False)
    assert [row['size'] for row in found['denoised']] == [[13, 18], [28, 28]] and 'psnr' not in found['denoised'][0]
    sizes = [Image.open(file).size for file in found['images']]
    assert sizes == [(18, 13), (28, 28)] and found['images'][0].endswith('0001_first.png')
    assert mode.lines(found)[0].endswith('first.png: 0001_first.png')
    options = mode.read('denoise', {'input': str(tmp_path / 'second.png'), 'noise': '50'})
    found = use(ready, folder, Printing(quiet=True), mode, options, False)
    assert found['denoised'][0]['psnr'] > found['denoised'][0]['noisy_psnr'] and '->' in mode.lines(found)[0]
    (tmp_path / 'broken.png').write_text('no image')
    options = mode.read('denoise', {'input': str(tmp_path)})
    found = use(ready, folder, Printing(quiet=True), mode, options, False)  # named beside the others
    assert [row.get('error', '')[:12] for row in found['denoised']] == ['', '', 'not an image']
    assert 'broken.png: not an image' in mode.lines(found)[2] and len(found['images']) == 2
    with pytest.raises(UserError, match='broken.png: not an image'):
        use(ready, folder, Printing(quiet=True), mode, {**options, 'input': str(tmp_path / 'broken.png')}, False)


@pytest.mark.parametrize('size', [(8, 8), (9, 14), (3, 5)])
def test_the_answer_has_the_image_s_own_size(size):
    """362x529 must not become 364x532; where 4 divides the sides nothing is mirrored."""
    model = DenoisingAutoencoder((3, 2))
    variables = started(model, jnp.zeros((1, 8, 8, 1)))
    image = np.random.default_rng(0).uniform(size=(*size, 1)).astype(np.float32)
    network = jax.jit(lambda images: model.apply(variables, images))
    made = through(network, model, image)
    assert made.shape == image.shape
    if size == (8, 8):
        np.testing.assert_allclose(made, network(jnp.asarray(image)[None])[0], rtol=1e-6)
    with pytest.raises(UserError, match='Same takes images of one size'):
        through(network, Same(), image)


def test_what_denoising_refuses():
    for changes, words in (
        ({'data__scale': (-1.0, 1.0)}, r'config.data.scale = \(-1.0, 1.0\): pixels are sigmoids'),
        ({'task__noise': 'gauss'}, "did you mean 'gaussian'"),
        ({'task__level': -0.1}, 'config.task.level = -0.1'),
        (
            {'model__filters': (4, 4, 4)},
            'makes images of 32x32x1 of those of 28x28x1; valid: data.options.image_size=32',
        ),
    ):
        with pytest.raises(UserError, match=words):
            prepare(small(**changes))
