"""Which axes of which parameters are split over devices (`config.parallel.shard`), and of what an optimizer keeps of them.

A rule is a pair (regex of the leaf's path, axis that is split over `model`). `fsdp` splits every leaf over the devices that
share a batch: its largest axis that their number divides. The compiler then gathers what a product needs, when it needs it.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from jaxlab.layers.batch_axis import BATCH_AXIS

MODEL_AXIS = 'model'
SMALL = 4096  # bytes: what is smaller stays whole, to gather it would cost more than it saves

# Of a pair of layers the first is split by its outputs, the second by its inputs: one sum over the devices after both.
NAMED: Mapping[str, tuple[tuple[str, int], ...]] = {
    'transformer': (  # heads, which are blocks of the projections' outputs, and hidden units
        (r'(query|key|value|dense_1)/kernel$', 1),
        (r'(query|key|value|dense_1)/bias$', 0),
        (r'(out|dense_2)/kernel$', 0),
    ),
    'mlp': (
        (r'Dense_\d*[02468]/kernel$', 1),
        (r'Dense_\d*[02468]/bias$', 0),
        (r'Dense_\d*[13579]/kernel$', 0),
    ),
}
FSDP = 'fsdp'


@dataclasses.dataclass(frozen=True)
class Rules:
    """pairs: (regex, axis), the first that matches counts. fsdp: whether leaves are split over the batch axis as well."""

    pairs: tuple[tuple[str, int], ...] = ()
    fsdp: bool = False

    @classmethod
    def of(cls, asked: str | Sequence[Any]) -> Self:
        """From `config.parallel.shard`: pairs, and names of `NAMED` or `fsdp`."""
        asked = (asked,) if isinstance(asked, str) else tuple(asked)
        pairs: list[tuple[str, int]] = []
        for rule in asked:
            if isinstance(rule, str):
                pairs += NAMED.get(rule, ())
            else:
                pairs.append((str(rule[0]), int(rule[1])))
        return cls(tuple(pairs), FSDP in asked)

    def splits(self, sizes: Mapping[str, int]) -> bool:
        """Whether anything is split on a mesh of these sizes."""
        return bool(self.pairs) and sizes[MODEL_AXIS] > 1 or self.fsdp and sizes[BATCH_AXIS] > 1

    def axes(self, path: str, shape: Sequence[int], itemsize: int, sizes: Mapping[str, int]) -> tuple[str | None, ...]:
        """The mesh axis over which each axis of a leaf is split. path: such as `0/model/params/Dense_0/kernel`."""
        found: list[str | None] = [None] * len(shape)
        for pattern, axis in self.pairs:
            if re.search(pattern, path) and len(shape) > axis and shape[axis] % sizes[MODEL_AXIS] == 0:
                found[axis] = MODEL_AXIS
                break
        if self.fsdp and np.prod(shape, dtype=int) * itemsize >= SMALL:
            free = [at for at, size in enumerate(shape) if found[at] is None and size % sizes[BATCH_AXIS] == 0]
            if free:
                found[max(free, key=lambda at: shape[at])] = BATCH_AXIS
        return tuple(found)
