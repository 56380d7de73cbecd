"""The batch axis over devices: bound under `pmap`, absent under `jit` (where arrays are global).

Layers and tasks are written for one device; these helpers make them exact on several, without a flag or a name passed down.
"""

import jax
import jax.numpy as jnp

BATCH_AXIS = 'batch'


def is_bound() -> bool:
    """Whether the surrounding trace runs one share of a batch on each of several devices (`pmap`)."""
    try:
        jax.lax.axis_index(BATCH_AXIS)
    except NameError:
        return False
    return True


def sum_over_batch_axis[T](tree: T) -> T:
    """The sum over devices of each leaf; the identity where the batch is whole."""
    return jax.lax.psum(tree, BATCH_AXIS) if is_bound() else tree


def whole_batch[T](tree: T) -> T:
    """Every device's share of the batch, one after the other in each leaf; the identity where the batch is whole."""
    return jax.lax.all_gather(tree, BATCH_AXIS, tiled=True) if is_bound() else tree


def max_over_batch_axis[T](tree: T) -> T:
    """The largest over devices of each leaf; the identity where the batch is whole."""
    return jax.lax.pmax(tree, BATCH_AXIS) if is_bound() else tree


def first_example(share: int) -> jax.Array:
    """Global index of this device's first example, for a share of `share` examples a device (int32 scalar)."""
    return jax.lax.axis_index(BATCH_AXIS) * share if is_bound() else jnp.int32(0)
