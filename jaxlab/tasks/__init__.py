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
    'regression': 'jaxlab.tasks.regression:Regression',
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
    fields = {field.name: field for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING}
    for name, value in options.items():
        if name not in fields:
            raise UserError(f'unknown field config.task.{name} of {config.task.name}; {closest(name, fields)}')
        default, allowed = fields[name].default, fields[name].metadata.get('kinds')  # kinds: where several are valid
        kinds = allowed or ((int, float) if isinstance(default, float) else (type(default),))
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
            valid = ' or '.join(each.__name__ for each in allowed or (type(default),))
            raise UserError(f'config.task.{name} = {value!r}; valid: {valid}')
    return kind.from_config(config, data, steps_per_epoch, total_steps, **options)
