"""Arrays kept while training goes on, one file an epoch: what a task wants to be seen, and every update's metrics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxlab.files import load_arrays, storable, write_atomically


class Snapshots:
    """Flat dicts of arrays by epoch (`FOLDER/epoch_0005.npz`). Only the writing process touches the disk."""

    def __init__(self, folder: Path, writer: bool):
        self.folder, self.writer = folder, writer
        self._kept: dict[int, Any] = {}

    def resume(self, last_epoch: int) -> None:
        """Reads the snapshots up to an epoch, drops later ones."""
        for file in sorted(self.folder.glob('epoch_*.npz')):
            epoch = int(file.stem.removeprefix('epoch_'))
            if epoch <= last_epoch:
                self._kept[epoch] = load_arrays(file)

    def take(self, epoch: int, arrays: Any) -> None:
        """Stores one snapshot (a dict of arrays; None is left out)."""
        if arrays is None:
            return
        self._kept[epoch] = jax.tree.map(storable, arrays)
        if self.writer:
            with write_atomically(self.folder / f'epoch_{epoch:04d}.npz') as file:
                np.savez_compressed(file, **self._kept[epoch])

    def all(self) -> list[tuple[int, Any]]:
        """(epoch, arrays), in order."""
        return sorted(self._kept.items())


class Kept(NamedTuple):
    """Everything that is kept by epoch."""

    snapshots: Snapshots  # what the task wants to be seen
    step_logs: Snapshots  # metric -> [replicas, steps]

    @classmethod
    def of(cls, workdir: Path, writer: bool) -> 'Kept':
        """Those of a run's folder."""
        return cls(Snapshots(workdir / 'snapshots', writer), Snapshots(workdir / 'steps', writer))

    def resume(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Reads what belongs to a history."""
        for kept in self:
            kept.resume(history[-1]['epoch'] if history else 0)
