"""What a field of an experiment may hold: each kind is a pair (words for what is valid, test of a value)."""

from collections.abc import Callable
from typing import Any

import ml_collections

Kind = tuple[str, Callable[[Any], bool]]


def number(low: float, integer: bool = False, above: bool = False) -> Kind:
    """A number from `low` up, or above it."""
    kind = 'a whole number' if integer else 'a number'
    words = f'{kind} {"above" if above else "from"} {low:g}{" up" if not above else ""}'

    def test(value: Any) -> bool:
        right = isinstance(value, int) if integer else isinstance(value, int | float)
        return right and not isinstance(value, bool) and (value > low if above else value >= low)

    return words, test


def choice(*values: Any) -> Kind:
    """One of the values named."""
    return 'one of ' + ', '.join(map(str, values)), lambda value: value in values


def of_type(words: str, *types: type) -> Kind:
    """A value of one of these types; True and False are no numbers."""
    return words, lambda value: isinstance(value, types) and (bool in types or not isinstance(value, bool))


COUNT, POSITIVE = number(0, integer=True), number(1, integer=True)
FRACTION = ('a number from 0 up to, not including, 1', lambda v: isinstance(v, int | float) and 0 <= v < 1)
SHARE = ('a number above 0, at most 1', lambda v: _is_number(v) and 0 < v <= 1)
TEXT, FLAG = of_type('text', str), of_type('True or False', bool)
BLOCK, LIST = of_type('a block of fields', ml_collections.ConfigDict, dict), of_type('a tuple', tuple, list)
NUMBERS = ('numbers in nested tuples or lists', lambda v: _is_list(v))
NUMBERS_OR_FILE = ('numbers in nested tuples or lists, or a .json file', lambda v: _is_list(v) or TEXT[1](v))
RANGE = ('a pair of numbers (low, high)', lambda v: _is_list(v, 2) and all(map(_is_number, v)) and v[0] < v[1])
SEED = (f'a whole number from 0 to {2**31 - 1}', lambda v: COUNT[1](v) and v < 2**31)
SEEDS = (
    'a tuple of different whole numbers',
    lambda v: _is_list(v) and all(map(SEED[1], v)) and len(set(v)) == len(v),
)
SHARDED = ('fsdp', 'transformer', 'mlp')  # names of rules
RULES = (
    f'one of {", ".join(SHARDED)}, or a tuple of these and of pairs (text, axis)',
    lambda v: v in SHARDED or _is_list(v) and all(r in SHARDED or _is_list(r, 2) and COUNT[1](r[1]) for r in v),
)
AIM = ('{} or {metric: text, value: number}', lambda v: BLOCK[1](v) and (not v or _is_aim(v)))
START = (
    '{} or {weights: a .safetensors file or a folder, or needs: a role of config.needs, or layout: how published ones are '
    'laid out (and weights: their file); skip: a tuple of regexes}',
    lambda v: BLOCK[1](v) and (not v or _is_start(v)),
)
BACKBONE = (
    '{} or {model: a block, layout: text, weights: text}',
    lambda v: BLOCK[1](v) and (not v or _is_backbone(v)),
)
NEEDS = (
    '{role: {config: text, overrides: {path: value}}}',
    lambda v: BLOCK[1](v) and all(BLOCK[1](n) and TEXT[1](n.get('config')) for n in v.values()),
)
TUNING = (
    '{} or {field: text, values: numbers, metric: text, mode: min or max, overrides: {path: value}}',
    lambda v: BLOCK[1](v) and (not v or _is_tuning(v)),
)
AXES = (
    'a tuple of epoch, updates, examples, seconds',
    lambda v: _is_list(v) and len(v) > 0 and set(v) <= {'epoch', 'updates', 'examples', 'seconds'},
)
LINES = (
    '{metric: {label: number}}',
    lambda v: BLOCK[1](v) and all(BLOCK[1](each) and all(map(_is_number, each.values())) for each in v.values()),
)
VARIANTS = ('{name: {path: value}}', lambda v: BLOCK[1](v) and all(BLOCK[1](changes) for changes in v.values()))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any, length: int | None = None) -> bool:
    return isinstance(value, tuple | list) and length in (None, len(value))


def _is_aim(value: Any) -> bool:
    return set(value) == {'metric', 'value'} and TEXT[1](value['metric']) and _is_number(value['value'])


def _is_start(value: Any) -> bool:
    one = [value[name] for name in ('weights', 'needs') if name in value]
    texts = [*one, *(value[name] for name in ('layout', 'beneath', 'classifier') if name in value)]
    published = 'layout' in value and 'needs' not in value
    return (
        set(value)
        <= {'weights', 'needs', 'skip', *(('layout', 'beneath', 'outputs', 'classifier') if published else ())}
        and (len(one) == 1 or published)
        and all(map(TEXT[1], texts))
        and _is_list(value.get('outputs', ()))
        and all(map(COUNT[1], value.get('outputs', ())))
        and _is_list(value.get('skip', ()))
    )


def _is_backbone(value: Any) -> bool:
    texts = [value.get('layout'), value.get('weights', '')]
    return set(value) <= {'model', 'layout', 'weights'} and BLOCK[1](value.get('model')) and all(map(TEXT[1], texts))


def _is_tuning(value: Any) -> bool:
    required, allowed = {'field', 'values', 'metric'}, {'field', 'values', 'metric', 'mode', 'overrides'}
    if not required <= set(value) <= allowed or not all(TEXT[1](value[name]) for name in ('field', 'metric')):
        return False
    numbers = _is_list(value['values']) and len(value['values']) > 0 and all(map(_is_number, value['values']))
    return numbers and value.get('mode', 'max') in ('min', 'max') and BLOCK[1](value.get('overrides', {}))
