"""Weights as pictures: kernels of a convolution, rows of the first dense matrix, histograms; trained beside untrained."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxlab.figures import Figure, Histogram, Images, Table
from jaxlab.looks.layers import convolutions, kernel_of, with_kernels
from jaxlab.looks.subject import Subject

COLUMNS = 16


def kernels(subject: Subject, layer: str) -> dict[str, np.ndarray]:
    """The kernel of a layer, untrained and trained."""
    return {name: np.asarray(kernel_of(state.params, layer), np.float32) for name, state in subject.states.items()}


def grid(pictures: dict[str, np.ndarray], columns: int, words: str = '') -> tuple[np.ndarray, list[str]]:
    """Rows of at most `columns` pictures, of each state in turn, so that each stands under its own start.

    pictures: state -> [K, H, W, C]. Returns ([rows * columns, H, W, C] with NaN where there is none, row labels).
    """
    count = len(next(iter(pictures.values())))
    rows, labels = [], []
    for first in range(0, count, columns):
        for name, images in pictures.items():
            part = images[first : first + columns]
            empty = np.full((min(columns, count) - len(part), *part.shape[1:]), np.nan, part.dtype)
            rows.append(np.concatenate([part, empty]))
            last = first + len(part)
            labels.append(name if count <= columns else f'{name} {words}{first + 1}–{last}')
    return np.concatenate(rows), labels


def filters(subject: Subject, *, layer: str = '', most: int = 32) -> list[Figure]:
    """Kernels of a convolution (the first by default), `most` of them, in one range symmetric about 0.

    Three input channels: as colours about mid-grey; otherwise a row of pictures an input channel (the first 6).
    """
    layer = layer or next(iter(convolutions(subject.layers)), '')
    if not layer:
        return []
    found = {name: kernel[..., :most] for name, kernel in kernels(subject, layer).items()}
    limit = max(float(np.abs(kernel).max()) for kernel in found.values()) or 1.0
    height, width, channels, count = next(iter(found.values())).shape
    whole = (subject.layers[layer].kernel or (count,))[-1]
    shown = f'{whole} kernels' if count == whole else f'the first {count} of {whole} kernels'
    note = f'{shown} of {height} × {width} × {channels}; first replica; '
    title, name = f'Kernels of {layer}, trained beside untrained', f'filters_{layer}'
    if channels == 3:
        images, labels = grid({state: kernel.transpose(3, 0, 1, 2) for state, kernel in found.items()}, COLUMNS)
        note += f'red, green and blue from -{limit:.3f} to {limit:.3f}: mid-grey is 0'
        columns = min(COLUMNS, count)
        return [Images(name, title, note, images, row_labels=labels, columns=columns, low=-limit, high=limit)]
    note += 'one range for all' + ('' if channels == 1 else '; columns are filters, rows input channels')
    blocks = [
        grid({state: kernel[:, :, channel, :, None].transpose(2, 0, 1, 3) for state, kernel in found.items()}, COLUMNS)
        for channel in range(min(channels, 6))
    ]
    prefix = [''] if channels == 1 else [f'in {channel + 1}, ' for channel in range(len(blocks))]
    labels = [words + label for words, (_, own) in zip(prefix, blocks, strict=True) for label in own]
    images = np.concatenate([block for block, _ in blocks])
    return [
        Images(
            name,
            title,
            note,
            images,
            row_labels=labels,
            columns=min(COLUMNS, count),
            low=-limit,
            high=limit,
            colours='diverging',
            value_label='weight',
        )
    ]


def first_layer(subject: Subject, *, units: int = 32) -> list[Figure]:
    """What each unit of a first dense layer weighs, as an image: rows of W_1 (B01). None where images meet a convolution."""
    shape = subject.task.networks()['model'][1].shape[1:]
    layer = next(iter(with_kernels(subject.layers)), '')
    kernel = subject.layers[layer].kernel if layer else None
    if kernel is None or len(shape) != 3 or kernel != (int(np.prod(shape)), kernel[-1]):
        return []
    found = {
        name: values.T[:units].reshape(-1, *shape) for name, values in kernels(subject, layer).items()
    }  # [units, H, W, C]
    found['change'] = found['trained'] - found['untrained']
    limit = max(float(np.abs(values).max()) for values in found.values()) or 1.0
    images, labels = grid(found, COLUMNS, 'units ')
    count, whole = len(next(iter(found.values()))), kernel[-1]
    note = f'the first {count} of {whole} units; change: trained - untrained; first replica; one range for all'
    look: dict[str, Any] = {} if shape[-1] == 3 else {'colours': 'diverging', 'value_label': 'weight of a pixel'}
    title = 'What the first layer looks for, trained beside untrained'
    columns = min(COLUMNS, count)
    return [
        Images('first_layer', title, note, images, row_labels=labels, columns=columns, low=-limit, high=limit, **look)
    ]


def weight_histogram(subject: Subject, *, layers: Sequence[str] = ()) -> list[Figure]:
    """How the weights of each layer are spread, before and after training: histograms of the named (or all) layers."""
    names = list(layers) or with_kernels(subject.layers)
    rows: list[tuple[Any, ...]] = []
    pooled: dict[str, list[np.ndarray]] = {}
    for name in names:
        values = {state: kernel.ravel() for state, kernel in kernels(subject, name).items()}
        before, after = values['untrained'], values['trained']
        moved = np.linalg.norm(after - before) / (np.linalg.norm(before) or 1.0)
        small = float(np.mean(np.abs(after) < 1e-3))
        rows.append((name, after.size, before.std(), after.std(), np.abs(after).max(), small, moved))
        for state, flat in values.items():
            pooled.setdefault(state, []).append(flat[:: max(1, flat.size // 100_000)])
    columns = ('layer', 'weights', 'std untrained', 'std trained', 'largest', 'share below 0.001', 'moved')
    note = 'kernels without biases; moved: length of the change over length of the start; first replica'
    figures: list[Figure] = [Table('weight_spread', 'How the weights are spread', note, columns, rows)]
    samples = {state: np.concatenate(parts) for state, parts in pooled.items()}
    which = ', '.join(names) if len(names) <= 4 else f'{len(names)} layers'
    figures.append(
        Histogram('weight_histogram', f'Weights of {which}', 'first replica', samples, bins=60, x_label='weight')
    )
    return figures
