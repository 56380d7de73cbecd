"""Examples that are images, as a reader sees them."""

from collections.abc import Sequence

import numpy as np

from jaxlab.data.dataset import Split


def has_images(split: Split) -> bool:
    """Whether the examples are images and not rows of a table."""
    return 'image' in split.read([0])


def pictures(split: Split, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Images [n, H, W, C] in [0, 1], as they are before any scaling."""
    images = split.read(rows)['image']
    return images.astype(np.float32) / 255.0 if images.dtype == np.uint8 else images
