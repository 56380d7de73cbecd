"""From the rows of an index block to a batch, on the device: fields, weights, and the length that it is cut to.

Sequences of different length: padding must not eat the time. An update is compiled once for each of a few lengths, and the
program takes the shortest that holds the batch, by a switch inside its loop; so calls, logs and signals know nothing of it,
and whatever the order is, nothing but padding is cut off. (Packing several sequences into one row would save the last few
percent, but every model would have to keep them apart.)
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data import buckets
from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Described, Split
from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import max_over_batch_axis
from jaxlab.protocol import Batch


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """What the rows of an update [batch] mean.

    domains: names of the domains side by side, where there are several: rows are then [batch, domains].
    lengths: field -> the field with its true lengths. shapes: what batches are cut to, the smallest first: field ->
    length; one without a field where nothing is cut.
    """

    domains: tuple[str, ...] = ()
    lengths: Mapping[str, str] = dataclasses.field(default_factory=dict)
    shapes: tuple[Mapping[str, int], ...] = ({},)

    @classmethod
    def of(cls, data: Dataset, count: int = 0) -> Self:
        """The layout of a data set's batches, with at most so many lengths (0: no batch is cut).

        Of a description no batch is made: a mode for a user's own input has nothing else.
        """
        train = data.splits['train']
        if not count or isinstance(train, Described):
            return cls(tuple(train.domains))
        held = train.arrays or {}
        if not data.lengths or train.domains or not all(field in held for field in data.lengths.values()):
            raise UserError(
                f'config.data.buckets = {count} needs one set of sequences of different length in memory; valid for '
                f'{data.name}: 0'
            )
        lengths = {field: held[length] for field, length in data.lengths.items()}
        shapes = buckets.shapes(lengths, {field: held[field].shape[1] for field in lengths}, count)
        return cls((), data.lengths, shapes)

    def numbers(self, split: Split) -> np.ndarray | None:
        """[size] int32: which shape holds each example; None where nothing is cut."""
        if not self.lengths:
            return None
        held = split.arrays or {}
        return buckets.numbers({field: held[length] for field, length in self.lengths.items()}, self.shapes)

    def visited(self, split: Split) -> np.ndarray:
        """Positions [size] in the order in which an evaluation goes through a split: shapes one after the other."""
        numbers = self.numbers(split)
        return np.arange(split.size) if numbers is None else np.argsort(numbers, kind='stable')

    def taken(self, data: Batch, rows: jax.Array) -> Batch:
        """The examples of these rows from a whole split; rows of padding take example 0."""

        def own(field: str) -> jax.Array:
            column = [number for number, name in enumerate(self.domains) if field.endswith(f'_{name}')]
            return jnp.maximum(rows[..., *column], 0)

        return {field: jnp.take(array, own(field), axis=0) for field, array in data.items()}

    def weights(self, rows: Any) -> dict[str, Any]:
        """`weight` [batch] float32: 1 for an example, 0 for a row of padding (index -1).

        Each of several domains has its own beside it (`weight_a`); a row counts as a whole if it has an example of any.
        """
        there = rows >= 0
        whole = there.any(axis=tuple(range(1, there.ndim)))
        each = {f'weight_{name}': there[..., number] for number, name in enumerate(self.domains)}
        return {name: value.astype(np.float32) for name, value in {'weight': whole, **each}.items()}

    def fitted(self, batch: Batch, function: Callable[[Callable[[Batch], Batch]], Any]) -> Any:
        """`function(cut)` by the smallest shape that holds the batch, where `cut` cuts a batch to it.

        batch: what has the lengths and the weight of everything that is to be cut, with any leading axes. What the
        function returns for a shorter batch is padded with zeros to what it would return for a whole one.
        """
        *shorter, whole = self.shapes

        def at(shape: Mapping[str, int]) -> Any:
            return function(functools.partial(_cut, shape=shape))

        if not shorter:
            return at(whole)
        uncut = jax.jit(lambda: at(whole), inline=True)  # traced once, for the shapes of all branches and as the last
        like = jax.eval_shape(uncut)
        branches = [lambda shape=shape: jax.tree.map(_padded, at(shape), like) for shape in shorter]
        return jax.lax.switch(self._first_that_holds(batch), [*branches, uncut])

    def _first_that_holds(self, batch: Batch) -> jax.Array:
        """Number of the smallest shape, int32; the same on all devices that share the batch."""

        def is_longer(shape: Mapping[str, int]) -> jax.Array:
            found = [
                jnp.max(batch[length] * (batch['weight'] > 0)) > shape[name] for name, length in self.lengths.items()
            ]
            return jnp.stack(found).any().astype(jnp.int32)

        return max_over_batch_axis(jnp.stack([is_longer(shape) for shape in self.shapes[:-1]]).sum())


def _cut(batch: Batch, shape: Mapping[str, int]) -> Batch:
    return {name: value[:, : shape[name]] if name in shape else value for name, value in batch.items()}


def _padded(value: jax.Array, like: jax.ShapeDtypeStruct) -> jax.Array:
    if value.shape == like.shape:
        return value
    return jnp.pad(value, [(0, whole - size) for whole, size in zip(like.shape, value.shape, strict=True)])
