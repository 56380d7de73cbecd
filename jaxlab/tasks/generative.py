"""What every generative task reports: grids over the epochs, nearest training images, a score in a classifier's features.

Images here are [N, H, W, C] float32 in [0, 1].
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import names_of
from jaxlab.data.pictures import pictures
from jaxlab.figures import Animation, Bars, Figure, Images
from jaxlab.measures.frechet import frechet_distance
from jaxlab.protocol import Needed, Record, Report

SURE = 0.9  # the scorer's probability of its class from which an image counts as readable
BLOCK = 250  # images drawn or scored at a time
Sampler = Callable[[int, jax.Array], np.ndarray]  # (count, key) -> images


def in_blocks(draw: Callable[[jax.Array], jax.Array], key: jax.Array, count: int) -> np.ndarray:
    """`count` images from a function that draws BLOCK of them for a key."""
    parts = [np.asarray(draw(jax.random.fold_in(key, block))) for block in range(-(-count // BLOCK))]
    return np.concatenate(parts)[:count]


def progress(record: Record, note: str) -> list[Figure]:
    """The last grid, and an animation of all of them. Snapshots are {'image': [N, H, W, C]} in [0, 1]."""
    if not record.snapshots:
        return []
    columns = int(np.ceil(np.sqrt(len(record.snapshots[0][1]['image']))))
    frames = [
        Images(f'samples_epoch_{epoch:04d}', f'Samples after epoch {epoch}', note, arrays['image'], columns=columns)
        for epoch, arrays in record.snapshots
    ]
    animation = Animation('samples_over_epochs', 'Samples over the epochs', note, frames, 0.6)
    # The last one first: it is what a reader wants to see.
    return [frames[-1], animation, *([frames[0], frames[len(frames) // 2]] if len(frames) > 3 else frames[:-1])]


def nearest(images: np.ndarray, data: Dataset) -> Images:
    """Below each made image the training image nearest to it (squared distance of pixels): is one merely a copy?"""
    train = data.splits['train']
    real = pictures(data, 'train', np.arange(train.size)).reshape(train.size, -1)
    made = images.reshape(len(images), -1)
    squares = (real**2).sum(axis=1)[None] - 2 * made @ real.T + (made**2).sum(axis=1)[:, None]
    rows = squares.argmin(axis=1)
    distance = np.sqrt(np.maximum(squares[np.arange(len(rows)), rows], 0) / made.shape[1])
    captions = ['made'] * len(images) + [f'r.m.s. {value:.2f}' for value in distance]
    note = f'nearest of {train.size:,} training images by root mean square difference of pixels (0 would be a copy)'
    both = np.concatenate([images, pictures(data, 'train', rows)])
    return Images(
        'nearest_training_images',
        'Made images (top), nearest training images (bottom)',
        note,
        both,
        captions,
        columns=len(images),
    )


def score(samplers: Sequence[Sampler], scorer: Needed, data: Dataset, key: jax.Array) -> Report:
    """Fréchet distance in the scorer's features, with real against real as the floor, and what classes are made.

    As many made images as the test split has are compared with it; the floor compares as many training images with it,
    so both carry the same bias of a finite sample.
    """
    test, train = data.splits['test'], data.splits['train']
    count = min(test.size, train.size)
    real = pictures(data, 'test', np.arange(count))
    rows = np.random.default_rng(0).permutation(train.size)[:count]
    look = _looker(scorer)
    real_features, real_probabilities = look(real)
    floor = frechet_distance(look(pictures(data, 'train', rows))[0], real_features)
    called, sure_real = _name(scorer), float((real_probabilities.max(axis=1) >= SURE).mean())
    distances, confidences, sure, histograms = [], [], [], []
    for replica, sampler in enumerate(samplers):
        features, probabilities = look(sampler(count, jax.random.fold_in(key, 1000 + replica)))
        distances.append(frechet_distance(features, real_features))
        confidences.append(float(probabilities.max(axis=1).mean()))
        sure.append(float((probabilities.max(axis=1) >= SURE).mean()))
        histograms.append(np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1]) / count)
    metrics = {
        'frechet_distance': distances,
        'frechet_floor': [floor] * len(distances),
        'scorer_confidence': confidences,
        'sure_share': sure,
        'sure_share_real': [sure_real] * len(sure),
        'classes_entropy': [entropy(histogram) for histogram in histograms],
    }
    accuracy = np.mean(scorer.metrics.get('test_accuracy', [np.nan]))
    note = f'as called by a {called} with {accuracy:.2%} test accuracy; {count:,} images each'
    heights = {
        'made': histograms[0],
        'real (test)': np.bincount(real_probabilities.argmax(axis=1), minlength=len(histograms[0])) / count,
    }
    bars = Bars('classes_of_samples', 'Which classes are made', note, names_of(data), heights, {}, 'class', 'share')
    remark = (
        f'In the features of a {called} trained here ({accuracy:.2%} on its test split) the Fréchet distance of {count:,} made '
        f'images to the test split is {np.mean(distances):.2f}; {count:,} real training images score {floor:.2f}.'
    )
    times = np.mean(distances) / floor if floor else np.inf
    answer = (
        f'{_verdict(np.mean(sure), sure_real)}: a {called} trained on real images is sure (at least {SURE:.0%}) what '
        f'{np.mean(sure):.0%} of the made ones show, and what {sure_real:.0%} of real ones show. The Fréchet distance of made to '
        f'real images, {np.mean(distances):.1f}, is {times:.1f} times that of real ones to real ones.'
    )
    return Report((bars,), metrics, (remark,), answer=answer)


def _verdict(sure: float, sure_real: float) -> str:
    """The answer in a word."""
    share = sure / sure_real if sure_real else 0.0
    return 'Yes' if share >= 0.9 else 'Mostly' if share >= 0.75 else 'Partly' if share >= 0.4 else 'Hardly'


def _name(scorer: Needed) -> str:
    """What the scoring network is called."""
    return type(scorer.task.model).__name__


def entropy(shares: np.ndarray) -> float:
    """Of a distribution, in nats; ln(classes) where all are made equally often."""
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())


def _looker(scorer: Needed) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """images [N, H, W, C] in [0, 1] -> (features [N, D] float64, probabilities [N, classes]) of the scorer."""
    low, high = scorer.task.scale

    @jax.jit
    def look(state: Any, images: jax.Array) -> tuple[Any, Any]:
        scaled = images * (high - low) + low
        return scorer.task.embed(state, scaled), scorer.task.predict(state, scaled)

    def all_of(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded = np.concatenate([images, np.zeros((-len(images) % BLOCK, *images.shape[1:]), images.dtype)])
        parts = [look(scorer.state, jnp.asarray(padded[at : at + BLOCK])) for at in range(0, len(padded), BLOCK)]
        features = np.concatenate([np.asarray(part[0]) for part in parts])[: len(images)]
        return features.astype(np.float64), np.concatenate([np.asarray(part[1]) for part in parts])[: len(images)]

    return all_of
