"""Options of an adversarial training: order, steps of the critic, penalty, spectral normalisation, classes, refusals."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab import models
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.measures.losses import discriminator_loss, generator_loss
from jaxlab.measures.penalties import between, gradient_penalty
from jaxlab.protocol import Needed, Record
from jaxlab.tasks.gan.checks import ends_in_sigmoid
from jaxlab.training.loop import Interrupted
from tests.tasks.quick_gan import Bent, Judge, quick
from tests.training import lab

PENALTY = {
    'task__form': 'wasserstein',
    'task__penalty': 10.0,
    'task__order': 'alternating',
    'task__critic_steps': 2,
}
# For what does not depend on the networks: compiled quickly. Each is one layer.
DENSE = {
    'model__generator': {'name': 'mlp_generator', 'features': ()},
    'model__discriminator': {'name': 'mlp_discriminator', 'features': ()},
}
BENT = {'model__discriminator': {'name': 'mlp_discriminator', 'features': (8,)}}  # its slope depends on the image


def set_up(judge=None, **changes):
    """(task, its first state, a batch of sixteen rows of which the last six are padding).

    judge: the discriminator beside a small generator with statistics, where the config's networks do not matter.
    """
    ready = prepare(lab.gan(**changes))
    batch, task = lab.padded(ready), ready.task if judge is None else quick(ready.task, judge)
    return task, jax.jit(task.init)(jax.random.key(0), batch), batch


def forward(task, state, batch, draws, g, d):
    """(made images, D on real ones, D on made ones), of a discriminator without dropout."""
    statistics = {'batch_stats': state['generator'].batch_stats}
    fakes, _ = task.generator.apply({'params': g, **statistics}, draws.codes, train=True, mutable=['batch_stats'])
    judge = lambda x: task.discriminator.apply({'params': d}, x)
    return fakes, judge(batch['image']), judge(fakes), judge


def test_one_after_the_other_with_a_penalty_written_out():
    """D's step by its own loss, then G's through the D that came of it, from the same noise; half of D's sum."""
    rates = {'generator': 0.05, 'discriminator': 0.02}
    changes = {**PENALTY, **{f'optimizer__{name}__learning_rate': rate for name, rate in rates.items()}}
    task, state, batch = set_up(Bent, **{**changes, 'task__critic_steps': 1, 'task__discriminator_weight': 0.5})
    key, weight = jax.random.key(5), batch['weight']
    draws = jax.jit(lambda key: task._draws(key, 16))(key)
    g, d = state['generator'].params, state['discriminator'].params

    def loss_d(d):
        fakes, real, fake, judge = forward(task, state, batch, draws, g, d)
        on_real, on_fake = discriminator_loss(real, fake, 'wasserstein')
        penalty = gradient_penalty(judge, between(batch['image'], fakes, draws.share))
        mean = lambda values: (values * weight).sum() / weight.sum()
        return 0.5 * (mean(on_real) + on_fake.mean()) + 10 * mean(penalty), mean(penalty)

    def loss_g(g, d):
        return generator_loss(forward(task, state, batch, draws, g, d)[2], 'wasserstein').mean()

    @jax.jit
    def written_out(g, d):
        (lost_d, penalty), slope = jax.value_and_grad(loss_d, has_aux=True)(d)
        after = optax.apply_updates(d, jax.tree.map(lambda leaf: -rates['discriminator'] * leaf, slope))
        lost_g, slope = jax.value_and_grad(loss_g)(g, after)
        return lost_d, penalty, lost_g, after, jax.tree.map(lambda p, s: p - rates['generator'] * s, g, slope)

    lost_d, penalty, lost_g, after_d, after_g = written_out(g, d)
    new, sums = jax.jit(task.train_step)(state, batch, key)
    found = {name: float(total / count) for name, (total, count) in sums.items()}
    assert found['discriminator_loss'] == pytest.approx(float(lost_d), rel=1e-4)
    assert found['gradient_penalty'] == pytest.approx(float(penalty), rel=1e-4)
    assert found['generator_loss'] == pytest.approx(float(lost_g), rel=1e-4, abs=1e-6)
    lab.close(after_d, new['discriminator'].params, 2e-5)
    lab.close(after_g, new['generator'].params, 2e-5)
    assert {'real_output', 'fake_output'} <= set(sums) and 'real_accuracy' not in sums


def test_a_critic_moves_twice_a_step_of_the_generator():
    """The generator stands still, statistics included, in every other step; its loss counts only the steps that it made."""
    task, state, batch = set_up(Bent, **PENALTY)
    step, states, sums = jax.jit(task.train_step), [state], []
    for number in range(4):
        state, measured = step(state, batch, jax.random.key(number))
        states.append(state)
        sums.append(measured)
    assert [int(one['generator'].step) for one in states] == [0, 0, 1, 1, 2]
    assert [int(one['discriminator'].step) for one in states] == [0, 1, 2, 3, 4]
    assert lab.equal(states[0]['generator'], states[1]['generator'])
    assert not lab.equal(states[1]['generator'].params, states[2]['generator'].params)
    assert not lab.equal(states[1]['generator'].batch_stats, states[2]['generator'].batch_stats)
    assert [float(measured['generator_loss'][1]) for measured in sums] == [0, 1, 0, 1]
    assert float(sums[0]['generator_loss'][0]) == 0


def test_the_generators_schedule_counts_its_own_steps():
    """Six updates in all, three of the generator: its line reaches 0 after three."""
    linear = {'name': 'sgd', 'learning_rate': 1.0, 'schedule': 'linear'}
    config = lab.gan(**PENALTY, training__epochs=2, optimizer__generator=linear, optimizer__discriminator=linear)
    task = prepare(config).task
    updates = []
    for rule in (task.generator_optimizer, task.discriminator_optimizer):
        state, found = rule.init(jnp.zeros(())), []
        for _ in range(6):
            change, state = rule.update(jnp.ones(()), state, jnp.zeros(()))
            found.append(-float(change))
        updates.append(found)
    np.testing.assert_allclose(updates[0][:3], [1, 2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(updates[1], np.linspace(1, 1 / 6, 6), rtol=1e-6)


def test_neither_step_changes_the_other():
    """B20: D's step leaves G's parameters, G's step leaves D's: with a rate of 0 nothing of it moves."""
    for still, moving in (('generator', 'discriminator'), ('discriminator', 'generator')):
        changes = {f'optimizer__{still}__learning_rate': 0.0, 'task__order': 'alternating'}
        task, state, batch = set_up(**changes, **DENSE)
        new, _ = jax.jit(task.train_step)(state, batch, jax.random.key(1))
        assert lab.equal(new[still].params, state[still].params)
        assert not lab.equal(new[moving].params, state[moving].params)


def test_padding_changes_nothing_of_a_penalty():
    task, state, batch = set_up(**{**PENALTY, **DENSE, **BENT})
    rubbish = {**batch, 'image': batch['image'].at[10:].set(7.0)}
    step = jax.jit(task.train_step)
    one, other = (step(state, examples, jax.random.key(1)) for examples in (batch, rubbish))
    lab.close(one, other, 1e-6)


@pytest.mark.parametrize(('form', 'border'), [('least_squares', 0.5), ('hinge', 0.0)])
def test_what_counts_as_right_follows_the_loss(form, border):
    """A discriminator that says the same of everything, a little above and a little below the border."""
    task, state, batch = set_up(task__form=form, **DENSE)
    judge, step, evaluate = state['discriminator'], jax.jit(task.train_step), jax.jit(task.eval_step)
    for output, real in ((border + 0.01, 1.0), (border - 0.01, 0.0)):
        params = jax.tree.map(jnp.zeros_like, judge.params)
        params = {**params, 'Dense_0': {**params['Dense_0'], 'bias': jnp.array([output])}}
        fixed = {**state, 'discriminator': judge.replace(params=params)}
        _, sums = step(fixed, batch, jax.random.key(1))
        found = {name: float(total / count) for name, (total, count) in sums.items()}
        assert (found['real_accuracy'], found['fake_accuracy']) == (real, 1 - real)
        assert found['real_output'] == pytest.approx(output) and 'real_probability' not in found
        evaluated, _ = evaluate(fixed, batch, jax.random.key(1))
        assert float(evaluated['real_accuracy'][0]) == 10 * real


def test_the_discriminator_is_divided_by_its_singular_values():
    """Ten times the kernels make the same scores, and its vectors turn with every step."""
    task, state, batch = set_up(task__spectral=True, task__form='hinge', **{**DENSE, **BENT})
    judge = state['discriminator']
    larger = jax.tree.map(lambda leaf: leaf * 10 if leaf.ndim > 1 else leaf, judge.params)
    score = jax.jit(lambda params: task.discriminator.apply(judge.variables(params), batch['image']))
    scores = [score(params) for params in (judge.params, larger)]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5)
    new, sums = jax.jit(task.train_step)(state, batch, jax.random.key(1))
    assert not lab.equal(new['discriminator'].batch_stats, judge.batch_stats)
    assert np.isfinite(float(sums['discriminator_loss'][0]))


ALL = {
    **PENALTY,
    **DENSE,
    **BENT,
    'task__conditional': True,
    'task__spectral': True,
}


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path):
    """In the middle of the critic's steps; with the vectors of the power iteration and a moving average."""
    config = lab.gan(training__epochs=2, training__steps_per_call=1, task__ema=0.9, **ALL)
    whole = lab.train(config, tmp_path / 'whole')
    with pytest.raises(Interrupted):
        lab.train(config, tmp_path / 'cut', lab.Listener(stop_at=3))
    found = lab.train(config, tmp_path / 'cut')
    assert found.facts['params_digest'] == whole.facts['params_digest']
    assert lab.equal(found.record.states, whole.record.states)


@pytest.mark.usefixtures('float64')
def test_eight_devices_do_what_one_does():
    """Steps of the critic, the penalty's shares, noise, classes: the draws of an example are those of its place."""
    one = lab.steps(lab.gan(**ALL), 1, np.float64)
    for mode in ('jit', 'pmap'):
        other = lab.steps(lab.gan(**ALL, parallel__devices=8, parallel__mode=mode), 1, np.float64)
        lab.close(one.state, other.state, 1e-9)
        lab.close(one.logs, other.logs, 1e-5)  # scores are float32


def test_classes_reach_both_networks():
    """Ten more numbers for the generator, ten more channels for the discriminator, and each class another image."""
    task, state, batch = set_up(Judge, task__conditional=True)
    assert state['generator'].params['Dense_0']['kernel'].shape[0] == 8 + 10
    assert state['discriminator'].params['Dense_0']['kernel'].shape[0] == 28 * 28 * (1 + 10)
    told = np.asarray(task._told(batch['image'], batch['label']))
    np.testing.assert_array_equal(told[..., :1], batch['image'])
    np.testing.assert_array_equal(
        told[..., 1:].argmax(-1), np.broadcast_to(batch['label'][:, None, None], (16, 28, 28))
    )
    np.testing.assert_array_equal(told[..., 1:].sum(-1), 1)
    noise = jnp.ones((10, 8))
    generate, step = jax.jit(task.generate), jax.jit(task.train_step)
    images = generate(state, noise)
    assert min(float(np.abs(images[0] - images[k]).max()) for k in range(1, 10)) > 1e-6
    np.testing.assert_allclose(images, generate(state, noise, jnp.arange(10)), atol=1e-6)
    labels = jax.jit(lambda key: task._draws(key, 4000).labels)(jax.random.key(0))
    np.testing.assert_allclose(np.bincount(labels, minlength=10) / 4000, 0.1, atol=0.02)
    new, _ = step(state, batch, jax.random.key(1))
    other, _ = step(state, {**batch, 'label': (batch['label'] + 1) % 10}, jax.random.key(1))
    assert not lab.equal(new['discriminator'].params, other['discriminator'].params)


class Painted(nn.Module):
    """A generator that draws its class: the codes' last ten numbers, once in each of the first rows."""

    @nn.compact
    def __call__(self, codes, train=False, weight=None):
        start = self.param('start', nn.initializers.zeros, ())
        return jnp.zeros((len(codes), 28, 28, 1)).at[:, 0, :10, 0].set(codes[:, -10:]) + start


class Reader:
    """A judge that reads what `Painted` draws, and takes class 3 for class 4."""

    model, scale = None, (-1.0, 1.0)

    def embed(self, state, images):
        return images[:, :2, 10, 0]

    def predict(self, state, images):
        found = images[:, 0, :10, 0].argmax(-1)
        return jax.nn.one_hot(jnp.where(found == 3, 4, found), 10)


def test_what_a_told_generator_shows_and_how_often_it_obeys():
    """A row is one class, in the walk too; made images have the real ones' classes, and 3 is never recognised."""
    ready = prepare(lab.gan(task__conditional=True, data__eval_limit=50))
    task = dataclasses.replace(ready.task, generator=Painted(), discriminator=Judge())
    rows = ready.data.splits['test'].read(np.arange(50))
    batch = ready.data.prepare({**rows, 'weight': jnp.ones(50)})
    state = jax.jit(task.init)(jax.random.key(0), batch)
    judged = task.judged_by({'scorer': Needed(Reader(), {}, {})})
    _, outputs = jax.jit(judged.eval_step)(state, batch, jax.random.key(1))
    told = np.asarray(batch['label'])
    assert judged.scored[-1] == 'told' and np.array_equal(outputs['told'], told) and (told == 3).any()
    scores = judged.score({}, {name: np.asarray(outputs[name]) for name in judged.scored}, None)
    assert scores['class_obeyed'] == pytest.approx((told != 3).mean())
    record = Record([state], [], {}, [], {}, jax.random.key(0))
    figures = {each.name: each for each in dataclasses.replace(ready.reporter, task=task).report(record).figures}
    classes, walk = figures['classes'].images, figures['latent_interpolation'].images
    assert classes.shape[0] == 80 and len(figures['classes'].row_labels) == 10
    np.testing.assert_array_equal(classes[:, 0, :10, 0].argmax(1), np.repeat(np.arange(10), 8))
    np.testing.assert_array_equal(walk[:, 0, :10, 0].argmax(1), np.repeat(np.arange(4), 9))


class Squashed(nn.Module):
    """A score behind a sigmoid, as B20's source has it."""

    width: int = 4
    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return nn.sigmoid(nn.Dense(1)(images.reshape(len(images), -1)))[:, 0].astype(jnp.float32)


class Normed(nn.Module):
    """A critic whose scores depend on one another."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return nn.Dense(1)(nn.BatchNorm(not train)(images.reshape(len(images), -1)))[:, 0]


def test_a_sigmoid_at_the_end_is_seen():
    x = jnp.ones((2, 3))
    assert ends_in_sigmoid(lambda x: nn.sigmoid(x)[:, 0].astype(jnp.bfloat16), x)
    assert ends_in_sigmoid(jax.jit(lambda x: jax.jit(nn.sigmoid)(x).reshape(-1)), x)
    assert not ends_in_sigmoid(lambda x: 2 * nn.sigmoid(x), x)
    assert not ends_in_sigmoid(lambda x: nn.swish(x), x)
    assert not ends_in_sigmoid(lambda x: x, x)


def test_what_is_refused(monkeypatch):
    for name, kind in (('squashed', 'Squashed'), ('normed', 'Normed')):
        monkeypatch.setitem(models.MODELS, name, f'tests.tasks.test_gan_options:{kind}')
    squashed = {'model__discriminator': {'name': 'squashed'}}
    for form in ('hinge', 'wasserstein', 'non_saturating'):
        with pytest.raises(UserError, match=f"^config.model.discriminator ends in a sigmoid, and form = '{form}'"):
            prepare(lab.gan(**squashed, task__form=form))
    prepare(lab.gan(**squashed, task__form='least_squares'))
    normed = {'model__discriminator': {'name': 'normed'}}
    with pytest.raises(UserError, match='^config.task.penalty: batch norm in config.model.discriminator'):
        prepare(lab.gan(**normed, task__penalty=10.0))
    prepare(lab.gan(**normed))
    for changes, words in [
        ({'task__order': 'alternate'}, "config.task.order = 'alternate'; did you mean 'alternating'"),
        (
            {'task__critic_steps': 0, 'task__order': 'alternating'},
            'config.task.critic_steps = 0; valid: a whole number',
        ),
        ({'task__critic_steps': 5}, "config.task.critic_steps = 5 with order = 'simultaneous'; valid: order = 'alt"),
        ({'task__penalty': -1.0}, 'config.task.penalty = -1.0; valid: a number from 0'),
        ({'task__discriminator_weight': 0.0}, 'config.task.discriminator_weight = 0.0; valid: a number above 0'),
    ]:
        with pytest.raises(UserError, match=f'^{words}'):
            prepare(lab.gan(**changes))


def test_data_without_classes_cannot_be_conditional():
    ready = prepare(lab.gan())
    unlabelled = dataclasses.replace(ready.data, features={'image': ready.data.features['image']})
    with pytest.raises(UserError, match='^config.task.conditional: these data have no classes'):
        type(ready.task).from_config(ready.config, unlabelled, 3, 3, conditional=True)
