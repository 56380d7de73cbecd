r"""Scaled dot-product attention with every matrix kept (spec D3.1, B24, A07).

$$S = QK^\top,\qquad L = S/\sqrt{d_k}\;(+\,-\infty\text{ where masked}),\qquad A = \mathrm{softmax}(L),\qquad O = AV$$

Leading axes (batch, heads) are free: Q [..., T, d], K [..., S, d], V [..., S, v].
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxlab.errors import UserError


class AttentionTrace(NamedTuple):
    """Every matrix in the order of computation."""

    queries: Float[Array, '... T d']
    keys: Float[Array, '... S d']
    values: Float[Array, '... S v']
    scores: Float[Array, '... T S']  # Q K^T
    scaled: Float[Array, '... T S']  # divided by sqrt(d), minus infinity where masked
    shifted: Float[Array, '... T S']  # exp(scaled - the row's maximum)
    total: Float[Array, '... T 1']  # their sum
    weights: Float[Array, '... T S']
    output: Float[Array, '... T v']


def attention(
    queries: Array, keys: Array, values: Array, mask: Array | None = None, scale: bool = True
) -> AttentionTrace:
    """mask: True where a query may look at a key, broadcast to [..., T, S]; a query that may look at none gets zeros."""
    queries, keys, values = (jnp.asarray(x, jnp.result_type(x, float)) for x in (queries, keys, values))
    return _attention(queries, keys, values, mask, scale)


@functools.partial(jax.jit, static_argnames='scale')
def _attention(queries: Array, keys: Array, values: Array, mask: Array | None, scale: bool) -> AttentionTrace:
    if queries.shape[-1] != keys.shape[-1]:
        raise UserError(f'queries have {queries.shape[-1]} numbers and keys {keys.shape[-1]}: they must be equal')
    if keys.shape[-2] != values.shape[-2]:
        raise UserError(f'{keys.shape[-2]} keys but {values.shape[-2]} values: give one value a key')
    scores = jnp.einsum('...td,...sd->...ts', queries, keys, precision='highest')
    scaled = scores / math.sqrt(queries.shape[-1]) if scale else scores
    if mask is not None:
        scaled = jnp.where(mask, scaled, -jnp.inf)
    highest = jnp.max(scaled, axis=-1, keepdims=True)
    shifted = jnp.exp(scaled - jnp.where(jnp.isfinite(highest), highest, 0.0))
    total = jnp.sum(shifted, axis=-1, keepdims=True)
    weights = shifted / jnp.where(total > 0, total, 1.0)
    output = jnp.einsum('...ts,...sv->...tv', weights, values, precision='highest')
    return AttentionTrace(queries, keys, values, scores, scaled, shifted, total, weights, output)


@jax.jit
def entropy(weights: Array) -> Float[Array, '... T']:
    """Of each row in nats: 0 looks at one key, ln S at all alike."""
    return -jnp.sum(jax.scipy.special.xlogy(weights, weights), axis=-1)


def logit_variance(key: Array, depths: tuple[int, ...], draws: int = 4096) -> Float[np.ndarray, 'K 2']:
    """Variance of q . k and of q . k / sqrt(d) for unit normal q and k, one row a depth: why the scaling is there."""
    rows = []
    for index, depth in enumerate(depths):
        rows.append(tuple(map(float, _variances(jax.random.fold_in(key, index), (2, draws, depth)))))
    return np.array(rows)


@functools.partial(jax.jit, static_argnums=1)
def _variances(key: Array, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    q, k = jax.random.normal(key, shape)
    dot = jnp.sum(q * k, axis=-1)
    return jnp.var(dot), jnp.var(dot / math.sqrt(shape[-1]))


class Projections(NamedTuple):
    """B24's untrained parameters: one embedding and three linear maps [d, d] with bias."""

    embedding: Float[Array, 'words d']
    query: tuple[Float[Array, 'd d'], Float[Array, 'd']]
    key: tuple[Float[Array, 'd d'], Float[Array, 'd']]
    value: tuple[Float[Array, 'd d'], Float[Array, 'd']]


def init_projections(key: PRNGKeyArray, words: int = 21, width: int = 8) -> Projections:
    """Embedding N(0, 1); weights and biases U(-1/sqrt(d), 1/sqrt(d))."""
    embedding, *keys = jax.random.split(key, 7)
    bound = 1 / math.sqrt(width)
    maps = [
        (
            jax.random.uniform(keys[2 * n], (width, width), minval=-bound, maxval=bound),
            jax.random.uniform(keys[2 * n + 1], (width,), minval=-bound, maxval=bound),
        )
        for n in range(3)
    ]
    return Projections(jax.random.normal(embedding, (words, width)), *maps)


def cross_attention(
    params: Projections, source: Int[Array, 'S'], target: Int[Array, 'T'], mask: Array | None = None
) -> AttentionTrace:
    """The target's words ask, the source's answer."""
    asked, answering = params.embedding[target], params.embedding[source]
    query, key, value = (
        x @ matrix + bias
        for x, (matrix, bias) in ((asked, params.query), (answering, params.key), (answering, params.value))
    )
    return attention(query, key, value, mask)


class Vocabulary(NamedTuple):
    """Word ids; 0 is padding and no word's id."""

    words: tuple[str, ...]

    def encode(self, sentence: str, length: int) -> list[int]:
        """Ids, cut and padded to `length`."""
        ids = []
        for word in sentence.lower().split():
            if word not in self.words:
                raise UserError(f'word {word!r} is not in the vocabulary of {len(self.words)} words')
            ids.append(self.words.index(word) + 1)
        return (ids + [0] * length)[:length]


def vocabulary(sentences: tuple[str, ...]) -> Vocabulary:
    """All distinct words, lower-cased and sorted (a set's own order changes from run to run)."""
    return Vocabulary(tuple(sorted({word for sentence in sentences for word in sentence.lower().split()})))


def key_mask(ids: Array) -> Bool[Array, '... 1 S']:
    """True where a key is a word and not padding."""
    return (jnp.asarray(ids) != 0)[..., None, :]
