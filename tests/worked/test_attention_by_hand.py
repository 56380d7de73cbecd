"""Attention by hand: goldens of A07, B24, D3.1; equal to flax's, jax's and PyTorch's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.worked import attention
from jaxlab.worked.cases import attention as cases

pytestmark = pytest.mark.usefixtures('float64')


@pytest.mark.parametrize('case', cases.ATTENTION.values(), ids=cases.ATTENTION)
def test_goldens(case):
    trace = attention.attention(case.queries, case.keys, case.values, case.mask)
    np.testing.assert_allclose(trace.weights, case.weights, atol=case.tolerance)
    if case.output is not None:
        np.testing.assert_allclose(trace.output, case.output, atol=case.tolerance)
    np.testing.assert_allclose(trace.weights.sum(-1), 1, atol=1e-15)
    np.testing.assert_allclose(trace.shifted / trace.total, trace.weights, atol=1e-16)


@pytest.mark.parametrize('case', cases.ATTENTION.values(), ids=cases.ATTENTION)
def test_equals_flax_and_jax(case):
    trace = attention.attention(case.queries, case.keys, case.values, case.mask)
    alike = case.queries.shape[-1] == case.values.shape[-1]  # JAX's own wants it so

    @jax.jit
    def theirs(*matrices):
        q, k, v = (x[None, :, None] for x in matrices)  # [batch, length, heads, d]
        mask = None if case.mask is None else jnp.asarray(case.mask)[None, None, None]
        found = [nn.dot_product_attention(q, k, v, mask=mask)]
        return [*found, jax.nn.dot_product_attention(q, k, v, mask=mask)] if alike else found

    flax, *jaxs = theirs(*map(jnp.asarray, (case.queries, case.keys, case.values)))
    np.testing.assert_allclose(trace.output, np.asarray(flax)[0, :, 0], atol=1e-12)
    for other in jaxs:
        np.testing.assert_allclose(trace.output, np.asarray(other)[0, :, 0], atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize('case', cases.ATTENTION.values(), ids=cases.ATTENTION)
def test_equals_pytorch(case):
    torch = pytest.importorskip('torch')
    q, k, v = (torch.from_numpy(np.array(x))[None] for x in (case.queries, case.keys, case.values))
    mask = (
        None
        if case.mask is None
        else torch.from_numpy(np.broadcast_to(case.mask, (len(case.queries), len(case.keys))).copy())
    )
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)[0].numpy()
    trace = attention.attention(case.queries, case.keys, case.values, case.mask)
    np.testing.assert_allclose(trace.output, expected, atol=1e-12)


def test_d31_details():
    case = cases.D31
    trace = attention.attention(case.queries[None], case.keys[None], case.values[None])
    assert trace.output.shape == (1, 3, 6) and trace.weights.shape == (1, 3, 5)
    np.testing.assert_allclose(trace.scaled[0, 0], cases.D31_SCALED_ROW, atol=1e-10)
    np.testing.assert_allclose(trace.weights[0], case.weights, atol=1e-10)
    np.testing.assert_allclose(trace.output[0, :, 0], cases.D31_FIRST_COLUMN, atol=1e-10)
    np.testing.assert_allclose(np.diff(trace.output[0], axis=1), 0.1, atol=1e-12)
    unscaled = attention.attention(case.queries, case.keys, case.values, scale=False)
    np.testing.assert_allclose(unscaled.weights[0], cases.D31_UNSCALED_ROW, atol=1e-10)


def test_d31_published_rows():
    published = np.array(cases.D31_PUBLISHED)
    np.testing.assert_allclose(published.sum(1), 1, atol=1e-8)
    entropy = jax.jit(attention.entropy)
    np.testing.assert_allclose(entropy(published), cases.D31_PUBLISHED_ENTROPY, atol=1e-6)
    assert float(entropy(np.full(5, 0.2))) == pytest.approx(1.609438, abs=1e-6)


def test_invariants():
    rng = np.random.RandomState(0)
    q, k, v = rng.randn(3, 4), rng.randn(5, 4), rng.randn(5, 6)
    trace = attention.attention(q, k, v)
    order = rng.permutation(5)
    np.testing.assert_allclose(attention.attention(q, k[order], v[order]).output, trace.output, atol=1e-14)
    same = attention.attention(q, np.ones((5, 4)), v)
    np.testing.assert_allclose(same.weights, 0.2, atol=1e-15)
    np.testing.assert_allclose(same.output, np.tile(v.mean(0), (3, 1)), atol=1e-14)
    shifted = jax.jit(jax.nn.softmax)(np.asarray(trace.scaled) + 7.0)
    np.testing.assert_allclose(shifted, trace.weights, atol=1e-14)
    gradient = jax.jit(jax.grad(lambda q: attention.attention(q, k, v).output.sum()))(q)
    assert np.isfinite(gradient).all()


def test_b24_words_and_rows():
    words = attention.vocabulary(tuple(sentence for pair in cases.PAIRS for sentence in pair))
    assert len(words.words) == 21
    assert ' '.join(words.words) == (
        "all amazing are attention i is learning love machine ml need paper's powerful "
        "replaced rnns that's the they title transformers you"
    )
    assert tuple(tuple(words.encode(source, 5)) for source, _ in cases.PAIRS) == cases.B24_SOURCES
    assert tuple(tuple(words.encode(target, 5)) for _, target in cases.PAIRS) == cases.B24_TARGETS
    for case, row in ((cases.B24_UNMASKED, cases.B24_OUTPUT_ROW), (cases.B24_MASKED, cases.B24_MASKED_OUTPUT_ROW)):
        trace = attention.attention(case.queries, case.keys, case.values, case.mask)
        np.testing.assert_allclose(trace.output[0], row, atol=1e-7)
    np.testing.assert_array_equal(trace.weights[:, 4], 0)
    np.testing.assert_array_equal(attention.key_mask(np.array(cases.B24_SOURCES[0]))[0], cases.B24_MASKED.mask)
    with pytest.raises(UserError, match="word 'unknown' is not in the vocabulary of 21 words"):
        words.encode('unknown', 5)


def test_b24_untrained_weights_are_noise_around_one_fifth():
    params = attention.init_projections(jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 384
    source, target = (
        jnp.array([ids[n] - 1 for n in range(3)] + [4, 5]) for ids in (cases.B24_SOURCES[0], cases.B24_TARGETS[0])
    )
    weights = jax.jit(
        jax.vmap(lambda key: attention.cross_attention(attention.init_projections(key), source, target).weights)
    )(jax.random.split(jax.random.key(1), 2000))
    assert float(weights.mean()) == pytest.approx(0.2)
    assert float(weights.std()) == pytest.approx(0.062, abs=0.006)
    np.testing.assert_allclose(np.quantile(weights, [0.05, 0.95]), [0.110, 0.307], atol=0.015)


def test_a_query_without_keys_gets_zeros():
    trace = attention.attention(np.ones((2, 3)), np.ones((4, 3)), np.ones((4, 2)), np.zeros((2, 4), bool))
    np.testing.assert_array_equal(trace.output, 0)


def test_scaling_keeps_the_variance():
    variances = attention.logit_variance(jax.random.key(0), (4, 64, 512))
    np.testing.assert_allclose(variances[:, 0] / [4, 64, 512], 1, atol=0.15)
    np.testing.assert_allclose(variances[:, 1], 1, atol=0.15)


@pytest.mark.parametrize(
    ('shapes', 'words'),
    [
        (((2, 3), (4, 2), (4, 2)), 'queries have 3 numbers and keys 2'),
        (((2, 3), (4, 3), (5, 2)), '4 keys but 5 values'),
    ],
)
def test_bad_shapes(shapes, words):
    with pytest.raises(UserError, match=words):
        attention.attention(*(np.ones(shape) for shape in shapes))
