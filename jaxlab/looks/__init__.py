"""Looks into a trained network by name: `config.report.options.figures` is looked up here.

An entry is a name or a pair (name, {arguments}), as in `data.transforms`; the arguments are those of the look's function
(`Subject, **arguments -> list of figures`). Names, arguments and layers are checked when the task is built. A look that
finds nothing to show (filters of a network without convolutions) gives no figure.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, closest, lookup
from jaxlab.figures import Figure
from jaxlab.looks import layers as of
from jaxlab.looks.network import descent, forms, gradients, procedure, units, weights
from jaxlab.looks.subject import Subject
from jaxlab.looks.text import words
from jaxlab.looks.vision import examples, maps, receptive_fields, styles
from jaxlab.protocol import Record

__all__ = ['LOOKS', 'Look', 'Wanted', 'figures', 'wanted']

WHERE = 'config.report.options.figures'


@dataclasses.dataclass(frozen=True)
class Look:
    """function: see above; layers: those that its arguments `layer` and `layers` may name."""

    function: Callable[..., list[Figure]]
    layers: Callable[[Mapping[str, of.Layer]], list[str]] = of.anything


LOOKS: dict[str, Look] = {
    'filters': Look(weights.filters, of.convolutions),
    'first_layer': Look(weights.first_layer),
    'weight_histogram': Look(weights.weight_histogram, of.with_kernels),
    'feature_maps': Look(maps.feature_maps, of.with_maps),
    'hidden_activations': Look(maps.hidden_activations),
    'equivariance': Look(maps.equivariance, of.with_maps),
    'receptive_fields': Look(receptive_fields.receptive_fields, of.with_maps),
    'strongest_patches': Look(receptive_fields.strongest_patches, of.with_maps),
    'dead_units': Look(units.dead_units),
    'class_activations': Look(units.class_activations),
    'gradient_norms': Look(gradients.gradient_norms),
    'saliency': Look(gradients.saliency),
    'gradient_variance': Look(descent.gradient_variance),
    'optimizer_paths': Look(descent.optimizer_paths),
    'augmented': Look(examples.augmented),
    'untrained': Look(examples.untrained),
    'worst_confusions': Look(examples.worst_confusions),
    'class_accuracy': Look(examples.class_accuracy),
    'styles': Look(styles.styles),
    'batch_statistics': Look(forms.batch_statistics),
    'two_class_heads': Look(forms.two_class_heads),
    'patience': Look(procedure.patience),
    'word_importance': Look(words.word_importance),
    'answers': Look(words.answers),
    'gradient_by_step': Look(words.gradient_by_step),
    'text_lengths': Look(words.text_lengths),
    'accuracy_by_length': Look(words.accuracy_by_length),
    'repeated_split': Look(procedure.repeated_split),
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A checked entry: a name of `LOOKS` and the arguments given."""

    name: str
    arguments: Mapping[str, Any]


def wanted(entries: Any, module: Any, example: Any) -> tuple[Wanted, ...]:
    """The entries of a config, checked against the looks and the network. example: shape and dtype of one input [1, ...]."""
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise UserError(f'{WHERE} = {entries!r}; valid: a tuple of names or of pairs (name, {{arguments}})')
    pairs = [_pair(entry) for entry in entries]
    found: dict[str, of.Layer] = {}
    if any('layer' in given or 'layers' in given for _, given in pairs):
        found = of.layers(module, example)
    return tuple(Wanted(name, _checked(name, given, found)) for name, given in pairs)


def _pair(entry: Any) -> tuple[str, dict[str, Any]]:
    name, given = entry if isinstance(entry, tuple | list) and len(entry) == 2 else (entry, {})
    if not isinstance(name, str) or not hasattr(given, 'items'):
        raise UserError(f"{WHERE}: {entry!r} is no look; valid: 'name' or ('name', {{'argument': value}})")
    lookup(LOOKS, name, f'name in {WHERE}')
    return name, dict(given.items())


def _checked(name: str, given: dict[str, Any], found: Mapping[str, of.Layer]) -> dict[str, Any]:
    look, where = LOOKS[name], f'{WHERE}: {name}'
    defaults = {
        argument: parameter.default
        for argument, parameter in inspect.signature(look.function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    checked = {}
    for argument, value in given.items():
        if argument not in defaults:
            raise UserError(f'{where} has no argument {argument!r}; {closest(argument, defaults)}')
        kind = (tuple, list) if isinstance(defaults[argument], tuple) else type(defaults[argument])
        if not isinstance(value, kind) or isinstance(value, bool) != isinstance(defaults[argument], bool):
            raise UserError(f'{where}: {argument} = {value!r}; valid: {type(defaults[argument]).__name__}')
        if isinstance(value, int) and value < 0:
            raise UserError(f'{where}: {argument} = {value}; valid: a whole number from 0 up')
        if argument == 'layers':
            value = tuple(of.resolve(layer, look.layers(found), where) for layer in value)
        if argument == 'layer' and value:
            value = of.resolve(value, look.layers(found), where)
        checked[argument] = value
    return checked


def figures(looks: Sequence[Wanted], task: Any, record: Record, data: Dataset) -> list[Figure]:
    """All figures that are wanted, in the order of the config."""
    subject = Subject(task, record, data)
    return [figure for look in looks for figure in LOOKS[look.name].function(subject, **look.arguments)]
