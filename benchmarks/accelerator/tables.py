"""Tables as text of 80 columns for the terminal and as Markdown for RESULTS.md."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 80


@dataclass(frozen=True)
class Table:
    """Cells are finished text; the first column is words, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def markdown(table: Table) -> str:
    """Title, table, notes; ready to be pasted."""
    lines = [f'**{table.title}**', '']
    if table.rows:
        lines += ['| ' + ' | '.join(table.columns) + ' |', '|---' * len(table.columns) + '|']
        lines += ['| ' + ' | '.join(cell.replace('|', '/') for cell in row) + ' |' for row in table.rows]
        lines.append('')
    lines += [f'- {note}' for note in table.notes]
    return '\n'.join(lines).rstrip() + '\n'


def text(table: Table) -> str:
    """The same for a terminal: numbers stand to the right; notes are wrapped."""
    lines = [*textwrap.wrap(table.title, WIDTH)]
    if table.rows:
        cells = [table.columns, *table.rows]
        widths = [max(len(row[place]) for row in cells) for place in range(len(table.columns))]
        for row in cells:
            numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append('  '.join(['', row[0].ljust(widths[0]), *numbers])[:WIDTH].rstrip())
    for note in table.notes:
        lines += textwrap.wrap(note, WIDTH, initial_indent='  ', subsequent_indent='    ')
    return '\n'.join(lines) + '\n'


def short(ms: float) -> str:
    """Milliseconds with three digits that count."""
    return f'{ms:.3g}' if ms < 100 else f'{ms:.0f}'
