"""Independent sets of examples side by side: unpaired domains, each with its own size, order and features.

A domain is an ordinary data set with the ordinary names of fields. Side by side its name is added to them: `image` of the
domains `a` and `b` becomes `image_a` and `image_b` of one batch, and so does the weight of its rows (`weight_a`).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Self

import jax
import numpy as np

from jaxlab.data.dataset import Batch, Dataset, Raw
from jaxlab.data.examples import Arrays, Split
from jaxlab.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Domains(Split):
    """The same split of several domains. size: of the longest; origin: one after the other; no labels."""

    @classmethod
    def of(cls, domains: Mapping[str, Split]) -> Self:
        """domains: name -> split, in the order of their columns in `rows`."""
        if any('_' in name for name in domains):
            raise ValueError(f'names of domains end names of fields and hold no underscore: {", ".join(domains)}')
        arrays = {name: split.arrays for name, split in domains.items() if split.arrays is not None}
        return cls(
            size=max(split.size for split in domains.values()),
            arrays=named(arrays) if len(arrays) == len(domains) else None,
            origin=np.concatenate([split.origin for split in domains.values()]),
            domains=domains,
        )

    @property
    def rows(self) -> np.ndarray:
        """[size, domains] int32: each example of each domain once; -1 where a shorter one has no more."""
        positions = np.arange(self.size, dtype=np.int32)
        return np.stack([np.where(positions < split.size, positions, -1) for split in self.domains.values()], axis=1)

    def read(self, indices: Any) -> Arrays:
        """The examples at these positions: [n, domains], or [n] for all (a shorter domain then begins again)."""
        indices = np.asarray(indices, np.int64)
        if indices.ndim == 1:
            indices = np.stack([indices % split.size for split in self.domains.values()], axis=1)
        parts = zip(self.domains.items(), indices.T, strict=True)
        return named({name: split.read(column) for (name, split), column in parts})

    def blank(self, count: int) -> Arrays:
        """So many examples of zeros of every domain."""
        return named({name: split.blank(count) for name, split in self.domains.items()})

    def take(self, indices: np.ndarray) -> 'Domains':
        """The split of the examples at these positions [n] of every domain; a shorter one begins again."""
        indices = np.asarray(indices, np.int64)
        return Domains.of({name: split.take(indices % split.size) for name, split in self.domains.items()})


def named[T](domains: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    """domain -> field -> value as one mapping with the names that fields have side by side."""
    return {f'{field}_{name}': value for name, fields in domains.items() for field, value in fields.items()}


def of_domain[T](fields: Mapping[str, T], name: str) -> dict[str, T]:
    """The fields of one domain under their ordinary names."""
    return {field.removesuffix(f'_{name}'): value for field, value in fields.items() if field.endswith(f'_{name}')}


def side_by_side(name: str, raw: Raw, domains: Mapping[str, Dataset]) -> Dataset:
    """One data set of several. raw: what is said of it as a whole. Every domain must have the same splits."""
    first = next(iter(domains.values()))
    if any(data.sampling is not None for data in domains.values()):
        raise UserError(f"data.sampling resamples one set of examples; valid for the domains of {name}: ''")
    splits: dict[str, Split] = {
        part: Domains.of({domain: data.splits[part] for domain, data in domains.items()}) for part in first.splits
    }
    sizes = {
        part: ' and '.join(f'{data.splits[part].size:,} of {domain}' for domain, data in domains.items())
        for part in splits
    }
    return Dataset(
        name=name,
        source=raw.source,
        splits=splits,
        features=named({domain: data.features for domain, data in domains.items()}),
        description=raw.description,
        licence=raw.licence,
        checksum=raw.checksum,
        prepare=_each({domain: data.prepare for domain, data in domains.items()}),
        augment=_each_with_key({domain: data.augment for domain, data in domains.items()}),
        transforms={
            transform: _each_with_key({domain: data.transforms[transform] for domain, data in domains.items()})
            for transform in first.transforms
        },
        notes=(
            *raw.notes,
            f'Examples stand side by side unpaired: {"; ".join(f"{part} {words}" for part, words in sizes.items())}.',
            *(f'{domain}: {note}' for domain, data in domains.items() for note in data.notes),
        ),
        stand_in=raw.stand_in or any(data.stand_in for data in domains.values()),
        epoch_examples=first.epoch_examples,
    )


def _each(functions: Mapping[str, Callable[[Batch], Batch]]) -> Callable[[Batch], Batch]:
    def of_all(batch: Batch) -> Batch:
        return {**batch, **named({name: function(of_domain(batch, name)) for name, function in functions.items()})}

    return of_all


def _each_with_key(functions: Mapping[str, Callable[[Batch, jax.Array], Batch]]) -> Callable[[Batch, jax.Array], Batch]:
    """Each domain draws by a key of its own."""

    def of_all(batch: Batch, key: jax.Array) -> Batch:
        made = {
            name: function(of_domain(batch, name), jax.random.fold_in(key, number))
            for number, (name, function) in enumerate(functions.items())
        }
        return {**batch, **named(made)}

    return of_all
