"""The fields of `config.data` that this package reads: defaults and checks."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.data.resample import STRATEGIES
from jaxlab.errors import UserError, closest

DEFAULTS = {
    'source': 'auto',
    'split': 'official',
    'test_fraction': 0.2,
    'validation_fraction': 0.0,
    'validation_from': 'train',
    'split_seed': 42,
    'stratify': False,
    'scale': (0.0, 1.0),
    'transforms': (),
    'limit': 0,
    'eval_limit': 0,
    'epoch_examples': 0,
    'sampling': '',
    'sampling_ratio': 1.0,
    'sampling_neighbours': 5,
    'backbone': {},
    'options': {},
}


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings over their defaults, checked; the options `mean` and `std` (one number a channel) stand beside them.

    They are options of every image set: they belong to `prepare`, not to the family that reads the files.
    """
    settings = {field: config.get(field, default) for field, default in DEFAULTS.items()}
    settings = {field: DEFAULTS[field] if value is None else value for field, value in settings.items()}
    settings['backbone'] = plain_block(settings['backbone'])
    if settings['backbone'] and settings['transforms']:
        raise UserError(
            'data.transforms with data.backbone: its features are computed once, of the images as they are; valid: ()'
        )
    for field in ('test_fraction', 'validation_fraction'):
        number(field, settings[field], 0, 1, open_end=True)
    for field in ('limit', 'eval_limit', 'epoch_examples'):
        number(field, settings[field], 0, whole=True)
    number('split_seed', settings['split_seed'], 0, 2**32 - 1, whole=True)
    number('sampling_neighbours', settings['sampling_neighbours'], 1, whole=True)
    if not number('sampling_ratio', settings['sampling_ratio'], 0, 1):
        raise UserError('data.sampling_ratio=0; valid: a number above 0, at most 1')
    if settings['sampling'] not in STRATEGIES:
        raise UserError(f'unknown data.sampling {settings["sampling"]!r}; {closest(settings["sampling"], STRATEGIES)}')
    if settings['validation_from'] not in ('train', 'test'):
        raise UserError(f"data.validation_from={settings['validation_from']!r}; valid: 'train' or 'test'")
    if not isinstance(settings['stratify'], bool):
        raise UserError(f'data.stratify={settings["stratify"]!r}; valid: True or False')
    if not isinstance(settings['transforms'], (tuple, list)):
        raise UserError(f"data.transforms={settings['transforms']!r}; valid: (('name', {{'argument': value}}), ...)")
    scale = numbers('scale', settings['scale'])
    if len(scale) != 2 or not scale[0] < scale[1]:
        raise UserError(f'data.scale={scale}; valid: (low, high) with low < high, e.g. (0.0, 1.0)')
    options = settings['options']
    options = dict(options.items() if hasattr(options, 'items') else options)
    mean, std = (numbers(f'options.{field}', options.pop(field, ())) for field in ('mean', 'std'))
    if any(value <= 0 for value in std):
        raise UserError(f'data.options.std={std}; valid: one positive number a channel')
    return settings | {'scale': scale, 'mean': mean, 'std': std, 'options': options}


def plain_block(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block of a config as plain mappings."""
    return {name: plain_block(value) if hasattr(value, 'items') else value for name, value in block.items()}


def number(
    field: str, value: Any, low: float, high: float = math.inf, whole: bool = False, open_end: bool = False
) -> Any:
    """A number within [low, high] (or [low, high) with `open_end`), or a `UserError` that names the field."""
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    right = isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
    if not right or (open_end and value == high):
        kind = 'whole number' if whole else 'number'
        above = '' if math.isinf(high) else f' and {"below" if open_end else "at most"} {high:g}'
        raise UserError(f'data.{field}={value!r}; valid: a {kind} of at least {low:g}{above}')
    return value


def numbers(field: str, values: Any) -> tuple[float, ...]:
    """A tuple of finite numbers, or a `UserError` that names the field."""
    kinds = (int, float, np.integer, np.floating)
    listed = isinstance(values, (tuple, list))
    if not listed or not all(isinstance(value, kinds) and math.isfinite(value) for value in values):
        raise UserError(f'data.{field}={values!r}; valid: a tuple of numbers, e.g. (0.0, 1.0)')
    return tuple(float(value) for value in values)
