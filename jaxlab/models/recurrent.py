"""Sequence models: tokens or features -> LSTM, GRU or plain RNN layers -> logits or values (A06, B14, B15, B18)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError
from jaxlab.layers import Dense, Dropout, initializers
from jaxlab.layers.recurrent import Stacked
from jaxlab.models.arrays import Logits, Weight


class SequenceModel(nn.Module):
    """Tokens [N, T] int (with `vocabulary`) or features [N, T, D] -> [N, classes].

    Args:
      classes: width of the last Dense layer: classes, or values of a forecast.
      outputs: 'softmax', one unit a class; or 'sigmoid', one unit z for two classes, returned as logits (0, z) (A06).
      cell: `'lstm'`, `'gru'` or `'rnn'`.
      features: units of each recurrent layer; all but the last give every step, the last its final state.
      bidirectional: read both ways and join (the last layer: the two final states).
      embedding: width of the token vectors.
      padding: token id whose steps are skipped, the state held (`None`: it is read like a word, as in A06).
      zero_token: token id whose vector is zero and stays so (B15's padding, read like a word).
      hidden: widths of ReLU layers before the output.
      dropout: after every recurrent layer.
      init_scheme: `'keras'` (A06), `'torch'` (B14, B15, B18) or `'lecun'`, for all layers.
      forget_bias, reset_after, activation: as in `LSTM`, `GRU` and `SimpleRNN`.
      dtype: of the computation; parameters stay float32, and so do the outputs.
    """

    classes: int
    cell: str = 'lstm'
    features: tuple[int, ...] = (64,)
    bidirectional: bool = False
    vocabulary: int | None = None
    embedding: int = 32
    padding: int | None = None
    zero_token: int | None = None
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    init_scheme: str = 'keras'
    forget_bias: float | None = None
    reset_after: bool = True
    activation: str = 'tanh'
    outputs: str = 'softmax'
    dtype: jax.typing.DTypeLike | None = None

    def __post_init__(self) -> None:
        if self.outputs not in ('softmax', 'sigmoid') or (self.outputs == 'sigmoid' and self.classes != 2):
            raise UserError(
                f'config.model.outputs={self.outputs!r} for {self.classes} classes; valid: softmax, or sigmoid for 2'
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, train: bool = False, weight: Weight = None) -> Logits:
        mask = (x != self.padding).astype(jnp.float32) if self.padding is not None and x.ndim == 2 else None
        if self.vocabulary is not None:
            x = self._embed(x, self.vocabulary)
        own: dict[str, dict[str, Any]] = {
            'lstm': {'forget_bias': self.forget_bias},
            'gru': {'reset_after': self.reset_after},
            'rnn': {'activation': self.activation},
        }
        cells = {'init_scheme': self.init_scheme, 'dtype': self.dtype, **own.get(self.cell, {})}
        layers = Stacked(
            self.features, self.cell, cells, self.bidirectional, self.dropout, sequence=False, name='recurrent'
        )
        x = Dropout(self.dropout)(layers(x, mask, train=train), train)
        for k, width in enumerate(self.hidden):
            x = nn.relu(Dense(width, init_scheme=self.init_scheme, dtype=self.dtype, name=f'dense_{k}')(x))
        units = 1 if self.outputs == 'sigmoid' else self.classes
        found = Dense(units, init_scheme=self.init_scheme, dtype=self.dtype, name='head')(x)
        found = found.astype(jnp.promote_types(found.dtype, jnp.float32))
        return jnp.concatenate([jnp.zeros_like(found), found], axis=-1) if self.outputs == 'sigmoid' else found

    def _embed(self, tokens: Array, vocabulary: int) -> Float[Array, 'N T D']:
        start: Any = initializers.embedding_init(self.init_scheme)
        table = nn.Embed(vocabulary, self.embedding, embedding_init=start, dtype=self.dtype, name='embedding')
        x = table(tokens)
        return x if self.zero_token is None else jnp.where((tokens != self.zero_token)[..., None], x, 0)
