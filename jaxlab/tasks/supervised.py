"""What every task with one network that learns answers has in common: its start, its table, one prepared example."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.models.beginning import first_variables
from jaxlab.optimizers import TrainState
from jaxlab.protocol import Batch

State = dict[str, TrainState]


class Supervised:
    """The parts of `Task` that do not depend on what is learned. example: what `prepared` gives."""

    model: Any  # a Flax module
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str  # the field that the network is given

    def inputs(self, batch: Mapping[str, Any]) -> tuple[Any, ...]:
        """What the network is called with, of a prepared batch: a tuple of arrays."""
        return (batch[self.input],)

    def init(self, key: jax.Array, example: Batch) -> State:
        """The network's first variables, and an optimizer that has seen nothing."""
        variables = first_variables(self.model, {'params': key}, *(each[:1] for each in self.inputs(example)))
        return {'model': TrainState.from_variables(self.model, variables, self.optimizer)}

    def forward(self, network: TrainState, params: Any, batch: Batch, key: jax.Array) -> tuple[Any, dict[str, Any]]:
        """The network's outputs in training mode with these parameters, and its updated statistics. key: of dropout."""
        return self.model.apply(
            network.variables(params),
            *self.inputs(batch),
            train=True,
            weight=batch['weight'],
            rngs={'dropout': key},
            mutable=['batch_stats'],
        )

    def snapshot(self, state: State, key: jax.Array) -> None:
        """Nothing to look at before the end."""
        return None

    def networks(self) -> Mapping[str, Any]:
        """The one network, on one example."""
        (inputs,) = self.inputs(self.example)
        return {'model': (self.model, jax.ShapeDtypeStruct((1, *inputs.shape[1:]), inputs.dtype))}


def prepared(data: Dataset) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of one prepared training example, as a batch of one."""
    batch = {**data.splits['train'].blank(1), 'weight': np.ones(1, np.float32)}
    return dict(jax.eval_shape(data.prepare, {name: jnp.asarray(value) for name, value in batch.items()}))
