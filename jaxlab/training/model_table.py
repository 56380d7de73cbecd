"""The model table: every layer with its output shape, parameters and multiply-adds, found without computing anything."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from jaxlab.layers import Conv, ConvTranspose, Dense
from jaxlab.layers.attention import MultiHeadAttention
from jaxlab.layers.recurrent import GRU, LSTM, SimpleRNN
from jaxlab.models.beginning import first_variables
from jaxlab.protocol import Task

FORWARD, BACKWARD = (Conv, Dense, nn.Conv, nn.Dense), (ConvTranspose, nn.ConvTranspose)
RECURRENT = (LSTM, GRU, SimpleRNN)


def networks(task: Task) -> dict[str, list[dict[str, Any]]]:
    """Network name -> rows {path, type, output_shape, parameters, statistics, multiply_adds}."""
    return {name: rows(module, example) for name, (module, example) in task.networks().items()}


def rows(module: nn.Module, example: Any) -> list[dict[str, Any]]:
    """One row a layer, in the order in which they are called; parameters include running statistics, as in Keras.

    multiply_adds: of one example through convolutions, dense layers, recurrent cells and attention's products; everything
    else is left out, as is usual.
    """
    outputs: dict[tuple[str, ...], tuple[str, Any]] = {}
    places: dict[tuple[str, ...], int] = {}  # how often a kernel is applied
    extra: dict[tuple[str, ...], int] = {}  # multiply-adds between activations, which no kernel shows

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        result = call(*args, **kwargs)
        if context.method_name == '__call__':
            leaves = jax.tree.leaves(result)
            shape: tuple[int, ...] = leaves[0].shape if leaves else ()
            if getattr(context.module, 'layout', 'NHWC') == 'CHWN':  # how a layer computes is not what it gives
                shape = (shape[-1], *shape[1:-1], shape[0])
            outputs.setdefault(context.module.path, (type(context.module).__name__, shape))
            applied = _applied(context.module, args, shape)
            places[context.module.path] = places.get(context.module.path, 0) + applied
            between = _between(context.module, args, kwargs)
            extra[context.module.path] = extra.get(context.module.path, 0) + between
        return result

    with nn.intercept_methods(note):
        variables = _shapes(module, example)
    table: list[dict[str, Any]] = []
    for path, (kind, shape) in outputs.items():
        own = own_leaves(variables, path)
        holds_layers = any(len(other) > len(path) and other[: len(path)] == path for other in outputs)
        if path and (own or not holds_layers or extra.get(path)):
            row: dict[str, Any] = {'path': '/'.join(path), 'type': kind, 'output_shape': list(shape)}
            statistics = sum(size for collection, size in own if collection != 'params')
            work = places[path] * (_kernel_size(variables['params'], path) if places[path] else 0) + extra.get(path, 0)
            row |= {'parameters': sum(size for _, size in own), 'statistics': statistics, 'multiply_adds': work}
            table.append(row)
    missing = total(variables) - sum(row['parameters'] for row in table)
    if missing or not table:  # parameters of the top module itself
        whole = list(outputs[()][1]) if () in outputs else []
        row = {'path': type(module).__name__, 'type': type(module).__name__, 'output_shape': whole}
        statistics = total({name: tree for name, tree in variables.items() if name != 'params'})
        statistics -= sum(row['statistics'] for row in table)
        table.append({**row, 'parameters': missing, 'statistics': statistics, 'multiply_adds': 0})
    return table


def _shapes(module: nn.Module, example: Any) -> Any:
    """Shapes of a module's variables, found without computing anything. example: one input, or a tuple of several."""

    def initialise(*inputs: Any) -> Any:
        keys = {'params': jax.random.key(0), 'dropout': jax.random.key(1)}
        return first_variables(module, keys, *inputs)

    return jax.eval_shape(initialise, *(example if isinstance(example, tuple) else (example,)))


def convolution_work(networks: Mapping[str, Any]) -> int:
    """Multiply-adds of one example through all channels-last convolutions (those that oneDNN could do).

    networks: as `Task.networks` gives them.
    """
    found = 0

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        nonlocal found
        result, layer = call(*args, **kwargs), context.module
        channels_last = isinstance(layer, Conv | ConvTranspose) and getattr(layer, 'layout', 'NHWC') == 'NHWC'
        if channels_last and context.method_name == '__call__':
            found += _applied(layer, args, result.shape) * _kernel_size(layer.variables['params'], ())
        return result

    with nn.intercept_methods(note):
        for module, example in networks.values():
            _shapes(module, example)
    return found


def _applied(module: Any, args: tuple, output: tuple[int, ...]) -> int:
    """Places at which a layer's kernel is applied to one example: where it gives something, or, transposed, takes it."""
    if isinstance(module, BACKWARD) and args:
        return int(np.prod(args[0].shape[:-1]))
    if isinstance(module, RECURRENT) and args:
        return int(args[0].shape[1])  # steps
    return int(np.prod(output[:-1])) if isinstance(module, FORWARD) else 0


def _between(module: Any, args: tuple, kwargs: Mapping[str, Any]) -> int:
    """Multiply-adds of one example between activations: attention's two products, [T, K] [K, S] and [T, S] [S, V]."""
    if not isinstance(module, MultiHeadAttention) or not args:
        return 0
    queries = args[0].shape
    memory = args[1] if len(args) > 1 else kwargs.get('memory')
    keys = queries[1] if memory is None else memory.shape[1]
    return 2 * queries[1] * keys * module.features


def _kernel_size(params: Any, path: tuple[str, ...]) -> int:
    """Numbers in a layer's kernels: one, or a recurrent cell's two."""
    for part in path:
        params = params[part]
    return sum(int(np.prod(params[name].shape)) for name in ('kernel', 'recurrent_kernel') if name in params)


def own_leaves(variables: Mapping[str, Any], path: tuple[str, ...]) -> list[tuple[str, int]]:
    """(collection, size) of the arrays that a layer holds itself, not those of layers inside it."""
    found = []
    for collection, tree in variables.items():
        for part in path:
            tree = tree.get(part, {}) if isinstance(tree, Mapping) else {}
        if isinstance(tree, Mapping):
            found += [(collection, int(np.prod(leaf.shape))) for leaf in tree.values() if not isinstance(leaf, Mapping)]
    return found


def total(variables: Mapping[str, Any]) -> int:
    """How many numbers all collections of a network hold."""
    return int(sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(variables)))
