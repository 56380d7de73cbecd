"""Spectral normalisation: goldens, NumPy's singular values, PyTorch, and what evaluation may not change."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict
from jax.test_util import check_grads

from jaxlab.layers import BatchNorm, Conv, Dense, Dropout, SpectralNorm, spectral
from jaxlab.layers.spectral import power_iteration
from jaxlab.optimizers import TrainState
from jaxlab.training import model_table
from tests.models.drawn import numbers, started

X = numbers(5, 6, 6, 2)


class Judge(nn.Module):
    """A convolution, batch norm, dropout, a dense layer."""

    @nn.compact
    def __call__(self, x, train=False, weight=None):
        x = Conv(4, 3, 2, bias_init=nn.initializers.ones, name='conv')(x)
        x = Dropout(0.5)(BatchNorm(name='norm')(x, train, weight), train)
        return Dense(1, name='score')(x.reshape(len(x), -1))[:, 0]


@pytest.fixture(scope='module')
def start():
    return started(SpectralNorm(Judge()), X, seed=1)


def test_goldens():
    """diag(3, 1) from u = (1, 1) / sqrt 2: 2.863564 after one round, 3 in the end."""
    matrix, u = jnp.diag(jnp.array([3.0, 1.0])), jnp.ones(2) / jnp.sqrt(2.0)
    power_iteration = jax.jit(spectral.power_iteration, static_argnums=2)
    value, after = power_iteration(matrix, u)
    assert float(value) == pytest.approx(2.863564, abs=1e-6)
    np.testing.assert_allclose(after, np.array([9.0, 1.0]) / np.sqrt(82), rtol=1e-6)
    assert float(power_iteration(matrix, u, 20)[0]) == pytest.approx(3, abs=1e-6)
    assert float(power_iteration(matrix, u, 0)[0]) == pytest.approx(np.sqrt(5), abs=1e-6)  # |W u|
    np.testing.assert_array_equal(power_iteration(matrix, u, 0)[1], u)


def test_a_kernel_of_zeros_stays_finite():
    value, u = power_iteration(jnp.zeros((3, 2)), jnp.array([1.0, 0.0]))
    assert float(value) == 0 and np.isfinite(u).all()


@pytest.mark.usefixtures('float64')
def test_gradient_with_constant_vectors():
    rng = np.random.default_rng(0)
    matrix, u = jnp.asarray(rng.normal(size=(4, 3))), jnp.asarray(rng.normal(size=3))
    _, after = power_iteration(matrix, u, 60)
    check_grads(jax.jit(lambda m: power_iteration(m, after, 30)[0]), (matrix,), order=1, modes=('rev',))
    slope = jax.grad(lambda m: power_iteration(m, after)[0])(matrix)
    left, _, right = np.linalg.svd(matrix)
    np.testing.assert_allclose(slope, np.outer(left[:, 0], right[0]), rtol=1e-6)


def test_every_kernel_has_norm_one(start):
    """As the network's own layers see them: applied to unit vectors and pictures. Biases and scales are as they were."""
    seen = {}

    def note(call, args, kwargs, context):
        if context.module.path and context.module.path[-1] in ('conv', 'score', 'norm'):
            seen[context.module.path[-1]] = context.module.variables['params']
        return call(*args, **kwargs)

    @jax.jit
    def looked(variables):
        with nn.intercept_methods(note):
            SpectralNorm(Judge()).apply(variables, X)
        return dict(seen)

    seen = looked(start)
    for name in ('conv', 'score'):
        kernel = np.asarray(seen[name]['kernel'])
        largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert largest == pytest.approx(1, abs=2e-2)
        raw = np.asarray(start['params']['network'][name]['kernel'])
        assert np.linalg.svd(raw.reshape(-1, raw.shape[-1]), compute_uv=False)[0] != pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(seen['conv']['bias'], 1)
    np.testing.assert_array_equal(seen['norm']['scale'], 1)


def test_initialisation_is_the_networks_own(start):
    """Parameters come out as they were drawn, not divided."""
    shapes = jax.tree.map(jnp.shape, jax.eval_shape(Judge().init, jax.random.key(1), X)['params'])
    assert jax.tree.map(jnp.shape, start['params']['network']) == shapes
    kernel = np.asarray(start['params']['network']['conv']['kernel'])
    assert np.std(kernel) == pytest.approx((3 * 3 * 2) ** -0.5, rel=0.3)  # lecun_normal


def test_training_turns_the_vectors_and_evaluation_changes_nothing(start):
    module = SpectralNorm(Judge())
    first = {**start, 'batch_stats': {**start['batch_stats'], 'u': jax.tree.map(_turned, start['batch_stats']['u'])}}
    apply = jax.jit(module.apply, static_argnames=('train', 'mutable'))
    _, kept = apply(first, X, train=False, mutable='batch_stats')
    jax.tree.map(np.testing.assert_array_equal, kept['batch_stats'], first['batch_stats'])
    rngs = {'dropout': jax.random.key(2)}
    _, moved = apply(first, X, train=True, mutable='batch_stats', rngs=rngs)
    u, before = (flatten_dict(tree['batch_stats']['u']) for tree in (moved, first))
    assert set(u) == {('conv', 'kernel'), ('score', 'kernel')}
    kernel = start['params']['network']['conv']['kernel'].reshape(-1, 4)
    np.testing.assert_allclose(
        u['conv', 'kernel'], power_iteration(kernel, before['conv', 'kernel'])[1], rtol=1e-5, atol=1e-6
    )
    assert not np.array_equal(u['conv', 'kernel'], before['conv', 'kernel'])
    mean = moved['batch_stats']['network']['norm']['mean']
    assert np.abs(mean).max() > 0  # statistics of the network itself are followed as well


def _turned(vector):
    turned = jnp.roll(vector, 1) + 0.3
    return turned / jnp.linalg.norm(turned)


def test_vectors_are_no_part_of_a_moving_average(start):
    """Averaged they would be shorter than 1 and the kernels longer."""
    module = SpectralNorm(Judge())
    turned = {**start['batch_stats'], 'u': jax.tree.map(_turned, start['batch_stats']['u'])}
    state = TrainState.from_variables(module, {**start, 'batch_stats': turned}, optax.sgd(0.1), ema_decay=0.9)
    state = state.apply_gradients(jax.tree.map(jnp.ones_like, state.params), {'batch_stats': start['batch_stats']})
    jax.tree.map(np.testing.assert_array_equal, state.averaged()['batch_stats']['u'], start['batch_stats']['u'])
    for vector in jax.tree.leaves(state.averaged()['batch_stats']['u']):
        assert float(jnp.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)


def test_its_layers_stand_in_the_model_table(start):
    table = {
        row['path']: row for row in model_table.rows(SpectralNorm(Judge()), jax.ShapeDtypeStruct((1, 6, 6, 2), X.dtype))
    }
    assert table['network/conv']['parameters'] == 3 * 3 * 2 * 4 + 4
    assert table['network/conv']['multiply_adds'] == 9 * 72
    assert sum(row['parameters'] for row in table.values()) == model_table.total(start)
    assert table['SpectralNorm']['statistics'] == 4 + 1


@pytest.mark.parity
def test_equals_torch():
    """A dense layer of both, five training steps of power iteration, then evaluation."""
    torch = pytest.importorskip('torch')
    layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(7, 4))
    raw = layer.parametrizations.weight
    own = raw[0]

    class One(nn.Module):
        @nn.compact
        def __call__(self, x, train=False, weight=None):
            return Dense(4, name='dense')(x)

    x = torch.randn(3, 7)
    examples = jnp.asarray(x.numpy())
    params = {'dense': {'kernel': raw.original.detach().numpy().T, 'bias': layer.bias.detach().numpy()}}
    variables = {
        'params': {'network': params},
        'batch_stats': {'u': {'dense': {'kernel': own._u.detach().numpy()}}},
    }
    module = SpectralNorm(One())
    for _ in range(40):  # until both have the singular vectors: PyTorch's rounds begin with the other one of the two
        layer(x)
        _, moved = module.apply(variables, examples, train=True, mutable=['batch_stats'])
        variables = {**variables, **moved}
    ours, _ = module.apply(variables, examples, train=True, mutable=['batch_stats'])
    np.testing.assert_allclose(ours, layer(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        np.abs(variables['batch_stats']['u']['dense']['kernel']), np.abs(own._u.numpy()), rtol=1e-3, atol=1e-4
    )

    def loss(params):
        return jnp.square(module.apply({**variables, 'params': {'network': params}}, examples)).sum()

    slope = jax.grad(loss)(params)['dense']['kernel']
    layer.eval()
    layer(x).square().sum().backward()
    np.testing.assert_allclose(slope, raw.original.grad.numpy().T, rtol=2e-3, atol=2e-4)
