"""Attention: scaled dot products, their multi-head form, and the additive score.

    Att(Q, K, V) = softmax(Q K^T / sqrt(d)) V            Vaswani et al. 2017, arXiv 1706.03762
    score(s, h) = v^T tanh(W_s s + W_h h)                Bahdanau et al. 2014, arXiv 1409.0473

Symbols: N examples, T queries, S keys and values, H heads, K features a head. Masks are boolean, true where a query may
look, and broadcast to [N, H, T, S]; several are joined by `&`, never added. A query that may look nowhere gets zeros.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.layers import initializers
from jaxlab.layers.dense import Dense
from jaxlab.layers.dropout import Dropout
from jaxlab.layers.positions import rotated

Mask = Bool[Array, '...'] | None  # as above; None: every query may look everywhere


def padding_mask(keys: Bool[Array, 'N S']) -> Bool[Array, 'N 1 1 S']:
    """Every query sees the keys that are marked true."""
    return keys[:, None, None, :]


def causal_mask(steps: int) -> Bool[Array, '1 1 T T']:
    """Query t sees keys 0 to t."""
    return jnp.tril(jnp.ones((steps, steps), bool))[None, None]


def segment_mask(segments: Int[Array, 'N T']) -> Bool[Array, 'N 1 T T']:
    """Several texts packed in a row: a query sees the keys of its own text, whose number is above 0 (0: padding)."""
    return ((segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] > 0))[:, None]


def masked_softmax(scores: Float[Array, '*any S'], mask: Mask = None) -> Float[Array, '*any S']:
    """The softmax over the keys that a query may see: exactly 0 elsewhere, and all 0 where it may see none.

    The scores that count are never changed, so none overflows; the gradient of a row without keys is 0, not NaN.
    """
    wide = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    if mask is None:
        return jax.nn.softmax(wide, axis=-1).astype(scores.dtype)
    weights = jax.nn.softmax(jnp.where(mask, wide, jnp.finfo(wide.dtype).min), axis=-1)
    return jnp.where(mask, weights, 0).astype(scores.dtype)


def attention_weights(
    query: Float[Array, 'N T H K'], key: Float[Array, 'N S H K'], mask: Mask = None
) -> Float[Array, 'N H T S']:
    """`softmax(Q K^T / sqrt(K))`: rows sum to 1, or to 0 where a query may look nowhere."""
    return masked_softmax(jnp.einsum('nthk,nshk->nhts', query * query.shape[-1] ** -0.5, key), mask)


def dot_product_attention(
    query: Float[Array, 'N T H K'],
    key: Float[Array, 'N S H K'],
    value: Float[Array, 'N S H V'],
    mask: Mask = None,
    on_weights: Callable[[Array], Array] | None = None,
) -> Float[Array, 'N T H V']:
    """The values, weighed by how well their keys fit each query. `on_weights` is applied to the weights (dropout)."""
    weights = attention_weights(query, key, mask)
    return jnp.einsum('nhts,nshv->nthv', weights if on_weights is None else on_weights(weights), value)


def joined_glorot(parts: int) -> initializers.Initializer:
    """Glorot uniform for one of `parts` kernels that PyTorch keeps and starts as one: U(+-sqrt(6 / (D + parts E)))."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        limit = (6 / (shape[0] + parts * shape[1])) ** 0.5
        return jax.random.uniform(key, shape, dtype, -limit, limit)

    return init


class Attention(nn.Module):
    """What every attention has: `keys_values` of a memory, and `look`, where queries look at them.

    The weights [N, H, T, S], before dropout, are left as `weights` in the collection `intermediates`.
    """

    def keys_values(self, memory: Float[Array, 'N S E']) -> tuple[Array, Array]:
        """What queries look at: computed once where the same memory is asked again and again."""
        raise NotImplementedError

    def look(
        self, x: Float[Array, 'N T D'], keys: Array, values: Array, mask: Mask = None, train: bool = False
    ) -> Float[Array, 'N T F']:
        """What each query of `x` finds at keys and values that are there already."""
        raise NotImplementedError

    def __call__(
        self,
        x: Float[Array, 'N T D'],
        memory: Float[Array, 'N S E'] | None = None,
        mask: Mask = None,
        train: bool = False,
    ) -> Float[Array, 'N T F']:
        """Queries from `x`; keys and values from `memory`, or from `x` (self-attention)."""
        return self.look(x, *self.keys_values(x if memory is None else memory), mask, train)

    def shown(self, weights: Float[Array, 'N H T S']) -> Float[Array, 'N H T S']:
        """The weights as they are, left in `intermediates`."""
        self.sow('intermediates', 'weights', weights)
        return weights


class MultiHeadAttention(Attention):
    """Attention in H subspaces at once; parameters 4 D (D + 1) where all widths are D.

    Args:
      heads: H; must divide the width.
      features: width D of the projections and of what comes out.
      dropout: share of attention weights set to zero in training.
      rotary: turn queries and keys by their positions (`jaxlab/layers/positions.py`), which count from `offset` on.
      init_scheme: `'torch'` (joined Glorot projections, U(+-1/sqrt(D)) output), `'xavier'` (the same, Glorot output: as
        `torch.nn.Transformer` starts it), or as in `jaxlab.layers.initializers`; biases 0.
    """

    heads: int
    features: int
    dropout: float = 0.0
    use_bias: bool = True
    init_scheme: str = 'torch'
    dtype: Any = None
    rotary: bool = False

    def setup(self) -> None:
        if self.features % self.heads:
            raise ValueError(f'heads: {self.heads} does not divide the width {self.features}')
        joined = joined_glorot(3) if self.init_scheme in ('torch', 'xavier') else None

        def dense(kernel_init: initializers.Initializer | None) -> Dense:
            return Dense(
                self.features, self.use_bias, self.dtype, self.init_scheme, kernel_init, bias_init=initializers.zeros
            )

        self.query, self.key, self.value, self.out = dense(joined), dense(joined), dense(joined), dense(None)
        self.drop = Dropout(self.dropout)

    def _heads(self, x: Float[Array, 'N T D']) -> Float[Array, 'N T H K']:
        return x.reshape(*x.shape[:-1], self.heads, -1)

    def _turned(self, x: Float[Array, 'N T H K'], offset: Array | int) -> Float[Array, 'N T H K']:
        return rotated(x, offset + jnp.arange(x.shape[1])[None]) if self.rotary else x

    def keys_values(
        self, memory: Float[Array, 'N S E'], offset: Int[Array, ''] | int = 0
    ) -> tuple[Float[Array, 'N S H K'], Float[Array, 'N S H K']]:
        """What queries look at: computed once where the same memory is asked again and again."""
        return self._turned(self._heads(self.key(memory)), offset), self._heads(self.value(memory))

    def look(
        self,
        x: Float[Array, 'N T D'],
        keys: Float[Array, 'N S H K'],
        values: Float[Array, 'N S H K'],
        mask: Mask = None,
        train: bool = False,
        offset: Int[Array, ''] | int = 0,
    ) -> Float[Array, 'N T D']:
        """Queries from `x` at keys and values that are there already."""
        query = self._turned(self._heads(self.query(x)), offset)
        dropped = lambda weights: self.drop(self.shown(weights), train)
        context = dot_product_attention(query, keys, values, mask, dropped)
        return self.out(context.reshape(*context.shape[:-2], self.features))


class AdditiveAttention(Attention):
    """Bahdanau's score: `softmax_s(v^T tanh(W_s query + W_h memory_s))`; parameters A (D + E + 1), no biases.

    features: width A in which queries and memory are compared.
    """

    features: int
    init_scheme: str = 'torch'
    dtype: Any = None

    def setup(self) -> None:
        self.query = Dense(self.features, False, self.dtype, self.init_scheme)
        self.key = Dense(self.features, False, self.dtype, self.init_scheme)
        self.score = Dense(1, False, self.dtype, self.init_scheme)

    def keys_values(self, memory: Float[Array, 'N S E']) -> tuple[Float[Array, 'N S A'], Float[Array, 'N S E']]:
        """`W_h memory`, and the memory itself."""
        return self.key(memory), memory

    def look(
        self,
        x: Float[Array, 'N T D'],
        keys: Float[Array, 'N S A'],
        values: Float[Array, 'N S E'],
        mask: Mask = None,
        train: bool = False,
    ) -> Float[Array, 'N T E']:
        """The values' mean for each query; mask as in `MultiHeadAttention`, with one head."""
        scores = self.score(jnp.tanh(self.query(x)[:, :, None] + keys[:, None]))[..., 0]
        weights = self.shown(masked_softmax(scores[:, None], mask))
        return jnp.einsum('nts,nse->nte', weights[:, 0], values)


class DotAttention(Attention):
    """Scaled dot products of queries and memory as they are, without parameters (D3.2); both of width D."""

    def keys_values(self, memory: Float[Array, 'N S D']) -> tuple[Float[Array, 'N S 1 D'], Float[Array, 'N S 1 D']]:
        """The memory as one head, twice."""
        return memory[:, :, None], memory[:, :, None]

    def look(
        self,
        x: Float[Array, 'N T D'],
        keys: Float[Array, 'N S 1 D'],
        values: Float[Array, 'N S 1 D'],
        mask: Mask = None,
        train: bool = False,
    ) -> Float[Array, 'N T D']:
        """The values' mean for each query."""
        return dot_product_attention(x[:, :, None], keys, values, mask, self.shown)[:, :, 0]
