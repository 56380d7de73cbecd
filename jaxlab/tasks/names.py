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
    """'module:attribute', imported when asked for. modes: the table of modes (`jaxlab.modes.Mode`), where it has any."""

    step: str
    report: str
    modes: str = ''


TASKS = {
    'classification': Kind(
        'jaxlab.tasks.classification.step:Classification',
        'jaxlab.tasks.classification.report:ClassificationReport',
        'jaxlab.tasks.predicting:MODES',
    ),
    'cyclegan': Kind(
        'jaxlab.tasks.cyclegan.step:CycleGan',
        'jaxlab.tasks.cyclegan.report:CycleGanReport',
        'jaxlab.tasks.cyclegan.modes:MODES',
    ),
    'denoising': Kind(
        'jaxlab.tasks.denoising.step:Denoising',
        'jaxlab.tasks.denoising.report:DenoisingReport',
        'jaxlab.tasks.denoising.modes:MODES',
    ),
    'detection': Kind(
        'jaxlab.tasks.detection.step:Detection',
        'jaxlab.tasks.detection.report:DetectionReport',
        'jaxlab.tasks.detection.modes:MODES',
    ),
    'forecasting': Kind(
        'jaxlab.tasks.forecasting.step:Forecasting',
        'jaxlab.tasks.forecasting.report:ForecastingReport',
        'jaxlab.tasks.forecasting.modes:MODES',
    ),
    'gan': Kind('jaxlab.tasks.gan.step:Gan', 'jaxlab.tasks.gan.report:GanReport', 'jaxlab.tasks.sampling:MODES'),
    'manual_backprop': Kind(
        'jaxlab.tasks.manual_backprop.step:ManualBackprop',
        'jaxlab.tasks.manual_backprop.report:ManualBackpropReport',
        'jaxlab.tasks.predicting:MODES',
    ),
    'perceptron': Kind('jaxlab.tasks.perceptron.step:Perceptron', 'jaxlab.tasks.perceptron.report:PerceptronReport'),
    'regression': Kind(
        'jaxlab.tasks.regression.step:Regression',
        'jaxlab.tasks.regression.report:RegressionReport',
        'jaxlab.tasks.predicting:MODES',
    ),
    'segmentation': Kind(
        'jaxlab.tasks.segmentation.step:Segmentation',
        'jaxlab.tasks.segmentation.report:SegmentationReport',
        'jaxlab.tasks.segmentation.modes:MODES',
    ),
    'trace': Kind('jaxlab.tasks.trace.step:Trace', 'jaxlab.tasks.trace.report:TraceReport'),
    'translation': Kind(
        'jaxlab.tasks.translation.step:Translation',
        'jaxlab.tasks.translation.report:TranslationReport',
        'jaxlab.tasks.translation.modes:MODES',
    ),
    'vae': Kind('jaxlab.tasks.vae.step:Vae', 'jaxlab.tasks.vae.report:VaeReport', 'jaxlab.tasks.sampling:MODES'),
}


def kind_of(config: Any) -> Kind:
    """The kind of learning that `config.task.name` names."""
    return lookup(TASKS, config.task.get('name', ''), 'config.task.name')


def found(path: str) -> Any:
    """Imports what 'module:attribute' names."""
    module, attribute = path.split(':')
    return getattr(importlib.import_module(module), attribute)


def modes_of(config: Any) -> Mapping[str, Mode]:
    """What can be done with a trained network of this kind."""
    path = kind_of(config).modes
    return found(path) if path else {}
