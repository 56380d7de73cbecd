"""The adversarial step against the two losses written out, and what a run of it keeps."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab import models
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.layers import normal_per_example
from jaxlab.measures.losses import GAN_FORMS, discriminator_loss, generator_loss
from jaxlab.optimizers import TrainState
from jaxlab.protocol import Record
from jaxlab.tasks.gan.step import Gan
from jaxlab.training.loop import Interrupted
from jaxlab.training.programs import Programs
from tests.tasks.quick_gan import Judge, Small, quick
from tests.training import lab

SHIFTED = {'data__transforms': (('shift', {'pixels': 2}),), 'task__transform_made': True}
AVERAGED = {'task__ema': 0.9}


@pytest.fixture(scope='module')
def ready():
    return prepare(lab.gan())


@pytest.fixture(scope='module')
def started(ready, batch):
    """(the task with quick networks, its first state, its compiled step)."""
    task = quick(ready.task)
    return task, jax.jit(task.init)(jax.random.key(0), batch), jax.jit(task.train_step)


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
        if task.transform_made:
            fakes = task.augment({'image': fakes}, jax.random.fold_in(key, 3))['image']
        fake = task.discriminator.apply({'params': d}, fakes, train=True, rngs={'dropout': fake_key})
        on_real, on_fake = discriminator_loss(real, fake, task.form)
        return (on_real * weight).sum() / weight.sum() + on_fake.mean(), generator_loss(fake, task.form).mean()

    g, d = generator.params, discriminator.params
    loss_d, loss_g = losses(g, d)
    slope_d = jax.grad(lambda d: losses(g, d)[0])(d)
    slope_g = jax.grad(lambda g: losses(g, d)[1])(g)
    return loss_g, loss_d, slope_g, slope_d


@pytest.mark.parametrize(
    ('changes', 'networks'),
    [({}, None), ({'task__form': 'wasserstein'}, quick), (SHIFTED, quick)],
    ids=['plain', 'other form', 'shifted'],
)
def test_one_update_is_that_of_the_two_losses(changes, networks, batch):
    """Both gradients at the old parameters, each by its own rate, the generator's through the transforms of what it made;
    ten real images against sixteen made ones."""
    rates = {'generator': 0.05, 'discriminator': 0.02}
    changes = {**changes, **{f'optimizer__{name}__learning_rate': rate for name, rate in rates.items()}}
    task = prepare(lab.gan(**changes)).task
    task = task if networks is None else networks(task)
    state = jax.jit(task.init)(jax.random.key(0), batch)
    key = jax.random.key(5)
    loss_g, loss_d, slope_g, slope_d = jax.jit(lambda s, b, k: written_out(task, s, b, k))(state, batch, key)
    updated, sums = jax.jit(task.train_step)(state, batch, key)
    assert float(sums['generator_loss'][0] / sums['generator_loss'][1]) == pytest.approx(float(loss_g), rel=1e-5)
    assert float(sums['discriminator_loss'][0] / sums['discriminator_loss'][1]) == pytest.approx(
        float(loss_d), rel=1e-5
    )
    for name, slope in (('generator', slope_g), ('discriminator', slope_d)):
        moved = lambda leaf, slope, rate=rates[name]: np.asarray(leaf) - rate * np.asarray(slope)
        expected = jax.tree.map(moved, state[name].params, slope)
        lab.close(expected, updated[name].params, 1e-5)
        assert int(updated[name].step) == 1


def test_padding_changes_nothing(started, batch):
    """What stands in a row of weight 0 is never seen."""
    _, state, step = started
    rubbish = {**batch, 'image': batch['image'].at[10:].set(77.0)}
    one, other = (step(state, examples, jax.random.key(1)) for examples in (batch, rubbish))
    lab.close(one[0], other[0], 1e-6)
    lab.close(one[1], other[1], 1e-6)


@pytest.mark.parametrize(('bias', 'real', 'fake'), [(50.0, 1.0, 0.0), (-50.0, 0.0, 1.0)])
def test_right_is_to_call_real_real_and_made_made(started, batch, bias, real, fake):
    """A discriminator that calls everything real is right about real images alone; and the other way round."""
    task, state, step = started
    judge = state['discriminator']
    params = {**judge.params, 'Dense_0': {**judge.params['Dense_0'], 'bias': jnp.array([bias])}}
    state = {**state, 'discriminator': judge.replace(params=params)}
    _, measured = step(state, batch, jax.random.key(1))
    found = {name: float(total / weight) for name, (total, weight) in measured.items()}
    assert (found['real_accuracy'], found['fake_accuracy']) == (real, fake)
    assert [found[f'{kind}_probability'] for kind in ('real', 'fake')] == pytest.approx([real, real], abs=1e-6)
    evaluated, _ = jax.jit(task.eval_step)(state, batch, jax.random.key(1))
    assert float(evaluated['real_accuracy'][0]) == 10 * real and float(evaluated['real_accuracy'][1]) == 10


class Grey(nn.Module):
    """A generator that makes images of one value."""

    value: float

    @nn.compact
    def __call__(self, noise, train=False, weight=None):
        start = self.param('start', nn.initializers.constant(self.value), ())
        return jnp.broadcast_to(start, (len(noise), 28, 28, 1))


@pytest.mark.parametrize(
    ('scale', 'made', 'shown'),
    [
        ((-1.0, 1.0), -1.0, 0.0),
        ((-1.0, 1.0), -0.5, 0.25),
        ((-1.0, 1.0), 0.5, 0.75),
        ((-1.0, 1.0), 1.0, 1.0),
        ((-1.0, 1.0), 1.5, 1.0),
        ((0.0, 1.0), 0.25, 0.25),
        ((0.0, 2.0), 0.5, 0.25),
    ],
)
def test_samples_are_brought_back_to_unit_range(ready, batch, scale, made, shown):
    """From the scale that was trained in, in everything that is drawn."""
    task = dataclasses.replace(ready.task, generator=Grey(made), discriminator=Judge(), scale=scale)
    state = jax.jit(task.init)(jax.random.key(0), batch)
    np.testing.assert_allclose(task.sample(state, jax.random.key(1), 3), np.full((3, 28, 28, 1), shown), atol=1e-6)
    np.testing.assert_allclose(task.snapshot(state, jax.random.key(1))['image'], shown, atol=1e-6)
    record = Record([state], [], {}, [], {}, jax.random.key(0))
    figures = {figure.name: figure for figure in dataclasses.replace(ready.reporter, task=task).report(record).figures}
    np.testing.assert_allclose(figures['latent_interpolation'].images, shown, atol=1e-6)
    np.testing.assert_allclose(figures['nearest_training_images'].images[:8], shown, atol=1e-6)


@pytest.mark.parametrize('form', GAN_FORMS)
def test_every_form_makes_finite_updates(form, batch):
    task = quick(prepare(lab.gan(task__form=form)).task)
    updated, _ = jax.jit(task.train_step)(jax.jit(task.init)(jax.random.key(0), batch), batch, jax.random.key(1))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(updated))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Three epochs and the pictures of every one, undisturbed: of the plain GAN, and with every option; quick networks."""

    @functools.cache
    def train(averaged):
        changes = {**AVERAGED, **SHIFTED} if averaged else {}
        networks = {'model__generator': {'name': 'small'}, 'model__discriminator': {'name': 'judge'}}
        config = lab.gan(training__epochs=3, training__snapshot_every=1, **networks, **changes)
        return config, lab.train(config, tmp_path_factory.mktemp('whole'))

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Small, Judge):
            patch.setitem(models.MODELS, kind.__name__.lower(), f'{kind.__module__}:{kind.__name__}')
        yield train


@pytest.mark.parametrize('averaged', [False, True])
def test_a_stopped_gan_goes_on_to_the_same_bits(averaged, whole, tmp_path):
    """Two networks, two optimisers, an average, noise, and the pictures of every epoch."""
    config, whole = whole(averaged)
    config = config.copy_and_resolve_references()
    config.training.steps_per_call = 1
    with pytest.raises(Interrupted):
        lab.train(config, tmp_path / 'cut', lab.Listener(stop_at=4))
    found = lab.train(config, tmp_path / 'cut')
    assert found.facts['params_digest'] == whole.facts['params_digest']
    assert lab.equal(found.record.states, whole.record.states)
    said = 'moving average of the generator (decay 0.9, ramped; about the last 10 updates); less than 0.01% of it'
    assert [said in remark for remark in found.facts['remarks']] == [True] * averaged
    assert [epoch for epoch, _ in found.record.snapshots] == [0, 1, 2, 3]
    lab.close([arrays for _, arrays in found.record.snapshots], [arrays for _, arrays in whole.record.snapshots], 1e-6)
    images = found.record.snapshots[-1][1]['image']
    assert images.min() >= 0 and images.max() <= 1 and images.shape[1:] == (28, 28, 1)


def test_without_the_options_everything_is_as_it_was(whole, monkeypatch, tmp_path):
    """The update without an average, and images of the trained generator, written out: the same bits all through."""

    def updated(self, grads, updates=None):
        changes, opt_state = self.tx.update(grads, self.opt_state, self.params)
        changes = jax.tree.map(lambda change: change * self.learning_rate_scale.astype(change.dtype), changes)
        params = optax.apply_updates(self.params, changes)
        batch_stats = (updates or {}).get('batch_stats', self.batch_stats)
        return self.replace(step=self.step + 1, params=params, opt_state=opt_state, batch_stats=batch_stats)

    def generate(self, state, noise, labels=None):
        return self.generator.apply(state['generator'].variables(), noise, train=False)

    config, found = whole(False)
    monkeypatch.setattr(TrainState, 'apply_gradients', updated)
    monkeypatch.setattr(Gan, 'generate', generate)
    monkeypatch.setattr(Gan, '_transformed', lambda self, images, key: images)
    before = lab.train(config, tmp_path / 'before')
    assert found.facts['params_digest'] == before.facts['params_digest']
    assert lab.equal(found.record.states, before.record.states)
    assert lab.equal(found.record.snapshots, before.record.snapshots)
    assert found.facts['remarks'] == []


def test_images_come_from_the_average(batch):
    """Those of a generator that has the average's parameters and statistics, in every way to draw them."""
    ready = prepare(lab.gan(**AVERAGED))
    task = quick(ready.task)
    reporter = dataclasses.replace(ready.reporter, task=task)
    state = jax.jit(task.init)(jax.random.key(0), batch)
    assert state['discriminator'].ema == {}
    state, _ = jax.jit(task.train_step)(state, batch, jax.random.key(1))
    generator = state['generator']
    alone = generator.replace(**generator.ema, ema={}, ema_decay=0.0)
    other = generator.replace(ema={}, ema_decay=0.0)
    key, noise = jax.random.key(2), jnp.ones((4, 8))
    for draw in (
        lambda s: task.generate(s, noise),
        lambda s: task.sample(s, key, 4),
        lambda s: task.snapshot(s, key)['image'],
        lambda s: reporter._some(s, key, 4),
    ):
        shown = draw(state)
        lab.close(shown, draw({**state, 'generator': alone}), 1e-6)
        assert float(np.abs(shown - draw({**state, 'generator': other})).max()) > 1e-4


def test_no_shift_is_no_transform(batch):
    none = {'data__transforms': (('shift', {'pixels': 0}),)}
    tasks = [quick(prepare(lab.gan(**none, task__transform_made=made)).task) for made in (False, True)]
    state = jax.jit(tasks[0].init)(jax.random.key(0), batch)
    one, other = (jax.jit(task.train_step)(state, batch, jax.random.key(1)) for task in tasks)
    lab.close(one[0], other[0], 1e-6)
    lab.close(one[1], other[1], 1e-6)


def test_real_and_made_images_are_shifted_apart(ready, batch):
    """Two draws an update, of which the second is for the made images, each by its own key."""
    shifted = prepare(lab.gan(**SHIFTED))
    keys = []

    def noted(examples, key):
        jax.debug.callback(lambda data: keys.append(np.asarray(data)), jax.random.key_data(key), ordered=True)
        return shifted.data.augment(examples, key)

    task = dataclasses.replace(quick(shifted.task), augment=noted)
    programs = Programs(task, lambda examples: examples, noted, 1, 'unrolled')
    state = jax.jit(task.init)(jax.random.key(0), batch)
    update = jax.jit(programs._update)
    for step in range(3):
        jax.block_until_ready(update(state, batch, jnp.uint32(0), jnp.int32(step)))
    jax.effects_barrier()
    assert len({key.tobytes() for key in keys}) == 6
    places = jnp.arange(28.0)[:, None] + 100 * jnp.arange(28.0)
    ramp = {'image': jnp.broadcast_to(places[:, :, None], (16, 28, 28, 1))}
    draw = jax.jit(lambda key: shifted.data.augment(ramp, key)['image'][:, 14, 14, 0])
    moved = [np.asarray(draw(jax.random.wrap_key_data(key))) for key in keys]
    assert all((real != made).any() for real, made in zip(moved[::2], moved[1::2], strict=True))


def test_what_a_gan_refuses():
    with pytest.raises(UserError, match=r"config.task.form = 'hinged'; valid: .*hinge"):
        prepare(lab.gan(task__form='hinged'))
    plateau = {'metric': 'train_generator_loss', 'patience': 1}
    with pytest.raises(UserError, match='config.optimizer.generator.plateau: only a task with one network follows'):
        prepare(lab.gan(optimizer__generator__plateau=plateau))
    with pytest.raises(UserError, match='unknown field config.optimizer.learning_rate of task gan; .*generator'):
        prepare(lab.gan(optimizer__learning_rate=0.1))
    with pytest.raises(UserError, match='unknown field config.model.width of task gan'):
        prepare(lab.gan(model__width=8))
    for decay in (1.0, -0.1, float('nan')):
        with pytest.raises(
            UserError, match=f'^config.task.ema = {decay}; valid: a number from 0 up to, not including, 1'
        ):
            prepare(lab.gan(task__ema=decay))
    with pytest.raises(UserError, match="^config.task.transform_made: made images have no labels; transform 'mixup'"):
        prepare(lab.gan(task__transform_made=True, data__transforms=('mixup',)))
