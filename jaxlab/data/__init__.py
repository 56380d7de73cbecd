"""Data sets by name: `load(config.data)` gives splits with their provenance.

`DATASETS` is the table of names; a family is one module with a function `Request -> Raw`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.data import backbone, pipeline, resample
from jaxlab.data.dataset import Dataset, Raw
from jaxlab.data.device import on_device
from jaxlab.data.domains import of_domain, side_by_side
from jaxlab.data.examples import Split
from jaxlab.data.features import ClassLabel, Value
from jaxlab.data.prepare import prepare_tfds
from jaxlab.data.sets import (
    cifar10,
    detection,
    ett,
    folders,
    gates,
    horse2zebra,
    mnist,
    no_data,
    segmentation,
    sentence_pairs,
    series,
    tables,
    texts,
)
from jaxlab.data.settings import DEFAULTS, checked
from jaxlab.data.sources import Request, cache_dir_or_none, named_dir
from jaxlab.data.splits import epoch_order
from jaxlab.errors import lookup

__all__ = ['DATASETS', 'DEFAULTS', 'Dataset', 'Raw', 'Split', 'epoch_order', 'load', 'prepare_tfds']

DATASETS = {
    'mnist': mnist.read,
    'fashion_mnist': mnist.read,
    'cifar10': cifar10.read,
    'cats_dogs': folders.read,
    'flowers17': folders.read,
    'hymenoptera': folders.read,
    'folder': folders.read_folder,
    'horse2zebra': horse2zebra.read,
    'bccd': detection.read,
    'penn_fudan': detection.read,
    'voc2007': detection.read,
    'boxes': detection.read_folder,
    'penn_fudan_masks': segmentation.read,
    'water_bodies': segmentation.read,
    'masks': segmentation.read_folder,
    'horse_or_zebra': horse2zebra.read_classes,
    'california_housing': tables.read_california,
    'titanic': tables.read_titanic,
    'credit_card': tables.read_credit_card,
    'table': tables.read_table,
    'imdb': texts.read_imdb,
    'text': texts.read_text,
    'tatoeba': sentence_pairs.read_tatoeba,
    'multi30k': sentence_pairs.read_multi30k,
    'phrases': sentence_pairs.read_phrases,
    'pairs': sentence_pairs.read_own,
    'melbourne': series.read_melbourne,
    'delhi': series.read_air,
    'series': series.read_series,
    'ett': ett.read,
    'gates': gates.read,
    'worked': no_data.read,
}


def load(
    config: Mapping[str, Any],
    data_dir: str | os.PathLike | None = None,
    cache_dir: str | os.PathLike | None = None,
    fitted: Mapping[str, Any] | None = None,
) -> Dataset:
    """The data set of a `config.data` block; missing fields take `DEFAULTS`.

    data_dir: where prepared sets lie (default: environment variable JAXLAB_DATA_DIR); the set's own folder will do.
    cache_dir: where decoded arrays are kept (default: JAXLAB_CACHE_DIR, else nowhere).
    fitted: `Dataset.fitted` of a run's own data (None: everything is fitted on the training rows that are used).
    `limit` and `eval_limit` take examples drawn by `split_seed` (see `pipeline.limited`).
    """
    settings = checked(config)
    name = config.get('name', None)
    read = lookup(DATASETS, name, 'data.name')
    request = Request(
        name,
        settings['source'],
        named_dir(data_dir),
        cache_dir_or_none(cache_dir),
        settings['options'],
        settings['split_seed'],
    )
    raw, fitted = read(request), fitted or {}
    if settings['backbone']:
        raw = backbone.through(raw, request, settings)
    if raw.domains:
        made = {domain: _made(name, one, settings, of_domain(fitted, domain)) for domain, one in raw.domains.items()}
        return side_by_side(name, raw, made)
    return _made(name, raw, settings, fitted)


def _untrained(splits: Mapping[str, Split], names: Sequence[str]) -> list[str]:
    """Says which classes no training example has: they cannot be learned, and are tested all the same."""
    labels = {part: split.labels for part, split in splits.items()}
    counts = {
        part: np.bincount(one, minlength=len(names))
        for part, one in labels.items()
        if one is not None and one.ndim == 1
    }
    if not names or len(counts) < len(labels):
        return []
    lacking = [number for number in range(len(names)) if not counts['train'][number]]
    if not lacking:
        return []
    shown = ', '.join(repr(names[number]) for number in lacking[:5]) + (' ...' if len(lacking) > 5 else '')
    held = sum(int(each[lacking].sum()) for part, each in counts.items() if part != 'train')
    return [
        f'{len(lacking)} of {len(names)} classes have no training example ({shown}); {held} examples of them are tested.'
    ]


def _made(name: str, raw: Raw, settings: Mapping[str, Any], fitted: Mapping[str, Any]) -> Dataset:
    """A source's parts as splits, with what is fitted and computed."""
    if not raw.parts:
        return Dataset(name, raw.source, {}, raw.features, raw.description, raw.licence, raw.checksum)
    splits, features = pipeline.make_splits(raw, settings), dict[str, Any](raw.features)
    unseen: list[str] = []
    for field, feature in list(features.items()):
        if feature.answer and (not isinstance(feature, Value) or fitted and field not in fitted):
            continue  # a run that kept no scale of its answers learned them as they are
        splits, features[field], notes = feature.made(field, splits, fitted.get(field))
        unseen += notes
    functions, note = on_device(features, splits['train'].blank(1), settings), pipeline.disjointness_note(splits)
    names = next((one.names for one in features.values() if isinstance(one, ClassLabel)), ())
    unseen += _untrained(splits, names)
    codes = next((one.codes for one in features.values() if not one.answer), ())
    splits, sampling, said = resample.balanced(splits, names, settings, codes)
    return Dataset(
        name=name,
        source=raw.source,
        splits=splits,
        features=features,
        description=raw.description,
        licence=raw.licence,
        checksum=raw.checksum,
        notes=(*raw.notes, *unseen, *filter(None, (note, said))),
        stand_in=raw.stand_in,
        sampling=sampling,
        epoch_examples=settings['epoch_examples'],
        **functions,
    )
