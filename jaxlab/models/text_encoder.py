"""Encoders of text in the form of BERT: BERT, MiniLM and DistilBERT, by their sizes (A07, B17).

Devlin et al., arXiv 1810.04805; Wang et al., arXiv 2002.10957 (MiniLM: the same network, smaller); Sanh et al., arXiv
1910.01108 (DistilBERT: half the layers, no segments, no pooler).
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.errors import lookup
from jaxlab.layers import Dense, Dropout, LayerNorm, initializers
from jaxlab.layers.attention import padding_mask
from jaxlab.layers.positions import Positions
from jaxlab.models.arrays import Logits, Weight
from jaxlab.models.transformer import EncoderLayer, Rates, Style, masked_mean


class TextEncoder(nn.Module):
    """Tokens [N, T] int -> a state a token [N, T, width]. Defaults: BERT-base; DistilBERT has 6 layers and no segments.

    Args:
      hidden: width inside the feed-forward part.
      segments: kinds of segment that tokens may belong to (0: there are none). pooler: a tanh layer over the first token.
      dropout: of token vectors and of what each sub-layer gives. attention_dropout: of attention weights.
      sublayer_dropout: whether what attention gives is dropped too (DistilBERT: it is not).
      padding: token id that no query may look at.
    """

    vocabulary: int = 30_522
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    max_length: int = 512
    segments: int = 2
    pooler: bool = True
    dropout: float = 0.1
    attention_dropout: float = 0.1
    sublayer_dropout: bool = True
    activation: str = 'gelu'
    epsilon: float = 1e-12
    padding: int = 0
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(
        self,
        tokens: Int[Array, 'N T'],
        segments: Int[Array, 'N T'] | None = None,
        seen: Bool[Array, 'N T'] | None = None,
        train: bool = False,
    ) -> tuple[Float[Array, 'N T D'], Float[Array, 'N D'] | None]:
        """The states, and the pooler's vector (None without one). seen: the tokens that are no padding, by default by id.

        segments: 0 where they are not given.
        """
        seen = tokens != self.padding if seen is None else seen
        start: Any = initializers.embedding_init('bert')
        embed = lambda size, name: nn.Embed(size, self.width, embedding_init=start, dtype=self.dtype, name=name)
        x = Positions('learned', self.max_length, name='positions')(embed(self.vocabulary, 'embedding')(tokens))
        if self.segments:
            given = jnp.zeros_like(tokens) if segments is None else segments
            x = x + embed(self.segments, 'segments')(given)
        x = Dropout(self.dropout)(LayerNorm(self.epsilon, self.dtype, name='norm')(x), train)
        rates = Rates(self.attention_dropout, self.dropout * self.sublayer_dropout, 0.0, self.dropout)
        style = Style(self.heads, self.hidden, rates, False, self.activation, self.epsilon, 'bert', self.dtype)
        for k in range(self.layers):
            x = EncoderLayer(style, self.width, name=f'layer_{k}')(x, train, padding_mask(seen))
        if not self.pooler:
            return x, None
        return x, jnp.tanh(Dense(self.width, dtype=self.dtype, init_scheme='bert', name='pooler')(x[:, 0]))


def _pooled(states: Array, pooled: Array | None, seen: Array) -> Array | None:
    return pooled


def _first(states: Array, pooled: Array | None, seen: Array) -> Array:
    return states[:, 0]


def _mean(states: Array, pooled: Array | None, seen: Array) -> Array:
    return masked_mean(states, seen)


POOLS = {'pooler': _pooled, 'first': _first, 'mean': _mean}


class TextClassifier(TextEncoder):
    """Tokens [N, T] int -> logits [N, classes]: the encoder, one vector a text, a head.

    Args:
      pool: what stands for the text: `'pooler'` (A07), the `'first'` token's state (B17), or the `'mean'` over the tokens
        that are no padding (what MiniLM was trained with).
      head_hidden: a ReLU layer of the encoder's width before the last one (B17).
      head_dropout: before the last layer (A07 .3, B17 .2).
      head_init: how the last layer starts: `'torch'` (A07) or `'bert'` (B17, N(0, 0.02)).
    """

    classes: int = 2
    pool: str = 'pooler'
    head_hidden: bool = False
    head_dropout: float = 0.1
    head_init: str = 'bert'

    @nn.nowrap
    def encoder_arguments(self) -> dict[str, Any]:
        """What the encoder alone is built with."""
        own = {field.name for field in dataclasses.fields(TextEncoder) if field.init} - {'parent', 'name'}
        return {name: getattr(self, name) for name in own} | {'pooler': self.pooler and self.pool == 'pooler'}

    @nn.compact
    def __call__(  # type: ignore[override]
        self, tokens: Int[Array, 'N T'], train: bool = False, weight: Weight = None
    ) -> Logits:
        choose = lookup(POOLS, self.pool, 'model.pool')
        encoder = TextEncoder(**self.encoder_arguments(), name='encoder')
        x = choose(*encoder(tokens, train=train), tokens != self.padding)
        if self.head_hidden:
            x = nn.relu(Dense(self.width, dtype=self.dtype, init_scheme='bert', name='head_hidden')(x))
        x = Dropout(self.head_dropout)(x, train)
        logits = Dense(self.classes, dtype=self.dtype, init_scheme=self.head_init, name='head')(x)
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
