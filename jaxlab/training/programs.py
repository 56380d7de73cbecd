"""The compiled programs: n updates in one call, and the evaluation of a split.

The number of updates is an argument of a `fori_loop`, not part of the program: one compilation serves any number of
steps a call, and the bits do not depend on how a run is cut into calls. Replicas are a tuple of states that are updated
side by side ('unrolled': on a CPU convolutions under vmap become slow grouped ones) or one stacked state ('vmap').
"""

import dataclasses
import functools
from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.layers.batch_axis import sum_over_batch_axis
from jaxlab.protocol import Batch, State, Sums, Task
from jaxlab.training.batches import Layout

Augment = Callable[[Batch, jax.Array], Batch]
Logs = dict[str, jax.Array]  # name -> [replicas, steps, 2, ...]: (total, weight); of a metric two scalars
AUGMENT, TASK, EVALUATE, INIT, SNAPSHOT = range(5)  # what a key is for


def key_for(seed: jax.Array, purpose: int, step: jax.Array | int = 0) -> jax.Array:
    """The key of one purpose at one step: a pure function, so nothing random has to be stored."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), step)


@dataclasses.dataclass(frozen=True)
class Programs:
    """The pure functions that the engine compiles, for one task, one data set and one form of replicas."""

    task: Task
    prepare: Callable[[Batch], Batch]
    augment: Augment
    replicas: int
    form: str  # 'unrolled' or 'vmap'
    streamed: bool = False  # whether `data` holds the examples of the index block itself, or the whole split
    layout: Layout = Layout()

    def _over_replicas(self, function: Callable, *per_replica: Any) -> list:
        """Applies `function` to the arguments of each replica that is here; results as lists over replicas."""
        return [function(*(argument[r] for argument in per_replica)) for r in range(len(per_replica[-1]))]

    def init(self, seeds: jax.Array, example: Batch) -> State:
        """The start of every replica, from its own seed. seeds: [replicas] uint32."""

        def one(seed: jax.Array) -> State:
            return self.task.init(key_for(seed, INIT), self.prepare(example))

        return jax.vmap(one)(seeds) if self.form == 'vmap' else tuple(self._over_replicas(one, seeds))

    def _fetch(self, data: Batch, rows: jax.Array, replica: jax.Array | int, step: jax.Array) -> Batch:
        if self.streamed:
            examples = {name: array[replica, step] for name, array in data.items()}
        else:
            examples = self.layout.taken(data, rows)
        return {**examples, **self.layout.weights(rows)}

    def _lengths(self, data: Batch, rows: jax.Array, step: jax.Array) -> Batch:
        """What an update of all replicas is cut by: true lengths and weights [replicas, batch]."""
        held = {field: data[field] for field in self.layout.lengths.values()}
        return jax.vmap(self._fetch, (None, 0, 0, None))(held, rows, jnp.arange(len(rows)), step)

    def _update(self, state: State, batch: Batch, seed: jax.Array, step: jax.Array) -> tuple[State, Logs]:
        batch = self.augment(self.prepare(batch), key_for(seed, AUGMENT, step))
        state, sums = self.task.train_step(state, batch, key_for(seed, TASK, step))
        return state, _packed(sums)

    def train(
        self,
        state: State,
        data: Batch,
        indices: jax.Array,
        seeds: jax.Array,
        start: jax.Array,
        stop: jax.Array,
        first_step: jax.Array,
    ) -> tuple[State, Logs]:
        """Updates `start` to `stop` (exclusive) of an index block [replicas, steps, batch]; `first_step` is the number
        of its first update in the whole run. Logs are full length, zero outside the range. The replicas are those of the
        seeds that are given: all, or where they lie on several devices one device's."""

        @functools.partial(jax.jit, inline=True)  # traced once, for the shapes of the logs and for the loop
        def one_step(state: State, step: jax.Array) -> tuple[State, Logs]:
            number, rows = first_step + step, indices[:, step]

            def updated(cut: Callable[[Batch], Batch]) -> tuple[State, Logs]:
                def one(replica_state: State, replica: jax.Array | int, rows: jax.Array, seed: jax.Array):
                    return self._update(replica_state, cut(self._fetch(data, rows, replica, step)), seed, number)

                if self.form == 'vmap':
                    return jax.vmap(one)(state, jnp.arange(len(seeds)), rows, seeds)
                states, logs = zip(*self._over_replicas(one, state, range(len(seeds)), rows, seeds), strict=True)
                return tuple(states), jax.tree.map(lambda *leaves: jnp.stack(leaves), *logs)

            return self.layout.fitted(self._lengths(data, rows, step), updated)

        def body(step: jax.Array, carry: tuple[State, Logs]) -> tuple[State, Logs]:
            state, logs = carry
            state, values = one_step(state, step)
            return state, jax.tree.map(lambda log, value: log.at[:, step].set(value), logs, values)

        shapes = jax.eval_shape(one_step, state, start)[1]
        steps = indices.shape[1]
        logs = jax.tree.map(lambda leaf: jnp.zeros((len(seeds), steps, 2), leaf.dtype), shapes)
        return jax.lax.fori_loop(start, stop, body, (state, logs))

    def evaluate(
        self,
        state: State,
        data: Batch,
        indices: jax.Array,
        seeds: jax.Array,
        first: jax.Array,
        keep: Collection[str] | None,
    ) -> tuple[Logs, Any]:
        """A whole index block [steps, batch], the same for all replicas: logs, and per-example outputs
        [replicas, steps, batch, ...] under the names in `keep` (None: all). first: number of its first batch in the split."""

        def one_step(_: None, step_and_rows: tuple[jax.Array, jax.Array]) -> tuple[None, Any]:
            step, rows = step_and_rows
            fetched = self._fetch(data, rows, 0, step)

            def measured(cut: Callable[[Batch], Batch]) -> tuple[Logs, Any]:
                batch = self.prepare(cut(fetched))

                def one(replica_state: State, seed: jax.Array):
                    sums, outputs = self.task.eval_step(replica_state, batch, key_for(seed, EVALUATE, first + step))
                    return _packed(sums), {name: each for name, each in outputs.items() if keep is None or name in keep}

                if self.form == 'vmap':
                    return jax.vmap(one)(state, seeds)
                return jax.tree.map(lambda *leaves: jnp.stack(leaves), *self._over_replicas(one, state, seeds))

            return None, self.layout.fitted(fetched, measured)

        _, results = jax.lax.scan(one_step, None, (jnp.arange(indices.shape[0]), indices))
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), results)

    def each_replica(self, function: Callable[[State], State], state: State) -> State:
        """A function of one replica's state on the host, for all of them."""
        found = [function(self.replica(state, number)) for number in range(self.replicas)]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *found) if self.form == 'vmap' else tuple(found)

    def replica(self, state: State, number: int) -> State:
        """One replica's state."""
        return jax.tree.map(lambda leaf: leaf[number], state) if self.form == 'vmap' else state[number]


def _packed(sums: Sums) -> Logs:
    """(total, weight) pairs as arrays [2, ...], summed over the devices that share the batch."""

    def wide(value: jax.Array) -> jax.Array:
        return jnp.asarray(value, jnp.promote_types(jnp.result_type(value), jnp.float32))

    pairs = {name: jnp.broadcast_arrays(*map(wide, pair)) for name, pair in sums.items()}
    return sum_over_batch_axis({name: jnp.stack(pair) for name, pair in pairs.items()})
