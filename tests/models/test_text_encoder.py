"""BERT and its kin: counts of A07 and B17, pooling, padding, segments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.text_encoder import TextClassifier, TextEncoder
from tests.models.drawn import count, drawn

TOKENS = jnp.array([[2, 7, 5, 3, 0, 0], [2, 6, 8, 9, 4, 3]])
BERT = TextClassifier(head_dropout=0.3, head_init='torch')
DISTILBERT = TextClassifier(
    layers=6, segments=0, pooler=False, sublayer_dropout=False, pool='first', head_hidden=True, head_dropout=0.2
)
SMALL = {'vocabulary': 12, 'width': 8, 'layers': 1, 'heads': 2, 'hidden': 16, 'max_length': 8}


def test_parameter_counts():
    tokens = jnp.zeros((1, 8), jnp.int32)
    found = count(BERT, tokens)
    assert found == {'encoder': 109_482_240, 'head': 1_538} and sum(found.values()) == 109_483_778  # A07
    parts = count(TextEncoder(), tokens)
    assert parts['layer_11'] == 7_087_872 and parts['pooler'] == 590_592
    assert sum(parts[name] for name in ('embedding', 'positions', 'segments', 'norm')) == 23_837_184
    found = count(DISTILBERT, tokens)
    assert found == {'encoder': 66_362_880, 'head_hidden': 590_592, 'head': 1_538} and sum(found.values()) == 66_955_010
    mini = TextEncoder(width=384, layers=6, heads=12, hidden=1536)
    assert sum(count(mini, tokens).values()) == 22_713_216  # the floats of all-MiniLM-L6-v2's file


def test_start():
    head = jax.jit(BERT.clone(**SMALL | {'layers': 0}).init)(jax.random.key(0), TOKENS)['params']['head']['kernel']
    assert np.abs(head).max() <= 8**-0.5


@pytest.mark.parametrize('pool', ['pooler', 'first', 'mean'])
def test_padding_moves_no_logit(pool):
    model = TextClassifier(**SMALL, pool=pool, head_hidden=pool == 'first')
    variables, apply = drawn(model, TOKENS), jax.jit(model.apply)
    assert ('pooler' in variables['params']['encoder']) == (pool == 'pooler')
    logits = apply(variables, TOKENS)
    np.testing.assert_allclose(apply(variables, TOKENS[:1, :4]), logits[:1], atol=1e-5)
    assert np.abs(apply(variables, TOKENS.at[0, 2].set(9)) - logits)[0].max() > 1e-4


def test_segments_and_what_is_seen():
    model = TextEncoder(**SMALL)
    variables, apply = drawn(model, TOKENS), jax.jit(model.apply)
    states, pooled = apply(variables, TOKENS)
    for given in ({'segments': jnp.zeros_like(TOKENS)}, {'seen': TOKENS > 0}):
        np.testing.assert_allclose(apply(variables, TOKENS, **given)[0], states, atol=1e-6)
    other, _ = apply(variables, TOKENS, segments=jnp.array([[0, 0, 1, 1, 0, 0]] * 2))
    assert np.abs(other - states).max() > 1e-3 and pooled.shape == (2, 8)


def test_an_empty_text_is_finite():
    model = TextClassifier(**SMALL, pool='mean')
    tokens = jnp.zeros((1, 4), jnp.int32)
    variables = drawn(model, tokens)
    slopes = jax.jit(jax.grad(lambda v: (model.apply(v, tokens) ** 2).sum()))(variables)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_unknown_pool():
    with pytest.raises(UserError, match="did you mean 'mean'"):
        jax.eval_shape(TextClassifier(**SMALL, pool='maen').init, jax.random.key(0), TOKENS)
