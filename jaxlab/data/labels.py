"""Class labels of a split, and how many examples each class has."""

import numpy as np

from jaxlab.data.dataset import Dataset, Split


def labels_of(split: Split) -> np.ndarray:
    """All labels of a split [N], without reading a streamed example."""
    return split.labels if split.labels is not None else split.read(np.arange(split.size))['label']


def class_counts(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Training examples of each class [C]: as they came, and as an epoch shows them (in proportion)."""
    if data.sampling is not None:
        return data.sampling.before, data.sampling.after
    counts = np.bincount(labels_of(data.splits['train']), minlength=len(data.class_names))
    return counts, counts
