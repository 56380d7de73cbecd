"""The bound of a variational autoencoder, term by term, by hand and against numerical integration; what others got wrong."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from jaxlab.experiments.prepare import prepare
from jaxlab.measures.likelihood import importance_weighted_bound
from jaxlab.measures.losses import gaussian_kl, gaussian_kl_by_dimension
from jaxlab.protocol import Needed
from jaxlab.tasks import drawn_once
from jaxlab.tasks.vae.step import RECONSTRUCTIONS, bernoulli, gaussian
from tests.tasks.pixels import Pixels
from tests.tasks.small_vae import small
from tests.training import lab


@pytest.fixture(scope='module')
def ready():
    return prepare(small())


@pytest.fixture(scope='module')
def state(ready, batch):
    return jax.jit(ready.task.init)(jax.random.key(0), batch)


def means(measured):
    return {name: float(total / weight) for name, (total, weight) in measured.items() if jnp.ndim(total) == 0}


# ---- the terms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('mean', 'log_variance', 'value'),
    [
        ([0.0], [0.0], 0),
        ([1.0], [0.0], 0.5),
        ([0.0], [1.0], 0.359140914),
        ([0.5], [-0.5], 0.178265330),
        ([0.5, -1.0], [-0.5, 0.2], 0.688966709),
        ([0.5, -1.0], [0.0, np.log(0.25)], 0.9431471805599453),
    ],
)
def test_divergence_of_b22_and_d21(mean, log_variance, value, float64):
    arrays = jnp.array([mean]), jnp.array([log_variance])
    assert float(gaussian_kl(*arrays)[0]) == pytest.approx(value, abs=1e-9)
    assert float(gaussian_kl_by_dimension(*arrays).sum()) == pytest.approx(value, abs=1e-9)


class Code(nn.Module):
    """An encoder that gives the same code to every image, a decoder whose logits are one number."""

    mean: tuple[float, ...]
    log_variance: tuple[float, ...]
    logit: float = 0.0
    shape: tuple[int, ...] = (28, 28, 1)

    @property
    def latent(self):
        return len(self.mean)

    def setup(self):
        self.shift = self.param('shift', nn.initializers.zeros, (len(self.mean),))
        self.spread = self.param('spread', nn.initializers.zeros, (len(self.mean),))

    def encode(self, images):
        tiled = lambda values: jnp.broadcast_to(jnp.asarray(values, jnp.float32), (len(images), len(self.mean)))
        return tiled(self.mean) + self.shift, tiled(self.log_variance) + self.spread

    def decode(self, codes):
        return jnp.broadcast_to(self.logit + 1e-9 * codes.sum(-1)[:, None, None, None], (len(codes), *self.shape))

    def __call__(self, images, train=False, weight=None):
        return self.decode(self.encode(images)[0])


def with_code(task, *arguments, **changes):
    return dataclasses.replace(task, model=Code(*arguments), **changes)


def test_draws_of_b22_and_d21(ready):
    """z = 0.724571462 for mean 0.3, log-variance -1, noise 0.7; (1.5, 0) for noise (1, 2)."""
    found = {}

    class Seen(Code):
        def decode(self, codes):
            found['z'] = codes
            return super().decode(codes)

    for mean, log_variance, noise, code in (
        ((0.3,), (-1.0,), (0.7,), [0.724571462]),
        ((0.5, -1.0), (0.0, float(np.log(0.25))), (1.0, 2.0), [1.5, 0.0]),
    ):
        task = dataclasses.replace(ready.task, model=Seen(mean, log_variance))
        images = jnp.zeros((1, 28, 28, 1))
        variables = {'params': {name: jnp.zeros(len(mean)) for name in ('shift', 'spread')}}
        task.terms(variables, images, jnp.array([noise]))
        np.testing.assert_allclose(found['z'][0], code, atol=1e-7)


@pytest.mark.parametrize(('chance', 'nats'), [(0.5, 543.427390), (0.1307, -987.385460), (0.01, -2652.981665)])
def test_targets_below_zero_have_no_least_value(chance, nats, float64):
    """B22 as printed: 784 targets of mean 2 * 0.1307 - 1 under a constant chance; at 0.001 -3998.657606."""
    target, logit = jnp.full((784,), 2 * 0.1307 - 1), jnp.full((784,), float(np.log(chance / (1 - chance))))
    assert float(bernoulli(logit, target, 0).sum()) == pytest.approx(nats, abs=1e-5)
    far = jnp.full((784,), float(np.log(0.001 / 0.999)))
    assert float(bernoulli(far, target, 0).sum()) == pytest.approx(-3998.657606, abs=1e-5)
    assert float(bernoulli(jnp.array([-1e6]), jnp.array([-1.0]), 0)[0]) == -100  # as PyTorch clamps it


def test_targets_in_range(float64):
    """784 ln 2 at logits of 0, whatever the target; the constant mean 303.968728."""
    target = jnp.asarray(np.random.default_rng(0).uniform(size=784))
    assert float(bernoulli(jnp.zeros(784), target, 0).sum()) == pytest.approx(543.427390, abs=1e-6)
    logit = jnp.full((784,), float(np.log(0.1307 / 0.8693)))
    assert float(bernoulli(logit, jnp.full((784,), 0.1307), 0).sum()) == pytest.approx(303.968728, abs=1e-6)


def test_gaussian_pixels(float64):
    from scipy.stats import norm

    logits, images = jnp.array([-1.0, 0.3, 2.0]), jnp.array([0.2, 0.9, 0.7])
    expected = -norm.logpdf(images, jax.nn.sigmoid(logits), 0.3)
    np.testing.assert_allclose(gaussian(logits, images, 0.3), expected, rtol=1e-12)
    squares = RECONSTRUCTIONS['squared'](logits, images, 0.3)
    np.testing.assert_allclose(gaussian(logits, images, 0.5**0.5) - squares, np.log(np.pi) / 2, rtol=1e-12)


# ---- what is trained and what is measured ------------------------------------------------------------------------------


def written_out(task, params, images, weight, noise, kl_weight, free=0.0):
    """The objective of one batch by plain formulas."""
    mean, log_variance = task.model.apply({'params': params}, images, method='encode')
    logits = task.model.apply({'params': params}, mean + jnp.exp(log_variance / 2) * noise, method='decode')
    p = jax.nn.sigmoid(logits)
    pixels = -(images * jnp.log(p) + (1 - images) * jnp.log(1 - p)).sum((1, 2, 3))
    kl = -0.5 * (1 + log_variance - mean**2 - jnp.exp(log_variance))
    by_number = (kl * weight[:, None]).sum(0) / weight.sum()
    return (pixels * weight).sum() / weight.sum() + kl_weight * jnp.maximum(by_number, free).sum()


@pytest.mark.parametrize(
    'changes',
    [{'task__kl_weight': 4.0, 'task__warm_up': 2.0}, {'task__free_bits': 0.05}, {'task__plain': True}],
    ids=['weighted', 'free bits', 'plain'],
)
def test_one_update_is_that_of_the_objective(changes, state, batch):
    """By plain differentiation; the noise is the engine's; padding counts for nothing."""
    task = prepare(small(**changes, optimizer=common.sgd(1e-3))).task
    state = {'model': state['model'].replace(tx=task.optimizer, opt_state=task.optimizer.init(state['model'].params))}
    key = jax.random.key(3)
    noise = jax.jit(lambda key: task._noise(jax.random.split(key)[1], 16))(key)
    weight = {'task__kl_weight': 4.0 / 6, 'task__plain': 0.0}.get(next(iter(changes)), 1.0)  # 3 updates an epoch
    slope = jax.grad(lambda p: written_out(task, p, batch['image'], batch['weight'], noise, weight, task.free_bits))
    moved = lambda leaf, slope: np.asarray(leaf) - 1e-3 * np.asarray(slope)
    expected = jax.tree.map(moved, state['model'].params, jax.jit(slope)(state['model'].params))
    step = jax.jit(task.train_step)
    updated, measured = step(state, batch, key)
    lab.close(expected, updated['model'].params, 1e-5)
    found = means(measured)
    assert found['negative_elbo'] == pytest.approx(found['reconstruction'] + found['kl'], rel=1e-6)
    assert found['loss'] == pytest.approx(found['reconstruction'] + weight * found['kl'], rel=1e-6)
    rubbish = {**batch, 'image': batch['image'].at[10:].set(0.77)}
    lab.close(step(state, rubbish, key), (updated, measured), 1e-6)


def test_free_bits_are_clamped_after_the_mean_and_shown_unclamped(ready):
    """KLs of 0.1 and 0.9 in a batch, 0.5 free: 0.5 (0.7 were each image clamped); reported 0.5 too, and 0.3 where 0.5 is
    paid."""
    task = dataclasses.replace(ready.task, free_bits=0.5)
    paid = lambda *kl: float(jax.jit(task._free)(np.array(kl, np.float32)[:, None], np.ones(len(kl), np.float32)))
    assert paid(0.1, 0.9) == pytest.approx(0.5) and paid(0.1, 0.5) == pytest.approx(0.5)
    assert paid(0.9, 0.9) == pytest.approx(0.9)
    one = with_code(task, (float(np.sqrt(0.6)), 0.0), (0.0, 0.0))
    images = jnp.zeros((4, 28, 28, 1))
    state = one.init(jax.random.key(0), {'image': images})
    _, measured = jax.jit(one.train_step)(state, {'image': images, 'weight': jnp.ones(4)}, jax.random.key(1))
    assert means(measured)['kl'] == pytest.approx(0.3)


def test_beside_a_mean_over_pixels_the_weight_is_larger_than_it_looks(ready):
    """0.00025 with 64 x 64 x 3 pixels is 3.072."""
    shape = {'image': jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)}
    task = dataclasses.replace(ready.task, example=shape, kl_weight=0.00025, reduction='mean')
    assert task.true_kl_weight == pytest.approx(3.072)
    assert dataclasses.replace(task, reduction='sum').true_kl_weight == 0.00025
    assert dataclasses.replace(task, plain=True).true_kl_weight == 0


def test_a_mean_over_pixels_trains_as_a_sum_with_the_true_weight(state, batch):
    """Slopes of the one times 784 are those of the other."""
    mean = prepare(small(task__reduction='mean', task__kl_weight=0.01, optimizer=common.sgd(7.84))).task
    total = prepare(small(task__kl_weight=7.84, optimizer=common.sgd(0.01))).task
    found = []
    for task in (mean, total):
        network = state['model'].replace(tx=task.optimizer, opt_state=task.optimizer.init(state['model'].params))
        found.append(jax.jit(task.train_step)({'model': network}, batch, jax.random.key(1))[0]['model'].params)
    lab.close(*found, 2e-5)


def test_evaluation_pays_the_whole_weight_whatever_the_step(batch, state):
    """An early epoch under a small weight must not look best."""
    task = prepare(small(task__warm_up=10.0, task__kl_weight=2.0)).task
    early, late = ({'model': state['model'].replace(step=jnp.asarray(step, jnp.int32))} for step in (0, 10_000))
    evaluate, train = jax.jit(task.eval_step), jax.jit(task.train_step)
    found = [means(evaluate(s, batch, jax.random.key(1))[0]) for s in (early, late)]
    assert found[0] == found[1]
    assert found[0]['loss'] == pytest.approx(found[0]['reconstruction'] + 2 * found[0]['kl'], rel=1e-6)
    trained = [means(train(s, batch, jax.random.key(1))[1]) for s in (early, late)]
    rises = [each['loss'] - each['reconstruction'] for each in trained]
    assert rises[1] == pytest.approx(2 * trained[1]['kl'], rel=1e-3)
    assert rises[0] == pytest.approx(rises[1] / 30, rel=0.05)  # 3 updates an epoch, 10 epochs


def test_evaluation_draws_from_the_posterior(ready):
    """A held-out bound at the mean would be too good: E |z|^2 of a standard normal code is D, not 0."""

    class Squares(Code):
        def decode(self, codes):
            return jnp.broadcast_to(jnp.square(codes).sum(-1)[:, None, None, None], (len(codes), *self.shape))

    task = dataclasses.replace(ready.task, model=Squares((0.0, 0.0), (0.0, 0.0)))
    images = jnp.zeros((2000, 28, 28, 1))
    state = task.init(jax.random.key(0), {'image': images[:1]})
    evaluate = jax.jit(task.eval_step)
    measured, _ = evaluate(state, {'image': images, 'weight': jnp.ones(2000)}, jax.random.key(1))
    expected = 784 * np.log1p(np.exp(np.random.default_rng(0).exponential(2, 400_000))).mean()
    assert means(measured)['reconstruction'] == pytest.approx(expected, rel=0.05)
    plain = dataclasses.replace(task, plain=True)
    evaluate = jax.jit(plain.eval_step)
    measured, _ = evaluate(state, {'image': images[:2], 'weight': jnp.ones(2)}, jax.random.key(1))
    assert means(measured)['reconstruction'] == pytest.approx(784 * np.log(2), rel=1e-5) and means(measured)['kl'] == 0


@pytest.mark.parametrize('form', RECONSTRUCTIONS)
def test_extreme_variances_stay_finite(ready, form):
    """Loss and gradient at log-variances of -30 and 30, of a code that the pixels follow."""

    class Followed(Code):
        def decode(self, codes):
            return super().decode(codes) + codes.sum(-1)[:, None, None, None]

    model = Followed((0.0, 3.0), (-30.0, 30.0))
    task = dataclasses.replace(ready.task, model=model, reconstruction=form)
    images = jnp.full((4, 28, 28, 1), 0.3)
    state = task.init(jax.random.key(0), {'image': images})
    step = jax.jit(task.train_step)
    updated, measured = step(state, {'image': images, 'weight': jnp.ones(4)}, jax.random.key(1))
    assert all(np.isfinite(value) for value in means(measured).values())
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(updated['model'].params))


def test_samples_are_judged_beside_the_held_out_images(ready, batch):
    """A judge sees draws from the prior, new ones for each batch, and the real images as they are."""
    task = ready.task.judged_by({'scorer': Needed(Pixels(2, stride=9), None, {})})  # 88 features
    state = jax.jit(task.init)(jax.random.key(0), batch)
    evaluate = jax.jit(task.eval_step)
    outputs, again = (evaluate(state, batch, jax.random.key(seed))[1] for seed in (0, 1))
    assert set(task.scored) <= set(outputs) and not set(ready.task.scored)
    np.testing.assert_allclose(outputs['real_features'], batch['image'].reshape(16, -1)[:, ::9], atol=1e-6)
    assert not np.array_equal(outputs['made_features'], again['made_features'])
    assert len(np.unique(outputs['made_features'], axis=0)) == 16
    totals = {'mean_total': np.zeros(3), 'square_total': np.zeros(3)}
    found = task.score(totals, {name: np.asarray(outputs[name]) for name in task.scored}, ready.data.splits['test'])
    assert {'active_latents', 'frechet_distance', 'kernel_distance', 'sample_recall'} <= set(found)


def test_active_latents_are_those_whose_means_vary(ready):
    task = ready.task
    codes = np.stack([np.linspace(-1, 1, 30), np.full(30, 2.0), 0.05 * np.linspace(-1, 1, 30)], 1)
    totals = {'mean_total': codes.sum(0), 'square_total': np.square(codes).sum(0)}
    assert task.score(totals, {}, ready.data.splits['test']) == {'active_latents': 1.0}


def test_importance_weights_are_those_of_the_model(state, batch, ready):
    """Each by its formula, and with k = 1 on average the bound that `eval_step` measures."""
    task, images = ready.task, batch['image'][:4]
    key = jax.random.key(5)
    found = jax.jit(task.log_weights, static_argnums=3)(state, images, key, 3)
    params = {'params': state['model'].params}
    log_normal = lambda x, m, v: (-0.5 * ((x - m) ** 2 / v + jnp.log(2 * jnp.pi * v))).sum(-1)

    @jax.jit
    def by_formula(key):
        mean, log_variance = task.model.apply(params, images, method='encode')
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
        pixels = bernoulli(task.model.apply(params, z, method='decode'), images, 0).sum((1, 2, 3))
        return log_normal(z, 0, 1) - log_normal(z, mean, jnp.exp(log_variance)) - pixels

    for draw, one in enumerate(jax.random.split(key, 3)):
        np.testing.assert_allclose(found[draw], by_formula(one), rtol=1e-5)
    many = np.asarray(jax.jit(task.log_weights, static_argnums=3)(state, images, key, 500))
    draws = jax.random.normal(key, (1200, 3))
    terms = jax.jit(task.terms)(params, np.tile(images, (300, 1, 1, 1)), draws)
    elbo = -float((terms.reconstruction + terms.kl.sum(-1)).mean())
    assert many.mean() == pytest.approx(elbo, abs=0.1)
    assert importance_weighted_bound([many]).mean() > many.mean()


# ---- black and white pixels --------------------------------------------------------------------------------------------


def test_held_out_pixels_are_drawn_once_and_training_pixels_anew(batch, ready):
    task = dataclasses.replace(ready.task, binary=True)
    grey = batch['image']
    once = np.asarray(task.targets(grey))
    assert set(np.unique(once)) == {0.0, 1.0}
    np.testing.assert_array_equal(jax.jit(task.targets)(grey[5:9]), once[5:9])  # in any batch, at any place
    assert not np.array_equal(once, grey > 0.5)  # drawn, not thresholded
    flat = jnp.broadcast_to(jnp.linspace(0, 1, 9)[:, None, None, None], (9, 50, 50, 1))
    shares = np.asarray(task.targets(flat)).mean((1, 2, 3))
    np.testing.assert_allclose(shares, np.linspace(0, 1, 9), atol=0.05)
    assert shares[0] == 0 and shares[-1] == 1
    assert len({np.asarray(draw).tobytes() for draw in drawn_once.uniform_once(flat)}) == 9
    state = jax.jit(task.init)(jax.random.key(0), batch)
    train = jax.jit(task.train_step)
    first, second = (means(train(state, batch, jax.random.key(seed))[1])['mse'] for seed in (0, 1))
    assert first != second


def test_the_same_noise_on_both_scales():
    """A draw hangs on the image's bytes, not on how they are stored."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 1))
    one, other = (jnp.asarray(pixels, jnp.float32) / 255, jnp.asarray(pixels / 255.0, jnp.float32))
    np.testing.assert_array_equal(drawn_once.normal_once(one), drawn_once.normal_once(other))
    noise = drawn_once.normal_once(jnp.asarray(np.random.default_rng(1).uniform(size=(40, 28, 28, 1)), jnp.float32))
    assert abs(float(noise.mean())) < 0.02 and float(noise.std()) == pytest.approx(1, abs=0.02)
