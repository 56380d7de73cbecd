"""Every tensor is accounted for: used, or named in `skip`. What does not fit is said in one line."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.errors import UserError, closest

LISTED = 4  # names in a message, of each kind


def skips(skip: Sequence[str], name: str) -> bool:
    """Whether one of the regular expressions is found in the name."""
    return any(re.search(pattern, name) for pattern in skip)


def accounted(
    mine: Mapping[str, Any], weights: Mapping[str, np.ndarray], skip: Sequence[str], where: str
) -> dict[str, Any]:
    """`mine` (name -> array or shape) with the weights in its places; what `skip` names stays as it is.

    A `UserError` names what is missing, what is unexpected and what has another shape. where: what the weights are.
    """
    for pattern in skip:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UserError(f'{where}: skip {pattern!r} is not a regular expression ({error})') from error
    unexpected = [name for name in weights if name not in mine and not skips(skip, name)]
    wanted = [name for name in mine if not skips(skip, name)]
    missing = [name for name in wanted if name not in weights]
    misshapen = [name for name in wanted if name in weights and weights[name].shape != mine[name].shape]
    wrong = []
    if missing:
        wrong.append(f'lacks {_listed(missing)}')
    if unexpected:
        near = '' if missing else f'; {closest(unexpected[0], sorted(mine)[:20])}'
        wrong.append(f'the networks have no {_listed(unexpected)}{near}')
    if misshapen:
        shapes = [f'{name!r} ({weights[name].shape} there, {mine[name].shape} here)' for name in misshapen]
        wrong.append(f'another shape has {_listed(shapes, quoted=True)}')
    if wrong:
        raise UserError(f'{where}: {"; ".join(wrong)}; valid: weights that fit, or these names in skip')
    return {
        name: weights[name].astype(array.dtype) if name in weights and not skips(skip, name) else array
        for name, array in mine.items()
    }


def _listed(names: Sequence[str], quoted: bool = False) -> str:
    shown = ', '.join(name if quoted else repr(name) for name in names[:LISTED])
    return shown + (f' and {len(names) - LISTED} more' if len(names) > LISTED else '')
