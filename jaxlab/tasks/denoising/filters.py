"""Classical filters beside a denoising network, by scikit-image and SciPy: what can be had without learning.

Each is tuned, as well as its few settings allow, on training images with the same noise; non-local means is told the
deviation of what the noise changed, without which it is a straw man. (Clipped noise of deviation 0.5 changes a pixel by 0.31:
told 0.5, it takes everything for noise.)
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Filter = Callable[..., np.ndarray]  # (image [H, W, C] float64, **settings) -> the same shape


def _median(image: np.ndarray, size: int) -> np.ndarray:
    from scipy.ndimage import median_filter

    return median_filter(image, (size, size, 1))


def _gaussian(image: np.ndarray, deviation: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, (deviation, deviation, 0))


def _non_local_means(image: np.ndarray, sigma: float, strength: float, patch: int) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    how: dict[str, Any] = {'patch_size': patch, 'patch_distance': 7, 'fast_mode': True, 'channel_axis': -1}
    made = denoise_nl_means(image, h=strength * sigma, sigma=sigma, **how)
    return made.reshape(image.shape)  # a single channel is dropped


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A filter with the settings that did best on training images."""

    name: str
    filter: Filter
    settings: Mapping[str, Any]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images [N, H, W, C] in [0, 1], filtered one by one."""
        made = [self.filter(image, **self.settings) for image in np.asarray(images, np.float64)]
        return np.clip(np.stack(made), 0, 1).astype(np.float32)


def candidates(sigma: float) -> dict[str, tuple[Filter, Sequence[Mapping[str, Any]]]]:
    """Name -> the filter and the settings that are tried. sigma: deviation of what the noise changed."""
    strengths = [{'sigma': sigma, 'strength': h, 'patch': patch} for h in (0.2, 0.4, 0.8) for patch in (3, 5)]
    return {
        'median filter': (_median, [{'size': size} for size in (3, 5)]),
        'Gaussian filter': (_gaussian, [{'deviation': deviation} for deviation in (0.75, 1.0, 1.5)]),
        'non-local means': (_non_local_means, strengths),
    }


def tuned(noisy: np.ndarray, clean: np.ndarray) -> list[Tuned]:
    """Each filter with the settings of the least squared error on these images [N, H, W, C]."""
    found = []
    for name, (function, settings) in candidates(float((noisy - clean).std(dtype=np.float64))).items():
        tried = [Tuned(name, function, each) for each in settings]
        errors = [float(np.square(one(noisy) - clean).mean()) for one in tried]
        found.append(tried[int(np.argmin(errors))])
    return found
