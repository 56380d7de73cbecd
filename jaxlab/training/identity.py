"""Which config a checkpoint belongs to: the fields that the result depends on, and their hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError

# Fields that say nothing about the result: a run may be resumed with another value of them.
FREE = (
    'worked',  # they keep no checkpoint
    'aim',
    'spec',
    'theory',
    'limits',
    'published',
    'report',
    'profile',
    'parallel',
    'variants',
    'stand_in',
    'tuning',
    'split_seeds',
    'replica_form',
    'training.checkpoint_every',
    'training.checkpoint_minutes',
    'training.keep',
    'training.steps_per_call',
    'training.watch',
    'training.measure_train',
    'training.convolutions',
)


# Fields that came later: at these values they say what runs of before did, so that those can be gone on with.
NEUTRAL: Mapping[str, Any] = {
    'training.matmul_precision': 'default',
    'training.phases': [],
    'start': {},
    'data.buckets': 0,
}


GOING_ON = ', or --allow_config_change to go on from there'


def flat(config: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Dotted path -> value, as JSON would give it back."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        path = f'{prefix}{name}'
        if isinstance(value, Mapping) and value:
            found |= flat(value, f'{path}.')
        else:
            found[path] = json.loads(json.dumps(value, default=_plain))
    return found


def identity(config: Any) -> dict[str, Any]:
    """The fields that the result depends on."""
    fields = flat(config.to_dict()).items()
    return {path: value for path, value in fields if not _is_free(path) and NEUTRAL.get(path) != value}


def _is_free(path: str) -> bool:
    return any(path == free or path.startswith(f'{free}.') for free in FREE)


def config_id(config: Any) -> str:
    """A short hash of the identity."""
    return hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:16]


def check_same(mine: Mapping[str, Any], theirs: Mapping[str, Any], workdir: Path, fits: bool = True) -> None:
    """Refuses a workdir that holds checkpoints of another identity, naming the fields that differ.

    fits: whether the checkpoint's arrays are those of this config, so that it could go on from there.
    """
    differing = [
        f'{path} ({theirs.get(path, "not set")!r} there, {mine.get(path, "not set")!r} here)'
        for path in sorted(mine.keys() | theirs.keys())
        if mine.get(path) != theirs.get(path)
    ]
    if differing:
        fits = fits and mine.get('replicas') == theirs.get('replicas')
        going_on = GOING_ON if fits else ''
        raise UserError(
            f'{workdir} holds checkpoints of another config: {"; ".join(differing)}; valid: another --workdir, or --fresh '
            f'to start again beside it{going_on}'
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
