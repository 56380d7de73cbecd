"""Rendered flowers: a synthetic stand-in for photographs of flowers that can be judged by eye.

Each class is a kind of flower: how many petals, how slender, of which colour, round which middle. Place, size, turn, the
exact colours, the light and the ground behind are drawn at random. Everything is a pure function of (seed, classes, size).
"""

import colorsys
import dataclasses

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays
from jaxlab.data.sets import rendered
from jaxlab.data.sources import Request

SIZES = {'train': 1_360, 'test': 340}
SEED = 17
LARGEST_DRAWN = 64  # pixels; larger images are this one with each pixel repeated


@dataclasses.dataclass(frozen=True)
class Kind:
    """petals: how many; slender: 0.5 round to 4 thin; depth: of the gaps between them, a share of the radius.

    colour, middle: hue, saturation, value; core: radius of the middle, a share of the flower's.
    """

    name: str
    petals: int
    slender: float
    depth: float
    colour: tuple[float, float, float]
    middle: tuple[float, float, float]
    core: float


KINDS = (  # the classes of Flowers-17, as a child would draw them
    Kind('Daffodil', 6, 1.0, 0.55, (0.16, 0.75, 0.97), (0.09, 0.95, 0.95), 0.40),
    Kind('Snowdrop', 3, 1.2, 0.80, (0.25, 0.05, 0.97), (0.30, 0.60, 0.60), 0.15),
    Kind('LilyValley', 6, 0.5, 0.20, (0.17, 0.08, 0.95), (0.22, 0.30, 0.75), 0.30),
    Kind('Bluebell', 6, 1.4, 0.60, (0.68, 0.60, 0.75), (0.65, 0.30, 0.90), 0.20),
    Kind('Crocus', 6, 0.8, 0.35, (0.76, 0.55, 0.85), (0.10, 0.90, 0.95), 0.18),
    Kind('Iris', 3, 0.7, 0.65, (0.71, 0.70, 0.65), (0.15, 0.80, 0.95), 0.22),
    Kind('Tigerlily', 6, 1.8, 0.75, (0.05, 0.88, 0.95), (0.03, 0.90, 0.45), 0.16),
    Kind('Tulip', 6, 0.5, 0.15, (0.97, 0.80, 0.85), (0.14, 0.70, 0.90), 0.14),
    Kind('Fritillary', 4, 0.6, 0.25, (0.87, 0.55, 0.50), (0.85, 0.20, 0.80), 0.35),
    Kind('Sunflower', 21, 1.5, 0.40, (0.13, 0.90, 0.97), (0.07, 0.75, 0.30), 0.50),
    Kind('Daisy', 17, 1.6, 0.60, (0.10, 0.03, 0.98), (0.14, 0.90, 0.95), 0.28),
    Kind('ColtsFoot', 26, 3.0, 0.55, (0.15, 0.90, 0.95), (0.12, 0.95, 0.80), 0.30),
    Kind('Dandelion', 34, 3.0, 0.25, (0.14, 0.92, 0.97), (0.12, 0.95, 0.97), 0.25),
    Kind('Cowslip', 5, 0.8, 0.45, (0.17, 0.65, 0.95), (0.22, 0.60, 0.75), 0.22),
    Kind('Buttercup', 5, 0.5, 0.25, (0.15, 0.95, 0.95), (0.19, 0.80, 0.70), 0.24),
    Kind('Windflower', 7, 0.9, 0.50, (0.85, 0.06, 0.97), (0.17, 0.60, 0.80), 0.18),
    Kind('Pansy', 5, 0.5, 0.30, (0.78, 0.75, 0.55), (0.13, 0.90, 0.92), 0.45),
)


def read(request: Request, classes: int = len(KINDS), size: tuple[int, int] = (64, 64)) -> Raw:
    """Stands in for Flowers-17 (all its classes) at this image size (height, width)."""
    assert classes == len(KINDS)
    parts = {part: render(count, size, SEED + at) for at, (part, count) in enumerate(SIZES.items())}
    what = f'rendered flowers ({len(KINDS)} kinds, {size[0]}x{size[1]} pixels)'
    description = f'rendered flowers of {len(KINDS)} kinds, {size[0]}x{size[1]} RGB'
    return rendered.stand_in(request, parts, [kind.name for kind in KINDS], what, description)


def render(count: int, size: tuple[int, int], seed: int) -> Arrays:
    """`count` images [count, H, W, 3] uint8 and labels [count] int32 (`rendered.images`)."""
    return rendered.images(_draw, count, len(KINDS), size, seed, LARGEST_DRAWN)


def _draw(labels: np.ndarray, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """[N, H, W, 3] uint8."""
    count = len(labels)

    def draw(low: float, high: float) -> np.ndarray:
        return generator.uniform(low, high, (count, 1, 1)).astype(np.float32)

    def of_kind(name: str) -> np.ndarray:
        return np.array([getattr(kind, name) for kind in KINDS], np.float32)[labels][:, None, None]

    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in size), indexing='ij')
    u, v = x - draw(-0.2, 0.2), y - draw(-0.25, 0.15)
    radius, turn, tilt = draw(0.5, 0.75), draw(0, 2 * np.pi), draw(0.75, 1.0)  # tilt: seen a little from the side
    r, angle = np.hypot(u, v / tilt) / radius, np.arctan2(v / tilt, u) + turn
    petal = np.abs(np.cos(of_kind('petals') * angle / 2))  # 1 along the middle of a petal, 0 in a gap
    edge = 1 - of_kind('depth') * (1 - petal ** (1 / of_kind('slender')))
    light = draw(0.75, 1.1) * (1 - 0.15 * draw(-1, 1) * u - 0.1 * v)

    ground = _ground(u, v, draw)
    stem = (np.abs(u - 0.15 * np.sin(2 * v)) < 0.05) & (v > 0)
    leaf = (np.hypot((np.abs(u) - 0.35) / 0.3, (v - 0.75) / 0.12) < 1) & (v > 0)
    image = np.where((stem | leaf)[..., None], _colours(np.array([[0.30, 0.65, 0.45]]), generator, count), ground)
    shade = (0.72 + 0.28 * petal) * (0.75 + 0.25 * np.clip(r, 0, 1))
    petals = _colours(np.array([kind.colour for kind in KINDS])[labels], generator, count) * shade[..., None]
    image = np.where((r < edge)[..., None], petals, image)
    dots = 0.9 + 0.1 * np.sin(24 * r) * np.sin(13 * angle)
    middle = _colours(np.array([kind.middle for kind in KINDS])[labels], generator, count) * dots[..., None]
    image = np.where((r < of_kind('core'))[..., None], middle, image) * light[..., None]
    image += np.float32(0.02) * generator.standard_normal(image.shape, np.float32)
    return (image.clip(0, 1) * 255 + np.float32(0.5)).astype(np.uint8)


def _ground(u: np.ndarray, v: np.ndarray, draw) -> np.ndarray:
    """A blurred meadow or earth behind the flower [N, H, W, 3]: slow waves of brightness over one colour."""
    waves = sum(np.sin(draw(1, 5) * u + draw(1, 5) * v + draw(0, 6)) for _ in range(4)) / 4
    share = draw(0, 1)[..., None]
    colour = share * np.array([0.20, 0.34, 0.12], np.float32) + (1 - share) * np.array([0.26, 0.24, 0.17], np.float32)
    return colour * (1 + 0.45 * waves[..., None])


def _colours(hsv: np.ndarray, generator: np.random.Generator, count: int) -> np.ndarray:
    """[N, 1, 1, 3] RGB near the given hue, saturation and value [N or 1, 3]."""
    moved = np.broadcast_to(hsv, (count, 3)) + generator.normal(0, (0.012, 0.04, 0.03), (count, 3))
    hue, rest = moved[:, :1] % 1, np.clip(moved[:, 1:], 0, 1)
    found = [colorsys.hsv_to_rgb(*one) for one in np.concatenate([hue, rest], 1)]
    return np.array(found, np.float32)[:, None, None]
