"""What adversarial learning shows: grids over the epochs, a walk through the latent space, copies, and a score."""

import dataclasses
import functools
from typing import Any, Self

import jax
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import names_of
from jaxlab.figures import Images
from jaxlab.optimizers import start_left
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks import generative
from jaxlab.tasks.gan.step import Gan, State
from jaxlab.tasks.latent import between


@dataclasses.dataclass(frozen=True)
class GanReport:
    """Of a task that draws from noise."""

    task: Gan
    data: Dataset

    @classmethod
    def from_config(cls, config: Any, task: Gan, data: Dataset) -> Self:
        return cls(task, data)

    def keeps(self, split: str) -> int:
        """Of the test split what the judge saw."""
        return ALL if split == 'test' else 0

    def report(self, record: Record) -> Report:
        """Grids over the epochs, interpolation, nearest training images, and a score by the network in `needs`."""
        figures = generative.progress(record, 'the same noise in every picture')
        figures += [self._interpolation(record), *self._classes(record)]
        figures.append(generative.nearest(self._some(record.states[0], record.key, 8), self.data))
        makers = [lambda count, key, s=state: self._some(s, key, count) for state in record.states]
        judged = generative.judged(record, self.data).followed_by(generative.memorised(makers, self.data, record.key))
        own = Report(tuple(figures), remarks=tuple(self._remarks(record)), answer=judged.answer)
        return own.followed_by(judged)

    def _remarks(self, record: Record) -> list[str]:
        """What the pictures are drawn from, where that is not the generator as its last update left it."""
        if not self.task.ema:
            return []
        left = start_left(self.task.ema, int(record.states[0]['generator'].step))
        share = f'{left:.2%}' if left >= 1e-4 else 'less than 0.01%'
        return [
            f'Images are drawn from a moving average of the generator (decay {self.task.ema:g}, ramped; about the last '
            f'{1 / (1 - self.task.ema):,.0f} updates); {share} of it is still the initial, random weights.'
        ]

    def _some(self, state: State, key: jax.Array, count: int) -> np.ndarray:
        return generative.in_blocks(lambda k: self._draw(state, k), key, count)

    @functools.cached_property
    def _draw(self) -> Any:
        return jax.jit(lambda state, key: self.task.sample(state, key, generative.BLOCK))

    def _interpolation(self, record: Record) -> Images:
        """Arcs in the latent space between pairs of noise vectors."""
        rows, columns = 4, 9
        ends = np.asarray(jax.random.normal(jax.random.fold_in(record.key, 1), (2, rows, self.task.latent)))
        noise = between(ends[0], ends[1], columns).reshape(rows * columns, self.task.latent)
        images = self._made(record, noise, np.repeat(np.arange(rows), columns))
        note = (
            'each row goes from one noise vector (left) to another (right), along the arc between them; first replica'
        )
        return Images('latent_interpolation', 'Between two noise vectors', note, images, columns=columns)

    def _classes(self, record: Record) -> list[Images]:
        """Of a generator that is told the class: the same noise in a column, a class a row."""
        if not self.task.conditional:
            return []
        names, columns = names_of(self.data), 8
        noise = np.asarray(jax.random.normal(jax.random.fold_in(record.key, 2), (columns, self.task.latent)))
        images = self._made(record, np.tile(noise, (len(names), 1)), np.repeat(np.arange(len(names)), columns))
        note = 'each column has one noise vector, each row the class that the generator was told; first replica'
        return [Images('classes', 'One noise, every class', note, images, row_labels=names, columns=columns)]

    def _made(self, record: Record, noise: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Images in [0, 1] of the first replica. noise: [n, latent]; labels [n] count where the generator is told them."""
        low, high = self.task.scale
        told = labels % self.task.classes if self.task.conditional else None
        images = np.asarray(jax.jit(self.task.generate)(record.states[0], noise.astype(np.float32), told))
        return np.clip((images - low) / (high - low), 0, 1)
