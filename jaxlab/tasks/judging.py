"""Made examples as another network sees them: one that was trained on real examples (`config.needs.scorer`).

A task that makes examples gives a split's real ones and as many made ones to the judge in its `eval_step`; `scores` compares
them on the host, so that a distance can be followed over the epochs, choose a checkpoint, stop or tune.
Images here are [N, H, W, C] float32 in [0, 1].
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.measures.frechet import frechet_distance
from jaxlab.measures.kernel_distance import kernel_distance
from jaxlab.measures.manifold import class_coverage, precision_recall
from jaxlab.protocol import Needed

ROLE = 'scorer'
SURE = 0.9  # the judge's probability of its class from which an image counts as readable
NEIGHBOURS = 3  # of precision and recall
SEEN = ('real_features', 'real_probabilities', 'made_features', 'made_probabilities')


@dataclasses.dataclass(frozen=True)
class Judge:
    """A trained classifier. accuracy: of its test split, NaN where it has none."""

    task: Any
    state: Any
    accuracy: float

    @classmethod
    def of(cls, needs: Mapping[str, Needed]) -> Self | None:
        """That of `config.needs.scorer`, if there is one."""
        if ROLE not in needs:
            return None
        needed = needs[ROLE]
        return cls(needed.task, needed.state, float(np.mean(needed.metrics.get('test_accuracy', [np.nan]))))

    @property
    def name(self) -> str:
        """Of its network: 'LeNet'."""
        return type(self.task.model).__name__

    def sees(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(features [N, D], class probabilities [N, C]) of images, rounded to 8 bits as real ones are."""
        low, high = self.task.scale
        scaled = jnp.round(jnp.clip(images, 0, 1) * 255) / 255 * (high - low) + low
        return self.task.embed(self.state, scaled), self.task.predict(self.state, scaled)

    def unlike(self, images: jax.Array, others: jax.Array) -> jax.Array:
        """[N]: how unlike two images are to it, the mean over its layers of `|f(a) - f(b)|^2 / |f(a)|^2`, f what a layer reads.

        The images in its own scale are what its first layer reads. After Hou et al. 2017, arXiv 1610.00291, who weigh layers
        by hand; here each counts alike, whatever the size of its numbers. Gradients go to `others`.
        """
        low, high = self.task.scale
        both = (self.task.maps(self.state, each * (high - low) + low) for each in (images, others))
        return jnp.stack([_relative(jax.lax.stop_gradient(a), b) for a, b in zip(*both, strict=True)]).mean(0)

    def compares(self, real: jax.Array, made: jax.Array) -> dict[str, jax.Array]:
        """What it sees of real and of made images: the outputs of an `eval_step`, [N, ...] each."""
        return dict(zip(SEEN, (*self.sees(real), *self.sees(made)), strict=True))


def _relative(a: jax.Array, b: jax.Array) -> jax.Array:
    """[N] of [N, ...]: the squared difference beside the square of `a`, which counts as 0.01 at the least (silent units)."""
    axes = tuple(range(1, a.ndim))
    return jnp.square(a - b).mean(axes) / jnp.maximum(jnp.square(a).mean(axes), 0.01)


def scores(seen: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Of a whole split and as many made images; NaN where these are fewer than two, or a made image is no image any more (a
    network that diverged)."""
    real, made = seen['real_features'].astype(np.float64), seen['made_features'].astype(np.float64)
    classes, sure = seen['made_probabilities'], (seen['made_probabilities'].max(axis=1) >= SURE).mean()
    shares, real_shares = class_shares(classes), class_shares(seen['real_probabilities'])
    if min(len(real), len(made)) < 2 or not np.isfinite(made).all():
        return dict.fromkeys(NAMES, float('nan'))
    near = precision_recall(real, made, min(NEIGHBOURS, len(real) - 1, len(made) - 1))
    found = (
        frechet_distance(made, real),
        kernel_distance(made, real),
        near.precision,
        near.recall,
        float(classes.max(axis=1).mean()),
        float(sure),
        class_coverage(shares, real_shares),
        entropy(shares),
    )
    return dict(zip(NAMES, found, strict=True))


NAMES = (
    'frechet_distance',
    'kernel_distance',
    'sample_precision',
    'sample_recall',
    'scorer_confidence',
    'sure_share',
    'class_coverage',
    'classes_entropy',
)


def class_shares(probabilities: np.ndarray) -> np.ndarray:
    """[C]: how often each class is the likeliest one."""
    return np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1]) / len(probabilities)


def entropy(shares: np.ndarray) -> float:
    """Of a distribution, in nats; ln(classes) where all are made equally often."""
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())
