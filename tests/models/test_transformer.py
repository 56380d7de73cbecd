"""The encoder: counts, PyTorch's encoder layer with copied weights, padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.transformer import EncoderLayer, Style, TransformerClassifier
from tests.models.drawn import drawn, numbers


def test_parameter_count():
    model = TransformerClassifier(10, vocabulary=1000, max_length=64)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 64), jnp.int32)))
    layer = 4 * 128 * 129 + 128 * 512 + 512 + 512 * 128 + 128 + 4 * 128
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 1064 * 128 + 2 * layer + 1290


@pytest.mark.parametrize('norm_first', [False, True])
@pytest.mark.parametrize('positions', ['learned', 'sinusoidal', 'rotary', 'none'])
def test_padding_changes_nothing(norm_first, positions):
    model = TransformerClassifier(
        3, 2, 16, 2, 32, vocabulary=20, padding=0, norm_first=norm_first, positions=positions, max_length=8
    )
    tokens = jnp.asarray(np.random.default_rng(0).integers(1, 20, (4, 5)))
    padded = jnp.pad(tokens, ((0, 0), (0, 3)))
    both = jax.jit(lambda v: (model.apply(v, padded), model.apply(v, tokens)))(drawn(model, tokens))
    np.testing.assert_allclose(*both, atol=1e-5)


def test_features_first_token_and_wrong_arguments():
    model = TransformerClassifier(3, 1, 16, 2, 32, pool='first', activation='gelu')
    x = jax.ShapeDtypeStruct((2, 5, 7), jnp.float32)
    start = lambda **changes: jax.eval_shape(model.clone(**changes).init_with_output, jax.random.key(1), x)
    assert start()[0].shape == (2, 3)
    with pytest.raises(UserError, match="did you mean 'first'"):
        start(pool='frist')
    with pytest.raises(UserError, match="did you mean 'rotary'"):
        start(positions='rotatory')
    with pytest.raises(UserError, match='max_length is 4'):
        start(max_length=4)


def test_patches_are_tokens_of_joined_steps():
    """Three steps a token: what the network says of the joined features; the step that is over is left out in front."""
    options = {'classes': 3, 'width': 8, 'heads': 2, 'hidden': 8, 'layers': 1, 'pool': 'all'}
    x = jnp.asarray(np.random.default_rng(1).standard_normal((2, 7, 2)), jnp.float32)
    joined = x[:, 1:].reshape(2, 2, 6)
    model, plain = TransformerClassifier(**options, patch=3), TransformerClassifier(**options)
    variables = drawn(model, x)
    assert variables['params']['input']['kernel'].shape == (6, 8)
    assert variables['params']['head']['kernel'].shape == (16, 3)  # both tokens side by side
    found, expected = jax.jit(lambda v: (model.apply(v, x), plain.apply(v, joined)))(variables)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(UserError, match=r'model.patch = 8; valid: from 1 to the 7 steps'):
        TransformerClassifier(**options, patch=8).init(jax.random.key(0), x)


@pytest.mark.parity
@pytest.mark.parametrize('norm_first', [False, True])
def test_equal_to_torch(norm_first):
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    theirs = torch.nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True, norm_first=norm_first)
    linear = lambda m: {
        'kernel': jnp.asarray(m.weight.detach().numpy().T),
        'bias': jnp.asarray(m.bias.detach().numpy()),
    }
    norm = lambda m: {'scale': jnp.asarray(m.weight.detach().numpy()), 'bias': jnp.asarray(m.bias.detach().numpy())}
    attention = theirs.self_attn
    kernels = np.split(attention.in_proj_weight.detach().numpy(), 3)
    params = {
        name: {'kernel': jnp.asarray(k.T), 'bias': jnp.zeros(16)}
        for name, k in zip(('query', 'key', 'value'), kernels, strict=True)
    }
    params = {
        'attention': params | {'out': linear(attention.out_proj)},
        'feed_forward': {'dense_1': linear(theirs.linear1), 'dense_2': linear(theirs.linear2)},
        'norm_1': norm(theirs.norm1),
        'norm_2': norm(theirs.norm2),
    }
    x = numbers(3, 5, 16)
    ours = EncoderLayer(Style(2, 32, norm_first=norm_first), 16).apply({'params': params}, x, True)
    np.testing.assert_allclose(ours, theirs(torch.tensor(np.asarray(x))).detach().numpy(), atol=1e-5)
