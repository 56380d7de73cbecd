"""CycleGAN's step against B21's losses written out, its pools, both directions, devices, resuming, and what it shows."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import common
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import Image, Tensor
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.tasks.cyclegan.step import CycleGan, correlation
from jaxlab.tasks.image_pool import ImagePool, exchange
from jaxlab.training.loop import Interrupted
from jaxlab.training.start import named
from tests.training import lab

SHAPE = (6, 6, 2)
SIZES = {'day': (5, 3), 'night': (8, 4)}  # training and test pictures


class Painter(nn.Module):
    """Image to image: each pixel through a layer and tanh."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return jnp.tanh(nn.Dense(images.shape[-1], kernel_init=nn.initializers.normal(0.5))(images))


class Judge(nn.Module):
    """A map of 3x3 scores."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return nn.Dense(1)(nn.avg_pool(images, (2, 2), (2, 2)))[..., 0]


class Affine(nn.Module):
    """Slope and shift of all pixels."""

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        slope, shift = (self.param(name, nn.initializers.zeros, ()) for name in ('slope', 'shift'))
        return slope * images + shift


class Constant(nn.Module):
    """The same score for every one of 15x15 patches."""

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return jnp.broadcast_to(self.param('score', nn.initializers.zeros, ()), (len(images), 15, 15))


class Keeping(nn.Module):
    """Keeps running statistics."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return nn.BatchNorm(not train)(images)


def read(request):
    """Night pictures are day pictures with their colours inverted; no picture stands in both domains."""
    rng = np.random.default_rng(0)
    domains = {}
    for name, (train, test) in SIZES.items():
        images = rng.integers(0, 256, (train + test, *SHAPE), np.uint8)
        fields = {'image': images, 'counterpart': 255 - images}
        parts = {
            'train': in_memory({key: values[:train] for key, values in fields.items()}),
            'test': in_memory({key: values[train:] for key, values in fields.items()}, train),
        }
        features = {'image': Image.of(SHAPE), 'counterpart': Tensor()}
        domains[name] = Raw('embedded', parts, features, 'Noise', 'none', name)
    return Raw('embedded', {}, {}, 'Day and night', 'none', 'ab', domains=domains)


@pytest.fixture(scope='module', autouse=True)
def known():
    with lab.with_networks('day_and_night', read, Painter, Judge, Keeping):
        yield


def config(**changes):
    """Batches of 3: 8 pairs an epoch, the last batch of two."""
    found = common.experiment('small_cyclegan', task='cyclegan', data='day_and_night')
    found.aim = 'A test.'
    found.model = {'generator': {'name': 'painter'}, 'discriminator': {'name': 'judge'}}
    found.optimizer = {'generator': common.sgd(0.05), 'discriminator': common.sgd(0.02)}
    found.data.update({'batch_size': 3, 'eval_batch_size': 3})
    found.data.scale = (-1.0, 1.0)
    found.task.pool = 4
    found.training.epochs, found.parallel.devices = 3, 1
    return lab.changed(found, **changes)


def simple(slopes, shifts, score, pool=0, **options):
    """(task, state) of affine generators and constant discriminators."""
    rule = optax.sgd(0.0)
    task = CycleGan(Affine(), Constant(), rule, rule, ('day', 'night'), SHAPE, (-1.0, 1.0), dict, pool=pool, **options)
    state = jax.jit(task.init)(jax.random.key(0), pair(0.0, 0.0, 1))
    for domain, slope, shift in zip(task.domains, slopes, shifts, strict=True):
        values = {'slope': jnp.float32(slope), 'shift': jnp.float32(shift)}
        state[f'generator_{domain}'] = state[f'generator_{domain}'].replace(params=values)
        judge = state[f'discriminator_{domain}']
        state[f'discriminator_{domain}'] = judge.replace(params={'score': jnp.float32(score)})
    return task, state


def pair(day, night, count):
    images = {f'image_{name}': jnp.full((count, *SHAPE), value) for name, value in (('day', day), ('night', night))}
    return images | {name: jnp.ones(count) for name in ('weight', 'weight_day', 'weight_night')}


def mean(measured):
    return {name: float(total / max(float(count), 1e-30)) for name, (total, count) in measured.items()}


@pytest.mark.parametrize(
    ('score', 'generator', 'discriminator'), [(0.5, 0.5, 0.25), (0.0, 2.0, 0.5)], ids=['undecided', 'all fake']
)
def test_goldens_of_a_perfect_cycle(score, generator, discriminator):
    """B21: with all outputs 0.5 the generators' loss is 0.5 and each discriminator's 0.25; with 0 it is 2 and 0.5."""
    task, state = simple((1, 1), (0, 0), score)
    found = mean(jax.jit(task.train_step)(state, pair(0.3, -0.2, 2), jax.random.key(0))[1])
    assert found['generator_loss'] == pytest.approx(generator, abs=1e-6)
    for domain in ('day', 'night'):
        assert found[f'discriminator_{domain}_loss'] == pytest.approx(discriminator, abs=1e-6)
        assert found[f'cycle_{domain}_loss'] == found[f'identity_{domain}_loss'] == 0
    # Undecided is not above one half: made images are all called made, real ones too.
    assert found['discriminator_day_accuracy'] == 0.5


def test_golden_of_all_parts():
    """B21: outputs 0.5, each cycle error 0.1, each identity error 0.2: 0.5 + 2 + 2.

    Day is 0 everywhere, night 1: solved for the slopes and shifts of the two generators.
    """
    slope = (0.76 + np.sqrt(0.76**2 + 4 * 1.2 * 0.08)) / 2.4
    shift = -0.1 / slope
    task, state = simple((slope, 1.2 - shift), (0.2, shift), 0.5)
    found = mean(jax.jit(task.train_step)(state, pair(0.0, 1.0, 2), jax.random.key(0))[1])
    for domain in ('day', 'night'):
        assert found[f'cycle_{domain}_loss'] == pytest.approx(0.1, abs=1e-6)
        assert found[f'identity_{domain}_loss'] == pytest.approx(0.2, abs=1e-6)
        assert found[f'adversarial_{domain}_loss'] == pytest.approx(0.25, abs=1e-6)
    assert found['generator_loss'] == pytest.approx(4.5, abs=1e-5)


@pytest.fixture(scope='module')
def ready():
    """(what was prepared, its first state with half-filled pools, a batch with padding in each domain)."""
    prepared = prepare(config())
    rows = prepared.data.splits['train'].read(np.array([[0, 0], [1, 1], [2, 2], [3, 3]]))
    weights = {'weight': [1, 1, 1, 0], 'weight_day': [1, 1, 0, 0], 'weight_night': [1, 1, 1, 0]}
    batch = prepared.data.prepare(
        {**rows, **{name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}}
    )
    state = jax.jit(prepared.task.init)(jax.random.key(0), batch)
    for number, domain in enumerate(prepared.task.domains):
        old = jax.random.normal(jax.random.key(number), (2, *SHAPE))
        state[f'pool_{domain}'] = ImagePool(old, jnp.int32(2))
    return prepared, state, batch


def test_one_update_is_that_of_the_losses_written_out(ready):
    """Both generators by their joint loss at the old discriminators, each of these by its own, on what was made before the
    generators moved, in part exchanged for what is in the pool."""
    prepared, state, batch = ready
    key = jax.random.key(7)
    day, night = batch['image_day'], batch['image_night']
    day_weight, night_weight = batch['weight_day'], batch['weight_night']
    average = lambda values, weight: (values.reshape(4, -1).mean(-1) * weight).sum() / weight.sum()
    paint = lambda params, images: Painter().apply({'params': params}, images)
    judge = lambda params, images: Judge().apply({'params': params}, images)
    params = {name: player.params for name, player in state.items() if not name.startswith('pool')}

    def joint(to_day, to_night):
        as_night, as_day = paint(to_night, day), paint(to_day, night)
        return (
            average((judge(params['discriminator_night'], as_night) - 1) ** 2, day_weight)
            + average((judge(params['discriminator_day'], as_day) - 1) ** 2, night_weight)
            + 10 * average(jnp.abs(paint(to_day, as_night) - day), day_weight)
            + 10 * average(jnp.abs(paint(to_night, as_day) - night), night_weight)
            + 5 * average(jnp.abs(paint(to_day, day) - day), day_weight)
            + 5 * average(jnp.abs(paint(to_night, night) - night), night_weight)
        ), {'day': as_day, 'night': as_night}

    @jax.jit
    def written_out():
        (lost, made), slopes = jax.value_and_grad(joint, argnums=(0, 1), has_aux=True)(
            params['generator_day'], params['generator_night']
        )
        after, losses, pools = {}, {'generator': lost}, {}
        for number, (domain, real, weight, other) in enumerate(
            (('day', day, day_weight, night_weight), ('night', night, night_weight, day_weight))
        ):
            pools[domain], shown = exchange(
                state[f'pool_{domain}'], made[domain], other, jax.random.fold_in(key, number)
            )

            def own(params, real=real, weight=weight, shown=shown, other=other):
                on_real = average((judge(params, real) - 1) ** 2, weight)
                return 0.5 * (on_real + average(judge(params, shown) ** 2, other))

            name = f'discriminator_{domain}'
            losses[name], slope = jax.value_and_grad(own)(params[name])
            after[name] = jax.tree.map(lambda p, s: p - 0.02 * s, params[name], slope)
            after[f'generator_{domain}'] = jax.tree.map(
                lambda p, s: p - 0.05 * s, params[f'generator_{domain}'], slopes[number]
            )
        return after, losses, pools

    after, losses, pools = written_out()
    new, measured = jax.jit(prepared.task.train_step)(state, batch, key)
    found = mean(measured)
    for name, loss in losses.items():
        assert found[f'{name}_loss'] == pytest.approx(float(loss), rel=1e-5)
    for name, expected in after.items():
        lab.close(expected, new[name].params, 1e-5)
        assert int(new[name].step) == 1
    for domain, pool in pools.items():
        lab.close(pool, new[f'pool_{domain}'], 1e-6)
    assert any(not np.array_equal(pools[domain].images, state[f'pool_{domain}'].images) for domain in pools)


def test_padding_changes_nothing(ready):
    prepared, state, batch = ready
    rubbish = {
        **batch,
        'image_day': batch['image_day'].at[2:].set(9.0),
        'image_night': batch['image_night'].at[3:].set(9.0),
    }
    step = jax.jit(prepared.task.train_step)
    one, other = (step(state, examples, jax.random.key(1)) for examples in (batch, rubbish))
    lab.close(one, other, 1e-6)
    evaluate = jax.jit(prepared.task.eval_step)
    one, other = (evaluate(state, examples, jax.random.key(1))[0] for examples in (batch, rubbish))
    lab.close(one, other, 1e-6)


def test_each_direction_is_the_generator_of_its_target(ready):
    """Traps: B to A swaps the input but not the network."""
    prepared, state, batch = ready
    _, outputs = jax.jit(prepared.task.eval_step)(state, batch, jax.random.key(0))
    shown = prepared.task.snapshot(state, jax.random.key(0))
    for domain, other in (('day', 'night'), ('night', 'day')):
        networks = [state[f'generator_{name}'].params for name in (domain, other)]
        right, wrong = (Painter().apply({'params': params}, batch[f'image_{other}']) / 2 + 0.5 for params in networks)
        np.testing.assert_allclose(outputs[f'made_{domain}'], right, atol=1e-5)
        assert np.abs(outputs[f'made_{domain}'] - wrong).max() > 0.05
        given = prepared.data.splits['test'].read(np.arange(3))[f'image_{other}'] / 127.5 - 1
        made = Painter().apply({'params': networks[0]}, jnp.asarray(given, jnp.float32)) / 2 + 0.5
        np.testing.assert_allclose(shown[f'made_{domain}'][:3], made, atol=1e-5)


def test_information_hidden_in_faint_noise_does_not_survive_a_file():
    """Night is day over a thousand: exact there and back, and nothing of it left in 8 bits."""
    task, state = simple((1000, 1e-3), (0, 0), 0.5)
    batch = pair(0.0, 0.0, 2)
    batch['image_day'] = jax.random.uniform(jax.random.key(0), (2, *SHAPE), minval=-1.0)
    found = mean(jax.jit(task.eval_step)(state, batch, jax.random.key(0))[0])
    assert found['cycle_day_loss'] < 1e-4 and found['cycle_day_8bit_loss'] > 0.3


def test_known_translations_are_judged():
    """Inverted colours are the truth: keeping them correlates negatively, inverting them is exact."""
    batch = pair(0.0, 0.0, 2)
    batch['image_day'] = jax.random.uniform(jax.random.key(0), (2, *SHAPE), minval=-1.0)
    batch['counterpart_day'] = 0.5 - batch['image_day'] / 2
    for slope, error, alike in ((-1, 0, 1), (1, None, -1)):
        task, state = simple((1, slope), (0, 0), 0.5)
        found = mean(jax.jit(task.eval_step)(state, batch, jax.random.key(0))[0])
        assert found['translation_night_correlation'] == pytest.approx(alike, abs=1e-5)
        assert 'translation_day_error' not in found
        expected = float(jnp.abs(batch['image_day']).mean()) if error is None else error
        assert found['translation_night_error'] == pytest.approx(expected, abs=1e-5)
    constant = jnp.ones((1, 4))
    assert float(correlation(constant, constant)[0]) == 0


def test_the_start_of_weights_names_four_networks(ready):
    _, state, _ = ready
    networks = {name.partition('.')[0] for name in named(state)}
    assert networks == {f'{role}_{domain}' for role in ('generator', 'discriminator') for domain in ('day', 'night')}


DECAY = {'schedule': 'linear', 'schedule_options': {'start': 1, 'end': 3, 'held': 1}}
RESUMED = {
    'task__ema': 0.9,
    'optimizer__generator': {'name': 'adam', 'learning_rate': 0.01, 'b1': 0.5, **DECAY},
    'optimizer__discriminator': {'name': 'adam', 'learning_rate': 0.01, 'b1': 0.5, **DECAY},
    'replicas': 2,
    'replica_form': 'vmap',  # half as much to compile
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    found = config(**RESUMED, training__snapshot_every=1, report__examples=3)
    return lab.train(found, tmp_path_factory.mktemp('cyclegan'))


def test_a_stopped_training_goes_on_to_the_same_bits(trained, tmp_path):
    """Pools, moving averages and the place in the decay of the rate: nothing begins anew; one pool a replica."""
    cut = config(**RESUMED, training__snapshot_every=1, training__steps_per_call=1, report__examples=3)
    with pytest.raises(Interrupted):
        lab.train(cut, tmp_path, lab.Listener(stop_at=5))
    found = lab.train(cut, tmp_path)
    assert found.facts['params_digest'] == trained.facts['params_digest']
    assert lab.equal(found.record.states, trained.record.states)
    pools = [state['pool_day'] for state in found.record.states]
    assert all(int(pool.filled) == 4 for pool in pools)
    assert not np.array_equal(pools[0].images, pools[1].images)


def test_what_it_shows(trained):
    """Rows of four: as it is, translated, back, kept; the snapshots as a film; what 8 bits take away."""
    figures = {figure.name: figure for figure in trained.facts['figures']} if 'figures' in trained.facts else {}
    reporter = prepare(config(**RESUMED, report__examples=3)).reporter
    report = reporter.report(trained.record)
    figures |= {figure.name: figure for figure in report.figures}
    gallery = figures['day_to_night']
    assert gallery.images.shape == (12, *SHAPE) and gallery.columns == 4
    outputs = trained.record.outputs['test'][0]
    np.testing.assert_allclose(gallery.images[5], outputs['made_night'][1])
    np.testing.assert_allclose(gallery.images[6], outputs['again_day'][1])
    given = reporter.data.splits['test'].read(np.arange(3))['image_day']
    np.testing.assert_allclose(gallery.images[::4], given / 255, atol=1e-6)
    assert len(figures['night_over_epochs'].frames) == 4
    assert figures['day_over_epochs'].frames[0].images.shape == (6, *SHAPE)
    assert any('through an 8-bit image' in remark for remark in report.remarks)
    assert any('of 2 replicas correlate negatively' in remark for remark in report.remarks)
    assert report.answer.startswith('Mean absolute error of the translation')


@pytest.mark.usefixtures('float64')
def test_eight_devices_do_what_one_does():
    """A batch of eight, one pair a device, pools of four: the same exchanges everywhere."""
    batches = {'data__batch_size': 8, 'data__eval_batch_size': 8}
    one = lab.steps(config(**batches), 4, np.float64)
    for mode in ('jit', 'pmap'):
        other = lab.steps(config(**batches, parallel__devices=8, parallel__mode=mode), 4, np.float64)
        lab.close(one.state, other.state, 1e-9)
        lab.close(one.logs, other.logs, 1e-9)
        lab.close(one.evaluation, other.evaluation, 1e-6)


def test_what_is_refused():
    with pytest.raises(UserError, match='^config.model.generator keeps batch_stats; valid with task cyclegan'):
        prepare(config(model__generator={'name': 'keeping'}))
    with pytest.raises(UserError, match=r'^config.model.generator gives other shapes than \(6, 6, 2\)'):
        prepare(config(model__generator={'name': 'judge'}))
    with pytest.raises(UserError, match="^config.task.form = 'lsgan'; valid: .*least_squares"):
        prepare(config(task__form='lsgan'))
    with pytest.raises(UserError, match='^config.task.pool = -1; valid: a number from 0'):
        prepare(config(task__pool=-1))
    with pytest.raises(UserError, match='^unknown field config.model.generator_day of task cyclegan'):
        prepare(config(model__generator_day={'name': 'painter'}))
    paired = prepare(lab.gan()).data
    with pytest.raises(UserError, match='^task cyclegan translates between two unpaired domains; mnist has 0'):
        CycleGan.from_config(config(), paired, 3, 3)
    shapes = {'day': (6, 6, 2), 'night': (4, 4, 2)}
    splits = {
        name: dataclasses.replace(split, arrays={'image': np.zeros((2, *shapes[name]), np.uint8)}, size=2)
        for name, split in prepare(config()).data.splits['train'].domains.items()
    }
    train = type(prepare(config()).data.splits['train']).of(splits)
    unlike = dataclasses.replace(prepare(config()).data, splits={'train': train})
    with pytest.raises(UserError, match='^task cyclegan: images of day and night differ in shape'):
        CycleGan.from_config(config(), unlike, 3, 3)
