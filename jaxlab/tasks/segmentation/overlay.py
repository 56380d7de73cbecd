"""Masks over their images."""

import numpy as np

FALSE, MISSED, RIGHT = (0.84, 0.10, 0.11), (0.13, 0.35, 0.90), (0.10, 0.65, 0.25)  # red, blue, green
COLOURS = np.array([(0.90, 0.40, 0.0), (0.0, 0.45, 0.70), (0.0, 0.60, 0.50), (0.80, 0.47, 0.65), (0.94, 0.89, 0.26)])


def laid_over(
    image: np.ndarray, where: np.ndarray, colour: tuple[float, float, float], share: float = 0.5
) -> np.ndarray:
    """The image [H, W, 3] in [0, 1] with `share` of a colour where the mask [H, W] is true."""
    return np.where(where[..., None], (1 - share) * image + share * np.asarray(colour), image)


def classes(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A colour for each class but the first (255: none)."""
    image = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    for label in range(1, int(mask[mask != 255].max(initial=0)) + 1):
        image = laid_over(image, mask == label, tuple(COLOURS[(label - 1) % len(COLOURS)]))
    return image


def errors(image: np.ndarray, found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Red what was taken for it falsely, blue what was missed, green what was found; of several classes red where wrong."""
    grey = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1)
    seen = truth != 255
    image = laid_over(grey, seen & (found == truth) & (truth > 0), RIGHT, 0.35)
    image = laid_over(image, seen & (found != truth) & (found > 0), FALSE, 0.6)
    return laid_over(image, seen & (found != truth) & (found == 0), MISSED, 0.6)
