"""Attention: the worked example of A07, flax.linen, PyTorch, masks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.layers.attention import (
    MultiHeadAttention,
    attention_weights,
    causal_mask,
    dot_product_attention,
    padding_mask,
)


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def test_worked_example_of_a07():
    query = jnp.eye(2)[None, :, None]
    key = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])[None, :, None]
    value = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[None, :, None]
    expected = [[0.40111209, 0.19777581, 0.40111209], [0.19777581, 0.40111209, 0.40111209]]
    np.testing.assert_allclose(attention_weights(query, key)[0, 0], expected, atol=1e-7)
    out = dot_product_attention(query, key, value)[0, :, 0]
    np.testing.assert_allclose(out, [[3, 4], [3.40667256, 4.40667256]], atol=1e-6)


@pytest.mark.parametrize('masked', [False, True])
def test_equal_to_flax(masked):
    x, memory = normal(0, 3, 5, 8), normal(1, 3, 6, 8)
    mask = padding_mask(jnp.arange(6) < jnp.array([6, 3, 1])[:, None]) if masked else None
    ours = MultiHeadAttention(2)
    variables = jax.jit(ours.init)(jax.random.key(2), x, memory)
    params = variables['params']
    stock = {
        name: {
            'kernel': params[name]['kernel'].reshape((2, 4, 8) if name == 'out' else (8, 2, 4)),
            'bias': params[name]['bias'].reshape((8,) if name == 'out' else (2, 4)),
        }
        for name in params
    }
    theirs = nn.MultiHeadDotProductAttention(2, qkv_features=8)

    def loss(apply):
        return jax.jit(jax.value_and_grad(lambda x, m: (apply(x, m) ** 2).sum(), (0, 1)))(x, memory)

    (a, da), (b, db) = (
        loss(lambda x, m: ours.apply(variables, x, m, mask)),
        loss(lambda x, m: theirs.apply({'params': stock}, x, m, mask=mask)),
    )
    np.testing.assert_allclose(a, b, rtol=1e-5)
    for one, other in zip(da, db, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_causal_mask_hides_the_future():
    x = normal(0, 2, 5, 8)
    module = MultiHeadAttention(4)
    variables = jax.jit(module.init)(jax.random.key(1), x)
    whole = module.apply(variables, x, mask=causal_mask(5))
    np.testing.assert_allclose(whole[:, :3], module.apply(variables, x[:, :3], mask=causal_mask(3)), atol=1e-6)


def test_dropout_only_in_training():
    x = normal(0, 2, 5, 8)
    module = MultiHeadAttention(4, dropout=0.5)
    variables = jax.jit(module.init)(jax.random.key(1), x)
    still = module.apply(variables, x)
    np.testing.assert_array_equal(still, module.clone(dropout=0.0).apply(variables, x, train=True))
    assert not np.allclose(still, module.apply(variables, x, train=True, rngs={'dropout': jax.random.key(0)}))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match='heads: 3'):
        MultiHeadAttention(3).init(jax.random.key(0), normal(0, 1, 2, 8))


@pytest.mark.parity
def test_equal_to_torch():
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    x = normal(0, 3, 5, 8)
    visible = np.arange(5) < np.array([5, 3, 1])[:, None]
    kernels = np.split(theirs.in_proj_weight.detach().numpy(), 3)
    biases = np.split(theirs.in_proj_bias.detach().numpy(), 3)
    params = {
        name: {'kernel': jnp.asarray(kernel.T), 'bias': jnp.asarray(bias)}
        for name, kernel, bias in zip(('query', 'key', 'value'), kernels, biases, strict=True)
    }
    params['out'] = {
        'kernel': jnp.asarray(theirs.out_proj.weight.detach().numpy().T),
        'bias': jnp.asarray(theirs.out_proj.bias.detach().numpy()),
    }
    inputs = torch.tensor(np.asarray(x), requires_grad=True)
    out = theirs(inputs, inputs, inputs, key_padding_mask=torch.tensor(~visible))[0]
    (out**2).sum().backward()
    apply = lambda x: MultiHeadAttention(2).apply({'params': params}, x, mask=padding_mask(jnp.asarray(visible)))
    np.testing.assert_allclose(apply(x), out.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda x: (apply(x) ** 2).sum())(x), inputs.grad.numpy(), atol=1e-5)


def test_torch_start():
    kernel = jax.jit(MultiHeadAttention(4).init)(jax.random.key(0), normal(0, 1, 2, 64))['params']['query']['kernel']
    limit = (6 / (64 + 192)) ** 0.5
    assert 0.95 * limit < np.abs(kernel).max() <= limit
