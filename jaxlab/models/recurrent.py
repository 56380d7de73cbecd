"""Sequence models: tokens or features -> LSTM, GRU or plain RNN layers -> logits or values (A06 and its kin)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import lookup
from jaxlab.layers import Dense, Dropout
from jaxlab.layers.recurrent import GRU, LSTM, Bidirectional, SimpleRNN

CELLS = {'lstm': LSTM, 'gru': GRU, 'rnn': SimpleRNN}


def _uniform_embedding(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """Keras's start of an embedding: U(-0.05, 0.05)."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


class SequenceModel(nn.Module):
    """Tokens [N, T] int (with `vocabulary`) or features [N, T, D] -> [N, outputs].

    Args:
      outputs: width of the last Dense layer (classes, 1 logit, or forecast values).
      cell: `'lstm'`, `'gru'` or `'rnn'`.
      features: units of each recurrent layer; all but the last give every step, the last its final state.
      bidirectional: read both ways and join (the last layer: the two final states).
      embedding: width of the token vectors.
      padding: token id whose steps are skipped, the state held (`None`: it is read like a word, as in A06).
      hidden: widths of ReLU layers before the output.
      dropout: after every recurrent layer.
      init_scheme: `'keras'` (A06), `'torch'` or `'lecun'`, for all layers.
      forget_bias, reset_after: as in `LSTM` and `GRU`.
      dtype: of the computation; parameters stay float32, and so do the outputs.
    """

    outputs: int
    cell: str = 'lstm'
    features: tuple[int, ...] = (64,)
    bidirectional: bool = False
    vocabulary: int | None = None
    embedding: int = 32
    padding: int | None = None
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    init_scheme: str = 'keras'
    forget_bias: float | None = None
    reset_after: bool = True
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(
        self, x: Array, train: bool = False, weight: Float[Array, 'N'] | None = None
    ) -> Float[Array, 'N outputs']:
        mask = (x != self.padding).astype(jnp.float32) if self.padding is not None and x.ndim == 2 else None
        if self.vocabulary is not None:
            starts = {'keras': _uniform_embedding, 'torch': nn.initializers.normal(1.0)}
            start = starts.get(self.init_scheme, nn.linear.default_embed_init)
            x = nn.Embed(self.vocabulary, self.embedding, embedding_init=start, dtype=self.dtype, name='embedding')(x)
        for k, width in enumerate(self.features):
            last = k + 1 == len(self.features)
            x = Dropout(self.dropout)(self._layer(width, not last, f'{self.cell}_{k}')(x, mask), train)
        for k, width in enumerate(self.hidden):
            x = nn.relu(Dense(width, init_scheme=self.init_scheme, dtype=self.dtype, name=f'dense_{k}')(x))
        outputs = Dense(self.outputs, init_scheme=self.init_scheme, dtype=self.dtype, name='head')(x)
        return outputs.astype(jnp.promote_types(outputs.dtype, jnp.float32))

    def _layer(self, width: int, sequence: bool, name: str) -> nn.Module:
        arguments = {'features': width, 'sequence': sequence, 'init_scheme': self.init_scheme, 'dtype': self.dtype}
        if self.cell == 'lstm':
            arguments['forget_bias'] = self.forget_bias
        if self.cell == 'gru':
            arguments['reset_after'] = self.reset_after
        cell = lookup(CELLS, self.cell, 'model.cell')
        return Bidirectional(cell, arguments, name=name) if self.bidirectional else cell(**arguments, name=name)
