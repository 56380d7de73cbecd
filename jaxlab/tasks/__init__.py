"""Kinds of learning by name: `config.task.name` is looked up here."""

import dataclasses
import importlib
from typing import Any

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, closest, lookup

TASKS = {  # name -> module:class; imported when asked for
    'classification': 'jaxlab.tasks.classification:Classification',
    'gan': 'jaxlab.tasks.gan:Gan',
    'manual_backprop': 'jaxlab.tasks.manual_backprop:ManualBackprop',
    'perceptron': 'jaxlab.tasks.perceptron:Perceptron',
    'trace': 'jaxlab.tasks.trace:Trace',
}


def build_task(config: Any, data: Dataset, steps_per_epoch: int, total_steps: int) -> Any:
    """The task of a checked config. A task's options are its dataclass fields with defaults."""
    path, attribute = lookup(TASKS, config.task.get('name', ''), 'config.task.name').split(':')
    kind = getattr(importlib.import_module(path), attribute)
    given = [name for name in ('inputs', 'weights', 'targets') if len(config.get(name, ()))]
    if given and not getattr(kind, 'takes_numbers', False):
        raise UserError(f'config.{given[0]}: task {config.task.name} takes no numbers of your own; valid: task trace')
    options = {name: value for name, value in config.task.items() if name != 'name'}
    valid = {
        field.name: field.default for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING
    }
    for name, value in options.items():
        if name not in valid:
            raise UserError(f'unknown field config.task.{name} of {config.task.name}; {closest(name, valid)}')
        kinds = (int, float) if isinstance(valid[name], float) else type(valid[name])
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(valid[name], bool):
            raise UserError(f'config.task.{name} = {value!r}; valid: {type(valid[name]).__name__}')
    return kind.from_config(config, data, steps_per_epoch, total_steps, **options)
