"""Classification with gradients written by hand (E1): no automatic differentiation in the update."""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import sum_over_batch_axis
from jaxlab.measures.losses import cross_entropy
from jaxlab.measures.sums import sums
from jaxlab.models.two_layer import STARTS, TwoLayer, flat
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.classification.step import Classification
from jaxlab.worked import manual_backprop as by_hand

State = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ManualBackprop(Classification):
    """`average`: gradients of the mean loss (False, as published: their sum over the batch, 1/N forgotten)."""

    average: bool = True

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        task = super().from_config(config, data, steps_per_epoch, total_steps, **options)
        if not isinstance(task.model, TwoLayer):
            raise UserError("config.model.name: the gradients are written for one network; valid: 'two_layer'")
        if task.model.start not in STARTS:
            raise UserError(f'config.model.start = {task.model.start!r}; valid: {", ".join(STARTS)}')
        if task.label_smoothing:
            raise UserError('config.task.label_smoothing: the gradients are written without it; valid: 0.0')
        return task

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update by the formulas of `jaxlab.worked.manual_backprop`."""
        del key
        network, weight = state['model'], batch['weight']
        trace = by_hand.manual_pass(
            by_hand.Params(**network.params), flat(batch['image']), batch['label'], 'as_published', weight=weight
        )
        count = sum_over_batch_axis(jnp.sum(weight)) if self.average else 1.0
        grads = {name: gradient / count for name, gradient in trace.gradients._asdict().items()}
        losses = cross_entropy(trace.logits, batch['label'])
        right = trace.logits.argmax(-1) == batch['label']
        return {'model': network.apply_gradients(grads)}, sums(weight, loss=losses, accuracy=right)
