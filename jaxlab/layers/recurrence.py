"""Recurrent cells run over a sequence: LSTM, GRU and the plain RNN as pure functions of time-major arrays.

The input projections of all steps are one matrix product before the scan, so that a step only multiplies the state.
Each brings its own backward pass: the forward scan keeps what the chain rule needs (the LSTM its ready local
derivatives, the others what their gates gave), the reverse scan carries the state's gradient only, and the gradient of
the recurrent kernel is one product over all steps after it. Automatic differentiation of a scan adds to that gradient once
a step, which is slower by half on a CPU.

Symbols: T steps, N examples, D inputs, H units. A mask is [T, N] in {0, 1}; where it is 0 the state is held, so padding
(in front or behind) changes nothing. Gates lie side by side along the last axis: LSTM i, f, g, o (Hochreiter and
Schmidhuber 1997, with the forget gate of Gers et al. 2000); GRU r, z, n (Cho et al. 2014).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import sigmoid
from jaxtyping import Array, Float

State = Float[Array, 'N H']
Mask = Float[Array, 'T N'] | None


def project(
    x: Float[Array, 'N T D'], kernel: Float[Array, 'D G'], bias: Float[Array, 'G'] | None
) -> Float[Array, 'T N G']:
    """`x_t W + b` of all steps at once, time first (what the scan reads step by step).

    As one matrix [T N, D]: the gradient of a product over three axes needs copies on a CPU.
    """
    examples, steps, inputs = x.shape
    projected = jnp.swapaxes(x, 0, 1).reshape(steps * examples, inputs) @ kernel
    projected = projected if bias is None else projected + bias
    return projected.reshape(steps, examples, kernel.shape[-1])


def hold(mask: Float[Array, 'N'] | None, new: State, old: State) -> State:
    """The new state where the mask is 1, the old one where it is 0."""
    return new if mask is None else jnp.where(mask[:, None] > 0, new, old)


def _route(mask: Float[Array, 'N'] | None, cotangent: State) -> tuple[State, State]:
    """Parts a new state's cotangent into what goes back through the step and what `hold` passed around it."""
    nothing = jnp.zeros_like(cotangent)
    return hold(mask, cotangent, nothing), hold(mask, nothing, cotangent) if mask is not None else nothing


def _kernel_gradient(previous: Float[Array, 'T N H'], cotangent: Float[Array, 'T N G']) -> Float[Array, 'H G']:
    """Sum over steps and examples of `h_(t-1)^T dz_t`, as one product."""
    units, width = previous.shape[-1], cotangent.shape[-1]
    return previous.reshape(-1, units).T @ cotangent.reshape(-1, width)


# --- LSTM -----------------------------------------------------------------------------------------------------------


def lstm_step(projected: Float[Array, 'N G'], recurrent: Float[Array, 'H G'], hidden: State, cell: State):
    """One LSTM step: `c = f c + i g`, `h = o tanh(c)`; gives h, c and the step's local derivatives.

    The four gates are one hyperbolic tangent, because `sigmoid(x) = (1 + tanh(x / 2)) / 2`. The derivatives are what
    the chain rule multiplies by: `dc -> i, f, g` and `dh -> o` before their activations, `dh -> c`, and `c -> old c`.
    """
    halves = jnp.repeat(jnp.asarray([0.5, 0.5, 1.0, 0.5], projected.dtype), hidden.shape[-1])
    ti, tf, g, to = jnp.split(jnp.tanh((projected + hidden @ recurrent) * halves), 4, axis=-1)
    i, f, o = 0.5 + 0.5 * ti, 0.5 + 0.5 * tf, 0.5 + 0.5 * to
    new_cell = f * cell + i * g
    squashed = jnp.tanh(new_cell)
    slopes = [g * (1 - ti * ti) / 4, cell * (1 - tf * tf) / 4, i * (1 - g * g), squashed * (1 - to * to) / 4]
    derivatives = jnp.concatenate(slopes, axis=-1), o * (1 - squashed * squashed), f
    return o * squashed, new_cell, derivatives


@partial(jax.custom_vjp, nondiff_argnums=(5, 6))
def lstm(
    projected: Float[Array, 'T N G'],
    recurrent: Float[Array, 'H G'],
    hidden: State,
    cell: State,
    mask: Mask = None,
    reverse: bool = False,
    sequence: bool = True,
) -> tuple[Float[Array, 'T N H'] | None, State, State]:
    """Runs an LSTM over projected inputs; gives all hidden states (`None` unless `sequence`) and the last h and c."""
    return _lstm_forward(projected, recurrent, hidden, cell, mask, reverse, sequence)[0]


def _lstm_forward(projected, recurrent, hidden, cell, mask, reverse, sequence):
    def step(carry, at):
        hidden, cell = carry
        new_hidden, new_cell, derivatives = lstm_step(at[0], recurrent, hidden, cell)
        new_hidden, new_cell = hold(at[1], new_hidden, hidden), hold(at[1], new_cell, cell)
        return (new_hidden, new_cell), (derivatives, hidden, new_hidden if sequence else None)

    last, (derivatives, hiddens, outputs) = lax.scan(step, (hidden, cell), (projected, mask), reverse=reverse)
    return (outputs, *last), (derivatives, hiddens, recurrent, mask)


def _lstm_backward(reverse, sequence, residuals, cotangents):
    derivatives, hiddens, recurrent, mask = residuals
    d_outputs, d_hidden, d_cell = cotangents
    transposed = recurrent.T

    def step(carry, at):
        d_hidden, d_cell = carry
        (to_gates, to_cell, forget), mask, d_output = at
        d_hidden = d_hidden if d_output is None else d_hidden + d_output
        (d_hidden, kept_hidden), (d_cell, kept_cell) = _route(mask, d_hidden), _route(mask, d_cell)
        d_cell = d_cell + d_hidden * to_cell
        d_projected = to_gates * jnp.concatenate([d_cell, d_cell, d_cell, d_hidden], axis=-1)
        return (d_projected @ transposed + kept_hidden, d_cell * forget + kept_cell), d_projected

    steps = (derivatives, mask, d_outputs)
    (d_hidden, d_cell), d_projected = lax.scan(step, (d_hidden, d_cell), steps, reverse=not reverse)
    d_mask = None if mask is None else jnp.zeros_like(mask)
    return d_projected, _kernel_gradient(hiddens, d_projected), d_hidden, d_cell, d_mask


lstm.defvjp(_lstm_forward, _lstm_backward)

# --- cells whose state is h alone -------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """Such a cell and its chain rule, as three pure functions.

    step: weights -> (projected inputs of a step, h before it) -> (h after it, what the chain rule needs of the step).
    back: weights -> (what the step kept, h before it, dh after it) -> (dh before it, the step's own cotangents).
    gradients: (what all steps kept, h before each, their own cotangents) -> (those of projected inputs, those of weights).
    """

    step: Callable[..., Callable[[Array, State], tuple[State, Array]]]
    back: Callable[..., Callable[[Array, State, State], tuple[State, Any]]]
    gradients: Callable[[Array, Float[Array, 'T N H'], Any], tuple[Array, tuple[Array, ...]]]


@partial(jax.custom_vjp, nondiff_argnums=(0, 5, 6))
def run(
    cell: Cell,
    projected: Float[Array, 'T N G'],
    weights: tuple[Array, ...],
    hidden: State,
    mask: Mask = None,
    reverse: bool = False,
    sequence: bool = True,
) -> tuple[Float[Array, 'T N H'] | None, State]:
    """Runs a cell over projected inputs; gives all hidden states (`None` unless `sequence`) and the last.

    weights: the recurrent kernel [H, G], and a bias [G] where the cell has one.
    """
    return _run_forward(cell, projected, weights, hidden, mask, reverse, sequence)[0]


def _run_forward(cell, projected, weights, hidden, mask, reverse, sequence):
    advance = cell.step(*weights)

    def step(hidden, at):
        new, kept = advance(at[0], hidden)
        new = hold(at[1], new, hidden)
        return new, (kept, hidden, new if sequence else None)

    last, (kept, hiddens, outputs) = lax.scan(step, hidden, (projected, mask), reverse=reverse)
    return (outputs, last), (kept, hiddens, weights, mask)


def _run_backward(cell, reverse, sequence, residuals, cotangents):
    kept, hiddens, weights, mask = residuals
    d_outputs, d_hidden = cotangents
    back = cell.back(*weights)

    def step(d_hidden, at):
        kept, hidden, mask, d_output = at
        d_hidden = d_hidden if d_output is None else d_hidden + d_output
        d_hidden, around = _route(mask, d_hidden)
        d_before, own = back(kept, hidden, d_hidden)
        return d_before + around, own

    d_hidden, own = lax.scan(step, d_hidden, (kept, hiddens, mask, d_outputs), reverse=not reverse)
    d_projected, d_weights = cell.gradients(kept, hiddens, own)
    d_mask = None if mask is None else jnp.zeros_like(mask)
    return d_projected, d_weights, d_hidden, d_mask


run.defvjp(_run_forward, _run_backward)


def gru_step(projected: Float[Array, 'N G'], recurrent: Float[Array, 'H G'], bias: Float[Array, 'G'], hidden: State):
    """One GRU step, reset after the product: `n = tanh(x_n + r (h U_n + b_n))`, `h = z h + (1 - z) n`.

    Gives the activated gates r, z, n and the recurrent part of the candidate as well.
    """
    inner_r, inner_z, inner_n = jnp.split(hidden @ recurrent + bias, 3, axis=-1)
    r, z, n = jnp.split(projected, 3, axis=-1)
    r, z = sigmoid(r + inner_r), sigmoid(z + inner_z)
    n = jnp.tanh(n + r * inner_n)
    return z * hidden + (1 - z) * n, jnp.concatenate([r, z, n, inner_n], axis=-1)


def _gru(recurrent, bias):
    return lambda projected, hidden: gru_step(projected, recurrent, bias, hidden)


def _gru_back(recurrent, bias):
    transposed = recurrent.T

    def back(gates, hidden, d_hidden):
        r, z, n, inner_n = jnp.split(gates, 4, axis=-1)
        d_n = d_hidden * (1 - z) * (1 - n**2)
        d_r, d_z = d_n * inner_n * r * (1 - r), d_hidden * (hidden - n) * z * (1 - z)
        d_inner = jnp.concatenate([d_r, d_z, d_n * r], axis=-1)
        return d_inner @ transposed + d_hidden * z, (d_inner, d_n)

    return back


def _gru_gradients(gates, hiddens, own):
    d_inner, d_n = own
    units = d_n.shape[-1]
    d_projected = jnp.concatenate([d_inner[..., : 2 * units], d_n], axis=-1)
    return d_projected, (_kernel_gradient(hiddens, d_inner), d_inner.sum((0, 1)))


def _gru_before(recurrent):
    gate_kernel, candidate_kernel = jnp.split(recurrent, [2 * recurrent.shape[0]], axis=-1)

    def step(projected, hidden):
        r, z, n = jnp.split(projected, 3, axis=-1)
        inner_r, inner_z = jnp.split(hidden @ gate_kernel, 2, axis=-1)
        r, z = sigmoid(r + inner_r), sigmoid(z + inner_z)
        n = jnp.tanh(n + (r * hidden) @ candidate_kernel)
        return z * hidden + (1 - z) * n, jnp.concatenate([r, z, n], axis=-1)

    return step


def _gru_before_back(recurrent):
    units = recurrent.shape[0]
    gates_back, candidate_back = recurrent[:, : 2 * units].T, recurrent[:, 2 * units :].T

    def back(gates, hidden, d_hidden):
        r, z, n = jnp.split(gates, 3, axis=-1)
        d_n = d_hidden * (1 - z) * (1 - n * n)
        d_kept_part = d_n @ candidate_back  # of r h
        d_r, d_z = d_kept_part * hidden * r * (1 - r), d_hidden * (hidden - n) * z * (1 - z)
        d_gates = jnp.concatenate([d_r, d_z], axis=-1)
        return d_gates @ gates_back + d_kept_part * r + d_hidden * z, jnp.concatenate([d_gates, d_n], axis=-1)

    return back


def _gru_before_gradients(gates, hiddens, d_projected):
    units = hiddens.shape[-1]
    to_gates = _kernel_gradient(hiddens, d_projected[..., : 2 * units])
    to_candidate = _kernel_gradient(gates[..., :units] * hiddens, d_projected[..., 2 * units :])
    return d_projected, (jnp.concatenate([to_gates, to_candidate], axis=-1),)


def _rnn(function, slope):
    """slope: the function's derivative from what it gave."""

    def step(recurrent):
        def advance(projected, hidden):
            active = function(projected + hidden @ recurrent)
            return active, active

        return advance

    def back(recurrent):
        transposed = recurrent.T

        def through(active, hidden, d_hidden):
            d_projected = d_hidden * slope(active)
            return d_projected @ transposed, d_projected

        return through

    return Cell(step, back, lambda _, hiddens, own: (own, (_kernel_gradient(hiddens, own),)))


GRU = Cell(_gru, _gru_back, _gru_gradients)  # reset after the product: Keras's default, PyTorch's only form
# As first published: the reset gate acts before the product, `n = tanh(x_n + (r h) U_n)`; no bias of its own.
GRU_RESET_BEFORE = Cell(_gru_before, _gru_before_back, _gru_before_gradients)
RNN = {  # the plain (Elman) network: `h_t = tanh(x_t W + h_(t-1) U + b)`, or ReLU in place of tanh
    'tanh': _rnn(jnp.tanh, lambda new: 1 - new * new),
    'relu': _rnn(jax.nn.relu, lambda new: (new > 0).astype(new.dtype)),
}
