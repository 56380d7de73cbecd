"""Published weights as a config names them: how they are laid out, and where they lie."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxlab.errors import lookup
from jaxlab.files import readable
from jaxlab.models.pretrained.files import installed, read
from jaxlab.models.pretrained.layouts import LAYOUTS
from jaxlab.models.pretrained.load import renamed


class Published(NamedTuple):
    """weights: our name, such as `params.stem.conv.kernel` -> array. where: what they are, for messages. notes: to show."""

    weights: Mapping[str, np.ndarray]
    where: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of all that is in them."""
        found = hashlib.sha256()
        for name in sorted(self.weights):
            found.update(name.encode() + np.ascontiguousarray(self.weights[name]).tobytes())
        return found.hexdigest()[:16]


def published(layout: str, weights: str = '', data_dir: Path | None = None, skip: Sequence[str] = ()) -> Published:
    """The weights of a layout (one of LAYOUTS), from `weights`: a file, also one in the data directory; '': the
    installed package of that name."""
    table, source = lookup(LAYOUTS, layout, 'layout of weights')(), place(layout, weights, data_dir)
    where = f'weights {source.name!r} as {layout}'
    placed, notes = renamed(read(source), table, skip, where)
    return Published(placed, where, notes)


def place(layout: str, weights: str = '', data_dir: Path | None = None) -> Path:
    """The file or folder itself; it may not be there."""
    if not weights:
        return installed(layout)
    given = readable(weights).expanduser()
    beside = None if data_dir is None else data_dir / given
    return beside if beside is not None and not given.exists() and beside.exists() else given


def beneath(weights: Mapping[str, np.ndarray], module: str) -> dict[str, Any]:
    """The same under the names that they have within a module: `params.stem` -> `params.encoder.stem`."""
    return {name.replace('.', f'.{module}.', 1) if module else name: array for name, array in weights.items()}
