"""Worked computations and their tables in the terminal, whole or sample by sample."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from jaxlab.figures import Figure, Worked


def show(figures: Sequence[Figure], how: str) -> None:
    """Prints them; with `step` it waits for Enter between the parts where a person sits in front of it."""
    if not figures:
        return
    from rich.console import Console

    from jaxlab.report import terminal

    console = Console(highlight=False)
    waits = how == 'step' and sys.stdin.isatty() and console.is_terminal
    for number, figure in enumerate(figures):
        for index, piece in enumerate(parts(figure) if how == 'step' else [figure]):
            if waits and (number or index) and not _go_on(console):
                return
            printer = terminal.print_worked if isinstance(piece, Worked) else terminal.print_table
            printer(piece, console)
            console.print()


def parts(figure: Figure) -> list[Figure]:
    """A worked computation cut where a sample begins; title on the first, note on the last."""
    if not isinstance(figure, Worked):
        return [figure]
    begins = sorted({0, *(index for index, step in enumerate(figure.steps) if step.part)}) + [len(figure.steps)]
    pieces = [list(figure.steps[first:last]) for first, last in zip(begins, begins[1:]) if last > first]
    return [
        dataclasses.replace(
            figure,
            steps=steps,
            title=figure.title if index == 0 else '',
            note=figure.note if index == len(pieces) - 1 else '',
        )
        for index, steps in enumerate(pieces)
    ]


def _go_on(console: Any) -> bool:
    """Waits for Enter; `q` or the end of the input leaves."""
    try:
        return console.input('Enter: next, q: end ').strip().lower() not in ('q', 'quit')
    except EOFError:
        return False
