"""Masks from images: one value a pixel and class, cross-entropy and soft Dice; scores of whole splits by exact counts."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.data.mask import IGNORED, Mask
from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import sum_over_batch_axis
from jaxlab.measures import segmentation as measures
from jaxlab.measures.losses import binary_cross_entropy, cross_entropy
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.supervised import State, Supervised, prepared

FIELD = 'mask'
LOWEST = -1e9  # a logit whose sigmoid is 0


@dataclasses.dataclass(frozen=True)
class Segmentation(Supervised):
    """Of two classes the network has one output, the logit of the second; of more, one a class.

    Options: cross_entropy, dice: weights of the mean cross-entropy of pixels and of 1 - soft Dice in the loss. per_image:
    whether Dice is taken of each image and averaged, not pooled over the batch (B19).
    """

    model: Any  # a Flax module: images [N, H, W, C] -> [N, H, W, outputs]
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    names: tuple[str, ...]
    cross_entropy: float = 1.0
    dice: float = 1.0
    per_image: bool = False

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        feature = data.features.get(FIELD)
        if not isinstance(feature, Mask):
            raise UserError(f'config.task.name: {data.name} has no masks; task segmentation needs some')
        example, outputs = prepared(data), 1 if feature.binary else len(feature.names)
        model = build_model(config.model, config.training.precision, outputs=outputs, classes=outputs)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        task = cls(model, optimizer, example, data.input, feature.names, **options)
        if min(task.cross_entropy, task.dice) < 0 or not task.cross_entropy + task.dice:
            raise UserError('config.task.cross_entropy and dice; valid: numbers from 0 up, one of them above 0')
        images = example[data.input]
        made = jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x, train=False)[0], images)
        if made.shape != (*images.shape[:3], outputs):
            name = config.model.name
            raise UserError(
                f'config.model.name = {name!r} makes {made.shape[1:]} of images {images.shape[1:]}; valid: unet'
            )
        return task

    @property
    def binary(self) -> bool:
        """Whether one thing is sought."""
        return len(self.names) == 2

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'image': [N, H, W, C] float32, 'mask': [N, H, W] uint8, 'weight': [N] float32 in {0, 1}}."""
        network, weight = state['model'], batch['weight']

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            logits, updates = self.forward(network, params, batch, key)
            entropy, soft = self._losses(logits, batch[FIELD], weight)
            return self.cross_entropy * entropy + self.dice * soft, (entropy, soft, updates)

        (loss, (entropy, soft, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        a_batch = 1 / sum_over_batch_axis(jnp.ones(()))  # shares of devices add up to one batch
        measured = {'loss': loss, 'cross_entropy': entropy, 'dice_loss': soft}
        return {'model': network.apply_gradients(grads, updates)}, {
            name: (one, a_batch) for name, one in measured.items()
        }

    def _losses(self, logits: jax.Array, mask: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
        """This device's shares of the mean cross-entropy and of the soft Dice loss, the mean over classes."""
        margins, targets = self._one_against_rest(logits, mask)
        dice = jax.vmap(lambda m, t: measures.dice_loss(m, t, weight, self.per_image), -1)(margins, targets)
        return weighted_mean(self._entropy(logits, mask), weight), dice.mean()

    def _entropy(self, logits: jax.Array, mask: jax.Array) -> jax.Array:
        """[N]: mean over the pixels that count."""
        seen = mask != IGNORED
        if self.binary:
            losses = binary_cross_entropy(logits[..., 0], (mask == 1).astype(jnp.float32))
        else:
            losses = cross_entropy(logits, jnp.where(seen, mask, 0).astype(jnp.int32))
        return jnp.where(seen, losses, 0).sum((1, 2)) / jnp.maximum(seen.sum((1, 2)), 1)

    def _one_against_rest(self, logits: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """[N, H, W, K] logits of each class against all others, and whether it is there; 0 of both where nothing counts."""
        seen = (mask != IGNORED)[..., None]
        if self.binary:
            margins, targets = logits, (mask == 1)[..., None]
        else:
            count = logits.shape[-1]
            others = jnp.where(jnp.eye(count, dtype=bool), -jnp.inf, logits[..., None, :])
            margins = logits - jax.nn.logsumexp(others, axis=-1)
            targets = mask[..., None] == jnp.arange(count)
        return jnp.where(seen, margins, LOWEST), (targets & seen).astype(jnp.float32)

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Counts of pixels of each image and sums of soft ones; `score` makes metrics of them, whatever the batches were."""
        del key
        logits, mask, weight = self._logits(state, batch[self.input]), batch[FIELD], batch['weight']
        margins, targets = self._one_against_rest(logits, mask)
        p = jax.nn.sigmoid(margins)
        soft = jnp.stack([2 * (p * targets).sum((1, 2)), (p + targets).sum((1, 2))], axis=-1)  # [N, K, 2]
        entropy = self._entropy(logits, mask)
        each = 1 - ((soft[..., 0] + measures.SMOOTHING) / (soft[..., 1] + measures.SMOOTHING)).mean(-1)
        counted = measures.overlap(self._classes(logits), mask, 0 if self.binary else len(self.names), IGNORED)
        losses = {'soft': soft, 'means': jnp.stack([entropy, each], axis=-1)}
        totals = {
            name: (jnp.where((weight > 0).reshape(-1, *(1,) * (one.ndim - 1)), one, 0).sum(0), jnp.ones(()))
            for name, one in losses.items()
        }
        return sums(weight, cross_entropy=entropy) | totals, counted._asdict()

    def _logits(self, state: State, images: jax.Array) -> jax.Array:
        return self.model.apply(state['model'].variables(), images, train=False)

    def _classes(self, logits: jax.Array) -> jax.Array:
        """[N, H, W] int32."""
        return (logits[..., 0] > 0).astype(jnp.int32) if self.binary else logits.argmax(-1).astype(jnp.int32)

    def predict(self, state: State, images: jax.Array) -> jax.Array:
        """The class of each pixel of prepared images [N, H, W] int32."""
        return self._classes(self._logits(state, images))

    scored: ClassVar[tuple[str, ...]] = ('both', 'predicted', 'true')

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """The loss of the whole split as one batch; Dice, IoU, precision and recall, pooled and an image."""
        soft = totals['soft']
        pooled = float(np.mean(1 - (soft[:, 0] + measures.SMOOTHING) / (soft[:, 1] + measures.SMOOTHING)))
        entropy, apart = map(float, totals['means'] / part.size)
        loss = self.cross_entropy * entropy + self.dice * (apart if self.per_image else pooled)
        pixels = measures.Overlap(*(np.asarray(outputs[name], np.float64) for name in self.scored))
        found = {'loss': loss, 'dice_loss': pooled}
        if self.binary:
            return {**found, **measures.scores(pixels)}
        by_class = measures.class_scores(pixels)
        return {**found, **{f'mean_{name}': float(np.nanmean(values)) for name, values in by_class.items()}}
