"""How good detections are, on the host: matching by VOC's or COCO's rules, average precision in three forms, curves.

Two rules decide which detection is a hit. VOC (Everingham et al. 2010): a detection, by falling score, looks at the object of
its class that it overlaps most; if by the threshold, it is a hit, unless another had that object (then it is false) or the
object is ignored ("difficult": then it does not count). COCO: it takes the free object that it overlaps most, so a
second object close by can still be hit; a crowd takes any number, by the share of the detection inside it; an image keeps its
100 best detections of a class. Three forms of average precision sum up the curve: the whole area under it (VOC from 2010),
the mean at 11 recalls (VOC 2007), at 101 recalls (COCO). The same detections thus have several "AP" (`all_forms`).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10))
KEPT = 100  # detections of a class and image under COCO's rules


@dataclasses.dataclass(frozen=True, eq=False)
class Objects:
    """The truth of one image: boxes [m, 4], labels [m]; ignored, crowd [m] bool: neither hit nor miss.

    area [m]: what COCO's ranges of size go by; None: that of the boxes.
    """

    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray | None = None
    crowd: np.ndarray | None = None
    area: np.ndarray | None = None

    def of(self, label: int) -> 'OfClass':
        """Those of one class."""
        chosen = np.flatnonzero(np.asarray(self.labels) == label)
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)[chosen]
        none = np.zeros(len(chosen), bool)
        crowd = none if self.crowd is None else np.asarray(self.crowd, bool)[chosen]
        ignored = none if self.ignored is None else np.asarray(self.ignored, bool)[chosen]
        area = sizes(boxes) if self.area is None else np.asarray(self.area, np.float64)[chosen]
        return OfClass(boxes, ignored | crowd, crowd, area)


class OfClass(NamedTuple):
    """The objects of one class in one image, a crowd always ignored."""

    boxes: np.ndarray
    ignored: np.ndarray
    crowd: np.ndarray
    area: np.ndarray


class Found(NamedTuple):
    """The detections in one image: boxes [n, 4], scores [n], labels [n], in any order."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def of(self, label: int, most: int | None = None) -> 'Found':
        """Those of one class by falling score (equal ones as they came), the best `most` of them."""
        chosen = np.flatnonzero(np.asarray(self.labels) == label)
        scores = np.asarray(self.scores, np.float64)[chosen]
        order = np.argsort(-scores, kind='stable')[:most]
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)[chosen]
        return Found(boxes[order], scores[order], np.full(len(order), label))


class Ranked(NamedTuple):
    """Detections of one class in all images by falling score: scores [n], hits [n] bool; objects: how many there are."""

    scores: np.ndarray
    hits: np.ndarray
    objects: int


def sizes(boxes: np.ndarray) -> np.ndarray:
    """Areas [n] of boxes [n, 4]."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def overlaps(boxes: np.ndarray, objects: OfClass) -> np.ndarray:
    """[n, m] IoU of each pair; for a crowd the share of the box inside it."""
    low = np.maximum(boxes[:, None, :2], objects.boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], objects.boxes[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(-1)
    own = sizes(boxes)[:, None]
    union = np.where(objects.crowd[None], own, own + sizes(objects.boxes)[None] - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _by_voc(shared: np.ndarray, objects: OfClass, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(hits [n], left out [n]) of detections by falling score."""
    hits, out = np.zeros(len(shared), bool), np.zeros(len(shared), bool)
    if not shared.shape[1]:
        return hits, out
    free = np.ones(shared.shape[1], bool)
    for place, best in enumerate(shared.argmax(1)):
        if shared[place, best] < threshold:
            continue
        if objects.ignored[best]:
            out[place] = True
        elif free[best]:
            hits[place], free[best] = True, False
    return hits, out


def _by_coco(shared: np.ndarray, objects: OfClass, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The same; of equal overlaps the last object is taken, as pycocotools does."""
    hits, out = np.zeros(len(shared), bool), np.zeros(len(shared), bool)
    ignored, crowd = objects.ignored, objects.crowd
    free, least = np.ones(shared.shape[1], bool), min(threshold, 1 - 1e-10)
    for place in np.flatnonzero((shared >= least).any(1)):
        for wanted in (~ignored, ignored):
            able = wanted & (free | crowd) & (shared[place] >= least)
            if able.any():
                best = len(able) - 1 - int(np.argmax(np.where(able, shared[place], -1)[::-1]))
                free[best] = False
                hits[place], out[place] = not ignored[best], ignored[best]
                break
    return hits, out


RULES: Mapping[str, tuple[Callable[..., tuple[np.ndarray, np.ndarray]], int | None]] = {
    'voc': (_by_voc, None),
    'coco': (_by_coco, KEPT),
}


def ranked(
    truth: Sequence[Objects],
    found: Sequence[Found],
    label: int,
    threshold: float = 0.5,
    rule: str = 'voc',
    area: tuple[float, float] = (0.0, np.inf),
) -> Ranked:
    """The detections of a class in all images. area: objects of another size, and what finds nothing there, are ignored."""
    match, most = RULES[rule]
    scores, hits, objects = [np.zeros(0)], [np.zeros(0, bool)], 0
    for there, seen in zip(truth, found, strict=True):
        mine, theirs = there.of(label), seen.of(label, most)
        mine = mine._replace(ignored=mine.ignored | (mine.area < area[0]) | (mine.area > area[1]))
        right, out = match(overlaps(theirs.boxes, mine), mine, threshold)
        extent = sizes(theirs.boxes)
        out |= ~right & ((extent < area[0]) | (extent > area[1]))
        scores.append(theirs.scores[~out])
        hits.append(right[~out])
        objects += int((~mine.ignored).sum())
    order = np.argsort(-np.concatenate(scores), kind='stable')
    return Ranked(np.concatenate(scores)[order], np.concatenate(hits)[order], objects)


def curve(one: Ranked) -> tuple[np.ndarray, np.ndarray]:
    """(recall [n], precision [n]) after each detection."""
    hits = np.cumsum(one.hits)
    return hits / max(one.objects, 1), hits / np.arange(1, len(hits) + 1)


def _envelope(precision: np.ndarray) -> np.ndarray:
    """At each recall the best precision there or beyond."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _all_points(recall: np.ndarray, precision: np.ndarray) -> float:
    return float(np.sum(np.diff(recall, prepend=0) * _envelope(precision)))


def _at(recalls: np.ndarray, recall: np.ndarray, precision: np.ndarray) -> float:
    padded = np.append(_envelope(precision), 0)
    return float(padded[np.searchsorted(recall, recalls, side='left')].mean())


FORMS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    'all_points': _all_points,
    '11_points': lambda recall, precision: _at(np.linspace(0, 1, 11) - 1e-12, recall, precision),  # 3 of 10 is 0.3
    '101_points': lambda recall, precision: _at(np.linspace(0, 1, 101), recall, precision),
}


def average_precision(one: Ranked, form: str = 'all_points') -> float:
    """Of one class; NaN without objects, 0 without detections."""
    return FORMS[form](*curve(one)) if one.objects else float('nan')


def by_class(
    truth: Sequence[Objects],
    found: Sequence[Found],
    classes: int,
    thresholds: Sequence[float] = (0.5,),
    rule: str = 'voc',
    form: str = 'all_points',
    area: tuple[float, float] = (0.0, np.inf),
) -> np.ndarray:
    """[classes] average precision, the mean over the thresholds; NaN for a class without objects."""
    values = [
        [average_precision(ranked(truth, found, label, one, rule, area), form) for one in thresholds]
        for label in range(classes)
    ]
    return np.asarray(values, np.float64).reshape(classes, -1).mean(1)


def mean(values: np.ndarray) -> float:
    """Over the classes that have objects; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')


def all_forms(truth: Sequence[Objects], found: Sequence[Found], classes: int) -> dict[str, float]:
    """The four numbers that are all called mAP, and under which name."""
    half = lambda rule, form: mean(by_class(truth, found, classes, (0.5,), rule, form))
    return {
        'map_50': half('voc', 'all_points'),
        'map_50_11_points': half('voc', '11_points'),
        'coco_map_50': half('coco', '101_points'),
        'coco_map': mean(by_class(truth, found, classes, COCO_THRESHOLDS, 'coco', '101_points')),
    }


def hits_per_object(truth: Sequence[Objects], found: Sequence[Found], threshold: float = 0.5) -> float:
    """B12's "mAP", kept as a lesson: detections that overlap any object more than the threshold, per object of the image.

    Classes, scores, duplicates and misses do not matter, images without detections are left out: it can exceed 1.
    """
    shares = []
    for there, seen in zip(truth, found, strict=True):
        boxes = np.asarray(there.boxes, np.float64).reshape(-1, 4)
        if len(seen.scores) and len(boxes):
            plain = Objects(boxes, np.zeros(len(boxes))).of(0)
            shared = overlaps(np.asarray(seen.boxes, np.float64).reshape(-1, 4), plain)
            shares.append((shared.max(1) > threshold).sum() / len(boxes))
    return float(np.mean(shares)) if shares else float('nan')
