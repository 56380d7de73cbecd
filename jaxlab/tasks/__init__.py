"""Kinds of learning by name: `config.task.name` is looked up here. Each is a folder: what is learned, and what is shown of it."""

import dataclasses
import importlib
from typing import Any

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, closest, lookup
from jaxlab.protocol import Reporter

TASKS = {  # name -> (module:class of the task, module:class of its report) below this package; imported when asked for
    'classification': ('classification.step:Classification', 'classification.report:ClassificationReport'),
    'gan': ('gan.step:Gan', 'gan.report:GanReport'),
    'manual_backprop': ('manual_backprop.step:ManualBackprop', 'manual_backprop.report:ManualBackpropReport'),
    'perceptron': ('perceptron.step:Perceptron', 'perceptron.report:PerceptronReport'),
    'regression': ('regression.step:Regression', 'regression.report:RegressionReport'),
    'trace': ('trace.step:Trace', 'trace.report:TraceReport'),
}


def _found(name: str, part: int) -> Any:
    path, attribute = lookup(TASKS, name, 'config.task.name')[part].split(':')
    return getattr(importlib.import_module(f'{__name__}.{path}'), attribute)


def build_report(config: Any, task: Any, data: Dataset) -> Reporter:
    """What shows a finished run of this task; the wishes of `config.report` are checked here."""
    return _found(config.task.get('name', ''), 1).from_config(config, task, data)


def build_task(config: Any, data: Dataset, steps_per_epoch: int, total_steps: int) -> Any:
    """The task of a checked config. A task's options are its dataclass fields with defaults."""
    kind = _found(config.task.get('name', ''), 0)
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
