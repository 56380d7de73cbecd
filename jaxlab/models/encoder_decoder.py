"""The Transformer that reads one sequence and writes another (Vaswani et al. 2017; D3.4, B25; Marian's published weights)."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.errors import UserError, closest
from jaxlab.layers import Dense, Dropout, LayerNorm, initializers
from jaxlab.layers.attention import causal_mask, padding_mask
from jaxlab.layers.positions import Positions
from jaxlab.models.transformer import Cache, DecoderLayer, EncoderLayer, Rates, Style

SHARED = ('none', 'output', 'all')


class EncoderDecoder(nn.Module):
    """Tokens of the source [N, S] and of the target so far [N, T] -> logits [N, T, target_vocabulary] of what follows.

    Padding of the source is never looked at. Padding behind the target needs no mask: no true token looks ahead.

    Args:
      hidden: width inside the feed-forward part.
      dropout: of what each sub-layer gives. attention_dropout: of attention weights. inner_dropout: inside the feed-forward
        part. embedding_dropout: of token vectors with their positions. The last three are `dropout` where they are None.
      final_norm: a layer norm above each stack (PyTorch's `nn.Transformer` has it in both styles; D3.4 and Marian do not).
      positions: as in `jaxlab.layers.positions`. scale_embeddings: token vectors times sqrt(width).
      shared: `'none'`, `'output'` (the target's token vectors are the output's weights) or `'all'` (the source's too).
      output_bias: whether logits have one.
      init_scheme: `'xavier'` is `torch.nn.Transformer`'s, beside embeddings N(0, 1) and PyTorch's output layer (B25).
    """

    source_vocabulary: int
    target_vocabulary: int
    width: int = 256
    heads: int = 4
    hidden: int = 1024
    encoder_layers: int = 3
    decoder_layers: int = 3
    dropout: float = 0.1
    attention_dropout: float | None = None
    inner_dropout: float | None = None
    embedding_dropout: float | None = None
    norm_first: bool = False
    final_norm: bool = True
    activation: str = 'relu'
    epsilon: float = 1e-5
    positions: str = 'sinusoidal'
    max_length: int = 512
    scale_embeddings: bool = False
    shared: str = 'none'
    output_bias: bool = True
    padding: int = 0
    init_scheme: str = 'xavier'
    dtype: jax.typing.DTypeLike | None = None
    looks_at_source: ClassVar[str] = (
        'memory_attention'  # the module whose weights say where in the source a step looked
    )

    def setup(self) -> None:
        if self.shared not in SHARED:
            raise UserError(f'unknown model.shared {self.shared!r}; {closest(self.shared, SHARED)}')
        if self.shared == 'all' and self.source_vocabulary != self.target_vocabulary:
            sizes = f'{self.source_vocabulary} and {self.target_vocabulary}'
            raise UserError(f"model.shared='all' needs one vocabulary; there are two, of {sizes} tokens")
        start: Any = initializers.embedding_init(self.init_scheme)
        embed = lambda size: nn.Embed(size, self.width, embedding_init=start, dtype=self.dtype)
        self.target_embedding = embed(self.target_vocabulary)
        self.source_embedding = self.target_embedding if self.shared == 'all' else embed(self.source_vocabulary)
        place = lambda: Positions(self.positions, self.max_length)
        self.source_positions, self.target_positions = place(), place()
        self.drop = Dropout(self._rate(self.embedding_dropout))
        style = self._style()
        self.encoder = [EncoderLayer(style, self.width) for _ in range(self.encoder_layers)]
        self.decoder = [DecoderLayer(style, self.width) for _ in range(self.decoder_layers)]
        if self.final_norm:
            norm = lambda: LayerNorm(self.epsilon, self.dtype)
            self.encoder_norm, self.decoder_norm = norm(), norm()
        if self.shared == 'none':
            scheme = 'torch' if self.init_scheme == 'xavier' else self.init_scheme
            self.head = Dense(self.target_vocabulary, self.output_bias, self.dtype, scheme)
        elif self.output_bias:
            self.output_bias_vector = self.param('output_bias', initializers.zeros, (self.target_vocabulary,))

    def _rate(self, rate: float | None) -> float:
        return self.dropout if rate is None else rate

    def _style(self) -> Style:
        rates = Rates(self._rate(self.attention_dropout), self.dropout, self._rate(self.inner_dropout), self.dropout)
        rotary = self.positions == 'rotary'
        return Style(
            self.heads,
            self.hidden,
            rates,
            self.norm_first,
            self.activation,
            self.epsilon,
            self.init_scheme,
            self.dtype,
            rotary,
        )

    def __call__(
        self, source: Int[Array, 'N S'], target: Int[Array, 'N T'], train: bool = False
    ) -> Float[Array, 'N T V']:
        """Teacher forcing. target: begins with the start token; the logits at t see its tokens 0 to t."""
        memory, seen = self.encode(source, train)
        return self.decode(target, memory, seen, train)

    def encode(self, source: Int[Array, 'N S'], train: bool = False) -> tuple[Array, Array]:
        """What the encoder makes of the source [N, S, D], and which of its tokens are no padding [N, S]."""
        seen = source != self.padding
        x = self._placed(self.source_embedding(source), self.source_positions, 0, train)
        for layer in self.encoder:
            x = layer(x, train, padding_mask(seen))
        return (self.encoder_norm(x) if self.final_norm else x), seen

    def decode(
        self, target: Int[Array, 'N T'], memory: Float[Array, 'N S D'], seen: Bool[Array, 'N S'], train: bool = False
    ) -> Float[Array, 'N T V']:
        """Logits of all steps at once."""
        x = self._placed(self.target_embedding(target), self.target_positions, 0, train)
        for layer in self.decoder:
            x = layer(x, memory, train, causal_mask(target.shape[1]), padding_mask(seen))
        return self._logits(x)

    def begin(self, source: Int[Array, 'N S'], steps: int) -> tuple[Any, tuple[Cache, ...]]:
        """(context, state) for decoding: the source as each layer looks at it, and room for `steps` tokens a layer."""
        if steps > self.max_length and self.positions not in ('rotary', 'none'):
            raise UserError(f'model.max_length is {self.max_length}, but {steps} tokens are to be written')
        memory, seen = self.encode(source)
        context = tuple(layer.remember(memory) for layer in self.decoder), seen
        return context, tuple(layer.empty(len(source), steps, memory.dtype) for layer in self.decoder)

    def step(
        self, context: Any, state: tuple[Cache, ...], token: Int[Array, 'N'], position: Array | int
    ) -> tuple[Float[Array, 'N V'], tuple[Cache, ...]]:
        """Logits of what follows `token`, which stands at `position`, and the state after it."""
        memories, seen = context
        x = self._placed(self.target_embedding(token[:, None]), self.target_positions, position, False)
        kept = []
        for layer, cache, memory in zip(self.decoder, state, memories, strict=True):
            x, cache = layer.step(x, jnp.asarray(position), cache, memory, padding_mask(seen))
            kept.append(cache)
        return self._logits(x)[:, 0], tuple(kept)

    def _placed(self, vectors: Array, positions: Positions, offset: Array | int, train: bool) -> Float[Array, 'N T D']:
        vectors = vectors * self.width**0.5 if self.scale_embeddings else vectors
        return self.drop(positions(vectors, offset), train)

    def _logits(self, x: Float[Array, 'N T D']) -> Float[Array, 'N T V']:
        x = self.decoder_norm(x) if self.final_norm else x
        if self.shared == 'none':
            logits = self.head(x)
        else:
            logits = self.target_embedding.attend(x)
            logits = logits + self.output_bias_vector if self.output_bias else logits
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
