"""Positions: the values of B25, D3.4 and Marian, rotary products, precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.layers.positions import Positions, rotated, sinusoids, sinusoids_by_halves
from tests.models.drawn import numbers


def test_golden_values_of_b25():
    table = np.asarray(sinusoids(512, 256))
    np.testing.assert_allclose(table[1, :4], [0.84147098, 0.54030231, 0.80196180, 0.59737533], atol=1e-7)
    np.testing.assert_allclose(table[4, :4], [-0.75680250, -0.65364362, -0.54860557, -0.83608129], atol=1e-7)
    np.testing.assert_allclose(table[511, :4], [0.88177040, -0.47167887, -0.90939294, -0.41593808], atol=1e-7)
    np.testing.assert_allclose(table[1, 254:], [0.00010746, 0.99999999], atol=1e-8)
    np.testing.assert_allclose(table[10, 100:102], [0.27043223, 0.96273901], atol=1e-7)


def test_golden_values_of_d34(float64):
    table = np.asarray(sinusoids(1000, 64))
    np.testing.assert_allclose(table[1, :4], [0.8414709848, 0.5403023059, 0.6815613504, 0.7317609758], atol=1e-10)
    np.testing.assert_allclose(table[10, 10:14], [0.6962924070, -0.7177582350, 0.9785524925, -0.2059976198], atol=1e-10)
    np.testing.assert_allclose(table[999, 62:], [0.1328250961, 0.9911394926], atol=1e-10)
    np.testing.assert_allclose((table**2).sum(1), 32)
    np.testing.assert_allclose([table[5] @ table[7], table[105] @ table[107]], [28.3038620041] * 2, atol=1e-9)
    np.testing.assert_allclose(table[:15].sum(), 435.9177371780, atol=1e-8)


def test_marian_has_sines_first():
    np.testing.assert_allclose(sinusoids_by_halves(2, 4)[1], [0.841471, 0.0099998, 0.540302, 0.999950], atol=1e-6)


def test_rotary_products_depend_on_the_distance():
    q, k = numbers(2, 1, 1, 1, 8)
    turned = lambda x, at: rotated(x, jnp.array([[at]]))[0, 0, 0]
    np.testing.assert_allclose(turned(q, 0), q[0, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(turned(q, 3) @ turned(k, 1), turned(q, 12) @ turned(k, 10), rtol=1e-4)
    np.testing.assert_allclose(jnp.linalg.norm(turned(q, 7)), jnp.linalg.norm(q), rtol=1e-5)
    expected = np.asarray(q[0, 0, 0])  # position 1, in complex numbers: feature i with feature i + 4
    expected = (expected[:4] + 1j * expected[4:]) * np.exp(1j * 10000.0 ** (-np.arange(4) / 4))
    np.testing.assert_allclose(turned(q, 1), np.concatenate([expected.real, expected.imag]), atol=1e-5)


def test_half_precision_tells_positions_apart():
    x = jnp.ones((1, 512, 1, 8), jnp.bfloat16)
    turned = rotated(x, jnp.arange(512)[None])
    assert turned.dtype == jnp.bfloat16
    np.testing.assert_allclose(turned[0, :, 0, 0], np.cos(np.arange(512)) - np.sin(np.arange(512)), atol=0.01)
    y = Positions().apply({}, jnp.zeros((1, 512, 8), jnp.bfloat16))
    np.testing.assert_allclose(y[0], sinusoids(512, 8), atol=0.01)


@pytest.mark.parametrize('kind', ['sinusoidal', 'halves', 'learned', 'rotary', 'none'])
def test_later_positions_begin_at_an_offset(kind):
    x, module = numbers(2, 5, 6), Positions(kind, 8)
    variables = module.init(jax.random.key(1), x)
    assert variables.get('params', {}).get('table', jnp.zeros((8, 6))).shape == (8, 6)
    whole = module.apply(variables, x)
    np.testing.assert_allclose(module.apply(variables, x[:, 3:], jnp.asarray(3)), whole[:, 3:], rtol=1e-6)
    if kind not in ('rotary', 'none'):
        with pytest.raises(UserError, match='max_length is 8'):
            module.init(jax.random.key(1), jnp.zeros((1, 9, 6)))
