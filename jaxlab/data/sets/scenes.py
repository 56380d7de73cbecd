"""Rendered scenes with exact truth: shapes with their boxes (some small, some half covered), and lakes with their masks.

Everything is a pure function of (seed, size). A box is that of the whole shape, cut to the image, also where another
covers part of it; one that is covered by more than COVERED does not count ("difficult").
"""

from typing import Any

import numpy as np

from jaxlab.data.boxes import Annotation, Boxes, in_fractions
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays, in_memory
from jaxlab.data.features import Feature, Image
from jaxlab.data.mask import Mask
from jaxlab.data.sets.rendered import enlarged
from jaxlab.data.sets.shapes import inside
from jaxlab.data.sources import Request, checksum

CLASSES = ('circle', 'square', 'triangle')
SIZES = {'train': 480, 'validation': 60, 'test': 60}
SEED = 90
MOST = 6  # shapes in an image
COVERED = 0.7
LARGEST_DRAWN = 128  # pixels; larger images are this one with each pixel repeated


def read(request: Request, size: int) -> Raw:
    """Stands in for photographs with boxes."""
    parts = {part: render(count, size, SEED + at) for at, (part, count) in enumerate(SIZES.items())}
    words = f'shapes with exact boxes ({", ".join(CLASSES)}; up to {MOST}, some small, some overlapping)'
    return _raw(request, parts, Boxes(CLASSES), 'boxes', words, size)


def read_masks(request: Request, size: int) -> Raw:
    """Stands in for photographs with masks of one thing."""
    parts = {part: lakes(count, size, SEED + 10 + at) for at, (part, count) in enumerate(SIZES.items())}
    return _raw(request, parts, Mask(('land', 'water')), 'mask', 'lakes with exact masks', size)


def _raw(request: Request, parts: dict[str, Arrays], feature: Boxes | Mask, field: str, words: str, size: int) -> Raw:
    splits, first = {}, 0
    for part, arrays in parts.items():
        splits[part], first = in_memory(arrays, first), first + len(arrays['image'])
    note = (
        f'synthetic data: {first:,} rendered images, {words}, {size}x{size} pixels, stand in for {request.name}; results '
        'are not comparable with published ones.'
    )
    features: dict[str, Feature] = {'image': Image.of((size, size, 3)), field: feature}
    description = f'Synthetic: {words}, {size}x{size} RGB'
    return Raw(
        'embedded', splits, features, description, 'none needed (generated)', checksum(*parts.values()), (note,), True
    )


def render(count: int, size: int, seed: int) -> Arrays:
    """`count` images [count, size, size, 3] uint8 with their boxes."""
    generator = np.random.Generator(np.random.Philox(seed))
    drawn = min(size, LARGEST_DRAWN)
    scenes = [_scene(drawn, generator) for _ in range(count)]
    images = np.stack([image for image, _ in scenes])
    return {'image': enlarged(images, (size, size)), **in_fractions([annotation for _, annotation in scenes])}


def _ground(size: int, generator: np.random.Generator) -> np.ndarray:
    """A waving colour [size, size, 3], not too bright."""
    y, x = np.meshgrid(*(np.linspace(0, 1, size, dtype=np.float32),) * 2, indexing='ij')
    waves: Any = sum(
        np.sin(generator.uniform(2, 14) * x + generator.uniform(2, 14) * y + generator.uniform(0, 6)) for _ in range(4)
    )
    return generator.uniform(0.2, 0.6, 3).astype(np.float32) * (1 + 0.12 * waves[..., None])


def _scene(size: int, generator: np.random.Generator) -> tuple[np.ndarray, Annotation]:
    image, count = _ground(size, generator), int(generator.integers(1, MOST + 1))
    y, x = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5, indexing='ij')
    labels, whole = generator.integers(0, len(CLASSES), count), []
    for label in labels:
        radius = size * generator.choice([generator.uniform(0.06, 0.12), generator.uniform(0.12, 0.26)])
        middle, angle = generator.uniform(0.08 * size, 0.92 * size, 2), generator.uniform(-0.4, 0.4)
        u, v = (x - middle[0]) / radius, (y - middle[1]) / radius
        shape = inside(CLASSES[label], u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle))
        if not shape.any():
            whole.append(shape)
            continue
        paint = generator.uniform(0, 1, 3)
        ground = image[shape].mean(0)
        paint = np.where(np.abs(paint - ground).mean() < 0.3, (ground + 0.5) % 1.0, paint)
        image[shape] = paint
        whole.append(shape)
    boxes, kept, hidden = [], [], []
    for place, shape in enumerate(whole):
        if not shape.any():
            continue
        rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
        over = np.any([np.zeros_like(shape), *whole[place + 1 :]], axis=0)
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        kept.append(labels[place])
        hidden.append((shape & over).sum() / shape.sum() > COVERED)
    image = image + 0.04 * generator.standard_normal(image.shape)
    pixels = (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    array = np.array(boxes, np.float64).reshape(-1, 4)
    return pixels, Annotation(array, np.array(kept, np.int32), np.array(hidden, bool), (size, size))


def lakes(count: int, size: int, seed: int) -> Arrays:
    """`count` images [count, size, size, 3] uint8 of land and water, and masks [count, size, size] uint8 in {0, 1}.

    Water is where a smooth random height is low; one image in twelve has none. Its colour and that of the land overlap.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    drawn = min(size, LARGEST_DRAWN)
    y, x = np.meshgrid(*(np.linspace(0, 1, drawn, dtype=np.float32),) * 2, indexing='ij')
    images, masks = [], []
    for number in range(count):
        height: Any = sum(
            np.sin(generator.uniform(-11, 11) * x + generator.uniform(-11, 11) * y + generator.uniform(0, 6.3))
            for _ in range(6)
        )
        level = -np.inf if number % 12 == 0 else np.quantile(height, generator.uniform(0.1, 0.6))
        water = height < level
        shade = 0.06 * generator.standard_normal((drawn, drawn, 1))
        land = generator.uniform((0.25, 0.3, 0.15), (0.55, 0.5, 0.35)) * (1 + 0.1 * height[..., None] / 3)
        wet = generator.uniform((0.1, 0.2, 0.25), (0.35, 0.45, 0.5)) * (1 + 0.05 * np.sin(20 * x + 9 * y)[..., None])
        images.append((np.where(water[..., None], wet, land) + shade).clip(0, 1))
        masks.append(water)
    pixels = (np.stack(images) * 255 + 0.5).astype(np.uint8)
    order = generator.permutation(count)
    whole = (size, size)
    mask = enlarged(np.stack(masks).astype(np.uint8), whole)
    return {'image': enlarged(pixels, whole)[order], 'mask': mask[order]}
