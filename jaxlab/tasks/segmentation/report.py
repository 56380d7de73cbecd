"""What a segmenter shows: its best and worst images with their errors, scores pooled and an image, rules without a network."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxlab.data.mask import IGNORED
from jaxlab.data.pictures import pictures
from jaxlab.figures import Figure, Histogram, Images, Table
from jaxlab.measures import segmentation as measures
from jaxlab.protocol import Record, Report
from jaxlab.tasks.reporting import LookingReport
from jaxlab.tasks.segmentation import overlay
from jaxlab.tasks.segmentation.step import FIELD, Segmentation

GALLERY = 4  # best, and as many worst images
TUNED_ON = 64  # training images on which the colour rule is tuned


@dataclasses.dataclass(frozen=True)
class SegmentationReport(LookingReport[Segmentation]):
    """Needs the counts of pixels of all images of the split that is reported."""

    def own(self, record: Record) -> Report:
        """Of the first replica; metrics are of all."""
        figures: list[Figure] = [self._examples(), self._shares()]
        if self.split not in record.outputs:
            return Report(tuple(figures))
        outputs = record.outputs[self.split][0]
        pixels = measures.Overlap(*(np.asarray(outputs[name], np.float64) for name in self.task.scored))
        figures += [self._gallery(record.states[0], pixels), self._table(pixels)]
        remark = (
            'Pooled: sums over all images first, so that images with much of it count more; an image: the mean of the '
            'values of the images, 1 where nothing is there and nothing was found.'
        )
        return Report(tuple(figures), remarks=(remark,))

    def _masks(self, split: str, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        return self.data.splits[split].read(rows)[FIELD]

    def _examples(self) -> Images:
        train = self.data.splits['train']
        rows = np.arange(min(self.examples_shown, 8, train.size))
        images = pictures(self.data, 'train', rows)
        over = np.stack([overlay.classes(*pair) for pair in zip(images, self._masks('train', rows), strict=True)])
        note = f'the first {len(rows)} of {train.size:,} training images, with their masks'
        return Images('examples', 'Training images', note, over, columns=4)

    def _shares(self) -> Histogram:
        """How much of each image the first class that is sought takes."""
        samples = {}
        for name, split in self.data.splits.items():
            masks = self._masks(name, split.rows)
            samples[f'{name} (n = {split.size})'] = 100.0 * (masks == 1).mean((1, 2))
        title = f'How much of an image is {self.task.names[1]}'
        return Histogram('shares', title, '', samples, 20, f'{self.task.names[1]} (% of the pixels)', 'images')

    def _gallery(self, state: Any, pixels: measures.Overlap) -> Images:
        """Columns: image, truth, what was found, errors; the worst images first."""
        each = measures.dice(pixels) if self.task.binary else np.nanmean(measures.dice(pixels, np.nan), axis=1)
        order = np.argsort(each, kind='stable')
        rows = np.concatenate([order[:GALLERY], order[max(GALLERY, len(order) - GALLERY) :]])
        images, masks = pictures(self.data, self.split, rows), self._masks(self.split, rows)
        given = jax.numpy.asarray(self.data.splits[self.split].read(rows)[self.data.input])
        batch = self.data.prepare({self.data.input: given})
        found = np.asarray(jax.jit(self.task.predict)(state, batch[self.data.input]))
        cells, captions = [], []
        for image, mask, seen, row in zip(images, masks, found, rows, strict=True):
            shown = np.where(mask == IGNORED, 0, mask)
            cells += [
                image,
                overlay.classes(image, shown),
                overlay.classes(image, seen),
                overlay.errors(image, seen, mask),
            ]
            captions += ['image', 'truth', 'found', f'Dice {each[row]:.3f}']
        note = (
            f'{self.split} split: the {min(GALLERY, len(order))} worst, then the best; last column: green found, '
            'red false, blue missed'
        )
        cells = [np.repeat(cell, 3, axis=-1) if cell.shape[-1] == 1 else cell for cell in cells]
        return Images('best_and_worst', 'Worst and best', note, np.stack(cells), captions, columns=4)

    def _table(self, pixels: measures.Overlap) -> Table:
        if not self.task.binary:
            scores = measures.class_scores(pixels)
            rows = [(name, float(scores['dice'][k]), float(scores['iou'][k])) for k, name in enumerate(self.task.names)]
            note = f'{self.split} split, n = {len(pixels.both)}; pooled over images'
            return Table('class_scores', 'Scores by class', note, ('class', 'Dice', 'IoU'), rows)
        columns = ('dice', 'iou', 'precision', 'recall', 'dice_per_image', 'iou_per_image')
        lines: list[tuple[Any, ...]] = []
        for name, one in {'network': pixels, **self._rules()}.items():
            found = measures.scores(one)
            lines.append((name, *(found[column] for column in columns)))
        heads = ('what', 'Dice', 'IoU', 'precision', 'recall', 'Dice an image', 'IoU an image')
        note = f'{self.split} split, n = {len(pixels.both)}; the colour rule was tuned on training images'
        return Table('scores', 'The network beside rules without one', note, heads, lines)

    def _rules(self) -> dict[str, measures.Overlap]:
        """Nothing, everything, and a threshold on blue against red and green."""
        rows = self.data.splits[self.split].rows
        truth, images = self._masks(self.split, rows), pictures(self.data, self.split, rows)
        rules = {
            f'no {self.task.names[1]}': np.zeros(truth.shape, bool),
            f'{self.task.names[1]} everywhere': np.ones(truth.shape, bool),
        }
        if images.shape[-1] == 3:
            few = np.arange(min(TUNED_ON, self.data.splits['train'].size))
            known, there = _blueness(pictures(self.data, 'train', few)), self._masks('train', few)
            levels = np.quantile(known, np.linspace(0, 1, 21))
            scored = [float(measures.dice(measures.pooled(_overlap(known > level, there)))) for level in levels]
            rules['bluer than a threshold'] = _blueness(images) > levels[int(np.argmax(scored))]
        return {name: _overlap(found, truth) for name, found in rules.items()}


def _blueness(images: np.ndarray) -> np.ndarray:
    """[N, H, W]: blue less the mean of red and green."""
    return images[..., 2] - images[..., :2].mean(-1)


def _overlap(found: np.ndarray, truth: np.ndarray) -> measures.Overlap:
    """Of binary masks on the host."""
    a, b = found & (truth != IGNORED), truth == 1
    return measures.Overlap((a & b).sum((1, 2)), a.sum((1, 2)), b.sum((1, 2)))
