"""What every layer of a network gives, by the layer's name, and how to name one."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from jaxlab.errors import UserError, closest

KEPT = 'intermediates'  # the collection in which modules leave what is not their own result


@dataclasses.dataclass(frozen=True)
class Layer:
    """shape: of what it gives for a batch of one, channels last; kernel: shape of its kernel, or None."""

    shape: tuple[int, ...]
    kernel: tuple[int, ...] | None


def activations(module: nn.Module, variables: Mapping[str, Any], inputs: jax.Array) -> dict[str, jax.Array]:
    """Layer name -> what it gives, [N, ..., channels], in the order of computation (evaluation mode).

    Every module is a layer under its path (`stage_1/conv`), and so is everything that modules leave in the collection
    'intermediates' (`conv_1_active`, after the activation). Nothing is registered: no hook stays behind.
    """

    def keep(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        result = call(*args, **kwargs)
        if context.method_name == '__call__' and context.module.path and isinstance(result, jax.Array):
            batch_last = getattr(context.module, 'layout', 'NHWC') == 'CHWN'  # how it computes is not what it gives
            context.module.sow(KEPT, '__call__', result.swapaxes(0, -1) if batch_last else result)
        return result

    with nn.intercept_methods(keep):
        _, kept = module.apply(variables, inputs, train=False, mutable=[KEPT])
    return _named(kept.get(KEPT, {}))


def _named(tree: Mapping[str, Any], path: str = '') -> dict[str, jax.Array]:
    found: dict[str, jax.Array] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= _named(value, f'{path}{key}/')
        elif key == '__call__':
            found[path.removesuffix('/')] = value[0]
        else:
            found[path + key.removesuffix('_map')] = value[0]
    return {name: value for name, value in found.items() if name and '__call__' not in name}


def layers(module: nn.Module, example: jax.ShapeDtypeStruct) -> dict[str, Layer]:
    """Every layer of a network, computed without any number. example: [1, ...]."""

    def outputs(inputs: jax.Array) -> tuple[Any, Any]:
        keys = {'params': jax.random.key(0), 'dropout': jax.random.key(1)}
        variables = module.init(keys, inputs, train=False)
        return activations(module, variables, inputs), variables['params']

    order: list[str] = []  # eval_shape gives dicts back in alphabetical order

    def ordered(inputs: jax.Array) -> tuple[list, Any]:
        found, params = outputs(inputs)
        order[:] = found
        return list(found.values()), params

    shapes, params = jax.eval_shape(ordered, example)
    found = {}
    for name, shape in zip(order, shapes, strict=True):
        kernel = kernel_of(params, name)
        found[name] = Layer(tuple(shape.shape), None if kernel is None else tuple(kernel.shape))
    return found


def kernel_of(params: Mapping[str, Any], name: str) -> Any:
    """The kernel of the layer of this name, or None."""
    tree: Any = params
    for part in name.split('/'):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    kernel = tree.get('kernel') if isinstance(tree, Mapping) else None
    return None if isinstance(kernel, Mapping) else kernel


def resolve(name: str, valid: Iterable[str], what: str) -> str:
    """The full name of a layer: `conv_1` stands for `net/conv_1` where no other layer ends like it."""
    names = list(valid)
    if name in names:
        return name
    ending = [full for full in names if full.endswith(f'/{name}')]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UserError(f'{what}: layer {name!r} is not the only one of its name; valid: {", ".join(ending)}')
    raise UserError(f'{what}: unknown layer {name!r}; {closest(name, names)}')


def with_maps(found: Mapping[str, Layer]) -> list[str]:
    """Layers that give images [H, W, C]."""
    return [name for name, layer in found.items() if len(layer.shape) == 4]


def with_kernels(found: Mapping[str, Layer]) -> list[str]:
    """Layers with a kernel: convolutions and dense layers."""
    return [name for name, layer in found.items() if layer.kernel is not None]


def convolutions(found: Mapping[str, Layer]) -> list[str]:
    """Layers with a kernel [height, width, channels, filters]."""
    return [name for name in with_kernels(found) if len(found[name].kernel or ()) == 4]


def anything(found: Mapping[str, Layer]) -> list[str]:
    """All layers."""
    return list(found)


def active(found: Mapping[str, Layer], names: Iterable[str]) -> list[str]:
    """Those of the layers that stand after an activation, where the network tells; else those with a kernel, but the last."""
    names = list(names)
    after = [name for name in names if name.endswith('_active')]
    return after or [name for name in names if name in with_kernels(found)[:-1]]


def some(names: list[str], most: int = 6) -> list[str]:
    """At most so many of them, evenly spread from the first to the last: a deep network would fill a report."""
    if len(names) <= most:
        return names
    return [names[round(at)] for at in np.linspace(0, len(names) - 1, most)]


def positive(variables: Any) -> Any:
    """Variables of the same network in which every weight is positive and no bias is there.

    What one input changes in the outputs of such a network is all that it can change: no two paths cancel.
    """

    def one(path: Any, leaf: Any) -> np.ndarray:
        name = str(getattr(path[-1], 'key', path[-1]))
        if name in ('kernel', 'embedding'):
            return np.full(leaf.shape, 1 / np.prod(leaf.shape[:-1]), np.float32)
        return np.ones(leaf.shape, np.float32) if name in ('scale', 'var') else np.zeros(leaf.shape, np.float32)

    return jax.tree_util.tree_map_with_path(one, variables)
