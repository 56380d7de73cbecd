"""What a run would cost, without training: model table, steps, floating-point operations, memory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.protocol import Task
from jaxlab.training import model_table, phases
from jaxlab.training.machine import Machine


def describe(config: Any, task: Task, data: Dataset) -> dict[str, Any]:
    """Facts for `--mode=describe`; compiles one update, runs none."""
    machine = Machine(config, task, data)
    networks = model_table.networks(task)
    table = {
        'networks': networks,
        'parameters': sum(row['parameters'] for rows in networks.values() for row in rows),
        'steps_per_epoch': machine.feed.steps_per_epoch,
        'steps': machine.total_steps,
        'replicas': config.replicas,
        'epochs': -(-machine.total_steps // machine.feed.steps_per_epoch),
    }
    state = _state(machine)
    return {**table, **_phases(machine, state), **_cost(machine, state)}


def _phases(machine: Machine, state: Any) -> dict[str, Any]:
    """What each phase trains, where there are several."""
    found = phases.table(machine.phases, state, machine.feed.steps_per_epoch)
    return {'training_phases': found} if found else {}


def _state(machine: Machine) -> Any:
    """Shapes of one replica's state."""
    example = {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in machine.example.items()}
    seeds = jax.ShapeDtypeStruct((len(machine.seeds),), np.uint32)
    states = jax.eval_shape(machine.programs.init, seeds, example)
    if machine.forms.replicas == 'vmap':
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), states)
    return states[0]


def _cost(machine: Machine, state: Any) -> dict[str, Any]:
    """Of one update of one replica: the compiler's own count (a loop's body would be counted once, so: no loop)."""

    def update(state: Any, batch: Any, seed: Any) -> Any:
        return machine.programs._update(state, batch, seed, jnp.int32(0))

    example = {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in machine.example.items()}
    compiled = jax.jit(update).lower(state, example, jax.ShapeDtypeStruct((), np.uint32)).compile()
    cost, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    train = machine.data.splits['train'].arrays
    return {
        'flops_per_step': float(cost.get('flops', 0.0)) * machine.config.replicas,
        'memory': {
            'state_bytes': size * machine.config.replicas,
            'temporary_bytes': int(getattr(memory, 'temp_size_in_bytes', 0)) * machine.config.replicas,
            'data_bytes': sum(array.nbytes for array in train.values()) if train is not None else 0,
        },
    }
