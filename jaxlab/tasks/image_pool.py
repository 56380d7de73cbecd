"""A buffer of images that were made before, shown to a discriminator in place of half of the newest ones.

Shrivastava et al. 2017 (arXiv 1612.07828), as CycleGAN uses it with 50 images. It is part of a task's state: saved and
restored with it, one a replica, the same on every device.
"""

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.layers.batch_axis import first_example, whole_batch


class ImagePool(flax.struct.PyTreeNode):
    """images: [size, H, W, C]; filled: how many of them are there."""

    images: Float[Array, 'size H W C']
    filled: Int[Array, '']

    @classmethod
    def empty(cls, size: int, shape: tuple[int, ...]) -> 'ImagePool':
        """Room for `size` images of this shape."""
        return cls(jnp.zeros((size, *shape), jnp.float32), jnp.zeros((), jnp.int32))


def exchange(
    pool: ImagePool, made: Float[Array, 'N H W C'], weight: Float[Array, 'N'], key: jax.Array
) -> tuple[ImagePool, Float[Array, 'N H W C']]:
    """(the pool afterwards, what the discriminator is shown): one new image after the other, in the order of the batch.

    Until the pool is full a new image is stored and shown. Then with probability 1/2 it is shown and not stored; else a
    random older one is shown and the new one takes its place. Padding (weight 0) changes nothing. Under `pmap` every
    device sees the whole batch, so that all keep the same pool. A pool of size 0 shows the new images.
    """
    size, count = pool.images.shape[0], made.shape[0]
    if not size:
        return pool, made
    images, weights = whole_batch((made, weight))

    def one(pool: ImagePool, example: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[ImagePool, jax.Array]:
        image, counted, number = example
        slot_key, choice_key = jax.random.split(jax.random.fold_in(key, number))
        full = pool.filled >= size
        slot = jnp.where(full, jax.random.randint(slot_key, (), 0, size), pool.filled)
        replaced = jax.random.bernoulli(choice_key)
        stored = (counted > 0) & (~full | replaced)
        older = pool.images[slot]
        shown = jnp.where((counted > 0) & full & replaced, older, image)
        kept = pool.images.at[slot].set(jnp.where(stored, image.astype(older.dtype), older))
        filled = pool.filled + ((counted > 0) & ~full).astype(jnp.int32)
        return ImagePool(kept, filled), shown

    pool, shown = jax.lax.scan(one, pool, (images, weights, jnp.arange(images.shape[0])))
    return pool, jax.lax.dynamic_slice_in_dim(shown, first_example(count), count)
