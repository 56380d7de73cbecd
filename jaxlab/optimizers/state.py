"""One network while it learns: parameters, statistics, optimizer state. A pytree; every step returns a new one."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from flax.training import train_state

from jaxlab.layers.batch_axis import sum_over_batch_axis

UNTRAINED = optax.identity()


class TrainState(train_state.TrainState):
    """Flax's `TrainState` (step, params, opt_state; apply_fn and tx are static) and three more fields.

    `batch_stats`: the running statistics of BatchNorm, `{}` where there are none.
    `learning_rate_scale`: scalar float32 that multiplies every update; reduce-on-plateau lowers it between epochs, so a
    new rate never compiles a new program.
    `ema`: the moving average of parameters and running statistics, {'params': ..., 'batch_stats': ...} in float32 at
    least; `{}` where `ema_decay` (static) is 0.
    """

    batch_stats: Any
    learning_rate_scale: jax.Array
    ema: Any = struct.field(default_factory=dict)
    ema_decay: float = struct.field(pytree_node=False, default=0.0)

    @classmethod
    def from_variables(
        cls, module: nn.Module, variables: dict, tx: optax.GradientTransformation, ema_decay: float = 0.0
    ) -> 'TrainState':
        """The state before the first step. variables: what `module.init` returned; ema_decay: 0 for no average."""
        start = {'params': variables['params'], 'batch_stats': variables.get('batch_stats', {})}
        # Every scalar is an array on the device: a Python 0 here would cost a second compilation at the second step.
        return cls(
            step=jnp.zeros((), jnp.int32),
            apply_fn=module.apply,
            params=variables['params'],
            tx=tx,
            opt_state=tx.init(variables['params']),
            batch_stats=variables.get('batch_stats', {}),
            learning_rate_scale=jnp.ones((), jnp.float32),
            ema=jax.tree.map(_wide, start) if ema_decay else {},
            ema_decay=ema_decay,
        )

    def averaged(self) -> dict[str, Any]:
        """What `module.apply` takes first where the network is used, not trained: the average, if there is one."""
        return {name: tree for name, tree in self.ema.items() if tree} if self.ema else self.variables()

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
        params = optax.apply_updates(self.params, changes)
        batch_stats = (updates or {}).get('batch_stats', self.batch_stats)
        ema = self.ema
        if self.ema_decay:
            now = {'params': params, 'batch_stats': batch_stats}
            ema = moved_average(ema, now, ramped(self.ema_decay, self.step))
        return self.replace(step=self.step + 1, params=params, opt_state=opt_state, batch_stats=batch_stats, ema=ema)


def without_optimizer(state: Any) -> Any:
    """A state whose networks are only used: one program then serves it whatever rule trains them."""

    def one(leaf: Any) -> Any:
        return leaf.replace(tx=UNTRAINED, opt_state=()) if isinstance(leaf, TrainState) else leaf

    return jax.tree.map(one, state, is_leaf=lambda leaf: isinstance(leaf, TrainState))


def ramped(decay: float, updates: jax.Array | int) -> jax.Array:
    """The share of the old average that stays at the update after `updates` others.

    It rises from 1/10 to `decay`, so that a short training does not end on an average of its first, random weights.
    """
    return jnp.minimum(decay, (1.0 + updates) / (10.0 + updates))


def start_left(decay: float, updates: int) -> float:
    """The weight that the start still has in the average after so many updates: the product of all ramped decays."""
    before = np.arange(updates, dtype=np.float64)
    return float(np.prod(np.minimum(decay, (1 + before) / (10 + before))))


def moved_average(average: Any, now: Any, decay: jax.Array | float) -> Any:
    """decay * average + (1 - decay) * now over {'params', 'batch_stats'}, in the average's own precision.

    Of the statistics, means and variances alone: what else a layer keeps there (the vectors of a power iteration, which
    an average would shorten) is taken as it is.
    """

    def one(path: Any, old: jax.Array, new: jax.Array) -> jax.Array:
        new = new.astype(old.dtype)
        if path[0].key == 'batch_stats' and path[-1].key not in ('mean', 'var'):
            return new
        return old + jnp.asarray(1 - decay, old.dtype) * (new - old)

    return jax.tree_util.tree_map_with_path(one, average, now)


def _wide(leaf: jax.Array) -> jax.Array:
    """In float32 at least: in bfloat16 a step of the average would be rounded away."""
    return leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32))
