"""The Transformer encoder (Vaswani et al. 2017), post-norm as published or pre-norm (Xiong et al. 2020), to classify.

PyTorch's `nn.TransformerEncoderLayer` is the reference for defaults: post-norm, ReLU, dropout 0.1 after the attention
weights, both sub-layers and inside the feed-forward part, layer-norm epsilon 1e-5.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxlab.errors import UserError, closest
from jaxlab.layers import Dense, Dropout
from jaxlab.layers.attention import MultiHeadAttention, padding_mask

ACTIVATIONS = {'relu': nn.relu, 'gelu': lambda x: nn.gelu(x, approximate=False)}
POOLS = ('mean', 'first')
POSITIONS = ('learned', 'sinusoidal', 'none')


def sinusoids(steps: int, width: int) -> Float[Array, 'T D']:
    """Fixed positions: `sin(t / 10000^(2i/D))` in even features, `cos` of the same in odd ones."""
    angles = jnp.arange(steps)[:, None] / 10000 ** (jnp.arange(0, width, 2) / width)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(steps, -1)[:, :width]


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward part, each with a skip connection and a layer norm; [N, T, D] -> [N, T, D].

    Post-norm: `LN(x + sublayer(x))`; pre-norm (`norm_first`): `x + sublayer(LN(x))`.
    Parameters: 4 D (D + 1) + D F + F + F D + D + 4 D with F = `hidden`.
    """

    heads: int
    hidden: int
    dropout: float = 0.1
    norm_first: bool = False
    activation: str = 'relu'
    epsilon: float = 1e-5
    init_scheme: str = 'torch'
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x: Float[Array, 'N T D'], train: bool, mask: Bool[Array, '...'] | None = None
    ) -> Float[Array, 'N T D']:
        if self.activation not in ACTIVATIONS:
            raise UserError(f'unknown activation {self.activation!r}; {closest(self.activation, ACTIVATIONS)}')
        attention = MultiHeadAttention(
            self.heads, dropout=self.dropout, init_scheme=self.init_scheme, dtype=self.dtype, name='attention'
        )

        def forward(x: Array) -> Array:
            wide = Dense(self.hidden, dtype=self.dtype, init_scheme=self.init_scheme, name='dense_1')
            narrow = Dense(x.shape[-1], dtype=self.dtype, init_scheme=self.init_scheme, name='dense_2')
            x = ACTIVATIONS[self.activation](wide(x))
            return narrow(Dropout(self.dropout)(x, train))

        parts = (('norm_1', lambda x: attention(x, mask=mask, train=train)), ('norm_2', forward))
        for name, sublayer in parts:
            norm = nn.LayerNorm(self.epsilon, dtype=self.dtype, name=name)
            y = Dropout(self.dropout)(sublayer(norm(x) if self.norm_first else x), train)
            x = x + y if self.norm_first else norm(x + y)
        return x


class TransformerClassifier(nn.Module):
    """Tokens [N, T] int (with `vocabulary`) or features [N, T, D] -> logits [N, classes].

    Args:
      width: features D of every token; feature inputs of another width are projected.
      positions: `'learned'` (N(0, 0.02), up to `max_length`), `'sinusoidal'` or `'none'`.
      pool: `'mean'` over the tokens that are no padding, or the `'first'` token.
      padding: token id that no query may look at (`None`: every token is read).
    """

    classes: int
    layers: int = 2
    width: int = 128
    heads: int = 4
    hidden: int = 512
    dropout: float = 0.1
    norm_first: bool = False
    activation: str = 'relu'
    vocabulary: int | None = None
    padding: int | None = None
    max_length: int = 512
    positions: str = 'learned'
    pool: str = 'mean'
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x: Array, train: bool = False, weight: Float[Array, 'N'] | None = None
    ) -> Float[Array, 'N classes']:
        seen = x != self.padding if self.padding is not None and x.ndim == 2 else None
        x = Dropout(self.dropout)(self._embed(x), train)
        for k in range(self.layers):
            layer = EncoderLayer(
                self.heads,
                self.hidden,
                self.dropout,
                self.norm_first,
                self.activation,
                dtype=self.dtype,
                name=f'layer_{k}',
            )
            x = layer(x, train, None if seen is None else padding_mask(seen))
        if self.norm_first:
            x = nn.LayerNorm(1e-5, dtype=self.dtype, name='norm')(x)
        logits = Dense(self.classes, dtype=self.dtype, init_scheme='torch', name='head')(self._pool(x, seen))
        return logits.astype(jnp.float32)

    def _embed(self, x: Array) -> Float[Array, 'N T D']:
        """Token vectors plus positions."""
        if self.positions not in POSITIONS:
            raise UserError(f'unknown model.positions {self.positions!r}; {closest(self.positions, POSITIONS)}')
        if self.vocabulary is not None:
            start = nn.initializers.normal(0.02)
            x = nn.Embed(self.vocabulary, self.width, embedding_init=start, dtype=self.dtype, name='embedding')(x)
        elif x.shape[-1] != self.width:
            x = Dense(self.width, dtype=self.dtype, init_scheme='torch', name='input')(x)
        steps = x.shape[1]
        if self.positions == 'learned':
            if steps > self.max_length:
                raise UserError(f'model.max_length is {self.max_length}, but the sequences have {steps} tokens')
            table = self.param('positions', nn.initializers.normal(0.02), (self.max_length, self.width))
            return x + table[:steps].astype(x.dtype)
        return x + sinusoids(steps, self.width).astype(x.dtype) if self.positions == 'sinusoidal' else x

    def _pool(self, x: Float[Array, 'N T D'], seen: Bool[Array, 'N T'] | None) -> Float[Array, 'N D']:
        if self.pool not in POOLS:
            raise UserError(f'unknown model.pool {self.pool!r}; {closest(self.pool, POOLS)}')
        if self.pool == 'first':
            return x[:, 0]
        if seen is None:
            return x.mean(1)
        kept = seen[..., None].astype(x.dtype)
        return (x * kept).sum(1) / jnp.maximum(kept.sum(1), 1)
