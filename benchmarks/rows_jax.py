"""The JAX rows: `jaxlab` (steps inside one compiled loop, donated state) and stock Flax (one jitted step a call).

`jaxlab_bf16` computes in bfloat16 with float32 parameters, as `training.precision='bfloat16'` does. `jaxlab_x5` has five
replicas unrolled side by side (the form for a CPU), `jaxlab_vmap5` under `vmap` (the form for accelerators), `jaxlab_over5`
one by one on all devices at hand (`parallel.replica_axis`); any number.
On a CPU `jaxlab` has oneDNN's convolutions, as long trainings have them; `jaxlab_own` has jaxlab's own forms.
"""

import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import problems
from benchmarks.kinds_jax import KINDS
from jaxlab.layers import onednn
from jaxlab.training import model_table

Run = Callable[[int], float]  # runs n steps, gives the last loss
Update = Callable[[Any, jax.Array, Callable, jax.Array], tuple[Any, jax.Array]]  # states, step, batch_of, key


def prepare(setting: problems.Setting) -> None:
    """Before the first computation: the device, and how float32 products are rounded on it."""
    if setting.accelerator and jax.default_backend() == 'cpu':
        raise RuntimeError('JAX found no accelerator')
    if not setting.tf32:
        jax.config.update('jax_default_matmul_precision', 'highest')


def errors(setting: problems.Setting) -> dict[str, float]:
    """How far a product and a convolution are from the true ones."""
    check = problems.check()
    convolved = jax.lax.conv_general_dilated(
        check.images, check.kernel, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )
    return check.errors(np.asarray(jnp.matmul(check.left, check.right)), np.asarray(convolved))


def models(name: str, stock: bool, dtype: Any = None) -> tuple[nn.Module, ...]:
    """The networks (for `dcgan` generator and discriminator); imported only when asked for. dtype: of jaxlab's layers."""
    if stock:
        from benchmarks import flax_models

        return flax_models.models(name)
    found = []
    for path, options in problems.NETWORKS[name]:
        module, kind = path.split(':')
        found.append(getattr(importlib.import_module(module), kind)(**options, dtype=dtype))
    return tuple(found)


def build(name: str, row: str, setting: problems.Setting) -> tuple[Run, int]:
    """`run(n)` for a row `jaxlab`, `jaxlab_own`, `jaxlab_bf16`, `jaxlab_x5`, `jaxlab_vmap5` or `flax`, and its parameters.

    own: convolutions in jaxlab's own forms on a CPU, also where a long training has oneDNN's.
    """
    problem = setting.problem(name)
    found = re.fullmatch(r'flax|jaxlab(?P<own>_own)?(?P<half>_bf16)?(?:_(?P<form>x|vmap|over)(?P<count>\d+))?', row)
    if found is None:
        raise ValueError(f'unknown row {row!r}')
    networks = models(name, stock=row == 'flax', dtype=jnp.bfloat16 if found['half'] else None)
    init, step = KINDS[problem.kind](*networks, problem)
    state = jax.jit(init)(jax.random.key(0))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state[0]))
    data = tuple(jnp.asarray(array) for array in problems.data(problem))
    if row == 'flax':
        return one_call_a_step(step, state, data, problem), parameters
    by_onednn = not found['own'] and suits_onednn(networks, problem)
    states = [jax.tree.map(jnp.copy, state) for _ in range(int(found['count'] or 1))]
    if found['form'] == 'vmap':
        together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        return compiled_loop(stacked(step, len(states)), together, data, by_onednn), parameters
    if found['form'] == 'over':
        return over_devices(step, states, data, by_onednn), parameters
    return compiled_loop(side_by_side(step), states, data, by_onednn), parameters


def side_by_side(step: Callable) -> Update:
    """The step of a list of replicas, unrolled."""

    def update(states: list, k: jax.Array, batch_of: Callable, key: jax.Array) -> tuple[list, jax.Array]:
        new, loss = [], jnp.float32(0)
        for replica, state in enumerate(states):
            state, loss = step(state, *batch_of(k + replica), jax.random.fold_in(key, replica))
            new.append(state)
        return new, loss

    return update


def stacked(step: Callable, count: int) -> Update:
    """The step of replicas whose states are stacked, under `vmap`."""

    def update(states: Any, k: jax.Array, batch_of: Callable, key: jax.Array) -> tuple[Any, jax.Array]:
        def one(state: Any, replica: jax.Array) -> tuple[Any, jax.Array]:
            return step(state, *batch_of(k + replica), jax.random.fold_in(key, replica))

        states, losses = jax.vmap(one)(states, jnp.arange(count))
        return states, losses[-1]

    return update


def compiled(function: Callable, by_onednn: bool) -> Callable:
    """jaxlab's program: its first argument, the state, is given away."""
    return (onednn.jit if by_onednn else jax.jit)(function, donate_argnums=0)


def suits_onednn(networks: Sequence[nn.Module], problem: problems.Problem) -> bool:
    """Whether the engine would have a long training's convolutions computed by oneDNN: where there are channels-last ones."""
    image = jax.ShapeDtypeStruct((1, *problem.shape), jnp.float32)
    noise = jax.ShapeDtypeStruct((1, 100), jnp.float32)
    inputs = (noise, image) if problem.kind == 'gan' else (image,) * len(networks)
    named = {str(at): pair for at, pair in enumerate(zip(networks, inputs, strict=True))}
    return problem.image and model_table.convolution_work(named) > 0


def over_devices(step: Callable, states: list, data: tuple, by_onednn: bool) -> Run:
    """Replicas in blocks on the devices, each by the program of one; all are on their way before the first is waited for."""
    devices = jax.devices()
    programs = [looped(side_by_side(step), jax.device_put(data, device), by_onednn) for device in devices]
    at = [device for device, block in enumerate(np.array_split(np.arange(len(states)), len(devices))) for _ in block]
    held = [[jax.device_put(state, devices[device])] for state, device in zip(states, at, strict=True)]

    def run(n: int) -> float:
        losses = []
        for replica, device in enumerate(at):
            held[replica], loss = programs[device](held[replica], n)
            losses.append(loss)
        return [float(loss) for loss in losses][-1]

    return run


def compiled_loop(update: Update, states: Any, data: tuple, by_onednn: bool) -> Run:
    """One state through `looped`."""
    program, held = looped(update, data, by_onednn), [states]

    def run(n: int) -> float:
        held[0], loss = program(held[0], n)
        return float(loss)

    return run


def looped(update: Update, data: tuple, by_onednn: bool) -> Callable[[Any, int], tuple[Any, jax.Array]]:
    """All steps in one program; batches are gathered from the device by index."""
    inputs, labels = data
    order = jnp.asarray(jax.random.permutation(jax.random.key(1), labels.size)).reshape(problems.BATCHES, -1)

    def batch_of(number: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows = order[number % problems.BATCHES]
        return inputs[rows], labels[rows]

    def body(k: jax.Array, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
        return update(carry[0], k, batch_of, jax.random.fold_in(jax.random.key(2), k))

    return compiled(lambda states, n: jax.lax.fori_loop(0, n, body, (states, jnp.float32(0))), by_onednn)


def one_call_a_step(step: Callable, state: tuple, data: tuple, problem: problems.Problem) -> Run:
    """The usual loop: one jitted call a step, batches already on the device."""
    batches = [
        tuple(array[k * problem.batch : (k + 1) * problem.batch] for array in data) for k in range(problems.BATCHES)
    ]
    program = jax.jit(step, donate_argnums=0)
    held = [state, 0]

    def run(n: int) -> float:
        loss = jnp.float32(0)
        for _ in range(n):
            held[1] += 1
            key = jax.random.key(held[1])
            held[0], loss = program(held[0], *batches[held[1] % problems.BATCHES], key)
        return float(loss)

    return run
