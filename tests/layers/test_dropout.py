"""Dropout's random numbers: uniform, independent, and the same on any number of devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.layers import Dropout, normal_per_example, uniform_per_example
from jaxlab.layers.batch_axis import BATCH_AXIS
from jaxlab.layers.dropout import bits_per_example

KEY = jax.random.key(0)


@partial(jax.jit, static_argnames='rate')
def drop(x, key=KEY, rate=0.3):
    return Dropout(rate).apply({}, x, True, rngs={'dropout': key})


def unit(key=KEY, shape=(64, 4096)) -> np.ndarray:
    return np.asarray(jax.jit(bits_per_example, static_argnums=1)(key, shape), np.float64) / 2**32


def test_uniform_in_every_bit() -> None:
    bits = np.asarray(bits_per_example(KEY, (64, 4096)))
    for bit in range(32):
        share = ((bits >> bit) & 1).mean()
        assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(bits.size), bit
    counts = np.bincount((unit().ravel() * 1000).astype(int), minlength=1000)
    chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert abs(chi2 - 999) < 5 * np.sqrt(2 * 999)


@pytest.mark.parametrize('lag', [1, 2, 7, 64, 1024])
def test_neighbours_are_independent(lag) -> None:
    u = unit() - 0.5
    for a, b in ((u[:, lag:], u[:, :-lag]), (u[lag % 63 + 1 :], u[: -(lag % 63 + 1)])):
        assert abs((a * b).mean() * 12) < 5 / np.sqrt(a.size)


def test_keys_and_steps_are_independent() -> None:
    draws = [unit(jax.random.fold_in(KEY, step), (16, 4096)).ravel() - 0.5 for step in range(6)]
    for i in range(6):
        for j in range(i):
            assert abs((draws[i] * draws[j]).mean() * 12) < 5 / np.sqrt(draws[0].size)


def test_no_two_rows_are_shifted_copies() -> None:
    bits = np.asarray(bits_per_example(KEY, (256, 1024))).ravel()
    assert bits.size - np.unique(bits).size < 60  # 2^18 draws of 2^32: 8 equal pairs expected


@pytest.mark.parametrize('rate', [0.1, 0.3, 0.5, 0.9])
def test_rate_and_scale(rate) -> None:
    y = np.asarray(drop(jnp.ones((128, 4096)), rate=rate))
    kept = y != 0
    assert abs(kept.mean() - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / y.size)
    assert np.all(y[kept] == np.float32(1) / np.float32(1 - rate))


def test_nothing_happens_outside_training() -> None:
    x = jnp.ones((4, 5))
    assert Dropout(0.5).apply({}, x, False) is x
    assert Dropout(0.0).apply({}, x, True) is x
    assert not np.any(drop(x, rate=1.0))


def test_gradient_goes_through_what_was_kept() -> None:
    x = jax.random.normal(KEY, (8, 100)) + 10
    y, pull = jax.vjp(drop, x)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], y / x, rtol=1e-6)


def test_shares_draw_what_the_whole_draws() -> None:
    """Examples have their own numbers, wherever they are: a share, a longer batch, a mesh or one device."""
    x = jnp.ones((8, 3, 50))
    shares = jax.jit(jax.vmap(drop, axis_name=BATCH_AXIS))(x.reshape(4, 2, 3, 50))
    np.testing.assert_array_equal(shares.reshape(x.shape), drop(x))
    np.testing.assert_array_equal(drop(x[:5]), drop(x)[:5])
    normal = jax.jit(normal_per_example, static_argnums=(1, 2))
    shares = jax.jit(jax.vmap(lambda _: normal(KEY, 2, (7,)), axis_name=BATCH_AXIS))(jnp.arange(4))
    np.testing.assert_array_equal(shares.reshape(8, 7), normal(KEY, 8, (7,)))
    assert abs(float(normal(KEY, 500, (100,)).std()) - 1) < 0.02
    uniform = jax.jit(uniform_per_example, static_argnums=(1, 2))
    shares = jax.jit(jax.vmap(lambda _: uniform(KEY, 2, (7,)), axis_name=BATCH_AXIS))(jnp.arange(4))
    np.testing.assert_array_equal(shares.reshape(8, 7), uniform(KEY, 8, (7,)))


def test_uniform_numbers_are_uniform():
    """Moments and bounds of 100,000; one an example where no shape is given."""
    found = np.asarray(uniform_per_example(KEY, 1000, (100,)), np.float64)
    assert found.min() >= 0 and found.max() < 1
    assert found.mean() == pytest.approx(0.5, abs=0.004) and found.var() == pytest.approx(1 / 12, rel=0.02)
    assert uniform_per_example(KEY, 5).shape == (5,)
