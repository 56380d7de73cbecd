"""Two unpaired domains as data, 5 dark and 8 bright pictures, and a task that learns the mean picture of each."""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from configs import common
from jaxlab.data.dataset import Dataset, Raw
from jaxlab.data.examples import Split, in_memory
from jaxlab.data.features import Image
from jaxlab.data.sources import Request
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.optimizers import TrainState, build_optimizer
from jaxlab.protocol import Report
from tests.training import lab

SIZES = {'a': (5, 3), 'b': (8, 4)}  # training and test pictures


def pictures(first: int, count: int) -> np.ndarray:
    """[count, 4, 4, 1] uint8: the value of every pixel is the picture's number."""
    return np.broadcast_to(
        np.arange(first, first + count, dtype=np.uint8)[:, None, None, None], (count, 4, 4, 1)
    ).copy()


def _from_source(images: np.ndarray, at: int, origin: np.ndarray) -> dict[str, np.ndarray]:
    return {'image': images[origin - at]}


def read(request: Request) -> Raw:
    """Pictures 1 to 5 and 201 to 208; 11 to 13 and 211 to 214 are tested on. Option `streamed`: read when asked for."""

    def domain(name: str, first: int) -> Raw:
        parts = {'train': pictures(first, SIZES[name][0]), 'test': pictures(first + 10, SIZES[name][1])}
        made: dict[str, Split] = {}
        for part, images in parts.items():
            at = 0 if part == 'train' else SIZES[name][0]
            made[part] = in_memory({'image': images}, at)
            if request.options.get('streamed'):
                made[part] = Split(len(images), None, made[part].origin, functools.partial(_from_source, images, at))
        return Raw('embedded', made, {'image': Image.of((4, 4, 1))}, 'Grey', 'none', name)

    return Raw('embedded', {}, {}, 'Two greys', 'none', 'ab', domains={'a': domain('a', 1), 'b': domain('b', 201)})


class Centres(nn.Module):
    """The mean picture of each domain."""

    @nn.compact
    def __call__(self, batch: Any) -> dict[str, jax.Array]:
        """[N] for each domain: how far its pictures are from the mean one."""
        found = {}
        for name in SIZES:
            centre = self.param(name, nn.initializers.normal(), batch[f'image_{name}'].shape[1:])
            found[name] = jnp.square(batch[f'image_{name}'] - centre).mean((1, 2, 3))
        return found


@dataclasses.dataclass(frozen=True)
class Unpaired:
    """Each domain's loss counts that domain's own rows."""

    optimizer: Any
    model = Centres()

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int) -> 'Unpaired':
        return cls(build_optimizer(config.optimizer, steps_per_epoch, total_steps))

    def init(self, key, example):
        return {'model': TrainState.from_variables(self.model, self.model.init(key, example), self.optimizer)}

    def train_step(self, state, batch, key):
        def loss_fn(params):
            losses = self.model.apply({'params': params}, batch)
            return sum(weighted_mean(losses[name], batch[f'weight_{name}']) for name in SIZES), losses

        (_, losses), grads = jax.value_and_grad(loss_fn, has_aux=True)(state['model'].params)
        return {'model': state['model'].apply_gradients(grads)}, self._sums(batch, losses)

    def eval_step(self, state, batch, key):
        losses = self.model.apply(state['model'].variables(), batch)
        number = {f'picture_{name}': batch[f'image_{name}'].mean((1, 2, 3)) * 255 for name in SIZES}
        return self._sums(batch, losses), number

    @staticmethod
    def _sums(batch, losses):
        """Of all rows of a domain: its loss, and the sum of its pictures' numbers."""
        found = {}
        for name in SIZES:
            weight, value = batch[f'weight_{name}'], batch[f'image_{name}'].mean((1, 2, 3)) * 255
            found |= sums(weight, **{f'loss_{name}': losses[name], f'value_{name}': value})
        return found | sums(batch['weight'], row=batch['weight'])

    def snapshot(self, state, key):
        return None

    def networks(self):
        return {}


@dataclasses.dataclass(frozen=True)
class Nothing:
    """Shows nothing."""

    @classmethod
    def from_config(cls, config: Any, task: Any, data: Dataset) -> 'Nothing':
        return cls()

    def report(self, record: Any) -> Report:
        return Report()


def config(**changes: Any) -> common.Config:
    """Batches of 3: 8 pairs an epoch, the last batch of two."""
    found = common.experiment('unpaired', task='unpaired', data='two_greys')
    found.aim = 'A test.'
    found.data.update({'batch_size': 3, 'eval_batch_size': 3})
    found.optimizer = common.sgd(0.1, 0.9)
    found.training.epochs, found.parallel.devices = 3, 1
    return lab.changed(found, **changes)
