"""Dataclasses of plain values (numbers, texts, tuples, mappings, dataclasses) as JSON, and back: features, fitted parts.

A dataclass becomes its fields and the name of its class. Only classes of modules that are loaded already are taken: a file
from elsewhere can import nothing.
"""

import dataclasses
import functools
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

CLASS = '@'  # beside the fields: 'module:name'
LEFT_OUT = {'kept': False}  # metadata of a field that is not kept; it needs a default
WORDS = {int: 'a whole number', float: 'a number', str: 'a text', bool: 'true or false', types.NoneType: 'null'}


def as_json(value: Any) -> Any:
    """The value as JSON has it: a tuple is a list, a dataclass a mapping."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field for field in dataclasses.fields(value) if field.metadata.get('kept', True)]
        named = {CLASS: f'{type(value).__module__}:{type(value).__qualname__}'}
        return {**named, **{field.name: as_json(getattr(value, field.name)) for field in fields}}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if hasattr(value, 'items'):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f'{type(value).__name__} is no plain value: numbers, texts, tuples, mappings, dataclasses of such')


def from_json(content: Any) -> Any:
    """What `as_json` gave, with tuples for lists. Raises ValueError for what it did not give."""
    if isinstance(content, list):
        return tuple(from_json(each) for each in content)
    if not isinstance(content, dict):
        return content
    values = {name: from_json(value) for name, value in content.items() if name != CLASS}
    return _made(_class(content[CLASS]), values) if CLASS in content else values


def _made(kind: type, values: dict[str, Any]) -> Any:
    fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(kind)}
    unknown = next((name for name in values if name not in fields), None)
    if unknown is not None:
        raise ValueError(f'{kind.__name__} has no {unknown!r}')
    needed = (name for name, field in fields.items() if field.default is field.default_factory is dataclasses.MISSING)
    missing = next((name for name in needed if name not in values), None)
    if missing is not None:
        raise ValueError(f'{kind.__name__} lacks {missing!r}')
    for name, value in values.items():
        check(value, _hints(kind)[name], f'{kind.__name__}.{name}')
    return kind(**values)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def check(value: Any, hint: Any, where: str) -> None:
    """Raises ValueError where a value is of another kind than the annotation of its field says."""
    if not _fits(value, hint):
        raise ValueError(f'{where} is {repr(value)[:60]}, it must be {_in_words(hint)}')


def _fits(value: Any, hint: Any) -> bool:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin is types.UnionType:
        return any(_fits(value, one) for one in inside)
    if origin is tuple:
        each = inside[:1] * len(value) if inside[-1] is ... and isinstance(value, tuple) else inside
        return isinstance(value, tuple) and len(value) == len(each) and all(map(_fits, value, each))
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_fits(one, inside[1]) for one in value.values())
    if hint in WORDS:  # True is no number, and 3 is one with a fraction of nought
        return type(value) is hint or hint is float and type(value) is int
    return isinstance(value, hint)


def _in_words(hint: Any) -> str:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return ' or '.join(map(_in_words, inside))
    if origin is tuple:
        return 'a list of ' + (_in_words(inside[0]) if inside[-1] is ... else ', '.join(map(_in_words, inside)))
    if origin is Mapping:
        return 'a block' if inside[1] is Any else f'a block, each value {_in_words(inside[1])}'
    return WORDS.get(hint) or ('anything' if hint is Any else f'a {hint.__name__}')


def _class(path: Any) -> type:
    module, _, name = str(path).partition(':')
    found = getattr(sys.modules.get(module), name, None)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ValueError(f'no dataclass {path}')
    return found
