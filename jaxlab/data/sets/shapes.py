"""Rendered shapes: a synthetic colour-image set whose truth is known, for when no real one is at hand.

Class k is shape k % 10, plain for k < 10 and striped from 10 on. Colours, place, size, turn, background and noise are
drawn at random, so that only the shape tells the class. Everything is a pure function of (seed, classes, size).
"""

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays
from jaxlab.data.sets import rendered
from jaxlab.data.sources import Request

SHAPES = ('circle', 'square', 'triangle', 'cross', 'ring', 'bar', 'diamond', 'star', 'crescent', 'frame')
SIZES = {'train': 2_000, 'test': 500}
SEED = 10
LARGEST_DRAWN = 48  # pixels; larger images are this one with each pixel repeated


def _names(classes: int) -> tuple[str, ...]:
    """The names of the first `classes` of the 20 classes."""
    return (SHAPES + tuple('striped ' + shape for shape in SHAPES))[:classes]


def read(request: Request, classes: int = 10, size: tuple[int, int] = (32, 32)) -> Raw:
    """Stands in for a set of colour photographs with as many classes and this image size (height, width)."""
    parts = {part: render(count, classes, size, SEED + at) for at, (part, count) in enumerate(SIZES.items())}
    what = f'rendered shapes ({classes} classes, {size[0]}x{size[1]} pixels)'
    description = f'rendered shapes on noisy backgrounds, {size[0]}x{size[1]} RGB, {classes} classes'
    return rendered.stand_in(request, parts, _names(classes), what, description)


def render(count: int, classes: int, size: tuple[int, int], seed: int) -> Arrays:
    """`count` images [count, H, W, 3] uint8 and labels [count] int32 (`rendered.images`)."""
    return rendered.images(_draw, count, classes, size, seed, LARGEST_DRAWN)


def _draw(labels: np.ndarray, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """[N, H, W, 3] uint8."""
    count = len(labels)

    def draw(low: float, high: float, *shape: int) -> np.ndarray:
        return generator.uniform(low, high, (count, *shape)).astype(np.float32)

    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in size), indexing='ij')
    angle, radius = draw(-0.4, 0.4, 1, 1), draw(0.4, 0.7, 1, 1)
    u, v = x - draw(-0.25, 0.25, 1, 1), y - draw(-0.25, 0.25, 1, 1)
    u, v = (u * np.cos(angle) + v * np.sin(angle)) / radius, (v * np.cos(angle) - u * np.sin(angle)) / radius
    found = np.zeros((count, *size), bool)
    for shape in range(len(SHAPES)):
        chosen = labels % len(SHAPES) == shape
        found[chosen] = inside(SHAPES[shape], u[chosen], v[chosen])
    striped = (labels >= len(SHAPES))[:, None, None] & (np.floor(4 * u) % 2 == 0)
    paint, ground, slope = draw(0, 1, 1, 1, 3), draw(0, 1, 1, 1, 3), draw(-0.2, 0.2, 1, 1, 3)
    # A shape must differ from its ground: where the colours are near, the paint takes the opposite brightness.
    near = np.abs(paint - ground).mean(-1, keepdims=True) < 0.3
    paint = np.where(near, (ground + 0.5) % 1.0, paint)
    ground = ground + slope * x[None, :, :, None]
    image = np.where(found[..., None], np.where(striped[..., None], 1 - paint, paint), ground)
    image += np.float32(0.06) * generator.standard_normal(image.shape, np.float32)
    return (image.clip(0, 1) * 255 + np.float32(0.5)).astype(np.uint8)


def inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Which points of the plane lie in the shape (one of SHAPES) of about unit radius; u to the right, v downwards."""
    if shape in ('circle', 'ring', 'star', 'crescent'):  # roots are the slow part
        r = np.hypot(u, v)
    else:
        box = np.maximum(np.abs(u), np.abs(v))
    match shape:
        case 'circle':
            return r < 0.9
        case 'square':
            return box < 0.8
        case 'triangle':
            return (v < 0.7) & (v > 1.8 * np.abs(u) - 0.9)
        case 'cross':
            return (box < 0.95) & (np.minimum(np.abs(u), np.abs(v)) < 0.28)
        case 'ring':
            return (r < 0.95) & (r > 0.55)
        case 'bar':
            return (np.abs(u) < 1.0) & (np.abs(v) < 0.3)
        case 'diamond':
            return np.abs(u) + np.abs(v) < 1.0
        case 'star':
            return r < 0.65 + 0.35 * np.cos(5 * np.arctan2(v, u))
        case 'crescent':
            return (r < 0.95) & (np.hypot(u - 0.45, v) > 0.75)
        case _:
            return (box < 0.9) & (box > 0.5)
