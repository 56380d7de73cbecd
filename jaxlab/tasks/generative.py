"""What every generative task reports: grids over the epochs, nearest training images, a score in a classifier's features.

Images here are [N, H, W, C] float32 in [0, 1].
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import names_of
from jaxlab.data.pictures import pictures
from jaxlab.figures import Animation, Bars, Figure, Images, Table
from jaxlab.measures.frechet import frechet_distance
from jaxlab.protocol import Record, Report
from jaxlab.tasks.judging import SURE, Judge, class_shares

BLOCK = 250  # images drawn or scored at a time


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


def judged(record: Record, data: Dataset) -> Report:
    """What the judge in `config.needs` says at the end: which classes are made, how far made images are from real ones.

    The test split is compared with as many made images. Real against real is the floor: as many training images as there
    are compare with the test split, so both carry the same bias of a finite sample.
    """
    judge = Judge.of(record.needs)
    if judge is None or 'test' not in record.outputs:
        return Report()
    seen, train = record.outputs['test'], data.splits['train']
    count = len(seen[0]['real_features'])
    rows = np.random.default_rng(0).permutation(train.size)[:count]
    again = _seen_by(judge, pictures(data, 'train', rows))
    floor = frechet_distance(again.astype(np.float64), seen[0]['real_features'].astype(np.float64))
    sure_real = float((seen[0]['real_probabilities'].max(axis=1) >= SURE).mean())
    replicas = len(record.states)
    metrics = {'frechet_floor': [floor] * replicas, 'sure_share_real': [sure_real] * replicas}
    called = f'{judge.name} with {judge.accuracy:.2%} test accuracy'
    heights = {
        'made': class_shares(seen[0]['made_probabilities']),
        'real (test)': class_shares(seen[0]['real_probabilities']),
    }
    note = f'as called by a {called}; {count:,} images each'
    bars = Bars('classes_of_samples', 'Which classes are made', note, names_of(data), heights, {}, 'class', 'share')
    distance, sure = (float(np.mean(record.metrics[f'test_{name}'])) for name in ('frechet_distance', 'sure_share'))
    remark = (
        f'In the features of a {called} the Fréchet distance of {count:,} made images to the test split is {distance:.2f}; '
        f'{len(rows):,} real training images score {floor:.2f}.'
    )
    times = distance / floor if floor else np.inf
    answer = (
        f'{_verdict(sure, sure_real)}: a {judge.name} trained on real images is sure (at least {SURE:.0%}) what {sure:.0%} of '
        f'the made ones show, and what {sure_real:.0%} of real ones show. The Fréchet distance of made to real images, '
        f'{distance:.1f}, is {times:.1f} times that of real ones to real ones.'
    )
    figures: list[Figure] = [bars, *cost_of_choosing(record.history, 'frechet_distance')]
    return Report(tuple(figures), metrics, (remark,), answer=answer)


def cost_of_choosing(history: Sequence[Mapping[str, Any]], metric: str) -> list[Figure]:
    """A score (less is better) of the last epoch, of the best by the validation split, and of the best by the test split.

    Every replica chooses for itself. What the last one shows is no result: it chose by what it is judged by.
    """
    rows = [row for row in history if f'test_{metric}' in row]
    if len(rows) < 2:
        return []
    test = np.asarray([row[f'test_{metric}'] for row in rows])  # [epochs, replicas]
    epochs, replicas = np.asarray([row['epoch'] for row in rows]), test.shape[1]
    chosen = {'the last': np.full(replicas, len(rows) - 1)}
    if f'validation_{metric}' in rows[-1]:
        held_out = np.asarray([row.get(f'validation_{metric}', [np.inf] * replicas) for row in rows])
        chosen['best by validation'] = held_out.argmin(axis=0)
    chosen['best by test (no result)'] = test.argmin(axis=0)
    spread = test[-1].std(ddof=1) if replicas > 1 else np.nan
    lines = []
    for name, at in chosen.items():
        values = test[at, np.arange(replicas)]
        taken = 1 - values.std(ddof=1) / spread if replicas > 1 and spread > 0 else None
        which = ', '.join(str(epochs[each]) for each in at[:5]) + (' ...' if replicas > 5 else '')
        deviation = float(values.std(ddof=1)) if replicas > 1 else None
        lines.append((name, which, float(values.mean()), deviation, None if taken is None else f'{taken:.0%}'))
    words = metric.replace('_', ' ')
    note = (
        f'{words} on the test split, {len(rows)} epochs measured, n = {replicas} {"seed" if replicas == 1 else "seeds"}; each '
        'chooses its own epoch. Last column: the share of the spread over seeds that choosing takes away.'
    )
    columns = ('epoch chosen', 'epochs', 'mean', 'deviation', 'spread taken')
    return [Table('cost_of_choosing', 'What choosing an epoch is worth', note, columns, lines, '<<>>>')]


def _seen_by(judge: Judge, images: np.ndarray) -> np.ndarray:
    """Features [N, D] of images [N, H, W, C]."""
    look = jax.jit(lambda block: judge.sees(block)[0])
    padded = np.concatenate([images, np.zeros((-len(images) % BLOCK, *images.shape[1:]), images.dtype)])
    parts = [np.asarray(look(jnp.asarray(padded[at : at + BLOCK]))) for at in range(0, len(padded), BLOCK)]
    return np.concatenate(parts)[: len(images)]


def _verdict(sure: float, sure_real: float) -> str:
    """The answer in a word."""
    share = sure / sure_real if sure_real else 0.0
    return 'Yes' if share >= 0.9 else 'Mostly' if share >= 0.75 else 'Partly' if share >= 0.4 else 'Hardly'
