"""Masks: golden values of B19 and of `traps` S1, S2; gradients; padding rows; shares of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.layers.batch_axis import BATCH_AXIS
from jaxlab.measures import segmentation
from jaxlab.measures.segmentation import Overlap, overlap, scores

# As training runs them, compiled: one operation after the other they would be compiled one by one, for every shape.
dice_loss = jax.jit(segmentation.dice_loss, static_argnums=3, static_argnames='per_image')
pixel_cross_entropy = jax.jit(segmentation.pixel_cross_entropy)
ONE = jnp.ones(1)


def logit(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize(
    'logits, targets, expected',
    [
        ([0, 0, 0, 0], [1, 1, 0, 0], 0.4),
        ([2, -1, 0.5, -3], [1, 0, 1, 0], 0.168708375),
    ],
)
def test_dice_loss_of_b19(logits, targets, expected):
    found = dice_loss(jnp.array([logits], float), jnp.array([targets], float), ONE)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize('share, expected', [(0.25, 0.666663276), (0.5, 0.499998093)])
def test_dice_loss_of_zero_logits(share, expected):
    targets = (jnp.arange(4 * 256 * 256).reshape(4, 256, 256) % 4 < 4 * share).astype(jnp.float32)
    np.testing.assert_allclose(dice_loss(jnp.zeros((4, 256, 256)), targets, jnp.ones(4)), expected, atol=1e-7)


P = np.array([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.1, 0.6]], np.float32)
T = np.array([[1.0, 1, 0, 0], [0, 0, 0, 1]], np.float32)


def test_pooled_and_per_image_differ():
    weight = jnp.ones(2)
    np.testing.assert_allclose(dice_loss(logit(P), T, weight), 0.159420290, atol=1e-6)
    np.testing.assert_allclose(dice_loss(logit(P), T, weight, per_image=True), 0.160689655, atol=1e-6)
    for row, expected in enumerate((0.08, 0.241379310)):
        np.testing.assert_allclose(dice_loss(logit(P[row : row + 1]), T[row : row + 1], ONE), expected, atol=1e-6)


@pytest.mark.parametrize('per_image', [False, True])
def test_padding_changes_nothing_and_gradients_are_right(per_image):
    padded = lambda x, value: np.concatenate([x, np.full((1, 4), value, np.float32)])
    loss = lambda z: dice_loss(z, padded(T, 1.0), jnp.array([1.0, 1, 0]), per_image)
    np.testing.assert_allclose(loss(padded(logit(P), 3.0)), dice_loss(logit(P), T, jnp.ones(2), per_image), atol=1e-6)
    check_grads(lambda z: dice_loss(z, T, jnp.ones(2), per_image), (logit(P),), order=1, modes=('rev',), atol=1e-2)
    assert not np.any(jax.jit(jax.grad(loss))(padded(logit(P), 3.0))[2])


@pytest.mark.parametrize('per_image', [False, True])
def test_shares_of_devices_add_up(per_image):
    """Value and gradient of a batch that lies on two devices; the pooled loss is no mean of the devices'."""
    whole = jax.jit(jax.value_and_grad(lambda z: dice_loss(z, T, jnp.ones(2), per_image)))(logit(P))
    share = jax.pmap(
        jax.value_and_grad(lambda z, t: dice_loss(z, t, ONE, per_image)), BATCH_AXIS, devices=jax.devices()[:2]
    )
    value, gradient = share(logit(P)[:, None], T[:, None])
    np.testing.assert_allclose(value.sum(), whole[0], atol=1e-6)
    np.testing.assert_allclose(gradient[:, 0], whole[1], atol=1e-6)


def test_cross_entropy_is_a_mean():
    """B19, flaw 6: averaged, so that it may be added to Dice."""
    found = pixel_cross_entropy(logit(P), T, jnp.ones(2))
    np.testing.assert_allclose(found, -np.log([0.9] * 7 + [0.6]).mean(), rtol=1e-5)


def test_iou_of_b19():
    seen = lambda logits, targets: overlap(
        jnp.array(logits, float).reshape(1, 1, -1) > 0, jnp.array(targets).reshape(1, 1, -1)
    )
    value = lambda pixels: segmentation.smoothed_iou(pixels)[0]
    np.testing.assert_allclose(value(seen([2, -1, 0.5, -3], [1, 0, 1, 1])), 0.666666778, atol=1e-9)
    assert value(seen([-1, -1], [0, 0])) == 1
    np.testing.assert_allclose(value(seen([1, -1], [0, 0])), 9.99999e-7, atol=1e-12)


THREE = Overlap(np.array([90, 0, 0]), np.array([100, 10, 0]), np.array([100, 10, 0]))


def test_scores_do_not_depend_on_the_batch():
    """S1, S2: pooled .818182 and .692308; per image .45 without the empty picture, .633333 with it as 1."""
    found = scores(THREE)
    np.testing.assert_allclose(found['dice'], 0.818182, atol=1e-6)
    np.testing.assert_allclose(found['iou'], 0.692308, atol=1e-6)
    np.testing.assert_allclose(found['dice_per_image_without_empty'], 0.45)
    np.testing.assert_allclose(found['dice_per_image'], 0.633333, atol=1e-6)
    np.testing.assert_allclose([found['precision'], found['recall']], 90 / 110)
    np.testing.assert_allclose(segmentation.dice(THREE), [0.9, 0, 1])
    np.testing.assert_allclose(segmentation.dice(THREE, empty=0.0), [0.9, 0, 0])


def test_nothing_seen_and_nothing_there():
    empty = scores(Overlap(*(np.zeros(2),) * 3))
    assert empty['dice'] == empty['iou'] == empty['precision'] == empty['dice_per_image'] == 1
    assert np.isnan(empty['dice_per_image_without_empty'])
    missed = scores(Overlap(np.zeros(1), np.zeros(1), np.array([5])))
    assert missed['recall'] == 0 and missed['precision'] == 1 and missed['dice'] == 0


def test_several_classes_and_pixels_to_ignore():
    truth = jnp.array([[[0, 1, 2], [2, 255, 1]]])
    predicted = jnp.array([[[0, 1, 1], [2, 1, 1]]])
    pixels = overlap(predicted, truth, classes=4)
    found = segmentation.class_scores(pixels)
    np.testing.assert_allclose(found['iou'], [1, 2 / 3, 1 / 2, np.nan])
    np.testing.assert_allclose(found['dice'], [1, 4 / 5, 2 / 3, np.nan])
