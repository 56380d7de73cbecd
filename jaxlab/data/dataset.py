"""What `load` returns: splits of examples with their provenance. Plain frozen dataclasses."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from jaxlab.data.fitted.columns import Preprocessing, Target, is_number
from jaxlab.data.images import Decoding
from jaxlab.errors import UserError, closest

Arrays = dict[str, np.ndarray]
Batch = dict[str, jax.Array]


def identity(batch: Batch) -> Batch:
    """The batch as it is."""
    return batch


def _no_augmentation(batch: Batch, key: jax.Array) -> Batch:
    del key
    return batch


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Examples in a fixed order.

    size: number of examples. arrays: name -> [size, ...], or None when streamed. reader: streamed splits only, source
    rows [n] -> name -> [n, ...]. origin: [size] int64, the row of each example in the whole source (train first, then
    validation, then test, each in its own order): what disjointness is asserted on. labels: [size] int32 or None, known
    without reading a streamed example.
    """

    size: int
    arrays: Arrays | None
    origin: np.ndarray
    reader: Callable[[np.ndarray], Arrays] | None = None
    labels: np.ndarray | None = None

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

    def take(self, indices: np.ndarray) -> 'Split':
        """The split of these examples, in this order."""
        indices = np.asarray(indices, np.int64)
        return Split(
            size=len(indices),
            arrays=None if self.arrays is None else self.read(indices),
            origin=self.origin[indices],
            reader=self.reader,
            labels=None if self.labels is None else self.labels[indices],
        )


def in_memory(arrays: Arrays, first_row: int = 0) -> Split:
    """A split over arrays in memory; `first_row` is the row of its first example in the whole source."""
    sizes = {len(values) for values in arrays.values()}
    if len(sizes) != 1:
        raise ValueError(f'arrays of different lengths: {sorted(sizes)}')
    size = sizes.pop()
    return Split(size, arrays, first_row + np.arange(size, dtype=np.int64), labels=arrays.get('label'))


@dataclasses.dataclass(frozen=True, eq=False)
class Sampling:
    """What was done to the training split against imbalance (`jaxlab/data/resample.py`).

    before, after: [C] examples of each class as they came, and as an epoch shows them (in proportion). draws: examples an
    epoch draws. chances: [size] chance of each row where they are drawn with replacement.
    """

    strategy: str
    before: np.ndarray
    after: np.ndarray
    draws: int
    chances: np.ndarray | None = None


def same_rows(rows: np.ndarray) -> np.ndarray:
    """The rows as they are."""
    return rows


@dataclasses.dataclass(frozen=True)
class Schema:
    """What the rows of a table mean. texts: features that are categories; derive: rows of a file -> rows with these columns."""

    features: tuple[str, ...]
    target: Target
    derive: Callable[[np.ndarray], np.ndarray] = same_rows
    texts: tuple[str, ...] = ()

    def check(self, rows: np.ndarray, path: Path | None = None) -> None:
        """Refuses rows that lack a column, or have text where a number must be."""
        where, names = f'{path}: ' if path else '', rows.dtype.names or ()
        for name in (*self.features, self.target.name):
            if name not in names:
                raise UserError(f'{where}no column {name!r}; {closest(name, names)}')
        for name in self.features:
            if name not in self.texts and rows[name].dtype.kind != 'f':
                row = next(at for at, value in enumerate(rows[name]) if not is_number(value))
                raise UserError(f'{where}row {row + 1}, column {name!r}: {str(rows[name][row])!r} is no number')


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """How the features of a table were made: the splits before ('columns' is a structured array), and by what."""

    columns: Mapping[str, Split]
    schema: Schema
    preprocessing: Preprocessing


@dataclasses.dataclass(frozen=True, eq=False)
class Raw:
    """What a source holds before splits and limits: parts 'train' + 'test' (+ 'validation'), or one part 'all'.

    by_class: whether one part 'all' is divided class by class even when `stratify` does not ask for it. schema: of tables.
    decoding: how image files became arrays, where they did.
    """

    source: str
    parts: Mapping[str, Split]
    class_names: tuple[str, ...]
    description: str
    licence: str
    checksum: str
    notes: tuple[str, ...] = ()
    stand_in: bool = False
    schema: Schema | None = None
    by_class: bool = True
    decoding: Decoding | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Splits with their provenance, and the two functions that run on the device.

    Training batches go through `augment(prepare(batch), key)`, evaluation batches through `prepare(batch)`.
    splits: 'train', and 'validation' and 'test' where there are any. notes: sentences that the user must be told.
    stand_in: the examples are not those of the data set that was asked for. sampling: how `train` was resampled, if so.
    table: of tables, how their features were made. decoding: how image files became arrays, where they did.
    transforms: each part of `augment` by itself, by name.
    epoch_examples: training examples that count as an epoch, where that was chosen.
    """

    name: str
    source: str
    splits: Mapping[str, Split]
    class_names: tuple[str, ...]
    description: str
    licence: str
    checksum: str
    prepare: Callable[[Batch], Batch] = identity
    augment: Callable[[Batch, jax.Array], Batch] = _no_augmentation
    notes: tuple[str, ...] = ()
    stand_in: bool = False
    sampling: Sampling | None = None
    table: Table | None = None
    decoding: Decoding | None = None
    epoch_examples: int = 0
    transforms: Mapping[str, Callable[[Batch, jax.Array], Batch]] = dataclasses.field(default_factory=dict)

    @property
    def draws(self) -> int:
        """Training examples that an epoch draws: all of them once, as many as there were before resampling, or as chosen."""
        if self.epoch_examples:
            return self.epoch_examples
        return self.splits['train'].size if self.sampling is None else self.sampling.draws
