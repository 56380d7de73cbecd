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
from jaxlab.measures.kernel_distance import kernel_distance
from jaxlab.protocol import Record, Report
from jaxlab.tasks.judging import SURE, Judge, class_shares

BLOCK = 250  # images drawn or scored at a time
COMPARED, TRAIN_BLOCK = 500, 5_000  # images whose nearest training image is looked for, in so many of them at a time
FEW_CLASSES = 0.5  # the share of classes below which a generator has collapsed
Maker = Callable[[int, jax.Array], np.ndarray]  # (count, key) -> images


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
    rows, distance = _nearest(images, data)
    captions = ['made'] * len(images) + [f'r.m.s. {value:.2f}' for value in distance]
    size = data.splits['train'].size
    note = f'nearest of {size:,} training images by root mean square difference of pixels (0 would be a copy)'
    both = np.concatenate([images, pictures(data, 'train', rows)])
    return Images(
        'nearest_training_images',
        'Made images (top), nearest training images (bottom)',
        note,
        both,
        captions,
        columns=len(images),
    )


def memorised(makers: Sequence[Maker], data: Dataset, key: jax.Array) -> Report:
    """How far made images of each replica are from the nearest training image, beside as many held-out real ones.

    Copies are much nearer than those; blurred images are a little nearer, too. Root mean square differences of pixels.
    """
    if 'test' not in data.splits:
        return Report()
    count = min(COMPARED, data.splits['test'].size)
    real = float(_nearest(pictures(data, 'test', np.arange(count)), data)[1].mean())
    own = [maker(count, jax.random.fold_in(key, 2000 + replica)) for replica, maker in enumerate(makers)]
    made = [float(_nearest(images, data)[1].mean()) if np.isfinite(images).all() else np.nan for images in own]
    return Report(metrics={'nearest_made': made, 'nearest_held_out': [real] * len(made)})


def _nearest(images: np.ndarray, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the nearest training images [n], and root mean square differences of their pixels [n]."""
    train = data.splits['train']
    made = images.reshape(len(images), -1)
    best, rows = np.full(len(made), np.inf), np.zeros(len(made), np.int64)
    for at in range(0, train.size, TRAIN_BLOCK):
        real = pictures(data, 'train', np.arange(at, min(at + TRAIN_BLOCK, train.size))).reshape(-1, made.shape[1])
        squares = (real**2).sum(axis=1)[None] - 2 * made @ real.T + (made**2).sum(axis=1)[:, None]
        here, least = squares.argmin(axis=1), squares.min(axis=1)
        rows, best = np.where(least < best, at + here, rows), np.minimum(best, least)
    return rows, np.sqrt(np.maximum(best, 0) / made.shape[1])


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
    again = seen_by(judge, pictures(data, 'train', rows))[0].astype(np.float64)
    real = seen[0]['real_features'].astype(np.float64)
    floor = frechet_distance(again, real)
    sure_real = float((seen[0]['real_probabilities'].max(axis=1) >= SURE).mean())
    replicas = len(record.states)
    metrics = {
        'frechet_floor': [floor] * replicas,
        'kernel_floor': [kernel_distance(again, real)] * replicas,
        'frechet_to_train': [_to_train(one['made_features'].astype(np.float64), again) for one in seen],
        'sure_share_real': [sure_real] * replicas,
        'collapsed': [
            float(share < FEW_CLASSES) if np.isfinite(share) else np.nan
            for share in record.metrics['test_class_coverage']
        ],
    }
    called = f'{judge.name} with {judge.accuracy:.2%} test accuracy'
    heights = {
        'made': class_shares(seen[0]['made_probabilities']),
        'real (test)': class_shares(seen[0]['real_probabilities']),
    }
    note = f'as called by {called}; {count:,} images each'
    bars = Bars('classes_of_samples', 'Which classes are made', note, names_of(data), heights, {}, 'class', 'share')
    sound = np.isfinite(metrics['frechet_to_train'])
    remarks = _words_on(metrics, sound)
    if not sound.any():
        return Report((bars,), metrics, remarks, answer='No: not one replica makes images that are numbers.')
    distance, sure = (
        float(np.mean(np.asarray(record.metrics[f'test_{name}'])[sound])) for name in ('frechet_distance', 'sure_share')
    )
    remark = (
        f'In the features of {called} the Fréchet distance of {count:,} made images to the test split is {distance:.2f}; '
        f'{len(rows):,} real training images score {floor:.2f}.'
    )
    times = distance / floor if floor else np.inf
    answer = (
        f'{_verdict(sure, sure_real)}: {judge.name}, trained on real images, is sure (at least {SURE:.0%}) what {sure:.0%} of '
        f'the made ones show, and what {sure_real:.0%} of real ones show. The Fréchet distance of made to real images, '
        f'{distance:.1f}, is {times:.1f} times that of real ones to real ones.'
    )
    figures: list[Figure] = [bars, *cost_of_choosing(record.history, 'frechet_distance')]
    return Report(tuple(figures), metrics, (remark, *remarks), answer=answer)


def _to_train(made: np.ndarray, train: np.ndarray) -> float:
    """Fréchet distance of made images to training images; NaN where a made image is none."""
    return frechet_distance(made, train) if np.isfinite(made).all() else np.nan


def _words_on(metrics: Mapping[str, Sequence[float]], sound: np.ndarray) -> list[str]:
    """Which replicas failed, and whether something looks copied."""
    said, failed = [], [str(number) for number in np.flatnonzero(~sound) + 1]
    if failed:
        said.append(
            f'Replica {", ".join(failed)} of {len(sound)} failed: its images are no numbers. Means are of the others.'
        )
    collapsed = int(np.asarray(metrics['collapsed'])[sound].sum())
    if collapsed or len(sound) > 1:
        who = 'The generator has' if len(sound) == 1 else f'{collapsed} of {len(sound)} replicas have'
        said.append(
            f'{who} collapsed: of the classes of real images fewer than half are made (a class counts from a tenth of its real '
            'share on).'
        )
    near, floor = np.asarray(metrics['frechet_to_train'])[sound], metrics['frechet_floor'][0]
    if len(near) and near.mean() < floor:
        said.append(
            f'Made images are nearer to the training images (Fréchet distance {near.mean():.2f}) than held-out real ones are '
            f'({floor:.2f}): look for copies.'
        )
    return said


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


def seen_by(judge: Judge, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(features [N, D], class probabilities [N, C]) of images [N, H, W, C]."""
    look = jax.jit(judge.sees)
    padded = np.concatenate([images, np.zeros((-len(images) % BLOCK, *images.shape[1:]), images.dtype)])
    parts = [look(jnp.asarray(padded[at : at + BLOCK])) for at in range(0, len(padded), BLOCK)]
    features, probabilities = (np.concatenate([np.asarray(part[at]) for part in parts])[: len(images)] for at in (0, 1))
    return features, probabilities


def _verdict(sure: float, sure_real: float) -> str:
    """The answer in a word."""
    share = sure / sure_real if sure_real else 0.0
    return 'Yes' if share >= 0.9 else 'Mostly' if share >= 0.75 else 'Partly' if share >= 0.4 else 'Hardly'
