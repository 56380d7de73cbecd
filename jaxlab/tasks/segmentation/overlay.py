"""Masks over their images."""

import numpy as np

FALSE, MISSED, RIGHT = (0.84, 0.10, 0.11), (0.13, 0.35, 0.90), (0.10, 0.65, 0.25)  # red, blue, green
COLOURS = np.array(
    [(1.0, 0.1, 0.8), (1.0, 0.9, 0.1), (0.1, 0.9, 0.9), (1.0, 0.5, 0.0), (0.6, 0.3, 1.0)]
)  # seldom in photographs


def laid_over(
    image: np.ndarray, where: np.ndarray, colour: tuple[float, float, float], share: float = 0.5
) -> np.ndarray:
    """The image [H, W, 3] in [0, 1] with `share` of a colour where the mask [H, W] is true."""
    return np.where(where[..., None], (1 - share) * image + share * np.asarray(colour), image)


def classes(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A tint and an outline for each class but the first (255: none)."""
    image = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    for label in range(1, int(mask[mask != 255].max(initial=0)) + 1):
        colour = tuple(COLOURS[(label - 1) % len(COLOURS)])
        image = laid_over(laid_over(image, mask == label, colour, 0.3), outline(mask == label), colour, 1.0)
    return image


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask [H, W] that touch what is not of it, above, below or beside."""
    around = np.pad(mask, 1, mode='edge')
    return mask & ~(around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:])


def errors(image: np.ndarray, found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Red what was taken for it falsely, blue what was missed, green what was found; of several classes red where wrong."""
    grey = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1)
    seen = truth != 255
    image = laid_over(grey, seen & (found == truth) & (truth > 0), RIGHT, 0.35)
    image = laid_over(image, seen & (found != truth) & (found > 0), FALSE, 0.6)
    return laid_over(image, seen & (found != truth) & (found == 0), MISSED, 0.6)
