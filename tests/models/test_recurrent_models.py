"""Sequence models of A06: parameter counts, padding, arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.recurrent import SequenceModel


@pytest.mark.parametrize(
    'arguments, expected',
    [
        ({'cell': 'lstm', 'features': (64, 32), 'embedding': 32}, 357_281),  # A06a
        ({'cell': 'gru', 'features': (64, 32), 'embedding': 64}, 674_401),  # A06b
        ({'cell': 'lstm', 'features': (64,), 'embedding': 64, 'bidirectional': True}, 706_177),  # A06c
    ],
)
def test_parameter_counts_of_a06(arguments, expected):
    model = SequenceModel(1, vocabulary=10_000, **arguments)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32)))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == expected


def test_padding_is_skipped_only_when_asked():
    model = SequenceModel(2, 'gru', (8, 8), vocabulary=20, padding=0, bidirectional=True, hidden=(4,))
    tokens = jax.random.randint(jax.random.key(0), (4, 5), 1, 20)
    variables = jax.jit(model.init)(jax.random.key(1), tokens)
    apply = jax.jit(model.apply)
    logits = apply(variables, tokens)
    for padding in (((0, 0), (0, 3)), ((0, 0), (3, 0))):
        np.testing.assert_allclose(apply(variables, jnp.pad(tokens, padding)), logits, atol=1e-5)
    read = jax.jit(model.clone(padding=None).apply)(variables, jnp.pad(tokens, ((0, 0), (0, 3))))
    assert not np.allclose(read, logits, atol=1e-5)


@pytest.mark.parametrize('cell', ['lstm', 'gru', 'rnn'])
def test_features_in(cell):
    x = jax.random.normal(jax.random.key(0), (2, 6, 3))
    model = SequenceModel(1, cell, (4,), init_scheme='torch')
    out, variables = jax.jit(model.init_with_output)(jax.random.key(1), x)
    assert out.shape == (2, 1) and 'embedding' not in variables['params']


def test_unknown_cell():
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        SequenceModel(1, 'lsmt').init(jax.random.key(0), jnp.zeros((1, 2, 3)))
