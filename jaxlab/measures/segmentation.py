"""Masks: losses on the device, and on the host what predicted masks are worth.

A binary mask is one logit a pixel, [N, H, W]; several classes are logits [N, H, W, K]. With I the pixels that prediction P and
truth T share, Dice = 2 I / (P + T) and IoU = I / (P + T - I). Pooled: sums over all pictures first; per image: the mean of the
pictures' values. They differ, and only sums that are kept apart to the end are free of the batch size. A picture where
both are empty counts as 1 per image (or is left out).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.layers.batch_axis import sum_over_batch_axis
from jaxlab.measures.losses import binary_cross_entropy
from jaxlab.measures.sums import weighted_mean

SMOOTHING = 1.0  # B19's: what keeps the loss of an empty picture finite


def dice_loss(
    logits: Float[Array, 'N ...'],
    targets: Float[Array, 'N ...'],
    weight: Float[Array, 'N'],
    per_image: bool = False,
    smoothing: float = SMOOTHING,
) -> Float[Array, '']:
    """1 - (2 sum(p t) + s) / (sum p + sum t + s), p = sigmoid(logits): pooled over the batch, or the mean of images'.

    Under `pmap` this is the device's share: shares add up to the loss of the whole batch, and their gradients to its gradient.
    """
    pixels = tuple(range(1, logits.ndim))
    p = jax.nn.sigmoid(logits.astype(jnp.float32))
    both, total = 2 * (p * targets).sum(pixels), (p + targets).sum(pixels)
    if per_image:
        return weighted_mean(1 - (both + smoothing) / (total + smoothing), weight)
    return _share_of_pooled((both * weight).sum(), (total * weight).sum(), smoothing)


def _share_of_pooled(both: Array, total: Array, smoothing: float) -> Array:
    """This device's share of 1 - (B + s) / (T + s), B and T summed over devices.

    Value: that of the whole over the number of devices. Gradient: each device's sums enter the whole linearly, so its
    share of the gradient is the whole's slope times its own sums.
    """
    all_both, all_total, devices = sum_over_batch_axis((both, total, jnp.ones(())))
    fixed_both, fixed_total = jax.lax.stop_gradient((all_both + smoothing, all_total + smoothing))
    whole = (1 - fixed_both / fixed_total) / devices
    slope = -both / fixed_total + fixed_both / jnp.square(fixed_total) * total
    return whole + slope - jax.lax.stop_gradient(slope)


def pixel_cross_entropy(
    logits: Float[Array, 'N ...'], targets: Float[Array, 'N ...'], weight: Float[Array, 'N']
) -> Float[Array, '']:
    """Binary cross-entropy, the mean over pixels and examples: this device's share."""
    losses = binary_cross_entropy(logits, targets.astype(jnp.float32))
    return weighted_mean(losses.mean(tuple(range(1, losses.ndim))), weight)


class Overlap(NamedTuple):
    """Pixels [N] or [N, K] a picture (and class): shared by both, predicted, true."""

    both: Any
    predicted: Any
    true: Any


def overlap(predicted: Array, truth: Array, classes: int = 0, ignored: int = 255) -> Overlap:
    """Of binary masks [N, H, W] (bool, or 0 and 1), or with `classes` of class numbers.

    Pixels whose true class is `ignored` are left out.
    """
    pixels = (1, 2)
    if not classes:
        a, b = predicted.astype(bool), truth.astype(bool)
        return Overlap((a & b).sum(pixels), a.sum(pixels), b.sum(pixels))
    seen = (truth != ignored)[..., None]
    a, b = ((mask[..., None] == jnp.arange(classes)) & seen for mask in (predicted, truth))
    return Overlap((a & b).sum(pixels), a.sum(pixels), b.sum(pixels))


# ---- on the host: shares of pixels, in float64 ----------------------------------------------------------------------
def _share(part: Any, whole: Any, empty: float) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, empty), where=whole > 0)


def _float(pixels: Overlap) -> Overlap:
    """In float64."""
    return Overlap(*(np.asarray(part, np.float64) for part in pixels))


def dice(pixels: Overlap, empty: float = 1.0) -> np.ndarray:
    """2 I / (P + T) of each; `empty` where there is nothing to see and nothing was seen."""
    both, predicted, true = _float(pixels)
    return _share(2 * both, predicted + true, empty)


def iou(pixels: Overlap, empty: float = 1.0) -> np.ndarray:
    """I / (P + T - I) of each."""
    both, predicted, true = _float(pixels)
    return _share(both, predicted + true - both, empty)


def smoothed_iou(pixels: Overlap, smoothing: float = 1e-6) -> np.ndarray:
    """B19's: (I + e) / (U + e), 1 where both are empty and e / (1 + e) for one false pixel on an empty truth."""
    both, predicted, true = _float(pixels)
    return (both + smoothing) / (predicted + true - both + smoothing)


def pooled(pixels: Overlap) -> Overlap:
    """Sums over all pictures."""
    return Overlap(*(np.asarray(part, np.float64).sum(0) for part in pixels))


def scores(pixels: Overlap) -> dict[str, float]:
    """All scores of binary masks: pooled, and the mean over pictures with both rules for a picture where both are empty."""
    together = pooled(pixels)
    both, predicted, true = together
    each = dice(pixels, empty=np.nan)
    known = ~np.isnan(each)
    return {
        'dice': float(dice(together)),
        'iou': float(iou(together)),
        'precision': float(_share(both, predicted, 1.0)),
        'recall': float(_share(both, true, 1.0)),
        'dice_per_image': float(dice(pixels).mean()),
        'dice_per_image_without_empty': float(each[known].mean()) if known.any() else float('nan'),
        'iou_per_image': float(iou(pixels).mean()),
    }


def class_scores(pixels: Overlap) -> dict[str, np.ndarray]:
    """[K] Dice and IoU of each class, pooled; NaN for a class that is neither there nor seen."""
    together = pooled(pixels)
    return {'dice': dice(together, empty=np.nan), 'iou': iou(together, empty=np.nan)}
