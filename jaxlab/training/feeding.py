"""Which examples an update sees: blocks of indices, a pure function of (seed, epoch). -1 marks a row of padding."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from jaxlab.data import buckets
from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.data.splits import drawn_order, stretched_order
from jaxlab.errors import UserError
from jaxlab.training.batches import Layout


def rows_of_update(batch_size: int, size: int, devices: int = 1) -> int:
    """Rows of an update's index block: the batch size, or for 0 all `size` examples, padded to a multiple of the devices."""
    return batch_size or -(-size // devices) * devices


@dataclasses.dataclass(frozen=True)
class Feed:
    """How a training split is cut into updates."""

    size: int  # examples
    batch_size: int  # may be larger than `size` (see `rows_of_update`): the rest is padding
    drop_remainder: bool
    shuffle: bool
    seeds: tuple[int, ...]  # one a replica
    draws: int = 0  # examples an epoch draws; 0: `size`, each once
    # [size], sum 1: rows are drawn with replacement by these chances
    chances: np.ndarray | None = dataclasses.field(default=None, compare=False)
    domains: tuple[int, ...] = ()  # examples of each domain where several stand side by side; `size` is the longest's
    # [size]: examples of one number share a batch where they can (`jaxlab/data/buckets.py`)
    buckets: np.ndarray | None = dataclasses.field(default=None, compare=False)

    @classmethod
    def of(cls, config: Any, data: Dataset, seeds: tuple[int, ...], devices: int = 1) -> Self:
        """The feed of a `config.data` block."""
        if config.buckets and not config.shuffle:
            raise UserError('config.data.buckets gathers examples of similar length; valid with data.shuffle=False: 0')
        rows = rows_of_update(config.batch_size, data.draws, devices)
        chances = None if data.sampling is None else data.sampling.chances
        train, layout = data.splits['train'], Layout.of(data, config.buckets)
        domains = tuple(domain.size for domain in train.domains.values())
        return cls(
            train.size,
            rows,
            config.drop_remainder,
            config.shuffle,
            seeds,
            data.draws,
            chances,
            domains,
            layout.numbers(train),
        )

    @property
    def steps_per_epoch(self) -> int:
        """Updates an epoch; a short last batch counts unless it is dropped or the only one."""
        draws = self.draws or self.size
        return max(1, draws // self.batch_size) if self.drop_remainder else -(-draws // self.batch_size)

    def epoch(self, epoch: int) -> np.ndarray:
        """Indices of one epoch: [replicas, steps, batch] int32, -1 where a short last batch is padded.

        [replicas, steps, batch, domains] where several stand side by side.
        """
        orders = [self._order(seed, epoch) for seed in self.seeds]
        if self.buckets is not None:
            orders = [buckets.gathered(order, self.buckets, self.batch_size, epoch) for order in orders]
        return np.stack([blocks(order, self.batch_size, self.steps_per_epoch) for order in orders])

    def _order(self, seed: int, epoch: int) -> np.ndarray:
        """Rows [draws] or [draws, domains] int32 of one epoch. Chances mean a new draw each epoch, shuffled or not."""
        draws = self.draws or self.size
        if self.chances is not None:
            return drawn_order(seed, epoch, self.chances, draws)
        if self.domains:
            columns = [self._drawn(seed, epoch, size, draws, stream) for stream, size in enumerate(self.domains)]
            return np.stack(columns, axis=1)
        return self._drawn(seed, epoch, self.size, draws)

    def _drawn(self, seed: int, epoch: int, size: int, draws: int, stream: int = 0) -> np.ndarray:
        """Rows [draws] int32 of `size` examples, each as often as the others (up to one)."""
        if not self.shuffle:
            return ((epoch * draws + np.arange(draws)) % size).astype(np.int32)
        return stretched_order(seed, epoch, size, draws, stream)


def blocks(order: np.ndarray, batch_size: int, steps: int | None = None) -> np.ndarray:
    """An order [n, ...] cut into [steps, batch, ...] int32, the last block padded with -1 (or the rest left out if `steps`
    says so)."""
    steps = -(-len(order) // batch_size) if steps is None else steps
    padded = np.full((steps * batch_size, *order.shape[1:]), -1, np.int32)
    kept = order[: steps * batch_size]
    padded[: len(kept)] = kept
    return padded.reshape(steps, batch_size, *order.shape[1:])


def gather(split: Split, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Examples for an index block of any shape [..., batch] (or [..., batch, domains], as the split's `rows` are).

    Padding rows repeat example 0 (their weight is 0). A source is asked for each example once, also where much is padding.
    """
    one = split.rows.shape[1:]  # of an example's index: () or (domains,)
    shape = indices.shape[: indices.ndim - len(one)]
    rows = np.maximum(indices, 0).reshape(-1, *one)
    if split.arrays is None:
        rows, places = np.unique(rows, axis=0, return_inverse=True)
        read = {name: array[places.reshape(-1)] for name, array in split.read(rows).items()}
    else:
        read = split.read(rows)
    return {name: array.reshape(*shape, *array.shape[1:]) for name, array in read.items()}


@dataclasses.dataclass(frozen=True)
class _Blocks:
    """A random-access source for grain: item i is what is read for the i-th block of indices."""

    read: Callable[[np.ndarray], Any]
    chunks: Sequence[np.ndarray]

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, item: int) -> Any:
        return self.read(self.chunks[item])


def prefetched[T](read: Callable[[np.ndarray], T], chunks: Sequence[np.ndarray]) -> Iterator[T]:
    """What is read for each chunk of indices, in order, by grain's threads while the one before is computed with.

    Threads, not worker processes: those change the order with their number and take seconds to start.
    """
    import grain

    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
    return iter(grain.MapDataset.source(_Blocks(read, chunks)).to_iter_dataset(options))
