"""Two rendered domains with a known mapping: brown animals on green meadows (a), striped ones on dry ground (b).

A scene is an animal, its place and light, and the pattern of its coat. In both domains the same places hold the same thing:
the pattern is a faint shade of brown in `a` and black and white in `b`, grass is green or dry, the sky is the sky. So every
pixel of one domain has exactly one counterpart in the other, and the error of a translation can be measured: the same scenes
rendered in the other style are the truth. Everything is a pure function of (seed, size, style).
"""

import numpy as np

SIZES = {'train': {'a': 300, 'b': 300}, 'test': {'a': 120, 'b': 140}}  # as many as the packed horse2zebra has
SEEDS = {('train', 'a'): 40, ('train', 'b'): 41, ('test', 'a'): 42, ('test', 'b'): 43}  # no scene is in two of them
STYLES = ('a', 'b')
LEGS = ((-0.42, -0.5), (-0.25, -0.2), (0.22, 0.2), (0.4, 0.5))  # where one begins and ends, along the body


def domains(size: int) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """domain -> part -> {'image': [N, size, size, 3] uint8, 'counterpart': the same scenes in the other style}."""
    return {
        style: {
            part: {
                'image': render(counts[style], size, SEEDS[part, style], style),
                'counterpart': render(counts[style], size, SEEDS[part, style], other),
            }
            for part, counts in SIZES.items()
        }
        for style, other in zip(STYLES, reversed(STYLES), strict=True)
    }


def render(count: int, size: int, seed: int, style: str) -> np.ndarray:
    """`count` scenes [count, size, size, 3] uint8 in the style 'a' or 'b'; the same seed gives the same scenes."""
    if style not in STYLES:
        raise ValueError(f'style: {style!r} is not one of {", ".join(STYLES)}')
    generator = np.random.Generator(np.random.Philox(seed))
    return np.concatenate([_draw(min(100, count - at), size, generator, style) for at in range(0, count, 100)])


def _draw(count: int, size: int, generator: np.random.Generator, style: str) -> np.ndarray:
    def draw(low: float, high: float) -> np.ndarray:
        return generator.uniform(low, high, (count, 1, 1)).astype(np.float32)

    y, x = np.meshgrid(*(np.linspace(-1, 1, size, dtype=np.float32),) * 2, indexing='ij')
    length, facing = draw(0.45, 0.8), np.where(draw(-1, 1) < 0, -1, 1).astype(np.float32)
    u, v = facing * (x - draw(-0.2, 0.2)) / length, (y - draw(0.0, 0.25)) / length
    inside = _animal(u, v, draw)
    horizon, waves = draw(-0.35, 0.05), np.sin(draw(6, 12) * x + draw(0, 6)) * np.sin(draw(6, 12) * y + draw(0, 6))
    brightness, coat = draw(0.8, 1.1) * (1 - 0.12 * v), draw(0.55, 0.8)
    slant, pitch = draw(-0.6, 0.6), draw(20, 28)
    pattern = np.clip(0.35 + 1.6 * np.sin(pitch * (u + slant * v) + 1.5 * np.sin(4 * v)), 0, 1)  # more light than dark
    grass, sky = (0.85 + 0.15 * waves)[..., None], np.array([0.62, 0.75, 0.90], np.float32)
    noise = np.float32(0.01) * generator.standard_normal((count, size, size, 3), np.float32)
    if style == 'a':
        ground = np.array([0.30, 0.55, 0.20], np.float32) * grass
        animal = np.array([0.85, 0.50, 0.28], np.float32) * (coat + 0.14 * pattern)[..., None]
    else:
        ground = np.array([0.72, 0.62, 0.32], np.float32) * grass
        animal = np.array([1.0, 1.0, 0.97], np.float32) * ((0.1 + 0.75 * pattern) * (0.6 + 0.5 * coat))[..., None]
    image = np.where((y > horizon)[..., None], ground, sky)
    image = np.where(inside[..., None], animal * brightness[..., None], image) + noise
    return (image.clip(0, 1) * 255 + np.float32(0.5)).astype(np.uint8)


def _animal(u: np.ndarray, v: np.ndarray, draw) -> np.ndarray:
    """Which points lie in the animal of about unit length, looking to the right; u along the body, v downwards."""

    def limb(x1, y1, x2, y2, width) -> np.ndarray:
        """The points no further than `width` from a line."""
        dx, dy = x2 - x1, y2 - y1
        along = np.clip(((u - x1) * dx + (v - y1) * dy) / (dx**2 + dy**2), 0, 1)
        return np.hypot(u - x1 - along * dx, v - y1 - along * dy) < width

    nod, stride = draw(-0.15, 0.15), draw(-0.1, 0.1)
    parts = [limb(-0.35, -0.05, 0.35, -0.05, 0.24)]
    parts += [limb(start, 0.1, end + side * stride, 0.72, 0.065) for (start, end), side in zip(LEGS, (1, -1, 1, -1))]
    parts += [limb(0.4, -0.15, 0.68, -0.55 + nod, 0.13), limb(0.68, -0.55 + nod, 0.9, -0.42 + nod, 0.1)]
    parts += [limb(-0.55, -0.15, -0.72, 0.2 + stride, 0.04), limb(0.66, -0.6 + nod, 0.64, -0.72 + nod, 0.04)]
    return np.any(parts, axis=0)
