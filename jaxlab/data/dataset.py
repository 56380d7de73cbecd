"""What `load` returns: splits of examples with their provenance. Plain frozen dataclasses."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxlab.data.examples import Split
from jaxlab.data.features import ClassLabel, Feature, Tensor, Value

Batch = dict[str, jax.Array]


def identity(batch: Batch) -> Batch:
    """The batch unchanged: for data that need no preparation."""
    return batch


def _no_augmentation(batch: Batch, key: jax.Array) -> Batch:
    del key
    return batch


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


@dataclasses.dataclass(frozen=True, eq=False)
class Raw:
    """What a source holds before splits and limits: parts 'train' + 'test' (+ 'validation'), or one part 'all'.

    features: field -> what it is. domains: instead of parts and features, whole data sets that stand side by side unpaired
    (`jaxlab/data/domains.py`). by_class: whether one part 'all' is divided class by class even when `stratify` does not
    ask for it. in_order: above 0, it is divided in the order of time: what is held out comes last; each example then answers
    so many rows of time, and those whose answers reach beyond a border are left out.
    """

    source: str
    parts: Mapping[str, Split]
    features: Mapping[str, Feature]
    description: str
    licence: str
    checksum: str
    notes: tuple[str, ...] = ()
    stand_in: bool = False
    by_class: bool = True
    in_order: int = 0
    domains: Mapping[str, 'Raw'] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Splits with their provenance, and the two functions that run on the device.

    Training batches go through `augment(prepare(batch), key)`, evaluation batches through `prepare(batch)`.
    splits: 'train', and 'validation' and 'test' where there are any. features: field -> what it is.
    notes: sentences that the user must be told.
    stand_in: the examples are not those of the data set that was asked for. sampling: how `train` was resampled, if so.
    transforms: each part of `augment` by itself, by name.
    epoch_examples: training examples that count as an epoch, where that was chosen.
    """

    name: str
    source: str
    splits: Mapping[str, Split]
    features: Mapping[str, Feature]
    description: str
    licence: str
    checksum: str
    prepare: Callable[[Batch], Batch] = identity
    augment: Callable[[Batch, jax.Array], Batch] = _no_augmentation
    notes: tuple[str, ...] = ()
    stand_in: bool = False
    sampling: Sampling | None = None
    epoch_examples: int = 0
    transforms: Mapping[str, Callable[[Batch, jax.Array], Batch]] = dataclasses.field(default_factory=dict)

    @property
    def reported(self) -> str:
        """The split that is looked at in the end: the test examples, else the last that there is."""
        return 'test' if 'test' in self.splits else list(self.splits)[-1]

    @property
    def input(self) -> str:
        """The one field that a network is given, where there is one."""
        return next((name for name, feature in self.features.items() if not feature.answer), '')

    @property
    def answer(self) -> str:
        """Name of the one field that is predicted."""
        return next((name for name, feature in self.features.items() if feature.answer), '')

    @property
    def input_feature(self) -> Tensor:
        """The feature of the input field."""
        feature = self.features[self.input]
        assert isinstance(feature, Tensor)
        return feature

    @property
    def answer_feature(self) -> ClassLabel | Value:
        """The feature of the field that is predicted."""
        feature = self.features[self.answer]
        assert isinstance(feature, ClassLabel | Value)
        return feature

    @property
    def lengths(self) -> dict[str, str]:
        """Field -> the field with its true lengths, of the fields whose examples are of different length."""
        return {name: feature.length for name, feature in self.features.items() if feature.length}

    @property
    def fitted(self) -> dict[str, Any]:
        """Field -> what was learned from training rows to make it, where anything was."""
        made = {name: feature.fitted for name, feature in self.features.items()}
        return {name: one for name, one in made.items() if one is not None}

    @property
    def draws(self) -> int:
        """Training examples that an epoch draws: all of them once, as many as there were before resampling, or as chosen."""
        if self.epoch_examples:
            return self.epoch_examples
        return self.splits['train'].size if self.sampling is None else self.sampling.draws
