"""Where in the source each written token looked: maps as figures, for the report and for a user's own sentences."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxlab.figures import Images, Matrix
from jaxlab.looks.text import attention
from jaxlab.tasks.supervised import State
from jaxlab.tasks.translation.step import Translation

WORDS = attention.Words('Where each written token looked', 'source', 'translation')


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

    left = looked(state['model'].variables(), source, given)
    return attention.kept(left, lambda names: task.model.looks_at_source in names)


def _shown(task: Translation, source: np.ndarray, written: np.ndarray) -> tuple[list[str], list[str]]:
    """Labels of one translation [T] and of its source [S], padding left out."""
    texts = task.tokenizer, task.texts['source'].tokenizer
    rows = (row[row != one.frame.padding] for row, one in zip((written, source), texts, strict=True))
    down, across = (attention.labels(one, row) for one, row in zip(texts, rows, strict=True))
    return down, across


def whole(
    task: Translation, found: Mapping[str, np.ndarray], source: np.ndarray, written: np.ndarray, name: str, note: str
) -> Matrix:
    """One sentence's map: the mean over the heads of the last layer. found: layer -> [H, T, S] of this sentence."""
    return attention.last_layer(found, *_shown(task, source, written), name, note, WORDS)


def by_head(
    task: Translation, found: Mapping[str, np.ndarray], source: np.ndarray, written: np.ndarray, name: str, note: str
) -> Images:
    """Every head of every layer for one sentence: a picture each, a row a layer."""
    title = 'Attention to the source, head by head'
    return attention.by_head(found, *_shown(task, source, written), name, title, note)


def of_one(found: Mapping[str, Any], at: int) -> dict[str, np.ndarray]:
    """The maps of one sentence of several."""
    return {layer: weights[at] for layer, weights in found.items()}
