"""What a variational autoencoder shows: the bound and its terms, reconstructions, samples, the latent space."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import labels_of, names_of
from jaxlab.data.pictures import pictures
from jaxlab.errors import UserError
from jaxlab.figures import Figure, Images
from jaxlab.measures.likelihood import importance_weighted_bound
from jaxlab.measures.losses import gaussian_kl_by_dimension
from jaxlab.protocol import Record, Report
from jaxlab.tasks import generative
from jaxlab.tasks.reporting import TaskReport
from jaxlab.tasks.vae import latent_figures
from jaxlab.tasks.vae.step import FEATURES, State, Vae

BLOCK, DRAWS = 100, 50  # images and draws of a code at a time
NEIGHBOURS = 5
TRAIN_CODES, TEST_CODES = 10_000, 2_000  # that the neighbours' rule takes, at most


@dataclasses.dataclass(frozen=True)
class VaeReport(TaskReport[Vae]):
    """importance_samples, importance_images: draws of a code an image, and images, of the importance-weighted bound."""

    importance_samples: int
    importance_images: int

    @classmethod
    def from_config(cls, config: Any, task: Vae, data: Dataset) -> Self:
        wishes = config.report.options
        samples, images = wishes.get('importance_samples', 0), wishes.get('importance_images', 0)
        if samples and task.reconstruction == FEATURES:
            raise UserError("config.report.options.importance_samples: 'features' are no likelihood; valid: 0")
        return cls(task, data, config.report.examples, samples, images)

    def report(self, record: Record) -> Report:
        """Figures are of the first replica, metrics of all."""
        return dataclasses.replace(self, task=self.task.judged_by(record.needs))._of(record)

    def _of(self, record: Record) -> Report:
        """The report of a task that has its judge, where there is one."""
        state = record.states[0]
        if self.split not in record.outputs:
            return Report(tuple(generative.progress(record, 'the same codes in every picture')))
        codes = record.outputs[self.split][0]
        by_image = gaussian_kl_by_dimension(jnp.asarray(codes['mean']), jnp.asarray(codes['log_variance']))
        kl = np.asarray(by_image).mean(0, dtype=np.float64)
        decode = functools.partial(self._decoded, state)
        figures: list[Figure] = [
            self._reconstructions(record, codes['mean']),
            *generative.progress(record, 'decoded from the same draws of N(0, I) in every picture'),
        ]
        figures += (
            latent_figures.plane(decode)
            if self.task.model.latent == 2
            else [latent_figures.traversal(decode, codes['mean'][0], kl)]
        )
        names = names_of(self.data)
        labels = labels_of(self.data.splits[self.split]) if names else None
        figures += [
            latent_figures.scatter(codes['mean'], kl, labels, names, self.split),
            latent_figures.interpolation(decode, codes['mean']),
        ]
        if not self.task.plain:
            figures.append(latent_figures.divergence(kl, self.split))
        metrics = self._beside(len(record.states))
        if names:
            metrics['latent_neighbours_accuracy'] = [
                self._neighbours(state, outputs['mean'])
                for state, outputs in zip(record.states, record.outputs[self.split], strict=True)
            ]
        if self.importance_samples and not self.task.plain:
            bounds = [self._importance_bound(state, record.key) for state in record.states]
            metrics[f'{self.split}_importance_bound'] = bounds
        found = Report(tuple(figures), metrics, tuple(self._remarks()), answer=self._answer(record, metrics))
        if self.task.judge is None:
            return found
        return found.followed_by(generative.judged(record, self.data)).followed_by(self._memorised(record))

    def _memorised(self, record: Record) -> Report:
        """Of samples: how near the training images they are."""
        draw = jax.jit(lambda state, key: self.task.sample(state, key, generative.BLOCK))
        makers = [
            lambda count, key, s=state: generative.in_blocks(lambda k: draw(s, k), key, count)
            for state in record.states
        ]
        return generative.memorised(makers, self.data, record.key)

    def _images(self, split: str, rows: np.ndarray) -> np.ndarray:
        """Prepared images [n, H, W, C] of a split."""
        low, high = self.task.scale
        return pictures(self.data, split, rows) * (high - low) + low

    @functools.cached_property
    def _decode(self) -> Any:
        return jax.jit(self.task.decode)

    def _decoded(self, state: State, codes: np.ndarray) -> np.ndarray:
        """Images of codes [N, D] of any number, block by block."""
        padded = np.concatenate([codes, np.zeros((-len(codes) % BLOCK, codes.shape[1]))]).astype(np.float32)
        blocks = [np.asarray(self._decode(state, padded[at : at + BLOCK])) for at in range(0, len(padded), BLOCK)]
        return np.concatenate(blocks)[: len(codes)]

    def _reconstructions(self, record: Record, codes: np.ndarray) -> Images:
        """Images above what the means of their codes decode to."""
        count = min(8, len(codes))
        given = np.asarray(self.task.targets(jnp.asarray(self._images(self.split, np.arange(count)))))
        low, high = self.task.scale
        both = np.concatenate([(given - low) / (high - low), self._decoded(record.states[0], codes[:count])])
        note = f'the first images of the {self.split} split (top) and what the means of their codes decode to (bottom)'
        return Images('reconstructions', 'Images and their reconstructions', note, both, columns=count)

    def _beside(self, replicas: int) -> dict[str, list[float]]:
        """What needs no network: every image answered with the mean training image; of grey values under BCE the least."""
        train, task = self.data.splits['train'], self.task
        blocks = (np.arange(at, min(at + 5000, train.size)) for at in range(0, train.size, 5000))
        mean = sum(pictures(self.data, 'train', rows).sum(0, dtype=np.float64) for rows in blocks) / train.size
        shown = np.clip(mean, 1e-6, 1 - 1e-6)
        logits = jnp.asarray(np.log(shown / (1 - shown)), jnp.float32)
        nats, errors, least = [], [], []
        for rows in self._blocks(self.data.splits[self.split].size):
            images = task.targets(jnp.asarray(self._images(self.split, rows)))
            repeated = jnp.broadcast_to(logits, images.shape)
            nats.append(np.asarray(task.reconstructed(repeated, images)))
            errors.append(np.square(np.asarray(images, np.float64) - mean).mean((1, 2, 3)))
            grey = np.clip(np.asarray(images, np.float64), 1e-12, 1 - 1e-12)
            least.append(-(grey * np.log(grey) + (1 - grey) * np.log1p(-grey)).sum((1, 2, 3)))
        found = {'mean_image_reconstruction': nats, 'mean_image_mse': errors}
        if task.reconstruction == 'bce' and not task.any_targets and not task.binary:
            found['least_reconstruction'] = least
        return {
            f'{self.split}_{name}': [float(np.concatenate(parts).mean(dtype=np.float64))] * replicas
            for name, parts in found.items()
        }

    @staticmethod
    def _blocks(size: int) -> Iterator[np.ndarray]:
        return (np.arange(at, min(at + BLOCK, size)) for at in range(0, size, BLOCK))

    @functools.cached_property
    def _encode(self) -> Any:
        return jax.jit(self.task.encode)

    def _neighbours(self, state: State, codes: np.ndarray) -> float:
        """Accuracy of the nearest training codes' vote on the class of the reported split's codes."""
        from sklearn.neighbors import KNeighborsClassifier

        train = self.data.splits['train']
        rows = np.random.default_rng(0).permutation(train.size)[:TRAIN_CODES]
        rows = rows[: len(rows) // BLOCK * BLOCK or len(rows)]
        blocks = [rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK)]
        known = np.concatenate([np.asarray(self._encode(state, self._images('train', block))) for block in blocks])
        rule = KNeighborsClassifier(min(NEIGHBOURS, len(known))).fit(known, labels_of(train)[rows])
        return float(rule.score(codes[:TEST_CODES], labels_of(self.data.splits[self.split])[:TEST_CODES]))

    @functools.cached_property
    def _log_weights(self) -> Any:
        return jax.jit(lambda state, images, key: self.task.log_weights(state, images, key, DRAWS))

    def _importance_bound(self, state: State, key: jax.Array) -> float:
        """Nats an image: minus the mean bound of the first images of the reported split."""
        size = self.data.splits[self.split].size
        size, found = min(self.importance_images or size, size), []
        for number, rows in enumerate(self._blocks(size)):
            images = self.task.targets(jnp.asarray(self._images(self.split, np.resize(rows, BLOCK))))
            bound = importance_weighted_bound(self._weights(state, images, jax.random.fold_in(key, number)))
            found.append(bound[: len(rows)])
        return -float(np.concatenate(found).mean())

    def _weights(self, state: State, images: jax.Array, key: jax.Array) -> Iterator[np.ndarray]:
        """Log weights in blocks of at most DRAWS, `importance_samples` draws in all."""
        for first in range(0, self.importance_samples, DRAWS):
            block = np.asarray(self._log_weights(state, images, jax.random.fold_in(key, first)))
            yield block[: self.importance_samples - first]

    def _answer(self, record: Record, metrics: dict[str, list[float]]) -> str:
        """The held-out bound in words."""
        known = {**record.metrics, **metrics}
        value = {name: float(np.mean(known[f'{self.split}_{name}'])) for name in ('reconstruction', 'kl', 'mse')}
        beside = float(np.mean(metrics[f'{self.split}_mean_image_mse']))
        share = explained(value['mse'], beside)
        what = f'A held-out image costs {value["reconstruction"]:.2f} for its pixels given its code'
        if self.task.plain:
            return f'{what}; the code of {self.task.model.latent} numbers explains {share}.'
        active = float(np.mean(known[f'{self.split}_active_latents']))
        return (
            f'{what} and {value["kl"]:.2f} nats for the code itself: {value["reconstruction"] + value["kl"]:.2f} together. '
            f'{active:.3g} of {self.task.model.latent} latent numbers say something of the image, and explain {share}.'
        )

    def _remarks(self) -> list[str]:
        """The scales that numbers are on, and what was changed about the bound."""
        task, found = self.task, []
        scales = {
            'bce': 'the cross-entropy of all pixels, in nats',
            'squared': 'the sum of squared differences of all pixels: nats of a Gaussian of variance 1/2, less its constant',
            FEATURES: 'how unlike the images are to the layers of the network that judges, times the number of pixels: no nats, '
            'and no bound',
            'gaussian': f'nats of a Gaussian of deviation {task.deviation:g} a pixel, summed over pixels',
        }
        found.append(f'Reconstruction is {scales[task.reconstruction]}; the divergence is summed over latent numbers.')
        if task.reduction == 'mean' and not task.plain:
            found.append(
                f'Trained was the mean over {task.pixels:,} pixels plus {task.kl_weight:g} times the divergence: beside a sum '
                f'over pixels the divergence weighs {task.true_kl_weight:,.6g}.'
            )
        if task.reconstruction == 'bce' and not task.binary and not task.any_targets:
            found.append(
                'Grey pixels are no draws: their cross-entropy cannot fall below least_reconstruction, and the value is a bound '
                'on no likelihood; it cannot be compared with that of binary pixels.'
            )
        if task.any_targets:
            found.append(
                f'Targets lie in {task.scale}, where the cross-entropy of a sigmoid has no least value: its nats mean nothing.'
            )
        if task.binary:
            found.append(
                'Pixels are drawn black or white by their grey value: anew at each update, once for held-out images.'
            )
        if task.warm_up:
            found.append(
                f'The KL weight rises over the first {task.warm_up:g} epochs; held-out images always pay all of it.'
            )
        if task.free_bits:
            found.append(
                f'In training {task.free_bits:g} nats of each latent number cost nothing, clamped after the mean over the batch; '
                'every number shown is unclamped.'
            )
        if self.importance_samples and not task.plain:
            found.append(f'The importance-weighted bound takes {self.importance_samples:,} draws of a code an image.')
        return found


def explained(mse: float, beside: float) -> str:
    """What a reconstruction explains, in words. beside: the error of the mean training image."""
    if not beside:
        return 'all of its pixels'
    share = 1 - mse / beside
    of = 'of the variance of its pixels'
    return f'{share:.0%} {of}' if share > 0 else f'nothing {of} (the mean training image is no worse)'
