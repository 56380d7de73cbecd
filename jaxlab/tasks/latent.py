"""Ways through a latent space."""

import numpy as np


def between(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """`steps` codes [N, steps, D] from each of the first [N, D] to its partner, along the arc between their directions.

    The norm goes evenly from one to the other. On the straight line it falls: between two draws of N(0, I) in 100
    dimensions from 10 to 7.07 midway, where no draw ever lies. (Shoemake 1985; White, arXiv 1609.04468.)
    """
    share = np.linspace(0, 1, steps)[:, None]
    sizes = [np.linalg.norm(ends, axis=-1, keepdims=True)[:, None] for ends in (first, second)]
    one, other = (ends[:, None] / np.maximum(size, 1e-12) for ends, size in zip((first, second), sizes, strict=True))
    angle = np.arccos(np.clip((one * other).sum(-1, keepdims=True), -1, 1))
    near = np.sin(angle) < 1e-6  # the same direction, or the opposite: no arc is the shortest
    arc = np.where(near, 1, np.sin(angle))
    parts = [np.where(near, part, np.sin(part * angle) / arc) for part in (1 - share, share)]
    size = (1 - share) * sizes[0] + share * sizes[1]
    return size * (parts[0] * one + parts[1] * other)


def lattice(axis: np.ndarray) -> np.ndarray:
    """All pairs of two axes [A] as codes [A * A, 2], row by row: the first number goes down, the second to the right."""
    return np.stack(np.meshgrid(axis, axis, indexing='ij'), -1).reshape(-1, 2)
