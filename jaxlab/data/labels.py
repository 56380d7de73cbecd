"""Class labels of a split, and how many examples each class has."""

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.data.features import ClassLabel


def labels_of(split: Split) -> np.ndarray:
    """All labels of a split [N], without reading a streamed example."""
    return split.labels if split.labels is not None else split.read(np.arange(split.size))['label']


def names_of(data: Dataset) -> tuple[str, ...]:
    """One a class; none where no label is predicted."""
    feature = data.features.get(data.answer)
    return feature.names if isinstance(feature, ClassLabel) else ()


def class_counts(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Training examples of each class [C]: as they came, and as an epoch shows them (in proportion)."""
    if data.sampling is not None:
        return data.sampling.before, data.sampling.after
    counts = np.bincount(labels_of(data.splits['train']), minlength=len(names_of(data)))
    return counts, counts
