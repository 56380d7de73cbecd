"""How near an image is to the true one: PSNR and SSIM. Images [N, H, W, C] float in [0, 1], values [N].

The range is always 1: on pixels in [-1, 1] taken as they are the PSNR would be 6.02 dB higher, and the SSIM, which knows
where black is, another number.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

UNIFORM, GAUSSIAN = 'uniform 7', 'gaussian 11'  # windows: scikit-image's own choice, and that of Wang et al. 2004


@jax.jit
def psnr(images: jax.Array, truth: jax.Array, most: float = 100.0) -> jax.Array:
    """Peak signal-to-noise ratio, `-10 log10(mean squared error)`, in dB; `most` for an image without error."""
    error = jnp.square(images - truth).mean((1, 2, 3))
    return jnp.where(error > 0, jnp.minimum(most, decibels(jnp.where(error > 0, error, 1.0))), most)


def decibels(error: jax.Array) -> jax.Array:
    """The PSNR of a mean squared error."""
    return -10 / math.log(10) * jnp.log(error)


@functools.partial(jax.jit, static_argnames='window')
def ssim(images: jax.Array, truth: jax.Array, window: str = UNIFORM) -> jax.Array:
    """Structural similarity (Wang et al. 2004), averaged over the places where the whole window lies inside, and channels.

    window: UNIFORM, 7x7 with sample variances (n - 1), as `skimage.metrics.structural_similarity` comes; GAUSSIAN, 11x11 of
    deviation 1.5 with plain ones, as the paper has it. Constants 0.01^2 and 0.03^2.
    """
    weights = _window(window)
    side = len(weights)
    if min(images.shape[1:3]) < side:
        raise ValueError(f'images of {images.shape[1]}x{images.shape[2]} pixels are smaller than the window of {side}')

    def local(x: jax.Array) -> jax.Array:
        """Weighted means over windows: rows, then columns."""
        for axis in (1, 2):
            length = x.shape[axis] - side + 1
            parts = [float(w) * jax.lax.slice_in_dim(x, at, at + length, axis=axis) for at, w in enumerate(weights)]
            x = sum(parts[1:], parts[0])
        return x

    # Moments about the middle of the range: less is lost to rounding.
    x, y = images - 0.5, truth - 0.5
    mean_x, mean_y = local(x), local(y)
    sample = side**2 / (side**2 - 1) if window == UNIFORM else 1.0
    variance_x, variance_y = (sample * (local(v * v) - m * m) for v, m in ((x, mean_x), (y, mean_y)))
    covariance = sample * (local(x * y) - mean_x * mean_y)
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variance_x + variance_y + 0.03**2)
    return (luminance * structure).mean((1, 2, 3))


def _window(name: str) -> np.ndarray:
    """The weights along one axis; they sum to 1."""
    if name == UNIFORM:
        return np.full(7, 1 / 7)
    if name != GAUSSIAN:
        raise ValueError(f'window: {name!r} is not {UNIFORM!r} or {GAUSSIAN!r}')
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    return weights / weights.sum()
