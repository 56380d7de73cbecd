"""Data sets by name: `load(config.data)` gives splits with their provenance.

`DATASETS` is the table of names; a family is one module with a function `Request -> Raw`.
"""

import os
from collections.abc import Mapping
from typing import Any

import jax

from jaxlab.data import cifar10, folders, gates, mnist, pipeline, transforms
from jaxlab.data.dataset import Dataset, Raw, Split, identity
from jaxlab.data.sources import Request, cache_dir_or_none, named_dir
from jaxlab.data.prepare import prepare_tfds
from jaxlab.data.splits import epoch_order
from jaxlab.errors import UserError, lookup

__all__ = ['DATASETS', 'DEFAULTS', 'Dataset', 'Raw', 'Split', 'epoch_order', 'load', 'prepare_tfds']

DATASETS = {
    'mnist': mnist.read,
    'fashion_mnist': mnist.read,
    'cifar10': cifar10.read,
    'cats_dogs': folders.read,
    'flowers17': folders.read,
    'hymenoptera': folders.read,
    'folder': folders.read_folder,
    'gates': gates.read,
}
DEFAULTS = {
    'source': 'auto',
    'split': 'official',
    'test_fraction': 0.2,
    'validation_fraction': 0.0,
    'split_seed': 42,
    'stratify': False,
    'scale': (0.0, 1.0),
    'transforms': (),
    'limit': 0,
    'eval_limit': 0,
    'options': {},
}


def load(config: Mapping[str, Any], data_dir: str | os.PathLike | None = None,
         cache_dir: str | os.PathLike | None = None) -> Dataset:
    """The data set of a `config.data` block; missing fields take `DEFAULTS`.

    data_dir: where prepared sets lie (default: environment variable JAXLAB_DATA_DIR); the set's own folder will do.
    cache_dir: where decoded arrays are kept (default: JAXLAB_CACHE_DIR, else nowhere).
    `limit` and `eval_limit` take examples drawn by `split_seed` (see `pipeline.limited`).
    """
    settings = check_settings(config)
    name = config.get('name', None)
    read = lookup(DATASETS, name, 'data.name')
    request = Request(name, settings['source'], named_dir(data_dir), cache_dir_or_none(cache_dir),
                      settings['options'], settings['split_seed'])
    raw = read(request)
    splits = pipeline.make_splits(raw, settings)
    example = splits['train'].read([0, 0])
    scale, mean, std = settings['scale'], settings['mean'], settings['std']
    if 'image' not in example and (mean or std):
        raise UserError(f'data.options mean and std scale images; {name} has none')
    prepare = pipeline.scaler(scale, mean, std) if 'image' in example else identity
    low, high = pipeline.value_range(scale, mean, std)
    augment = transforms.compose(settings['transforms'], transforms.Context(low, high, len(raw.class_names)),
                                 jax.eval_shape(prepare, example))
    note = pipeline.disjointness_note(splits)
    return Dataset(
        name=name,
        source=raw.source,
        splits=splits,
        class_names=raw.class_names,
        description=raw.description,
        licence=raw.licence,
        checksum=raw.checksum,
        prepare=prepare,
        augment=augment,
        notes=(*raw.notes, note) if note else raw.notes,
        stand_in=raw.stand_in,
    )


def check_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `config.data` that this package reads, defaults filled in, values checked."""
    settings = {field: config.get(field, default) for field, default in DEFAULTS.items()}
    settings = {field: DEFAULTS[field] if value is None else value for field, value in settings.items()}
    for field in ('test_fraction', 'validation_fraction'):
        pipeline.check_number(field, settings[field], 0, 1, open_end=True)
    for field in ('limit', 'eval_limit', 'split_seed'):
        pipeline.check_number(field, settings[field], 0, whole=True)
    pipeline.check_number('split_seed', settings['split_seed'], 0, 2**32 - 1, whole=True)
    scale = tuple(settings['scale'])
    if len(scale) != 2 or not scale[0] < scale[1]:
        raise UserError(f'data.scale={scale}; valid: (low, high) with low < high, e.g. (0.0, 1.0)')
    options = settings['options']
    options = dict(options.items() if hasattr(options, 'items') else options)
    # mean and std are options of every image set: they belong to `prepare`, not to the family that reads the files.
    mean, std = (tuple(options.pop(field, ())) for field in ('mean', 'std'))
    if any(value <= 0 for value in std):
        raise UserError(f'data.options.std={std}; valid: one positive number a channel')
    return settings | {'scale': scale, 'mean': mean, 'std': std, 'options': options}
