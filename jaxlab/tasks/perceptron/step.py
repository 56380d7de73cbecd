"""One threshold neuron and the perceptron rule: an update is one pass over the samples, in their order."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.protocol import Batch, Sums
from jaxlab.worked import perceptron

State = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Perceptron:
    """`fires_at_zero`: what the neuron says at net = 0; `start`: weights before the first sample, bias first (empty: zeros);
    `tie`: nets this close to 0 count as 0, so that rounding decides nothing.
    """

    inputs: int
    coding: str
    learning_rate: float = 0.1
    fires_at_zero: bool = True
    start: tuple = ()
    tie: float = 1e-6

    @classmethod
    def from_config(
        cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any
    ) -> 'Perceptron':
        size = data.splits['train'].size
        if config.data.batch_size not in (0, size):
            raise UserError(
                f'config.data.batch_size = {config.data.batch_size}; valid: {size}, all samples in their order'
            )
        inputs = data.splits['train'].blank(1)['inputs'].shape[1]
        start = tuple(options.pop('start', ()))
        if start and len(start) != inputs + 1:
            raise UserError(f'config.task.start has {len(start)} weights; valid: {inputs + 1} (bias first), or ()')
        return cls(inputs, config.data.options.get('coding', 'bipolar'), start=start, **options)

    def init(self, key: jax.Array, example: Batch) -> State:
        """The given weights, or zeros: nothing is random."""
        return {'weights': jnp.asarray(self.start or (0.0,) * (self.inputs + 1), jnp.float32)}

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One epoch. batch: {'inputs': [N, D] float32, 'target': [N] float32}. error: sum of |t - y| over the samples."""
        weights, trace = self._pass(state['weights'], batch)
        one = jnp.float32(1)
        mistakes = jnp.sum(trace.error != 0).astype(jnp.float32)
        return {'weights': weights}, {'error': (jnp.abs(trace.error).sum(), one), 'mistakes': (mistakes, one)}

    def _pass(self, weights: jax.Array, batch: Batch) -> tuple[jax.Array, perceptron.PerceptronTrace]:
        return perceptron.perceptron_epoch(
            weights, batch['inputs'], batch['target'], self.learning_rate, self.fires_at_zero, self.coding, self.tie
        )

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """There is nothing but the truth table."""
        return {}, {}

    def snapshot(self, state: State, key: jax.Array) -> State:
        """The weights."""
        return state

    def networks(self) -> Mapping[str, Any]:
        """No Flax module."""
        return {}
