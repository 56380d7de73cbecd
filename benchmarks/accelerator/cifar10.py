"""Seconds until the project's own ResNet-18 classifies 94 % of CIFAR-10's test images rightly.

The experiment `architectures_cifar10` with a recipe for one short training: stem for 32 pixels, bfloat16, batches of 512,
crops and flips, SGD with Nesterov momentum, a rate that rises for a fifth of the time and falls to 0 along a line. The
engine's own log holds the seconds; its test curve ends nothing and chooses nothing but the moment that is reported.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accelerator import children
from benchmarks.accelerator.budget import Budget
from benchmarks.accelerator.context import Context
from benchmarks.accelerator.tables import Table

FOLDER = 'cifar-10-batches-bin'
BATCH, EPOCHS = 512, 24
GRACE = 15.0  # seconds between asking the engine to stop and ending its process


def reason_to_skip(context: Context) -> str:
    """Why there is nothing to measure, or ''."""
    named = context.data_dir or os.environ.get('JAXLAB_DATA_DIR')
    if not named:
        return f'no --data_dir with {FOLDER}'
    found = (Path(named) / FOLDER).is_dir() or Path(named).name == FOLDER
    return '' if found else f'{FOLDER} does not lie in the folder that --data_dir names'


def measure(context: Context, budget: Budget) -> dict[str, Any]:
    """Trains in a process of its own until the last epoch or the end of the budget."""
    with tempfile.TemporaryDirectory() as folder:
        words = {
            'workdir': folder,
            'data_dir': context.data_dir or os.environ['JAXLAB_DATA_DIR'],
            'epochs': context.epochs,
            'seconds': max(1.0, budget.left - GRACE),
            'begun': time.time(),
        }
        flags = [f'--{name}={value}' for name, value in words.items()] + (['--tiny'] if context.tiny else [])
        child = children.start('benchmarks.accelerator.cifar10', *flags, environment=context.environment)
        answer = child.answer(budget.left)
        log = Path(folder) / 'metrics.jsonl'
        rows = _rows(log) if log.is_file() else []
    if 'error' in answer and not rows:
        raise RuntimeError(answer['error'])
    return judged(rows, answer, context.aim, context.epochs)


def _rows(log: Path) -> list[dict[str, Any]]:
    from jaxlab.training.events import read_log

    return read_log(log.parent)


def judged(rows: Sequence[Mapping[str, Any]], answer: Mapping[str, Any], aim: float, epochs: int) -> dict[str, Any]:
    """When the aim was passed, or what was reached instead."""
    walls = answer.get('walls', {})
    curve = [
        {
            'epoch': row['epoch'],
            'accuracy': row['test_accuracy'][0],
            'seconds': row['seconds'],
            'wall': walls.get(str(row['epoch'])),
        }
        for row in rows
        if 'test_accuracy' in row
    ]
    passed = next((point for point in curve if point['accuracy'] >= aim), None)
    ended = answer.get('error') or ('' if len(rows) >= epochs else 'the time was over')
    return {
        'aim': aim,
        'epochs': epochs,
        'epochs_done': len(rows),
        'passed': passed,
        'ended_early': ended,
        'curve': curve,
        'compile_seconds': answer.get('compile_seconds'),
        'recipe': answer.get('recipe', {}),
    }


def tables(result: dict[str, Any]) -> list[Table]:
    """The answer, and the curve."""
    rows = [
        (
            str(point['epoch']),
            f'{point["accuracy"]:.4f}',
            f'{point["seconds"]:.1f}',
            '-' if point['wall'] is None else f'{point["wall"]:.1f}',
        )
        for point in result['curve']
    ]
    aim, passed = f'{100 * result["aim"]:g} %', result['passed']
    if passed:
        wall = '' if passed['wall'] is None else f', {passed["wall"]:.1f} s with start, data and compilation'
        notes = [f'{aim} passed in epoch {passed["epoch"]}: {passed["seconds"]:.1f} s of training{wall}.']
    else:
        best = max((point['accuracy'] for point in result['curve']), default=math.nan)
        notes = [f'{aim} not reached: best {best:.4f} in {result["epochs_done"]} of {result["epochs"]} epochs.']
    if result['ended_early']:
        notes.append(f'Ended early: {result["ended_early"]}. The rate had not fallen to 0, so more was to come.')
    if result['recipe']:
        notes.append('Recipe: ' + ', '.join(f'{name} {value}' for name, value in result['recipe'].items()) + '.')
    columns = ('epoch', 'test accuracy', 'seconds of training', 'seconds in all')
    network = {'resnet': 'ResNet-18'}.get(
        result['recipe'].get('model'), 'another network' if result['recipe'] else 'ResNet-18'
    )
    return [Table(f'CIFAR-10 with {network}', columns, rows, notes)]


# ---- the process that trains ------------------------------------------------------------------------------------------
def config_of(tiny: bool, epochs: int) -> Any:
    """The experiment with this recipe; tiny: a small net, for tests."""
    from jaxlab.experiments import config as configs

    per_epoch = 50_000 // BATCH
    changes: dict[str, Any] = {
        'variants': {},
        'stand_in': {},
        'published': {},
        'report.options.figures': (),
        'model': {'name': 'resnet', 'depth': 18, 'stem': 'cifar'},
        'task.label_smoothing': 0.1,
        'data.source': 'files',
        'data.batch_size': BATCH,
        'data.drop_remainder': True,
        'optimizer': {
            'name': 'nesterov',
            'learning_rate': 0.4,
            'weight_decay': 5e-4,
            'schedule': 'linear',
            'warmup': epochs * per_epoch // 5,
        },
        'training.epochs': epochs,
        'training.precision': 'bfloat16',
        'training.measure_train': False,
        'training.watch': ('test',),
        'training.checkpoint_every': 0,
        'parallel.devices': 1,
    }
    if tiny:
        changes |= {
            'model': {'name': 'mlp', 'features': (16,)},
            'data.batch_size': 20,
            'optimizer': {'name': 'adam', 'learning_rate': 0.003},
            'data.transforms': (('flip', {}),),
        }
    path = configs.main_folder() / 'architectures_cifar10.py'
    return configs.apply(configs.load(path, 'full'), changes, 'benchmarks.accelerator')


class Watch:
    """The engine's listener: notes the clock at every epoch and asks to stop when the time is over."""

    def __init__(self, begun: float, seconds: float):
        self.begun, self.seconds = begun, seconds
        self.walls: dict[str, float] = {}

    @property
    def wall(self) -> float:
        """Seconds since the command started this process."""
        return time.time() - self.begun

    def started(self, step: int, total_steps: int, steps_per_epoch: int) -> None:
        """Nothing."""

    def progress(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """The clock."""
        self.walls[str(row['epoch'])] = round(self.wall, 3)

    def say(self, text: str) -> None:
        """Nothing."""

    def stop_requested(self) -> int:
        """15 (SIGTERM) once the time is over."""
        return 15 if self.wall > self.seconds else 0


def train(options: argparse.Namespace) -> dict[str, Any]:
    """One training of the engine."""
    from jaxlab.experiments.prepare import prepare
    from jaxlab.training import run as engine
    from jaxlab.training.loop import Interrupted

    ready = prepare(config_of(options.tiny, options.epochs), options.data_dir)
    watch = Watch(options.begun, options.seconds)
    model, rule, data = ready.config.model, ready.config.optimizer, ready.config.data
    recipe = {
        'model': model.name,
        'batch': data.batch_size,
        'optimizer': rule.name,
        'largest rate': rule.learning_rate,
        'epochs': options.epochs,
        'precision': ready.config.training.precision,
        'transforms': ' and '.join(name for name, _ in data.transforms),
    }
    found: dict[str, Any] = {'recipe': recipe}
    try:
        outcome = engine.train(ready.config, ready.task, ready.data, Path(options.workdir), watch, ready.reporter)
        found['compile_seconds'] = outcome.facts['compile_seconds']
    except Interrupted:
        pass  # what was reached stands in the log
    return found | {'walls': watch.walls}


def arguments() -> argparse.Namespace:
    """The command line of the process that trains."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.accelerator.cifar10')
    parser.add_argument('--workdir', required=True)
    parser.add_argument('--data_dir', required=True)
    parser.add_argument('--epochs', type=int, default=EPOCHS)
    parser.add_argument('--seconds', type=float, required=True, help='when the engine is asked to stop')
    parser.add_argument('--begun', type=float, required=True, help='time.time() at the start')
    parser.add_argument('--tiny', action='store_true')
    return parser.parse_args()


if __name__ == '__main__':
    children.serve(lambda: train(arguments()))
