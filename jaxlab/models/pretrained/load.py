"""Published weights in the place of a network's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxlab.errors import UserError, closest, lookup
from jaxlab.models.pretrained.account import accounted, skips
from jaxlab.models.pretrained.files import read
from jaxlab.models.pretrained.layouts import COUNTER, LAYOUTS, Layout

PREFIXES = ('module.', 'model.', '_orig_mod.', 'backbone.', 'encoder.', 'net.')  # what wrappers put before every name


def load(
    source: Path | str, layout: str, variables: Mapping[str, Any], beneath: str = '', skip: Sequence[str] = ()
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the variables with the weights of a file or folder in their places, notes to show).

    layout: one of LAYOUTS. variables: `{'params': ..., 'batch_stats': ...}` of arrays, or of shapes where nothing is
    skipped. beneath: the module that the weights are of, such as `encoder`; what is not in it stays as it is. skip:
    regular expressions of our names (`params.head.kernel`) that are left alone, or of published ones that have no place.
    """
    table = lookup(LAYOUTS, layout, 'layout of weights')()
    where = f'weights {str(source)!r} as {layout}'
    placed, notes = renamed(read(source), table, skip, where)
    inside = f'.{beneath}.' if beneath else '.'
    mine, rest = {}, {}
    for path, array in flatten_dict(dict(variables)).items():
        name = '.'.join(path)
        if beneath and not '.'.join(path[1:]).startswith(beneath + '.'):
            rest[path] = array
        else:
            mine[name.replace(inside, '.', 1)] = array
    if not mine:
        raise UserError(f'{where}: the network has no module {beneath!r}')
    found = accounted(mine, placed, skip, where)
    tree = {tuple(name.replace('.', inside, 1).split('.')): array for name, array in found.items()}
    return unflatten_dict(rest | tree), notes


def renamed(
    weights: Mapping[str, np.ndarray], layout: Layout, skip: Sequence[str] = (), where: str = 'weights'
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """(published weights under our names, laid out as ours; notes). A name that no table knows is a `UserError`."""
    notes = []
    while not any(layout.place(name, array) for name, array in weights.items()):
        prefix = next((one for one in PREFIXES if all(name.startswith(one) for name in weights)), '')
        if not prefix:
            break
        weights = {name.removeprefix(prefix): array for name, array in weights.items()}
        notes.append(f'{where}: every name began with {prefix!r}, which was taken off.')
    counters = [name for name in weights if name.rpartition(layout.separator)[2] == COUNTER]
    if counters:
        notes.append(f'{where}: {len(counters)} counters of batches (`{COUNTER}`) are left out.')
    placed, unknown = {}, []
    for name, array in weights.items():
        at = layout.place(name, array)
        if at is not None:
            placed[at[0]] = np.ascontiguousarray(at[1])
        elif name not in counters and not skips(skip, name):
            unknown.append(name)
    if unknown:
        near = closest(unknown[0].rpartition(layout.separator)[0], list(layout.modules)[:12])
        more = f' and {len(unknown) - 4} more' if len(unknown) > 4 else ''
        raise UserError(
            f'{where}: no place for {", ".join(map(repr, unknown[:4]))}{more}; {near}; or name them in skip'
        )
    return placed, tuple(notes)


def as_arrays(variables: Any) -> Any:
    """Shapes as zeros: something to load into without drawing numbers."""
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), variables)
