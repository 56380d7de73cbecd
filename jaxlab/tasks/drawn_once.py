"""What is drawn for a held-out image is drawn once: a function of the image alone.

The same noise in every epoch, replica and batch, on any number of devices, and again in the report.
"""

import jax
import jax.numpy as jnp

SEED = 23


def keys_of(images: jax.Array) -> jax.Array:
    """A key [N] for each image [N, H, W, C], float in any scale, by its pixels rounded to 1/255."""
    numbers = jnp.round(images.astype(jnp.float32) * 255).astype(jnp.int32).astype(jnp.uint32)
    numbers = numbers.reshape(len(images), -1)
    place = 2 * jnp.arange(numbers.shape[1], dtype=jnp.uint32) + 1
    digest = (numbers * (place * jnp.uint32(0x9E3779B9))).sum(-1, dtype=jnp.uint32)
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(SEED), digest)


@jax.jit
def normal_once(images: jax.Array) -> jax.Array:
    """Standard normal noise of the images' shape."""
    return jax.vmap(lambda key: jax.random.normal(key, images.shape[1:], jnp.float32))(keys_of(images))


@jax.jit
def uniform_once(images: jax.Array) -> jax.Array:
    """Numbers in [0, 1) of the images' shape."""
    return jax.vmap(lambda key: jax.random.uniform(key, images.shape[1:], jnp.float32))(keys_of(images))
