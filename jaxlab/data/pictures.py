"""Examples that are images, as a reader sees them."""

from collections.abc import Sequence

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.features import Image


def pictures(data: Dataset, part: str, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Images [n, H, W, C] float32 in [0, 1] of a split, as they are before any scaling."""
    return Image.unit(data.splits[part].read(rows)[data.input])
