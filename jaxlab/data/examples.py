"""Examples in a fixed order, in memory or read when they are asked for."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Examples in a fixed order.

    size: number of examples. arrays: name -> [size, ...], or None when streamed. reader: streamed splits only, source
    rows [n] -> name -> [n, ...]. origin: [size] int64, the row of each example in the whole source (train first, then
    validation, then test, each in its own order): what disjointness is asserted on. labels: [size] int32 or None, known
    without reading a streamed example. groups: [size] int64 or None: examples of one group (translations of one sentence) never
    stand in two splits. domains: what it consists of where several sets stand side by side (`Domains`).
    """

    size: int
    arrays: Arrays | None
    origin: np.ndarray
    reader: Callable[[np.ndarray], Arrays] | None = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    domains: Mapping[str, 'Split'] = dataclasses.field(default_factory=dict)

    @property
    def rows(self) -> np.ndarray:
        """[size] int32: each example once, in order; [size, domains] where several stand side by side."""
        return np.arange(self.size, dtype=np.int32)

    def __repr__(self) -> str:
        shapes = None if self.arrays is None else {name: values.shape for name, values in self.arrays.items()}
        return f'Split(size={self.size}, {"streamed" if shapes is None else shapes})'

    def read(self, indices: Sequence[int] | np.ndarray) -> Arrays:
        """The examples at these positions [n] of the split, in this order: name -> [n, ...]."""
        indices = np.asarray(indices, np.int64)
        if indices.size and (indices.min() < 0 or indices.max() >= self.size):
            raise IndexError(f'index outside a split of {self.size} examples')
        if self.arrays is not None:
            return {name: values[indices] for name, values in self.arrays.items()}
        if self.reader is None:
            raise ValueError('a split has arrays or a reader')
        return self.reader(self.origin[indices])

    def blank(self, count: int) -> Arrays:
        """So many examples of zeros in the form of this split's: name -> [count, ...]."""
        form = self.arrays if self.arrays is not None else self.read([0])
        return {name: np.zeros((count, *values.shape[1:]), values.dtype) for name, values in form.items()}

    def take(self, indices: np.ndarray) -> 'Split':
        """The split that holds these examples alone, in this order."""
        indices = np.asarray(indices, np.int64)
        return Split(
            size=len(indices),
            arrays=None if self.arrays is None else self.read(indices),
            origin=self.origin[indices],
            reader=self.reader,
            labels=None if self.labels is None else self.labels[indices],
            groups=None if self.groups is None else self.groups[indices],
        )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Described(Split):
    """A split without its examples. form: name -> [1, ...] zeros, the shape and dtype of one."""

    form: Arrays = dataclasses.field(default_factory=dict)

    def read(self, indices: Sequence[int] | np.ndarray) -> Arrays:
        """Refused: a mode that looks at examples says so (`Mode.needs_data`), and they are loaded."""
        raise ValueError('the examples of this data set were not loaded')

    def blank(self, count: int) -> Arrays:
        """So many examples of zeros in the form that was kept."""
        return {name: np.repeat(values, count, axis=0) for name, values in self.form.items()}


def described(size: int, form: Arrays) -> Described:
    """A split of so many examples of this form."""
    return Described(size, None, np.arange(size, dtype=np.int64), form=dict(form))


def in_memory(arrays: Arrays, first_row: int = 0) -> Split:
    """A split over arrays in memory; `first_row` is the row of its first example in the whole source."""
    sizes = {len(values) for values in arrays.values()}
    if len(sizes) != 1:
        raise ValueError(f'arrays of different lengths: {sorted(sizes)}')
    size = sizes.pop()
    return Split(size, arrays, first_row + np.arange(size, dtype=np.int64), labels=arrays.get('label'))
