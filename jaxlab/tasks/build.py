"""From a checked config to the task and to what shows it."""

import dataclasses
from typing import Any

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, closest
from jaxlab.protocol import Reporter
from jaxlab.tasks.names import found, kind_of

SHARES = ('label_smoothing',)  # options that are a share of something


def build_report(config: Any, task: Any, data: Dataset) -> Reporter:
    """What shows a finished run of this task; the wishes of `config.report` are checked here."""
    return found(kind_of(config).report).from_config(config, task, data)


def build_task(config: Any, data: Dataset, steps_per_epoch: int, total_steps: int) -> Any:
    """The task of a checked config. A task's options are its dataclass fields with defaults."""
    kind = found(kind_of(config).step)
    given = [name for name in ('inputs', 'weights', 'targets') if len(config.worked.get(name, ()))]
    if given and not getattr(kind, 'takes_numbers', False):
        raise UserError(
            f'config.worked.{given[0]}: task {config.task.name} takes no numbers of your own; valid: task trace'
        )
    options = {name: value for name, value in config.task.items() if name != 'name'}
    fields = {field.name: field for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING}
    for name, value in list(options.items()):
        if name not in fields:
            raise UserError(f'unknown field config.task.{name} of {config.task.name}; {closest(name, fields)}')
        default, allowed = fields[name].default, fields[name].metadata.get('kinds')  # kinds: where several are valid
        if value is None and str in (allowed or ()):  # `none` of a command line
            value = options[name] = 'none'
        kinds = allowed or ((int, float) if isinstance(default, float) else (type(default),))
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
            valid = ' or '.join(each.__name__ for each in allowed or (type(default),))
            raise UserError(f'config.task.{name} = {value!r}; valid: {valid}')
        if name in SHARES and not 0 <= float(value) < 1:  # type: ignore[arg-type]
            raise UserError(f'config.task.{name} = {value!r}; valid: a number from 0 up to, not including, 1')
    return kind.from_config(config, data, steps_per_epoch, total_steps, **options)
