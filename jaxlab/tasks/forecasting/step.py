"""Forecasting: a window of the past in, the next values out (B14, B18); errors in the series' own unit.

The network sees and gives scaled values, the loss is of scaled values; predictions leave in the unit.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.series import Series
from jaxlab.errors import UserError, lookup
from jaxlab.measures.losses import absolute_error, squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.supervised import State, Supervised, prepared

LOSSES = {'squared': squared_error, 'absolute': absolute_error}


@dataclasses.dataclass(frozen=True)
class Forecasting(Supervised):
    """Options:

    loss: 'squared' or 'absolute', of scaled values, the mean over the horizon.
    from_last: the network sees the window less its last value and predicts the change from it (Zeng et al., arXiv
        2205.13504): a network that has learned nothing is then persistence.
    """

    model: Any  # a Flax module: [N, width, D] -> [N, horizon]
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    offset: float
    factor: float
    periods: tuple[float, ...]
    loss: str = 'squared'
    from_last: bool = False

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        feature = data.features.get(data.input)
        if not isinstance(feature, Series):
            raise UserError(f'config.task.name: {data.name} is no series over time; valid: regression, classification')
        lookup(LOSSES, options.get('loss', 'squared'), 'config.task.loss')
        model = build_model(config.model, config.training.precision, classes=feature.horizon)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        offset, factor = feature.scaling(tuple(config.data.scale))
        return cls(model, optimizer, prepared(data), data.input, offset, factor, feature.periods, **options)

    def _seen(self, x: jax.Array) -> jax.Array:
        """Windows [N, width, D] of scaled values, less the last one where the task says so."""
        return jnp.concatenate([x[..., :1] - self._base(x)[:, None], x[..., 1:]], axis=-1)

    def _base(self, x: jax.Array) -> jax.Array:
        """[N, 1]: what the network's answers are measured from."""
        return x[:, -1, :1] * self.from_last

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'series': [N, width, D] float32, 'target': [N, H] float32 in the unit, 'weight': [N]}."""
        network, weight = state['model'], batch['weight']

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            x = batch[self.input]
            outputs, updates = self.forward(network, params, {**batch, self.input: self._seen(x)}, key)
            scaled = outputs + self._base(x)
            losses = self._losses(scaled, batch['target'])
            return weighted_mean(losses, weight), (scaled, losses, updates)

        (_, (scaled, losses, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        return {'model': network.apply_gradients(grads, updates)}, self._sums(weight, losses, scaled, batch['target'])

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Loss, squared error of scaled values, absolute error in the unit; keeps the predictions [N, H] in the unit."""
        del key
        scaled = self._scaled(state, batch[self.input])
        losses = self._losses(scaled, batch['target'])
        found = self._sums(batch['weight'], losses, scaled, batch['target'])
        return found, {'prediction': scaled * self.factor + self.offset}

    def _scaled(self, state: State, x: jax.Array) -> jax.Array:
        return self.model.apply(state['model'].variables(), self._seen(x), train=False) + self._base(x)

    def rollout(self, state: State, x: jax.Array, steps: int) -> jax.Array:
        """[N, steps] in the unit: the next values of prepared windows, each forecast on what was forecast before."""
        horizon, width = self.example['target'].shape[1], x.shape[1]
        angles = [2 * np.pi / period for period in self.periods]

        def forward(x: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            found = self._scaled(state, x)
            parts = [found[..., None]]
            for at, angle in enumerate(angles):
                turn = angle * np.arange(1, horizon + 1)
                sine, cosine = x[:, -1:, 1 + 2 * at], x[:, -1:, 2 + 2 * at]
                parts.append((sine * np.cos(turn) + cosine * np.sin(turn))[..., None])
                parts.append((cosine * np.cos(turn) - sine * np.sin(turn))[..., None])
            new = jnp.concatenate(parts, axis=-1).astype(x.dtype)
            return jnp.concatenate([x, new], axis=1)[:, -width:], found

        _, found = jax.lax.scan(forward, x, length=-(-steps // horizon))
        return jnp.swapaxes(found, 0, 1).reshape(len(x), -1)[:, :steps] * self.factor + self.offset

    def _losses(self, scaled: jax.Array, targets: jax.Array) -> jax.Array:
        """[N]: of each window, the mean over the horizon."""
        return LOSSES[self.loss](scaled, (targets - self.offset) / self.factor).mean(axis=-1)

    def _sums(self, weight: jax.Array, losses: jax.Array, scaled: jax.Array, targets: jax.Array) -> Sums:
        true = (targets - self.offset) / self.factor
        squared, absolute = squared_error(scaled, true).mean(axis=-1), absolute_error(scaled, true).mean(axis=-1)
        return sums(weight, loss=losses, scaled_mse=squared, mae=absolute * self.factor)
