"""What a classifier with gradients by hand shows: they are checked against automatic ones, in float64."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Images, Table
from jaxlab.models.two_layer import flat
from jaxlab.protocol import Batch, Record, Report
from jaxlab.tasks.classification.report import ClassificationReport
from jaxlab.worked import manual_backprop as by_hand


class ManualBackpropReport(ClassificationReport):
    """The classifier's report, the gradients beside `jax.grad`'s, and what the hidden units look for."""

    def report(self, record: Record) -> Report:
        """The classifier's report, what the hidden units look for, and the gradients beside `jax.grad`'s."""
        report = super().report(record)
        checks = [self._check(state) for state in record.states]
        figures = (checks[0][0], self._weights(record), *report.figures)
        differences = {'gradient_difference': [worst for _, worst in checks]}
        return dataclasses.replace(report, figures=figures, metrics={**report.metrics, **differences})

    def _check(self, state: Any) -> tuple[Table, float]:
        """Hand-written and automatic gradients of one batch at the final weights, in float64; the largest difference."""
        with jax.enable_x64(True):
            batch: Batch = self.data.prepare(jax.tree.map(jnp.asarray, self.data.splits['train'].read(np.arange(50))))
            params = by_hand.Params(
                **{name: jnp.asarray(value, jnp.float64) for name, value in state['model'].params.items()}
            )
            inputs, labels = flat(jnp.asarray(batch['image'], jnp.float64)), jnp.asarray(batch['label'])
            hand = jax.jit(by_hand.manual_pass)(params, inputs, labels).gradients
            auto = jax.jit(jax.grad(functools.partial(by_hand.mean_loss, epsilon=0.0)))(params, inputs, labels)
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

    def _weights(self, record: Record) -> Images:
        """The columns of W1 as images, each brought to its own full range."""
        height, width, channels = self.data.splits['train'].read([0])['image'].shape[1:]
        w1 = np.asarray(record.states[0]['model'].params['w1']).T[: max(self.examples_shown, 1)]
        images = w1.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        low, high = (bound(images, axis=(1, 2, 3), keepdims=True) for bound in (np.min, np.max))
        note = f'{len(images)} of {self.task.model.hidden} hidden units, each in its own range; first replica'
        return Images('hidden_weights', 'What the hidden units look for', note, (images - low) / (high - low + 1e-12))
