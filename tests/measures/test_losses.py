"""Losses: goldens, PyTorch, gradients, and the corners where a naive form overflows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.errors import UserError
from jaxlab.measures import losses
from jaxlab.measures import sums as totals
from jaxlab.measures.losses import GAN_FORMS, real_above
from jaxlab.measures.sums import sums

# As training runs them, compiled: one operation after the other they would be compiled one by one, for every shape.
absolute_error, gaussian_kl, squared_error = map(
    jax.jit, (losses.absolute_error, losses.gaussian_kl, losses.squared_error)
)
binary_cross_entropy = jax.jit(losses.binary_cross_entropy, static_argnums=2)
clipped_probability_cross_entropy = jax.jit(losses.clipped_probability_cross_entropy, static_argnums=2)
cross_entropy = jax.jit(losses.cross_entropy, static_argnums=2)
discriminator_loss = jax.jit(losses.discriminator_loss, static_argnums=2)
generator_loss = jax.jit(losses.generator_loss, static_argnums=1)
huber = jax.jit(losses.huber, static_argnums=2, static_argnames='delta')
weighted_mean = jax.jit(totals.weighted_mean)

pytestmark = pytest.mark.usefixtures('float64')


def test_cross_entropy_goldens():
    """B01: z = (1, 2, 3), class 2; B03: equal logits give ln 10."""
    assert float(cross_entropy(jnp.array([1.0, 2.0, 3.0]), jnp.array(2))) == pytest.approx(0.407605964, abs=1e-9)
    assert float(cross_entropy(jnp.zeros(10), jnp.array(7))) == pytest.approx(2.302585093, abs=1e-9)


def test_log_softmax_before_cross_entropy_changes_nothing():
    """B01's double log-softmax is idempotent."""
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)))
    twice = cross_entropy(jax.nn.log_softmax(logits), jnp.arange(6) % 4)
    np.testing.assert_allclose(twice, cross_entropy(logits, jnp.arange(6) % 4), rtol=1e-12)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_integer_and_one_hot_labels_agree(smoothing):
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(5, 3, 7)))
    labels = jnp.asarray(np.random.default_rng(1).integers(0, 7, (5, 3)))
    expected = cross_entropy(logits, jax.nn.one_hot(labels, 7), smoothing)
    np.testing.assert_allclose(cross_entropy(logits, labels, smoothing), expected, rtol=1e-12)
    assert expected.shape == (5, 3)


def test_extreme_logits_stay_finite():
    logits = jnp.array([[1e4, -1e4], [-1e4, 1e4]])
    np.testing.assert_allclose(cross_entropy(logits, jnp.array([0, 0])), [0, 2e4])
    np.testing.assert_allclose(binary_cross_entropy(jnp.array([1e4, -1e4]), jnp.array([0.0, 0.0])), [1e4, 0])
    assert np.isfinite(jax.grad(lambda z: cross_entropy(z, jnp.array([0, 0])).sum())(logits)).all()


def test_a_class_masked_by_minus_infinity():
    logits = jnp.array([[0.0, 0.0, -jnp.inf]])
    assert float(cross_entropy(logits, jnp.array([0]))[0]) == pytest.approx(np.log(2))
    gradient = jax.grad(lambda z: cross_entropy(z, jnp.array([0])).sum())(logits)
    np.testing.assert_allclose(gradient, [[-0.5, 0.5, 0.0]])


def test_half_precision_is_widened():
    logits = jnp.zeros((2, 3), jnp.bfloat16)
    assert cross_entropy(logits, jnp.array([0, 1])).dtype == jnp.float32
    assert squared_error(logits, logits).dtype == jnp.float32


def test_shapes_that_would_broadcast_are_refused():
    column, row = jnp.zeros((4, 1)), jnp.zeros(4)
    for loss in (squared_error, absolute_error, huber, binary_cross_entropy):
        with pytest.raises(ValueError, match='shapes differ'):
            loss(column, row)
    with pytest.raises(ValueError, match='shapes differ'):
        cross_entropy(jnp.zeros((4, 3)), jnp.zeros((4, 1), int))


# NumPy, because a jax array made here, outside of the fixture, would be float32.
REAL, FAKE = np.array([2.0, -1.0, 0.5]), np.array([-1.0, 0.0, 1.5])


def test_gan_goldens():
    """A08: logits real (2, -1, 0.5), fake (-1, 0, 1.5); zero logits; the saturating form."""
    real, fake = discriminator_loss(REAL, FAKE)
    assert float(real.mean()) == pytest.approx(0.6380888942, abs=1e-10)
    assert float(fake.mean()) == pytest.approx(0.9026073820, abs=1e-10)
    assert float(real.mean() + fake.mean()) == pytest.approx(1.5406962763, abs=1e-10)
    assert float(generator_loss(FAKE).mean()) == pytest.approx(0.7359407154, abs=1e-10)
    saturating = generator_loss(FAKE, 'saturating')
    assert float(saturating.mean()) == pytest.approx(-0.9026073820, abs=1e-10)
    zeros = jnp.zeros(1)
    assert float(sum(discriminator_loss(zeros, zeros))[0]) == pytest.approx(1.3862943611, abs=1e-10)
    assert float(generator_loss(zeros)[0]) == pytest.approx(0.6931471806, abs=1e-10)


def test_generator_learns_most_where_it_does_not_fool():
    """A08: the gradient of the non-saturating loss by the logit is D - 1; of the saturating one -D."""
    z = jnp.array([-8.0, 0.0, 8.0])
    slope = jax.vmap(jax.grad(generator_loss))(z)
    np.testing.assert_allclose(slope, jax.nn.sigmoid(z) - 1, rtol=1e-6)
    slope = jax.vmap(jax.grad(lambda x: generator_loss(x, 'saturating')))(z)
    np.testing.assert_allclose(slope, -jax.nn.sigmoid(z), rtol=1e-6)


def test_other_gan_forms():
    values = {
        'least_squares': ([1.0, 4.0, 0.25], [1.0, 0.0, 2.25], [4.0, 1.0, 0.25]),
        'wasserstein': ([-2.0, 1.0, -0.5], [-1.0, 0.0, 1.5], [1.0, 0.0, -1.5]),
        'hinge': ([0.0, 2.0, 0.5], [0.0, 1.0, 2.5], [1.0, 0.0, -1.5]),
    }
    for form, (real, fake, made) in values.items():
        found = discriminator_loss(REAL, FAKE, form)
        np.testing.assert_allclose(found[0], real)
        np.testing.assert_allclose(found[1], fake)
        np.testing.assert_allclose(generator_loss(FAKE, form), made)
    with pytest.raises(UserError, match="did you mean 'hinge'"):
        generator_loss(FAKE, 'hing')


def test_what_counts_as_called_real():
    """Least squares have the targets 0 and 1: of the outputs (2, -1, 0.5) one is called real, not two."""
    outputs = np.array([2.0, -1.0, 0.5])
    assert np.mean(outputs > real_above('least_squares')) == pytest.approx(1 / 3)
    assert {form: real_above(form) for form in GAN_FORMS} == {
        'non_saturating': 0,
        'saturating': 0,
        'least_squares': 0.5,
        'wasserstein': None,
        'hinge': 0,
    }
    with pytest.raises(UserError, match="did you mean 'hinge'"):
        real_above('hing')


def test_least_squares_goldens_of_cyclegan():
    """B21: all outputs 0.5 give the two terms of G 0.25 each, half of D's sum 0.25; all outputs 0: 1 each, and 0.5."""
    for output, generator, discriminator in ((0.5, 0.25, 0.25), (0.0, 1.0, 0.5)):
        scores = np.full((1, 15, 15), output)
        assert float(generator_loss(scores, 'least_squares').mean()) == generator
        real, fake = discriminator_loss(scores, scores, 'least_squares')
        assert float(0.5 * (real.mean() + fake.mean())) == discriminator


def test_losses_of_a_fully_connected_gan():
    """B20: D(x) = 0.9 and D(G(z)) = 0.2, half the sum for D."""
    real, fake = (np.log(p / (1 - p))[None] for p in (np.float64(0.9), np.float64(0.2)))
    on_real, on_fake = discriminator_loss(real, fake)
    assert float(0.5 * (on_real + on_fake)[0]) == pytest.approx(0.164252033, abs=1e-9)
    assert float(generator_loss(fake)[0]) == pytest.approx(1.609437912, abs=1e-9)
    assert float(generator_loss(fake, 'saturating')[0]) == pytest.approx(-0.223143551, abs=1e-9)


def test_losses_of_the_flowers_gan():
    """D2.2: real logits (2, 0.5, -1), fake ones (-1.5, 0.25, 3)."""
    fake = np.array([-1.5, 0.25, 3.0])
    on_real, on_fake = discriminator_loss(np.array([2.0, 0.5, -1.0]), fake)
    assert float(on_real.mean()) == pytest.approx(0.6380888942, abs=1e-9)
    assert float(on_fake.mean()) == pytest.approx(1.3586466832, abs=1e-9)
    assert float(on_real.mean() + on_fake.mean()) == pytest.approx(1.9967355774, abs=1e-9)
    assert float(generator_loss(fake).mean()) == pytest.approx(0.7753133498, abs=1e-9)


def test_gaussian_kl():
    mean, log_variance = jnp.array([[1.0, 0.0], [0.0, 0.0]]), jnp.array([[0.0, np.log(4.0)], [0.0, 0.0]])
    np.testing.assert_allclose(gaussian_kl(mean, log_variance), [0.5 + 0.5 * (4 - 1 - np.log(4)), 0.0], rtol=1e-6)


@pytest.mark.parametrize('form', GAN_FORMS)
def test_gradients_of_gan_losses(form):
    z = jnp.asarray([-2.3, -0.4, 0.3, 1.7])
    both = jax.jit(lambda x: (discriminator_loss(x, x[::-1], form), generator_loss(x, form)))
    check_grads(both, (z,), order=1)


def test_gradients_of_losses():
    rng = np.random.default_rng(2)
    a, b = jnp.asarray(rng.normal(size=(4, 3))), jnp.asarray(rng.normal(size=(4, 3)) * 3)
    soft = jax.nn.softmax(b)
    labels = jnp.array([0, 2, 1, 1])
    for loss in (squared_error, absolute_error, huber, gaussian_kl):
        check_grads(jax.jit(loss), (a, b), order=1)
    check_grads(jax.jit(lambda z: cross_entropy(z, labels, 0.1)), (a,), order=1)
    check_grads(jax.jit(lambda z: cross_entropy(z, soft, 0.1)), (a,), order=1)
    check_grads(jax.jit(lambda z: binary_cross_entropy(z, soft, 2.0)), (a,), order=1)


@pytest.mark.parity
def test_equals_torch():
    torch = pytest.importorskip('torch')
    functional = torch.nn.functional
    rng = np.random.default_rng(3)
    logits, other = rng.normal(size=(8, 5)) * 3, rng.normal(size=(8, 5)) * 3
    labels, soft = rng.integers(0, 5, 8), rng.dirichlet(np.ones(5), 8)
    z, t, y, p = map(torch.tensor, (logits, other, labels, soft))
    pairs = [
        (cross_entropy(logits, labels), functional.cross_entropy(z, y, reduction='none')),
        (cross_entropy(logits, labels, 0.2), functional.cross_entropy(z, y, reduction='none', label_smoothing=0.2)),
        (cross_entropy(logits, soft, 0.2), functional.cross_entropy(z, p, reduction='none', label_smoothing=0.2)),
        (binary_cross_entropy(logits, soft), functional.binary_cross_entropy_with_logits(z, p, reduction='none')),
        (
            binary_cross_entropy(logits, soft, 3.0),
            functional.binary_cross_entropy_with_logits(z, p, reduction='none', pos_weight=torch.tensor(3.0)),
        ),
        (squared_error(logits, other), functional.mse_loss(z, t, reduction='none')),
        (absolute_error(logits, other), functional.l1_loss(z, t, reduction='none')),
        (huber(logits, other, 0.7), functional.huber_loss(z, t, reduction='none', delta=0.7)),
        (huber(logits, other, 0.7) / 0.7, functional.smooth_l1_loss(z, t, reduction='none', beta=0.7)),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-12)


def test_weighted_mean_and_sums():
    values, weight = jnp.array([1.0, 2.0, jnp.nan]), jnp.array([1.0, 1.0, 0.0])
    assert float(weighted_mean(values, weight)) == 1.5
    total, count = sums(weight, right=jnp.array([True, False, True]))['right']
    assert (float(total), float(count)) == (1.0, 2.0)
    assert total.dtype == jnp.float32
    tokens = jnp.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert float(weighted_mean(jnp.array([[1.0, 2.0], [6.0, 9.0], [9.0, 9.0]]), tokens)) == 3.0
    assert float(weighted_mean(jnp.array([[1.0, 2.0], [6.0, 9.0], [9.0, 9.0]]), weight)) == 4.5
    assert float(weighted_mean(values, jnp.zeros(3))) == 0.0
    with pytest.raises(ValueError, match='weight'):
        sums(weight, loss=jnp.zeros(2))
    assert set(sums(weight, loss=values, accuracy=values) | sums(tokens, perplexity=tokens)) == {
        'loss',
        'accuracy',
        'perplexity',
    }


def test_gradient_of_the_weighted_mean():
    weight = jnp.array([1.0, 0.0, 1.0, 1.0])
    check_grads(jax.jit(lambda v: weighted_mean(v**2, weight)), (jnp.array([1.0, 2.0, -3.0, 0.5]),), order=1)


def test_cross_entropy_of_clipped_and_divided_numbers():
    """By hand: outputs into [clip, 1 - clip], divided by their sum, minus the logarithm of the true class's share."""
    outputs, labels = jnp.array([[2.0, 0.5, 0.25], [-1.0, 0.5, 0.25], [0.2, 0.3, 0.5]]), jnp.array([0, 0, 2])
    for clip in (0.1, 1e-7):
        shares = np.clip(outputs, clip, 1 - clip)
        expected = -np.log(shares[np.arange(3), np.asarray(labels)] / shares.sum(1))
        found = clipped_probability_cross_entropy(outputs, labels, clip)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(clipped_probability_cross_entropy(outputs, labels), expected, rtol=1e-12)
    assert float(found[2]) == pytest.approx(float(np.log(2)))  # shares that sum to 1: the plain cross-entropy


def test_huber_by_hand():
    """Half the square up to delta, a line beyond: |d| = 1/2, 2, 3 at delta 2 give 1/8, 2 and 2 (3 - 1) = 4."""
    predictions = jnp.array([0.5, -2.0, 3.0])
    np.testing.assert_allclose(huber(predictions, jnp.zeros(3), delta=2.0), [0.125, 2.0, 4.0])
    np.testing.assert_allclose(huber(predictions, jnp.zeros(3)), [0.125, 1.5, 2.5])


def test_means_stay_as_wide_as_the_values():
    with jax.enable_x64(True):
        values = jnp.array([1.0, 1.0 + 1e-12])
        assert float(weighted_mean(values, jnp.ones(2)) - 1) == pytest.approx(5e-13, rel=1e-3)
    assert weighted_mean(jnp.ones(2, jnp.bfloat16), jnp.ones(2)).dtype == jnp.float32
    assert weighted_mean(jnp.array([True, False]), jnp.ones(2)).dtype == jnp.float32
