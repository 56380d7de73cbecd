"""Errors that a user can cause and mend: one clear line, exit code 2, no traceback."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class UserError(Exception):
    """What is wrong, where, and what is valid, in one line."""


def closest(name: str, valid: Iterable[str]) -> str:
    """Words the suggestion for a misspelt name: `did you mean 'adam'? valid: adam, sgd`."""
    names = [str(item) for item in valid]
    listed = 'valid: ' + ', '.join(names)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f'did you mean {near[0]!r}? {listed}' if near else listed


def lookup(table: Mapping[str, Any], name: str, what: str) -> Any:
    """The entry of an explicit table, or a `UserError` that names the closest one."""
    if name not in table:
        raise UserError(f'unknown {what} {name!r}; {closest(name, sorted(table))}')
    return table[name]
