"""The delta rule: A03's table, limits and stability, C03 with its added goldens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.worked import delta_rule, network
from jaxlab.worked.cases.delta import A03, A03_TABLE, C03
from jaxlab.worked.separability import line

pytestmark = pytest.mark.usefixtures('float64')
ZERO = np.zeros(3)


def run(epochs=20, weights=ZERO, targets=A03.targets, rate=0.1, **options):
    return delta_rule.train_delta(weights, A03.inputs, targets, rate, epochs, **options)


def test_a03_table():
    result = run()
    table = np.column_stack([np.arange(1, 21), result.online_mse, result.trace.weights[:, -1]])
    np.testing.assert_allclose(table, A03_TABLE, atol=1e-9)
    assert result.mse[-1] == pytest.approx(0.00497743, abs=5e-9)
    outputs = delta_rule.predict(result.weights, A03.inputs)
    np.testing.assert_allclose(outputs, [0.1020170575, 0.0814551426, 0.9738399406, 0.9532780257], atol=1e-9)


def test_a03_boundary_belongs_at_one_half():
    weights = run().weights
    outputs, targets = np.asarray(delta_rule.predict(weights, A03.inputs)), np.array(A03.targets)
    assert np.mean((outputs > 0.5) == targets) == 1.0
    assert np.mean((outputs > 0.0) == targets) == 0.5  # as published
    bias_first = weights[[2, 0, 1]]
    ends = line(bias_first, 0.5, (-2, 2), (0, 1))
    np.testing.assert_allclose(ends[np.argsort(ends[:, 1])][:, 0], [0.4564952, 0.4800802], atol=1e-7)
    published = -(bias_first[0] + bias_first[1] * np.array([0, 1])) / bias_first[2]
    np.testing.assert_allclose(published, [4.96, 47.4], rtol=2e-3)


def test_a03_limits():
    result = run(100)
    np.testing.assert_allclose(result.weights, [0.9996839237, -0.0003181362, 0.0004282616], atol=1e-9)
    assert result.online_mse[-1] == pytest.approx(7.6645412e-8, rel=1e-6)
    weights, mse = delta_rule.least_squares(A03.inputs, A03.targets, bias=False)
    np.testing.assert_allclose(weights, [1, 0, 0], atol=1e-12)
    assert mse == pytest.approx(0, abs=1e-20)


def test_a03_step_size():
    eigenvalues = np.sort(np.abs(np.linalg.eigvals(delta_rule.epoch_map(A03.inputs, 0.1, bias=False))))
    np.testing.assert_allclose(eigenvalues, [0.4824881, 0.8948998, 0.9338121], atol=1e-7)
    for rate, radius in ((0.1, 0.9338121), (0.5, 0.5), (0.9, 0.7886109), (1.0, 1.0), (1.2, 1.6240529)):
        assert delta_rule.spectral_radius(A03.inputs, rate, bias=False) == pytest.approx(radius, abs=1e-7)
    np.testing.assert_allclose(
        delta_rule.correlation_eigenvalues(A03.inputs, bias=False), [0.1569297, 0.25, 1.5930703], atol=1e-7
    )
    late = run(200).online_mse
    assert late[-1] / late[-2] == pytest.approx(0.8720051, abs=1e-5)
    assert run(60, rate=0.95).mse[-1] < 1e-4 < 1e3 < run(60, rate=1.2).mse[-1]


def test_a03_random_starts():
    start = np.random.RandomState(42).randn(3)
    np.testing.assert_allclose(start, [0.4967142, -0.1382643, 0.6476885], atol=1e-7)
    result = run(weights=start)
    np.testing.assert_allclose(result.online_mse[[0, -1]], [0.1605888343, 0.0077148324], atol=1e-9)
    np.testing.assert_allclose(result.weights, [0.8830101800, -0.0809973368, 0.1342290999], atol=1e-9)

    starts = jnp.asarray(np.stack([np.random.RandomState(seed).randn(3) for seed in range(200)]))
    inputs, targets = np.array(A03.inputs, float), np.array(A03.targets, float)

    def last_mse(weights):
        _, trace = jax.lax.scan(lambda w, _: delta_rule.delta_epoch(w, inputs, targets, 0.1), weights, length=20)
        return jnp.mean(trace.error[-1] ** 2)

    final = np.asarray(jax.jit(jax.vmap(last_mse))(starts))
    np.testing.assert_allclose(
        [final.mean(), np.median(final), final.max()], [0.0219338, 0.0147665, 0.0910286], atol=1e-7
    )


def test_a03_sigmoid():
    result = run(function='sigmoid')
    np.testing.assert_allclose(result.online_mse[[0, -1]], [0.2515429, 0.2026757], atol=1e-7)
    np.testing.assert_allclose(
        delta_rule.predict(result.weights, A03.inputs, 'sigmoid'),
        [0.4886378, 0.4832076, 0.5994672, 0.5942366],
        atol=1e-7,
    )
    result = run(10_000, rate=0.9, function='sigmoid')
    np.testing.assert_allclose(
        delta_rule.predict(result.weights, A03.inputs, 'sigmoid'),
        [0.0101997, 0.0082950, 0.9932412, 0.9916864],
        atol=1e-7,
    )


def test_a03_true_or():
    targets = (0, 1, 1, 1)
    np.testing.assert_allclose(run(targets=targets).weights, [0.4005170582, 0.4258113302, 0.3387476600], atol=1e-9)
    result = run(2000, targets=targets)
    np.testing.assert_allclose(result.weights, [0.4444444, 0.4722222, 0.2777778], atol=1e-7)
    assert result.online_mse[-1] == pytest.approx(0.0771605, abs=1e-7)
    weights, mse = delta_rule.least_squares(A03.inputs, targets, bias=False)
    np.testing.assert_allclose(weights, [0.5, 0.5, 0.25], atol=1e-12)
    assert mse == pytest.approx(0.0625)


def test_c03_trace_equals_backpropagation_and_autodiff():
    weights, trace = delta_rule.delta_epoch(C03.weights, C03.inputs, C03.targets, 0.1)
    np.testing.assert_allclose(trace.weights, [[1, 0, 1], [0.7, -0.3, 0.7], [0.43, -0.03, 0.43]], atol=1e-12)
    np.testing.assert_allclose(trace.half_square, [0, 4.5, 3.645], atol=1e-12)
    np.testing.assert_allclose(trace.gradient, [[0, 0, 0], [3, 3, 3], [2.7, -2.7, 2.7]], atol=1e-12)
    np.testing.assert_array_equal(trace.inputs, [[1, 1, 0], [1, 1, 1], [1, -1, 1]])
    _, same = network.backprop_epoch([[C03.weights]], np.transpose(C03.inputs), C03.targets, ['linear'], 0.1)
    np.testing.assert_allclose(trace.gradient, same.backward[0].gradient[:, 0], atol=1e-12)
    for n in range(3):
        automatic = jax.grad(lambda w, n=n: 0.5 * (w @ trace.inputs[n] - C03.targets[n]) ** 2)(trace.weights_before[n])
        np.testing.assert_allclose(trace.gradient[n], automatic, atol=1e-12)
    outputs = delta_rule.predict(weights, C03.inputs)
    np.testing.assert_allclose(outputs, [0.4, 0.83, 0.89], atol=1e-12)


def test_c03_epochs():
    target = np.array(C03.targets)
    np.testing.assert_allclose(delta_rule.predict(C03.weights, C03.inputs), [1, 2, 2])
    result = delta_rule.train_delta(C03.weights, C03.inputs, C03.targets, 0.1, 1000)
    summed = 1.5 * result.mse
    for epoch, value in (
        (1, 3.6405),
        (2, 1.79695125),
        (3, 1.1046316061),
        (5, 0.6568057581),
        (10, 0.3876528633),
        (50, 0.02643880689),
        (100, 0.000958485803),
    ):
        assert summed[epoch - 1] == pytest.approx(value, rel=1e-9)
    assert summed[-1] < 1e-25
    np.testing.assert_allclose(result.trace.weights[1, -1], [0.1255, 0.0045, 0.0655], atol=1e-12)
    np.testing.assert_allclose(result.trace.weights[99, -1], [0.948143, 0.015542, -1.940557], atol=1e-6)
    weights, mse = delta_rule.least_squares(C03.inputs, target)
    np.testing.assert_allclose(weights, [1, 0, -2], atol=1e-12)
    assert mse < 1e-25
    np.testing.assert_allclose(delta_rule.sample_limits(C03.inputs), [2 / 2, 2 / 3, 2 / 3])


def test_batches():
    weights, _ = delta_rule.batch_epochs(C03.weights, C03.inputs, C03.targets, 0.1, 1, 3, average=False)
    np.testing.assert_allclose(weights[0], [0.4, 0, 0.4], atol=1e-12)
    online, mse = delta_rule.batch_epochs(ZERO, A03.inputs, A03.targets, 0.1, 20, 1)
    np.testing.assert_allclose(online[-1], run().weights, atol=1e-12)
    np.testing.assert_allclose(mse, run().mse, atol=1e-12)
    short, _ = delta_rule.batch_epochs(ZERO, A03.inputs, A03.targets, 0.1, 3, 3)  # 3 + 1 samples
    assert short.shape == (3, 3)
    with pytest.raises(UserError, match='batch_size 5 does not fit 4 samples'):
        delta_rule.batch_epochs(ZERO, A03.inputs, A03.targets, 0.1, 1, 5)


def test_error_surface_is_least_at_the_solution():
    grid = np.linspace(-1, 2, 31)
    surface = delta_rule.error_surface(A03.inputs, A03.targets, grid, grid, (1.0, 0.0, 0.0))
    row, column = np.unravel_index(surface.argmin(), surface.shape)
    assert surface.min() == pytest.approx(0, abs=1e-12)
    assert (grid[column], grid[row]) == (pytest.approx(1), pytest.approx(0, abs=1e-12))
