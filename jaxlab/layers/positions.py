"""Where a token stands: sinusoidal, learned and rotary positions.

Positions are counted in float32 whatever the precision of the computation: bfloat16 tells 385 of the first 512 apart.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlab.errors import UserError, closest
from jaxlab.layers import initializers


def _fixed(steps: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Sines and cosines [T, D/2] float64 of `t / 10000^(2i/D)`: of whole numbers known beforehand, so exact to float32."""
    turn = np.arange(steps)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)
    return np.sin(turn), np.cos(turn)


def sinusoids(steps: int, width: int) -> Float[Array, 'T D']:
    """Fixed positions: `sin(t / 10000^(2i/D))` in even features, `cos` of the same in odd ones (Vaswani et al. 2017)."""
    return jnp.asarray(np.stack(_fixed(steps, width), axis=-1).reshape(steps, -1)[:, :width], float)


def sinusoids_by_halves(steps: int, width: int) -> Float[Array, 'T D']:
    """The same numbers in another order: all sines, then all cosines (Marian)."""
    return jnp.asarray(np.concatenate(_fixed(steps, width), axis=-1)[:, :width], float)


FIXED: dict[str, Callable[[int, int], Array]] = {'sinusoidal': sinusoids, 'halves': sinusoids_by_halves}
KINDS = (*FIXED, 'learned', 'rotary', 'none')


def rotated(
    x: Float[Array, 'N T H K'], positions: Int[Array, '#N T'], base: float = 10000.0
) -> Float[Array, 'N T H K']:
    """Queries or keys turned by their position, so that a product of two depends on their distance alone.

    Features i and i + K/2 are one pair, turned by `t / base^(2i/K)` (Su et al., arXiv 2104.09864; the order of pairs is
    that of Llama's published weights).
    """
    frequencies = base ** (-jnp.arange(0, x.shape[-1], 2, dtype=float) / x.shape[-1])
    turn = (positions[..., None].astype(frequencies.dtype) * frequencies)[:, :, None]
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    first, second = jnp.split(x.astype(cos.dtype), 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


class Positions(nn.Module):
    """Adds positions 0 to T - 1, or those from `offset` on, to token vectors [N, T, D].

    kind: `'sinusoidal'`, `'halves'` (both fixed), `'learned'` (a table of `max_length` rows, N(0, 0.02)), or one that adds
    nothing: `'rotary'` (attention turns by it), `'none'`.
    """

    kind: str = 'sinusoidal'
    max_length: int = 512

    @nn.compact
    def __call__(self, x: Float[Array, 'N T D'], offset: Int[Array, ''] | int = 0) -> Float[Array, 'N T D']:
        steps, width = x.shape[1:]
        if self.kind not in KINDS:
            raise UserError(f'unknown model.positions {self.kind!r}; {closest(self.kind, KINDS)}')
        if self.kind in ('rotary', 'none'):
            return x
        if steps > self.max_length:
            raise UserError(f'model.max_length is {self.max_length}, but the sequences have {steps} tokens')
        if self.kind == 'learned':
            table = self.param('table', initializers.normal(0.02), (self.max_length, width))
        else:
            table = FIXED[self.kind](self.max_length, width)
        return x + jax.lax.dynamic_slice_in_dim(table, offset, steps).astype(x.dtype)
