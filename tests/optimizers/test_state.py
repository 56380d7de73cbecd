"""The train state: one compilation, exact shares over devices, the host's learning rate scale."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.layers.batch_axis import BATCH_AXIS
from jaxlab.measures.losses import squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.optimizers import TrainState, build_optimizer, start_left
from jaxlab.optimizers.state import moved_average, ramped
from tests.models.drawn import started


class Net(nn.Module):
    """One dense layer; with `norm` a BatchNorm behind it."""

    norm: bool = False

    @nn.compact
    def __call__(self, x, train=True):
        x = nn.Dense(2)(x)
        return nn.BatchNorm(use_running_average=not train)(x) if self.norm else x


def create(norm=False, ema_decay=0.0, **block):
    module = Net(norm)
    variables = started(module, jnp.ones((1, 3)))
    tx = build_optimizer({'name': 'adam', 'learning_rate': 0.1} | block, 10, 100)
    return TrainState.from_variables(module, variables, tx, ema_decay)


def trained(state, steps):
    """The states after each of some updates of a network with BatchNorm."""
    x = jax.random.normal(jax.random.key(1), (8, 3))

    @jax.jit
    def step(state):
        def loss(params):
            y, updates = state.apply_fn(state.variables(params), x, mutable=['batch_stats'])
            return (y**2).sum(), updates

        grads, updates = jax.grad(loss, has_aux=True)(state.params)
        return state.apply_gradients(grads, updates)

    found = []
    for _ in range(steps):
        state = step(state)
        found.append(state)
    return found


def test_starts_with_arrays_and_compiles_once():
    state = create(schedule='cosine', warmup=3, clip_norm=1.0)
    assert state.step.dtype == jnp.int32
    assert state.learning_rate_scale.dtype == jnp.float32

    @jax.jit
    def step(state):
        return state.apply_gradients(jax.tree.map(jnp.ones_like, state.params))

    before = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)
    for _ in range(3):
        state = step(state)
    assert step._cache_size() == 1
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state) == before
    assert int(state.step) == 3


def test_variables():
    plain, norm = create(), create(norm=True)
    assert set(plain.variables()) == {'params'}
    assert set(norm.variables()) == {'params', 'batch_stats'}
    assert norm.variables(params={'other': 1})['params'] == {'other': 1}
    x = jnp.ones((4, 3))
    logits, updates = norm.apply_fn(norm.variables(), x, mutable=['batch_stats'])
    grads = jax.tree.map(jnp.zeros_like, norm.params)
    after = norm.apply_gradients(grads, updates)
    np.testing.assert_array_equal(
        after.batch_stats['BatchNorm_0']['mean'], updates['batch_stats']['BatchNorm_0']['mean']
    )
    assert norm.apply_gradients(grads).batch_stats is norm.batch_stats
    assert plain.apply_gradients(jax.tree.map(jnp.zeros_like, plain.params), {}).batch_stats == {}


def test_learning_rate_scale_multiplies_the_update():
    state = create(name='adamw', weight_decay=0.1)
    grads = jax.tree.map(jnp.ones_like, state.params)
    half = state.replace(learning_rate_scale=jnp.float32(0.5))
    whole_step = jax.tree.map(jnp.subtract, state.apply_gradients(grads).params, state.params)
    half_step = jax.tree.map(jnp.subtract, half.apply_gradients(grads).params, state.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, 2 * b, rtol=1e-5, atol=1e-7), whole_step, half_step)


@pytest.mark.usefixtures('float64')
def test_shares_over_devices_add_up_with_padding():
    """Ten examples over eight devices of two: the last three hold nothing but padding. Equal to one device."""
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(16, 3))), jnp.asarray(rng.normal(size=(16, 2)))
    weight = jnp.asarray([1.0] * 9 + [0.0] + [1.0] + [0.0] * 5)
    state = create(clip_norm=0.5)
    state = state.replace(params=jax.tree.map(lambda p: p.astype(jnp.float64), state.params))
    state = state.replace(opt_state=state.tx.init(state.params))

    def step(state, x, y, weight):
        def loss_fn(params):
            losses = squared_error(state.apply_fn({'params': params}, x), y)
            return weighted_mean(losses, weight), losses

        grads, losses = jax.grad(loss_fn, has_aux=True)(state.params)
        return state.apply_gradients(grads), sums(weight, loss=losses)

    one, measured = jax.jit(step)(state, x, y, weight)
    total, count = measured['loss']
    split = jax.tree.map(lambda a: a.reshape(8, 2, *a.shape[1:]), (x, y, weight))
    many, found = jax.pmap(step, axis_name=BATCH_AXIS, in_axes=(None, 0, 0, 0))(state, *split)
    for device in range(8):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[device], rtol=1e-12), one.params, many.params)
    np.testing.assert_allclose(found['loss'][0].sum(), total, rtol=1e-12)
    assert float(found['loss'][1].sum()) == float(count) == 20.0  # 10 examples, 2 outputs each


def test_replicas_by_vmap():
    module = Net()
    tx = build_optimizer({'name': 'adam', 'learning_rate': 0.1, 'groups': (('bias', 'freeze'),)}, 10, 100)

    def make(key):
        return TrainState.from_variables(module, module.init(key, jnp.ones((1, 3))), tx)

    states = jax.jit(jax.vmap(make))(jax.random.split(jax.random.key(0), 3))
    after = jax.jit(jax.vmap(lambda s: s.apply_gradients(jax.tree.map(jnp.ones_like, s.params))))(states)
    assert after.params['Dense_0']['kernel'].shape == (3, 3, 2)
    assert after.step.tolist() == [1, 1, 1]


def test_the_average_is_its_recursion_written_out():
    """Twelve updates, of which the first eight are on the ramp to 0.5: 1/10, 2/11, ... 8/17, then 0.5."""
    decay, start = 0.5, create(norm=True, ema_decay=0.5)
    expected = {'params': start.params, 'batch_stats': start.batch_stats}
    assert jax.tree.all(jax.tree.map(np.array_equal, start.ema, expected))
    for number, state in enumerate(trained(start, 12)):
        share = min(decay, (1 + number) / (10 + number))
        now = {'params': state.params, 'batch_stats': state.batch_stats}
        kept = jax.tree.map(lambda old, share=share: share * np.float64(old), expected)
        expected = jax.tree.map(lambda old, new, share=share: old + (1 - share) * np.float64(new), kept, now)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), state.ema, expected)
    assert set(state.averaged()) == {'params', 'batch_stats'} and state.averaged()['params'] is state.ema['params']
    assert not np.allclose(state.ema['batch_stats']['BatchNorm_0']['mean'], state.batch_stats['BatchNorm_0']['mean'])


def test_without_an_average_nothing_is_kept():
    plain, averaged = create(norm=True), create(norm=True, ema_decay=0.9)
    assert plain.ema == {} and plain.averaged()['params'] is plain.params
    assert set(create().averaged()) == set(create(ema_decay=0.9).averaged()) == {'params'}
    extra = len(jax.tree.leaves((plain.params, plain.batch_stats)))
    assert len(jax.tree.leaves(averaged)) == len(jax.tree.leaves(plain)) + extra
    for one, other in zip(trained(plain, 3), trained(averaged, 3), strict=True):
        leaves = jax.tree.leaves(one), jax.tree.leaves(other.replace(ema={}))
        assert all(np.array_equal(a, b) for a, b in zip(*leaves, strict=True))


def test_bfloat16_parameters_are_averaged_in_float32():
    """1 -> 2 with decay 0.999 over 1,000 updates is 2 - 0.999**1000 = 1.632305; in bfloat16 the average never moves."""
    start = {'params': {'w': jnp.ones(())}, 'batch_stats': {}}
    now = {'params': {'w': jnp.asarray(2.0, jnp.bfloat16)}, 'batch_stats': {}}
    found = jax.lax.fori_loop(0, 1000, lambda _, average: moved_average(average, now, 0.999), start)['params']['w']
    assert found.dtype == jnp.float32 and float(found) == pytest.approx(1.632305, abs=1e-5)
    module = Net()
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), module.init(jax.random.key(0), jnp.ones((1, 3))))
    tx = build_optimizer({'name': 'sgd', 'learning_rate': 0.1}, 10, 100)
    state = TrainState.from_variables(module, half, tx, ema_decay=0.9)
    state = state.apply_gradients(jax.tree.map(jnp.ones_like, state.params))
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {jnp.dtype(jnp.bfloat16)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state.ema)} == {jnp.dtype(jnp.float32)}


def test_vectors_of_a_power_iteration_are_not_averaged():
    """The mean of two orthogonal unit vectors has norm 0.707."""
    old, new = ({'params': {}, 'batch_stats': {'layer': {'u': jnp.array(u), 'mean': jnp.array(u)}}} for u in np.eye(2))
    found = moved_average(old, new, 0.5)['batch_stats']['layer']
    np.testing.assert_array_equal(found['u'], [0, 1])
    np.testing.assert_array_equal(found['mean'], [0.5, 0.5])


@pytest.mark.parametrize(('decay', 'updates'), [(0.5, 12), (0.998, 3), (0.9999, 860), (0.9, 0)])
def test_how_much_of_the_start_is_left(decay, updates):
    """What is 1 at the start and 0 ever after."""
    left = 1.0
    for number in range(updates):
        left *= float(ramped(decay, jnp.int32(number)))
    assert start_left(decay, updates) == pytest.approx(left, rel=1e-4, abs=1e-30)
    assert start_left(0.998, 3) == pytest.approx(1 / 10 * 2 / 11 * 3 / 12)
