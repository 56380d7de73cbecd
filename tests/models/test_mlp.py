"""The MLP: parameter counts and starting bounds of the specs, padding, and equality with PyTorch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.mlp import MLP, glorot_bound
from tests.models.drawn import numbers

IMAGES = jnp.zeros((2, 28, 28, 1))


def start(model, seed=0, x=IMAGES):
    return jax.jit(model.init, static_argnames='train')(jax.random.key(seed), x, train=False)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ('model', 'parameters', 'statistics'),
    [
        (MLP((128,), 10, init_scheme='sklearn'), 101_770, 0),  # A04
        (MLP((128, 64), 10), 109_386, 0),  # B03
        (MLP((256, 128, 64), 10, init_scheme='xavier', batch_norm=True, dropout=0.2), 243_658, 896),  # B01
        (MLP((512, 256), 10), 535_818, 0),  # B01, the architecture of its text
        (MLP((), 10), 7_850, 0),  # softmax regression
    ],
)
def test_counts(model, parameters, statistics):
    variables = jax.eval_shape(lambda: start(model))
    assert count(variables['params']) == parameters
    assert count(variables.get('batch_stats', {})) == statistics


def bounds(params, low, high):
    """Uniform: nothing outside +-high, and the largest of many draws close to it."""
    values = np.abs(np.asarray(params))
    assert values.max() <= high
    assert values.max() >= low


def test_sklearn_start():
    """A04: weights AND biases in +-sqrt(6 / (fan_in + fan_out))."""
    assert glorot_bound(784, 128) == pytest.approx(0.0811107106, abs=1e-10)
    assert glorot_bound(128, 10) == pytest.approx(0.2085144141, abs=1e-10)
    params = start(MLP((128,), 10, init_scheme='sklearn'))['params']
    bounds(params['Dense_0']['kernel'], 0.0811, 0.08111072)
    bounds(params['Dense_0']['bias'], 0.078, 0.08111072)
    bounds(params['Dense_1']['kernel'], 0.2075, 0.20851442)
    bounds(params['Dense_1']['bias'], 0.1, 0.20851442)
    # The expected sums of squares are n bound^2 / 3; A04's own draw gave 219.57 and 18.73.
    assert float(jnp.square(params['Dense_0']['kernel']).sum()) == pytest.approx(219.57, rel=0.02)
    assert float(jnp.square(params['Dense_1']['kernel']).sum()) == pytest.approx(18.73, rel=0.1)


def test_xavier_start():
    """B01: Glorot-uniform kernels (last one within 0.2847474, deviation 0.1644), biases as in PyTorch."""
    params = start(MLP((256, 128, 64), 10, init_scheme='xavier', batch_norm=True))['params']
    bounds(params['Dense_0']['kernel'], 0.0759, 0.07595546)
    bounds(params['Dense_3']['kernel'], 0.28, 0.2847475)
    assert float(params['Dense_3']['kernel'].std()) == pytest.approx(0.164399, rel=0.08)
    bounds(params['Dense_0']['bias'], 0.034, 784**-0.5)


def test_torch_and_keras_starts():
    params = start(MLP((128, 64), 10))['params']
    bounds(params['Dense_0']['kernel'], 0.0357, 784**-0.5)
    bounds(params['Dense_0']['bias'], 0.034, 784**-0.5)
    params = start(MLP((128, 64), 10, init_scheme='keras'))['params']
    bounds(params['Dense_0']['kernel'], 0.0811, 0.08111072)
    assert not params['Dense_0']['bias'].any()


def test_padding_never_enters_a_statistic():
    model = MLP((8, 4), 3, batch_norm=True)
    x = numbers(6, 5, seed=1)
    variables = start(model, x=x)
    padded = jnp.concatenate([x, jnp.full((2, 5), 1e3)])
    weight = jnp.array([1.0] * 6 + [0.0] * 2)
    apply = jax.jit(lambda x, weight: model.apply(variables, x, train=True, weight=weight, mutable=['batch_stats']))
    logits, updates = apply(x, None)
    found, others = apply(padded, weight)
    np.testing.assert_allclose(found[:6], logits, rtol=2e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), updates, others)


def test_dropout_only_in_training():
    model = MLP((64,), 3, dropout=0.5)
    x = jnp.ones((4, 5))
    variables = start(model, x=x)
    draw = jax.jit(lambda seed: model.apply(variables, x, train=True, rngs={'dropout': jax.random.key(seed)}))
    assert not np.array_equal(draw(0), draw(1))
    np.testing.assert_array_equal(draw(0), draw(0))
    plain = model.apply(variables, x, train=False)
    np.testing.assert_array_equal(plain, MLP((64,), 3).apply(variables, x, train=True))


def test_bfloat16_computation_keeps_float32_parameters_and_logits():
    """What is computed in between is rounded to eight bits, so it is not the same as in float32."""
    model = MLP((8,), 3, batch_norm=True, dtype=jnp.bfloat16)
    variables = start(model)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
    apply = lambda model: jax.jit(partial(model.apply, train=False))(variables, IMAGES)
    logits, whole = apply(model), apply(MLP((8,), 3, batch_norm=True))
    assert logits.dtype == whole.dtype == jnp.float32
    assert 0 < float(jnp.abs(logits - whole).max()) < 0.05 * float(jnp.abs(whole).max())


def test_wrong_names_are_one_clear_line():
    with pytest.raises(UserError, match="did you mean 'sklearn'"):
        start(MLP((8,), 3, init_scheme='sklear'))
    with pytest.raises(UserError, match='unknown activation'):
        start(MLP((8,), 3, activation='tanhh'))


@pytest.mark.parity
def test_equals_torch():
    """B01's network with the same weights: logits in training and evaluation, running statistics."""
    torch = pytest.importorskip('torch')
    model = MLP((16, 8), 4, batch_norm=True)
    x = numbers(12, 20)
    variables = start(model, x=x)
    layers = []
    for i, (inputs, outputs) in enumerate([(20, 16), (16, 8), (8, 4)]):
        linear = torch.nn.Linear(inputs, outputs)
        linear.weight.data = torch.tensor(np.array(variables['params'][f'Dense_{i}']['kernel'])).T
        linear.bias.data = torch.tensor(np.array(variables['params'][f'Dense_{i}']['bias']))
        layers += [linear] + ([torch.nn.BatchNorm1d(outputs), torch.nn.ReLU()] if i < 2 else [])
    reference = torch.nn.Sequential(*layers)
    logits, updates = model.apply(variables, x, train=True, mutable=['batch_stats'])
    np.testing.assert_allclose(logits, reference(torch.tensor(np.array(x))).detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        updates['batch_stats']['BatchNorm_1']['var'], reference[4].running_var.numpy(), rtol=1e-4, atol=1e-6
    )
    after = model.apply(variables | updates, x, train=False)
    np.testing.assert_allclose(after, reference.eval()(torch.tensor(np.array(x))).detach(), rtol=1e-4, atol=1e-5)
