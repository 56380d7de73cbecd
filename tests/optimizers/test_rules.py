"""Every update rule against its golden trace (spec B04), its closed form in NumPy, and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.optimizers import OPTIMIZERS, build_optimizer

pytestmark = pytest.mark.usefixtures('float64')

# f(w) = w^2 / 2 from w = 1: w after steps 1 to 5 (spec B04)
TRACES = [
    ({'name': 'sgd', 'learning_rate': 1e-3}, [0.999, 0.998001, 0.997002999, 0.996005996, 0.995009990]),
    (
        {'name': 'sgd', 'learning_rate': 0.01, 'momentum': 0.9},
        [0.99, 0.9711, 0.944379, 0.91088631, 0.871634026],
    ),
    (
        {'name': 'adam', 'learning_rate': 1e-3},
        [0.99900000001, 0.998000026224, 0.997000096080, 0.996000226946, 0.995000436077],
    ),
    (
        {'name': 'rmsprop', 'learning_rate': 1e-3},
        [0.990000001, 0.982946723, 0.977191094, 0.972205892, 0.967744674],
    ),
    (
        {'name': 'rmsprop', 'learning_rate': 1e-3, 'decay': 0.9, 'eps_mode': 'inside'},
        [0.996837722, 0.994547010, 0.992630675, 0.990930678, 0.989373661],
    ),
    (
        {'name': 'adam', 'learning_rate': 1e-3, 'weight_decay': 0.01},
        [0.999000000010, 0.998000026224, 0.997000096080, 0.996000226945, 0.995000436077],
    ),
    (
        {'name': 'adamw', 'learning_rate': 1e-3, 'weight_decay': 0.01},
        [0.998990000010, 0.997980036587, 0.996970127345, 0.995960289825, 0.994950541456],
    ),
]


def run(block, params, grad, steps):
    """The parameters after each step."""
    tx = build_optimizer(block, steps_per_epoch=10, total_steps=100)
    state = tx.init(params)

    @jax.jit
    def step(params, state):
        updates, state = tx.update(grad(params), state, params)
        return optax.apply_updates(params, updates), state

    found = []
    for _ in range(steps):
        params, state = step(params, state)
        found.append(params)
    return found


@pytest.mark.parametrize(('block', 'expected'), TRACES, ids=lambda value: str(value)[:60])
def test_golden_trace(block, expected):
    found = run(block, {'w': jnp.float64(1.0)}, lambda p: p, 5)
    digits = [len(f'{value}'.split('.')[1]) for value in expected]
    for step, value, shown in zip(found, expected, digits, strict=True):
        assert abs(float(step['w']) - value) <= 0.51 * 10.0 ** -max(shown, 9)


def test_first_step_of_the_two_rmsprops_differs_by_root_ten():
    outside = 1 - float(run(TRACES[3][0], {'w': jnp.float64(1.0)}, lambda p: p, 1)[0]['w'])
    inside = 1 - float(run(TRACES[4][0], {'w': jnp.float64(1.0)}, lambda p: p, 1)[0]['w'])
    assert outside / inside == pytest.approx(10**0.5, rel=1e-6)


def problem(seed=0):
    """A random convex quadratic in a 4 x 3 kernel and a bias: parameters and the gradient's function."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(15, 15))
    matrix, shift = half @ half.T / 15 + 0.1 * np.eye(15), rng.normal(size=15)
    params = {'Dense_0': {'bias': jnp.asarray(rng.normal(size=3)), 'kernel': jnp.asarray(rng.normal(size=(4, 3)))}}
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    return params, matrix, shift, lambda p: unflatten(matrix @ jax.flatten_util.ravel_pytree(p)[0] - shift)


@pytest.mark.parametrize('steps', [1, 20])
def test_keras_adam(steps):
    """Keras: a = lr sqrt(1 - b2^t) / (1 - b1^t); w -= a m / (sqrt(v) + eps); a large eps tells the forms apart."""
    params, matrix, shift, grad = problem()
    block = {'name': 'adam', 'learning_rate': 0.05, 'eps': 0.1, 'eps_mode': 'keras', 'b1': 0.8, 'b2': 0.95}
    found = run(block, params, grad, steps)[-1]
    w, m, v = np.asarray(jax.flatten_util.ravel_pytree(params)[0]), 0.0, 0.0
    for t in range(1, steps + 1):
        g = matrix @ w - shift
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        w = w - 0.05 * np.sqrt(1 - 0.95**t) / (1 - 0.8**t) * m / (np.sqrt(v) + 0.1)
    np.testing.assert_allclose(jax.flatten_util.ravel_pytree(found)[0], w, rtol=1e-12)


def test_adam_of_scikit_learn_has_the_keras_form():
    """A04's optimizer; a large eps tells it from PyTorch's form."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    weights = [np.array([1.0, -2.0, 3.0])]
    reference = AdamOptimizer(weights, learning_rate_init=0.01, epsilon=1e-3)
    block = {'name': 'adam', 'learning_rate': 0.01, 'eps': 1e-3, 'eps_mode': 'keras'}
    for found in run(block, jnp.asarray(weights[0]), lambda p: 1e-3 * p, 20):
        reference.update_params(weights, [1e-3 * weights[0]])
        np.testing.assert_allclose(found, weights[0], rtol=1e-12)


def test_eps_modes_of_adam_at_the_first_step():
    """One step from g = 1: outside 1 / (1 + e); keras 1 / (1 + e / sqrt(1 - b2)); inside 1 / sqrt(1 + e)."""
    e, b2 = 1e-2, 0.999
    expected = {'outside': 1 / (1 + e), 'keras': 1 / (1 + e / (1 - b2) ** 0.5), 'inside': 1 / (1 + e) ** 0.5}
    for mode, size in expected.items():
        block = {'name': 'adam', 'learning_rate': 1.0, 'eps': e, 'eps_mode': mode}
        assert 1 - float(run(block, {'w': jnp.float64(1.0)}, lambda p: p, 1)[0]['w']) == pytest.approx(size, rel=1e-12)


def test_lion():
    params, matrix, shift, grad = problem(1)
    block = {'name': 'lion', 'learning_rate': 0.01, 'weight_decay': 0.1}
    found = run(block, params, grad, 20)[-1]
    w, m = np.asarray(jax.flatten_util.ravel_pytree(params)[0]), 0.0
    for _ in range(20):
        g = matrix @ w - shift
        w, m = w - 0.01 * (np.sign(0.9 * m + 0.1 * g) + 0.1 * w), 0.99 * m + 0.01 * g
    np.testing.assert_allclose(jax.flatten_util.ravel_pytree(found)[0], w, rtol=1e-12)


def test_lamb():
    """Algorithm 2 of arXiv 1904.00962: Adam's direction plus decay, scaled by |w| / |d| tensor by tensor."""
    params, matrix, shift, grad = problem(2)
    block = {'name': 'lamb', 'learning_rate': 0.01, 'weight_decay': 0.1}
    found = run(block, params, grad, 20)[-1]
    w, m, v = np.asarray(jax.flatten_util.ravel_pytree(params)[0]), 0.0, 0.0
    tensors = (slice(0, 3), slice(3, 15))
    for t in range(1, 21):
        g = matrix @ w - shift
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        d = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.1 * w
        w = w - 0.01 * np.concatenate([d[s] * np.linalg.norm(w[s]) / np.linalg.norm(d[s]) for s in tensors])
    np.testing.assert_allclose(jax.flatten_util.ravel_pytree(found)[0], w, rtol=1e-12)


PAIRS = {  # our block -> (torch.optim's name, its arguments)
    'sgd': ({}, 'SGD', {'lr': 0.01}),
    'sgd-decay': ({'name': 'sgd', 'weight_decay': 0.1}, 'SGD', {'lr': 0.01, 'weight_decay': 0.1}),
    'momentum': ({}, 'SGD', {'lr': 0.01, 'momentum': 0.9}),
    'nesterov': ({}, 'SGD', {'lr': 0.01, 'momentum': 0.9, 'nesterov': True}),
    'momentum-decay': (
        {'name': 'sgd', 'momentum': 0.8, 'weight_decay': 0.1},
        'SGD',
        {'lr': 0.01, 'momentum': 0.8, 'weight_decay': 0.1},
    ),
    'adam': ({}, 'Adam', {'lr': 0.01}),
    'adam-decay': (
        {'name': 'adam', 'b1': 0.5, 'b2': 0.99, 'eps': 1e-4, 'weight_decay': 0.1},
        'Adam',
        {'lr': 0.01, 'betas': (0.5, 0.99), 'eps': 1e-4, 'weight_decay': 0.1},
    ),
    'adamw': ({}, 'AdamW', {'lr': 0.01}),
    'adamw-decay': ({'name': 'adamw', 'weight_decay': 0.2}, 'AdamW', {'lr': 0.01, 'weight_decay': 0.2}),
    'rmsprop': ({}, 'RMSprop', {'lr': 0.01}),
    'rmsprop-all': (
        {'name': 'rmsprop', 'decay': 0.9, 'momentum': 0.7, 'centered': True, 'eps': 1e-3, 'weight_decay': 0.1},
        'RMSprop',
        {'lr': 0.01, 'alpha': 0.9, 'momentum': 0.7, 'centered': True, 'eps': 1e-3, 'weight_decay': 0.1},
    ),
    'adagrad': ({}, 'Adagrad', {'lr': 0.01}),
    'adagrad-start': (
        {'name': 'adagrad', 'initial_accumulator': 0.1, 'eps': 1e-3},
        'Adagrad',
        {'lr': 0.01, 'initial_accumulator_value': 0.1, 'eps': 1e-3},
    ),
    'adadelta': ({}, 'Adadelta', {'lr': 0.01}),
    'adadelta-decay': (
        {'name': 'adadelta', 'decay': 0.8, 'eps': 1e-3, 'weight_decay': 0.1},
        'Adadelta',
        {'lr': 0.01, 'rho': 0.8, 'eps': 1e-3, 'weight_decay': 0.1},
    ),
}


@pytest.mark.parity
@pytest.mark.parametrize('case', PAIRS)
def test_equals_torch(case):
    torch = pytest.importorskip('torch')
    block, name, arguments = PAIRS[case]
    params, matrix, shift, grad = problem(3)
    found = run({'name': case, 'learning_rate': 0.01} | block, params, grad, 20)
    w = torch.tensor(np.array(jax.flatten_util.ravel_pytree(params)[0]), requires_grad=True)
    optimizer = getattr(torch.optim, name)([w], **arguments)
    for step in found:
        optimizer.zero_grad()
        (0.5 * w @ torch.tensor(matrix) @ w - torch.tensor(shift) @ w).backward()
        optimizer.step()
        ours = jax.flatten_util.ravel_pytree(step)[0]
        np.testing.assert_allclose(ours, w.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_every_rule_learns_and_stays_finite_at_zero_gradient(name):
    """Ten steps at a gradient of exactly zero: no 0 / 0 anywhere."""
    block = {'name': name, 'learning_rate': 0.1, 'weight_decay': 0.0}
    found = run(block, {'kernel': jnp.ones(3)}, lambda p: jax.tree.map(jnp.zeros_like, p), 10)[-1]
    np.testing.assert_array_equal(found['kernel'], 1.0)
    params, *_, grad = problem(4)
    first = jax.flatten_util.ravel_pytree(grad(params))[0]
    change = jax.flatten_util.ravel_pytree(run(block, params, grad, 1)[0])[0] - jax.flatten_util.ravel_pytree(params)[0]
    assert float(first @ change) < 0
