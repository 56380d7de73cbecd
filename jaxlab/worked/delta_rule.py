r"""The delta rule, sample by sample (Widrow-Hoff, LMS, ADALINE; spec A03, C03, C31).

For a sample x (bias entry included) and its target d:

$$z = w\cdot x,\qquad y = f(z),\qquad e = d - y,\qquad E = \tfrac12 e^2,\qquad
w \leftarrow w + \eta\, e\, f'(z)\, x$$

with $f(z) = z$, or the sigmoid. An output near 0 or 1 is read as a class by cutting **at 0.5**; the published line cut
at 0 (A03), which runs through the samples of class 0.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.errors import UserError
from jaxlab.layers.activations import Activation, activation
from jaxlab.worked import shapes
from jaxlab.worked.shapes import Numbers


class DeltaTrace(NamedTuple):
    """Every quantity of a sample in the order in which a person computes it; leading axes: [epoch,] sample."""

    inputs: Float[Array, '... W']
    weights_before: Float[Array, '... W']
    target: Float[Array, '...']
    net: Float[Array, '...']
    output: Float[Array, '...']
    error: Float[Array, '...']  # d - y
    half_square: Float[Array, '...']  # E
    slope: Float[Array, '...']  # f'(z)
    delta: Float[Array, '...']  # e f'(z)
    gradient: Float[Array, '... W']  # dE/dw = -delta x
    weights: Float[Array, '... W']  # after the sample


class DeltaRun(NamedTuple):
    """A whole training; `trace` has axes [epoch, sample, ...]."""

    weights: Float[np.ndarray, 'W']
    trace: DeltaTrace
    online_mse: Float[np.ndarray, 'E']  # mean squared error of the predictions taken before each update
    mse: Float[np.ndarray, 'E']  # of the weights at the end of the epoch

    @property
    def path(self) -> Float[np.ndarray, 'U W']:
        """The weights before the first update and after each."""
        width = self.weights.shape[0]
        return np.concatenate([self.trace.weights_before[0, :1], self.trace.weights.reshape(-1, width)])


def delta_epoch(
    weights: Numbers,
    inputs: Numbers,
    targets: Numbers,
    learning_rate: float = 0.1,
    function: str | Activation = 'linear',
) -> tuple[Float[Array, 'W'], DeltaTrace]:
    """One pass over the samples in their order, one update each. Pure: may be jitted, vmapped, scanned."""
    weights, rows, targets = shapes.unit_and_samples(weights, inputs, targets)
    entry = activation(function)

    def one_sample(weights, sample):
        x, target = sample
        net = x @ weights
        output = entry.function(net)
        error = target - output
        slope = entry.derivative(net)
        delta = error * slope
        updated = weights + learning_rate * delta * x
        return updated, DeltaTrace(
            x, weights, target, net, output, error, 0.5 * error**2, slope, delta, -delta * x, updated
        )

    return jax.lax.scan(one_sample, weights, (rows, targets))


@functools.partial(jax.jit, static_argnames=('epochs', 'entry'))
def _epochs(weights, inputs, targets, learning_rate, *, epochs, entry):
    def one_epoch(weights, _):
        return delta_epoch(weights, inputs, targets, learning_rate, entry)

    return jax.lax.scan(one_epoch, weights, length=epochs)


def train_delta(
    weights: Numbers,
    inputs: Numbers,
    targets: Numbers,
    learning_rate: float = 0.1,
    epochs: int = 20,
    function: str | Activation = 'linear',
) -> DeltaRun:
    """A fixed number of epochs, everything kept."""
    weights, rows, targets = shapes.unit_and_samples(weights, inputs, targets)
    _, trace = _epochs(weights, rows, targets, learning_rate, epochs=epochs, entry=activation(function))
    trace = jax.tree.map(np.asarray, trace)
    outputs = np.asarray(_outputs(trace.weights[:, -1], rows, entry=activation(function)))
    with np.errstate(over='ignore', invalid='ignore'):  # a rate beyond the limit runs away: that is a result, not a bug
        mse = np.mean((np.asarray(targets) - outputs) ** 2, axis=1)
        online = np.mean(trace.error**2, axis=1)
    return DeltaRun(trace.weights[-1, -1], trace, online, mse)


@functools.partial(jax.jit, static_argnames='entry')
def _outputs(weights, rows, *, entry):
    """[E, N]: what `predict` says with each of these weights [E, W]."""
    return jax.lax.map(lambda each: predict(each, rows, entry), weights)


def predict(weights: Numbers, inputs: Numbers, function: str | Activation = 'linear') -> Float[Array, 'N']:
    """Outputs of one set of weights."""
    weights = shapes.as_floats(weights, 'weights', 1)
    rows = shapes.pad_rows(shapes.as_floats(inputs, 'inputs', 2), weights.shape[0])
    return activation(function).function(rows @ weights)


def batch_epochs(
    weights: Numbers,
    inputs: Numbers,
    targets: Numbers,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    function: str | Activation = 'linear',
    average: bool = True,
) -> tuple[Float[Array, 'E W'], Float[Array, 'E']]:
    """Batches in the order of the samples (1: online; all: full batch): weights and MSE after each epoch.

    `average` divides a batch's summed gradient by its size. The last batch may be short.
    """
    start, rows, target = shapes.unit_and_samples(weights, inputs, targets)
    count = rows.shape[0]
    if not 1 <= batch_size <= count:
        raise UserError(f'batch_size {batch_size} does not fit {count} samples: 1 to {count}')
    entry, batches = activation(function), [slice(first, first + batch_size) for first in range(0, count, batch_size)]

    def one_epoch(weights, _):
        for batch in batches:
            net = rows[batch] @ weights
            delta = (target[batch] - entry.function(net)) * entry.derivative(net)
            step = rows[batch].T @ delta
            weights = weights + learning_rate * (step / delta.shape[0] if average else step)
        return weights, (weights, jnp.mean((target - entry.function(rows @ weights)) ** 2))

    return jax.jit(lambda w: jax.lax.scan(one_epoch, w, length=epochs)[1])(start)


# ---- what can be said beforehand (linear unit; on the host in float64) --------------------------------------------


def _rows(inputs: Numbers, bias: bool) -> Float[np.ndarray, 'N W']:
    rows = np.asarray(inputs, np.float64)
    return np.concatenate([np.ones((len(rows), 1)), rows], axis=1) if bias else rows


def least_squares(inputs: Numbers, targets: Numbers, bias: bool = True) -> tuple[Float[np.ndarray, 'W'], float]:
    """The weights of least squared error and that error's mean; `bias` puts a leading 1 in front of each sample."""
    rows, target = _rows(inputs, bias), np.asarray(targets, np.float64)
    shapes.same_count(len(rows), len(target))
    weights = np.linalg.lstsq(rows, target, rcond=None)[0]
    return weights, float(np.mean((rows @ weights - target) ** 2))


def epoch_map(inputs: Numbers, learning_rate: float, bias: bool = True) -> Float[np.ndarray, 'W W']:
    r"""One online epoch multiplies the weight error by $\prod_n (I - \eta\, x_n x_n^T)$ (linear unit)."""
    rows = _rows(inputs, bias)
    product = np.eye(rows.shape[1])
    for x in rows:
        product = (np.eye(len(x)) - learning_rate * np.outer(x, x)) @ product
    return product


def spectral_radius(inputs: Numbers, learning_rate: float, bias: bool = True) -> float:
    """Largest |eigenvalue| of the epoch map: below 1 the online rule converges, above it runs away."""
    return float(np.max(np.abs(np.linalg.eigvals(epoch_map(inputs, learning_rate, bias)))))


def correlation_eigenvalues(inputs: Numbers, bias: bool = True) -> Float[np.ndarray, 'W']:
    r"""Eigenvalues of $X^T X / N$; full-batch descent on the mean is stable for $\eta < 2/\lambda_{max}$."""
    rows = _rows(inputs, bias)
    return np.linalg.eigvalsh(rows.T @ rows / len(rows))


def sample_limits(inputs: Numbers, bias: bool = True) -> Float[np.ndarray, 'N']:
    r"""$2/\lVert x_n\rVert^2$: a step on one sample beyond this makes that sample's own error larger."""
    return 2.0 / np.sum(_rows(inputs, bias) ** 2, axis=1)


def error_surface(
    inputs: Numbers,
    targets: Numbers,
    first: Numbers,
    second: Numbers,
    weights: Numbers,
    axes: tuple[int, int] = (0, 1),
    function: str | Activation = 'linear',
) -> Float[np.ndarray, 'B A']:
    """Mean squared error over a grid of two weights (`first` x `second`), the others held at `weights`."""
    base = np.asarray(weights, np.float64)
    rows, target = _rows(inputs, len(base) == np.shape(inputs)[1] + 1), np.asarray(targets, np.float64)
    grid = np.broadcast_to(base, (len(second), len(first), len(base))).copy()  # type: ignore[arg-type]
    grid[..., axes[0]], grid[..., axes[1]] = np.meshgrid(first, second)
    output = np.asarray(activation(function).function(jnp.asarray(grid @ rows.T)))
    return np.mean((output - target) ** 2, axis=-1)
