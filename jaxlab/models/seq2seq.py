"""Recurrent encoder and decoder, with and without attention between them (B16, D3.2, D3.3).

    encoder  h_1 ... h_S, c = RNN(source)        decoder  s_t = RNN([y_(t-1), a_t], s_(t-1)),  logits = W s_t + b
    'before' a_t = Att(s_(t-1), h)               (Bahdanau et al. 2014: what is found enters the step; B16b)
    'after'  a_t = Att(s_t, h), logits = W [s_t, a_t] + b     (Luong et al. 2015 without the tanh layer; D3.2)

Every translator has three ways in: `__call__` (teacher forcing: logits of all steps), and for decoding `begin`, which
reads the source once, and `step`, which takes one token further (`jaxlab/models/decoding.py`).
"""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.errors import UserError, closest, lookup
from jaxlab.layers import Dense, Dropout, initializers
from jaxlab.layers.attention import AdditiveAttention, Attention, DotAttention, MultiHeadAttention, padding_mask
from jaxlab.layers.recurrent import Stacked

ATTENTION = ('none', 'before', 'after')


class Seq2Seq(nn.Module):
    """Tokens of the source [N, S] and of the target so far [N, T] -> logits [N, T, target_vocabulary] of what follows.

    Args:
      features: units of each layer, the same in both networks, since the decoder starts from the encoder's last states.
      attention: `'none'`, `'before'` or `'after'` the decoder's step (see the top of the file).
      score: `'projected'` (one head with projections, B16b), `'dot'` (D3.2) or `'additive'`.
      padding: token id of padding.
      mask_encoder: hold the encoder's state over padding, so that the decoder starts from the last true word's (B16 did not).
      mask_attention: no weight on padding (B16 and D3.3 did without).
      dropout: of token vectors and between layers.
    """

    source_vocabulary: int
    target_vocabulary: int
    embedding: int = 256
    features: tuple[int, ...] = (512,)
    cell: str = 'lstm'
    attention: str = 'none'
    score: str = 'projected'
    padding: int = 0
    mask_encoder: bool = True
    mask_attention: bool = True
    dropout: float = 0.0
    init_scheme: str = 'torch'
    dtype: jax.typing.DTypeLike | None = None
    looks_at_source: ClassVar[str] = 'looking'  # the module whose weights say where in the source a step looked

    def setup(self) -> None:
        if self.attention not in ATTENTION:
            raise UserError(f'unknown model.attention {self.attention!r}; {closest(self.attention, ATTENTION)}')
        start: Any = initializers.embedding_init(self.init_scheme)
        embed = lambda size: nn.Embed(size, self.embedding, embedding_init=start, dtype=self.dtype)
        arguments = {'init_scheme': self.init_scheme, 'dtype': self.dtype}
        stack = lambda: Stacked(self.features, self.cell, arguments, dropout=self.dropout)
        self.source_embedding, self.target_embedding = embed(self.source_vocabulary), embed(self.target_vocabulary)
        self.encoder, self.decoder, self.drop = stack(), stack(), Dropout(self.dropout)
        self.head = Dense(self.target_vocabulary, dtype=self.dtype, init_scheme=self.init_scheme)
        if self.attention != 'none':
            self.looking = self._looking()

    def _looking(self) -> Attention:
        width, same = self.features[-1], dict[str, Any](init_scheme=self.init_scheme, dtype=self.dtype)
        scores = {
            'projected': lambda: MultiHeadAttention(1, width, **same),
            'dot': DotAttention,
            'additive': lambda: AdditiveAttention(width, **same),
        }
        return lookup(scores, self.score, 'model.score')()

    def encode(self, source: Int[Array, 'N S'], train: bool = False) -> tuple[Any, Any]:
        """What stays the same in every step of the decoder (keys, values and their mask), and the state it starts from."""
        true = source != self.padding
        x = self.drop(self.source_embedding(source), train)
        mask = true.astype(jnp.float32) if self.mask_encoder else None
        outputs, state = self.encoder(x, mask, return_state=True, train=train)
        if self.attention == 'none':
            return (), state
        seen = true if self.mask_attention else jnp.ones_like(true)
        return (*self.looking.keys_values(outputs), seen), state

    def __call__(
        self,
        source: Int[Array, 'N S'],
        target: Int[Array, 'N T'],
        train: bool = False,
        coins: Bool[Array, 'T'] | None = None,
    ) -> Float[Array, 'N T V']:
        """target: begins with the start token; its last token is not followed by anything that is scored.

        coins: whether step t is given the true token or what the step before found most likely (scheduled sampling, shared
        by the batch; the first coin is not looked at). None: always the true one.
        """
        context, state = self.encode(source, train)
        if coins is None and self.attention != 'before':  # nothing in a step waits for what the one before has said
            x = self.drop(self.target_embedding(target), train)
            states = self.decoder(x, state=state, train=train)
            return self._logits(states, self._found(states, context))

        def advance(self: 'Seq2Seq', carry: Any, at: Any) -> Any:
            state, said = carry
            token, given = at
            token = token if coins is None else jnp.where(given, token, said)
            x, found, state = self._step(context, state, token, train)
            if coins is None:  # the head takes all steps at once
                return (state, said), (x, found)
            logits = self._logits(x, found)
            return (state, logits[:, 0].argmax(-1).astype(said.dtype)), logits

        given = jnp.ones(target.shape[1], bool) if coins is None else coins.at[0].set(True)
        scan = nn.scan(
            advance,
            variable_broadcast='params',
            variable_axes={'intermediates': 2},
            split_rngs={'params': False, 'dropout': True},
        )
        _, kept = scan(self, (state, target[:, 0]), (target.T, given))
        kept = jax.tree.map(lambda x: jnp.swapaxes(x[:, :, 0], 0, 1), kept)  # [T, N, 1, ...] -> [N, T, ...]
        return kept if coins is not None else self._logits(*kept)

    def _step(self, context: Any, state: Any, token: Int[Array, 'N'], train: bool) -> Any:
        """What the decoder gives for one token [N, 1, H], what it found in the source (or None), its new state."""
        x = self.drop(self.target_embedding(token[:, None]), train)
        if self.attention != 'before':
            x, state = self.decoder(x, state=state, return_state=True, train=train)
            return x, self._found(x, context), state
        before = state[-1][0] if isinstance(state[-1], tuple) else state[-1]
        found = self._found(before[:, None], context)
        x, state = self.decoder(jnp.concatenate([x, found], axis=-1), state=state, return_state=True, train=train)
        return x, None, state

    def _found(self, queries: Float[Array, 'N T H'], context: Any) -> Any:
        if self.attention == 'none':
            return None
        keys, values, seen = context
        return self.looking.look(queries, keys, values, padding_mask(seen))

    def _logits(self, states: Float[Array, 'N T H'], found: Any) -> Float[Array, 'N T V']:
        joined = states if found is None or self.attention == 'before' else jnp.concatenate([states, found], axis=-1)
        logits = self.head(joined)
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def begin(self, source: Int[Array, 'N S'], steps: int) -> tuple[Any, Any]:
        """(context, state) for decoding; of `steps` nothing depends here."""
        del steps
        return self.encode(source)

    def step(
        self, context: Any, state: Any, token: Int[Array, 'N'], position: Array | int
    ) -> tuple[Float[Array, 'N V'], Any]:
        """Logits of what follows `token`, and the state after it."""
        del position
        x, found, state = self._step(context, state, token, False)
        return self._logits(x, found)[:, 0], state
