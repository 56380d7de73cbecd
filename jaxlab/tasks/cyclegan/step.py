"""Translation between two sets of images without pairs: CycleGAN (Zhu et al. 2017, arXiv 1703.10593), as B21 states it.

Four players. For each domain, `generator_DOMAIN` makes its images from those of the other, `discriminator_DOMAIN` tells
real ones of it from made ones. The generators move together, then the discriminators, which see what was made before that.
The networks have neither dropout nor running statistics: a pass in training is one in use.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.errors import UserError
from jaxlab.measures.losses import absolute_error, discriminator_loss, generator_loss, real_above
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.optimizers import TrainState
from jaxlab.protocol import Batch, Needed, Sums
from jaxlab.tasks import adversarial
from jaxlab.tasks.gan.checks import check_discriminator, check_options
from jaxlab.tasks.image_pool import ImagePool, exchange
from jaxlab.tasks.judging import SEEN, Judge, scores

State = dict[str, Any]  # {player: TrainState, f'pool_{domain}': ImagePool}
Domains = dict[str, jax.Array]  # domain -> what there is of it
TEAM = 'generator'
JUDGED = ('frechet_distance', 'kernel_distance', 'sample_precision', 'sample_recall')


@dataclasses.dataclass(frozen=True, eq=False)
class CycleGan:
    """`form`: of the loss; `cycle`, `identity`: weights of the mean absolute errors, both ways together.

    `discriminator_weight`: factor of each discriminator's loss; `pool`: images made before that each of them may be shown
    in place of new ones (0: none); `ema`: decay of the generators' moving averages, with which everything is translated
    that is shown or scored (0: none). `shown`: gives domain -> prepared images, which are translated in every snapshot.
    """

    generator: Any  # Flax modules, one form for both directions
    discriminator: Any
    generator_optimizer: optax.GradientTransformation
    discriminator_optimizer: optax.GradientTransformation
    domains: tuple[str, str]
    image_shape: tuple[int, ...]
    scale: tuple[float, float]
    shown: Callable[[], dict[str, jax.Array]]
    form: str = 'least_squares'
    cycle: float = 10.0
    identity: float = 5.0
    discriminator_weight: float = 0.5
    pool: int = 50
    ema: float = 0.0
    judge: Judge | None = dataclasses.field(default=None, kw_only=True)  # of translated images, once there is one

    @classmethod
    def from_config(
        cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any
    ) -> 'CycleGan':
        check_options(options, 0)
        for name in ('cycle', 'identity', 'pool'):
            if options.get(name, 0) < 0:
                raise UserError(f'config.task.{name} = {options[name]!r}; valid: a number from 0')
        domains = [field.removeprefix('image_') for field in data.features if field.startswith('image_')]
        if len(domains) != 2:
            raise UserError(
                f'task cyclegan translates between two unpaired domains; {data.name} has {len(domains)}; valid: '
                'data.name=horse2zebra, in whose place your own pictures may lie as horse2zebra/trainA, trainB, testA, testB'
            )
        first, second = domains
        roles = adversarial.built(config, ('generator', 'discriminator'), steps_per_epoch, total_steps)
        (generator, generator_rule), (discriminator, discriminator_rule) = roles.values()
        blank = _images(data.splits['train'].blank(1), (first, second))
        shape, other = (tuple(blank[domain].shape[1:]) for domain in domains)
        if shape != other:
            raise UserError(f'task cyclegan: images of {first} and {second} differ in shape, {shape} and {other}')
        task = cls(
            generator,
            discriminator,
            generator_rule,
            discriminator_rule,
            (first, second),
            shape,
            tuple(config.data.scale),
            functools.partial(_first, data, (first, second), config.report.examples),
            **options,
        )
        task.check_networks()
        return task

    def judged_by(self, needs: Mapping[str, Needed]) -> 'CycleGan':
        """The same with the classifier in `config.needs` as a judge of what is made."""
        return dataclasses.replace(self, judge=Judge.of(needs))

    def check_networks(self) -> None:
        """Refuses networks that the task is not made for, before anything is trained."""
        for role, module in (('generator', self.generator), ('discriminator', self.discriminator)):
            images = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
            variables = jax.eval_shape(lambda x, module=module: module.init(jax.random.key(0), x, train=False), images)
            if set(variables) != {'params'}:
                raise UserError(
                    f'config.model.{role} keeps {", ".join(sorted(set(variables) - {"params"}))}; valid with task cyclegan: a '
                    'network with parameters alone, such as one with instance norm'
                )
            output = lambda variables, x, module=module: module.apply(variables, x, train=False)
            if role == 'discriminator':
                check_discriminator(output, variables, images, self.form, False)
            elif jax.eval_shape(output, variables, images).shape != images.shape:
                raise UserError(
                    f'config.model.generator gives other shapes than {self.image_shape}; valid: an image to an image'
                )

    def init(self, key: jax.Array, example: Batch) -> State:
        """Four networks, each from its own key, and two empty pools where there are any."""
        state: State = {}
        for domain, own in zip(self.domains, jax.random.split(key), strict=True):
            for (role, module, rule, ema), each in zip(self._roles(), jax.random.split(own), strict=True):
                variables = module.init({'params': each}, example[f'image_{domain}'][:1], train=False)
                state[f'{role}_{domain}'] = TrainState.from_variables(module, variables, rule, ema)
            if self.pool:
                state[f'pool_{domain}'] = ImagePool.empty(self.pool, self.image_shape)
        return state

    def _roles(self) -> tuple[tuple[str, Any, optax.GradientTransformation, float], ...]:
        return (
            ('generator', self.generator, self.generator_optimizer, self.ema),
            ('discriminator', self.discriminator, self.discriminator_optimizer, 0.0),
        )

    def _pairs(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(domain, the other one), both ways."""
        first, second = self.domains
        return (first, second), (second, first)

    def _players(self, role: str) -> tuple[str, ...]:
        return tuple(f'{role}_{domain}' for domain in self.domains)

    def translate(self, params: Any, images: jax.Array) -> jax.Array:
        """By the generator with these parameters: images [N, H, W, C] of one domain in the training scale -> the other."""
        return self.generator.apply({'params': params}, images, train=False)

    def translated(self, params: Any, images: jax.Array) -> jax.Array:
        """The same of images in [0, 1], in [0, 1]."""
        low, high = self.scale
        return self.unit(self.translate(params, images * (high - low) + low))

    def _judge(self, params: Any, images: jax.Array) -> jax.Array:
        return self.discriminator.apply({'params': params}, images, train=False)

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update of all four. batch, for each domain D: `image_D` [N, H, W, C] float32, `weight_D` [N]."""
        images, weights = _images(batch, self.domains), _weights(batch, self.domains)
        play = self._made(state, images, weights)
        moved, losses, (parts, made) = adversarial.move(
            state, self._players('generator'), play, {TEAM: self._players('generator')}
        )
        given, pools = dict(made), {}
        for number, (domain, other) in enumerate(self._pairs() if self.pool else ()):
            pools[f'pool_{domain}'], given[domain] = exchange(
                state[f'pool_{domain}'], made[domain], weights[other], jax.random.fold_in(key, number)
            )
        play = self._told_apart(images, given, weights)
        moved, found, accuracies = adversarial.move(moved, self._players('discriminator'), play)
        every_row = jnp.ones_like(batch['weight'])
        share = weighted_mean(every_row, every_row)  # 1 on one device: each step's means count alike, as published
        measured: Sums = {f'{name}_loss': (loss, share) for name, loss in (losses | parts | found).items()}
        return {**moved, **pools}, measured | accuracies

    def _made(self, state: State, images: Domains, weights: Domains) -> adversarial.Play:
        """The generators' loss, its parts before they are weighted, and domain -> made images [N, H, W, C]."""

        def play(own: dict[str, Any]) -> tuple[adversarial.Losses, Any]:
            translated = lambda domain, given: self.translate(own[f'generator_{domain}'], given)
            made = {domain: translated(domain, images[other]) for domain, other in self._pairs()}
            loss, parts = jnp.zeros(()), {}
            for domain, other in self._pairs():
                outputs = self._judge(state[f'discriminator_{domain}'].params, made[domain])
                again = absolute_error(translated(other, made[domain]), images[other])
                parts[f'adversarial_{domain}'] = weighted_mean(generator_loss(outputs, self.form), weights[other])
                parts[f'cycle_{other}'] = weighted_mean(again, weights[other])
                loss += parts[f'adversarial_{domain}'] + self.cycle * parts[f'cycle_{other}']
                if self.identity:
                    same = absolute_error(translated(domain, images[domain]), images[domain])
                    parts[f'identity_{domain}'] = weighted_mean(same, weights[domain])
                    loss += self.identity * parts[f'identity_{domain}']
            return {TEAM: loss}, ({}, (parts, made))

        return play

    def _told_apart(self, images: Domains, made: Domains, weights: Domains) -> adversarial.Play:
        """Each discriminator's loss, and how often each is right."""

        def play(own: dict[str, Any]) -> tuple[adversarial.Losses, Any]:
            losses: dict[str, jax.Array] = {}
            right: Sums = {}
            for domain, other in self._pairs():
                real, fake = (self._judge(own[f'discriminator_{domain}'], x[domain]) for x in (images, made))
                on_real, on_fake = discriminator_loss(real, fake, self.form)
                both = weighted_mean(on_real, weights[domain]) + weighted_mean(on_fake, weights[other])
                losses[f'discriminator_{domain}'] = self.discriminator_weight * both
                right |= self._right(domain, (real, weights[domain]), (fake, weights[other]))
            return losses, ({}, right)

        return play

    def _right(self, domain: str, real: tuple[jax.Array, jax.Array], fake: tuple[jax.Array, jax.Array]) -> Sums:
        """How often a discriminator is right, on real and made images alike; nothing where only differences count.

        real, fake: (its outputs, weights [N]).
        """
        border, name = real_above(self.form), f'discriminator_{domain}_accuracy'
        if border is None:
            return {}
        one, two = sums(real[1], **{name: real[0] > border})[name], sums(fake[1], **{name: fake[0] <= border})[name]
        return {name: (one[0] + two[0], one[1] + two[1])}

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Both ways, of examples that were not trained on: there and back, as is and through 8-bit files in between.

        Information that a generator hides in faint noise does not survive such a file. Data whose true translation is known
        have it as `counterpart_D` beside `image_D`, uint8 or in [0, 1]; then the mean absolute error of the translation to
        each domain in [0, 1] is measured, and the correlation of its pixels with the true ones (negative: inverted).
        """
        del key
        images, weights = _images(batch, self.domains), _weights(batch, self.domains)
        params = {domain: state[f'generator_{domain}'].averaged()['params'] for domain in self.domains}
        measured: Sums = {}
        outputs: dict[str, jax.Array] = {}
        for domain, other in self._pairs():
            made = self.translate(params[domain], images[other])
            again = self.translate(params[other], self._filed(made))
            same = self.translate(params[domain], images[domain])
            plain = absolute_error(self.translate(params[other], made), images[other])
            filed = absolute_error(again, images[other])
            measured |= sums(weights[other], **{f'cycle_{other}_loss': plain, f'cycle_{other}_8bit_loss': filed})
            measured |= sums(weights[domain], **{f'identity_{domain}_loss': absolute_error(same, images[domain])})
            judge = state[f'discriminator_{domain}'].params
            real, fake = (self._judge(judge, x) for x in (images[domain], made))
            measured |= self._right(domain, (real, weights[domain]), (fake, weights[other]))
            if f'counterpart_{other}' in batch:
                truth = batch[f'counterpart_{other}']
                truth = truth.astype(jnp.float32) / (255 if truth.dtype == jnp.uint8 else 1)
                error, alike = absolute_error(self.unit(made), truth), correlation(made, truth)
                names = f'translation_{domain}_error', f'translation_{domain}_correlation'
                measured |= sums(weights[other], **dict(zip(names, (error, alike), strict=True)))
            outputs |= {f'made_{domain}': made, f'again_{other}': again, f'same_{domain}': same}
        outputs = {name: self.unit(shown) for name, shown in outputs.items()}
        return measured, outputs | self._seen(images, outputs, weights)

    def _seen(self, images: Domains, made: Domains, weights: Domains) -> dict[str, jax.Array]:
        """What the judge sees of each domain's real and made images; `there_D` [N]: whether a row has an image of D."""
        if self.judge is None:
            return {}
        found = {f'there_{domain}': weights[domain] > 0 for domain in self.domains}
        for domain in self.domains:
            seen = self.judge.compares(self.unit(images[domain]), made[f'made_{domain}'])
            found |= {f'{name}_{domain}': values for name, values in seen.items()}
        return found

    @property
    def scored(self) -> tuple[str, ...]:
        """What the judge saw."""
        names = ('there', *SEEN) if self.judge is not None else ()
        return tuple(f'{name}_{domain}' for name in names for domain in self.domains)

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """For each domain what the judge says of the images translated to it, `translation_D_...`.

        recognised: the share that it takes for what it takes most real images of D for.
        """
        del totals, part
        found: dict[str, float] = {}
        for domain in self.domains if self.scored else ():
            seen = self.seen(outputs, domain)
            usual = np.bincount(seen['real_probabilities'].argmax(1)).argmax()
            measured = scores(seen)
            named = {name: measured[name] for name in JUDGED}
            named['recognised'] = float((seen['made_probabilities'].argmax(1) == usual).mean())
            found |= {f'translation_{domain}_{name}': value for name, value in named.items()}
        return found

    def seen(self, outputs: Mapping[str, np.ndarray], domain: str) -> dict[str, np.ndarray]:
        """What the judge saw of a domain, of the rows that have an image: `SEEN`, real [N, ...] and made [M, ...]."""
        other = next(each for each in self.domains if each != domain)
        there = {'real': outputs[f'there_{domain}'], 'made': outputs[f'there_{other}']}
        return {name: outputs[f'{name}_{domain}'][there[name.split('_')[0]]] for name in SEEN}

    def unit(self, images: jax.Array) -> jax.Array:
        """From the training scale to [0, 1]."""
        low, high = self.scale
        return jnp.clip((images - low) / (high - low), 0.0, 1.0)

    def _filed(self, images: jax.Array) -> jax.Array:
        """As they come back from a file of 8 bits a channel."""
        low, high = self.scale
        return jnp.round(self.unit(images) * 255) / 255 * (high - low) + low

    def snapshot(self, state: State, key: jax.Array) -> dict[str, jax.Array]:
        """The same images translated every time, by both generators, in [0, 1]."""
        del key
        found, images = {}, self.shown()
        for domain, other in self._pairs():
            params = state[f'generator_{domain}'].averaged()['params']
            found[f'made_{domain}'] = self.unit(self.translate(params, images[other]))
        return found

    def networks(self) -> Mapping[str, Any]:
        """All four, on one image."""
        example = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
        modules = {'generator': self.generator, 'discriminator': self.discriminator}
        return {f'{role}_{domain}': (module, example) for role, module in modules.items() for domain in self.domains}


def correlation(one: jax.Array, other: jax.Array) -> jax.Array:
    """[N, ...] and [N, ...] -> [N]: Pearson's, over all numbers of an example; 0 where either is constant."""
    one, other = (x.reshape(len(x), -1) - x.reshape(len(x), -1).mean(-1, keepdims=True) for x in (one, other))
    scale = jnp.sqrt(jnp.square(one).sum(-1) * jnp.square(other).sum(-1))
    return (one * other).sum(-1) / jnp.where(scale > 0, scale, 1)


def _first(data: Dataset, domains: tuple[str, ...], count: int) -> dict[str, jax.Array]:
    """The first test images of each domain (training images where there is no test), prepared."""
    part = data.splits['test' if 'test' in data.splits else 'train']
    rows = part.read(range(min(count, part.size)))
    return _images(data.prepare({name: jnp.asarray(values) for name, values in rows.items()}), domains)


def _images(batch: Mapping[str, Any], domains: tuple[str, ...]) -> dict[str, Any]:
    return {domain: batch[f'image_{domain}'] for domain in domains}


def _weights(batch: Mapping[str, Any], domains: tuple[str, ...]) -> dict[str, Any]:
    return {domain: batch[f'weight_{domain}'] for domain in domains}
