"""Classification with gradients written by hand (E1): no automatic differentiation in the update, which the report checks."""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.figures import Images, Table
from jaxlab.layers.batch_axis import sum_over_batch_axis
from jaxlab.metrics.losses import cross_entropy
from jaxlab.metrics.sums import sums
from jaxlab.models.two_layer import STARTS, TwoLayer, flat
from jaxlab.neurons import manual_backprop as by_hand
from jaxlab.tasks.classification import Classification
from jaxlab.tasks.protocol import Batch, Record, Report, Sums

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
        """One update by the formulas of `jaxlab.neurons.manual_backprop`."""
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

    def report(self, record: Record, data: Dataset) -> Report:
        """The classifier's report, what the hidden units look for, and the gradients beside `jax.grad`'s."""
        report = super().report(record, data)
        checks = [self._check(state, data) for state in record.states]
        figures = (checks[0][0], self._weights(record, data), *report.figures)
        differences = {'gradient_difference': [worst for _, worst in checks]}
        return dataclasses.replace(report, figures=figures, metrics={**report.metrics, **differences})

    def _check(self, state: Any, data: Dataset) -> tuple[Table, float]:
        """Hand-written and automatic gradients of one batch at the final weights, in float64; the largest difference."""
        with jax.enable_x64(True):
            batch: Batch = data.prepare(jax.tree.map(jnp.asarray, data.splits['train'].read(np.arange(50))))
            params = by_hand.Params(
                **{name: jnp.asarray(value, jnp.float64) for name, value in state['model'].params.items()}
            )
            inputs, labels = flat(jnp.asarray(batch['image'], jnp.float64)), jnp.asarray(batch['label'])
            hand = by_hand.manual_pass(params, inputs, labels, 'corrected').gradients
            auto = jax.grad(by_hand.mean_loss)(params, inputs, labels, epsilon=0.0)
            rows, shares = [], []
            for name in params._fields:
                mine, theirs = (np.asarray(getattr(both, name)) for both in (hand, auto))
                difference = float(np.abs(mine - theirs).max())
                shares.append(difference / float(np.abs(theirs).max()))
                rows.append((name, str(mine.shape), float(np.abs(mine).max()), f'{difference:.1e}'))
        columns = ('gradient', 'shape', 'largest entry', 'largest difference')
        note = '50 training examples at the final weights of the first replica, float64'
        return Table(
            'gradient_check', 'Gradients by hand beside automatic ones', note, columns, rows, decimals=6
        ), float(np.max(shares))  # one that is not a number stays so

    def _weights(self, record: Record, data: Dataset) -> Images:
        """The columns of W1 as images, each brought to its own full range."""
        height, width, channels = data.splits['train'].read([0])['image'].shape[1:]
        w1 = np.asarray(record.states[0]['model'].params['w1']).T[: max(self.examples_shown, 1)]
        images = w1.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        low, high = (bound(images, axis=(1, 2, 3), keepdims=True) for bound in (np.min, np.max))
        note = f'{len(images)} of {self.model.hidden} hidden units, each in its own range; first replica'
        return Images('hidden_weights', 'What the hidden units look for', note, (images - low) / (high - low + 1e-12))
