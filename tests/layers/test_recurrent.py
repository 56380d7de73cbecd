"""Recurrent layers: worked cells of A06, automatic differentiation, flax.linen, padding."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.layers import recurrence
from jaxlab.layers.recurrent import GRU, LSTM, Bidirectional, SimpleRNN, mask_from_lengths
from tests.models.drawn import drawn, numbers

CELLS = {
    'lstm': LSTM(5),
    'gru': GRU(5),
    'gru_flax': GRU(5, init_scheme='lecun'),
    'gru_before': GRU(5, reset_after=False),
    'rnn': SimpleRNN(5),
    'rnn_relu': SimpleRNN(5, activation='relu', init_scheme='torch'),
}


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


def sequence(seed=0, shape=(3, 6, 4)):
    return numbers(*shape, seed=seed)


def toy(gates, forget=None):
    bias = jnp.zeros(gates)
    params = {'kernel': jnp.full((1, gates), 0.5), 'recurrent_kernel': jnp.full((1, gates), 0.25)}
    params['bias'] = bias if forget is None else bias.at[1].set(forget)
    return params


X = jnp.array([1.0, -1.0, 2.0])[None, :, None]


def test_toy_lstm_of_a06():
    h, (_, c) = LSTM(1).apply({'params': toy(4, forget=1.0)}, X, return_state=True)
    np.testing.assert_allclose(h[0, :, 0], [0.1742697187, 0.0063240761, 0.3779150119], atol=1e-6)
    np.testing.assert_allclose(c, [[0.5718580671]], atol=1e-6)


@pytest.mark.parametrize('reset_after', [True, False])
def test_toy_gru_of_a06(reset_after):
    params = toy(3) | ({'recurrent_bias': jnp.zeros(3)} if reset_after else {})
    h = GRU(1, reset_after=reset_after).apply({'params': params}, X)
    np.testing.assert_allclose(h[0, :, 0], [0.1744680206, -0.2070137560, 0.0589577265], atol=1e-6)


def gru_before_by_steps(projected, recurrent, hidden, mask, reverse):
    """NumPy, step by step, gates by name: r and z from their own columns, the candidate from r times the state."""
    sigmoid = lambda value: 1 / (1 + np.exp(-value))
    units = hidden.shape[1]
    columns = {name: slice(at * units, (at + 1) * units) for at, name in enumerate('rzn')}
    outputs = np.zeros((len(projected), *hidden.shape))
    for t in reversed(range(len(projected))) if reverse else range(len(projected)):
        inputs = {name: projected[t][:, where] for name, where in columns.items()}
        r = sigmoid(inputs['r'] + hidden @ recurrent[:, columns['r']])
        z = sigmoid(inputs['z'] + hidden @ recurrent[:, columns['z']])
        n = np.tanh(inputs['n'] + (r * hidden) @ recurrent[:, columns['n']])
        hidden = np.where(mask[t][:, None] > 0, z * hidden + (1 - z) * n, hidden)
        outputs[t] = hidden
    return outputs


@pytest.mark.parametrize('reverse', [False, True])
def test_reset_before_step_by_step(reverse, float64):
    """Gates with weights of their own, so that none can stand in another's place: outputs, last state and gradients."""
    rng = np.random.default_rng(4)
    projected, recurrent, hidden = (rng.normal(size=shape) for shape in ((4, 3, 6), (2, 6), (3, 2)))
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 1], [1, 0, 0.0]])
    cotangent = rng.normal(size=(4, 3, 2))
    arguments = tuple(map(jnp.asarray, (projected, recurrent, hidden)))
    cell = recurrence.GRU_RESET_BEFORE
    apply = jax.jit(lambda z, u, h: recurrence.run(cell, z, (u,), h, mask, reverse))
    (outputs, last), expected = apply(*arguments), gru_before_by_steps(projected, recurrent, hidden, mask, reverse)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)
    np.testing.assert_allclose(last, expected[0 if reverse else -1], rtol=1e-12)
    slopes = jax.jit(jax.grad(lambda *given: (apply(*given)[0] * cotangent).sum(), (0, 1, 2)))(*arguments)
    for number, (slope, values) in enumerate(zip(slopes, (projected, recurrent, hidden), strict=True)):
        by_differences = np.zeros_like(values)
        for at in np.ndindex(values.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [np.array(each) for each in (projected, recurrent, hidden)]
                moved[number][at] += step
                ends.append((gru_before_by_steps(*moved, mask, reverse) * cotangent).sum())
            by_differences[at] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(slope, by_differences, atol=1e-8)


def test_toy_rnn_of_a06():
    params = {'kernel': jnp.array([[0.5, 0.2], [-0.3, 0.8]]), 'recurrent_kernel': jnp.array([[0.1, -0.2], [0.4, 0.3]])}
    params['bias'] = jnp.array([0.05, -0.1])
    h = SimpleRNN(2).apply({'params': params}, jnp.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]))
    expected = [[0.5005202, 0.0996680], [-0.1587273, 0.5579120], [0.4278746, 0.8001824]]
    np.testing.assert_allclose(h[0], expected, atol=1e-6)


def test_parameter_counts_of_a06():
    def count(module, width):
        shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 2, width)))
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    assert count(LSTM(64), 32) == 24832 and count(LSTM(32), 64) == 12416
    assert count(GRU(64), 64) == 24960 and count(GRU(32), 64) == 9408
    assert count(GRU(64, reset_after=False), 64) == 24768
    assert count(GRU(64, init_scheme='lecun'), 64) == 24832 and count(GRU(32, init_scheme='lecun'), 64) == 9344  # Flax
    assert count(Bidirectional(LSTM, {'features': 64}), 64) == 66048


def test_starting_values():
    x = sequence(shape=(2, 3, 16))
    start = lambda **options: jax.jit(LSTM(32, **options).init)(jax.random.key(0), x)['params']
    keras = start()
    np.testing.assert_allclose(keras['recurrent_kernel'] @ keras['recurrent_kernel'].T, np.eye(32), atol=1e-5)
    np.testing.assert_array_equal(keras['bias'], np.repeat([0, 1, 0, 0], 32))
    limit = (6 / (16 + 128)) ** 0.5
    assert 0.9 * limit < np.abs(keras['kernel']).max() <= limit
    torch = start(init_scheme='torch')
    assert set(torch) == {'kernel', 'recurrent_kernel', 'bias', 'recurrent_bias'}
    assert all(0.8 * 32**-0.5 < np.abs(leaf).max() <= 32**-0.5 for leaf in torch.values())
    lecun = start(init_scheme='lecun')
    block = lecun['recurrent_kernel'][:, 32:64]
    np.testing.assert_allclose(block @ block.T, np.eye(32), atol=1e-5)
    assert not lecun['bias'].any()
    assert start(forget_bias=2.0)['bias'][40] == 2
    with pytest.raises(ValueError, match='keras, torch, lecun'):
        start(init_scheme='kears')


def test_gradients_against_finite_differences(cell):
    x = sequence()
    variables = drawn(cell, x)
    mask = mask_from_lengths(jnp.array([6, 2, 4]), 6)
    apply = jax.jit(lambda v, x: cell.apply(v, x, mask))
    check_grads(apply, (variables, x), order=1, modes=('rev',), atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('masked', [False, True])
def test_own_backward_pass_equals_automatic_differentiation(reverse, masked):
    """Each function with a rule of its own against the same steps in a Python loop, all arguments, once also twice over."""
    rng = np.random.default_rng(3)
    normal = lambda *shape: rng.normal(0, 0.5, shape).astype(np.float32)
    mask = jnp.array([[1, 1, 1], [1, 0, 1], [1, 0, 0.0]]) if masked else None
    order = range(2, -1, -1) if reverse else range(3)

    def lstm_loop(z, u, h, c):
        outputs = {}
        for t in order:
            new_h, new_c, _ = recurrence.lstm_step(z[t], u, h, c)
            m = mask[t] if masked else None
            h, c = recurrence.hold(m, new_h, h), recurrence.hold(m, new_c, c)
            outputs[t] = h
        return jnp.stack([outputs[t] for t in range(3)]), h, c

    def gru_loop(z, u, b, h):
        outputs = {}
        for t in order:
            h = recurrence.hold(mask[t] if masked else None, recurrence.gru_step(z[t], u, b, h)[0], h)
            outputs[t] = h
        return jnp.stack([outputs[t] for t in range(3)]), h

    cases = [
        (
            lambda *a: recurrence.lstm(*a, mask, reverse, True),
            lstm_loop,
            (normal(3, 3, 8), normal(2, 8), normal(3, 2), normal(3, 2)),
        ),
        (
            lambda z, u, b, h: recurrence.run(recurrence.GRU, z, (u, b), h, mask, reverse, True),
            gru_loop,
            (normal(3, 3, 6), normal(2, 6), normal(6), normal(3, 2)),
        ),
    ]
    for ours, loop, arguments in cases:
        every = tuple(range(len(arguments)))
        loss = lambda f: lambda *a: sum((leaf**2 * (k + 1)).sum() for k, leaf in enumerate(f(*a)))
        penalty = lambda f: lambda *a: sum((g**2).sum() for g in jax.grad(loss(f), every)(*a))
        for value in (loss, penalty) if masked and reverse else (loss,):
            for a, b in zip(*(jax.jit(jax.grad(value(f), every))(*arguments) for f in (ours, loop)), strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_last_state_reverse_and_mask(cell):
    """One program reads forwards, backwards, in halves, and with padding behind and in front."""
    backward = cell.clone(reverse=True)
    mask = mask_from_lengths(jnp.array([4, 4, 4]), 6)

    @jax.jit
    def read(variables, x):
        last = lambda module, x, mask=None: module.clone(sequence=False).apply(variables, x, mask)
        first, state = cell.apply(variables, x[:, :3], return_state=True)
        return {
            'every': cell.apply(variables, x),
            'last': last(cell, x),
            'backward': backward.apply(variables, x),
            'turned': cell.apply(variables, x[:, ::-1])[:, ::-1],
            'first': last(backward, x),
            'padded': (last(cell, x, mask), last(backward, x, mask), last(cell, x, mask[:, ::-1])),
            'short': (last(cell, x[:, :4]), last(backward, x[:, :4]), last(cell, x[:, 2:])),
            'halves': jnp.concatenate([first, cell.apply(variables, x[:, 3:], state=state)], 1),
        }

    x = sequence()
    found = read(drawn(cell, x), x)
    assert found['every'].shape == (3, 6, 5)
    np.testing.assert_allclose(found['last'], found['every'][:, -1], atol=1e-6)
    np.testing.assert_allclose(found['backward'], found['turned'], atol=1e-6)
    np.testing.assert_allclose(found['first'], found['backward'][:, 0])
    # Padding behind (read forwards and backwards) and in front changes nothing.
    for padded, short in zip(found['padded'], found['short'], strict=True):
        np.testing.assert_allclose(padded, short, atol=1e-6)
    # Half a sequence after the other is the whole.
    np.testing.assert_allclose(found['halves'], found['every'], atol=1e-6)


def test_bidirectional_joins_both_readings():
    x = sequence()
    module = Bidirectional(LSTM, {'features': 5, 'sequence': False})
    variables = drawn(module, x)
    out = np.asarray(jax.jit(module.apply)(variables, x))
    assert out.shape == (3, 10)
    parts = [{'params': variables['params'][name]} for name in ('forward', 'backward')]
    alone = jax.jit(lambda variables, x: LSTM(5).apply(variables, x)[:, -1])
    np.testing.assert_allclose(out[:, :5], alone(parts[0], x), atol=1e-6)
    np.testing.assert_allclose(out[:, 5:], alone(parts[1], np.asarray(x)[:, ::-1]), atol=1e-6)


def test_equal_to_flax():
    x = sequence()
    ours = drawn(LSTM(5), x)['params']
    names = {'i': 0, 'f': 1, 'g': 2, 'o': 3}
    cut = lambda name, k: ours[name][..., k * 5 : (k + 1) * 5]
    stock = {f'i{g}': {'kernel': cut('kernel', k)} for g, k in names.items()}
    stock |= {f'h{g}': {'kernel': cut('recurrent_kernel', k), 'bias': cut('bias', k)} for g, k in names.items()}
    out = jax.jit(nn.RNN(nn.OptimizedLSTMCell(5)).apply)({'params': {'cell': stock}}, x)
    np.testing.assert_allclose(jax.jit(LSTM(5).apply)({'params': ours}, x), out, atol=1e-5)

    ours = drawn(GRU(5, init_scheme='lecun'), x)['params']
    stock = {f'i{g}': {'kernel': cut('kernel', k), 'bias': cut('bias', k)} for k, g in enumerate('rzn')}
    stock |= {f'h{g}': {'kernel': cut('recurrent_kernel', k)} for k, g in enumerate('rzn')}
    stock['hn']['bias'] = ours['recurrent_bias']
    out = jax.jit(nn.RNN(nn.GRUCell(5)).apply)({'params': {'cell': stock}}, x)
    np.testing.assert_allclose(jax.jit(GRU(5, init_scheme='lecun').apply)({'params': ours}, x), out, atol=1e-5)


def constant(gates, inputs, recurrent, width=1, units=1):
    """Every input weight the same, every recurrent weight the same, no bias."""
    kernel, state = jnp.full((width, gates * units), inputs), jnp.full((units, gates * units), recurrent)
    return {'kernel': kernel, 'recurrent_kernel': state, 'bias': jnp.zeros(gates * units)}


def test_cell_of_b14():
    h = SimpleRNN(1).apply({'params': constant(1, 0.5, 0.8)}, X.at[0, 2].set(0.5))
    np.testing.assert_allclose(h[0, :, 0], [0.462117, -0.129574, 0.145305], atol=1e-6)


def test_cell_step_of_b15():
    """x = 1, h = 0.4, c = 0.3, all weights 0.5: the right forms, and a candidate whose inner bias is 0.5."""
    x, h, c = jnp.ones((1, 1, 1)), jnp.full((1, 1), 0.4), jnp.full((1, 1), 0.3)
    _, (hidden, cell) = LSTM(1).apply({'params': constant(4, 0.5, 0.5)}, x, state=(h, c), return_state=True)
    np.testing.assert_allclose([cell[0, 0], hidden[0, 0]], [0.604287, 0.360884], atol=1e-6)
    for inner, expected in ((0.0, 0.453273), (0.5, 0.515373)):
        params = constant(3, 0.5, 0.5) | {'recurrent_bias': jnp.array([0.0, 0.0, inner])}
        np.testing.assert_allclose(GRU(1).apply({'params': params}, x, state=h)[0, 0], [expected], atol=1e-6)


def test_lstm_trace_of_b18(float64):
    x = jnp.array([0.1, 0.2, 0.3])[None, :, None]
    h, (_, c) = LSTM(2).apply({'params': constant(4, 0.5, 0.25, units=2)}, x, return_state=True)
    np.testing.assert_allclose(h[0, :, 1], [0.0131188796, 0.0364819604, 0.0689598948], atol=1e-10)
    np.testing.assert_allclose(c, [[0.1279348034] * 2], atol=1e-10)


def test_lstm_trace_of_d32(float64):
    params = {
        'kernel': jnp.arange(1.0, 25).reshape(3, 8) / 50 - 0.2,
        'recurrent_kernel': jnp.arange(1.0, 17).reshape(2, 8) / 40 - 0.2,
        'bias': jnp.array([0.0, 0, 1, 1, 0, 0, 0, 0]),
    }
    x = jnp.array([[[1, 0, -1], [0.5, -0.5, 2]]])
    h, (_, c) = LSTM(2).apply({'params': params}, x, return_state=True)
    np.testing.assert_allclose(h[0], [[-0.054465418] * 2, [0.0527645636, 0.0660594486]], atol=1e-9)
    np.testing.assert_allclose(c[0], [0.0872463293, 0.1077992786], atol=1e-9)


@pytest.mark.parity
@pytest.mark.parametrize('name', ['LSTM', 'GRU', 'RNN'])
def test_equal_to_torch(name):
    """Outputs and every gradient, with PyTorch's weights copied."""
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(4, 5, batch_first=True)
    module = {'LSTM': LSTM, 'GRU': GRU, 'RNN': SimpleRNN}[name](5, init_scheme='torch')
    x = sequence()
    weights = {
        'kernel': 'weight_ih_l0',
        'recurrent_kernel': 'weight_hh_l0',
        'bias': 'bias_ih_l0',
        'recurrent_bias': 'bias_hh_l0',
    }
    params = {ours: jnp.asarray(getattr(theirs, name).detach().numpy().T) for ours, name in weights.items()}
    inputs = torch.tensor(np.asarray(x), requires_grad=True)
    out = theirs(inputs)[0]
    (out**2).sum().backward()
    ours = module.apply({'params': params}, x)
    np.testing.assert_allclose(ours, out.detach().numpy(), atol=1e-6)
    grads, dx = jax.grad(lambda p, x: (module.apply({'params': p}, x) ** 2).sum(), (0, 1))(params, x)
    np.testing.assert_allclose(dx, inputs.grad.numpy(), atol=1e-5)
    for key, value in weights.items():
        np.testing.assert_allclose(grads[key], getattr(theirs, value).grad.numpy().T, atol=1e-5)
