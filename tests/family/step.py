"""Counting vowels: a number a letter, added up."""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.examples import Split
from jaxlab.measures.losses import squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.optimizers import build_optimizer
from jaxlab.tasks.supervised import Supervised, prepared


class Adder(nn.Module):
    """tokens [N, T] -> [N]: the sum of a learned number for each letter that is not padding."""

    letters: int

    @nn.compact
    def __call__(self, tokens, train=False):
        values = nn.Embed(self.letters, 1, name='value')(tokens)[..., 0]
        return jnp.where(tokens > 0, values, 0).sum(-1)


@dataclasses.dataclass(frozen=True)
class Vowels(Supervised):
    """`tolerance`: how far a count may be off to be called exact."""

    model: Any
    optimizer: Any
    example: Any
    input: str
    tolerance: float = 0.5

    @classmethod
    def from_config(cls, config, data, steps_per_epoch, total_steps, **options):
        rule = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        letters = len(data.input_feature.fitted.letters) + 2
        return cls(Adder(letters), rule, prepared(data), data.input, **options)

    def train_step(self, state, batch, key):
        def loss_fn(params):
            losses = squared_error(self.model.apply({'params': params}, *self.inputs(batch)), batch['target'])
            return weighted_mean(losses, batch['weight']), losses

        (_, losses), grads = jax.value_and_grad(loss_fn, has_aux=True)(state['model'].params)
        return {'model': state['model'].apply_gradients(grads)}, sums(batch['weight'], loss=losses)

    def eval_step(self, state, batch, key):
        found = self.predict(state, *self.inputs(batch))
        return sums(batch['weight'], loss=squared_error(found, batch['target'])), {'count': found}

    def predict(self, state, tokens):
        return self.model.apply(state['model'].variables(), tokens)

    scored: ClassVar = ('count',)

    def score(self, totals, outputs, part: Split) -> dict[str, float]:
        """On the host, so that it can choose the best checkpoint: the share of words that are counted right."""
        return {'exact': float(np.mean(np.abs(outputs['count'] - part.arrays['target']) < self.tolerance))}
