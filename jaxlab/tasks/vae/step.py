"""Variational autoencoders (Kingma and Welling, arXiv 1312.6114): the evidence lower bound of every image, term by term.

`negative_elbo = reconstruction + kl`, in nats an image: `-E_q log p(x|z)` summed over pixels, with one draw of z from the
posterior, in evaluation too; and `KL(q(z|x) || N(0, I))` summed over latent numbers. What is trained is
`loss = reconstruction + kl_weight kl`, in which the reconstruction may be a mean over pixels.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.errors import UserError, lookup
from jaxlab.layers import normal_per_example
from jaxlab.layers.batch_axis import first_example, sum_over_batch_axis
from jaxlab.layers.dropout import bits_per_example
from jaxlab.measures.losses import gaussian_kl_by_dimension, squared_error
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import build_optimizer
from jaxlab.protocol import Batch, Needed, Sums
from jaxlab.tasks.drawn_once import uniform_once
from jaxlab.tasks.judging import ROLE, SEEN, Judge, scores
from jaxlab.tasks.supervised import State, Supervised, prepared
from jaxlab.tasks.whole_images import check_same_size

CLAMP = 100.0  # nats: PyTorch's BCE takes no logarithm for less than minus this
ACTIVE = 0.01  # variance of a latent mean over the images, above which it says something of them (Burda et al. 2016)


def bernoulli(logits: jax.Array, images: jax.Array, deviation: float) -> jax.Array:
    """`-x log p - (1 - x) log(1 - p)`, each pixel; for x in [0, 1], and defined beyond (B22 as it was printed)."""
    del deviation
    rare, common = (jnp.minimum(jax.nn.softplus(sign * logits), CLAMP) for sign in (-1, 1))
    return images * rare + (1 - images) * common


def squared(logits: jax.Array, images: jax.Array, deviation: float) -> jax.Array:
    """`(x - p)^2`, each pixel: the Gaussian below with deviation sqrt(1/2), without its constant `log(pi) / 2`."""
    del deviation
    return squared_error(jax.nn.sigmoid(logits), images)


def gaussian(logits: jax.Array, images: jax.Array, deviation: float) -> jax.Array:
    """`-log N(x; p, deviation^2)`, each pixel."""
    constant = math.log(deviation) + 0.5 * math.log(2 * math.pi)
    return squared(logits, images, deviation) / (2 * deviation**2) + constant


RECONSTRUCTIONS: Mapping[str, Callable[[jax.Array, jax.Array, float], jax.Array]] = {
    'bce': bernoulli,
    'squared': squared,
    'gaussian': gaussian,
}
FEATURES = 'features'


class Terms(NamedTuple):
    """Of each image: nats of its pixels [N], divergence of its latent numbers [N, D], mean squared error of a pixel [N],
    and its code's mean and log-variance [N, D]."""

    reconstruction: jax.Array
    kl: jax.Array
    mse: jax.Array
    mean: jax.Array
    log_variance: jax.Array


@dataclasses.dataclass(frozen=True)
class Vae(Supervised):
    """Options:

    reconstruction: 'bce', 'squared' or 'gaussian' (with `deviation`, of a pixel in [0, 1]), summed over pixels; or 'features':
    how unlike the network in `config.needs.scorer` finds both images, times the number of pixels, which is no bound.
    reduction: 'sum' trains with that sum; 'mean' with the mean over pixels, which multiplies the KL weight's effect by
    the number of pixels (`true_kl_weight`).
    kl_weight: of the divergence (beta), reached linearly over the first `warm_up` epochs; evaluation always uses all of it.
    free_bits: nats a latent number that cost nothing, clamped after the mean over the batch (Kingma et al.,
    arXiv 1606.04934); metrics are never clamped.
    plain: an autoencoder: the mean is decoded, nothing is drawn, no divergence.
    binary: pixels are drawn black or white with their grey value as the chance, anew at each update, once for evaluation.
    any_targets: allows targets outside [0, 1], which no sigmoid can reach (B22 as it was printed).
    """

    model: Any  # a Flax module with `encode`, `decode` and `latent` (`jaxlab/models/vae.py`)
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    scale: tuple[float, float]
    steps_per_epoch: int
    examples_shown: int
    judge: Judge | None = dataclasses.field(kw_only=True)  # of made images, once there is one
    reconstruction: str = 'bce'
    deviation: float = 0.1
    reduction: str = 'sum'
    kl_weight: float = 1.0
    warm_up: float = 0.0
    free_bits: float = 0.0
    plain: bool = False
    binary: bool = False
    any_targets: bool = False

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        example = prepared(data)
        if len(example[data.input].shape) != 4:
            raise UserError(f'config.task.name: {data.name} has no images; task vae is for images')
        shape = example[data.input].shape[1:]
        model = build_model(config.model, config.training.precision, image_shape=shape, classes=1)
        if not hasattr(model, 'encode'):
            raise UserError(f'config.model.name = {config.model.name!r} has no code; valid: mlp_vae, conv_vae')
        multiple, images = 2 ** len(getattr(model, 'filters', ())), jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        made = (0, 0, shape[-1])  # of less than a cell
        if min(shape[:2]) >= multiple:
            made = jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x)[0], images).shape[1:]
        check_same_size(config.model, made, shape, multiple)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        shown, scale = config.report.examples, tuple(config.data.scale)
        task = cls(model, optimizer, example, data.input, scale, steps_per_epoch, shown, judge=None, **options)
        task.check()
        if task.reconstruction == FEATURES and ROLE not in config.needs:
            raise UserError(f"config.task.reconstruction = 'features' needs a network: config.needs.{ROLE}")
        return task

    def judged_by(self, needs: Mapping[str, Needed]) -> Self:
        """The same with the classifier in `config.needs` as a judge of samples."""
        return dataclasses.replace(self, judge=Judge.of(needs))

    def check(self) -> None:
        """Refuses what cannot be meant."""
        lookup({**RECONSTRUCTIONS, FEATURES: None}, self.reconstruction, 'config.task.reconstruction')
        lookup({'sum': 0, 'mean': 0}, self.reduction, 'config.task.reduction')
        for name in ('kl_weight', 'warm_up', 'free_bits'):
            if getattr(self, name) < 0:
                raise UserError(f'config.task.{name} = {getattr(self, name)!r}; valid: a number from 0 up')
        if self.deviation <= 0:
            raise UserError(f'config.task.deviation = {self.deviation!r}; valid: a number above 0')
        if self.scale != (0.0, 1.0) and not self.any_targets:
            raise UserError(
                f'config.data.scale = {self.scale}: decoded pixels are sigmoids, in [0, 1]; valid: (0.0, 1.0), or '
                'config.task.any_targets=True to see what comes of it'
            )
        if self.reconstruction == FEATURES and (self.reduction != 'sum' or self.binary or self.any_targets):
            raise UserError(
                "config.task.reconstruction = 'features' compares images as they are; valid: reduction 'sum', binary and "
                'any_targets False'
            )
        if self.binary and self.scale != (0.0, 1.0):
            raise UserError(f'config.task.binary needs chances; valid: config.data.scale=(0.0, 1.0), not {self.scale}')

    @property
    def pixels(self) -> int:
        """Numbers an image."""
        return math.prod(self.example[self.input].shape[1:])

    @property
    def true_kl_weight(self) -> float:
        """What the divergence weighs beside a sum over pixels."""
        weight = 0.0 if self.plain else self.kl_weight
        return weight * (self.pixels if self.reduction == 'mean' else 1)

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'image': [N, H, W, C] float32 in `scale`, 'weight': [N] float32 in {0, 1}}."""
        network, weight = state['model'], batch['weight']
        binary_key, noise_key = jax.random.split(key)
        images = batch[self.input]
        if self.binary:
            bits = bits_per_example(binary_key, images.shape, first_example(len(images)))
            images = _drawn(images, (bits >> 8).astype(jnp.float32) / 2**24)
        noise = self._noise(noise_key, len(images))

        def loss_fn(params: Any) -> tuple[jax.Array, Terms]:
            terms = self.terms(network.variables(params), images, noise)
            divergence = self._weight_at(network.step) * self._free(terms.kl, weight)
            return weighted_mean(self._reduced(terms.reconstruction), weight) + divergence, terms

        (_, terms), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        measured = self._sums(terms, weight, self._weight_at(network.step))
        share = weighted_mean(weight, weight)  # 1 on one device: D2.1 prints the mean over batches of their sums
        measured['batch_mse'] = ((terms.mse * weight).sum(), share)
        return {'model': network.apply_gradients(grads)}, measured

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """The terms of the bound with one draw an image, at the full KL weight; keeps the codes [N, D]."""
        images, weight = self.targets(batch[self.input]), batch['weight']
        terms = self.terms(state['model'].variables(), images, self._noise(key, len(images)))
        outputs, one = {'mean': terms.mean, 'log_variance': terms.log_variance}, jnp.ones(())
        if self.judge is not None:
            codes = normal_per_example(jax.random.fold_in(key, 1), len(images), (self.model.latent,))
            low, high = self.scale
            outputs |= self.judge.compares((images - low) / (high - low), self.decode(state, codes))
        totals = {'mean_total': terms.mean, 'square_total': jnp.square(terms.mean)}
        by_latent = {
            name: (jnp.where(weight[:, None] > 0, each, 0).sum(0), one) for name, each in totals.items()
        }  # an example of weight 0 adds nothing
        return self._sums(terms, weight, jnp.asarray(self._full_weight)) | by_latent, outputs

    @property
    def scored(self) -> tuple[str, ...]:
        """What the judge saw."""
        return SEEN if self.judge is not None else ()

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """How many latent numbers say something of the image (their mean varies by more than ACTIVE); the judge's scores."""
        variance = totals['square_total'] / part.size - np.square(totals['mean_total'] / part.size)
        active = {'active_latents': float((variance > ACTIVE).sum())}
        return active if self.judge is None else active | scores(outputs)

    def terms(self, variables: Any, images: jax.Array, noise: jax.Array) -> Terms:
        """The bound's terms with z = mean + exp(log_variance / 2) noise; noise: [N, D]."""
        mean, log_variance = self.model.apply(variables, images, method='encode')
        codes = mean + jnp.exp(0.5 * log_variance) * noise
        logits = self.model.apply(variables, codes, method='decode')
        reconstruction = self.reconstructed(logits, images)
        mse = squared_error(jax.nn.sigmoid(logits), images).mean(tuple(range(1, logits.ndim)))
        kl = jnp.zeros_like(mean) if self.plain else gaussian_kl_by_dimension(mean, log_variance)
        return Terms(reconstruction, kl, mse, mean, log_variance)

    def reconstructed(self, logits: jax.Array, images: jax.Array) -> jax.Array:
        """[N]: what decoded images [N, H, W, C], before the sigmoid, cost beside prepared images."""
        if self.reconstruction != FEATURES:
            return RECONSTRUCTIONS[self.reconstruction](logits, images, self.deviation).sum(
                tuple(range(1, logits.ndim))
            )
        assert self.judge is not None  # `from_config` asks for one
        return self.pixels * self.judge.unlike(images, jax.nn.sigmoid(logits))

    def log_weights(self, state: State, images: jax.Array, key: jax.Array, count: int) -> jax.Array:
        """`log p(x|z) + log p(z) - log q(z|x)` [count, N] for so many draws of z an image (Burda et al. 2016)."""
        variables, constant = state['model'].variables(), 0.5 * math.log(2 * math.pi)
        mean, log_variance = self.model.apply(variables, images, method='encode')

        def one(key: jax.Array) -> jax.Array:
            noise = jax.random.normal(key, mean.shape)
            codes = mean + jnp.exp(0.5 * log_variance) * noise
            logits = self.model.apply(variables, codes, method='decode')
            prior = -0.5 * jnp.square(codes) - constant
            posterior = -0.5 * (jnp.square(noise) + log_variance) - constant
            return (prior - posterior).sum(-1) - self.reconstructed(logits, images)

        return jax.lax.map(one, jax.random.split(key, count))

    def targets(self, images: jax.Array) -> jax.Array:
        """Prepared images as evaluation sees them."""
        return _drawn(images, uniform_once(images)) if self.binary else images

    def decode(self, state: State, codes: jax.Array) -> jax.Array:
        """Images [N, H, W, C] in [0, 1] of codes [N, D]."""
        return jax.nn.sigmoid(self.model.apply(state['model'].variables(), codes, method='decode'))

    def encode(self, state: State, images: jax.Array) -> jax.Array:
        """The codes' means [N, D] of prepared images."""
        return self.model.apply(state['model'].variables(), self.targets(images), method='encode')[0]

    def sample(self, state: State, key: jax.Array, count: int) -> jax.Array:
        """`count` images in [0, 1], decoded from draws of N(0, I): the chance or mean of each pixel."""
        return self.decode(state, jax.random.normal(key, (count, self.model.latent)))

    def snapshot(self, state: State, key: jax.Array) -> Any:
        """Images of the same codes every time, in [0, 1]."""
        return {'image': self.sample(state, key, self.examples_shown)}

    def _noise(self, key: jax.Array, count: int) -> jax.Array:
        """[N, D]; zero in a plain autoencoder."""
        shape = (self.model.latent,)
        return jnp.zeros((count, *shape)) if self.plain else normal_per_example(key, count, shape)

    @property
    def _full_weight(self) -> float:
        return 0.0 if self.plain else self.kl_weight

    def _weight_at(self, step: jax.Array | int) -> jax.Array:
        """The KL weight of the update after `step` others."""
        steps = self.warm_up * self.steps_per_epoch
        return self._full_weight * (jnp.minimum(1.0, (step + 1) / steps) if steps else jnp.ones(()))

    def _reduced(self, reconstruction: jax.Array) -> jax.Array:
        """As it is trained: summed over pixels, or their mean."""
        return reconstruction / self.pixels if self.reduction == 'mean' else reconstruction

    def _free(self, kl: jax.Array, weight: jax.Array) -> jax.Array:
        """This device's share of `sum_d max(free_bits, mean over the batch of kl_d)`."""
        shares = jax.vmap(weighted_mean, (1, None))(kl, weight)
        if not self.free_bits:
            return shares.sum()
        free = jax.lax.stop_gradient(sum_over_batch_axis(shares)) < self.free_bits
        return jnp.where(free, self.free_bits * weighted_mean(jnp.ones_like(weight), weight), shares).sum()

    def _sums(self, terms: Terms, weight: jax.Array, kl_weight: jax.Array) -> Sums:
        kl = terms.kl.sum(-1)
        return sums(
            weight,
            loss=self._reduced(terms.reconstruction) + kl_weight * kl,
            negative_elbo=terms.reconstruction + kl,
            reconstruction=terms.reconstruction,
            kl=kl,
            mse=terms.mse,
        )


def _drawn(chances: jax.Array, uniform: jax.Array) -> jax.Array:
    """1 with that chance, else 0."""
    return (uniform < chances).astype(chances.dtype)
