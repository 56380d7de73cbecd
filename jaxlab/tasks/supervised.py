"""What every task with one network that learns answers has in common: its start, its table, one prepared example."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.errors import FlaxError

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
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
        variables = self.model.init({'params': key}, *(each[:1] for each in self.inputs(example)), train=False)
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


SMALL = 64  # pixels a side below which some networks have nothing left after their strides


def check_fits(model: Any, inputs: Any) -> None:
    """Refuses images [1, H, W, C] that the network is too deep for, naming the smallest that it takes."""
    if len(inputs.shape) != 4 or min(inputs.shape[1:3]) >= SMALL or _takes(model, inputs.shape):
        return
    height, width, channels = inputs.shape[1:]
    sides = (side for side in range(min(height, width) + 1, 4 * SMALL) if _takes(model, (1, side, side, channels)))
    side = next(sides, None)
    if side is not None:
        raise UserError(
            f'config.model: {type(model).__name__} takes no images of {height}x{width} pixels; valid: data.options.image_size '
            f'from {side} up'
        )


def _takes(model: Any, shape: tuple[int, ...]) -> bool:
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    try:
        made = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
        return all(leaf.size for leaf in jax.tree.leaves(made))
    except (ArithmeticError, ValueError, TypeError, FlaxError):
        return False


def prepared(data: Dataset) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of one prepared training example, as a batch of one."""
    batch = {**data.splits['train'].blank(1), 'weight': np.ones(1, np.float32)}
    return dict(jax.eval_shape(data.prepare, {name: jnp.asarray(value) for name, value in batch.items()}))
