"""One network while it learns: parameters, statistics, optimizer state. A pytree; every step returns a new one."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training import train_state

from jaxlab.layers.batch_axis import sum_over_batch_axis


class TrainState(train_state.TrainState):
    """Flax's `TrainState` (step, params, opt_state; apply_fn and tx are static) and two more fields.

    `batch_stats`: the running statistics of BatchNorm, `{}` where there are none.
    `learning_rate_scale`: scalar float32 that multiplies every update; reduce-on-plateau lowers it between epochs, so a
    new rate never compiles a new program.
    """

    batch_stats: Any
    learning_rate_scale: jax.Array

    @classmethod
    def from_variables(cls, module: nn.Module, variables: dict, tx: optax.GradientTransformation) -> 'TrainState':
        """The state before the first step. variables: what `module.init` returned."""
        # Every scalar is an array on the device: a Python 0 here would cost a second compilation at the second step.
        return cls(
            step=jnp.zeros((), jnp.int32),
            apply_fn=module.apply,
            params=variables['params'],
            tx=tx,
            opt_state=tx.init(variables['params']),
            batch_stats=variables.get('batch_stats', {}),
            learning_rate_scale=jnp.ones((), jnp.float32),
        )

    def variables(self, params: Any = None) -> dict[str, Any]:
        """What `module.apply` takes first; `params` stands in for the own ones where a gradient is taken."""
        found = {'params': self.params if params is None else params}
        return found | {'batch_stats': self.batch_stats} if self.batch_stats else found

    def apply_gradients(self, grads: Any, updates: dict | None = None) -> 'TrainState':  # type: ignore[override]
        """One update. grads: this device's share of the gradient (the whole of it on one device or under `jit`).

        updates: the mutated collections that `module.apply(..., mutable=['batch_stats'])` returned.
        """
        grads = sum_over_batch_axis(grads)
        changes, opt_state = self.tx.update(grads, self.opt_state, self.params)
        changes = jax.tree.map(lambda change: change * self.learning_rate_scale.astype(change.dtype), changes)
        return self.replace(
            step=self.step + 1,
            params=optax.apply_updates(self.params, changes),
            opt_state=opt_state,
            batch_stats=(updates or {}).get('batch_stats', self.batch_stats),
        )
