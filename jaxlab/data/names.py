"""Names of classes and their order: the same whether they are folders, cells of a table or labels of texts."""

import re
from collections.abc import Iterable, Sequence


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Numbers as numbers (2 before 10, -1 before 0), then texts, the numbers inside of them as numbers too."""
    return tuple(sorted(names, key=_key))


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """Folders' names as names of classes: a number in front ('01_cat') goes where all have one and the rest tells them apart."""
    rests = [re.fullmatch(r'\d+[_. -]+(.*[^\W\d].*)', name) for name in names]
    plain = tuple(rest[1] for rest in rests if rest)
    return plain if len(set(plain)) == len(names) else tuple(names)


def _key(name: str) -> tuple:
    if re.fullmatch(r'[+-]?\d+(\.\d+)?', name, re.ASCII):
        return (0, float(name), (), name)
    parts = re.findall(r'([0-9]+)|([^0-9]+)', name)
    return (1, 0.0, tuple((0, int(digits), '') if digits else (1, 0, text) for digits, text in parts), name)
