"""Text as a bag: a vector for every id that a text holds, their mean, one linear layer; with width 0 a linear classifier.

Joulin et al., "Bag of Tricks for Efficient Text Classification", arXiv 1607.01759.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxlab.layers import Dense, Dropout
from jaxlab.models.arrays import Logits, Weight


class Bag(nn.Module):
    """Tokens [N, T] int -> logits [N, classes]; the order of the tokens does not matter.

    Args:
      width: of the vector of each id (0: one weight a class, added up, so that the whole is linear).
      padding: token id that is no word.
      dropout: share of the ids of a text that are not looked at in training.
    """

    classes: int
    vocabulary: int
    width: int = 0
    padding: int = 0
    dropout: float = 0.0
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(self, tokens: Int[Array, 'N T'], train: bool = False, weight: Weight = None) -> Logits:
        start = nn.initializers.normal(0.1) if self.width else nn.initializers.zeros
        table = nn.Embed(
            self.vocabulary, self.width or self.classes, embedding_init=start, dtype=self.dtype, name='embedding'
        )
        there = Dropout(self.dropout)((tokens != self.padding).astype(jnp.float32), train)
        total = jnp.einsum('nt,ntd->nd', there, table(tokens))
        # the length of the vector of ones that a text is, so that long texts are no surer than short ones
        x = total / jnp.sqrt(jnp.maximum(jnp.sum(tokens != self.padding, axis=1, keepdims=True), 1))
        if self.width:
            return Dense(self.classes, dtype=self.dtype, name='head')(x).astype(jnp.float32)
        return (x + self.param('bias', nn.initializers.zeros, (self.classes,))).astype(jnp.float32)
