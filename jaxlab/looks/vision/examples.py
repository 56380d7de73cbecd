"""Examples: one image under the transforms, the pairs of classes that are confused most, right answers by class."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.labels import labels_of
from jaxlab.data.pictures import pictures
from jaxlab.figures import Bars, Figure, Images, Table
from jaxlab.looks.network.gradients import bare
from jaxlab.looks.subject import BLOCK, Subject
from jaxlab.measures.binary import wilson
from jaxlab.measures.classification import confusion_matrix, softmax


def augmented(subject: Subject, *, image: int = 0, versions: int = 9) -> list[Figure]:
    """Versions of one training image as training draws them, all transforms together, then each alone."""
    if not subject.data.transforms:
        return []
    split = subject.data.splits['train']
    row = image % split.size
    original = split.read([row])
    batch = {name: jnp.asarray(np.repeat(values, versions, 0)) for name, values in original.items()}
    batch['weight'] = jnp.ones(versions, jnp.float32)
    plain = pictures(subject.data, 'train', [row])
    ways: dict[str, Any] = {'all together': subject.data.augment, **subject.data.transforms}
    if len(subject.data.transforms) == 1:
        del ways['all together']
    shown = []
    for number, augment in enumerate(ways.values()):
        drawn = np.asarray(augment(batch, jax.random.fold_in(subject.record.key, number))['image'])
        drawn = drawn.astype(np.float32) / 255 if drawn.dtype == np.uint8 else drawn
        shown.append(np.concatenate([plain, drawn]))
    name = subject.classes[int(original['label'][0])]
    note = f'training image {row} ({name}) at the left; {versions} draws beside it, a row each way; training sees the first row'
    captions = ['original', *[''] * versions] + [''] * (versions + 1) * (len(ways) - 1)
    title = 'One training image and what augmentation makes of it'
    return [
        Images('augmented', title, note, np.concatenate(shown), captions, row_labels=list(ways), columns=versions + 1)
    ]


def untrained(subject: Subject) -> list[Figure]:
    """Metrics of the split before the first step and after the last: what training added."""
    size = subject.data.splits[subject.split].size
    measure = jax.jit(lambda state, batch, key: subject.task.eval_step({'model': state}, batch, key)[0])
    rows, names = [], []
    for label, state in subject.states.items():
        state = bare(state)
        total: dict[str, Any] = {}
        for first in range(0, size, BLOCK):
            at = np.arange(first, first + BLOCK)
            batch = subject.batch(subject.split, np.minimum(at, size - 1))
            batch = {**batch, 'weight': jnp.asarray(at < size, jnp.float32)}
            for name, pair in measure(state, batch, subject.record.key).items():
                total[name] = total.get(name, 0) + np.asarray(pair, np.float64)
        names = list(total)
        rows.append((label, *(float(value / weight) for value, weight in total.values())))
    classes = len(subject.classes)
    note = f'{subject.split} split, n = {size:,}; guessing: loss ln {classes} = {np.log(classes):.4f}; first replica'
    return [Table('untrained', 'Before and after training', note, ('network', *names), rows)]


def _answers(subject: Subject) -> tuple[np.ndarray, np.ndarray] | None:
    """(labels [N], probabilities [N, classes]) of the first replica on the split that is looked at."""
    if subject.split not in subject.record.outputs:
        return None
    logits = subject.record.outputs[subject.split][0]['logits'].astype(np.float64)
    return labels_of(subject.data.splits[subject.split]), softmax(logits)


def worst_confusions(subject: Subject, *, pairs: int = 10, images: int = 16) -> list[Figure]:
    """The pairs (true, predicted) with the most wrong answers, and the surest of them as pictures."""
    found = _answers(subject)
    if found is None:
        return []
    labels, shares = found
    names, said = subject.classes, shares.argmax(1)
    wrong = confusion_matrix(labels, said, len(names)) * (1 - np.eye(len(names), dtype=int))
    order = [divmod(int(k), len(names)) for k in np.argsort(-wrong, axis=None, kind='stable')[:pairs]]
    order = [(true, other) for true, other in order if wrong[true, other]]
    sizes, total = np.bincount(labels, minlength=len(names)), int(wrong.sum())
    rows = [
        (
            names[true],
            names[other],
            int(wrong[true, other]),
            wrong[true, other] / sizes[true],
            wrong[true, other] / total,
            int(wrong[other, true]),
        )
        for true, other in order
    ]
    note = f'{subject.split} split, n = {len(labels):,}, {total:,} wrong; first replica'
    columns = ('true class', 'taken for', 'times', 'share of the class', 'share of all mistakes', 'the other way round')
    figures: list[Figure] = [Table('worst_confusions', 'What is confused most', note, columns, rows)]
    if order and subject.sees_images:
        figures.append(_confused_images(subject, labels, shares, order, images, note))
    return figures


def _confused_images(
    subject: Subject, labels: np.ndarray, shares: np.ndarray, order: list[tuple[int, int]], images: int, note: str
) -> Images:
    """The surest mistakes of each of the worst pairs, as many of each as there is room for."""
    said, sure, names = shares.argmax(1), shares.max(1), subject.classes
    each, rows = max(1, images // len(order[:4])), []
    for true, other in order[:4]:
        own = np.flatnonzero((labels == true) & (said == other))
        rows.append(own[np.argsort(-sure[own], kind='stable')[:each]])
    chosen = np.concatenate(rows)
    captions = [f'{names[labels[i]]} taken for {names[said[i]]} ({sure[i]:.0%})' for i in chosen]
    title = 'The surest mistakes of the worst pairs'
    shown = pictures(subject.data, subject.split, chosen)
    return Images('worst_confusions_images', title, note, shown, captions)


def class_accuracy(subject: Subject) -> list[Figure]:
    """Share of right answers by class, with the 95 % interval of a share (Wilson 1927)."""
    found = _answers(subject)
    if found is None:
        return []
    labels, right = found[0], found[1].argmax(1) == found[0]
    classes = len(subject.classes)
    sizes = np.maximum(np.bincount(labels, minlength=classes), 1)
    hits = np.bincount(labels, right, minlength=classes)
    share, ends = hits / sizes, np.array([wilson(int(hit), int(size)) for hit, size in zip(hits, sizes, strict=True)])
    half = np.ptp(ends, axis=1) / 2
    note = f'{subject.split} split, n = {len(labels):,}; half lengths of 95 % Wilson intervals; first replica'
    title, label = 'Right answers by class', f'{subject.split} accuracy'
    heights, errors = {label: share}, {label: half}
    return [Bars('class_accuracy', title, note, subject.classes, heights, errors, 'class', label)]
