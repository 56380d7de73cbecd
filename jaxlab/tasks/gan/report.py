"""What adversarial learning shows: grids over the epochs, a walk through the latent space, copies, and a score."""

import dataclasses
import functools
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.figures import Images
from jaxlab.optimizers import start_left
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks import generative
from jaxlab.tasks.gan.step import Gan, State


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
        figures.append(self._interpolation(record))
        figures.append(generative.nearest(self._some(record.states[0], record.key, 8), self.data))
        judged = generative.judged(record, self.data)
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
        """Straight lines in the latent space between pairs of noise vectors."""
        rows, columns = 4, 9
        ends = jax.random.normal(jax.random.fold_in(record.key, 1), (2, rows, 1, self.task.latent))
        share = jnp.linspace(0.0, 1.0, columns)[None, :, None]
        noise = ((1 - share) * ends[0] + share * ends[1]).reshape(rows * columns, self.task.latent)
        low, high = self.task.scale
        images = np.clip((np.asarray(jax.jit(self.task.generate)(record.states[0], noise)) - low) / (high - low), 0, 1)
        note = 'each row goes straight from one noise vector (left) to another (right); first replica'
        return Images('latent_interpolation', 'Between two noise vectors', note, images, columns=columns)
