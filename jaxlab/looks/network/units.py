"""How units are used: which are always silent, how often the others speak, and what each class makes them say."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.labels import labels_of
from jaxlab.figures import Figure, Matrix, Table
from jaxlab.looks.layers import active, some
from jaxlab.looks.subject import Subject

MOST_SHOWN = 60


def dead_units(subject: Subject, *, layers: Sequence[str] = ()) -> list[Figure]:
    """Share of the units that are above zero for no example of the split, before and after training.

    A unit is one number: one place of one map. A map is dead when all its places are.
    """
    names = list(layers) or active(subject.layers, subject.layers)
    if not names:
        return []
    counts = {state: _times_above_zero(subject, state, names) for state in subject.states}
    size = subject.data.splits[subject.split].size
    rows = []
    for name in names:
        for state in subject.states:
            above = counts[state][name]  # [..., C]: in how many examples
            silent = above == 0
            maps = silent.reshape(-1, silent.shape[-1]).all(0)
            counted = (above.size, int(silent.sum()), float(silent.mean()), f'{maps.sum()} of {maps.size}')
            rows.append((name, state, *counted, float(above.mean() / size)))
    note = (
        f'{size:,} {subject.split} examples; dead: never above 0; active: mean share of examples above 0; first replica'
    )
    columns = ('layer', 'network', 'units', 'dead', 'share dead', 'whole maps dead', 'active')
    return [Table('dead_units', 'Units that never speak', note, columns, rows)]


def _times_above_zero(subject: Subject, state: str, names: list[str]) -> dict[str, np.ndarray]:
    total: dict[str, np.ndarray] = {}
    for _, found in subject.over_split(state, names, _above_zero):
        for name, above in found.items():
            total[name] = total.get(name, 0) + above.sum(0, dtype=np.int64)
    return total


def _above_zero(values: jax.Array) -> jax.Array:
    return values > 0


def class_activations(subject: Subject, *, layers: Sequence[str] = ()) -> list[Figure]:
    """Mean of each map (or unit) over the examples of each class, after training: which ones tell classes apart."""
    names = list(layers) or some(active(subject.layers, subject.layers))
    if not names:
        return []
    labels, classes = labels_of(subject.data.splits[subject.split]), len(subject.classes)
    total = {name: np.zeros((classes, subject.layers[name].shape[-1])) for name in names}

    def over_places(values: jax.Array) -> jax.Array:
        return values.reshape(values.shape[0], -1, values.shape[-1]).mean(1)

    for rows, found in subject.over_split('trained', names, over_places):
        member = np.asarray(jax.nn.one_hot(jnp.asarray(labels[rows]), classes))
        for name, values in found.items():
            total[name] += member.T @ values
    sizes = np.maximum(np.bincount(labels, minlength=classes), 1)[:, None]
    figures: list[Figure] = []
    for name in names:
        values = (total[name] / sizes)[:, :MOST_SHOWN]
        whole, shape = total[name].shape[1], subject.layers[name].shape
        what = 'map' if len(shape) == 4 else 'unit'
        which = f'{whole} {what}s' if whole <= MOST_SHOWN else f'the first {MOST_SHOWN} of {whole} {what}s'
        over = 'all places and ' if len(shape) == 4 else ''
        note = f'mean over {over}the {subject.split} examples of a class, n = {len(labels):,}; {which}; first replica'
        figures.append(
            Matrix(
                f'class_activations_{name.replace("/", "_")}',
                f'What {name} says to each class',
                note,
                values,
                subject.classes,
                [str(k + 1) for k in range(values.shape[1])],
                what,
                'class',
                number_format='{:.2f}',
                diverging=bool(values.min() < 0),
            )
        )
    return figures
