"""What a translation between two sets of images shows: both ways there and back, over the epochs, and what files keep."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.features import Image
from jaxlab.figures import Animation, Figure, Images, Table
from jaxlab.measures.frechet import frechet_distance
from jaxlab.measures.kernel_distance import kernel_distance
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks import generative
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
        """The first images of the test split with what was made of them; all of them where a judge looks at them."""
        return (ALL if self.task.judge else self.shown) if split == 'test' else 0

    def report(self, record: Record) -> Report:
        """Galleries of the first replica, progress, and how much of a reconstruction an 8-bit file takes away."""
        figures: list[Figure] = []
        if 'test' in record.outputs:
            figures += [self._gallery(domain, record.outputs['test'][0]) for domain in self.task.domains]
            figures += self._distances(record.outputs['test'][0])
        if record.snapshots:
            figures += [self._progress(domain, record) for domain in self.task.domains]
        return Report(tuple(figures), {}, tuple(self._remarks(record)), answer=self._answer(record))

    def _other(self, domain: str) -> str:
        first, second = self.task.domains
        return second if domain == first else first

    def _gallery(self, source: str, outputs: Mapping[str, np.ndarray]) -> Images:
        """One example a row: as it is, translated, translated back from an 8-bit file, and by the generator of its own domain."""
        target = self._other(source)
        names = (f'made_{target}', f'again_{source}', f'same_{source}')
        made = [outputs[name][: self.shown] for name in names]
        given = self.data.splits['test'].read(np.arange(len(made[0])))[f'image_{source}']
        columns = [Image.unit(given), *made]
        images = np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])
        words = (source, f'as {target}', 'and back', f'kept as {source}')
        captions = [*words, *[''] * (len(images) - len(words))]
        note = 'test images of the first replica, by fresh passes of the generators (no image pool); back from an 8-bit image'
        return Images(f'{source}_to_{target}', f'{source} to {target} and back', note, images, captions, columns=4)

    def _distances(self, outputs: Mapping[str, np.ndarray]) -> list[Figure]:
        """How the judge sees translated images, between two marks: images that were left as they are, and real ones."""
        if self.task.judge is None:
            return []
        rows = []
        for target in self.task.domains:
            source, seen = self._other(target), self.task.seen(outputs, target)
            untouched = self.task.seen(outputs, source)
            usual = np.bincount(seen['real_probabilities'].argmax(1)).argmax()
            train = Image.unit(self.data.splits['train'].domains[target].read(self._drawn(target))['image'])
            compared = {
                f'{source} as {target}': (seen['made_features'], seen['made_probabilities']),
                f'{source} as they are': (untouched['real_features'], untouched['real_probabilities']),
                f'{target}, training images': generative.seen_by(self.task.judge, np.asarray(train)),
            }
            real = seen['real_features'].astype(np.float64)
            for name, (features, probabilities) in compared.items():
                features = features.astype(np.float64)
                near = frechet_distance(features, real), kernel_distance(features, real)
                rows.append((name, target, len(features), *near, float((probabilities.argmax(1) == usual).mean())))
        judge = self.task.judge
        note = (
            f'to the real test images of a domain, in the features of {judge.name} with {judge.accuracy:.1%} test accuracy; '
            f'taken for: the share that it takes for that domain. First replica.'
        )
        columns = ('images', 'compared with', 'n', 'Fréchet distance', 'kernel distance', 'taken for')
        return [Table('distances', 'How near translated images come', note, columns, rows, '<<>>>>')]

    def _drawn(self, domain: str) -> np.ndarray:
        """Rows of as many training images of a domain as it has test images."""
        train, test = (self.data.splits[part].domains[domain].size for part in ('train', 'test'))
        return np.random.default_rng(0).permutation(train)[:test]

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
