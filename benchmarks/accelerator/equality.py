"""A short training on the accelerator and on the CPU of the same machine: the same losses, the same parameters.

In float32 with every product in full precision, from the same seeds and the same order of the data (scikit-learn's
digits, so that no file is needed). What is left is the order in which sums are taken: about 1e-7 an operation, which
training multiplies. `python -m benchmarks.accelerator.equality FILE [tiny]` is one side of it.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accelerator import children
from benchmarks.accelerator.budget import Budget
from benchmarks.accelerator.context import Context
from benchmarks.accelerator.tables import Table

# Largest difference, relative to the largest number of an array (at least 1). On a CPU, float32 and float64 part by
# 2e-6 at most in these trainings; two orders of summation should not part by much more.
TOLERANCE = 1e-4
STEPS = 20
RATES = {'lenet': 0.1}  # its start is a plateau; at 0.2 it leaves it within these steps, and float32 and float64 part
MODELS = {
    'mlp': {'name': 'mlp', 'features': (64,), 'batch_norm': True, 'dropout': 0.3},
    'lenet': {'name': 'lenet'},
    'convnet': {'name': 'convnet', 'filters': (32, 64), 'hidden': (64,), 'batch_norm': 'before'},
}
TINY = {'mlp': {'name': 'mlp', 'features': (16,)}, 'convnet': {'name': 'convnet', 'filters': (4,), 'hidden': ()}}


def measure(context: Context, budget: Budget) -> dict[str, Any]:
    """Both sides, at the same time in two processes, and what parts them."""
    tiny = ['tiny'] if context.tiny else []
    with tempfile.TemporaryDirectory() as folder:
        files = {'here': Path(folder) / 'here.npz', 'cpu': Path(folder) / 'cpu.npz'}
        environments = {'here': context.environment, 'cpu': {**context.environment, 'JAX_PLATFORMS': 'cpu'}}
        sides = {
            name: children.start('benchmarks.accelerator.equality', str(file), *tiny, environment=environments[name])
            for name, file in files.items()
        }
        found = {name: child.answer(budget.left) for name, child in sides.items()}
        for name, answer in found.items():
            if 'error' in answer:
                raise RuntimeError(f'the side {name!r}: {answer["error"]}')
        if found['here']['platform'] != context.platform:
            raise RuntimeError(f'JAX ran on {found["here"]["platform"]}, not on {context.platform}')
        arrays = {name: dict(np.load(file)) for name, file in files.items()}
    return compared(arrays['here'], arrays['cpu'], found['here']['platform'])


def compared(here: dict[str, np.ndarray], cpu: dict[str, np.ndarray], where: str) -> dict[str, Any]:
    """One entry a model: the largest difference of losses, of parameters after the first step and after the last."""
    tolerance = TOLERANCE if where != 'cpu' else 0.0
    models = sorted({name.partition('/')[0] for name in cpu})
    entries = []
    for model in models:
        entry: dict[str, Any] = {'model': model, 'steps': len(cpu[f'{model}/loss'])}
        for part in ('start', 'loss', 'end'):
            names = [name for name in cpu if name.startswith(f'{model}/{part}')]
            assert sorted(names) == sorted(name for name in here if name.startswith(f'{model}/{part}')) and names
            entry[part] = max(difference(here[name], cpu[name]) for name in names)
        entry['same_bits'] = all(
            here[name].tobytes() == cpu[name].tobytes() for name in cpu if name.startswith(f'{model}/')
        )
        entry['last_loss'] = float(cpu[f'{model}/loss'][-1])
        entry['equal'] = entry['same_bits'] if where == 'cpu' else max(entry['loss'], entry['end']) <= tolerance
        entries.append(entry)
    return {'platform': where, 'tolerance': tolerance, 'entries': entries}


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest, relative to the largest number (at least 1); 1e30 where one is not finite."""
    scale = max(1.0, float(np.abs(other).max(initial=0.0)))
    found = float(np.abs(one.astype(float) - other.astype(float)).max(initial=0.0)) / scale
    return found if np.isfinite(found) else 1e30


def failure(result: dict[str, Any]) -> str:
    """Which models differ by more than is allowed, or ''."""
    wrong = [entry['model'] for entry in result['entries'] if not entry['equal']]
    return (
        f'{", ".join(wrong)}: the accelerator and the CPU differ by more than {result["tolerance"]:g}' if wrong else ''
    )


def tables(result: dict[str, Any]) -> list[Table]:
    """One table."""
    here = result['platform'].upper() if result['platform'] != 'cpu' else 'CPU (another process)'
    rows = [
        (
            entry['model'],
            str(entry['steps']),
            *(f'{entry[part]:.1e}' for part in ('start', 'loss', 'end')),
            'equal bits' if entry['same_bits'] else 'within' if entry['equal'] else 'DIFFERS',
        )
        for entry in result['entries']
    ]
    note = 'Largest difference of any number, relative to the largest of its array (at least 1); float32, every product in '
    note += 'full precision ("highest").'
    if result['platform'] == 'cpu':
        note += ' There is no accelerator here: two processes on the CPU were compared, whose bits must be equal.'
    else:
        note += f' Allowed: {result["tolerance"]:g}.'
    columns = ('training', 'steps', 'start', 'losses', 'parameters', 'verdict')
    return [Table(f'Equality of {here} and CPU', columns, rows, (note,))]


# ---- one side ---------------------------------------------------------------------------------------------------------
def config_of(model: str, tiny: bool) -> Any:
    """A small training of the engine on the embedded digits, one device."""
    from configs import common

    config = common.experiment(f'equality_{model}', task='classification', data='mnist')
    config.model = (TINY if tiny else MODELS)[model]
    config.data.update({'source': 'embedded', 'limit': 512, 'eval_limit': 64, 'batch_size': 16 if tiny else 64})
    config.optimizer = common.sgd(RATES.get(model, 0.05), 0.9)
    config.training.steps = 5 if tiny else STEPS
    config.parallel.devices = 1
    return config


def train(model: str, tiny: bool) -> dict[str, np.ndarray]:
    """Arrays `start/...`, `end/...` (the whole state) and `loss` [steps]."""
    from flax import serialization, traverse_util

    from jaxlab.experiments.prepare import prepare
    from jaxlab.training.machine import Machine

    ready = prepare(config_of(model, tiny))
    machine = Machine(ready.config, ready.task, ready.data)

    def named(state: Any, part: str) -> dict[str, np.ndarray]:
        flat = traverse_util.flatten_dict(serialization.to_state_dict(machine.replica(state, 0)), sep='/')
        return {f'{part}/{name}': np.array(leaf) for name, leaf in flat.items()}

    start = machine.init()
    state, losses, done = machine.placement.state(start), [], 0
    while done < machine.total_steps:
        epoch = done // machine.feed.steps_per_epoch
        rows = machine.placement.split(machine.feed.epoch(epoch), axis=2)
        stop = min(machine.feed.steps_per_epoch, machine.total_steps - done)
        state, logs, _ = machine.train(state, machine.resident, rows, 0, stop, done)
        losses.append(logs['loss'][0, :stop, 0] / logs['loss'][0, :stop, 1])
        done += stop
    return named(start, 'start') | {'loss': np.concatenate(losses)} | named(machine.host_state(state), 'end')


def one_side(file: Path, tiny: bool) -> dict[str, Any]:
    """Trains every model where JAX is, writes the arrays."""
    import jax

    jax.config.update('jax_default_matmul_precision', 'highest')
    arrays = {}
    for model in TINY if tiny else MODELS:
        arrays |= {f'{model}/{name}': array for name, array in train(model, tiny).items()}
    np.savez(file, **arrays)
    return {'platform': jax.default_backend()}


if __name__ == '__main__':
    children.serve(lambda: one_side(Path(sys.argv[1]), 'tiny' in sys.argv[2:]))
