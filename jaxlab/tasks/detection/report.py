"""What a detector shows: boxes over their truth, precision against recall, and which of the numbers called mAP is which."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxlab.data.boxes import CLASSES, FIELD, IGNORED, Boxes, there
from jaxlab.data.pictures import pictures
from jaxlab.figures import Figure, Images, Lines, Table
from jaxlab.measures import detection as measures
from jaxlab.protocol import Record, Report
from jaxlab.tasks.detection.step import Detection, found, truths
from jaxlab.tasks.reporting import LookingReport

SHOWN_SCORE = 0.5  # boxes below it are not drawn
COLUMNS = 4

# B12's example: what its report counts, and what average precision is.
LESSON = (
    measures.Objects(np.array([[0, 0, 100, 100], [200, 200, 300, 300]]), np.zeros(2, int)),
    measures.Found(
        np.array([[0, 0, 100, 100], [10, 10, 110, 110], [0, 0, 90, 100], [205, 205, 305, 305], [400, 400, 450, 450]]),
        np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
        np.zeros(5, int),
    ),
)
FORMS = {
    'map_50': 'mAP@.5, the area under the curve (VOC from 2010)',
    'map_50_11_points': 'mAP@.5 at 11 recalls (VOC 2007)',
    'coco_map_50': "mAP@.5 at 101 recalls, COCO's matching",
    'coco_map': "mAP@[.5:.95], COCO's",
    'hits_per_object': 'no mAP: boxes on any object, per object (B12; can exceed 1)',
}


@dataclasses.dataclass(frozen=True)
class DetectionReport(LookingReport[Detection]):
    """Needs the detections in all images of the split that is reported."""

    @property
    def feature(self) -> Boxes:
        """The field that is predicted."""
        feature = self.data.features[FIELD]
        assert isinstance(feature, Boxes)
        return feature

    def own(self, record: Record) -> Report:
        """Of the first replica; metrics are of all."""
        figures: list[Figure] = [self._examples(), self._objects()]
        if self.split not in record.outputs:
            return Report(tuple(figures))
        outputs = record.outputs[self.split][0]
        truth, seen = truths(self.data.splits[self.split]), found(outputs)
        figures += [
            self._drawn(outputs),
            self._curves(truth, seen),
            self._by_class(truth, seen),
            self._forms(truth, seen),
        ]
        answer = self._answer(record)
        remark = (
            'B12 prints 1.1151 and calls it mAP: boxes that overlap any object, per object. No average precision exceeds 1. The '
            'last table has both numbers, for this network and for a worked example.'
        )
        return Report(tuple(figures), remarks=(remark,), answer=answer)

    def _answer(self, record: Record) -> str:
        values = [float(np.mean(record.metrics[f'{self.split}_{name}'])) for name in ('map_50', 'coco_map')]
        return (
            f'mAP@.5 {values[0]:.3f} (area under the curve, VOC matching) and mAP@[.5:.95] {values[1]:.3f} (COCO) on the '
            f'{self.data.splits[self.split].size} images of the {self.split} split.'
        )

    def _examples(self) -> Images:
        train = self.data.splits['train']
        rows = np.arange(min(self.examples_shown, 8, train.size))
        images, boxes = pictures(self.data, 'train', rows), self._truth('train', rows)
        note = f'the first {len(rows)} of {train.size:,} training images; dashed: the true boxes'
        captions = [', '.join(self._counted('train', row)) for row in rows]
        return Images('examples', 'Training images', note, images, captions, columns=COLUMNS, boxes=boxes)

    def _truth(self, split: str, rows: Sequence[int] | np.ndarray) -> list[list[Any]]:
        found = self.data.splits[split].read(rows)
        size = (found['image'].shape[2], found['image'].shape[1])
        kept = there(found[FIELD])
        boxes = zip(found[FIELD], found[CLASSES], kept, strict=True)
        return [self.feature.drawn(each[real], labels[real], size) for each, labels, real in boxes]

    def _counted(self, split: str, row: Any) -> list[str]:
        one = self.data.splits[split].read([row])
        counts = np.bincount(one[CLASSES][there(one[FIELD])], minlength=len(self.feature.names))
        return [f'{count} × {name}' for name, count in zip(self.feature.names, counts, strict=True) if count]

    def _objects(self) -> Table:
        """How many objects of each class there are, and how large."""
        rows = []
        for name, split in self.data.splits.items():
            arrays = split.read(split.rows)
            real, labels = there(arrays[FIELD]), arrays[CLASSES]
            sides = np.sqrt((arrays[FIELD][..., 2:] - arrays[FIELD][..., :2]).prod(-1))
            for label, word in enumerate(self.feature.names):
                mine = real & (labels == label)
                middle = float(np.median(sides[mine])) if mine.any() else float('nan')
                difficult = int((mine & arrays[IGNORED]).sum())
                rows.append((name, split.size, word, int(mine.sum()), difficult, f'{middle:.1%}'))
        columns = ('split', 'images', 'class', 'objects', 'of these difficult', "median side, of the image's")
        return Table(
            'objects',
            'Objects by split and class',
            'difficult ones neither count as found nor as missed',
            columns,
            rows,
        )

    def _drawn(self, outputs: Any) -> Images:
        count = min(self.examples_shown, 8, len(outputs['scores']))
        rows = np.arange(count)
        images, boxes = pictures(self.data, self.split, rows), self._truth(self.split, rows)
        size = (images.shape[2], images.shape[1])
        for row in rows:
            sure = outputs['scores'][row] >= SHOWN_SCORE
            values = (outputs[name][row][sure] for name in ('boxes', 'labels', 'scores'))
            each, labels, scores = values
            boxes[row] = [*boxes[row], *self.feature.drawn(each, labels, size, scores)]
        note = f'{self.split} split; boxes that score {SHOWN_SCORE:g} and more, with class and score; dashed: the truth'
        captions = [', '.join(self._counted(self.split, row)) for row in rows]
        return Images('detections', 'What was found', note, images, captions, columns=COLUMNS, boxes=boxes)

    def _curves(self, truth: Sequence[measures.Objects], seen: Sequence[measures.Found]) -> Lines:
        series = {}
        for label, name in enumerate(self.feature.names):
            ranked = measures.ranked(truth, seen, label)
            if ranked.objects:
                value = measures.average_precision(ranked)
                recall, precision = measures.curve(ranked)
                series[f'{name} (AP {value:.3f}, {ranked.objects} objects)'] = (recall, precision)
        note = f'{self.split} split, IoU at least .5, VOC matching; AP is the area under the envelope'
        return Lines('precision_recall', 'Precision and recall', note, series, 'recall', 'precision')

    def _by_class(self, truth: Sequence[measures.Objects], seen: Sequence[measures.Found]) -> Table:
        classes = len(self.feature.names)
        columns = {
            'AP@.5': measures.by_class(truth, seen, classes),
            'AP@.75': measures.by_class(truth, seen, classes, (0.75,)),
            'COCO AP@[.5:.95]': measures.by_class(truth, seen, classes, measures.COCO_THRESHOLDS, 'coco', '101_points'),
        }
        rows = [(name, *(float(each[k]) for each in columns.values())) for k, name in enumerate(self.feature.names)]
        rows.append(('mean', *(measures.mean(each) for each in columns.values())))
        note = f'{self.split} split; AP@.5 and AP@.75: area under the curve, VOC matching'
        return Table('average_precision', 'Average precision by class', note, ('class', *columns), rows)

    def _forms(self, truth: Sequence[measures.Objects], seen: Sequence[measures.Found]) -> Table:
        here, there = ([*truth], [*seen]), ([LESSON[0]], [LESSON[1]])
        values = []
        for (objects, boxes), classes in ((here, len(self.feature.names)), (there, 1)):
            forms = measures.all_forms(objects, boxes, classes)
            values.append({**forms, 'hits_per_object': measures.hits_per_object(objects, boxes)})
        rows = [(words, values[0][name], values[1][name]) for name, words in FORMS.items()]
        note = 'example: two objects, five boxes, of which the first and the fourth are hits (B12)'
        return Table(
            'called_map', 'Four numbers called mAP, and one that is none', note, ('what', 'here', 'example'), rows
        )
