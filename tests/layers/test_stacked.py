"""Recurrent layers upon one another, in both directions: padding, dropout, PyTorch's packed sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.layers.recurrent import Stacked, mask_from_lengths
from tests.models.drawn import drawn, numbers


def sequence():
    return numbers(3, 6, 4)


@pytest.mark.parametrize('cell', ['lstm', 'gru', 'rnn'])
@pytest.mark.parametrize('bidirectional', [False, True])
def test_padding_changes_nothing(cell, bidirectional):
    """Each direction reverses within the length: padding moves neither a state nor the last outputs (padded steps hold)."""
    x = sequence()
    module = Stacked((5, 3), cell, {'init_scheme': 'torch'}, bidirectional, 0.5)
    variables = drawn(module, x)
    read = jax.jit(lambda x, mask=None: module.apply(variables, x, mask, return_state=True))
    states, last = read(x[:, :4])
    mask = mask_from_lengths(jnp.array([4, 4, 4]), 6)
    padded, last_padded = read(x, mask)
    np.testing.assert_allclose(padded[:, :4], states, atol=1e-6)
    for one, other in zip(jax.tree.leaves(last), jax.tree.leaves(last_padded), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(padded[:, 5, :3], states[:, 3, :3], atol=1e-6)  # held over padding, as Keras does
    short = jax.eval_shape(lambda: module.clone(sequence=False).apply(variables, x, mask))
    assert short.shape == (3, 6 if bidirectional else 3)


def test_dropout_stands_between_layers_only():
    x, module = sequence(), Stacked((5, 3), 'rnn', dropout=0.5)
    variables = drawn(module, x)
    trained = jax.jit(lambda: module.apply(variables, x, train=True, rngs={'dropout': jax.random.key(0)}))()
    assert not np.allclose(trained, module.apply(variables, x), atol=1e-3)
    alone = module.clone(features=(5,))
    variables = drawn(alone, x)
    np.testing.assert_array_equal(alone.apply(variables, x, train=True), alone.apply(variables, x))


def test_unknown_cell_of_a_stack():
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        Stacked((2,), 'lsmt').init(jax.random.key(0), sequence())


@pytest.mark.parity
@pytest.mark.parametrize('name', ['LSTM', 'GRU', 'RNN'])
def test_equal_to_torch(name):
    """Two layers, both directions, packed sequences: true steps, last states and every gradient; PyTorch pads with zeros."""
    torch = pytest.importorskip('torch')
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(4, 5, num_layers=2, bidirectional=True, batch_first=True)
    params = {}
    for layer in range(2):
        params[f'{name.lower()}_{layer}'] = {
            direction: {
                'kernel': jnp.asarray(getattr(theirs, f'weight_ih_l{layer}{ending}').detach().numpy().T),
                'recurrent_kernel': jnp.asarray(getattr(theirs, f'weight_hh_l{layer}{ending}').detach().numpy().T),
                'bias': jnp.asarray(getattr(theirs, f'bias_ih_l{layer}{ending}').detach().numpy()),
                'recurrent_bias': jnp.asarray(getattr(theirs, f'bias_hh_l{layer}{ending}').detach().numpy()),
            }
            for direction, ending in (('forward', ''), ('backward', '_reverse'))
        }
    x, lengths = sequence(), np.array([6, 4, 1])
    inputs = torch.tensor(np.asarray(x), requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, torch.tensor(lengths), batch_first=True)
    out, last = theirs(packed)
    out = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True)[0]
    (out**2).sum().backward()
    mask = mask_from_lengths(jnp.asarray(lengths), 6)
    module = Stacked((5, 5), name.lower(), {'init_scheme': 'torch'}, True)

    def loss(params, x):
        states, reached = module.apply({'params': params}, x, mask, return_state=True)
        return ((states * mask[..., None]) ** 2).sum(), (states, reached)

    (_, (states, reached)), (grads, dx) = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(params, x)
    np.testing.assert_allclose(states * mask[..., None], out.detach().numpy(), atol=1e-6)
    hidden = [pair[0] if name == 'LSTM' else pair for layer in reached for pair in layer]
    np.testing.assert_allclose(jnp.stack(hidden), (last[0] if name == 'LSTM' else last).detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(dx, inputs.grad.numpy(), atol=1e-5)
    for layer in range(2):
        for direction, ending in (('forward', ''), ('backward', '_reverse')):
            ours = grads[f'{name.lower()}_{layer}'][direction]
            pairs = (('kernel', 'weight_ih'), ('recurrent_kernel', 'weight_hh'), ('recurrent_bias', 'bias_hh'))
            for key, value in pairs:
                expected = getattr(theirs, f'{value}_l{layer}{ending}').grad.numpy().T
                np.testing.assert_allclose(ours[key], expected, atol=2e-5)
