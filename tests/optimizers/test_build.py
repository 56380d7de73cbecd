"""Clipping, decay, masks, groups and frozen parts; every wrong block is one clear line."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
import pytest

from jaxlab.errors import UserError
from jaxlab.optimizers import OPTIMIZERS, build_optimizer, optimizer_fields


@pytest.fixture
def params():
    return {
        'Dense_0': {'kernel': jnp.array([[1.0, -2.0], [3.0, 0.0]]), 'bias': jnp.array([0.5, -0.5])},
        'BatchNorm_0': {'scale': jnp.array([1.0, 1.0]), 'bias': jnp.array([0.0, -0.0])},
        'Dense_1': {'kernel': jnp.array([[4.0], [-1.0]]), 'bias': jnp.array([2.0])},
    }


def change(block, params, grads=None):
    """The update of the first step."""
    tx = build_optimizer({'name': 'sgd', 'learning_rate': 1.0} | block, 10, 100)
    grads = jax.tree.map(np.ones_like, params) if grads is None else grads
    return tx.update(grads, tx.init(params), params)[0]


def jitted(rule):
    """The same rule, each of its two functions one program."""
    return optax.GradientTransformation(jax.jit(rule.init), jax.jit(rule.update))


def same(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)


def test_clip_norm(params):
    norm = 13**0.5  # 13 entries, gradient 1 each
    same(change({'clip_norm': 1.0}, params), jax.tree.map(lambda p: np.full_like(p, -1 / norm), params))
    same(change({'clip_norm': 10.0}, params), jax.tree.map(lambda p: -np.ones_like(p), params))


def test_clip_value_comes_before_clip_norm(params):
    grads = jax.tree.map(lambda p: np.full_like(p, -5.0), params)
    same(change({'clip_value': 2.0}, params, grads), jax.tree.map(lambda p: np.full_like(p, 2.0), params))
    both = change({'clip_value': 2.0, 'clip_norm': 1.0}, params, grads)
    same(both, jax.tree.map(lambda p: np.full_like(p, 1 / 13**0.5), params))


def test_coupled_decay_is_added_after_clipping(params):
    """PyTorch clips `.grad` and adds the decay in `step()`."""
    found = change({'clip_norm': 1.0, 'weight_decay': 0.1}, params)
    same(found, jax.tree.map(lambda p: -1 / 13**0.5 - 0.1 * np.asarray(p), params))


@pytest.mark.parametrize('mode', ['coupled', 'decoupled'])
def test_decay_of_kernels_only(params, mode):
    found = change({'weight_decay': 0.1, 'weight_decay_mode': mode, 'weight_decay_mask': 'kernels'}, params)
    assert found['Dense_0']['kernel'][0, 1] == pytest.approx(-1 + 0.2)
    np.testing.assert_array_equal(found['Dense_0']['bias'], -1.0)
    np.testing.assert_array_equal(found['BatchNorm_0']['scale'], -1.0)


def test_l1_on_kernels_and_on_all(params):
    found = change({'l1': 0.5}, params)
    np.testing.assert_array_equal(found['Dense_0']['kernel'], [[-1.5, -0.5], [-1.5, -1.0]])  # sign(0) = 0
    np.testing.assert_array_equal(found['Dense_0']['bias'], [-1.0, -1.0])
    np.testing.assert_array_equal(change({'l1': 0.5, 'l1_mask': 'all'}, params)['Dense_0']['bias'], [-1.5, -0.5])


def test_l1_is_the_gradient_of_the_penalty(params):
    loss = lambda p: 0.01 * sum(jnp.abs(layer['kernel']).sum() for layer in (p['Dense_0'], p['Dense_1']))
    params['Dense_0']['kernel'] += 0.25
    zeros = jax.tree.map(np.zeros_like, params)
    same(change({'l1': 0.01}, params, zeros), jax.tree.map(np.negative, jax.jit(jax.grad(loss))(params)))


def test_groups_override_and_first_match_wins(params):
    block = {'groups': (('Dense_1/bias', {'learning_rate': 3.0}), ('Dense_1', {'learning_rate': 2.0}))}
    found = change(block, params)
    np.testing.assert_array_equal(found['Dense_1']['bias'], -3.0)
    np.testing.assert_array_equal(found['Dense_1']['kernel'], -2.0)
    np.testing.assert_array_equal(found['Dense_0']['kernel'], -1.0)


def test_groups_with_masks_and_another_rule(params):
    block = {
        'name': 'adam',
        'b1': 0.5,
        'weight_decay': 0.1,
        'weight_decay_mask': 'kernels',
        'groups': (('^Dense_1/', {'name': 'sgd', 'learning_rate': 2.0}),),
    }
    found = change(block, params)
    np.testing.assert_allclose(found['Dense_0']['bias'], -1.0, rtol=1e-5)
    np.testing.assert_allclose(found['Dense_1']['kernel'][:, 0], [-2 * 1.4, -2 * 0.9], rtol=1e-6)
    np.testing.assert_allclose(found['Dense_1']['bias'], -2.0)


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_frozen_leaves_are_identical_to_the_bit(params, name):
    block = {'name': name, 'learning_rate': 0.1, 'weight_decay': 0.1, 'l1': 0.1, 'clip_norm': 1.0}
    block['groups'] = (('BatchNorm|Dense_0', 'freeze'),)
    tx = build_optimizer(block, 10, 100)
    state, now = tx.init(params), params
    grads = jax.tree.map(jnp.ones_like, params)
    grads['Dense_0']['kernel'] = jnp.full((2, 2), jnp.nan)  # not even read
    for _ in range(3):
        updates, state = jax.jit(tx.update)(grads, state, now)
        now = optax.apply_updates(now, updates)
    for layer in ('BatchNorm_0', 'Dense_0'):
        for leaf in params[layer]:
            assert np.asarray(now[layer][leaf]).tobytes() == np.asarray(params[layer][leaf]).tobytes()
    assert np.isfinite(now['Dense_1']['kernel']).all()
    assert (now['Dense_1']['kernel'] != params['Dense_1']['kernel']).all()


def test_frozen_gradients_do_not_count_in_the_norm(params):
    found = change({'clip_norm': 1.0, 'groups': (('BatchNorm|Dense_0', 'freeze'),)}, params)
    np.testing.assert_allclose(found['Dense_1']['bias'], -1 / 3**0.5, rtol=1e-6)


def test_groups_share_one_clipped_norm(params):
    found = change({'clip_norm': 1.0, 'groups': (('Dense_1', {'learning_rate': 2.0}),)}, params)
    np.testing.assert_allclose(found['Dense_1']['bias'], -2 / 13**0.5, rtol=1e-6)


def test_schedule_multiplies_the_rate(params):
    block = {'name': 'sgd', 'learning_rate': 2.0, 'schedule': 'linear', 'warmup': 4}
    tx = build_optimizer(block, 10, 100)
    state, sizes = tx.init(params), []
    for _ in range(100):
        updates, state = tx.update(jax.tree.map(jnp.ones_like, params), state, params)
        sizes.append(-float(updates['Dense_1']['bias'][0]))
    assert sizes[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert sizes[4] == pytest.approx(2.0)
    assert sizes[-1] == pytest.approx(2.0 / 96, rel=1e-4)


def test_takes_a_config_dict_and_leaves_none_out(params):
    block = ml_collections.ConfigDict(
        {
            'name': 'sgd',
            'learning_rate': 1.0,
            'momentum': None,
            'b1': None,
            'schedule_options': {},
            'plateau': None,
            'clip_norm': None,
            'groups': (('Dense_1', {'learning_rate': 2.0}),),
        }
    )
    np.testing.assert_array_equal(change(block.to_dict(), params)['Dense_1']['bias'], -2.0)
    build_optimizer(block, 10, 100).init(params)


def test_fields_cover_every_option():
    fields = optimizer_fields()
    assert len(set(fields)) == len(fields)
    assert {'momentum', 'eps_mode', 'groups', 'plateau', 'clip_norm', 'schedule_options', 'decay'} <= set(fields)


WRONG = [
    ({'name': 'adamm'}, "did you mean 'adam'"),
    ({'name': 'sgd', 'learning_rat': 1}, "did you mean 'learning_rate'"),
    ({'name': 'sgd', 'b1': 0.9}, "unknown to 'sgd'"),
    ({'name': 'adam', 'eps_mode': 'out'}, "did you mean 'outside'"),
    ({'name': 'rmsprop', 'eps_mode': 'keras'}, 'valid: outside, inside'),
    ({'name': 'adam', 'b1': 1.0}, 'below 1'),
    ({'name': 'adam', 'learning_rate': -1.0}, 'a number from 0'),
    ({'name': 'adam', 'learning_rate': '1e-3'}, 'a number from 0'),
    ({'name': 'adam', 'learning_rate': None}, 'learning_rate is missing'),
    ({'name': None}, 'name is missing'),
    ({'name': 'sgd', 'nesterov': True}, 'momentum above 0'),
    ({'name': 'adamw', 'weight_decay_mode': 'coupled'}, 'contradicts'),
    ({'name': 'sgd', 'weight_decay_mask': 'kernel'}, "did you mean 'kernels'"),
    ({'name': 'sgd', 'clip_norm': -1}, 'above 0'),
    ({'name': 'sgd', 'groups': (('Dense_2', 'freeze'),)}, 'Dense_0/kernel'),
    ({'name': 'sgd', 'groups': (('Dense', 'freeze'), ('Dense_1', {}))}, 'earlier pattern'),
    ({'name': 'sgd', 'groups': (('Dense(', 'freeze'),)}, 'regular expression'),
    ({'name': 'sgd', 'groups': (('Dense_0', 'frozen'),)}, "or 'freeze'"),
    ({'name': 'sgd', 'groups': ('Dense_0',)}, 'not a pair'),
    ({'name': 'sgd', 'groups': (('Dense_0', {'clip_norm': 1.0}),)}, 'whole network'),
    ({'name': 'sgd', 'groups': (('Dense_0', {'b1': 0.5}),)}, "unknown to 'sgd'"),
    ({'name': 'sgd', 'schedule': 'cosin'}, "did you mean 'cosine'"),
    ({'name': 'sgd', 'schedule': 'step'}, "'every' is missing"),
    ({'name': 'sgd', 'schedule': 'cosine', 'schedule_options': {'flor': 0.1}}, "did you mean 'floor'"),
    ({'name': 'sgd', 'schedule': 'rsqrt'}, "'timescale' is missing"),
    ({'name': 'sgd', 'schedule': 'step', 'schedule_options': {'every': 2, 'unit': 'epoch'}}, "did you mean 'epochs'"),
]


@pytest.mark.parametrize(('block', 'words'), WRONG, ids=lambda value: str(value)[:50])
def test_wrong_blocks_are_one_clear_line(params, block, words):
    with pytest.raises(UserError) as error:
        build_optimizer({'learning_rate': 0.1} | block, 10, 100).init(params)
    assert words in str(error.value)
    assert '\n' not in str(error.value)
    assert 'config.optimizer' in str(error.value)


def test_errors_name_the_networks_block(params):
    with pytest.raises(UserError, match=r'config\.optimizer\.generator\.b1 is unknown'):
        build_optimizer({'name': 'sgd', 'learning_rate': 0.1, 'b1': 0.5}, 10, 100, where='optimizer.generator')
    tx = build_optimizer(
        {'name': 'sgd', 'learning_rate': 0.1, 'groups': (('x', 'freeze'),)}, 10, 100, 'optimizer.critic'
    )
    with pytest.raises(UserError, match=r'config\.optimizer\.critic\.groups: .x. matches no parameter'):
        tx.init(params)


def test_proximal_l1_is_soft_thresholding(params):
    """A plain step, then sign(w) max(|w| - rate * strength, 0): exact zeros; kernels only, or all."""
    block = {'name': 'sgd', 'learning_rate': 0.5, 'l1': 0.2, 'l1_mode': 'proximal'}
    params = jax.device_get(params)
    grads = jax.tree.map(lambda p: np.float32(0.3) * np.cos(p), params)
    for mask in ('all', 'kernels'):
        rule = build_optimizer({**block, 'l1_mask': mask}, 1, 1)
        updates, _ = rule.update(grads, rule.init(params), params)
        found = jax.tree_util.tree_leaves_with_path(optax.apply_updates(params, updates))
        for (path, value), start, slope in zip(found, jax.tree.leaves(params), jax.tree.leaves(grads), strict=True):
            plain = start - 0.5 * slope
            soft = np.sign(plain) * np.maximum(np.abs(plain) - 0.1, 0)
            shrunk = mask == 'all' or 'kernel' in str(path)
            np.testing.assert_allclose(value, soft if shrunk else plain, rtol=1e-6, atol=1e-7)
    small = {'w_kernel': jnp.array([0.05, -0.05, 1.0])}
    rule = build_optimizer(block, 1, 1)
    updates, _ = rule.update(jax.tree.map(jnp.zeros_like, small), rule.init(small), small)
    reached = optax.apply_updates(small, updates)['w_kernel']
    assert reached[0] == reached[1] == 0 and float(reached[2]) == pytest.approx(0.9)


def test_the_proximal_step_follows_the_schedule():
    """Rate 1, strength 0.8, a straight line to 0 over 4 updates: thresholds 0.8, 0.6, 0.4, 0.2 (no gradient)."""
    block = {'name': 'sgd', 'learning_rate': 1.0, 'l1': 0.8, 'l1_mode': 'proximal', 'schedule': 'linear'}
    rule = build_optimizer(block, 4, 4)
    weights = {'kernel': jnp.array([5.0, -5.0])}
    state, sizes = rule.init(weights), []
    for _ in range(4):
        updates, state = rule.update(jax.tree.map(jnp.zeros_like, weights), state, weights)
        sizes.append(np.abs(updates['kernel']))
        weights = optax.apply_updates(weights, updates)
    np.testing.assert_allclose(sizes, np.outer([0.8, 0.6, 0.4, 0.2], [1, 1]), rtol=1e-5)
    np.testing.assert_allclose(weights['kernel'], [3.0, -3.0], rtol=1e-5)


@pytest.mark.parametrize('change_of', ['weight_decay', 'l1', 'proximal'])
def test_embeddings_are_decayed_as_kernels_are(change_of):
    """What multiplies activations: kernels and embeddings; biases and scales of norms are left alone."""
    kinds = {'embedding': True, 'kernel': True, 'recurrent_kernel': True, 'bias': False, 'scale': False}
    tree = {'Embed_0': {name: jnp.array([2.0, -2.0]) for name in kinds}}
    block = {
        'weight_decay': {'weight_decay': 0.25, 'weight_decay_mask': 'kernels'},
        'l1': {'l1': 0.5, 'l1_mask': 'kernels'},
        'proximal': {'l1': 0.5, 'l1_mask': 'kernels', 'l1_mode': 'proximal'},
    }[change_of]
    found = change(block, tree, jax.tree.map(jnp.zeros_like, tree))['Embed_0']
    for name, decayed in kinds.items():
        np.testing.assert_allclose(found[name], [-0.5, 0.5] if decayed else [0.0, 0.0], err_msg=name)


@pytest.mark.parametrize(
    'block',
    [
        {'name': 'sgd', 'learning_rate': 0.1, 'momentum': 0.9, 'clip_norm': 0.5},
        {'name': 'adam', 'learning_rate': 0.01, 'schedule': 'cosine', 'warmup': 1},
        {'name': 'adamw', 'learning_rate': 0.01, 'groups': (('bias', 'freeze'),)},
    ],
)
def test_accumulated_batches_are_one_large_batch(block):
    """Three times four batches move the parameters as three batches of their means do; in between nothing moves."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        start = {'kernel': rng.normal(size=(3, 2)), 'bias': rng.normal(size=2)}
        grads = jax.tree.map(lambda leaf: rng.normal(size=(12, *leaf.shape)), start)
        small, large = (
            jitted(build_optimizer({**block, 'accumulate': 4}, 8, 12)),
            jitted(build_optimizer(block, 2, 3)),
        )
        params, state, seen = start, small.init(start), []
        for step in range(12):
            updates, state = small.update(jax.tree.map(lambda leaf: leaf[step], grads), state, params)
            params = jax.tree.map(np.add, params, updates)
            seen.append(params['kernel'])
        whole, state = start, large.init(start)
        for step in range(3):
            mean = jax.tree.map(lambda leaf: leaf[4 * step : 4 * step + 4].mean(0), grads)
            updates, state = large.update(mean, state, whole)
            whole = jax.tree.map(np.add, whole, updates)
            np.testing.assert_allclose(seen[4 * step + 3], whole['kernel'], rtol=1e-7)  # means in float32
        np.testing.assert_array_equal(seen[4], seen[3])
        np.testing.assert_allclose(params['bias'], whole['bias'], rtol=1e-7)


@pytest.mark.parametrize('batches', [0, 1.5, True])
def test_how_many_batches(batches):
    with pytest.raises(UserError, match=r'config\.optimizer\.accumulate is .*valid: a whole number from 1 up'):
        build_optimizer({'name': 'sgd', 'learning_rate': 0.1, 'accumulate': batches}, 1, 1)


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'eps': -1e-8}, 'eps is -1e-08; valid: a number from 0'),
        (
            {'schedule': 'cosine', 'schedule_options': {'start': 5, 'end': 2}},
            "'start' .* lies behind 'end' .*both in steps",
        ),
        ({'schedule': 'step', 'schedule_options': {'every': 0}}, "'every' must be at least one step, got 0"),
    ],
)
def test_numbers_that_cannot_be(changes, says):
    with pytest.raises(UserError, match=says):
        build_optimizer({'name': 'adam', 'learning_rate': 0.1, **changes}, 1, 10)


def test_a_group_keeps_the_options_that_it_does_not_name():
    """Momentum 0.9 everywhere, another rate for the bias: its second step is 1.9 times its first."""
    rule = build_optimizer(
        {'name': 'sgd', 'learning_rate': 1.0, 'momentum': 0.9, 'groups': (('bias', {'learning_rate': 0.5}),)}, 1, 2
    )
    params = {'kernel': jnp.ones(2), 'bias': jnp.ones(2)}
    grads, state = jax.tree.map(jnp.ones_like, params), rule.init(params)
    first, state = rule.update(grads, state, params)
    second, _ = rule.update(grads, state, params)
    np.testing.assert_allclose(first['bias'], -0.5)
    np.testing.assert_allclose(second['bias'], -0.5 * 1.9, rtol=1e-6)
