"""Scaled dot-product attention and its multi-head form (Vaswani et al. 2017, arXiv 1706.03762).

    Att(Q, K, V) = softmax(Q K^T / sqrt(d)) V

Symbols: N examples, T queries, S keys and values, H heads, K features a head. Masks are boolean, true where a query may
look, and broadcast to [N, H, T, S].
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxlab.layers import initializers
from jaxlab.layers.dense import Dense
from jaxlab.layers.dropout import Dropout


def padding_mask(keys: Bool[Array, 'N S']) -> Bool[Array, 'N 1 1 S']:
    """Every query sees the keys that are marked true."""
    return keys[:, None, None, :]


def causal_mask(steps: int) -> Bool[Array, '1 1 T T']:
    """Query t sees keys 0 to t."""
    return jnp.tril(jnp.ones((steps, steps), bool))[None, None]


def attention_weights(
    query: Float[Array, 'N T H K'], key: Float[Array, 'N S H K'], mask: Bool[Array, '...'] | None = None
) -> Float[Array, 'N H T S']:
    """`softmax(Q K^T / sqrt(K))`: rows sum to 1. A query that may look nowhere looks everywhere alike, as in Flax."""
    scores = jnp.einsum('nthk,nshk->nhts', query * query.shape[-1] ** -0.5, key)
    if mask is not None:
        scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    return jax.nn.softmax(scores, axis=-1)


def dot_product_attention(
    query: Float[Array, 'N T H K'],
    key: Float[Array, 'N S H K'],
    value: Float[Array, 'N S H V'],
    mask: Bool[Array, '...'] | None = None,
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


class MultiHeadAttention(nn.Module):
    """Attention in H subspaces at once; parameters 4 D (D + 1) where all widths are D.

    Args:
      heads: H; must divide the width.
      features: width of the projections, by default that of the queries.
      dropout: share of attention weights set to zero in training.
      init_scheme: `'torch'` (joined Glorot projections, U(+-1/sqrt(D)) output), `'keras'` (Glorot) or `'lecun'`; biases 0.
    """

    heads: int
    features: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    init_scheme: str = 'torch'
    dtype: Any = None

    @nn.compact
    def __call__(
        self,
        x: Float[Array, 'N T D'],
        memory: Float[Array, 'N S E'] | None = None,
        mask: Bool[Array, '...'] | None = None,
        train: bool = False,
    ) -> Float[Array, 'N T D']:
        """Queries from `x`; keys and values from `memory`, or from `x` (self-attention)."""
        width = self.features or x.shape[-1]
        if width % self.heads:
            raise ValueError(f'heads: {self.heads} does not divide the width {width}')
        torch = self.init_scheme == 'torch'
        joined = joined_glorot(3) if torch else None
        memory = x if memory is None else memory

        def project(name: str, inputs: Array) -> Array:
            layer = Dense(width, self.use_bias, self.dtype, self.init_scheme, joined, initializers.zeros, name=name)
            return layer(inputs).reshape(*inputs.shape[:-1], self.heads, width // self.heads)

        dropout = Dropout(self.dropout)
        context = dot_product_attention(
            project('query', x), project('key', memory), project('value', memory), mask, lambda w: dropout(w, train)
        )
        context = context.reshape(*context.shape[:-2], width)
        out = Dense(x.shape[-1], self.use_bias, self.dtype, self.init_scheme, bias_init=initializers.zeros, name='out')
        return out(context)
