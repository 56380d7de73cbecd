"""What rendered sets of classes have in common: pure functions of (seed, classes, size) that stand in for photographs."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays, in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.data.sources import Request, checksum

BLOCK = 250  # images drawn at a time
Draw = Callable[
    [np.ndarray, tuple[int, int], np.random.Generator], np.ndarray
]  # labels [N], size -> [N, H, W, 3] uint8


def images(draw: Draw, count: int, classes: int, size: tuple[int, int], seed: int, largest: int) -> Arrays:
    """`count` images [count, H, W, 3] uint8 and labels [count] int32; classes as even as possible, in random order.

    largest: pixels a side that are drawn; larger images are this one with each pixel repeated.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    labels = generator.permutation(np.arange(count) % classes).astype(np.int32)
    drawn = (min(size[0], largest), min(size[1], largest))
    found = np.concatenate([draw(labels[at : at + BLOCK], drawn, generator) for at in range(0, count, BLOCK)])
    return {'image': enlarged(found, size), 'label': labels}


def enlarged(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images [N, h, w, ...] with each pixel repeated: [N, H, W, ...]."""
    if images.shape[1:3] == tuple(size):
        return images
    rows, columns = (np.arange(side) * small // side for side, small in zip(size, images.shape[1:3], strict=True))
    return np.take(np.take(images, rows, 1), columns, 2)


def stand_in(request: Request, parts: dict[str, Arrays], names: Sequence[str], what: str, description: str) -> Raw:
    """A set of images [N, H, W, 3] in the place of the one that was asked for. what: 'rendered shapes (10 classes, ...)'."""
    train, test = parts['train'], parts['test']
    first = len(train['image'])
    count = first + len(test['image'])
    note = (
        f'synthetic data: {count:,} {what} stand in for {request.name}; results are not comparable with published ones.'
    )
    return Raw(
        source='embedded',
        parts={'train': in_memory(train), 'test': in_memory(test, first_row=first)},
        features={'image': Image.of(train['image'].shape[1:]), 'label': ClassLabel(tuple(names))},
        description=f'Synthetic: {description}',
        licence='none needed (generated)',
        checksum=checksum(*parts.values()),
        notes=(note,),
        stand_in=True,
    )
