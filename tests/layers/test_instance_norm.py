"""Instance norm and reflection against B21's values, PyTorch and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.layers import InstanceNorm, reflect_pad, reflect_to_multiple
from tests.models.drawn import numbers

SQUARE = jnp.array([[0.0, 1.0], [2.0, 3.0]]).reshape(1, 2, 2, 1)
X = numbers(3, 5, 4, 2) * 3 + 100


@jax.jit
def normal(x):
    return InstanceNorm().apply({}, x)


def test_values_of_b21():
    np.testing.assert_allclose(normal(SQUARE).ravel(), [-1.341635, -0.447212, 0.447212, 1.341635], atol=1e-5)
    rows = reflect_pad(SQUARE, 1)[0, :, :, 0]
    np.testing.assert_array_equal(rows, [[3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0]])


def test_it_has_no_variables_and_sees_one_image_and_one_channel():
    assert not jax.tree.leaves(InstanceNorm().init(jax.random.key(0), X))
    whole = normal(X)
    np.testing.assert_allclose(whole.mean((1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(whole.std((1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(normal(X[1:2, ..., 1:]), whole[1:2, ..., 1:], atol=1e-6)
    half = normal(X.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), normal(X.astype(jnp.bfloat16).astype(jnp.float32)), atol=0.02)


def test_gradient(float64):
    x = jnp.asarray(np.random.default_rng(0).normal(2, 3, (2, 3, 4, 2)))
    plain = lambda x: (x - x.mean((1, 2), keepdims=True)) / jnp.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    g = np.random.default_rng(1).normal(size=x.shape)
    slope = lambda function: jax.jit(jax.value_and_grad(lambda x: (function(x) * g).sum()))
    for one, other in zip(slope(normal)(x), slope(plain)(x), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(normal(x), jax.jit(plain)(x), atol=1e-12)
    check_grads(jax.jit(lambda x: jnp.sin(normal(x)).sum()), (x,), order=2, modes=('rev',))


@pytest.mark.parametrize('size', [(4, 4), (5, 6), (3, 7), (1, 2), (2, 1)])
def test_any_size_becomes_a_multiple_and_is_cropped_back(size):
    """Mirrored behind, where the image is smaller than the edge again and again, as NumPy does."""
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    made = reflect_to_multiple(jnp.asarray(x), 4)
    assert all(side % 4 == 0 and side - was < 4 for side, was in zip(made.shape[1:3], size, strict=True))
    np.testing.assert_array_equal(made[:, : size[0], : size[1]], x)
    edges = [(0, -side % 4) for side in size]
    np.testing.assert_array_equal(made, np.pad(x, ((0, 0), *edges, (0, 0)), 'reflect'))


@pytest.mark.parity
def test_equal_to_pytorch():
    torch = pytest.importorskip('torch')
    theirs = torch.tensor(np.asarray(X).transpose(0, 3, 1, 2).copy())
    expected = torch.nn.InstanceNorm2d(2)(theirs).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(normal(X), expected, atol=1e-4)
    expected = torch.nn.ReflectionPad2d(3)(theirs).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(reflect_pad(X, 3), expected)
