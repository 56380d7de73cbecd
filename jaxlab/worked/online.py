r"""Online backpropagation of small networks over many epochs and many starts at once (spec A02).

The maths is that of `jaxlab/worked/network.py`; here only what a curve or a histogram needs is kept. An epoch's
*error* is the share of samples whose prediction, taken before its own update, does not round to its target (half to
even, so 0.5 counts as 0); training stops after the first epoch without one.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxlab.worked import network, shapes
from jaxlab.worked.shapes import Numbers


class OnlineRun(NamedTuple):
    """Curves of one training, cut after its last epoch."""

    weights: network.Weights
    errors: Float[np.ndarray, 'E']  # share of wrong online predictions
    mse: Float[np.ndarray, 'E']  # mean of (a - t)^2 over the online predictions
    predictions: Float[np.ndarray, 'E N']  # online, of the first output unit
    converged: bool

    @property
    def epochs(self) -> int:
        """Number of epochs that were run."""
        return len(self.errors)


class Starts(NamedTuple):
    """What became of many starts that were trained at once."""

    epochs: Int[Array, 'S']
    converged: Bool[Array, 'S']
    mse: Float[Array, 'S']  # online, in the last epoch that was run
    weights: network.Weights  # leading axis: starts


def _legacy_draws(seed: int, sizes: Sequence[int]) -> list[np.ndarray]:
    """Standard normal draws of NumPy's legacy generator: for each layer W [in, out] row by row, then its biases.

    Returned in the convention of the pages: [out, 1 + in], bias first.
    """
    draw = np.random.RandomState(seed)
    weights = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
        kernel, bias = draw.randn(fan_in, fan_out), draw.randn(fan_out)
        weights.append(np.concatenate([bias[:, None], kernel.T], axis=1))
    return weights


def legacy_start(seed: int, sizes: Sequence[int]) -> network.Weights:
    """The start of that seed; sizes: inputs, hidden units ..., outputs."""
    return tuple(jnp.asarray(matrix) for matrix in _legacy_draws(seed, sizes))


def legacy_starts(seeds: Sequence[int], sizes: Sequence[int]) -> network.Weights:
    """One start a seed, stacked on a leading axis."""
    return tuple(jnp.asarray(np.stack(layer)) for layer in zip(*(_legacy_draws(seed, sizes) for seed in seeds)))


def right(output: Array, target: Array, coding: str = 'binary') -> Bool[Array, '...']:
    """Whether a prediction [K, ...] falls on its target's side in every output unit."""
    if coding == 'binary':
        return jnp.all(jnp.round(output) == target, axis=0)
    no, yes = shapes.coding_of(coding)
    return jnp.all(jnp.where(output >= 0.5 * (no + yes), yes, no) == target, axis=0)


def _epoch(weights, columns, target, activations, learning_rate):
    """One online epoch that keeps the predictions only. [K, N]"""

    def one_sample(weights, sample):
        x, t = sample
        layers = network.forward(x[:, None], weights, activations)
        steps = network.backward(layers, t[:, None], activations)
        return tuple(w - learning_rate * step.gradient for w, step in zip(weights, steps)), layers[-1].output[:, 0]

    weights, outputs = jax.lax.scan(one_sample, weights, (columns.T, target.T))
    return weights, outputs.T


@functools.partial(jax.jit, static_argnames=('activations', 'max_epochs', 'stop', 'coding'))
def _run(weights, columns, target, learning_rate, activations, max_epochs, stop, coding):
    samples = target.shape[1]

    def go_on(state):
        return (state[1] < max_epochs) & ~(stop & state[2])

    def one_epoch(state):
        weights, epoch, _, errors, mse, predictions = state
        weights, outputs = _epoch(weights, columns, target, activations, learning_rate)
        wrong = ~right(outputs, target, coding)
        return (
            weights,
            epoch + 1,
            ~wrong.any(),
            errors.at[epoch].set(wrong.mean(dtype=errors.dtype)),
            mse.at[epoch].set(jnp.mean((outputs - target) ** 2)),
            predictions.at[epoch].set(outputs[0]),
        )

    dtype = weights[0].dtype
    empty = jnp.zeros(max_epochs, dtype)
    return jax.lax.while_loop(
        go_on, one_epoch, (weights, 0, False, empty, empty, jnp.zeros((max_epochs, samples), dtype))
    )


def train_online(
    weights: Sequence[Numbers],
    inputs: Numbers,
    targets: Numbers,
    activations: network.Names,
    learning_rate: float = 0.1,
    max_epochs: int = 10_000,
    stop: bool = True,
    coding: str = 'binary',
) -> OnlineRun:
    """Trains one network, sample by sample, until an epoch has no wrong prediction (`stop`) or `max_epochs`."""
    columns, target, start = network.samples_and_weights(inputs, targets, network.as_weights(weights))
    entries = network.resolve(activations, len(start))
    final, epochs, clean, errors, mse, predictions = _run(
        start, columns, target, learning_rate, entries, max_epochs, stop, coding
    )
    epochs = int(epochs)
    return OnlineRun(
        final, np.asarray(errors[:epochs]), np.asarray(mse[:epochs]), np.asarray(predictions[:epochs]), bool(clean)
    )


# It runs far longer than it takes to compile, also where XLA_FLAGS ask for quicker compilation than usual.
@functools.partial(
    jax.jit,
    static_argnames=('activations', 'max_epochs', 'coding'),
    compiler_options={'xla_backend_optimization_level': 3},
)
def _run_starts(starts, columns, target, learning_rate, activations, max_epochs, coding):
    def go_on(state):
        return (state[1] < max_epochs) & ~state[2]

    def one_epoch(state):
        weights, outputs = _epoch(state[0], columns, target, activations, learning_rate)
        return (weights, state[1] + 1, right(outputs, target, coding).all(), jnp.mean((outputs - target) ** 2))

    def one_start(*weights):
        start = (weights, jnp.int32(0), jnp.bool_(False), jnp.zeros((), weights[0].dtype))
        final, epochs, clean, mse = jax.lax.while_loop(go_on, one_epoch, start)
        return Starts(epochs, clean, mse, final)

    return jax.vmap(one_start)(*starts)


def train_starts(
    starts: Sequence[Numbers],
    inputs: Numbers,
    targets: Numbers,
    activations: network.Names,
    learning_rate: float = 0.1,
    max_epochs: int = 10_000,
    coding: str = 'binary',
) -> Starts:
    """Trains all starts (leading axis) at once; each stops on its own, the program when all have or at `max_epochs`."""
    stacked = tuple(shapes.as_floats(w, f'starts of layer {index}', 3) for index, w in enumerate(starts))
    columns, target, stacked = network.samples_and_weights(inputs, targets, stacked)
    entries = network.resolve(activations, len(stacked))
    network.forward(columns, [w[0] for w in stacked], entries)  # the shape errors of a single network
    return _run_starts(stacked, columns, target, learning_rate, entries, max_epochs, coding)
