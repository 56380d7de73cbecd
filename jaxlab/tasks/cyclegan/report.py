"""What a translation between two sets of images shows: both ways there and back, over the epochs, and what files keep."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.features import Image
from jaxlab.figures import Animation, Figure, Images
from jaxlab.protocol import Record, Report
from jaxlab.tasks.cyclegan.step import CycleGan

MOST = 8  # examples in a figure


@dataclasses.dataclass(frozen=True)
class CycleGanReport:
    """Of a task between two domains. shown: examples in a figure."""

    task: CycleGan
    data: Dataset
    shown: int

    @classmethod
    def from_config(cls, config: Any, task: CycleGan, data: Dataset) -> Self:
        return cls(task, data, min(config.report.examples, MOST))

    def keeps(self, split: str) -> int:
        """The first images of the test split with what was made of them."""
        return self.shown if split == 'test' else 0

    def report(self, record: Record) -> Report:
        """Galleries of the first replica, progress, and how much of a reconstruction an 8-bit file takes away."""
        figures: list[Figure] = []
        if 'test' in record.outputs:
            figures += [self._gallery(domain, record.outputs['test'][0]) for domain in self.task.domains]
        if record.snapshots:
            figures += [self._progress(domain, record) for domain in self.task.domains]
        return Report(tuple(figures), {}, tuple(self._remarks(record)), answer=self._answer(record))

    def _other(self, domain: str) -> str:
        first, second = self.task.domains
        return second if domain == first else first

    def _gallery(self, source: str, outputs: Mapping[str, np.ndarray]) -> Images:
        """One example a row: as it is, translated, translated back from an 8-bit file, and by the generator of its own domain."""
        target = self._other(source)
        given = self.data.splits['test'].read(np.arange(len(outputs[f'made_{target}'])))[f'image_{source}']
        columns = [
            Image.unit(given),
            *(outputs[f'{what}'] for what in (f'made_{target}', f'again_{source}', f'same_{source}')),
        ]
        images = np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])
        words = (source, f'as {target}', 'and back', f'kept as {source}')
        captions = [*words, *[''] * (len(images) - len(words))]
        note = 'test images of the first replica, by fresh passes of the generators (no image pool); back from an 8-bit image'
        return Images(f'{source}_to_{target}', f'{source} to {target} and back', note, images, captions, columns=4)

    def _progress(self, target: str, record: Record) -> Animation:
        source = self._other(target)
        given = np.asarray(self.task.unit(self.task.shown()[source][: self.shown]))
        frames = [
            Images(
                f'{target}_epoch_{epoch:04d}',
                f'{source} (top) as {target} after epoch {epoch}',
                'the same test images in every frame',
                np.concatenate([given, arrays[f'made_{target}'][: self.shown]]),
                columns=len(given),
            )
            for epoch, arrays in record.snapshots
        ]
        return Animation(f'{target}_over_epochs', f'{source} to {target} over the epochs', frames[0].note, frames, 0.6)

    def _remarks(self, record: Record) -> list[str]:
        remarks = []
        for source in self.task.domains:
            plain, filed = (record.metrics.get(f'test_cycle_{source}_{kind}') for kind in ('loss', '8bit_loss'))
            if plain and filed:
                remarks.append(
                    f'{source} and back: mean absolute error {np.mean(plain):.3f}, {np.mean(filed):.3f} through an 8-bit image '
                    'in between. A low error alone is no success: what is needed for the way back can be hidden in faint noise.'
                )
        for target in self.task.domains:
            alike = record.metrics.get(f'test_translation_{target}_correlation')
            if alike:
                wrong = sum(value < 0 for value in alike)
                remarks.append(
                    f'The true translation to {target} is known: {wrong} of {len(alike)} replicas correlate negatively with it '
                    f'(mean correlation {np.mean(alike):.2f}).'
                )
        return remarks

    def _answer(self, record: Record) -> str:
        errors = {target: record.metrics.get(f'test_translation_{target}_error') for target in self.task.domains}
        known = [f'{np.mean(values):.3f} to {target}' for target, values in errors.items() if values]
        if known:
            return f'Mean absolute error of the translation, of pixels in [0, 1] and against the true one: {" and ".join(known)}.'
        back = {source: record.metrics.get(f'test_cycle_{source}_8bit_loss') for source in self.task.domains}
        words = [f'{np.mean(values):.3f} for {source}' for source, values in back.items() if values]
        if not words:
            return ''
        low, high = self.task.scale
        return (
            f'There and back through an 8-bit image, pixels in [{low:g}, {high:g}] differ by {" and ".join(words)} on average. '
            'Whether the translation itself is right, without pairs only the galleries can show.'
        )
