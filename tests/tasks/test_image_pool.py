"""The buffer of made images: what is shown and stored, exactly, on one device and on eight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxlab.layers.batch_axis import BATCH_AXIS
from jaxlab.tasks.image_pool import ImagePool, exchange


def numbered(first, count):
    """Images [count, 1, 1, 1] that hold their own numbers."""
    return jnp.arange(first, first + count, dtype=jnp.float32).reshape(count, 1, 1, 1)


def run(batches, size, seed=0, weights=None):
    pool, shown = ImagePool.empty(size, (1, 1, 1)), []
    for number, batch in enumerate(batches):
        weight = jnp.ones(len(batch)) if weights is None else weights[number]
        pool, out = jax.jit(exchange)(pool, batch, weight, jax.random.fold_in(jax.random.key(seed), number))
        shown.append(np.asarray(out).ravel())
    return pool, shown


def test_until_it_is_full_everything_is_stored_and_shown():
    pool, shown = run([numbered(0, 3), numbered(3, 2)], 5)
    np.testing.assert_array_equal(np.concatenate(shown), np.arange(5))
    np.testing.assert_array_equal(pool.images.ravel(), np.arange(5))
    assert int(pool.filled) == 5


def test_full_it_gives_an_old_one_for_a_new_one_in_its_slot_in_half_of_the_cases():
    """What is shown and what is stored together hold every image once: nothing is lost, nothing is doubled."""
    pool, shown = run([numbered(10 * step, 10) for step in range(200)], 20)
    seen = np.concatenate(shown)
    late = seen[20:]
    news = np.arange(20, 2000)
    share = np.mean(late == news)
    assert share == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(late)))
    assert sorted([*late, *np.asarray(pool.images).ravel()]) == list(range(2000))
    # A slot is left after 20 exchanges on average, each in half of the steps: ages are geometric with mean 40.
    ages = (news - late)[late != news]
    assert np.mean(ages) == pytest.approx(40, rel=0.15) and ages.min() >= 1


def test_padding_is_neither_stored_nor_exchanged():
    weights = [jnp.array([1.0, 0.0, 1.0, 0.0])] * 30
    batches = [numbered(4 * step, 4) for step in range(30)]
    pool, shown = run(batches, 5, weights=weights)
    for batch, out in zip(batches, shown, strict=True):
        np.testing.assert_array_equal(out[1::2], batch.ravel()[1::2])
    assert not set(np.asarray(pool.images).ravel()) & {float(n) for n in range(1, 120, 2)}


def test_no_pool_shows_what_is_new():
    _, shown = run([numbered(0, 4), numbered(4, 4)], 0)
    np.testing.assert_array_equal(np.concatenate(shown), np.arange(8))


@pytest.mark.parametrize('form', ['mesh', 'pmap'])
def test_every_device_keeps_the_same_pool(form):
    """Sixteen images a batch, two a device: the same exchanges as on one device."""
    key, weight = jax.random.key(3), jnp.ones(16).at[13].set(0)
    pool = ImagePool.empty(10, (1, 1, 1))
    expected, other = [], pool
    for step in range(4):
        pool, shown = exchange(pool, numbered(16 * step, 16), weight, jax.random.fold_in(key, step))
        expected.append(np.asarray(shown))
    if form == 'mesh':
        mesh = jax.make_mesh((8,), (BATCH_AXIS,), axis_types=(AxisType.Auto,))
        whole, split = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (BATCH_AXIS,)))
        program = jax.jit(exchange, out_shardings=(whole, split))
        other = jax.device_put(other, whole)
        for step in range(4):
            made = jax.device_put(numbered(16 * step, 16), split)
            other, shown = program(other, made, jax.device_put(weight, split), jax.random.fold_in(key, step))
            np.testing.assert_array_equal(shown, expected[step])
        np.testing.assert_array_equal(other.images, pool.images)
        return
    program = jax.pmap(exchange, BATCH_AXIS, in_axes=(0, 0, 0, None))
    other = jax.tree.map(lambda leaf: jnp.stack([leaf] * 8), other)
    for step in range(4):
        made = numbered(16 * step, 16).reshape(8, 2, 1, 1, 1)
        other, shown = program(other, made, weight.reshape(8, 2), jax.random.fold_in(key, step))
        np.testing.assert_array_equal(np.asarray(shown).reshape(16, 1, 1, 1), expected[step])
    for device in range(8):
        np.testing.assert_array_equal(other.images[device], pool.images)
