"""Where in the source each written token looked: maps as figures, for the report and for a user's own sentences."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxlab.data.text.tokens import Tokenizer
from jaxlab.figures import Images, Matrix
from jaxlab.tasks.supervised import State
from jaxlab.tasks.translation.step import Translation


def maps(task: Translation, state: State, source: np.ndarray, written: np.ndarray) -> dict[str, np.ndarray]:
    """Layer -> weights [N, H, T, S] of each written token [N, T] on each of the source [N, S]; {} where nothing looks.

    Row t is the step that wrote token t. They are computed at once, the written tokens being given.
    """
    first = np.full((len(written), 1), task.rules.start, written.dtype)
    given = np.concatenate([first, written[:, :-1]], axis=1)

    @jax.jit
    def looked(variables: Any, source: Any, given: Any) -> Any:
        _, kept = task.model.apply(variables, source, given, train=False, mutable=['intermediates'])
        return kept.get('intermediates', {})

    found = {}
    kept = looked(state['model'].variables(), source, given)
    for path, leaf in jax.tree_util.tree_flatten_with_path(kept)[0]:
        names = [str(one.key) for one in path if hasattr(one, 'key')]
        if names[-1] == 'weights' and task.model.looks_at_source in names:
            weights = np.asarray(leaf, np.float32)  # step by step: [N, H, T, 1, S]
            found['/'.join(names[:-1])] = weights[:, :, :, 0] if weights.ndim == 5 else weights
    return found


def labels(tokenizer: Tokenizer, ids: np.ndarray) -> list[str]:
    """A word or piece each, special tokens by their names."""
    return [tokenizer.text([int(one)]) or tokenizer.names([int(one)])[0] for one in ids]


def _shown(task: Translation, source: np.ndarray, written: np.ndarray) -> tuple[list[str], list[str]]:
    """Labels of one source [S] and one translation [T], padding left out."""
    texts = task.texts['source'].tokenizer, task.tokenizer
    rows = (row[row != one.frame.padding] for row, one in zip((source, written), texts, strict=True))
    left, right = (labels(one, row) for one, row in zip(texts, rows, strict=True))
    return left, right


def whole(
    task: Translation, found: Mapping[str, np.ndarray], source: np.ndarray, written: np.ndarray, name: str, note: str
) -> Matrix:
    """One sentence's map: the mean over the heads of the last layer. found: layer -> [H, T, S] of this sentence."""
    columns, rows = _shown(task, source, written)
    last = list(found.values())[-1]
    heads = f', the mean of {len(last)} heads of the last layer' if len(last) > 1 else ''
    return Matrix(
        name,
        'Where each written token looked',
        f'{note}{heads}; rows add up to 1',
        last.mean(0)[: len(rows), : len(columns)],
        rows,
        columns,
        'source',
        'translation',
        number_format='{:.2f}',
    )


def by_head(
    task: Translation, found: Mapping[str, np.ndarray], source: np.ndarray, written: np.ndarray, name: str, note: str
) -> Images:
    """Every head of every layer for one sentence: a picture each, a row a layer."""
    columns, rows = _shown(task, source, written)
    images = np.concatenate([weights[:, : len(rows), : len(columns)] for weights in found.values()])[..., None]
    heads = len(next(iter(found.values())))
    note = f'{note}. Across: {" ".join(columns)}. Down: {" ".join(rows)}'
    captions = [f'head {number % heads + 1}' for number in range(len(images))]
    layers = [f'layer {number}' for number in range(1, len(found) + 1)]
    return Images(
        name,
        'Attention to the source, head by head',
        note,
        images,
        captions,
        (),
        layers,
        heads,
        colours='sequential',
        value_label='weight',
    )


def of_one(found: Mapping[str, Any], at: int) -> dict[str, np.ndarray]:
    """The maps of one sentence of several."""
    return {layer: weights[at] for layer, weights in found.items()}
