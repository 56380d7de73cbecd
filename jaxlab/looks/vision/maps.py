"""Feature maps and hidden activations of fixed examples, trained beside untrained; what a shift of the input does."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxlab.data.labels import labels_of
from jaxlab.data.pictures import pictures
from jaxlab.figures import Figure, Images, Matrix, Table
from jaxlab.looks.layers import active, some, with_maps
from jaxlab.looks.network.weights import COLUMNS, grid
from jaxlab.looks.subject import Subject
from jaxlab.looks.vision.receptive_fields import measured_fields


def feature_maps(
    subject: Subject, *, layers: Sequence[str] = (), image: int = 0, most: int = 32, classes: bool = True
) -> list[Figure]:
    """Maps of one test image (its number), one figure a layer; with `classes` of the first image of each class, too.

    Default: the layers after an activation. One range for all maps of a layer, untrained and trained.
    """
    names = list(layers) or some(active(subject.layers, with_maps(subject.layers)))
    if not names:
        return []
    one = image % subject.data.splits[subject.split].size
    several = subject.first_of_each_class() if classes else np.zeros(0, np.int64)
    rows = np.asarray([one, *(row for row in several if row != one)])
    at = [list(rows).index(row) for row in several]
    found = {state: subject.see(state, rows, names) for state in subject.states}
    figures: list[Figure] = [seen_images(subject, rows, 'feature_maps')]
    for name in names:
        maps = {state: values[name].transpose(0, 3, 1, 2)[..., None] for state, values in found.items()}
        own = {state: values[0, :most] for state, values in maps.items()}
        figures.append(_maps_of_one(subject, name, own, f'{subject.split} image {one} ({subject.names(rows)[0]})'))
        if len(several):
            figures.append(_maps_by_class(subject, name, maps['trained'][at, : min(most, COLUMNS)], several))
    return figures


def _maps_of_one(subject: Subject, name: str, maps: dict[str, np.ndarray], which: str) -> Images:
    """maps: state -> [maps, H, W, 1]."""
    count, height, width, _ = maps['trained'].shape
    whole = subject.layers[name].shape[-1]
    shown, labels = grid(maps, COLUMNS, 'maps ')
    said = f'{whole} maps' if count == whole else f'the first {count} of {whole} maps'
    note = f'{which}; {said} of {height} × {width}; one range for all of them; first replica'
    title = f'What {name} makes of one image, trained beside untrained'
    look = value_range(np.concatenate(list(maps.values())), name)
    file = f'feature_maps_{name.replace("/", "_")}'
    return Images(file, title, note, shown, row_labels=labels, columns=min(COLUMNS, count), **look)


def _maps_by_class(subject: Subject, name: str, maps: np.ndarray, rows: np.ndarray) -> Images:
    """maps: [examples, maps, H, W, 1], after training."""
    count = maps.shape[1]
    note = f'the first {subject.split} image of each class, a row an image; maps 1 to {count}; one range; first replica'
    title = f'What {name} makes of one image of each class, after training'
    file = f'feature_maps_{name.replace("/", "_")}_by_class'
    shown, look = maps.reshape(-1, *maps.shape[2:]), value_range(maps, name)
    return Images(file, title, note, shown, row_labels=subject.names(rows), columns=count, **look)


def value_range(values: np.ndarray, name: str) -> dict[str, Any]:
    """Range and colours of a figure of activations: from 0 up where nothing is negative, else symmetric about 0."""
    high = float(np.abs(values).max()) or 1.0
    if float(values.min()) < 0:
        return {'low': -high, 'high': high, 'colours': 'diverging', 'value_label': f'value of {name}'}
    return {'low': 0.0, 'high': high, 'colours': 'sequential', 'value_label': f'value of {name}'}


def seen_images(subject: Subject, rows: np.ndarray, prefix: str) -> Images:
    """The images themselves, with what the trained network says of them."""
    shares = subject.predict(subject.inputs(rows))
    labels = labels_of(subject.data.splits[subject.split])[rows]
    said, names = shares.argmax(1), subject.classes
    captions = [
        f'no. {row}: {names[label]}\nsaid: {names[guess]} ({share:.0%})'
        for row, label, guess, share in zip(rows, labels, said, shares.max(1), strict=True)
    ]
    note = f'by number in the {subject.split} split; what the trained network says, with its probability; first replica'
    wrong = [bool(a != b) for a, b in zip(labels, said, strict=True)]
    shown = pictures(subject.data, subject.split, rows)
    return Images(f'{prefix}_images', 'The images that are looked at', note, shown, captions, wrong, columns=6)


def hidden_activations(subject: Subject, *, layers: Sequence[str] = ()) -> list[Figure]:
    """What the units of the hidden dense layers say to the first example of each class (B01: h_1), as heat maps."""
    flat = [name for name, layer in subject.layers.items() if len(layer.shape) == 2]
    names = list(layers) or active(subject.layers, flat)
    if not names:
        return []
    rows = subject.first_of_each_class()
    found = subject.see('trained', rows, names)
    figures: list[Figure] = []
    if subject.sees_images:
        figures.append(seen_images(subject, rows, 'hidden_activations'))
    for name in names:
        values = found[name].reshape(len(rows), -1)
        note = (
            f'{values.shape[1]} units, the first {subject.split} example of each class; '
            f'{np.mean(values > 0):.0%} of the values are above 0; after training, first replica'
        )
        figures.append(
            Matrix(
                f'hidden_activations_{name.replace("/", "_")}',
                f'What the units of {name} say',
                note,
                values,
                subject.names(rows),
                x_label='unit',
                y_label='class',
                number_format='{:.1f}',
                diverging=bool(values.min() < 0),
            )
        )
    return figures


def equivariance(
    subject: Subject, *, shifts: Sequence[int] = (1, 2, 4), images: int = 256, layers: Sequence[str] = ()
) -> list[Figure]:
    """Does a shifted image give shifted maps (B09)? Numbers a layer, the share of unchanged answers, and one example.

    The image moves right (its left edge is filled with its own edge). Error: |shifted map - map of the shifted image|
    over |map|, both as lengths, away from the edges; where a layer's step does not divide the shift, the nearest whole one
    is taken, and the error shows that pooling is no longer equivariant.
    """
    names = list(layers) or active(subject.layers, with_maps(subject.layers))
    names += [] if layers else [name for name in with_maps(subject.layers) if 'pool' in name and name not in names]
    names = [name for name in subject.layers if name in names]
    rows = np.arange(min(images, subject.data.splits[subject.split].size))
    inputs = subject.inputs(rows)
    if not names or inputs.ndim != 4:
        return []
    steps = {name: max(1, found.step) for name, found in measured_fields(subject, names).items()}
    plain = subject.of_inputs('trained', inputs, names)
    moved = {by: subject.of_inputs('trained', shifted(inputs, by), names) for by in shifts}
    table = []
    for name in names:
        errors = [shift_error(plain[name], moved[by][name], round(by / steps[name])) for by in shifts]
        still = [shift_error(plain[name], moved[by][name], 0) for by in shifts]
        table.append((name, steps[name], *errors, *still))
    columns = ('layer', 'step', *(f'{by} px' for by in shifts), *(f'{by} px, not moved back' for by in shifts))
    note = (
        f'{len(rows)} {subject.split} images; |map moved - map of the moved image| / |map|, away from the edges: 0 is '
        'exact equivariance; not moved back: the same without moving, 0 would be invariance; first replica'
    )
    figures: list[Figure] = [Table('equivariance', 'A shifted image gives shifted maps', note, columns, table)]
    figures.append(_same_answers(subject, inputs, shifts))
    name, by = names[0], shifts[-1]
    figures.append(_example_of_shift(subject, name, plain[name], moved[by][name], by, round(by / steps[name])))
    return figures


def shifted(inputs: Any, by: int) -> np.ndarray:
    """Images [N, H, W, C] moved right by whole pixels; the left edge is repeated."""
    images = np.asarray(inputs)
    return np.concatenate([np.repeat(images[:, :, :1], by, 2), images[:, :, : images.shape[2] - by]], 2)


def shift_error(plain: np.ndarray, moved: np.ndarray, by: int) -> float:
    """`|plain moved by `by` - moved| / |plain|` of maps [N, H, W, C], leaving a quarter of the width out at each side."""
    width = plain.shape[2]
    first = max(by, width // 4 + 1)
    last = width - max(1, width // 4)
    if first >= last:
        return float('nan')
    part = plain[:, :, first - by : last - by]
    return float(np.linalg.norm(part - moved[:, :, first:last]) / (np.linalg.norm(part) or 1.0))


def _same_answers(subject: Subject, inputs: Any, shifts: Sequence[int]) -> Table:
    """How often the class stays the same when the image moves."""
    before = subject.predict(inputs).argmax(1)
    rows = []
    for by in shifts:
        after = subject.predict(shifted(inputs, by)).argmax(1)
        rows.append((f'{by} px', float(np.mean(before == after))))
    note = f'{len(before)} {subject.split} images; the whole network is no more invariant than this; first replica'
    return Table('same_answers', 'Share of answers that a shift leaves', note, ('shift', 'same answer'), rows)


def _example_of_shift(subject: Subject, name: str, plain: np.ndarray, moved: np.ndarray, by: int, units: int) -> Images:
    """plain, moved: [N, H, W, maps]; the input moved `by` pixels, the maps so many units."""
    count = min(COLUMNS, plain.shape[-1])
    first, second = (values[0].transpose(2, 0, 1)[:count, ..., None] for values in (plain, moved))
    back = np.full_like(second, np.nan)
    back[:, :, : back.shape[2] - units] = second[:, :, units:]
    shown = np.concatenate([first, second, np.nan_to_num(back - first)])
    high = float(np.abs(shown).max()) or 1.0
    note = f'{subject.split} image 0, moved right by {by} pixels; maps 1 to {count}; one range for all; first replica'
    labels = ('maps of the image', 'of the moved one', 'moved back - first')
    return Images(
        'equivariance_example',
        f'Maps of {name} move with the image',
        note,
        shown,
        row_labels=labels,
        columns=count,
        low=-high,
        high=high,
        colours='diverging',
        value_label=f'value of {name}',
    )
