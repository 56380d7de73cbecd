"""Which parameters an option is for: paths such as `Dense_0/kernel`, kernels, and groups chosen by a pattern."""

import re
from collections.abc import Callable
from typing import Any

import jax

from jaxlab.errors import UserError

REST = 'rest'  # the label of every parameter that no pattern matches


def path_name(path: tuple) -> str:
    """`Dense_0/kernel` for jax's path of a leaf."""
    return '/'.join(str(getattr(entry, 'key', getattr(entry, 'name', getattr(entry, 'idx', entry)))) for entry in path)


def paths(params: Any) -> list[str]:
    """The paths of all leaves, in the tree's order."""
    return [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]


def is_kernel(path: str) -> bool:
    """Whether a leaf multiplies activations (kernel, embedding) as opposed to biases and scales of norms."""
    name = path.rsplit('/', 1)[-1]
    return 'kernel' in name or name == 'embedding'


def kernels(params: Any) -> Any:
    """True for kernels, False for other leaves: a mask for Optax."""
    return jax.tree_util.tree_map_with_path(lambda path, _: is_kernel(path_name(path)), params)


MASKS: dict[str, Callable | None] = {'all': None, 'kernels': kernels}


def group_name(number: int) -> str:
    """A group's label. Not its pattern: labels become names in a checkpoint, where a slash would be a folder."""
    return f'group_{number}'


def labeller(patterns: tuple[str, ...], where: str) -> Callable[[Any], Any]:
    """A function from parameters to labels: that of the first pattern that `re.search` finds in the path, or `REST`.

    It refuses a pattern that no parameter belongs to, with an error that starts with `where`: nobody would notice a
    layer that goes on training because its name is misspelt.
    """
    compiled = [_compile(pattern) for pattern in patterns]

    def label(path: tuple, _: Any) -> str:
        name = path_name(path)
        return next((group_name(i) for i, regex in enumerate(compiled) if regex.search(name)), REST)

    def labels(params: Any) -> Any:
        found = jax.tree_util.tree_map_with_path(label, params)
        used = set(jax.tree.leaves(found))
        for i, pattern in enumerate(patterns):
            if group_name(i) not in used:
                raise UserError(f'{where}: {_unused(pattern, paths(params))}')
        return found

    return labels


def _compile(pattern: str) -> re.Pattern:
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise UserError(f'optimizer.groups: {pattern!r} is not a regular expression ({error})') from None


def _unused(pattern: str, names: list[str]) -> str:
    if any(re.search(pattern, name) for name in names):
        return f'all that {pattern!r} matches is taken by an earlier pattern; valid: put it first'
    shown = ', '.join(names[:40]) + (f' and {len(names) - 40} more' if len(names) > 40 else '')
    return f'{pattern!r} matches no parameter; valid paths: {shown}'
