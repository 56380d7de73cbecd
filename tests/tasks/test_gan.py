"""The adversarial step against the two losses written out, and what a run of it keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.errors import UserError
from jaxlab.layers import normal_per_example
from jaxlab.metrics.losses import GAN_FORMS, discriminator_loss, generator_loss
from jaxlab.training.loop import Interrupted
from launch import experiment
from tests.training import lab


@pytest.fixture(scope='module')
def ready():
    return experiment.prepare(lab.gan())


@pytest.fixture(scope='module')
def batch(ready):
    """Sixteen rows, of which the last six are padding."""
    rows = ready.data.splits['train'].read(np.arange(16))
    return ready.data.prepare({**rows, 'weight': jnp.asarray([1.0] * 10 + [0.0] * 6)})


def written_out(task, state, batch, key):
    """Both losses as functions of both networks' parameters, gradients by plain differentiation."""
    noise_key, real_key, fake_key = jax.random.split(key, 3)
    generator, discriminator, weight = state['generator'], state['discriminator'], batch['weight']
    noise = normal_per_example(noise_key, 16, (task.latent,))

    def losses(g, d):
        fakes, _ = task.generator.apply(
            {'params': g, 'batch_stats': generator.batch_stats}, noise, train=True, mutable=['batch_stats']
        )
        real = task.discriminator.apply({'params': d}, batch['image'], train=True, rngs={'dropout': real_key})
        fake = task.discriminator.apply({'params': d}, fakes, train=True, rngs={'dropout': fake_key})
        on_real, on_fake = discriminator_loss(real, fake, task.form)
        return (on_real * weight).sum() / weight.sum() + on_fake.mean(), generator_loss(fake, task.form).mean()

    g, d = generator.params, discriminator.params
    loss_d, loss_g = losses(g, d)
    slope_d = jax.grad(lambda d: losses(g, d)[0])(d)
    slope_g = jax.grad(lambda g: losses(g, d)[1])(g)
    return loss_g, loss_d, slope_g, slope_d


@pytest.mark.parametrize('form', ['non_saturating', 'wasserstein'])
def test_one_update_is_that_of_the_two_losses(form, batch):
    """Both gradients at the old parameters; ten real images against sixteen made ones."""
    task = experiment.prepare(lab.gan(task__form=form)).task
    state = jax.jit(task.init)(jax.random.key(0), batch)
    key = jax.random.key(5)
    loss_g, loss_d, slope_g, slope_d = jax.jit(lambda s, b, k: written_out(task, s, b, k))(state, batch, key)
    updated, sums = jax.jit(task.train_step)(state, batch, key)
    assert float(sums['generator_loss'][0] / sums['generator_loss'][1]) == pytest.approx(float(loss_g), rel=1e-5)
    assert float(sums['discriminator_loss'][0] / sums['discriminator_loss'][1]) == pytest.approx(float(loss_d), rel=1e-5)
    for name, slope in (('generator', slope_g), ('discriminator', slope_d)):
        expected = optax.apply_updates(state[name].params, jax.tree.map(lambda leaf: -0.05 * leaf, slope))
        lab.close(expected, updated[name].params, 1e-5)
        assert int(updated[name].step) == 1


def test_padding_changes_nothing(ready, batch):
    """What stands in a row of weight 0 is never seen."""
    task = ready.task
    state = jax.jit(task.init)(jax.random.key(0), batch)
    rubbish = {**batch, 'image': batch['image'].at[10:].set(77.0)}
    step = jax.jit(task.train_step)
    one, other = (step(state, examples, jax.random.key(1)) for examples in (batch, rubbish))
    lab.close(one[0], other[0], 1e-6)
    lab.close(one[1], other[1], 1e-6)


@pytest.mark.parametrize('form', GAN_FORMS)
def test_every_form_makes_finite_updates(form, batch):
    task = experiment.prepare(lab.gan(task__form=form)).task
    updated, _ = jax.jit(task.train_step)(jax.jit(task.init)(jax.random.key(0), batch), batch, jax.random.key(1))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(updated))


def test_a_stopped_gan_goes_on_to_the_same_bits(tmp_path):
    """Two networks, two optimisers, noise, and the pictures of every epoch."""
    config = lab.gan(training__epochs=3, training__snapshot_every=1, training__steps_per_call=1)
    whole = lab.train(config, tmp_path / 'whole')
    with pytest.raises(Interrupted):
        lab.train(config, tmp_path / 'cut', lab.Listener(stop_at=4))
    found = lab.train(config, tmp_path / 'cut')
    assert found.facts['params_digest'] == whole.facts['params_digest']
    assert [epoch for epoch, _ in found.record.snapshots] == [0, 1, 2, 3]
    lab.close([arrays for _, arrays in found.record.snapshots], [arrays for _, arrays in whole.record.snapshots], 1e-6)
    images = found.record.snapshots[-1][1]['image']
    assert images.min() >= 0 and images.max() <= 1 and images.shape[1:] == (28, 28, 1)


def test_what_a_gan_refuses():
    with pytest.raises(UserError, match=r"config.task.form = 'hinged'; valid: .*hinge"):
        experiment.prepare(lab.gan(task__form='hinged'))
    with pytest.raises(UserError, match='unknown field config.optimizer.learning_rate of task gan; .*generator'):
        experiment.prepare(lab.gan(optimizer__learning_rate=0.1))
    with pytest.raises(UserError, match='unknown field config.model.width of task gan'):
        experiment.prepare(lab.gan(model__width=8))
