"""Denoising autoencoders (Vincent et al. 2008; B23): the clean image from a spoiled one.

Images are in [0, 1], what the network gives are logits of its pixels. Noise is drawn anew for each training image and
update, once for each held-out image.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.errors import UserError, lookup
from jaxlab.layers import normal_per_example
from jaxlab.measures.images import decibels, psnr, ssim
from jaxlab.measures.losses import squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.drawn_once import normal_once
from jaxlab.tasks.supervised import State, Supervised, prepared
from jaxlab.tasks.whole_images import check_same_size

SMALLEST = 7  # pixels a side: SSIM's window


def added(images: jax.Array, draws: jax.Array, level: jax.Array | float, clipped: bool) -> jax.Array:
    """`x + level * draws`, `draws` standard normal; clipped to [0, 1], where a black pixel then gains 0.195 at level 0.5."""
    spoiled = images + level * draws
    return jnp.clip(spoiled, 0.0, 1.0) if clipped else spoiled


def masked(images: jax.Array, draws: jax.Array, level: jax.Array | float, clipped: bool) -> jax.Array:
    """A share `level` of the pixels is black, whatever it was."""
    del clipped
    return jnp.where(jax.scipy.stats.norm.cdf(draws) < level, 0.0, images)


NOISES: Mapping[str, Callable[[jax.Array, jax.Array, jax.Array | float, bool], jax.Array]] = {
    'gaussian': added,
    'masking': masked,
}


@dataclasses.dataclass(frozen=True)
class Denoising(Supervised):
    """Options:

    noise: 'gaussian' (of deviation `level`, clipped to [0, 1] if `clipped`) or 'masking' (a share `level` of pixels is black).
    """

    model: Any  # a Flax module: images -> logits of as many pixels
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    noise: str = 'gaussian'
    level: float = 0.5
    clipped: bool = True

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        example = prepared(data)
        shape = example[data.input].shape
        if len(shape) != 4:
            raise UserError(f'config.task.name: {data.name} has no images; task denoising is for images')
        if tuple(config.data.scale) != (0.0, 1.0):
            raise UserError(f'config.data.scale = {tuple(config.data.scale)}: pixels are sigmoids; valid: (0.0, 1.0)')
        if min(shape[1:3]) < SMALLEST:
            raise UserError(
                f'{data.name} has images {shape[1:]}; SSIM needs {SMALLEST} pixels a side: data.options.image_size'
            )
        model = build_model(config.model, config.training.precision)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        task = cls(model, optimizer, example, data.input, **options)
        lookup(NOISES, task.noise, 'config.task.noise')
        if task.level < 0:
            raise UserError(f'config.task.level = {task.level!r}; valid: a number from 0 up')
        made = jax.eval_shape(
            lambda x: model.init_with_output(jax.random.key(0), x, train=False)[0], example[data.input]
        )
        check_same_size(config.model, made.shape[1:], shape[1:], getattr(model, 'multiple', 1))
        return task

    def spoiled(self, images: jax.Array, draws: jax.Array, level: jax.Array | float | None = None) -> jax.Array:
        """Images [N, H, W, C] in [0, 1] with noise; draws: standard normal, of their shape."""
        return NOISES[self.noise](images, draws, self.level if level is None else level, self.clipped)

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'image': [N, H, W, C] float32 in [0, 1], 'weight': [N] float32 in {0, 1}}."""
        network, weight, clean = state['model'], batch['weight'], batch[self.input]
        noise_key, network_key = jax.random.split(key)
        noisy = self.spoiled(clean, normal_per_example(noise_key, len(clean), clean.shape[1:]))

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            logits, updates = self.forward(network, params, {**batch, self.input: noisy}, network_key)
            losses = squared_error(jax.nn.sigmoid(logits), clean).mean((1, 2, 3))
            return weighted_mean(losses, weight), (losses, updates)

        (_, (losses, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        return {'model': network.apply_gradients(grads, updates)}, sums(weight, loss=losses)

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Errors of each image, denoised and noisy, by noise that hangs on the image alone; keeps PSNR, SSIM and MSE [N]."""
        del key
        clean, weight = batch[self.input], batch['weight']
        noisy = self.held_out(clean)
        made = self.denoise(state, noisy)
        error = squared_error(made, clean).mean((1, 2, 3))
        values = {'psnr': psnr(made, clean), 'ssim': ssim(made, clean)}
        before = {'noisy_psnr': psnr(noisy, clean), 'noisy_ssim': ssim(noisy, clean)}
        # A total of one number is no metric: the mean of all errors, whose PSNR is not the mean of PSNRs, is `score`'s.
        total = {'squared_error': (jnp.where(weight > 0, error, 0).sum()[None], jnp.ones(()))}
        return sums(weight, loss=error, **values, **before) | total, {**values, 'mse': error}

    scored: ClassVar[tuple[str, ...]] = ()

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """The PSNR of the mean error of all images, lower than the mean of their PSNRs."""
        return {'pooled_psnr': float(decibels(totals['squared_error'][0] / part.size))}

    def held_out(self, images: jax.Array, level: jax.Array | float | None = None) -> jax.Array:
        """Noisy images, the same ones every time."""
        return self.spoiled(images, normal_once(images), level)

    def denoise(self, state: State, images: jax.Array) -> jax.Array:
        """Clean images [N, H, W, C] in [0, 1] from noisy ones."""
        return jax.nn.sigmoid(self.model.apply(state['model'].variables(), images, train=False))
