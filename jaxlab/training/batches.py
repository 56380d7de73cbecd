"""From a row of an index block to a batch, on the device and on the host."""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.examples import Split
from jaxlab.protocol import Batch


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the rows of an update [batch] mean.

    domains: names of the domains side by side, where there are several: rows are then [batch, domains].
    """

    domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, split: Split) -> Self:
        """The layout of a split's batches."""
        return cls(tuple(split.domains))

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
