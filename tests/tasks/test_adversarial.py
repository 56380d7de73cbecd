"""Players against each other: each follows its own loss alone, from one forward pass."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.optimizers import TrainState
from jaxlab.tasks import adversarial

pytestmark = pytest.mark.usefixtures('float64')


def critic(weights, x):
    return jnp.tanh(x @ weights).sum(-1)


def play(params):
    """A generator g [3], a critic [3, 2] with a penalty on its slope at what was made, and a third one that only looks on."""
    made = jnp.sin(params['generator']) + params['watcher']
    real = jnp.array([0.3, -0.2, 0.9])
    slope = jax.grad(critic, argnums=1)(params['critic'], made)
    losses = {
        'generator': -critic(params['critic'], made),
        'critic': critic(params['critic'], made)
        - critic(params['critic'], real)
        + 10 * (jnp.linalg.norm(slope) - 1) ** 2,
    }
    return losses, made


@pytest.fixture
def params():
    rng, shapes = np.random.default_rng(0), {'generator': (3,), 'critic': (3, 2), 'watcher': (3,)}
    return {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}


def test_each_follows_its_own_loss(params):
    """As if each had been differentiated by itself; the penalty is a gradient inside."""
    grads, losses, made = jax.jit(lambda p: adversarial.gradients(play, p))(params)
    assert set(grads) == {'generator', 'critic'}
    for name in grads:
        alone = jax.jit(jax.grad(lambda own, name=name: play({**params, name: own})[0][name]))(params[name])
        np.testing.assert_allclose(grads[name], alone, rtol=1e-12)
        assert losses[name] == pytest.approx(float(jax.jit(play)(params)[0][name]))
    np.testing.assert_allclose(made, jax.jit(play)(params)[1])


def test_all_move_at_once_and_the_others_stand_still(params):
    players = {
        name: TrainState.from_variables(nn.Dense(1), {'params': {'w': value}}, optax.sgd(0.1))
        for name, value in params.items()
    }
    grads = {name: {'w': jnp.ones_like(params[name])} for name in ('generator', 'critic')}
    moved = adversarial.updated(players, grads, {'critic': {'batch_stats': {'mean': jnp.ones(1)}}})
    np.testing.assert_allclose(moved['generator'].params['w'], params['generator'] - 0.1)
    assert moved['watcher'] is players['watcher'] and int(moved['critic'].step) == 1
    assert moved['critic'].batch_stats == {'mean': jnp.ones(1)} and not moved['generator'].batch_stats


def players_of(params):
    return {
        name: TrainState.from_variables(nn.Dense(1), {'params': value}, optax.sgd(0.1))
        for name, value in params.items()
    }


def test_one_after_the_other_sees_what_the_first_became(params):
    players = players_of(params)

    def only(name, others):
        def turn(own):
            losses, made = play({**others, **own})
            return {name: losses[name]}, ({name: {'batch_stats': {'seen': made}}}, made)

        return turn

    first, losses, _ = adversarial.move(players, ['critic'], only('critic', params))
    now = {name: player.params for name, player in first.items()}
    second, _, made = adversarial.move(first, ['generator'], only('generator', now))
    slope = jax.jit(jax.grad(lambda own: play({**params, 'critic': own})[0]['critic']))(params['critic'])
    critic_after = params['critic'] - 0.1 * slope
    np.testing.assert_allclose(second['critic'].params, critic_after, rtol=1e-12)
    slope = jax.jit(jax.grad(lambda own: play({**params, 'critic': critic_after, 'generator': own})[0]['generator']))
    np.testing.assert_allclose(
        second['generator'].params, params['generator'] - 0.1 * slope(params['generator']), rtol=1e-12
    )
    assert set(losses) == {'critic'} and first['generator'] is players['generator']
    np.testing.assert_array_equal(second['generator'].batch_stats['seen'], made)


@pytest.mark.parametrize('mapped', [False, True])
def test_a_turn_in_every_third_step(mapped):
    """Seven steps: turns in the third and the sixth; what it adds is nothing in the others. Under vmap as well. It is
    traced once."""
    traced = []

    def turn(state):
        traced.append(1)
        return state + 1.0, {'loss': (10 * state, jnp.ones(()))}

    def seven(start):
        return jax.lax.scan(lambda state, step: adversarial.every(3, step, turn, state), start, jnp.arange(7))

    start = jnp.array([5.0, 6.0]) if mapped else jnp.array(5.0)
    state, added = jax.jit(jax.vmap(seven) if mapped else seven)(start)
    assert len(traced) == 1
    np.testing.assert_array_equal(state, start + 2)
    totals, weights = added['loss']
    ones = np.array([0, 0, 1, 0, 0, 1, 0.0])
    np.testing.assert_array_equal(weights[0] if mapped else weights, ones)
    np.testing.assert_array_equal(totals[0] if mapped else totals, ones * np.array([0, 0, 50, 0, 0, 60, 0]))
    assert adversarial.every(1, jnp.int32(0), turn, start)[1]['loss'][1] == 1
