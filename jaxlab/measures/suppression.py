"""From scores and offsets to detections: non-maximum suppression class by class, in fixed shapes, in one compiled step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxlab.measures.boxes import clipped, decode, iou


class Detections(NamedTuple):
    """[N, D] detections by falling score; where the score is 0 there is none (label -1, box of zeros)."""

    boxes: Array
    scores: Array
    labels: Array


def suppressed(boxes: Float[Array, 'n 4'], scores: Float[Array, 'n'], threshold: float) -> Bool[Array, 'n']:
    """Which boxes stay: one by one, each drops the later ones that it overlaps more than the threshold.

    boxes: by falling score; those of score 0 are none.
    """
    places = jnp.arange(len(scores))

    def drop(place: Array, kept: Array) -> Array:
        overlap = iou(lax.dynamic_slice_in_dim(boxes, place, 1), boxes)[0]
        return kept & ~(kept[place] & (overlap > threshold) & (places > place))

    return lax.fori_loop(0, len(scores), drop, scores > 0)


def detections(
    logits: Float[Array, 'N A K'],
    offsets: Float[Array, 'N A 4'],
    anchors: Float[Array, 'A 4'],
    least_score: float = 0.001,
    candidates: int = 300,
    threshold: float = 0.55,
    most: int = 300,
) -> Detections:
    """Boxes in fractions, cut to the image, at most `most` an image. Labels are those of objects, from 0.

    The defaults are B12's: of each class the `candidates` best that score above `least_score`; of these what suppression at
    IoU `threshold` leaves; of all classes the `most` best. Classes never suppress each other, whatever the precision.
    """
    candidates = min(candidates, anchors.shape[0])

    def a_class(scores: Array, boxes: Array) -> tuple[Array, Array]:
        best, place = lax.top_k(jnp.where(scores > least_score, scores, 0), candidates)
        chosen = boxes[place]
        return jnp.where(suppressed(chosen, best, threshold), best, 0), chosen

    def image(logits: Array, offsets: Array) -> Detections:
        scores = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)[:, 1:].T
        boxes = clipped(decode(offsets.astype(jnp.float32), anchors))
        kept, chosen = jax.vmap(a_class, (0, None))(scores, boxes)
        best, place = lax.top_k(kept.reshape(-1), min(most, kept.size))
        there = best > 0
        labels = jnp.where(there, (place // candidates).astype(jnp.int32), -1)
        return Detections(jnp.where(there[:, None], chosen.reshape(-1, 4)[place], 0), best, labels)

    return jax.vmap(image)(logits, offsets)
