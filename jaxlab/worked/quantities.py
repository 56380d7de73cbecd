"""The quantities of a pass by the names of the worked pages: Z1, A1, E, delta2, dW1, W1 ...

`A0` is the first layer's input with its bias row; `A1 padded` is a hidden output with the bias row of the layer above;
`W0` .. are the weights after an update (`W0 before` the ones that it started from).
"""

from collections.abc import Sequence

import jax
import numpy as np

from jaxlab.errors import lookup
from jaxlab.worked.network import BackpropTrace, LayerForward


def forward_quantities(layers: Sequence[LayerForward]) -> dict[str, np.ndarray]:
    """Every matrix of a forward pass in the order of computation."""
    found = {'A0': np.asarray(layers[0].inputs)}
    for index, layer in enumerate(layers, start=1):
        found[f'Z{index}'] = np.asarray(layer.net)
        found[f'A{index}'] = np.asarray(layer.output)
        if index < len(layers) and layers[index].inputs.shape != layer.output.shape:
            found[f'A{index} padded'] = np.asarray(layers[index].inputs)
    return found


def update_quantities(trace: BackpropTrace) -> dict[str, np.ndarray]:
    """Every matrix of one update: forwards, the error, backwards from the output, the new weights."""
    found = forward_quantities(trace.forward)
    found['t'], found['E'] = np.asarray(trace.target), np.asarray(trace.error)
    last = len(trace.forward)
    for index in range(last, 0, -1):
        step = trace.backward[index - 1]
        if index < last:
            found[f'W{index} no bias'] = np.asarray(trace.backward[index].weights_no_bias)
            found[f'upstream{index}'] = np.asarray(step.upstream)
        else:
            found['a - t'] = np.asarray(step.upstream)
        found[f'slope{index}'] = np.asarray(step.slope)
        found[f'delta{index}'] = np.asarray(step.delta)
        found[f'dW{index - 1}'] = np.asarray(step.gradient)
    for index in range(last - 1, -1, -1):
        found[f'W{index} before'] = np.asarray(trace.forward[index].weights)
        found[f'W{index}'] = np.asarray(trace.weights[index])
    return found


def iteration[Trace](trace: Trace, index: int | tuple[int, int]) -> Trace:
    """One sample of an epoch's trace, or, by (epoch, sample), of a whole training's."""
    return jax.tree.map(lambda values: np.asarray(values)[index], trace)


def epoch_quantities(trace: BackpropTrace) -> dict[str, np.ndarray]:
    """Every matrix of every update of an epoch: `2: dW0` is that of the second."""
    return {
        f'{n + 1}: {name}': value
        for n in range(len(trace.error))
        for name, value in update_quantities(iteration(trace, n)).items()
    }


def quantity(found: dict[str, np.ndarray], name: str) -> np.ndarray:
    """One of them, by name."""
    return lookup(found, name, 'quantity')
