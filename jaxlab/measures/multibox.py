"""The training of a one-stage detector: which default box stands for which object, and what it pays. Liu et al. 2015.

Shapes are fixed: an image has M places for objects, of which those without area are padding (`jaxlab/measures/boxes.py`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from jaxlab.measures.boxes import area, encode, iou
from jaxlab.measures.losses import cross_entropy, huber


class Sums(NamedTuple):
    """Of one image (or [N] images): localisation, classification (matched boxes and mined background), matched boxes."""

    localisation: Array
    classification: Array
    matched: Array


def match(boxes: Float[Array, 'M 4'], anchors: Float[Array, 'A 4'], threshold: float = 0.5) -> Int[Array, 'A']:
    """The object that each default box stands for, -1 for background.

    A default box takes the object that it overlaps most (of equal ones the first), if by the threshold. Before that each
    object gets one default box for sure: objects by falling overlap (equal ones in order) take the best that is free, so
    that two objects never share one and the order in which they are listed hardly matters. Padding takes none.
    """
    real = area(boxes) > 0
    overlaps = jnp.where(real[:, None], iou(boxes, anchors), -1)
    best = overlaps.argmax(0)
    matched = jnp.where(overlaps.max(0) >= threshold, best, -1).astype(jnp.int32)

    def force(owner: Array, row: Array) -> tuple[Array, None]:
        free = jnp.where(owner >= 0, -1.0, overlaps[row])
        place = free.argmax()
        taken = owner.at[place].set(row.astype(jnp.int32))
        return jnp.where(real[row] & (free[place] > 0), taken, owner), None

    order = jnp.argsort(-overlaps.max(1), stable=True)
    owner, _ = lax.scan(force, jnp.full(anchors.shape[0], -1, jnp.int32), order)
    return jnp.where(owner >= 0, owner, matched)


def hardest(losses: Float[Array, 'A'], candidates: Array, count: Array) -> Array:
    """[A] bool: the `count` largest losses among the candidates; of equal ones the first."""
    order = jnp.argsort(jnp.where(candidates, -losses, jnp.inf), stable=True)
    rank = (
        jnp.zeros(len(losses), jnp.int32).at[order].set(jnp.arange(len(losses), dtype=jnp.int32), unique_indices=True)
    )
    return candidates & (rank < count)


def multibox(
    logits: Float[Array, 'N A K'],
    offsets: Float[Array, 'N A 4'],
    boxes: Float[Array, 'N M 4'],
    labels: Int[Array, 'N M'],
    anchors: Float[Array, 'A 4'],
    ratio: int = 3,
    least: int = 0,
) -> Sums:
    """[N] sums an image: smooth L1 of the offsets of matched boxes; cross-entropy of these and of the hardest background.

    logits: class 0 is background. labels: classes of objects from 0. ratio: background boxes for each matched one; least:
    as many at least, so that an image without objects teaches something (SSD has 0). Divided by the number of matched
    boxes of the batch (1 at least) they are SSD's loss.
    """

    def image(logits: Array, offsets: Array, boxes: Array, labels: Array) -> Sums:
        found = match(boxes, anchors)
        matched, row = found >= 0, jnp.maximum(found, 0)
        count = matched.sum()
        wanted = encode(boxes[row].astype(offsets.dtype), anchors)
        distance = jnp.where(matched[:, None], huber(offsets, jnp.where(matched[:, None], wanted, 0)), 0)
        losses = cross_entropy(logits, jnp.where(matched, labels[row] + 1, 0))
        chosen = hardest(lax.stop_gradient(losses), ~matched, jnp.maximum(ratio * count, least))
        return Sums(distance.sum(), jnp.where(matched | chosen, losses, 0).sum(), count.astype(losses.dtype))

    return jax.vmap(image)(logits, offsets, boxes, labels)
