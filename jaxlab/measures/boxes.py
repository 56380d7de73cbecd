"""Boxes (x0, y0, x1, y1): overlap, default boxes of a detector, and offsets from them.

x to the right, y downwards, the far edge not included; in any unit, as long as both are in the same: here mostly fractions
of the image's width and height. A box without area overlaps nothing (and is what padding looks like).
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

VARIANCES = (10.0, 10.0, 5.0, 5.0)  # what offsets are multiplied by, as torchvision names it (1 / 0.1, 1 / 0.2 of SSD)
LARGEST_GROWTH = math.log(1000 / 16)  # of a side, when offsets become boxes


def area(boxes: Float[Array, '... 4']) -> Float[Array, '...']:
    """Zero for a box whose edges are crossed."""
    x0, y0, x1, y1 = jnp.moveaxis(boxes, -1, 0)
    return jnp.maximum(x1 - x0, 0) * jnp.maximum(y1 - y0, 0)


def intersection(a: Float[Array, '... M 4'], b: Float[Array, '... A 4']) -> Float[Array, '... M A']:
    """The area that each pair shares."""
    low = jnp.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = jnp.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    return jnp.prod(jnp.maximum(high - low, 0), axis=-1)


def iou(a: Float[Array, '... M 4'], b: Float[Array, '... A 4']) -> Float[Array, '... M A']:
    """Intersection over union of each pair; 0 where the union is empty."""
    shared = intersection(a, b)
    union = area(a)[..., :, None] + area(b)[..., None, :] - shared
    return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1), 0)


def clipped(boxes: Float[Array, '... 4']) -> Float[Array, '... 4']:
    """Boxes in fractions cut to the image."""
    return jnp.clip(boxes, 0, 1)


def default_boxes(
    cells: Sequence[tuple[int, int]], smallest: float = 0.2, largest: float = 0.95, ratios: Sequence[float] = (2, 3)
) -> np.ndarray:
    """[A, 4] float32 in fractions, A over maps, rows, columns, and a cell's boxes; not cut to the image.

    cells: (rows, columns) of each map. The scales s_k go evenly from `smallest` to `largest`, and to 1 behind the last. A
    cell has a square of side s_k, one of sqrt(s_k s_k+1), and for each ratio r boxes of s_k sqrt(r) by s_k / sqrt(r), lying
    and standing; no side is longer than the image. Centres are those of the cells. Source: Liu et al. 2015, section 2.2.
    """
    count = len(cells)
    scales = [smallest + (largest - smallest) * k / max(count - 1, 1) for k in range(count)] + [1.0]
    found = []
    for (rows, columns), scale, following in zip(cells, scales, scales[1:]):
        between = math.sqrt(scale * following)
        sides = [(scale, scale), (between, between)]
        for ratio in ratios:
            long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
            sides += [(long, short), (short, long)]
        half = np.minimum(np.array(sides), 1.0) / 2
        y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing='ij')
        centres = np.stack([x, y], axis=-1)[:, :, None]
        found.append(np.concatenate([centres - half, centres + half], axis=-1).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def _centred(boxes: Array) -> tuple[Array, Array]:
    """(centres [..., 2], sides [..., 2])."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def encode(boxes: Float[Array, '... 4'], anchors: Float[Array, '... 4']) -> Float[Array, '... 4']:
    """Offsets `10 (x - x_a) / w_a`, `10 (y - y_a) / h_a`, `5 ln(w / w_a)`, `5 ln(h / h_a)`; finite for any box."""
    (centre, sides), (middle, extent) = _centred(boxes), _centred(anchors)
    tiny = jnp.finfo(boxes.dtype).eps
    moved, grown = (centre - middle) / extent, jnp.log(jnp.maximum(sides, tiny * extent) / extent)
    return jnp.concatenate([moved, grown], axis=-1) * jnp.asarray(VARIANCES, boxes.dtype)


def decode(offsets: Float[Array, '... 4'], anchors: Float[Array, '... 4']) -> Float[Array, '... 4']:
    """The boxes that the offsets stand for; a side grows at most 62.5 times."""
    middle, extent = _centred(anchors)
    values = offsets / jnp.asarray(VARIANCES, offsets.dtype)
    centre = values[..., :2] * extent + middle
    sides = jnp.exp(jnp.minimum(values[..., 2:], LARGEST_GROWTH)) * extent
    return jnp.concatenate([centre - sides / 2, centre + sides / 2], axis=-1)
