"""Two networks that play against each other: a generator from noise, a discriminator that scores real and made examples.

As A08 trains them: one generator pass a step, the discriminator on real and made examples apart (own dropout masks), both
gradients from these same passes, then both updates. B20 moves the discriminator first, and the generator then sees what it
has become, from the same noise. Options:

- another loss (`form`), the gradient penalty of WGAN-GP, several steps of the critic to one of the generator, spectral
  normalisation of the discriminator;
- for few data, images that are shown come from a moving average of the generator, and the discriminator sees made images
  through the same random transforms as the real ones (S. Zhao et al., "Differentiable augmentation for data-efficient GAN
  training", arXiv 2006.10738);
- classes: both networks are told which one (Mirza and Osindero, arXiv 1411.1784).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.data.labels import names_of
from jaxlab.errors import UserError
from jaxlab.layers import SpectralNorm, normal_per_example, uniform_per_example
from jaxlab.measures.losses import LOGISTIC, discriminator_loss, generator_loss, real_above
from jaxlab.measures.penalties import between, gradient_penalty
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.optimizers import TrainState
from jaxlab.protocol import Batch, Needed, Sums
from jaxlab.tasks import adversarial
from jaxlab.tasks.gan.checks import check_discriminator, check_made, check_options, sizes_of
from jaxlab.tasks.judging import SEEN, Judge, scores

State = dict[str, TrainState]
GENERATOR, DISCRIMINATOR = PLAYERS = ('generator', 'discriminator')


class Draws(NamedTuple):
    """What is random in a step. codes: what the generator is given; labels: of the made images [N], or None."""

    codes: jax.Array
    labels: jax.Array | None
    real_key: jax.Array  # dropout masks
    fake_key: jax.Array
    mixed_key: jax.Array
    transform_key: jax.Array
    share: jax.Array  # [N], of a real image in the mixture that the penalty looks at


@dataclasses.dataclass(frozen=True)
class Gan:
    """`form`: of the loss (`jaxlab.measures.losses`); `latent`: numbers in a noise vector, drawn from N(0, 1).

    `ema`: decay of the generator's moving average, from which everything is drawn that is shown or scored (0: none).
    `transform_made`: whether made images go through `data.transforms` too, each by its own draw, before they are judged.
    `order`: 'simultaneous', or 'alternating': the discriminator moves first, the generator sees it as it is then.
    `critic_steps`: steps of the discriminator to one of the generator, each with a batch and noise of its own; all of
    them count as updates of the training. `discriminator_weight`: factor of its loss (B20: the mean of the two parts, 0.5).
    `penalty`: weight of the gradient penalty, 10 in WGAN-GP. `spectral`: whether the discriminator's kernels are divided
    by their largest singular values. `conditional`: whether both networks are told the class: a made image's is drawn
    evenly; the generator gets it beside the noise, the discriminator as one more channel a class, 1 in that of the class.
    """

    generator: Any  # Flax modules
    discriminator: Any
    generator_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation
    image_shape: tuple[int, ...]
    scale: tuple[float, float]
    examples_shown: int
    augment: Callable[[Batch, jax.Array], Batch]
    classes: int = dataclasses.field(kw_only=True)
    judge: Judge | None = dataclasses.field(kw_only=True)  # of made images, once there is one
    form: str = 'non_saturating'
    latent: int = 100
    ema: float = 0.0
    transform_made: bool = False
    order: str = 'simultaneous'
    critic_steps: int = 1
    discriminator_weight: float = 1.0
    penalty: float = 0.0
    spectral: bool = False
    conditional: bool = False

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> 'Gan':
        classes = len(names_of(data))
        check_options(options, classes)
        periods = {GENERATOR: options.get('critic_steps', 1)}
        shape = tuple(data.splits['train'].blank(1)['image'].shape[1:])
        known = {GENERATOR: sizes_of(config.model.get(GENERATOR, {}), shape)}
        roles = adversarial.built(config, PLAYERS, steps_per_epoch, total_steps, periods, known)
        (generator, generator_rule), (discriminator, discriminator_rule) = (roles[name] for name in PLAYERS)
        if options.get('spectral'):
            discriminator = SpectralNorm(discriminator)
        task = cls(
            generator,
            discriminator,
            generator_rule,
            discriminator_rule,
            shape,
            tuple(config.data.scale),
            config.report.examples,
            data.augment,
            classes=classes,
            judge=None,
            **options,
        )
        task.check_networks()
        return task

    def judged_by(self, needs: Mapping[str, Needed]) -> 'Gan':
        """The same with the classifier in `config.needs` as a judge of what is made."""
        return dataclasses.replace(self, judge=Judge.of(needs))

    def check_networks(self) -> None:
        """Refuses networks and transforms that the options are not made for, before anything is trained."""
        if self.transform_made:
            made = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
            try:
                jax.eval_shape(self._transformed, made, jax.eval_shape(lambda: jax.random.key(0)))
            except UserError as error:
                raise UserError(f'config.task.transform_made: made images have no labels; {error}') from error
        check_made(self.generator, self._codes_of(1), self.image_shape)
        network, images = self.networks()[DISCRIMINATOR]
        variables = jax.eval_shape(lambda x: network.init(jax.random.key(0), x, train=False), images)
        output = lambda variables, x: network.apply(variables, x, train=False)
        check_discriminator(output, variables, images, self.form, self.penalty > 0)

    def init(self, key: jax.Array, example: Batch) -> State:
        """Both networks, each from its own key."""
        keys = jax.random.split(key)
        start = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), self._codes_of(1))
        generator = self.generator.init({'params': keys[0]}, start, train=False)
        images = self._told(example['image'][:1], example.get('label', jnp.zeros(1, jnp.int32))[:1])
        discriminator = self.discriminator.init({'params': keys[1]}, images, train=False)
        return {
            GENERATOR: TrainState.from_variables(self.generator, generator, self.generator_optimizer, self.ema),
            DISCRIMINATOR: TrainState.from_variables(self.discriminator, discriminator, self.discriminator_optimizer),
        }

    def _transformed(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """Made images as the discriminator sees them."""
        if not self.transform_made:
            return images
        return self.augment({'image': images, 'weight': jnp.ones(len(images))}, key)['image']

    def _told(self, images: jax.Array, labels: jax.Array | None) -> jax.Array:
        """What the discriminator is given: images [N, H, W, C], with a channel a class where it is told the classes [N]."""
        if not self.conditional:
            return images
        channels = jax.nn.one_hot(labels, self.classes, dtype=images.dtype)[:, None, None]
        return jnp.concatenate([images, jnp.broadcast_to(channels, (*images.shape[:3], self.classes))], axis=-1)

    def _codes(self, noise: jax.Array, labels: jax.Array | None) -> jax.Array:
        """What the generator is given: noise [N, latent], and the class as one of C numbers that is 1."""
        if not self.conditional:
            return noise
        return jnp.concatenate([noise, jax.nn.one_hot(labels, self.classes, dtype=noise.dtype)], axis=-1)

    def _codes_of(self, count: int) -> jax.ShapeDtypeStruct:
        """The shape of so many codes."""
        return jax.ShapeDtypeStruct((count, self.latent + self.classes * self.conditional), jnp.float32)

    def _draws(self, key: jax.Array, count: int) -> Draws:
        noise_key, real_key, fake_key = jax.random.split(key, 3)
        transform_key, label_key, share_key, mixed_key = (jax.random.fold_in(key, number) for number in (3, 4, 5, 6))
        noise = normal_per_example(noise_key, count, (self.latent,))
        labels = (uniform_per_example(label_key, count) * self.classes).astype(jnp.int32) if self.conditional else None
        share = uniform_per_example(share_key, count)
        return Draws(self._codes(noise, labels), labels, real_key, fake_key, mixed_key, transform_key, share)

    def _score(self, network: TrainState, params: Any, images: jax.Array, weight: jax.Array, key: jax.Array):
        """Logits [N] and the discriminator's updated statistics, in training mode."""
        return self.discriminator.apply(
            network.variables(params), images, train=True, weight=weight, rngs={'dropout': key}, mutable=['batch_stats']
        )

    def _play(self, players: State, movers: Sequence[str], batch: Batch, draws: Draws) -> adversarial.Play:
        """The forward passes of a step of these players, of which only they may differ from what they are.

        Keeps what the discriminator said of real and of made images, and the penalty.
        """
        real_weight = batch['weight']
        fake_weight = jnp.ones_like(real_weight)

        def play(own: dict[str, Any]) -> tuple[adversarial.Losses, Any]:
            params = {name: player.params for name, player in players.items()} | own
            fakes, updates = self.generator.apply(
                players[GENERATOR].variables(params[GENERATOR]),
                draws.codes,
                train=True,
                weight=fake_weight,
                mutable=['batch_stats'],
            )
            judge = functools.partial(self._score, players[DISCRIMINATOR], params[DISCRIMINATOR])
            made = self._told(self._transformed(fakes, draws.transform_key), draws.labels)
            given = self._told(batch['image'], batch.get('label'))
            fake, _ = judge(made, fake_weight, draws.fake_key)
            real, statistics = judge(given, real_weight, draws.real_key)
            real_losses, fake_losses = discriminator_loss(real, fake, self.form)
            both = weighted_mean(real_losses, real_weight) + weighted_mean(fake_losses, fake_weight)
            losses = {
                GENERATOR: weighted_mean(generator_loss(fake, self.form), fake_weight),
                DISCRIMINATOR: self.discriminator_weight * both,
            }
            penalty = jnp.zeros_like(real_weight)
            if self.penalty:
                mixed = between(given, made, draws.share)
                penalty = gradient_penalty(lambda x: judge(x, real_weight, draws.mixed_key)[0], mixed)
                losses[DISCRIMINATOR] += self.penalty * weighted_mean(penalty, real_weight)
            changed = {GENERATOR: updates, DISCRIMINATOR: statistics}
            kept = ({name: changed[name] for name in movers}, (real, fake, penalty))
            return {name: losses[name] for name in movers}, kept

        return play

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update of both, or of the discriminator alone where it is not the generator's turn.

        batch: {'image': [N, H, W, C] float32, 'weight': [N]}, 'label': [N] where classes count; as many noise vectors as
        N, also where a short last batch holds fewer real images.
        """
        draws = self._draws(key, batch['weight'].shape[0])
        if self.order == 'simultaneous':
            new, losses, seen = adversarial.move(state, PLAYERS, self._play(state, PLAYERS, batch, draws))
            return new, self._losses(losses, batch) | self._seen(batch, *seen)
        first = [DISCRIMINATOR]
        moved, losses, seen = adversarial.move(state, first, self._play(state, first, batch, draws))

        def turn(players: State) -> tuple[State, Sums]:
            second = [GENERATOR]
            players, lost, _ = adversarial.move(players, second, self._play(players, second, batch, draws))
            return players, self._losses(lost, batch)

        new, made = adversarial.every(self.critic_steps, state[DISCRIMINATOR].step, turn, moved)
        return new, made | self._losses(losses, batch) | self._seen(batch, *seen)

    @staticmethod
    def _losses(losses: adversarial.Losses, batch: Batch) -> Sums:
        """Means of batch values, as published: each step counts as 1, on one device."""
        every_row = jnp.ones_like(batch['weight'])
        share = weighted_mean(every_row, every_row)
        return {f'{name}_loss': (loss, share) for name, loss in losses.items()}

    def _seen(self, batch: Batch, real: jax.Array, fake: jax.Array, penalty: jax.Array) -> Sums:
        measured = self._judged('real', real, batch['weight']) | self._judged('fake', fake, jnp.ones_like(fake))
        return measured | sums(batch['weight'], gradient_penalty=penalty) if self.penalty else measured

    def _judged(self, kind: str, outputs: jax.Array, weight: jax.Array) -> Sums:
        """How often the discriminator is right on real or on made images ('fake'), and its mean probability of being real.

        Outputs that are no logits are given as they are; where only their differences mean something, nobody is right.
        """
        logistic, border = self.form in LOGISTIC, real_above(self.form)
        value = {f'{kind}_probability': nn.sigmoid(outputs)} if logistic else {f'{kind}_output': outputs}
        if border is None:
            return sums(weight, **value)
        right = outputs > border if kind == 'real' else outputs <= border
        return sums(weight, **{f'{kind}_accuracy': right}, **value)

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """How the discriminator scores real examples that it was not trained on; what the judge sees of them and of made ones."""
        images = self._told(batch['image'], batch.get('label'))
        logits = self.discriminator.apply(state[DISCRIMINATOR].variables(), images, train=False)
        outputs = {'logits': logits}
        if self.judge is not None:
            noise, told = normal_per_example(key, len(logits), (self.latent,)), batch.get('label')
            outputs |= self.judge.compares(*map(self._shown, (batch['image'], self.generate(state, noise, told))))
            outputs |= {'told': told} if self.conditional else {}
        return self._judged('real', logits, batch['weight']), outputs

    @property
    def scored(self) -> tuple[str, ...]:
        """What the judge saw, and the classes that the generator was told."""
        seen = SEEN if self.judge is not None else ()
        return (*seen, 'told') if seen and self.conditional else seen

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """How far as many made images of the same classes are from those of a split, by the judge.

        class_obeyed: the share that the judge takes for the class that was asked for.
        """
        if self.judge is None:
            return {}
        found = scores({name: outputs[name] for name in SEEN})
        if self.conditional:
            found['class_obeyed'] = float((outputs['made_probabilities'].argmax(1) == outputs['told']).mean())
        return found

    def generate(self, state: State, noise: jax.Array, labels: jax.Array | None = None) -> jax.Array:
        """Images [N, H, W, C] in the training scale, in inference mode, by the average if there is one.

        noise: [N, latent]. labels: [N] classes, where they count; one class after the other if nothing is said.
        """
        if self.conditional and labels is None:
            labels = jnp.arange(len(noise)) % self.classes
        return self.generator.apply(state[GENERATOR].averaged(), self._codes(noise, labels), train=False)

    def sample(self, state: State, key: jax.Array, count: int) -> jax.Array:
        """`count` new images, in [0, 1]."""
        return self._shown(self.generate(state, jax.random.normal(key, (count, self.latent))))

    def _shown(self, images: jax.Array) -> jax.Array:
        """Images of the training scale in [0, 1]."""
        low, high = self.scale
        return jnp.clip((images - low) / (high - low), 0.0, 1.0)

    def snapshot(self, state: State, key: jax.Array) -> dict[str, jax.Array]:
        """Images of the same noise every time, in [0, 1]."""
        return {'image': self.sample(state, key, self.examples_shown)}

    def networks(self) -> Mapping[str, Any]:
        """Both, on one example."""
        shape = (*self.image_shape[:2], self.image_shape[2] + self.classes * self.conditional)
        return {
            GENERATOR: (self.generator, self._codes_of(1)),
            DISCRIMINATOR: (self.discriminator, jax.ShapeDtypeStruct((1, *shape), jnp.float32)),
        }
