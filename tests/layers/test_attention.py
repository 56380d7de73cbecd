"""Attention: the worked example of A07, flax.linen, PyTorch, masks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.layers import attention
from jaxlab.layers.attention import (
    AdditiveAttention,
    DotAttention,
    MultiHeadAttention,
    causal_mask,
    padding_mask,
    segment_mask,
)
from tests.models.drawn import drawn, numbers

# As training runs them, compiled: one operation after the other they would be compiled one by one, for every shape.
attention_weights, dot_product_attention, masked_softmax = map(
    jax.jit, (attention.attention_weights, attention.dot_product_attention, attention.masked_softmax)
)


def looked(module, params, *given):
    """What a layer gives and the weights that it leaves, from one program."""

    @jax.jit
    def run(params, *given):
        out, kept = module.apply({'params': params}, *given, mutable=['intermediates'])
        return out, kept['intermediates']['weights'][0]

    return run(params, *given)


def test_worked_example_of_a07():
    query = jnp.eye(2)[None, :, None]
    key = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])[None, :, None]
    value = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[None, :, None]
    expected = [[0.40111209, 0.19777581, 0.40111209], [0.19777581, 0.40111209, 0.40111209]]
    np.testing.assert_allclose(attention_weights(query, key)[0, 0], expected, atol=1e-7)
    out = dot_product_attention(query, key, value)[0, :, 0]
    np.testing.assert_allclose(out, [[3, 4], [3.40667256, 4.40667256]], atol=1e-6)


def one_head(*matrices):
    """[T, K] matrices as [1, T, 1, K]."""
    return [jnp.asarray(matrix)[None, :, None] for matrix in matrices]


def test_golden_values_of_d31(float64):
    query, key = jnp.sin(jnp.arange(12.0)).reshape(3, 4), jnp.cos(jnp.arange(20.0)).reshape(5, 4)
    value = jnp.arange(30.0).reshape(5, 6) / 10 - 1.5
    q, k, v = one_head(query, key, value)
    expected = [
        [0.1603916071, 0.3044268388, 0.0770791763, 0.2446203453, 0.2134820325],
        [0.0682934950, 0.2112791244, 0.3107304121, 0.0606597165, 0.3490372520],
        [0.4420684605, 0.0532100395, 0.1269209514, 0.3384358700, 0.0393646787],
    ]
    np.testing.assert_allclose(attention_weights(q, k)[0, 0], expected, atol=1e-10)
    first = np.array([-0.2721753857, -0.0534791363, -0.6121090398])[:, None]
    np.testing.assert_allclose(dot_product_attention(q, k, v)[0, :, 0], first + np.arange(6) / 10, atol=1e-10)
    unscaled = masked_softmax(query[:1] @ key.T)
    np.testing.assert_allclose(
        unscaled[0], [0.1119686147, 0.4033656423, 0.0258587280, 0.2604462909, 0.1983607241], atol=1e-10
    )


def test_golden_trace_of_b24(float64):
    """Embeddings sin(0.1 (v+1) (j+1)) of "ml is amazing" at "i love machine learning", padded to 5; projections I."""
    vectors = np.sin(0.1 * np.arange(1, 23)[:, None] * np.arange(1, 9))
    source, target = np.array([5, 8, 9, 7, 0]), np.array([10, 6, 2, 0, 0])
    eye = {'kernel': np.eye(8), 'bias': np.zeros(8)}
    params = dict.fromkeys(('query', 'key', 'value', 'out'), eye)
    module, expected = MultiHeadAttention(1, 8), {}
    expected[False] = [0.06382650, 0.26160077, 0.40432420, 0.14319300, 0.12705554], [0.69658991, 0.85027301]
    expected[True] = [0.07311633, 0.29967631, 0.46317288, 0.16403449, 0], [0.78344678, 0.94511279]
    for masked, (weights, outputs) in expected.items():
        mask = padding_mask(jnp.asarray(source > 0)[None]) if masked else None
        out, weighed = looked(module, params, vectors[target][None], vectors[source][None], mask)
        found = np.asarray(weighed)[0, 0]
        np.testing.assert_allclose(found[0], weights, atol=1e-8)
        np.testing.assert_allclose(found.sum(-1), 1, atol=1e-12)
        np.testing.assert_allclose(out[0, 0, :2], outputs, atol=1e-8)
        assert not masked or (found[:, 4] == 0).all()


B16 = np.float32([[1, 0]]), np.float32([[1, 0], [0, 1], [1, 1]])  # a decoder's state, three keys


def test_golden_values_of_b16():
    state, keys = B16
    padded = np.pad(keys, ((0, 2), (0, 0)))
    for memory, mask, weights, context in (
        (keys, None, [0.401112, 0.197776, 0.401112], [0.802224, 0.598888]),
        (padded, None, [0.287422, 0.141719, 0.287422, 0.141719, 0.141719], [0.574844, 0.429141]),
    ):
        out, weighed = looked(DotAttention(), {}, state[None], memory[None], mask)
        np.testing.assert_allclose(weighed[0, 0, 0], weights, atol=1e-6)
        np.testing.assert_allclose(out[0, 0], context, atol=1e-6)
    seen = padding_mask(jnp.array([[True, True, True, False, False]]))
    apply = jax.jit(lambda *given: DotAttention().apply({}, *given))
    np.testing.assert_allclose(apply(state[None], padded[None], seen), apply(state[None], keys[None]), rtol=1e-7)
    eye = {'kernel': np.eye(2, dtype=np.float32)}
    params = {'query': eye, 'key': eye, 'score': {'kernel': np.ones((2, 1), np.float32)}}
    out, weighed = looked(AdditiveAttention(2), params, state[None], keys[None])
    np.testing.assert_allclose(weighed[0, 0, 0], [0.204462, 0.357645, 0.437893], atol=1e-6)
    np.testing.assert_allclose(out[0, 0], [0.642355, 0.795538], atol=1e-6)


@pytest.mark.parametrize(
    'module', [MultiHeadAttention(2, 8), AdditiveAttention(5), DotAttention()], ids=['heads', 'additive', 'dot']
)
def test_rows_without_keys_are_zero_and_finite(module):
    """The second example is nothing but padding: no weight, no NaN, no gradient to its memory; the first is untouched."""
    x, memory = numbers(2, 3, 8), numbers(2, 4, 8, seed=1)
    variables = drawn(module, x, memory)
    mask = padding_mask(jnp.array([[True, True, False, True], [False] * 4]))

    def run(variables, x, memory):
        out, kept = module.apply(variables, x, memory, mask, mutable=['intermediates'])
        return (out**2).sum(), (out, kept['intermediates']['weights'][0])

    slopes, (out, weights) = jax.jit(jax.grad(run, (0, 1, 2), has_aux=True))(variables, x, memory)
    assert not np.asarray(weights)[1].any() and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    assert not np.asarray(slopes[2])[1].any() and not np.asarray(slopes[2])[0, 2].any()
    kept = jnp.array([0, 1, 3])
    np.testing.assert_allclose(out[0], jax.jit(module.apply)(variables, x[:1], memory[:1, kept])[0], atol=1e-6)


def assert_same_outputs_and_gradients(ours, theirs, given):
    """Gradients are those of the sum of the outputs' squares."""

    @jax.jit
    def both(*given):
        found = []
        for attend in (ours, theirs):
            out, pull = jax.vjp(attend, *given)
            found.append((out, pull(2 * out)))
        return found

    (out, slopes), (their_out, their_slopes) = both(*given)
    np.testing.assert_allclose(out, their_out, atol=1e-6)
    for one, other in zip(slopes, their_slopes, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_equal_to_the_librarys_attention():
    """`jax.nn.dot_product_attention`, masked."""
    q, k, v = numbers(3, 5, 2, 4), numbers(3, 6, 2, 4, seed=1), numbers(3, 6, 2, 4, seed=2)
    mask = padding_mask(jnp.arange(6) < jnp.array([6, 3, 1])[:, None])
    assert_same_outputs_and_gradients(
        lambda q, k, v: dot_product_attention(q, k, v, mask),
        lambda q, k, v: jax.nn.dot_product_attention(q, k, v, mask=mask),
        (q, k, v),
    )


def test_packed_texts_do_not_see_each_other():
    x = numbers(1, 6, 8)
    module = MultiHeadAttention(2, 8)
    variables, apply = drawn(module, x), jax.jit(module.apply)
    mask = segment_mask(jnp.array([[1, 1, 1, 2, 2, 0]]))
    packed = apply(variables, x, mask=mask)
    for part in (slice(0, 3), slice(3, 5)):
        np.testing.assert_allclose(packed[:, part], apply(variables, x[:, part]), atol=1e-6)


def test_keys_that_are_kept_are_looked_at_again():
    x, memory = numbers(2, 3, 8), numbers(2, 4, 8, seed=1)
    for module in (MultiHeadAttention(2, 8), AdditiveAttention(5)):

        @jax.jit
        def run(variables, module=module):
            kept = module.apply(variables, memory, method='keys_values')
            steps = [module.apply(variables, x[:, t : t + 1], *kept, method='look') for t in range(3)]
            return jnp.concatenate(steps, 1), module.apply(variables, x, memory)

        np.testing.assert_allclose(*run(drawn(module, x, memory)), atol=1e-6)


def test_parameter_counts():
    count = lambda module, width: sum(
        leaf.size
        for leaf in jax.tree.leaves(jax.eval_shape(module.init, jax.random.key(0), *[jnp.zeros((1, 2, width))] * 2))
    )
    assert count(MultiHeadAttention(1, 512), 512) == 1_050_624  # B16
    assert count(MultiHeadAttention(4, 256), 256) == 263_168  # B25
    assert count(MultiHeadAttention(2, 64), 64) == 16_640  # D3.4
    assert count(AdditiveAttention(10), 8) == 170


@pytest.mark.parametrize('masked', [False, True])
def test_equal_to_flax(masked):
    x, memory = numbers(3, 5, 8), numbers(3, 6, 8, seed=1)
    mask = padding_mask(jnp.arange(6) < jnp.array([6, 3, 1])[:, None]) if masked else None
    ours = MultiHeadAttention(2, 8)
    variables = drawn(ours, x, memory)
    params = variables['params']
    stock = {
        name: {
            'kernel': params[name]['kernel'].reshape((2, 4, 8) if name == 'out' else (8, 2, 4)),
            'bias': params[name]['bias'].reshape((8,) if name == 'out' else (2, 4)),
        }
        for name in params
    }
    theirs = nn.MultiHeadDotProductAttention(2, qkv_features=8)
    assert_same_outputs_and_gradients(
        lambda x, m: ours.apply(variables, x, m, mask),
        lambda x, m: theirs.apply({'params': stock}, x, m, mask=mask),
        (x, memory),
    )


def test_causal_mask_hides_the_future():
    x = numbers(2, 5, 8)
    module = MultiHeadAttention(4, 8)
    variables, apply = drawn(module, x), jax.jit(module.apply)
    whole = apply(variables, x, mask=causal_mask(5))
    np.testing.assert_allclose(whole[:, :3], apply(variables, x[:, :3], mask=causal_mask(3)), atol=1e-6)


def test_dropout_only_in_training():
    x = numbers(2, 5, 8)
    module = MultiHeadAttention(4, 8, dropout=0.5)

    @jax.jit
    def run(variables):
        dropped = module.apply(variables, x, train=True, rngs={'dropout': jax.random.key(0)})
        return module.apply(variables, x), module.clone(dropout=0.0).apply(variables, x, train=True), dropped

    still, without, dropped = run(drawn(module, x))
    np.testing.assert_array_equal(still, without)
    assert not np.allclose(still, dropped)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match='heads: 3'):
        MultiHeadAttention(3, 8).init(jax.random.key(0), numbers(1, 2, 8))


@pytest.mark.parity
def test_equal_to_torch():
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    x = numbers(3, 5, 8)
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
    mask = padding_mask(jnp.asarray(visible))
    apply = jax.jit(lambda x: MultiHeadAttention(2, 8).apply({'params': params}, x, mask=mask))
    np.testing.assert_allclose(apply(x), out.detach().numpy(), atol=1e-6)
    slopes = jax.jit(jax.grad(lambda x: (apply(x) ** 2).sum()))(x)
    np.testing.assert_allclose(slopes, inputs.grad.numpy(), atol=1e-5)


def test_torch_start():
    params = jax.jit(MultiHeadAttention(4, 64).init)(jax.random.key(0), numbers(1, 2, 64))['params']
    limit = (6 / (64 + 192)) ** 0.5
    for part in ('query', 'key', 'value'):  # PyTorch keeps them as one matrix and starts that
        assert 0.95 * limit < np.abs(params[part]['kernel']).max() <= limit
    module = MultiHeadAttention(1, 512)  # B16
    params = jax.jit(module.init)(jax.random.key(0), numbers(1, 2, 512))['params']
    assert 0.0541 < np.abs(params['value']['kernel']).max() <= 0.0541266 and not params['out']['bias'].any()
    assert 0.0441 < np.abs(params['out']['kernel']).max() <= 0.0441942
