"""A network's first variables; images that it is too deep for are refused with the smallest that it takes."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.errors import FlaxError

from jaxlab.errors import UserError

SMALL = 64  # pixels a side below which some networks have nothing left after their strides
UNFIT = (ArithmeticError, ValueError, TypeError, FlaxError)  # what a network raises where nothing is left


def first_variables(module: nn.Module, keys: Mapping[str, jax.Array], *inputs: Any) -> Any:
    """What `module.init` gives in inference mode."""
    try:
        variables = module.init(dict(keys), *inputs, train=False)
    except UNFIT:
        _refuse_small(module, inputs[0])
        raise
    if not _whole(variables):
        _refuse_small(module, inputs[0])
    return variables


def _refuse_small(module: nn.Module, images: Any) -> None:
    """Says of images [1, H, W, C] how large they must be, where that is what is wrong. It tries one size after the other."""
    if len(images.shape) != 4 or min(images.shape[1:3]) >= SMALL:
        return
    height, width, channels = images.shape[1:]
    sides = (side for side in range(min(height, width) + 1, 4 * SMALL) if _takes(module, (1, side, side, channels)))
    side = next(sides, None)
    if side is not None:
        raise UserError(
            f'config.model: {type(module).__name__} takes no images of {height}x{width} pixels; valid: '
            f'data.options.image_size from {side} up'
        )


def _takes(module: nn.Module, shape: tuple[int, ...]) -> bool:
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    try:
        return _whole(jax.eval_shape(lambda x: module.init(jax.random.key(0), x, train=False), images))
    except UNFIT:
        return False


def _whole(variables: Any) -> bool:
    """Whether every array has elements: a dense layer over nothing has none, and does not complain."""
    return all(leaf.size for leaf in jax.tree.leaves(variables))
