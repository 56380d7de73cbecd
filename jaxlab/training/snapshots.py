"""What a task wants to be seen while training goes on, one file an epoch: `snapshots/epoch_0005.npz`."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlab.training.files import write_atomically


class Snapshots:
    """Flat dicts of arrays by epoch. Only the writing process touches the disk."""

    def __init__(self, folder: Path, writer: bool):
        self.folder, self.writer = folder, writer
        self._kept: dict[int, Any] = {}

    def resume(self, last_epoch: int) -> None:
        """Reads the snapshots up to an epoch, drops later ones."""
        for file in sorted(self.folder.glob('epoch_*.npz')):
            epoch = int(file.stem.removeprefix('epoch_'))
            if epoch <= last_epoch:
                with np.load(file, allow_pickle=False) as arrays:
                    self._kept[epoch] = dict(arrays)

    def take(self, epoch: int, arrays: Any) -> None:
        """Stores one snapshot (a dict of arrays; None is left out)."""
        if arrays is None:
            return
        self._kept[epoch] = jax.tree.map(np.asarray, arrays)
        if self.writer:
            self.folder.mkdir(parents=True, exist_ok=True)
            with write_atomically(self.folder / f'epoch_{epoch:04d}.npz') as file:
                np.savez_compressed(file, **self._kept[epoch])

    def all(self) -> list[tuple[int, Any]]:
        """(epoch, arrays), in order."""
        return sorted(self._kept.items())
