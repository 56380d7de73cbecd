"""What a network that reads text hangs on: single words, words long past; how long texts are, and which it gets wrong."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.labels import labels_of
from jaxlab.data.text.feature import Text
from jaxlab.figures import Bars, Figure, Histogram, Lines, Table
from jaxlab.looks.subject import Subject
from jaxlab.measures.classification import softmax

MOST_WORDS = 24  # of a text in a figure: more could not be read
GROUPS = 5
BYTE_BLANK = 'Ġ'  # a blank before a word, as byte pairs write it


def word_importance(subject: Subject, *, texts: int = 2, steps: int = 16) -> list[Figure]:
    """How much each word speaks for the class that the network chose: integrated gradients of its word vectors.

    Sundararajan et al., arXiv 1703.01365: along the straight way from no vectors to those of the text, `steps` points. What all
    words say adds up to the difference that the whole text makes. The shortest test texts that fit into a figure.
    """
    feature = _text(subject)
    if feature is None:
        return []
    tokens = np.asarray(subject.data.splits[subject.split].read(_rows(subject))[subject.data.input])
    sizes = (tokens != feature.tokenizer.frame.padding).sum(axis=1)
    rows = np.argsort(np.where(sizes <= MOST_WORDS, -sizes, MOST_WORDS + sizes), kind='stable')[:texts]
    names, figures = subject.classes, list[Figure]()
    found, logits = attributed(subject.module, subject.variables['trained'], jnp.asarray(tokens[rows]), steps)
    for number, (row, values) in enumerate(zip(tokens[rows], np.asarray(found), strict=True), 1):
        there = np.flatnonzero(row != feature.tokenizer.frame.padding)[:MOST_WORDS]
        answer, share = int(np.argmax(logits[number - 1])), softmax(np.asarray(logits[number - 1], np.float64)[None])[0]
        words = [
            f'{at + 1} {word.lstrip(BYTE_BLANK) or word}' for at, word in enumerate(feature.tokenizer.names(row[there]))
        ]
        note = f'the network says {names[answer]} ({share[answer]:.0%}); above 0: the word speaks for it; first replica'
        title = f'What each word says, text {number}'
        heights = {'importance': values[there]}
        figures.append(
            Bars(f'word_importance_{number}', title, note, words, heights, {}, 'word', 'change of the logit')
        )
    return figures


def answers(subject: Subject, *, texts: tuple = ()) -> list[Figure]:
    """What the network says of a few texts of one's own (A07)."""
    feature = _text(subject)
    if feature is None or not texts:
        return []
    tokens = feature.tokenizer.apply([str(text) for text in texts])
    read = jax.jit(lambda variables, tokens: subject.module.apply(variables, tokens, train=False))
    logits = read(subject.variables['trained'], jnp.asarray(tokens))
    shares, sizes = softmax(np.asarray(logits, np.float64)), _lengths(feature, tokens)
    rows = [
        (str(text), subject.classes[int(share.argmax())], f'{share.max():.1%}', int(size))
        for text, share, size in zip(texts, shares, sizes, strict=True)
    ]
    note = 'probability: of the class that is said; first replica'
    return [Table('answers', 'What it says of a few texts', note, ('text', 'class', 'probability', 'tokens'), rows)]


def gradient_by_step(subject: Subject, *, examples: int = 64) -> list[Figure]:
    """Length of the loss's gradient to each word's vector, counted from the last word: how far back does the error reach?"""
    feature = _text(subject)
    if feature is None:
        return []
    rows = _rows(subject)[:examples]
    tokens, labels = subject.inputs(rows), jnp.asarray(labels_of(subject.data.splits[subject.split])[rows])
    there = np.asarray(tokens) != feature.tokenizer.frame.padding
    last = there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    back = np.where(there, last[:, None] - np.arange(there.shape[1]), -1)

    @jax.jit
    def slopes(variables: Any) -> jax.Array:
        vectors, answer = _reader(subject.module, variables, tokens)
        loss = lambda vectors: optax.softmax_cross_entropy_with_integer_labels(answer(vectors), labels).sum()
        return jnp.linalg.norm(jax.grad(loss)(vectors), axis=-1)

    series = {}
    for state, variables in subject.variables.items():
        lengths = np.asarray(slopes(variables))
        means = [lengths[back == step].mean() for step in range(int(back.max()) + 1)]
        series[state] = (np.arange(len(means)), np.maximum(means, 1e-12))
    note = f'the first {len(rows)} texts of the {subject.split} split; mean over the texts that are long enough; first replica'
    title = 'How far back an error reaches'
    return [
        Lines('gradient_by_step', title, note, series, 'words before the last', 'length of the gradient', y_log=True)
    ]


def text_lengths(subject: Subject) -> list[Figure]:
    """How many tokens the texts have, as the network is given them."""
    feature = _text(subject)
    if feature is None:
        return []
    samples = {
        name: _lengths(feature, split.read(split.rows)[subject.data.input])
        for name, split in subject.data.splits.items()
    }
    longest = feature.tokenizer.frame.longest
    note = f'at most {longest}; ' + ', '.join(
        f'{np.mean(lengths >= longest):.0%} of {name} are as long or were cut' for name, lengths in samples.items()
    )
    return [Histogram('text_lengths', 'How long the texts are', note, samples, 40, 'tokens', 'texts')]


def accuracy_by_length(subject: Subject) -> list[Figure]:
    """Accuracy on the shortest fifth of the texts, the next, and so on; texts of one length are not parted."""
    feature = _text(subject)
    if feature is None:
        return []
    split = subject.data.splits[subject.split]
    outputs = subject.record.outputs[subject.split]
    size = len(outputs[0]['logits'])
    lengths = _lengths(feature, split.read(np.arange(size))[subject.data.input])
    right = np.array([one['logits'].argmax(axis=1) == labels_of(split)[:size] for one in outputs])
    starts = [part[0] for part in np.array_split(np.sort(lengths), GROUPS)[1:] if len(part)]
    group = np.searchsorted(np.unique(starts), lengths, side='right')  # texts of one length stay together
    parts = [np.flatnonzero(group == number) for number in np.unique(group)]
    ranges = [(lengths[part].min(), lengths[part].max()) for part in parts]
    names = [f'{low} to {high}' if low < high else f'{low}' for low, high in ranges]
    shares = np.array([right[:, part].mean(axis=1) for part in parts])
    replicas = f'{len(outputs)} replica{"s"[: len(outputs) - 1]}'
    sizes = ', '.join(f'{len(part):,}' for part in parts)
    note = f'{subject.split} split, n = {size:,} in parts of {sizes}; {replicas}; bars: two standard errors'
    mean = shares.mean(axis=1)
    errors = 2 * np.sqrt(mean * (1 - mean) / [len(part) for part in parts])
    title = 'Are long texts harder?'
    columns = ({'accuracy': mean}, {'accuracy': errors}, 'tokens', 'accuracy')
    return [Bars('accuracy_by_length', title, note, names, *columns)]


def attributed(module: Any, variables: Any, tokens: jax.Array, steps: int) -> tuple[jax.Array, jax.Array]:
    """(importance [N, T] of each token for the class that is chosen, logits [N, C]): integrated gradients by the midpoint rule.

    What is explained is the logit of that class less the mean of all.
    """

    @jax.jit
    def explained(variables: Any, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        vectors, answer = _reader(module, variables, tokens)
        logits = answer(vectors)
        chosen = jax.nn.one_hot(logits.argmax(-1), logits.shape[-1]) - 1 / logits.shape[-1]
        slope = jax.grad(lambda vectors: (answer(vectors) * chosen).sum())
        shares = (jnp.arange(steps) + 0.5) / steps
        total = jax.lax.map(lambda share: slope(share * vectors), shares).mean(axis=0)
        return (total * vectors).sum(axis=-1), logits

    return explained(variables, tokens)


def _reader(module: Any, variables: Any, tokens: jax.Array) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """(the vectors [N, T, D] of the tokens, what gives logits for other vectors in their place)."""
    seen = []

    def apply(vectors: jax.Array | None) -> jax.Array:
        def change(go_on: Any, given: Any, named: Any, context: Any) -> Any:
            found = go_on(*given, **named)
            is_table = isinstance(context.module, nn.Embed) and context.module.name == 'embedding'
            if not is_table or context.method_name != '__call__':
                return found
            seen.append(found)
            return found if vectors is None else vectors

        with nn.intercept_methods(change):
            return module.apply(variables, tokens, train=False)

    apply(None)
    return seen[0], apply


def _text(subject: Subject) -> Text | None:
    feature = subject.data.input_feature
    return feature if isinstance(feature, Text) and not subject.sees_images else None


def _rows(subject: Subject) -> np.ndarray:
    """The first texts of the split that is looked at."""
    return np.arange(min(256, subject.data.splits[subject.split].size))


def _lengths(feature: Text, tokens: np.ndarray) -> np.ndarray:
    return (np.asarray(tokens) != feature.tokenizer.frame.padding).sum(axis=1)
