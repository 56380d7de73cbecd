"""E1: hand gradients against the golden small network and automatic differentiation, as published and corrected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.worked import manual_backprop as manual
from jaxlab.worked.cases import manual as golden

pytestmark = pytest.mark.usefixtures('float64')
manual_pass = jax.jit(manual.manual_pass, static_argnames=('variant', 'penalty'))
mean_loss = jax.jit(manual.mean_loss, static_argnames=('penalty', 'epsilon'))


@pytest.fixture
def small():
    return (
        manual.Params(*(jnp.asarray(value) for value in (golden.W1, golden.B1, golden.W2, golden.B2))),
        jnp.asarray(golden.INPUTS),
        jnp.asarray(golden.LABELS),
    )


def test_golden_network(small):
    trace = manual_pass(*small, 'as_published')
    np.testing.assert_allclose(trace.hidden, golden.HIDDEN, atol=1e-11)
    np.testing.assert_allclose(trace.probabilities, golden.PROBABILITIES, atol=1e-11)
    assert float(trace.loss) == pytest.approx(golden.LOSS, abs=1e-14)
    assert float(mean_loss(*small)) == pytest.approx(golden.LOSS, abs=1e-14)
    assert float(mean_loss(*small, epsilon=0)) == pytest.approx(golden.LOSS_WITHOUT_EPSILON, abs=1e-14)
    for name, expected in golden.SUM_GRADIENTS.items():
        np.testing.assert_allclose(getattr(trace.gradients, name), expected, atol=1e-11)


@pytest.mark.parametrize('variant', manual.VARIANTS)
def test_loss_after_a_step(small, variant):
    params, inputs, labels = small
    stepped = manual.update(params, manual_pass(*small, variant).gradients, 0.1)
    assert float(mean_loss(stepped, inputs, labels)) == pytest.approx(golden.LOSS_AFTER_STEP[variant], abs=1e-9)


def test_gradients_equal_autodiff_and_differences(small):
    params, inputs, labels = small
    automatic = jax.jit(jax.grad(lambda params: manual.mean_loss(params, inputs, labels, epsilon=0)))(params)
    for hand, expected in zip(manual_pass(*small).gradients, automatic):
        np.testing.assert_allclose(hand, expected, atol=1e-15)
    for hand, expected in zip(manual_pass(*small, 'as_published').gradients, automatic):
        np.testing.assert_allclose(hand, 2 * np.asarray(expected), atol=1e-15)
    step = 1e-5
    for row in range(3):
        for column in range(2):
            moved = np.zeros((3, 2))
            moved[row, column] = step
            up, down = (
                float(mean_loss(params._replace(w1=np.asarray(params.w1) + sign * moved), inputs, labels))
                for sign in (1, -1)
            )
            np.testing.assert_allclose(2 * (up - down) / (2 * step), golden.SUM_GRADIENTS['w1'][row][column], atol=1e-8)


def test_regulariser(small):
    params, inputs, labels = small
    automatic = jax.jit(jax.grad(lambda params: manual.mean_loss(params, inputs, labels, 0.1, 0)))(params)
    corrected = manual_pass(*small, penalty=0.1).gradients
    for hand, expected in zip(corrected, automatic):
        np.testing.assert_allclose(hand, expected, atol=1e-15)
    plain = manual_pass(*small, 'as_published').gradients
    penalized = manual_pass(*small, 'as_published', 0.1).gradients
    np.testing.assert_allclose(np.asarray(penalized.w1) - plain.w1, 0.1 * np.asarray(params.w1), atol=1e-15)


def test_padding_rows_count_for_nothing(small):
    params, inputs, labels = small
    more = np.concatenate([inputs, 9 * np.asarray(inputs)[:1]])
    padded = manual_pass(params, more, np.append(labels, 1), weight=np.array([1.0, 1.0, 0.0]))
    for hand, expected in zip(padded.gradients, manual_pass(*small).gradients):
        np.testing.assert_allclose(hand, expected, atol=1e-15)
    assert float(padded.loss) == pytest.approx(golden.LOSS)


def test_zero_parameters():
    shapes = jax.eval_shape(lambda: manual.init(jax.random.key(0), 12, 5, 10))
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    labels = jnp.asarray(np.random.RandomState(0).randint(0, 10, 50))
    inputs = jnp.asarray(np.random.RandomState(1).randn(50, 12))
    trace = manual_pass(params, inputs, labels, 'as_published')
    counts = np.bincount(labels, minlength=10)
    np.testing.assert_allclose(trace.probabilities, 0.1, atol=1e-15)
    assert float(trace.loss) == pytest.approx(golden.ZERO_LOSS, abs=1e-10)
    np.testing.assert_allclose(trace.gradient_b2, 5 - counts, atol=1e-12)
    np.testing.assert_allclose(trace.gradient_w2, np.tile(0.5 * (5 - counts), (5, 1)), atol=1e-12)
    np.testing.assert_array_equal(trace.gradient_w1, 0)
    stepped = manual.update(params, trace.gradients, 1e-3)
    np.testing.assert_allclose(stepped.b2, 1e-3 * (counts - 5), atol=1e-15)


def test_counts_and_rates():
    params = manual.init(jax.random.key(0))
    assert sum(value.size for value in params) == 308_310
    assert float(params.w1.std()) == pytest.approx(1e-5, rel=0.01)
    np.testing.assert_allclose(
        [manual.effective_learning_rate(epoch) for epoch in range(10)], golden.EFFECTIVE_RATES, atol=5e-9
    )
    assert manual.learning_rate_at(10) == pytest.approx(3.486784401e-4, abs=1e-12)
    assert manual.effective_learning_rate(0, variant='corrected') == 1e-3
