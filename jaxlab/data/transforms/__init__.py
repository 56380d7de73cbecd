"""Random transforms of training batches: pure JAX functions `(batch, key, context, **arguments) -> batch`.

Every example draws from its own key (the transform's key with the example's global place in the batch folded in).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxlab.data.dataset import Batch
from jaxlab.data.transforms import geometry, pixels
from jaxlab.data.transforms.common import Context
from jaxlab.errors import UserError, closest, lookup

__all__ = ['TRANSFORMS', 'Context', 'alone', 'compose']

TRANSFORMS = {
    'flip': geometry.flip,
    'shift': geometry.shift,
    'crop': geometry.crop,
    'rotation': geometry.rotation,
    'zoom': geometry.zoom,
    'affine': geometry.affine,
    'resized_crop': geometry.resized_crop,
    'brightness': pixels.brightness,
    'contrast': pixels.contrast,
    'cutout': pixels.cutout,
    'mixup': pixels.mixup,
}


def compose(
    transforms: Sequence[Any], context: Context, example: Mapping[str, Any]
) -> Callable[[Batch, jax.Array], Batch]:
    """`augment(batch, key)`: the transforms in order, the i-th with fold_in(key, i); the identity where there are none.

    transforms: (name, {arguments}) or just a name each. example: one prepared batch (shapes and dtypes) with which all
    arguments are checked now rather than in the first training step.
    """
    steps = [_checked(entry) for entry in transforms]

    def augment(batch: Batch, key: jax.Array) -> Batch:
        for place, (function, arguments) in enumerate(steps):
            batch = function(batch, jax.random.fold_in(key, place), context, **arguments)
        return batch

    if steps:
        jax.eval_shape(augment, dict(example), jax.eval_shape(lambda: jax.random.key(0)))
    return augment


def alone(
    transforms: Sequence[Any], context: Context, example: Mapping[str, Any]
) -> dict[str, Callable[[Batch, jax.Array], Batch]]:
    """Each of the transforms by itself, under its name and arguments: 'crop (padding 4)'."""
    found = {}
    for entry in transforms:
        name, arguments = (entry, {}) if isinstance(entry, str) else _pair(entry)
        words = ', '.join(f'{field} {value}' for field, value in arguments.items())
        found[f'{name} ({words})' if words else name] = compose([entry], context, example)
    return found


def _checked(entry: Any) -> tuple[Callable, dict[str, Any]]:
    name, arguments = (entry, {}) if isinstance(entry, str) else _pair(entry)
    function = lookup(TRANSFORMS, name, 'transform')
    valid = [
        field
        for field, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for field in arguments:
        if field not in valid:
            raise UserError(f'transform {name!r} has no argument {field!r}; {closest(field, valid)}')
    return function, {field: tuple(value) if isinstance(value, list) else value for field, value in arguments.items()}


def _pair(entry: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, (tuple, list)) and len(entry) == 1:
        entry = (entry[0], {})
    right = isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], str)
    if not right or not hasattr(entry[1], 'items'):
        raise UserError(f"data.transforms: {entry!r} is no transform; valid: ('name', {{'argument': value}})")
    return entry[0], dict(entry[1].items())
