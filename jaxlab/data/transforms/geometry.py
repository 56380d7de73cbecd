"""Geometry: flips, shifts, crops, rotations, zooms; the same one for the image, its mask and its boxes.

A geometric transform is a matrix [N, 2, 3] that maps output to input coordinates (row, column) in pixels:
input = A @ output + b. Pixel centres lie at whole numbers, so the centre of the image is (H - 1) / 2, (W - 1) / 2.
Boxes [N, M, 4] are (x0, y0, x1, y1) in fractions of width and height (`jaxlab/data/boxes.py`); zeros stay zero: padding.
Masks [N, H, W] or [N, H, W, 1] are moved without interpolation.
"""

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp

from jaxlab.data.dataset import Batch
from jaxlab.data.transforms.common import Context, Pair, image_of, like, number, pair, uniform
from jaxlab.errors import lookup

FILLS = ('nearest', 'constant', 'reflect')  # outside the image: the edge pixel, black, the mirror image


def flip(
    batch: Batch, key: jax.Array, context: Context, *, horizontal: bool = True, vertical: bool = False, p: float = 0.5
) -> Batch:
    """Mirrors left and right (`horizontal`) and top and bottom (`vertical`), each with probability p."""
    image = image_of(batch)
    count, height, width = image.shape[:3]
    p = number('flip', 'p', p, 0, 1)
    mirrored = (uniform(key, count, 0, 1, draws=2) < p) & jnp.array([bool(vertical), bool(horizontal)])

    def move(values: jax.Array, is_mask: bool) -> jax.Array:
        for axis, chosen in ((1, mirrored[:, 0]), (2, mirrored[:, 1])):
            chosen = chosen.reshape(-1, *(1,) * (values.ndim - 1))
            values = jnp.where(chosen, jnp.flip(values, axis), values)
        return values

    sign = jnp.where(mirrored, -1.0, 1.0)
    offset = jnp.where(mirrored, jnp.array([height - 1.0, width - 1.0]), 0.0)
    matrix = jnp.concatenate([sign[:, :, None] * jnp.eye(2), offset[:, :, None]], axis=2)
    return moved(batch, matrix, move)


def shift(
    batch: Batch, key: jax.Array, context: Context, *, pixels: Pair = 0, fraction: Pair = 0.0, fill: str = 'nearest'
) -> Batch:
    """Shifts by whole pixels from -pixels to pixels, or by up to a fraction of the size with interpolation.

    Both take one number or (rows, columns). `fraction` is the width and height shift of Keras's image generator.
    """
    if fraction:
        return affine(batch, key, context, shift=fraction, fill=fill)
    image = image_of(batch)
    reach = jnp.array(pair('shift', 'pixels', pixels, 0, min(image.shape[1:3]) - 1))
    offset = jnp.floor(uniform(key, image.shape[0], -reach, reach + 1, draws=2)).clip(-reach, reach)
    return translated(batch, offset, fill, context)


def crop(batch: Batch, key: jax.Array, context: Context, *, padding: Pair = 4, fill: str = 'constant') -> Batch:
    """Pads every side by `padding` pixels (black unless `fill` says otherwise) and cuts the old size out at random."""
    pair('crop', 'padding', padding, 0, min(image_of(batch).shape[1:3]) - 1)
    return shift(batch, key, context, pixels=padding, fill=fill)


def rotation(batch: Batch, key: jax.Array, context: Context, *, degrees: float = 20.0, fill: str = 'nearest') -> Batch:
    """Turns about the centre by an angle from -degrees to degrees."""
    return affine(batch, key, context, rotation=degrees, fill=fill)


def zoom(
    batch: Batch,
    key: jax.Array,
    context: Context,
    *,
    amount: float = 0.2,
    fill: str = 'nearest',
    keep_aspect: bool = True,
) -> Batch:
    """Scales about the centre: a factor from 1 - amount (larger) to 1 + amount (smaller) on the sampled distance."""
    return affine(batch, key, context, zoom=amount, fill=fill, keep_aspect=keep_aspect)


def affine(
    batch: Batch,
    key: jax.Array,
    context: Context,
    *,
    rotation: float = 0.0,
    shift: Pair = 0.0,
    shear: float = 0.0,
    zoom: float = 0.0,
    horizontal_flip: bool = False,
    fill: str = 'nearest',
    keep_aspect: bool = False,
) -> Batch:
    """Rotation, shift, shear, zoom (and flip) in one interpolation, as Keras's ImageDataGenerator composes them.

    rotation, shear: degrees, from -value to value; shift: fraction of (height, width); zoom: 1 - zoom to 1 + zoom.
    Matrix (output to input): C R(theta) T S Z C^-1 about the centre C.
    """
    image = image_of(batch)
    count, height, width = image.shape[:3]
    turn = number('affine', 'rotation', rotation, 0, 180)
    slant = number('affine', 'shear', shear, 0, 80)
    factor = number('affine', 'zoom', zoom, 0, 0.95)
    reach = pair('affine', 'shift', shift, 0, 1)
    high = jnp.array([turn, reach[0] * height, reach[1] * width, slant, factor, factor, 1])
    draw = uniform(key, count, -high, high, draws=7)
    scale = 1 + jnp.stack([draw[:, 4], draw[:, 4 if keep_aspect else 5]], axis=1)
    matrix = affine_matrix((height, width), jnp.deg2rad(draw[:, 0]), draw[:, 1:3], jnp.deg2rad(draw[:, 3]), scale)
    if horizontal_flip:
        mirrored = draw[:, 6] < 0
        # Output column c reads where column (width - 1 - c) read: folded into the matrix, so that it costs nothing.
        matrix = jnp.where(mirrored[:, None, None], _mirrored(matrix, width), matrix)
    return warped(batch, matrix, fill, context)


def resized_crop(
    batch: Batch,
    key: jax.Array,
    context: Context,
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Batch:
    """Cuts out a part of the area (`scale`) with a random ratio of width to height and enlarges it to the old size.

    Source: C. Szegedy et al., "Going deeper with convolutions", arXiv 1409.4842. Sides longer than the image are cut
    to it, where torchvision draws again.
    """
    image = image_of(batch)
    count, height, width = image.shape[:3]
    area = pair('resized_crop', 'scale', scale, 0.001, 1)
    aspect = pair('resized_crop', 'ratio', ratio, 0.05, 20)
    draw = uniform(
        key,
        count,
        (area[0], *jnp.log(jnp.array(aspect))[:1], 0, 0),
        (area[1], *jnp.log(jnp.array(aspect))[1:], 1, 1),
        draws=4,
    )
    pixels, root = draw[:, 0] * height * width, jnp.exp(draw[:, 1] / 2)
    sides = jnp.stack([jnp.sqrt(pixels) / root, jnp.sqrt(pixels) * root], axis=1)
    full = jnp.array([height, width], jnp.float32)
    sides = jnp.minimum(sides, full)
    corner = draw[:, 2:4] * (full - sides)
    step = sides / full
    offset = corner + 0.5 * step - 0.5
    matrix = jnp.concatenate([step[:, :, None] * jnp.eye(2), offset[:, :, None]], axis=2)
    return warped(batch, matrix, 'nearest', context)


def affine_matrix(
    size: tuple[int, int], theta: jax.Array, shift: jax.Array, shear: jax.Array, scale: jax.Array
) -> jax.Array:
    """[N, 2, 3] from theta [N] and shear [N] (radians), shift [N, 2] (pixels: rows, columns), scale [N, 2]."""
    cos, sin = jnp.cos(theta), jnp.sin(theta)
    turn = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)
    zero, one = jnp.zeros_like(shear), jnp.ones_like(shear)
    slant = jnp.stack([jnp.stack([one, -jnp.sin(shear)], -1), jnp.stack([zero, jnp.cos(shear)], -1)], -2)
    linear = _product(turn, slant) * scale[:, None, :]
    centre = (jnp.array(size, jnp.float32) - 1) / 2
    offset = centre + _product(turn, shift[:, :, None])[..., 0] - (linear * centre).sum(-1)
    return jnp.concatenate([linear, offset[..., None]], -1)


def _mirrored(matrix: jax.Array, width: int) -> jax.Array:
    """The matrix after a mirroring of the output's columns."""
    column = matrix[:, :, 1]
    return jnp.stack([matrix[:, :, 0], -column, matrix[:, :, 2] + (width - 1) * column], axis=-1)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Matrix products [N, 2, 2] @ [N, 2, K] written out: a matrix unit would round coordinates to bfloat16 on a TPU."""
    return (a[:, :, :, None] * b[:, None, :, :]).sum(2)


def translated(batch: Batch, offset: jax.Array, fill: str, context: Context) -> Batch:
    """Moves by whole pixels, without interpolation: output (r, c) is input (r, c) + offset; offset: [N, 2]."""

    def move(values: jax.Array, is_mask: bool) -> jax.Array:
        for axis in (1, 2):
            size = values.shape[axis]
            position = jnp.arange(size) + offset[:, axis - 1, None].astype(jnp.int32)
            inside = (position >= 0) & (position < size)
            shape = [values.shape[0]] + [1] * (values.ndim - 1)
            shape[axis] = size
            position = _inside(position, size, fill).reshape(shape)
            values = jnp.take_along_axis(values, position, axis)
            if fill == 'constant':
                black = jnp.zeros((), values.dtype) if is_mask else context.black(values).astype(values.dtype)
                values = jnp.where(inside.reshape(shape), values, black)
        return values

    lookup(dict.fromkeys(FILLS), fill, 'fill')
    matrix = jnp.concatenate([jnp.broadcast_to(jnp.eye(2), (offset.shape[0], 2, 2)), offset[:, :, None]], axis=2)
    return moved(batch, matrix, move)


def _inside(position: jax.Array, size: int, fill: str) -> jax.Array:
    """Positions (whole or not) brought into 0 .. size - 1: mirrored about the edge pixels, or held at them."""
    if fill == 'reflect' and size > 1:
        period = 2 * (size - 1)
        position = jnp.mod(position, period)
        position = jnp.minimum(position, period - position)
    return jnp.clip(position, 0, size - 1)


def warped(batch: Batch, matrix: jax.Array, fill: str, context: Context) -> Batch:
    """Moves by any matrix: images with bilinear interpolation, masks to the nearest pixel."""

    def move(values: jax.Array, is_mask: bool) -> jax.Array:
        black = jnp.float32(0) if is_mask else context.black(values)
        # Without the barrier XLA merges the gathers into the next step and computes them several times over.
        return jax.lax.optimization_barrier(warp(values, matrix, fill, black, nearest=is_mask))

    return moved(batch, matrix, move)


def moved(batch: Batch, matrix: jax.Array, move: Callable[[jax.Array, bool], jax.Array]) -> Batch:
    """The batch with image, mask and boxes moved alike."""
    height, width = batch['image'].shape[1:3]
    batch = {**batch, 'image': move(batch['image'], False)}
    if 'mask' in batch:
        batch['mask'] = move(batch['mask'], True)
    if 'boxes' in batch:
        batch['boxes'] = moved_boxes(batch['boxes'], matrix, (height, width))
    return batch


def warp(values: jax.Array, matrix: jax.Array, fill: str, black: jax.Array, nearest: bool = False) -> jax.Array:
    """[N, H, W(, C)] sampled at matrix @ (row, column, 1), bilinear or `nearest`."""
    lookup(dict.fromkeys(FILLS), fill, 'fill')
    count, height, width = values.shape[:3]
    flat = values.reshape(count, height * width, -1)
    axes = (jnp.arange(size, dtype=jnp.float32) for size in (height, width))
    row, column = jnp.meshgrid(*axes, indexing='ij')
    place = matrix[:, :, 0, None, None] * row + matrix[:, :, 1, None, None] * column + matrix[:, :, 2, None, None]
    place = place.reshape(count, 2, -1)
    if fill != 'constant':
        place = jnp.stack([_inside(place[:, axis], size, fill) for axis, size in ((0, height), (1, width))], axis=1)

    def tap(rows: jax.Array, columns: jax.Array) -> jax.Array:
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        at = (rows.clip(0, height - 1) * width + columns.clip(0, width - 1)).astype(jnp.int32)
        found = jnp.take_along_axis(flat, at[:, :, None], axis=1)
        return jnp.where(inside[:, :, None], found, black.astype(found.dtype)) if fill == 'constant' else found

    if nearest:
        sampled = tap(*jnp.moveaxis(jnp.floor(place + 0.5), 1, 0))
        return sampled.reshape(values.shape)
    low = jnp.floor(place)
    (row_part, column_part), (top, left) = (jnp.moveaxis(part, 1, 0) for part in (place - low, low))
    parts = [
        weight[:, :, None] * tap(rows, columns).astype(jnp.float32)
        for rows, columns, weight in (
            (top, left, (1 - row_part) * (1 - column_part)),
            (top, left + 1, (1 - row_part) * column_part),
            (top + 1, left, row_part * (1 - column_part)),
            (top + 1, left + 1, row_part * column_part),
        )
    ]
    total = reduce(jnp.add, parts)
    return like(values, total.reshape(values.shape))


def moved_boxes(boxes: jax.Array, matrix: jax.Array, size: tuple[int, int]) -> jax.Array:
    """[N, M, 4] fractions: the box around the moved corners, cut to the image; zeros where nothing of it is left."""
    extent = jnp.array(size, jnp.float32)
    left, top, right, bottom = jnp.moveaxis(boxes, -1, 0)
    corners = [jnp.stack(corner, -1) for corner in ((top, left), (top, right), (bottom, left), (bottom, right))]
    relative = jnp.stack(corners, 2) * extent - 0.5 - matrix[:, None, None, :, 2]
    a, b, c, d = (matrix[:, i, j, None, None] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    y, x = relative[..., 0], relative[..., 1]
    out = jnp.stack([d * y - b * x, a * x - c * y], -1) / (a * d - b * c)[..., None]
    out = ((out + 0.5) / extent).clip(0, 1)
    box = jnp.concatenate([out.min(2)[..., ::-1], out.max(2)[..., ::-1]], -1)
    kept = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
    kept &= (box[..., 2] > box[..., 0]) & (box[..., 3] > box[..., 1])
    return jnp.where(kept[..., None], box, 0.0)
