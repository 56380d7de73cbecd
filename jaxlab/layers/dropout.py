"""Random numbers drawn per example: the same on one device, on a mesh and under `pmap`.

A draw is a pure function of (key, global index of the example, position in the example). Dropout needs one cheap bit
an element, not cryptography: a counter-based 32-bit hash costs a few milliseconds for 10 million elements on a CPU
where threefry costs above 100.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from jaxlab.layers.batch_axis import first_example


def _hash(x: UInt32[Array, '...'], middle: UInt32[Array, '...']) -> UInt32[Array, '...']:
    """A bijective mixing of 32 bits ("lowbias32" with the constants of C. Wellons' hash prospector, bias 0.107 / 2^32).

    `middle` enters between the two rounds: streams of two examples are then not shifted copies of one sequence.
    """
    x = (x ^ (x >> 16)) * jnp.uint32(0x21F0AAAD)
    x = ((x ^ (x >> 15)) + middle) * jnp.uint32(0x735A2D97)
    return x ^ (x >> 15)


def bits_per_example(key: jax.Array, shape: tuple[int, ...], first: jax.Array | int = 0) -> UInt32[Array, 'N ...']:
    """Uniform 32-bit words of `shape` [N, ...]; row i depends on key and `first + i` only."""
    words = jax.random.bits(key, (4,), jnp.uint32)
    row = jnp.asarray(first, jnp.uint32) + jnp.arange(shape[0], dtype=jnp.uint32)
    low = _hash(_hash(row + words[0], words[1]), words[2])
    high = _hash(_hash(row ^ words[2], words[3]), words[0])
    inner = (1,) * (len(shape) - 1)
    position = jnp.arange(math.prod(shape[1:]), dtype=jnp.uint32).reshape(1, *shape[1:]) * jnp.uint32(0x9E3779B9)
    return _hash(position + low.reshape(-1, *inner), high.reshape(-1, *inner))


class Dropout(nn.Module):
    """Sets each element to zero with probability `rate` while training and scales the others by 1 / (1 - rate).

    Srivastava et al. 2014, scaled in training ("inverted") as everywhere today. Keys come from the collection
    'dropout'. The probability is exact to 2^-32.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, 'N ...'], train: bool) -> Float[Array, 'N ...']:
        if not train or self.rate == 0:
            return x
        if self.rate == 1:
            return jnp.zeros_like(x)
        bits = bits_per_example(self.make_rng('dropout'), x.shape, first_example(x.shape[0]))
        kept = bits >= jnp.uint32(min(round(self.rate * 2**32), 2**32 - 1))
        return jnp.where(kept, x / jnp.asarray(1 - self.rate, x.dtype), jnp.zeros((), x.dtype))


def normal_per_example(
    key: jax.Array, n: int, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32
) -> jax.Array:
    """Standard normal noise [n, *shape]; example i is drawn from the key folded with its global index."""
    indices = first_example(n) + jnp.arange(n)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, indices)
    return jax.vmap(lambda k: jax.random.normal(k, shape, dtype))(keys)


def uniform_per_example(key: jax.Array, n: int, shape: tuple[int, ...] = ()) -> Float[Array, 'n ...']:
    """Uniform numbers in [0, 1) of 24 bits, [n, *shape]; example i has those of its global index."""
    bits = bits_per_example(key, (n, *shape), first_example(n))
    return (bits >> 8).astype(jnp.float32) * jnp.float32(2**-24)
