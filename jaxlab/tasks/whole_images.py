"""A user's own images in their own size, through networks that are nothing but convolutions."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.images import decode_whole, user_files
from jaxlab.errors import UserError


def whole_images(source: Path, grey: bool) -> Iterator[tuple[Path, np.ndarray]]:
    """Each file of `--input` and its image [H, W, C] float32 in [0, 1]; UserError where one cannot be read."""
    for file in user_files(source):
        try:
            yield file, decode_whole(file, grey).astype(np.float32) / 255
        except ValueError as error:
            raise UserError(f'--input={file}: not an image that can be read ({error})') from error


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
