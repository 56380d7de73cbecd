r"""The perceptron rule, sample by sample (spec A01, C05, C14, C22).

For a sample with its leading 1, $x = (1, x_1, x_2, \dots)$, and its target t:

$$z = w\cdot x,\qquad y = \mathrm{step}(z),\qquad e = t - y,\qquad w \leftarrow w + \eta\, e\, x$$

Two conventions decide the trace and are arguments: what the unit says at z = 0 (`fires_at_zero`: A01 and C14 say yes,
C05 says no) and how it says it (`coding`: `bipolar` -1 / +1 or `binary` 0 / 1).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxlab.worked import shapes
from jaxlab.worked.separability import separability
from jaxlab.worked.shapes import Numbers


class PerceptronTrace(NamedTuple):
    """Every quantity of a sample in the order in which a person computes it; leading axes: [epoch,] sample."""

    inputs: Float[Array, '... W']  # with the bias input 1 in front
    weights_before: Float[Array, '... W']
    target: Float[Array, '...']
    net: Float[Array, '...']
    output: Float[Array, '...']
    error: Float[Array, '...']  # target - output
    change: Float[Array, '... W']  # learning rate * error * inputs
    weights: Float[Array, '... W']  # after the sample


class PerceptronRun(NamedTuple):
    """A whole training: `trace` has axes [epoch, sample, ...], cut after the epoch in which it stopped."""

    weights: Float[np.ndarray, 'W']
    trace: PerceptronTrace
    errors: Float[np.ndarray, 'E']  # sum of |t - y| over the online predictions of an epoch
    mistakes: Int[np.ndarray, 'E']
    converged: bool

    @property
    def epochs(self) -> int:
        """Epochs run, the last one without a mistake included."""
        return len(self.errors)


def threshold(net: Array, fires_at_zero: bool = True, coding: str = 'bipolar', tie: float = 0.0) -> Array:
    """The unit's answer; nets within `tie` of zero count as zero (0.1 + 0.2 - 0.3 is not 0 in floating point)."""
    no, yes = shapes.coding_of(coding)
    net = jnp.where(jnp.abs(net) <= tie, 0.0, net)
    return jnp.where(net >= 0 if fires_at_zero else net > 0, yes, no).astype(net.dtype)


def perceptron_epoch(
    weights: Numbers,
    inputs: Numbers,
    targets: Numbers,
    learning_rate: float = 1.0,
    fires_at_zero: bool = True,
    coding: str = 'bipolar',
    tie: float = 0.0,
) -> tuple[Float[Array, 'W'], PerceptronTrace]:
    """One pass over the samples in their order. weights: bias first, unless there are as many as a sample has numbers.

    Pure: may be jitted, vmapped over starts and scanned over epochs.
    """
    weights, rows, targets = shapes.unit_and_samples(weights, inputs, targets)

    def one_sample(weights, sample):
        x, target = sample
        net = x @ weights
        output = threshold(net, fires_at_zero, coding, tie)
        error = target - output
        change = learning_rate * error * x
        updated = weights + change
        return updated, PerceptronTrace(x, weights, target, net, output, error, change, updated)

    return jax.lax.scan(one_sample, weights, (rows, targets))


@functools.partial(jax.jit, static_argnames=('epochs', 'fires_at_zero', 'coding'))
def _epochs(weights, inputs, targets, learning_rate, tie, *, epochs, fires_at_zero, coding):
    """Traces of a fixed number of epochs (after the first one without a mistake nothing changes any more)."""

    def one_epoch(weights, _):
        return perceptron_epoch(weights, inputs, targets, learning_rate, fires_at_zero, coding, tie)

    return jax.lax.scan(one_epoch, weights, length=epochs)


def train_perceptron(
    weights: Numbers,
    inputs: Numbers,
    targets: Numbers,
    learning_rate: float = 1.0,
    max_epochs: int = 20,
    fires_at_zero: bool = True,
    coding: str = 'bipolar',
    tie: float = 0.0,
) -> PerceptronRun:
    """Epochs until one has no mistake, at most `max_epochs`."""
    shapes.check_coding(targets, coding)
    weights, rows, targets = shapes.unit_and_samples(weights, inputs, targets)
    _, trace = _epochs(
        weights,
        rows,
        targets,
        learning_rate,
        tie,
        epochs=max_epochs,
        fires_at_zero=fires_at_zero,
        coding=coding,
    )
    trace = jax.tree.map(np.asarray, trace)
    errors, mistakes = np.abs(trace.error).sum(axis=1), np.count_nonzero(trace.error, axis=1)
    clean = np.flatnonzero(mistakes == 0)
    stop = int(clean[0]) + 1 if clean.size else max_epochs
    trace = jax.tree.map(lambda values: values[:stop], trace)
    return PerceptronRun(trace.weights[-1, -1], trace, errors[:stop], mistakes[:stop], bool(clean.size))


@functools.partial(jax.jit, static_argnames=('max_epochs', 'fires_at_zero', 'coding'))
def epochs_from_starts(
    starts: Float[Array, 'S W'],
    inputs: Float[Array, 'N D'],
    targets: Float[Array, 'N'],
    learning_rate: float = 1.0,
    *,
    max_epochs: int = 1000,
    fires_at_zero: bool = True,
    coding: str = 'bipolar',
    tie: float = 0.0,
) -> tuple[Int[Array, 'S'], Bool[Array, 'S']]:
    """Many starts at once: epochs until the first one without a mistake, and whether it came within `max_epochs`."""

    def one_start(start):
        def go_on(state):
            return ~state[2] & (state[1] < max_epochs)

        def one_epoch(state):
            weights, trace = perceptron_epoch(state[0], inputs, targets, learning_rate, fires_at_zero, coding, tie)
            return weights, state[1] + 1, jnp.all(trace.error == 0)

        return jax.lax.while_loop(go_on, one_epoch, (start, 0, False))[1:]

    return jax.vmap(one_start)(starts)


def _count(number: int, what: str) -> str:
    return f'{number} {what}' if number == 1 else f'{number} {what}s'


def cycle(run: PerceptronRun) -> tuple[int, int] | None:
    """The first two epochs (from 1) that end in the same weights without having converged: from there it repeats."""
    seen: dict[bytes, int] = {}
    for epoch, weights in enumerate(run.trace.weights[:, -1], start=1):
        key = np.round(np.asarray(weights, np.float64), 9).tobytes()
        if key in seen and not run.converged:
            return seen[key], epoch
        seen[key] = epoch
    return None


def verdict(run: PerceptronRun, inputs: Numbers, targets: Numbers) -> str:
    """What came of it, in a sentence; "not separable" is decided by the linear programme, not by giving up."""
    if run.converged:
        updates = int(run.mistakes.sum())
        return f'converged in {_count(run.epochs, "epoch")} ({_count(updates, "update")})'
    if separability(inputs, targets).separable:
        return f'not converged in {_count(run.epochs, "epoch")}, though the targets are linearly separable: allow more epochs'
    return f'not converged in {_count(run.epochs, "epoch")}: the targets are not linearly separable'
