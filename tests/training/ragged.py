"""Sequences of different length as data, and networks that skip padding: does the last token stand first?"""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from configs import common
from jaxlab.data.dataset import Dataset, Raw
from jaxlab.data.examples import Arrays, in_memory
from jaxlab.data.features import Tensor, Value
from jaxlab.data.sources import Request
from jaxlab.layers import Dropout
from jaxlab.measures.losses import squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models.recurrent import SequenceModel
from jaxlab.optimizers import build_optimizer
from jaxlab.tasks.supervised import Supervised, prepared
from tests.training import lab

WIDTH = 24  # tokens that a row holds; training sequences have at most 20


@dataclasses.dataclass(frozen=True)
class Text(Tensor):
    """[N, WIDTH] int32: token numbers from 1, padded with 0."""

    length: ClassVar[str] = 'length'


def sequences(seed: int, count: int, longest: int) -> Arrays:
    """Mostly short ones."""
    rng = np.random.default_rng(seed)
    length = np.minimum(1 + rng.geometric(0.2, count), longest).astype(np.int32)
    text = rng.integers(1, 9, (count, WIDTH)).astype(np.int32) * (np.arange(WIDTH) < length[:, None])
    last = text[np.arange(count), length - 1]
    return {'text': text, 'length': length, 'target': (text[:, 0] == last).astype(np.float32)}


def read(request: Request) -> Raw:
    """100 to train on; 50 others, some of them longer, to test."""
    size, width = request.options.get('size', 100), request.options.get('longest', 20)
    parts = {'train': in_memory(sequences(0, size, width)), 'test': in_memory(sequences(1, 50, WIDTH), size)}
    return Raw('embedded', parts, {'text': Text(), 'target': Value()}, 'Text', 'none', 'text')


class Mean(nn.Module):
    """The mean vector of the tokens that are no padding, and what is made of it: [N, 1]."""

    @nn.compact
    def __call__(self, tokens: jax.Array, train: bool = False) -> jax.Array:
        mask = (tokens > 0)[..., None]
        mean = (nn.Embed(9, 4)(tokens) * mask).sum(1) / mask.sum(1)
        return nn.Dense(1)(Dropout(0.5)(nn.tanh(nn.Dense(8)(mean)), train))


@dataclasses.dataclass(frozen=True)
class Reading(Supervised):
    """An output for each sequence, and one for each token. recurrent: by an LSTM."""

    model: Any
    optimizer: Any
    example: Any
    input: str
    recurrent: bool = False

    @classmethod
    def from_config(
        cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any
    ) -> 'Reading':
        lstm = SequenceModel(1, 'lstm', (8,), vocabulary=9, embedding=4, padding=0, dropout=0.5)
        model = lstm if options.get('recurrent') else Mean()
        rule = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        return cls(model, rule, prepared(data), data.input, **options)

    def train_step(self, state, batch, key):
        def loss_fn(params):
            found = self.model.apply({'params': params}, batch['text'], train=True, rngs={'dropout': key})[:, 0]
            losses = squared_error(found, batch['target'])
            return weighted_mean(losses, batch['weight']), losses

        (_, losses), grads = jax.value_and_grad(loss_fn, has_aux=True)(state['model'].params)
        return {'model': state['model'].apply_gradients(grads)}, self._sums(batch, losses)

    def eval_step(self, state, batch, key):
        found = self.model.apply(state['model'].variables(), batch['text'])[:, 0]
        tokens = jnp.where(batch['text'] > 0, batch['text'] + 0.5, 0.0)
        outputs = {'found': found, 'tokens': tokens, 'length': batch['length']}
        return self._sums(batch, squared_error(found, batch['target'])), outputs

    @staticmethod
    def _sums(batch, losses):
        """`width` is what each row was padded to."""
        width = jnp.full_like(losses, batch['text'].shape[1])
        return sums(batch['weight'], loss=losses, width=width)


def config(**changes: Any) -> common.Config:
    """Batches of 8: 13 updates an epoch, the last of 4 sequences; at most four lengths."""
    found = common.experiment('ragged', task='reading', data='ragged')
    found.aim = 'A test.'
    found.data.update({'batch_size': 8, 'eval_batch_size': 8, 'buckets': 4})
    found.optimizer = common.sgd(0.1, 0.9)
    found.training.epochs, found.parallel.devices = 2, 1
    return lab.changed(found, **changes)
