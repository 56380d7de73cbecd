"""Regression: one network, one number an example; squared, absolute or Huber's errors, also one after the other (B02)."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, lookup
from jaxlab.measures.losses import absolute_error, huber, squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import TrainState, build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.supervised import State, Supervised, prepared

LOSSES: Mapping[str, Callable[..., jax.Array]] = {
    'squared': lambda predictions, targets, delta: squared_error(predictions, targets),
    'absolute': lambda predictions, targets, delta: absolute_error(predictions, targets),
    'huber': huber,
}


@dataclasses.dataclass(frozen=True)
class Regression(Supervised):
    """Options:

    loss: 'squared', 'absolute' or 'huber' (with `delta`, in the target's units; in its deviations where it is scaled).
    stages: (('squared', 100), ('absolute', 100)) trains with one loss after the other on the same weights, so many epochs
    each (the last to the end), every stage with an optimizer that has seen nothing; () trains with `loss` alone.
    """

    model: Any  # a Flax module of one output
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    steps_per_epoch: int
    scaling: tuple[float, float] = (0.0, 1.0)  # (offset, factor) of the target: what the network says, in its unit
    loss: str = 'squared'
    delta: float = 1.0
    stages: tuple = ()

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        example = prepared(data)
        if 'target' not in example:
            raise UserError(f'config.task.name: {data.name} has classes, no numbers to predict; valid: classification')
        model = build_model(config.model, config.training.precision, classes=1)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        scaling = getattr(data.answer_feature, 'scaling', (0.0, 1.0))
        task = cls(model, optimizer, example, data.input, steps_per_epoch, scaling, **options)
        if task.delta <= 0:
            raise UserError(f'config.task.delta = {task.delta:g}; valid: a number above 0')
        for stage in task.stages:
            if not (isinstance(stage, tuple | list) and len(stage) == 2 and isinstance(stage[1], int) and stage[1] > 0):
                raise UserError(f"config.task.stages: {stage!r}; valid: pairs (loss, epochs) such as ('squared', 100)")
        for name in (task.loss, *(name for name, _ in task.stages)):
            lookup(LOSSES, name, 'loss of config.task')
        return task

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses of the stages, in order."""
        return tuple(name for name, _ in self.stages) or (self.loss,)

    @property
    def starts(self) -> tuple[int, ...]:
        """The updates before which a later stage begins."""
        epochs = [epochs for _, epochs in self.stages[:-1]]
        return tuple(self.steps_per_epoch * sum(epochs[: at + 1]) for at in range(len(epochs)))

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'features': [N, F] float32, 'target': [N] float32, 'weight': [N] float32 in {0, 1}}."""
        network, weight = self._fresh(state['model']), batch['weight']
        stage = self._count(network.step >= jnp.asarray(self.starts, jnp.int32))

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            outputs, updates = self.forward(network, params, batch, key)
            predictions = self._in_unit(outputs)
            losses = self._losses(predictions, batch['target'], stage)
            return weighted_mean(losses, weight), (predictions, losses, updates)

        (_, (predictions, losses, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        measured = self._sums(weight, losses, predictions, batch['target'])
        return {'model': network.apply_gradients(grads, updates)}, measured

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Loss of the stage that the last update belonged to, squared and absolute errors; keeps the predictions [N]."""
        del key
        stage = self._count(state['model'].step > jnp.asarray(self.starts, jnp.int32))
        predictions = self.predict(state, *self.inputs(batch))
        losses = self._losses(predictions, batch['target'], stage)
        return self._sums(batch['weight'], losses, predictions, batch['target']), {'prediction': predictions}

    def predict(self, state: State, inputs: jax.Array) -> jax.Array:
        """Values [N] of prepared inputs."""
        return self._in_unit(self.model.apply(state['model'].variables(), inputs, train=False))

    def _in_unit(self, outputs: jax.Array) -> jax.Array:
        """[N] of what the network says [N, 1]."""
        offset, factor = self.scaling
        return outputs[..., 0] if self.scaling == (0.0, 1.0) else outputs[..., 0] * factor + offset

    def _fresh(self, network: TrainState) -> TrainState:
        """The network as its stage begins: with an optimizer that has seen nothing."""
        if not self.starts:
            return network
        begins = jnp.any(network.step == jnp.asarray(self.starts, jnp.int32))
        first = network.tx.init(network.params)
        opt_state = jax.tree.map(lambda new, old: jnp.where(begins, new, old), first, network.opt_state)
        return network.replace(opt_state=opt_state)

    def _losses(self, predictions: jax.Array, targets: jax.Array, stage: jax.Array) -> jax.Array:
        """[N]: those of the stage's loss, in the units that the network learns."""
        offset, factor = self.scaling
        if self.scaling != (0.0, 1.0):
            predictions, targets = (predictions - offset) / factor, (targets - offset) / factor
        return jnp.stack([LOSSES[name](predictions, targets, self.delta) for name in self.losses])[stage]

    @staticmethod
    def _count(passed: jax.Array) -> jax.Array:
        return jnp.sum(passed).astype(jnp.int32)

    @staticmethod
    def _sums(weight: jax.Array, losses: jax.Array, predictions: jax.Array, targets: jax.Array) -> Sums:
        squared, absolute = squared_error(predictions, targets), absolute_error(predictions, targets)
        return sums(weight, loss=losses, mse=squared, mae=absolute)
