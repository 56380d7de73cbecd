"""From a source's parts to splits: rules, limits, and the check that they are disjoint."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.data import splits as rules
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Split
from jaxlab.errors import UserError, closest

SPLIT_RULES = ('official', 'pooled')
HASH_LIMIT = 2 << 30  # bytes of examples above which contents are not compared


def make_splits(raw: Raw, settings: Mapping[str, Any]) -> dict[str, Split]:
    """Train, validation and test by the rule in `settings` (the defaults of `load` filled in)."""
    rule, seed = settings['split'], settings['split_seed']
    if rule not in SPLIT_RULES:
        raise UserError(f'unknown data.split {rule!r}; {closest(rule, SPLIT_RULES)}')
    # Images without an official split are always divided class by class.
    stratify = settings['stratify'] or ('all' in raw.parts and raw.by_class)
    if set(raw.parts) == {'train'} and (rule == 'pooled' or settings['validation_fraction']):
        raise UserError("data: this set is whole and has no split; leave split 'official' and validation_fraction 0")
    if 'all' in raw.parts or rule == 'pooled':
        whole = pool(list(raw.parts.values()))
        rest, test = _divide(whole, settings['test_fraction'], seed, stratify, 'test_fraction', raw.in_order)
        parts = {'train': rest, 'test': test}
    else:
        parts = dict(raw.parts)
    if settings['validation_fraction'] and 'validation' not in parts and settings['validation_from'] == 'test':
        validation, test = _divide(
            parts['test'], 1 - settings['validation_fraction'], seed, stratify, 'validation_fraction', raw.in_order
        )
        parts |= {'validation': validation, 'test': test}
    elif settings['validation_fraction'] and 'validation' not in parts:
        train, validation = _divide(
            parts['train'], settings['validation_fraction'], seed, stratify, 'validation_fraction', raw.in_order
        )
        parts |= {'train': train, 'validation': validation}
    parts = {name: parts[name] for name in ('train', 'validation', 'test') if name in parts}
    limits = {'train': settings['limit'], 'validation': settings['eval_limit'], 'test': settings['eval_limit']}
    return {name: limited(part, limits[name], seed) for name, part in parts.items()}


def pool(parts: list[Split]) -> Split:
    """One split that holds the parts one after the other."""
    if len(parts) == 1:
        return parts[0]
    origin = np.concatenate([part.origin for part in parts])
    labels, groups = _joined([part.labels for part in parts]), _joined([part.groups for part in parts])
    held = [part.arrays for part in parts if part.arrays is not None]
    if len(held) < len(parts):
        return Split(len(origin), None, origin, parts[0].reader, labels, groups)
    arrays = {name: np.concatenate([one[name] for one in held]) for name in held[0]}
    return Split(len(origin), arrays, origin, labels=labels, groups=groups)


def _joined(known: list[np.ndarray | None]) -> np.ndarray | None:
    """One array of those of all parts; None where a part has none."""
    there = [one for one in known if one is not None]
    return np.concatenate(there) if len(there) == len(known) else None


def _divide(
    part: Split, fraction: float, seed: int, stratify: bool, field: str, in_order: int = 0
) -> tuple[Split, Split]:
    size = part.size if part.groups is None else len(np.unique(part.groups))
    held = rules.held_out(size, fraction)
    if not 0 < held < size:
        raise UserError(
            f'data.{field}={fraction} of {size:,} examples leaves nothing on one side; valid: a share that leaves one there'
        )
    if in_order:
        border = part.size - held
        return part.take(np.arange(max(border - in_order + 1, 1))), part.take(np.arange(border, part.size))
    if part.groups is not None:
        rest, out = rules.grouped(part.groups, fraction, seed)
    elif stratify and part.labels is not None and np.ndim(part.labels) == 1:
        rest, out = rules.stratified(part.labels, fraction, seed)
    else:
        rest, out = rules.permuted(part.size, fraction, seed)
    return part.take(rest), part.take(out)


def limited(part: Split, limit: int, seed: int) -> Split:
    """The split, or `limit` of its examples: the first of a seeded permutation, kept in the split's own order.

    (Not simply the first, because folders come sorted by class; a larger limit contains the smaller one's examples.)
    """
    if not limit or limit >= part.size:
        return part
    return part.take(np.sort(np.random.RandomState(seed).permutation(part.size)[:limit]))


def disjointness_note(splits: Mapping[str, Split]) -> str:
    """Asserts that no example lies in two splits, and says how many contents do."""
    names = list(splits)
    for at, name in enumerate(names):
        for other in names[at + 1 :]:
            common = np.intersect1d(splits[name].origin, splits[other].origin)
            assert common.size == 0, f'{name} and {other} share {common.size} examples'
    if len(names) < 2:
        return ''
    held = [array for part in splits.values() if part.arrays is not None for array in part.arrays.values()]
    if any(part.arrays is None for part in splits.values()) or sum(array.nbytes for array in held) > HASH_LIMIT:
        return f'{_words(names)} are disjoint by example; their contents were not compared.'
    shared = overlaps(splits)
    if not shared:
        return f'{_words(names)} are disjoint, by example and by content.'
    found = '; '.join(f'{count:,} of {b} also in {a}' for (a, b), count in shared.items())
    return f'{_words(names)} are disjoint by example, but equal contents occur: {found}.'


def overlaps(splits: Mapping[str, Split]) -> dict[tuple[str, str], int]:
    """(split, later split) -> how many examples of the later one have inputs that occur in the former, where any do."""
    prints = {name: _fingerprints(part) for name, part in splits.items()}
    names = list(splits)
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    counts = {(a, b): sum(value in known for value in prints[b]) for a, b in pairs for known in [set(prints[a])]}
    return {pair: count for pair, count in counts.items() if count}


def _fingerprints(part: Split) -> list[bytes]:
    named = (part.arrays or {}).items()
    inputs = [np.ascontiguousarray(values) for name, values in named if name not in ('label', 'target')]
    return [
        hashlib.blake2b(b''.join(values[row].tobytes() for values in inputs), digest_size=16).digest()
        for row in range(part.size)
    ]


def _words(names: list[str]) -> str:
    return (' and '.join(names) if len(names) < 3 else f'{", ".join(names[:-1])} and {names[-1]}').capitalize()
