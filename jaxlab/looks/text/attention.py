"""Where queries look: weights of attention as maps, of an encoder's own tokens or of a decoder at its source."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.text.feature import Text
from jaxlab.data.text.tokens import Tokenizer
from jaxlab.figures import Figure, Images, Matrix
from jaxlab.looks.subject import Subject

MOST_LAYERS = 6  # whose heads are drawn


def kept(intermediates: Any, wanted: Callable[[Sequence[str]], bool]) -> dict[str, np.ndarray]:
    """Layer -> weights [N, H, T, S] that `jaxlab.layers.attention` left behind. wanted: of the names on a layer's path."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(intermediates)[0]:
        names = [str(one.key) for one in path if hasattr(one, 'key')]
        if names[-1] == 'weights' and wanted(names):
            weights = np.asarray(leaf, np.float32)  # step by step: [N, H, T, 1, S]
            found['/'.join(names[:-1])] = weights[:, :, :, 0] if weights.ndim == 5 else weights
    return found


def labels(tokenizer: Tokenizer, ids: np.ndarray) -> list[str]:
    """A word or piece each, special tokens by their names."""
    return [tokenizer.text([int(one)]) or tokenizer.names([int(one)])[0] for one in ids]


class Words(NamedTuple):
    """What a map is called, and what its columns and rows are."""

    title: str
    across: str
    down: str


def last_layer(
    found: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], name: str, note: str, words: Words
) -> Matrix:
    """One text's map: the mean over the heads of the last layer. found: layer -> [H, T, S]."""
    last = list(found.values())[-1]
    heads = f', the mean of {len(last)} heads of the last layer' if len(last) > 1 else ''
    return Matrix(
        name,
        words.title,
        f'{note}{heads}; rows add up to 1',
        last.mean(0)[: len(rows), : len(columns)],
        rows,
        columns,
        words.across,
        words.down,
        number_format='{:.2f}',
    )


def by_head(
    found: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], name: str, title: str, note: str
) -> Images:
    """Every head of every layer (of the last six) for one text: a picture each, a row a layer."""
    layers = list(enumerate(found.values(), 1))[-MOST_LAYERS:]
    images = np.concatenate([weights[:, : len(rows), : len(columns)] for _, weights in layers])[..., None]
    heads = len(layers[0][1])
    return Images(
        name,
        title,
        f'{note}. Across: {" ".join(columns)}. Down: {" ".join(rows)}',
        images,
        [f'head {number % heads + 1}' for number in range(len(images))],
        (),
        [f'layer {number}' for number, _ in layers],
        heads,
        high=float(images.max()),
        colours='sequential',
        value_label='weight',
    )


def self_attention(subject: Subject, *, longest: int = 14) -> list[Figure]:
    """Where each token of one test text looks: the longest that has at most so many tokens, or the shortest of all."""
    feature = subject.data.input_feature
    if not isinstance(feature, Text):
        return []
    split = subject.data.splits[subject.split]
    tokens = np.asarray(split.read(np.arange(min(512, split.size)))[subject.data.input])
    sizes = (tokens != feature.tokenizer.frame.padding).sum(axis=1)
    row = tokens[np.argmax(np.where(sizes <= longest, sizes, -sizes))]
    row = row[row != feature.tokenizer.frame.padding]

    @jax.jit
    def looked(variables: Any, tokens: jax.Array) -> Any:
        logits, left = subject.module.apply(variables, tokens, train=False, mutable=['intermediates'])
        return logits, left.get('intermediates', {})

    logits, left = looked(subject.variables['trained'], jnp.asarray(row[None]))
    found = {layer: weights[0] for layer, weights in kept(left, lambda names: True).items()}
    if not found:
        return []
    names = labels(feature.tokenizer, row)
    answer = subject.classes[int(logits[0].argmax())]
    note = f'a text of the {subject.split} split that the network calls {answer}; first replica'
    words = Words('Where each token looks', 'looked at', 'token')
    figures: list[Figure] = []
    if len(names) <= longest:
        figures = [last_layer(found, names, names, 'self_attention', note, words)]
    title = f'{words.title}, head by head'
    return [*figures, by_head(found, names, names, 'self_attention_by_head', title, note)]
