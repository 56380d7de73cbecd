r"""Forward and backward passes of small networks, every matrix kept (spec C02, C07, C08, C10 to C13, C15 to C17, A02).

The conventions are those of the worked pages. Samples are **columns**: $A^{[0]}$ is [features, samples]. A bias is a
row of ones put **on top** of a layer's input, so column 0 of a weight matrix is the bias:

$$Z^{[l]} = W^{[l-1]} A^{[l-1]},\qquad A^{[l]} = f_l(Z^{[l]})$$

and backwards, with $E = \tfrac12\sum(a - t)^2$ and every weight as it was before the update,

$$\delta_L = (a - t)\odot f_L'(Z^{[L]}),\qquad \delta_l = (W^{[l]}_{\text{no bias}})^T \delta_{l+1}\odot f_l'(Z^{[l]}),
\qquad \Delta W^{[l-1]} = \delta_l A^{[l-1]T}$$

`bias='auto'` is the pages' rule: as many weight columns as input rows, no bias; one more, a row of ones on top.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError, lookup
from jaxlab.layers.activations import Activation, activation
from jaxlab.worked import shapes
from jaxlab.worked.shapes import Numbers

Weights = tuple[Float[Array, 'out in'], ...]
Names = Sequence[str | Activation]


class LayerForward(NamedTuple):
    """Net input and output of one layer."""

    inputs: Float[Array, 'in N']  # with the row of ones on top, if the layer has a bias
    weights: Float[Array, 'out in']
    net: Float[Array, 'out N']
    output: Float[Array, 'out N']


class LayerBackward(NamedTuple):
    """One layer backwards, in the order of computation."""

    upstream: Float[Array, 'out N']  # dE/dA of this layer: a - t at the output, W^T delta of the layer above elsewhere
    slope: Float[Array, 'out N']  # f'(Z); for softmax the product with its Jacobian is taken and this is NaN
    delta: Float[Array, 'out N']  # dE/dZ
    gradient: Float[Array, 'out in']  # dE/dW, summed over the samples, bias column first
    weights_no_bias: Float[Array, 'out in']


class BackpropTrace(NamedTuple):
    """One update; what `backprop_epoch` gives has a leading axis of samples in every array. Layers in forward order."""

    forward: tuple[LayerForward, ...]
    target: Float[Array, 'K N']
    error: Float[Array, '']  # E of the samples of this update, before it
    backward: tuple[LayerBackward, ...]
    weights: Weights  # after the update


def as_weights(weights: Sequence[Numbers]) -> Weights:
    """Checked matrices."""
    if not len(weights):
        raise UserError('a network needs at least one weight matrix')
    return tuple(shapes.as_floats(matrix, f'weight matrix {index}', 2) for index, matrix in enumerate(weights))


def resolve(activations: Names, layers: int) -> tuple[Activation, ...]:
    """One activation a layer, looked up."""
    if len(activations) != layers:
        raise UserError(f'{layers} weight matrices but {len(activations)} activations: give one activation a layer')
    return tuple(activation(name) for name in activations)


def pad_columns(
    inputs: Float[Array, 'D N'], columns: int, bias: str | bool = 'auto', layer: int = 0
) -> Float[Array, 'in N']:
    """Puts the row of ones on top where the layer has a bias."""
    features = inputs.shape[0]
    wanted = columns == features + 1 if bias == 'auto' else bool(bias)
    if columns != features + wanted:
        raise UserError(
            f'weight matrix {layer} has {columns} columns but its input has {features} rows: '
            f'it needs {features} columns (no bias) or {features + 1} (bias first)'
        )
    return jnp.concatenate([jnp.ones_like(inputs[:1]), inputs]) if wanted else inputs


def apply_activation(entry: Activation, net: Float[Array, 'out N']) -> Float[Array, 'out N']:
    """The activation of a layer; softmax works down a column."""
    return entry.function(net) if entry.elementwise else entry.function(net.T).T


def forward(
    inputs: Numbers, weights: Sequence[Numbers], activations: Names, bias: str | bool | Sequence[str | bool] = 'auto'
) -> tuple[LayerForward, ...]:
    """The forward pass of all columns at once, layer by layer."""
    weights = as_weights(weights)
    entries = resolve(activations, len(weights))
    each = [bias] * len(weights) if isinstance(bias, str | bool) else list(bias)
    if len(each) != len(weights):
        raise UserError(f'{len(weights)} weight matrices but {len(each)} bias flags')
    output, layers = shapes.as_floats(inputs, 'inputs', 2), []
    for index, (matrix, entry, with_bias) in enumerate(zip(weights, entries, each)):
        padded = pad_columns(output, matrix.shape[1], with_bias, index)
        net = jnp.matmul(matrix, padded, precision='highest')
        output = apply_activation(entry, net)
        layers.append(LayerForward(padded, matrix, net, output))
    return tuple(layers)


def _half_squared(output, target):
    return 0.5 * jnp.sum((output - target) ** 2)


def _cross_entropy(output, target):
    """Binary terms for one output row, the multi-class sum for several (softmax)."""
    if output.shape[0] > 1:
        return -jnp.sum(jax.scipy.special.xlogy(target, output))
    return -jnp.sum(jax.scipy.special.xlogy(target, output) + jax.scipy.special.xlogy(1 - target, 1 - output))


LOSSES = {'half_squared': _half_squared, 'cross_entropy': _cross_entropy}
_CANONICAL = ('sigmoid', 'softmax')  # with cross-entropy these give delta = a - t, without the factor that vanishes


def loss_value(output: Array, target: Array, loss: str = 'half_squared') -> Float[Array, '']:
    """E summed over samples."""
    return lookup(LOSSES, loss, 'loss')(output, target)


def _slope_and_delta(entry: Activation, net: Array, output: Array, upstream: Array) -> tuple[Array, Array]:
    if entry.elementwise:
        slope = entry.derivative(net)
        return slope, upstream * slope
    along = jnp.sum(upstream * output, axis=0, keepdims=True)  # the Jacobian diag(p) - p p^T times the upstream
    return jnp.full_like(net, jnp.nan), output * (upstream - along)


def backward(
    layers: Sequence[LayerForward], targets: Numbers, activations: Names, loss: str = 'half_squared'
) -> tuple[LayerBackward, ...]:
    """The backward pass over all columns of a forward pass; gradients are summed over the samples."""
    entries = resolve(activations, len(layers))
    target = shapes.as_floats(targets, 'targets', 2)
    if target.shape != layers[-1].output.shape:
        shapes.same_count(layers[-1].output.shape[1], target.shape[1])
        raise UserError(f'{target.shape[0]} target rows but {layers[-1].output.shape[0]} output units')
    lookup(LOSSES, loss, 'loss')
    if loss == 'cross_entropy' and entries[-1].name not in _CANONICAL:
        raise UserError(f'cross_entropy needs a sigmoid or softmax output, not {entries[-1].name!r}')
    upstream, steps = layers[-1].output - target, []
    for index in reversed(range(len(layers))):
        layer, last = layers[index], index == len(layers) - 1
        slope, delta = _slope_and_delta(entries[index], layer.net, layer.output, upstream)
        delta = upstream if last and loss == 'cross_entropy' else delta
        gradient = jnp.matmul(delta, layer.inputs.T, precision='highest')
        below = layers[index - 1].output.shape[0] if index else layer.inputs.shape[0]
        no_bias = layer.weights[:, layer.inputs.shape[0] - below :] if index else layer.weights
        steps.append(LayerBackward(upstream, slope, delta, gradient, no_bias))
        upstream = jnp.matmul(no_bias.T, delta, precision='highest')
    return tuple(reversed(steps))


def targets_as_columns(targets: Numbers) -> Float[Array, 'K N']:
    """Targets [N] of one output unit, or [K, N]."""
    array = jnp.asarray(targets)
    return shapes.as_floats(array[None] if array.ndim == 1 else array, 'targets', 2)


def samples_and_weights(inputs: Numbers, targets: Numbers, weights: Weights) -> tuple[Array, Array, Weights]:
    """Checked columns [D, N], their targets [K, N] and the weights, all in one precision."""
    columns, target = shapes.as_floats(inputs, 'inputs', 2), targets_as_columns(targets)
    shapes.same_count(columns.shape[1], target.shape[1])
    columns, target, *matrices = shapes.one_precision(columns, target, *weights)
    return columns, target, tuple(matrices)


def backprop_epoch(
    weights: Sequence[Numbers],
    inputs: Numbers,
    targets: Numbers,
    activations: Names,
    learning_rate: float = 1.0,
    bias: str | bool | Sequence[str | bool] = 'auto',
    loss: str = 'half_squared',
) -> tuple[Weights, BackpropTrace]:
    """Online backpropagation: one update a sample, in the order of the columns; a scan that keeps everything.

    Pure: may be jitted (activations, bias and loss are static), vmapped over starts, scanned over epochs.
    """
    columns, target, start = samples_and_weights(inputs, targets, as_weights(weights))
    entries = resolve(activations, len(start))
    return _epoch(
        start, columns, target, learning_rate, entries, bias if isinstance(bias, str | bool) else tuple(bias), loss
    )


@functools.partial(jax.jit, static_argnames=('entries', 'bias', 'loss'))
def _epoch(start, columns, target, learning_rate, entries, bias, loss):
    def one_sample(weights, sample):
        x, t = (values[:, None] for values in sample)
        layers = forward(x, weights, entries, bias)
        steps = backward(layers, t, entries, loss)
        error = loss_value(layers[-1].output, t, loss)
        updated = tuple(layer.weights - learning_rate * step.gradient for layer, step in zip(layers, steps))
        return updated, BackpropTrace(layers, t, error, steps, updated)

    return jax.lax.scan(one_sample, start, (columns.T, target.T))


def total_error(
    weights: Sequence[Numbers],
    inputs: Numbers,
    targets: Numbers,
    activations: Names,
    bias: str | bool | Sequence[str | bool] = 'auto',
    loss: str = 'half_squared',
) -> Float[Array, '']:
    """E of one set of weights over all samples: what `jax.grad` differentiates beside the hand gradients."""
    return loss_value(forward(inputs, weights, activations, bias)[-1].output, targets_as_columns(targets), loss)
