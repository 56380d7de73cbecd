"""Kinds of learning by name: `config.task.name` is looked up here. Imports nothing heavy.

A kind is a folder: what is learned (`step`), what is shown of it (`report`), and modes that a trained network has.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from jaxlab.errors import lookup
from jaxlab.modes import Mode


@dataclasses.dataclass(frozen=True)
class Kind:
    """'module:attribute' below `jaxlab.tasks`, imported when asked for; modes: of the table of modes, where it has any."""

    step: str
    report: str
    modes: str = ''


TASKS = {
    'classification': Kind(
        'classification.step:Classification', 'classification.report:ClassificationReport', 'predicting'
    ),
    'gan': Kind('gan.step:Gan', 'gan.report:GanReport', 'sampling'),
    'manual_backprop': Kind(
        'manual_backprop.step:ManualBackprop', 'manual_backprop.report:ManualBackpropReport', 'predicting'
    ),
    'perceptron': Kind('perceptron.step:Perceptron', 'perceptron.report:PerceptronReport'),
    'regression': Kind('regression.step:Regression', 'regression.report:RegressionReport', 'predicting'),
    'trace': Kind('trace.step:Trace', 'trace.report:TraceReport'),
}


def kind_of(config: Any) -> Kind:
    """That of a config."""
    return lookup(TASKS, config.task.get('name', ''), 'config.task.name')


def found(path: str) -> Any:
    """What 'module:attribute' names."""
    module, attribute = path.split(':')
    return getattr(importlib.import_module(f'jaxlab.tasks.{module}'), attribute)


def modes_of(config: Any) -> Mapping[str, Mode]:
    """What can be done with a trained network of this kind."""
    path = kind_of(config).modes
    return found(f'{path}:MODES') if path else {}
