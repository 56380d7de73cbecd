"""The Transformer's layers (Vaswani et al. 2017), post-norm as published or pre-norm (Xiong et al. 2020), and a classifier.

PyTorch's `nn.TransformerEncoderLayer` is the reference for defaults: post-norm, ReLU, dropout 0.1 after the attention
weights, both sub-layers and inside the feed-forward part, layer-norm epsilon 1e-5.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxlab.errors import UserError, closest
from jaxlab.layers import Dense, Dropout, LayerNorm, initializers
from jaxlab.layers.activations import activation
from jaxlab.layers.attention import Mask, MultiHeadAttention, padding_mask
from jaxlab.layers.positions import Positions
from jaxlab.models.arrays import Logits, Weight

POOLS = ('mean', 'first', 'all')


class Rates(NamedTuple):
    """Dropout in a layer: of attention weights, of what attention gives, inside the feed-forward part, of what it gives."""

    weights: float = 0.0
    attention: float = 0.0
    inner: float = 0.0
    output: float = 0.0

    @classmethod
    def everywhere(cls, rate: float) -> Self:
        """As PyTorch has it."""
        return cls(rate, rate, rate, rate)


class Style(NamedTuple):
    """What the layers of one Transformer have in common. F = `hidden` is the width inside the feed-forward part.

    rotary: self-attention turns by positions. init_scheme: as in `jaxlab.layers.initializers`; attention starts as
    `MultiHeadAttention` says.
    """

    heads: int
    hidden: int
    rates: Rates = Rates()
    norm_first: bool = False
    activation: str = 'relu'
    epsilon: float = 1e-5
    init_scheme: str = 'torch'
    dtype: Any = None
    rotary: bool = False


class FeedForward(nn.Module):
    """`W_2 act(W_1 x + b_1) + b_2`; parameters D F + F + F D + D."""

    style: Style

    @nn.compact
    def __call__(self, x: Float[Array, 'N T D'], train: bool) -> Float[Array, 'N T D']:
        style = self.style
        wide = Dense(style.hidden, dtype=style.dtype, init_scheme=style.init_scheme, name='dense_1')(x)
        active = Dropout(style.rates.inner)(activation(style.activation).function(wide), train)
        return Dense(x.shape[-1], dtype=style.dtype, init_scheme=style.init_scheme, name='dense_2')(active)


class _Layer(nn.Module):
    """What both kinds of layer have: sub-layers with a skip connection and a layer norm each."""

    style: Style
    width: int

    def setup(self) -> None:
        self.attention, self.feed_forward = self._attention(self.style.rotary), FeedForward(self.style)
        self.norm_1, self.norm_2 = self._norm(), self._norm()
        self.drop_attention, self.drop_output = Dropout(self.style.rates.attention), Dropout(self.style.rates.output)

    def _attention(self, rotary: bool = False) -> MultiHeadAttention:
        style = self.style
        return MultiHeadAttention(
            style.heads,
            self.width,
            style.rates.weights,
            init_scheme=style.init_scheme,
            dtype=style.dtype,
            rotary=rotary,
        )

    def _norm(self) -> LayerNorm:
        return LayerNorm(self.style.epsilon, self.style.dtype)

    def _beside(
        self, x: Array, norm: Callable[[Array], Array], sublayer: Callable[[Array], Array], drop: Dropout, train: bool
    ) -> Array:
        """Post-norm: `LN(x + sublayer(x))`; pre-norm: `x + sublayer(LN(x))`."""
        if self.style.norm_first:
            return x + drop(sublayer(norm(x)), train)
        return norm(x + drop(sublayer(x), train))

    def _attended(self, x: Array, norm: LayerNorm, look: Callable[[Array], Array], train: bool) -> Array:
        return self._beside(x, norm, look, self.drop_attention, train)

    def _fed(self, x: Array, norm: LayerNorm, train: bool) -> Array:
        return self._beside(x, norm, lambda x: self.feed_forward(x, train), self.drop_output, train)


class EncoderLayer(_Layer):
    """Self-attention and a feed-forward part; [N, T, D] -> [N, T, D]. Parameters: 4 D (D + 1) + 2 D F + F + D + 4 D."""

    def __call__(self, x: Float[Array, 'N T D'], train: bool, mask: Mask = None) -> Float[Array, 'N T D']:
        x = self._attended(x, self.norm_1, lambda x: self.attention(x, mask=mask, train=train), train)
        return self._fed(x, self.norm_2, train)


class Cache(NamedTuple):
    """Keys and values [N, steps, H, K] of the tokens that a decoder layer has seen; later places are zero."""

    keys: Array
    values: Array


class DecoderLayer(_Layer):
    """Self-attention, attention to a memory, and a feed-forward part; parameters 8 D (D + 1) + 2 D F + F + D + 6 D."""

    def setup(self) -> None:
        super().setup()
        self.memory_attention, self.norm_3 = self._attention(), self._norm()

    def __call__(
        self,
        x: Float[Array, 'N T D'],
        memory: Float[Array, 'N S E'],
        train: bool,
        mask: Mask = None,
        memory_mask: Mask = None,
    ) -> Float[Array, 'N T D']:
        """mask: which tokens each sees, as a rule `causal_mask`; memory_mask: which places of the memory."""
        x = self._attended(x, self.norm_1, lambda x: self.attention(x, mask=mask, train=train), train)
        look = lambda x: self.memory_attention(x, memory, memory_mask, train)
        return self._fed(self._attended(x, self.norm_2, look, train), self.norm_3, train)

    def remember(self, memory: Float[Array, 'N S E']) -> Cache:
        """The memory as keys and values, computed once for all steps."""
        return Cache(*self.memory_attention.keys_values(memory))

    def empty(self, examples: int, steps: int, dtype: Any) -> Cache:
        """Room for `steps` tokens."""
        shape = (examples, steps, self.style.heads, self.width // self.style.heads)
        return Cache(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def step(
        self, x: Float[Array, 'N 1 D'], position: Array, cache: Cache, memory: Cache, memory_mask: Mask
    ) -> tuple[Float[Array, 'N 1 D'], Cache]:
        """One more token: what `__call__` gives at `position`, from the kept keys and values of those before it."""
        kept = cache

        def look(x: Array) -> Array:
            nonlocal kept
            new = self.attention.keys_values(x, position)
            kept = Cache(*(jax.lax.dynamic_update_slice_in_dim(a, b, position, 1) for a, b in zip(cache, new)))
            seen = (jnp.arange(kept.keys.shape[1]) <= position)[None, None, None]
            return self.attention.look(x, *kept, seen, False, position)

        x = self._attended(x, self.norm_1, look, False)
        x = self._attended(x, self.norm_2, lambda x: self.memory_attention.look(x, *memory, memory_mask), False)
        return self._fed(x, self.norm_3, False), kept


class TransformerClassifier(nn.Module):
    """Tokens [N, T] int (with `vocabulary`) or features [N, T, D] -> logits [N, classes].

    Args:
      width: features D of every token; feature inputs of another width are projected.
      positions: `'learned'` (N(0, 0.02), up to `max_length`), `'sinusoidal'`, `'halves'`, `'rotary'` or `'none'`.
      patch: so many steps of features are joined to one token; steps that are over are left out in front (PatchTST, Nie et
        al., arXiv 2211.14730).
      pool: `'mean'` over the tokens that are no padding, the `'first'` token, or `'all'` side by side.
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
    patch: int = 1
    pool: str = 'mean'
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array, train: bool = False, weight: Weight = None) -> Logits:
        seen = x != self.padding if self.padding is not None and x.ndim == 2 else None
        style = Style(
            self.heads,
            self.hidden,
            Rates.everywhere(self.dropout),
            self.norm_first,
            self.activation,
            dtype=self.dtype,
            rotary=self.positions == 'rotary',
        )
        x = Dropout(self.dropout)(self._embed(x), train)
        for k in range(self.layers):
            x = EncoderLayer(style, self.width, name=f'layer_{k}')(
                x, train, None if seen is None else padding_mask(seen)
            )
        if self.norm_first:
            x = LayerNorm(style.epsilon, self.dtype, name='norm')(x)
        if self.pool not in POOLS:
            raise UserError(f'unknown model.pool {self.pool!r}; {closest(self.pool, POOLS)}')
        pooled = {'first': lambda: x[:, 0], 'all': lambda: x.reshape(len(x), -1), 'mean': lambda: masked_mean(x, seen)}
        logits = Dense(self.classes, dtype=self.dtype, init_scheme='torch', name='head')(pooled[self.pool]())
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def _embed(self, x: Array) -> Float[Array, 'N T D']:
        """Token vectors plus positions."""
        if self.vocabulary is not None:
            start = initializers.embedding_init('bert')
            x = nn.Embed(self.vocabulary, self.width, embedding_init=start, dtype=self.dtype, name='embedding')(x)
        else:
            x = self._patches(x)
        if x.shape[-1] != self.width:
            x = Dense(self.width, dtype=self.dtype, init_scheme='torch', name='input')(x)
        return Positions(self.positions, self.max_length, name='positions')(x)

    def _patches(self, x: Float[Array, 'N T D']) -> Float[Array, 'N P K']:
        examples, steps, features = x.shape
        if not 1 <= self.patch <= steps:
            raise UserError(f'model.patch = {self.patch}; valid: from 1 to the {steps} steps of an example')
        return x[:, steps % self.patch :].reshape(examples, steps // self.patch, self.patch * features)


def masked_mean(x: Float[Array, 'N T D'], seen: Bool[Array, 'N T'] | None) -> Float[Array, 'N D']:
    """The mean over the tokens that are seen; 0 where none is."""
    if seen is None:
        return x.mean(1)
    kept = seen[..., None].astype(x.dtype)
    return (x * kept).sum(1) / jnp.maximum(kept.sum(1), 1)
