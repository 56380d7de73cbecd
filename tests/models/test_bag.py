"""Bags of ids: linear with width 0, blind to order and padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.models.bag import Bag
from tests.models.drawn import count, drawn


@pytest.mark.parametrize('width, expected', [(0, 7 * 2 + 2), (5, 7 * 5 + 5 * 2 + 2)])
def test_sizes(width, expected):
    assert sum(count(Bag(2, 7, width), jnp.zeros((1, 4), jnp.int32)).values()) == expected


@pytest.mark.parametrize('width', [0, 5])
def test_neither_order_nor_padding_counts(width):
    model, tokens = Bag(2, 7, width), jnp.array([[1, 5, 3, 0, 0], [0, 3, 1, 0, 5], [0, 0, 0, 0, 0]])
    variables = drawn(model, tokens)
    logits = model.apply(variables, tokens)
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-6)
    assert np.isfinite(logits[2]).all()


def test_linear_by_hand():
    model, tokens = Bag(2, 4), jnp.array([[1, 3, 3, 2]])
    table = jnp.array([[9.0, 9.0], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    params = {'embedding': {'embedding': table}, 'bias': jnp.array([0.5, -0.5])}
    expected = np.array([[14 / 2 + 0.5, 18 / 2 - 0.5]])
    np.testing.assert_allclose(model.apply({'params': params}, tokens), expected, rtol=1e-6)
    key = {'dropout': jax.random.key(0)}
    dropped = Bag(2, 4, dropout=0.5).apply({'params': params}, jnp.tile(tokens, (50, 1)), train=True, rngs=key)
    assert len(np.unique(np.asarray(dropped)[:, 0])) > 1
