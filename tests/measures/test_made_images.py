"""Scores of made images by hand, against scikit-image and SciPy, and the faults that others made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from jaxlab.measures import images as quality
from jaxlab.measures.kernel_distance import kernel_distance, squared_discrepancy
from jaxlab.measures.likelihood import importance_weighted_bound
from jaxlab.measures.manifold import class_coverage, precision_recall

RNG = np.random.default_rng(0)


# ---- kernel distance -------------------------------------------------------------------------------------------------


def test_kernel_distance_has_no_bias_and_may_be_negative():
    """X = {0, 1}, Y = {0, 2} under (xy/d + 1)^3: -13 (19.75 with the bias)."""
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    assert squared_discrepancy(x, y) == pytest.approx(-13)
    assert kernel_distance(x, y) == pytest.approx(-13)


def test_kernel_distance_is_the_double_sum():
    x, y = RNG.normal(size=(7, 3)), RNG.normal(0.5, 1, (5, 3))
    kernel = lambda a, b: (a @ b / 3 + 1) ** 3
    pairs = lambda a: np.mean([kernel(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j])
    expected = pairs(x) + pairs(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])
    assert squared_discrepancy(x, y) == pytest.approx(expected)
    with pytest.raises(ValueError, match='two features a side'):
        squared_discrepancy(x[:1], y)


def test_kernel_distance_by_subsets():
    """No subset is larger than a side; the mean over subsets is that of all pairs, but for the draw."""
    x, y = RNG.normal(size=(40, 4)), RNG.normal(0.3, 1, (60, 4))
    whole, parts = squared_discrepancy(x, y), kernel_distance(x, y, subsets=200)
    assert parts == pytest.approx(whole, abs=0.15) and parts != whole
    assert kernel_distance(x, y, seed=3) == kernel_distance(x, y, seed=3)
    same = np.mean([squared_discrepancy(*np.split(RNG.normal(size=(40, 4)), 2)) for _ in range(200)])
    assert abs(same) < 0.1


# ---- precision and recall --------------------------------------------------------------------------------------------


def test_precision_and_recall_by_hand():
    """Real {0, 1, 2, 10}, made {0.4, 0.5, 20}, k = 1: 2/3 and 3/4; a feature is no neighbour of itself."""
    column = lambda *values: np.array(values)[:, None]
    found = precision_recall(column(0.0, 1, 2, 10), column(0.4, 0.5, 20), neighbours=1)
    assert found == pytest.approx((2 / 3, 3 / 4))


def test_all_equal_features_are_in_the_manifold():
    """Balls of no size hold what lies in their middle, by more features than a block."""
    same = np.broadcast_to(RNG.normal(size=7), (1100, 7))
    assert precision_recall(same, same, neighbours=3) == (1, 1)
    with pytest.raises(ValueError, match='3 features have no 3 neighbours'):
        precision_recall(same[:3], same)


def test_precision_and_recall_are_not_swapped():
    """Made examples of one of two clusters are good and miss half; scattered ones cover all and are bad."""
    real = np.concatenate([RNG.normal(0, 1, (100, 2)), RNG.normal(50, 1, (100, 2))])
    one = precision_recall(real, RNG.normal(0, 1, (200, 2)))
    assert one.precision > 0.85 and 0.4 < one.recall < 0.55
    all_over = precision_recall(real, RNG.uniform(-400, 400, (200, 2)))
    assert all_over.precision < 0.05 and all_over.recall > 0.9


def test_class_coverage():
    real = np.array([0.25, 0.25, 0.5, 0.0])
    assert class_coverage(np.array([1.0, 0, 0, 0]), real) == pytest.approx(1 / 3)
    assert class_coverage(np.array([0.5, 0.024, 0.476, 0]), real) == pytest.approx(2 / 3)
    assert class_coverage(np.array([0.5, 0.025, 0.475, 0]), real) == 1


# ---- importance-weighted bound ---------------------------------------------------------------------------------------


def test_importance_weighted_bound_by_hand():
    """Log weights (-100, -102): -100.566219, one draw (the ELBO) -101; with a block (-90, -95) -91.379528."""
    first, second = np.array([[-100.0], [-102.0]]), np.array([[-90.0], [-95.0]])
    assert importance_weighted_bound([first])[0] == pytest.approx(-100.566219, abs=1e-6)
    assert np.mean([importance_weighted_bound([row[None]]) for row in first]) == -101
    assert importance_weighted_bound(iter([first, second]))[0] == pytest.approx(-91.379528, abs=1e-6)
    with pytest.raises(ValueError, match='no log weights'):
        importance_weighted_bound([])


def test_importance_weighted_bound_of_a_gaussian():
    """z ~ N(0, 1), x|z ~ N(z, 1), x = 1: the exact posterior gives log p(x) for every k; the prior's ELBO is -1.918939."""
    log_normal = lambda x, mean, variance: -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * variance))
    for k in (1, 2, 50):
        z = RNG.normal(0.5, np.sqrt(0.5), (k, 1))
        weights = log_normal(1.0, z, 1) + log_normal(z, 0, 1) - log_normal(z, 0.5, 0.5)
        assert importance_weighted_bound([weights])[0] == pytest.approx(-1.515512, abs=1e-6)
    z = RNG.normal(0, 1, (1, 400_000))
    assert importance_weighted_bound([log_normal(1.0, z, 1)]).mean() == pytest.approx(-1.918939, abs=0.01)


def test_blocks_do_not_matter():
    weights = RNG.normal(-500, 30, (60, 5))
    whole = logsumexp(weights, axis=0) - np.log(60)
    for cuts in ([], [1], [7, 8, 40]):
        np.testing.assert_allclose(importance_weighted_bound(np.split(weights, cuts)), whole, rtol=1e-12)


# ---- PSNR and SSIM ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('error', 'value'), [(0.01, 20), (0.0142, 18.477117), (0.0139, 18.569852)])
def test_psnr_of_b23(error, value, float64):
    truth = jnp.zeros((1, 4, 4, 1))
    assert float(quality.psnr(truth + error**0.5, truth)[0]) == pytest.approx(value, abs=1e-6)


def test_psnr_is_of_each_image_and_of_nothing_100(float64):
    """B23: the mean of PSNR(.01) and PSNR(.02) is not PSNR(.015); equal images have 100, with a finite gradient."""
    truth = jnp.zeros((3, 2, 2, 1))
    images = truth + jnp.array([0.01, 0.02, 0.0])[:, None, None, None] ** 0.5
    found = quality.psnr(images, truth)
    assert float(found[:2].mean()) == pytest.approx(18.494850, abs=1e-6) and float(found[2]) == 100
    assert float(quality.decibels(jnp.asarray(0.015))) == pytest.approx(18.239087, abs=1e-6)
    slope = jax.grad(lambda x: quality.psnr(x, truth).sum())(images)
    assert bool(jnp.isfinite(slope).all())


def test_the_range_matters(float64):
    """Pixels in [-1, 1] would gain 6.0206 dB under a range of 2; constants 0.5 and 0.6 have an SSIM of 0.983609."""
    truth, images = jnp.full((1, 12, 12, 1), 0.5), jnp.full((1, 12, 12, 1), 0.6)
    for window in (quality.UNIFORM, quality.GAUSSIAN):
        assert float(quality.ssim(images, truth, window)[0]) == pytest.approx(0.983609, abs=1e-6)
    wide = 10 * np.log10(2**2 / float(jnp.square(2 * images - 2 * truth).mean()))
    assert wide - float(quality.psnr(images, truth)[0]) == pytest.approx(0, abs=1e-9)
    shifted = 10 * np.log10(2**2 / float(jnp.square(images - truth).mean()))
    assert shifted - float(quality.psnr(images, truth)[0]) == pytest.approx(6.0206, abs=1e-4)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('window', [quality.UNIFORM, quality.GAUSSIAN])
def test_equal_to_scikit_image(window, channels):
    """Smooth images, noisy images and constants, 20x15."""
    metrics = pytest.importorskip('skimage.metrics')
    rng = np.random.default_rng(1)
    truth = rng.uniform(size=(4, 20, 15, channels)).astype(np.float32)
    truth[1] = np.linspace(0, 1, 15)[None, :, None]
    truth[2] = 0.3
    images = np.clip(truth + rng.normal(0, 0.2, truth.shape), 0, 1).astype(np.float32)
    images[3] = truth[3]
    how = {'data_range': 1.0, 'channel_axis': -1}
    if window == quality.GAUSSIAN:
        how |= {'gaussian_weights': True, 'sigma': 1.5, 'use_sample_covariance': False}
    wide = [(one.astype(np.float64), other.astype(np.float64)) for one, other in zip(truth, images, strict=True)]
    expected = [metrics.structural_similarity(one, other, **how) for one, other in wide]
    found = jax.jit(quality.ssim, static_argnums=2)(jnp.asarray(images), jnp.asarray(truth), window)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    expected = [metrics.peak_signal_noise_ratio(one, other, data_range=1.0) for one, other in wide[:3]]
    np.testing.assert_allclose(quality.psnr(jnp.asarray(images), jnp.asarray(truth))[:3], expected, rtol=1e-5)


def test_what_ssim_refuses():
    small = jnp.zeros((1, 6, 9, 1))
    with pytest.raises(ValueError, match='6x9 pixels are smaller than the window of 7'):
        quality.ssim(small, small)
    with pytest.raises(ValueError, match="'box' is not"):
        quality.ssim(small, small, 'box')
