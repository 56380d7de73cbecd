"""A user's own images in their own size, through networks that are nothing but convolutions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.images import Decoding, decode_whole, user_files
from jaxlab.errors import UserError


def whole_images(source: Path, how: Decoding) -> tuple[list[tuple[Path, np.ndarray]], list[dict[str, Any]]]:
    """(each file of `--input` and its image [H, W, C] float32 in [0, 1]; 'file' and 'error' of those that cannot be read).

    how: what became of the training images, their size apart. UserError where no file can be read.
    """
    found, broken = [], []
    for file in user_files(source):
        try:
            found.append((file, decode_whole(file, how).astype(np.float32) / 255))
        except ValueError as error:
            broken.append({'file': str(file), 'error': f'not an image that can be read ({error})'})
    if not found:
        raise UserError(f'--input={broken[0]["file"]}: {broken[0]["error"]}')
    return found, broken


def check_same_size(block: Any, made: tuple[int, ...], shape: tuple[int, ...], multiple: int) -> None:
    """Refuses a network that makes images [H, W, C] of another shape than the data's. multiple: of which sides would do."""
    if made != shape:
        side = max(round(max(shape[:2]) / multiple), 1) * multiple
        mine, theirs = ('x'.join(map(str, one)) for one in (made, shape))
        raise UserError(
            f'config.model.name = {block.name!r} makes images of {mine} of those of {theirs}; valid: '
            f'data.options.image_size={side}, or another multiple of {multiple}'
        )


def through(network: Callable[[Any], Any], model: Any, image: np.ndarray) -> np.ndarray:
    """The network's answer [H, W, C] to one image of any size: mirrored to the next size that it takes, cropped back.

    The whole image at once: instance norm sees each tile of a tiling alone, and they would not fit together.
    """
    import jax.numpy as jnp

    from jaxlab.layers import reflect_to_multiple

    if not hasattr(model, 'multiple'):
        raise UserError(f'{type(model).__name__} takes images of one size; valid: a network of convolutions alone')
    height, width = image.shape[:2]
    made = network(reflect_to_multiple(jnp.asarray(image)[None], model.multiple))
    return np.asarray(made)[0, :height, :width]
