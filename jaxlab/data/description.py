"""A data set without its examples, as JSON: what a run keeps, so that a trained network needs no training data.

Kept are the features with what was fitted (decoder, sizes, columns, class names, units ...), the form of an example, how
many there are of each split and class, where they came from, their checksum, and the settings of `config.data`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.data import plain
from jaxlab.data.dataset import Dataset, Raw, Sampling
from jaxlab.data.device import on_device
from jaxlab.data.domains import of_domain, side_by_side
from jaxlab.data.examples import Arrays, Split, described
from jaxlab.data.features import Feature
from jaxlab.data.labels import class_counts, names_of
from jaxlab.data.settings import checked

SAME_FIELDS = ('name', 'source', 'description', 'licence', 'checksum', 'stand_in')
KINDS = {
    **dict.fromkeys(SAME_FIELDS, str),
    'stand_in': bool,
    'features': Mapping[str, Feature],
    'example': Mapping[str, tuple[Any, ...]],
    'splits': Mapping[str, int | Mapping[str, int]],
    'sampling': Mapping[str, Any] | None,
    'settings': Mapping[str, Any],
}


def as_json(data: Dataset, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `from_json` makes the data set of, all but its examples. It must have a training split.

    settings: the checked ones of `config.data` that it was made by.
    """
    train = data.splits['train']
    return {
        **{field: getattr(data, field) for field in SAME_FIELDS},
        'features': {field: plain.as_json(feature) for field, feature in data.features.items()},
        'example': {name: [value.dtype.str, *value.shape[1:]] for name, value in train.blank(1).items()},
        'splits': {part: _sizes(split) for part, split in data.splits.items()},
        'sampling': _sampling(data) if names_of(data) and train.labels is not None else None,
        'settings': plain.as_json(settings),
    }


def _sizes(split: Split) -> Any:
    """How many examples a split has; of each domain where several stand side by side."""
    return {name: each.size for name, each in split.domains.items()} or split.size


def _sampling(data: Dataset) -> dict[str, Any]:
    before, after = class_counts(data)
    strategy, draws = '', data.splits['train'].size
    if data.sampling is not None:
        strategy, draws = data.sampling.strategy, data.sampling.draws
    return {'strategy': strategy, 'before': before.tolist(), 'after': after.tolist(), 'draws': draws}


def from_json(content: Mapping[str, Any]) -> Dataset:
    """The data set that was described, with splits that hold no examples.

    Raises KeyError, TypeError, ValueError or UserError for what is no description.
    """
    values = plain.from_json(content)
    plain.check(values, Mapping[str, Any], 'the whole')
    for field, kind in KINDS.items():
        plain.check(values[field], kind, field)
    said = {field: values[field] for field in SAME_FIELDS}
    features, settings = values['features'], _settings(values['settings'])
    example = {name: np.zeros((1, *shape), np.dtype(dtype)) for name, (dtype, *shape) in values['example'].items()}

    def made(features: Mapping[str, Any], example: Arrays, sizes: Mapping[str, int], sampling: Any = None) -> Dataset:
        return Dataset(
            **said,
            features=features,
            splits={part: described(size, example) for part, size in sizes.items()},
            sampling=sampling and _sampled(**sampling),
            epoch_examples=settings['epoch_examples'],
            **on_device(features, example, settings),
        )

    sizes = values['splits']
    if not isinstance(sizes['train'], Mapping):
        return made(features, example, sizes, values['sampling'])
    domains = {
        name: made(of_domain(features, name), of_domain(example, name), {part: sizes[part][name] for part in sizes})
        for name in sizes['train']
    }
    whole = Raw(parts={}, features={}, **{field: said[field] for field in SAME_FIELDS if field != 'name'})
    return side_by_side(said['name'], whole, domains)


def _settings(kept: Mapping[str, Any]) -> dict[str, Any]:
    """As `checked` gives them: they were checked when they were written, and may have been edited since."""
    for block in ('backbone', 'options'):
        plain.check(kept.get(block, {}), Mapping[str, Any], f'settings.{block}')
    scaling = {name: kept[name] for name in ('mean', 'std')}
    return checked({**kept, 'options': {**kept['options'], **scaling}})


def _sampled(strategy: str, before: tuple[int, ...], after: tuple[int, ...], draws: int) -> Sampling:
    return Sampling(strategy, np.array(before), np.array(after), draws)
