"""Sequence models of A06, B14, B15, B18: parameter counts, padding, arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.mlp import MLP
from jaxlab.models.recurrent import SequenceModel
from tests.models.drawn import count, drawn, numbers


@pytest.mark.parametrize(
    'arguments, expected',
    [
        ({'cell': 'lstm', 'features': (64, 32), 'embedding': 32}, 357_281),  # A06a
        ({'cell': 'gru', 'features': (64, 32), 'embedding': 64}, 674_401),  # A06b
        ({'cell': 'lstm', 'features': (64,), 'embedding': 64, 'bidirectional': True}, 706_177),  # A06c
        ({'cell': 'lstm', 'features': (64, 32), 'embedding': 64}, 685_473),  # A06's equal budget
        ({'cell': 'gru', 'features': (64, 32), 'embedding': 64, 'init_scheme': 'lecun'}, 674_209),  # Flax's biases
        ({'outputs': 'softmax', 'features': (128,), 'embedding': 100, 'init_scheme': 'torch'}, 1_118_018),  # B15a
        (
            {'outputs': 'softmax', 'cell': 'gru', 'features': (128,), 'embedding': 100, 'init_scheme': 'torch'},
            1_088_578,
        ),  # B15b
    ],
)
def test_parameter_counts_of_classifiers(arguments, expected):
    model = SequenceModel(**{'classes': 2, 'outputs': 'sigmoid', 'vocabulary': 10_000} | arguments)
    assert sum(count(model, jnp.zeros((1, 8), jnp.int32)).values()) == expected


@pytest.mark.parametrize(
    'cell, features, torch, flax',
    [
        ('rnn', (32,), 1_153, 1_121),  # B14a
        ('lstm', (32,), 4_513, 4_385),  # B14b
        ('lstm', (128, 128), 199_297, 198_273),  # B18
    ],
)
def test_parameter_counts_of_forecasters(cell, features, torch, flax):
    for scheme, expected in (('torch', torch), ('lecun', flax)):
        model = SequenceModel(1, cell, features, init_scheme=scheme)
        assert sum(count(model, jnp.zeros((1, 10, 1))).values()) == expected


def test_dense_forecaster_of_b18():
    assert sum(count(MLP((64,), 1), jnp.zeros((1, 90, 1)), train=False).values()) == 5_889


def test_a_zero_token_stays_zero():
    """B15: padding is read like a word, its vector fixed at zero: no gradient reaches its row."""
    model = SequenceModel(2, 'gru', (4,), vocabulary=6, embedding=3, zero_token=0, init_scheme='torch')
    tokens = jnp.array([[2, 5, 0, 0]])
    variables = drawn(model, tokens)
    slope = jax.jit(jax.grad(lambda v: (model.apply(v, tokens) ** 2).sum()))(variables)['params']['embedding'][
        'embedding'
    ]
    assert not slope[0].any() and slope[2].any()
    apply = jax.jit(model.apply)
    assert not np.allclose(apply(variables, tokens), apply(variables, tokens[:, :2]), atol=1e-4)


def test_padding_is_skipped_only_when_asked():
    model = SequenceModel(2, 'gru', (8, 8), vocabulary=20, padding=0, bidirectional=True, hidden=(4,))
    tokens = jax.random.randint(jax.random.key(0), (4, 5), 1, 20)
    variables, apply = drawn(model, tokens), jax.jit(model.apply)
    logits = apply(variables, tokens)
    for padding in (((0, 0), (0, 3)), ((0, 0), (3, 0))):
        np.testing.assert_allclose(apply(variables, jnp.pad(tokens, padding)), logits, atol=1e-5)
    read = jax.jit(model.clone(padding=None).apply)(variables, jnp.pad(tokens, ((0, 0), (0, 3))))
    assert not np.allclose(read, logits, atol=1e-5)


@pytest.mark.parametrize('cell', ['lstm', 'gru', 'rnn'])
def test_features_in(cell):
    x = numbers(2, 6, 3)
    model = SequenceModel(1, cell, (4,), init_scheme='torch')
    assert set(count(model, x)) == {'recurrent', 'head'}
    assert jax.jit(model.apply)(drawn(model, x), x).shape == (2, 1)


def test_unknown_cell():
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        SequenceModel(1, 'lsmt').init(jax.random.key(0), jnp.zeros((1, 2, 3)))
