"""Boxes of objects as a field of an example: where they are, of which class, which do not count.

A box is (x0, y0, x1, y1) in fractions of the image's width and height, the far edge not included. Squashing an image does not
change them, so a box can never be in another frame than its image. An image has M places for objects; zeros are padding.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from jaxlab.data.classes import ClassAnswer
from jaxlab.data.examples import Arrays
from jaxlab.figures import Box

FIELD, CLASSES, IGNORED = 'boxes', 'classes', 'ignored'  # what stands beside the boxes in a batch


class Annotation(NamedTuple):
    """The objects of one image: boxes [m, 4] in pixels of an image of `size` (width, height), classes [m], ignored [m]."""

    boxes: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray
    size: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Boxes(ClassAnswer):
    """[N, M, 4] float32; beside them `classes` [N, M] int32 and `ignored` [N, M] bool (VOC's "difficult")."""

    words: ClassVar[str] = 'boxes'

    def answers(self, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, size: tuple[int, int]) -> list[dict]:
        """One dict a detection: class, score, box in pixels of an image of `size` (width, height)."""
        return [
            {'class': self.names[label], 'score': float(score), 'box': [round(float(side), 1) for side in pixels]}
            for pixels, score, label in zip(boxes * np.tile(size, 2), scores, classes, strict=True)
        ]

    def drawn(
        self, boxes: np.ndarray, classes: np.ndarray, size: tuple[int, int], scores: np.ndarray | None = None
    ) -> list[Box]:
        """For a figure of images of `size` (width, height) pixels; without scores they are the truth: dashed, in a colour of
        their own."""
        found = []
        for place, (box, label) in enumerate(zip(boxes * np.tile(size, 2), classes, strict=True)):
            left, top, right, bottom = map(float, box)
            if scores is None:
                found.append(Box(left, top, right, bottom, '', len(self.names), dashed=True))
            else:
                found.append(Box(left, top, right, bottom, f'{self.names[label]} {scores[place]:.2f}', int(label)))
        return found


def in_fractions(annotations: Sequence[Annotation]) -> Arrays:
    """Arrays of all images, padded to as many objects as the fullest has."""
    most = max((len(one.classes) for one in annotations), default=0) or 1
    boxes = np.zeros((len(annotations), most, 4), np.float32)
    classes, ignored = np.zeros((len(annotations), most), np.int32), np.zeros((len(annotations), most), bool)
    for row, one in enumerate(annotations):
        count = len(one.classes)
        boxes[row, :count] = one.boxes / np.tile(one.size, 2)
        classes[row, :count], ignored[row, :count] = one.classes, one.ignored
    return {FIELD: boxes, CLASSES: classes, IGNORED: ignored}


def there(boxes: np.ndarray) -> np.ndarray:
    """[..., M] bool: which places hold an object."""
    return (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
