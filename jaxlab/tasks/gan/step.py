"""Two networks that play against each other: a generator from noise, a discriminator that scores real and made examples.

As A08 trains them: one generator pass a step, the discriminator on real and made examples apart (own dropout masks), both
gradients from these same passes, then both updates. Two options for few data: the images shown come from a moving average of
the generator, and the discriminator sees made images through the same random transforms as the real ones (S. Zhao et al.,
"Differentiable augmentation for data-efficient GAN training", arXiv 2006.10738).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, closest
from jaxlab.layers import normal_per_example
from jaxlab.measures.losses import GAN_FORMS, discriminator_loss, generator_loss
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import TrainState, build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks import adversarial

State = dict[str, TrainState]


@dataclasses.dataclass(frozen=True)
class Gan:
    """`form`: of the loss (`jaxlab.measures.losses`); `latent`: numbers in a noise vector, drawn from N(0, 1).

    `ema`: decay of the generator's moving average, from which everything is drawn that is shown or scored (0: none).
    `transform_made`: whether made images go through `data.transforms` too, each by its own draw, before they are judged.
    """

    generator: Any  # Flax modules
    discriminator: Any
    generator_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation
    image_shape: tuple[int, ...]
    scale: tuple[float, float]
    examples_shown: int
    augment: Callable[[Batch, jax.Array], Batch]
    form: str = 'non_saturating'
    latent: int = 100
    ema: float = 0.0
    transform_made: bool = False

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> 'Gan':
        if options.get('form', 'non_saturating') not in GAN_FORMS:
            raise UserError(f'config.task.form = {options["form"]!r}; valid: {", ".join(GAN_FORMS)}')
        if not 0 <= options.get('ema', 0) < 1:
            raise UserError(f'config.task.ema = {options["ema"]!r}; valid: a number from 0 up to, not including, 1')
        names = ('generator', 'discriminator')
        for field in ('model', 'optimizer'):
            for name in config[field]:
                if name not in names:
                    raise UserError(f'unknown field config.{field}.{name} of task gan; {closest(name, names)}')
        models = [build_model(config.model.get(n, {}), config.training.precision, f'model.{n}') for n in names]
        rules = [
            build_optimizer(config.optimizer.get(n, {}), steps_per_epoch, total_steps, f'optimizer.{n}') for n in names
        ]
        shape = data.splits['train'].blank(1)['image'].shape[1:]
        shape, scale = tuple(shape), tuple(config.data.scale)
        shown, augment = config.report.examples, data.augment
        task = cls(models[0], models[1], rules[0], rules[1], shape, scale, shown, augment, **options)
        if task.transform_made:
            task.check_transforms()
        return task

    def check_transforms(self) -> None:
        """Refuses transforms that need what made images lack, before anything is trained."""
        made = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
        try:
            jax.eval_shape(self._transformed, made, jax.eval_shape(lambda: jax.random.key(0)))
        except UserError as error:
            raise UserError(f'config.task.transform_made: made images have no labels; {error}') from error

    def init(self, key: jax.Array, example: Batch) -> State:
        """Both networks, each from its own key."""
        keys = jax.random.split(key)
        noise = jnp.zeros((1, self.latent), jnp.float32)
        generator = self.generator.init({'params': keys[0]}, noise, train=False)
        discriminator = self.discriminator.init({'params': keys[1]}, example['image'][:1], train=False)
        return {
            'generator': TrainState.from_variables(self.generator, generator, self.generator_optimizer, self.ema),
            'discriminator': TrainState.from_variables(self.discriminator, discriminator, self.discriminator_optimizer),
        }

    def _transformed(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """Made images as the discriminator sees them."""
        if not self.transform_made:
            return images
        return self.augment({'image': images, 'weight': jnp.ones(len(images))}, key)['image']

    def _score(self, network: TrainState, params: Any, images: jax.Array, weight: jax.Array, key: jax.Array):
        """Logits [N] and the discriminator's updated statistics, in training mode."""
        return self.discriminator.apply(
            network.variables(params), images, train=True, weight=weight, rngs={'dropout': key}, mutable=['batch_stats']
        )

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update of both. batch: {'image': [N, H, W, C] float32, 'weight': [N]}; as many noise vectors as N, also
        where a short last batch holds fewer real images."""
        generator, discriminator, real_weight = state['generator'], state['discriminator'], batch['weight']
        noise_key, real_key, fake_key = jax.random.split(key, 3)
        transform_key = jax.random.fold_in(key, 3)  # a fourth; the real images' comes from the engine
        count = real_weight.shape[0]
        noise = normal_per_example(noise_key, count, (self.latent,))
        fake_weight = jnp.ones_like(real_weight)

        def play(params: dict[str, Any]) -> tuple[adversarial.Losses, Any]:
            fakes, updates = self.generator.apply(
                generator.variables(params['generator']), noise, train=True, weight=fake_weight, mutable=['batch_stats']
            )
            judge = functools.partial(self._score, discriminator, params['discriminator'])
            fake, _ = judge(self._transformed(fakes, transform_key), fake_weight, fake_key)
            real, statistics = judge(batch['image'], real_weight, real_key)
            real_losses, fake_losses = discriminator_loss(real, fake, self.form)
            losses = {
                'generator': weighted_mean(generator_loss(fake, self.form), fake_weight),
                'discriminator': weighted_mean(real_losses, real_weight) + weighted_mean(fake_losses, fake_weight),
            }
            return losses, ({'generator': updates, 'discriminator': statistics}, (real, fake))

        new, losses, (real_logits, fake_logits) = adversarial.move(state, tuple(state), play)
        share = weighted_mean(
            fake_weight, fake_weight
        )  # 1 on one device: losses are means of batch values, as published
        measured: Sums = {f'{name}_loss': (loss, share) for name, loss in losses.items()}
        measured |= sums(real_weight, real_accuracy=real_logits > 0, real_probability=nn.sigmoid(real_logits))
        measured |= sums(fake_weight, fake_accuracy=fake_logits <= 0, fake_probability=nn.sigmoid(fake_logits))
        return new, measured

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """How the discriminator scores real examples that it was not trained on."""
        del key
        logits = self.discriminator.apply(state['discriminator'].variables(), batch['image'], train=False)
        measured = sums(batch['weight'], real_accuracy=logits > 0, real_probability=nn.sigmoid(logits))
        return measured, {'logits': logits}

    def generate(self, state: State, noise: jax.Array) -> jax.Array:
        """Images [N, H, W, C] in the training scale, in inference mode, by the average if there is one.

        noise: [N, latent].
        """
        return self.generator.apply(state['generator'].averaged(), noise, train=False)

    def sample(self, state: State, key: jax.Array, count: int) -> jax.Array:
        """`count` new images, in [0, 1]."""
        low, high = self.scale
        images = self.generate(state, jax.random.normal(key, (count, self.latent)))
        return jnp.clip((images - low) / (high - low), 0.0, 1.0)

    def snapshot(self, state: State, key: jax.Array) -> dict[str, jax.Array]:
        """Images of the same noise every time, in [0, 1]."""
        return {'image': self.sample(state, key, self.examples_shown)}

    def networks(self) -> Mapping[str, Any]:
        """Both, on one example."""
        return {
            'generator': (self.generator, jax.ShapeDtypeStruct((1, self.latent), jnp.float32)),
            'discriminator': (self.discriminator, jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)),
        }
