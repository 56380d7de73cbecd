"""What part of the input a unit sees: receptive fields, and the patches that excite the units of a layer most."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.pictures import pictures
from jaxlab.figures import Figure, Images, Table
from jaxlab.looks.layers import activations, active, positive, some, with_maps
from jaxlab.looks.subject import Subject

MOST_LISTED = 60


@dataclasses.dataclass(frozen=True)
class Field:
    """rows, columns: [units along it, 2], the first pixel that a unit sees and the one after the last."""

    rows: np.ndarray
    columns: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """The largest field, (height, width) in pixels: that of a unit which no edge cuts."""
        return int(np.ptp(self.rows, axis=1).max()), int(np.ptp(self.columns, axis=1).max())

    @property
    def step(self) -> int:
        """Pixels from one unit's field to its neighbour's along a row; 0 where there is one unit."""
        return int(np.diff(self.columns, axis=0).max(initial=0))


def measured_fields(subject: Subject, names: Sequence[str]) -> dict[str, Field]:
    """Measured, not derived: in a network of positive weights each row of the input is changed alone, then each column."""
    shape = subject.task.networks()['model'][1].shape[1:]
    variables = positive(subject.variables['untrained'])

    @jax.jit
    def respond(variables: Any, inputs: jax.Array) -> dict[str, jax.Array]:
        found = activations(subject.module, variables, inputs)
        return {name: found[name].max(-1) for name in names}  # [N, h, w]

    def extents(axis: int) -> dict[str, np.ndarray]:
        """Name -> [units, 2] along one axis of the input (0: rows)."""
        inputs = np.zeros((shape[axis] + 1, *shape), np.float32)  # the last one stays empty
        for place in range(shape[axis]):
            np.moveaxis(inputs[place], axis, 0)[place] = 1.0
        return {
            name: _extent(np.abs(np.asarray(value)[:-1] - np.asarray(value)[-1:]).max(2 - axis) > 0)
            for name, value in respond(variables, jnp.asarray(inputs)).items()
        }

    rows, columns = extents(0), extents(1)
    return {name: Field(rows[name], columns[name]) for name in names}


def _extent(seen: np.ndarray) -> np.ndarray:
    """seen: [places of the input, units] -> [units, 2]."""
    first = seen.argmax(0)
    last = len(seen) - seen[::-1].argmax(0)
    return np.where(np.asarray(seen.any(0))[:, None], np.stack([first, last], 1), 0)


def receptive_fields(subject: Subject, *, layers: Sequence[str] = ()) -> list[Figure]:
    """Pixels that one unit of each layer depends on; the step is how far neighbouring units are apart."""
    names = list(layers) or with_maps(subject.layers)[:MOST_LISTED]
    if not names:
        return []
    found, (height, width) = measured_fields(subject, names), subject.task.networks()['model'][1].shape[1:3]
    rows = []
    for name in names:
        shape, (tall, wide) = subject.layers[name].shape, found[name].size
        output, share = ' × '.join(map(str, shape[1:])), tall * wide / height / width
        rows.append((name, output, f'{tall} × {wide}', f'{share:.0%}', found[name].step or '–'))
    note = f'input {height} × {width}; measured by changing one row or column of the input of a network of positive weights'
    columns = ('layer', 'output', 'receptive field', 'share of the image', 'step')
    return [Table('receptive_fields', 'How much of the image one unit sees', note, columns, rows)]


def strongest_patches(
    subject: Subject, *, layers: Sequence[str] = (), filters: int = 16, patches: int = 10
) -> list[Figure]:
    """For each filter the patches of the split that excite it most, at most one of an image, the strongest first."""
    names = list(layers) or some(active(subject.layers, with_maps(subject.layers)))
    if not names:
        return []

    def strongest(maps: jax.Array) -> tuple[jax.Array, jax.Array]:  # [B, h, w, C] -> value and place [B, C]
        flat = maps.reshape(maps.shape[0], -1, maps.shape[-1])
        return flat.max(1), flat.argmax(1)

    values: dict[str, list] = {name: [] for name in names}
    places: dict[str, list] = {name: [] for name in names}
    for _, found in subject.over_split('trained', names, strongest):
        for name in names:
            values[name].append(found[name][0])
            places[name].append(found[name][1])
    seen = measured_fields(subject, names)
    return [
        _patches(
            subject, name, np.concatenate(values[name]), np.concatenate(places[name]), seen[name], filters, patches
        )
        for name in names
    ]


def _patches(
    subject: Subject, name: str, values: np.ndarray, places: np.ndarray, seen: Field, filters: int, patches: int
) -> Images:
    """values, places: [examples, filters], the largest value of each map and where it stands."""
    filters, patches = min(filters, values.shape[1]), min(patches, len(values))
    best = np.argsort(-values[:, :filters], axis=0, kind='stable')[:patches].T  # [filters, patches]
    width = subject.layers[name].shape[2]
    height, wide = seen.size
    images = pictures(subject.data, subject.split, best.ravel())
    shown, captions = [], []
    for image, row, number in zip(images, best.ravel(), np.repeat(np.arange(filters), patches), strict=True):
        down, along = divmod(int(places[row, number]), width)
        (top, bottom), (left, right) = seen.rows[down], seen.columns[along]
        patch = np.full((height, wide, image.shape[-1]), 0.5, np.float32)
        corner = (height - (bottom - top) if top == 0 else 0, wide - (right - left) if left == 0 else 0)
        patch[corner[0] :, corner[1] :][: bottom - top, : right - left] = image[top:bottom, left:right]
        shown.append(patch)
        captions.append(f'{values[row, number]:.2g}')
    dead = int((values[:, :filters].max(0) <= 0).sum())
    whole = values.shape[1]
    note = (
        f'{len(values):,} {subject.split} images; {filters} of {whole} filters, a row each; the value of {name} under each '
        f'patch; grey lies outside the image; {dead} of these filters are never above 0; first replica'
    )
    title = f'Patches of {height} × {wide} pixels that excite {name} most'
    labels = [f'filter {number + 1}' for number in range(filters)]
    file = f'strongest_patches_{name.replace("/", "_")}'
    return Images(file, title, note, np.stack(shown), captions, row_labels=labels, columns=patches)
