"""`python -m launch --list`: every experiment with its aim, data and published value. Imports neither jax nor numpy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import configfile


def experiments(folder: Path | None = None) -> list[dict[str, Any]]:
    """One row an experiment, by name."""
    folder = folder or configfile.main_folder()
    rows = []
    for path in sorted(folder.glob('*.py')):
        if path.stem in ('common', '__init__'):
            continue
        config = configfile.load(path, 'full')
        rows.append({
            'name': config.name,
            'aim': config.aim,
            'data': config.data.name,
            'spec': list(config.spec),
            'published': {metric: _value(entry) for metric, entry in config.published.items()},
            'config': str(path),
        })  # fmt: skip
    return rows


def _value(entry: Any) -> float:
    return entry['value'] if isinstance(entry, Mapping) or hasattr(entry, 'items') else entry


def show(rows: list[dict[str, Any]]) -> None:
    """A table that fits 80 columns."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f'{len(rows)} experiments', box=None, pad_edge=False, show_lines=False)
    for column, ratio in (('experiment', 5), ('question', 9), ('data', 3), ('published', 6)):
        table.add_column(column, ratio=ratio, overflow='fold')
    for row in rows:
        published = ', '.join(f'{metric} {value:g}' for metric, value in list(row['published'].items())[:2]) or '-'
        table.add_row(row['name'], row['aim'], row['data'], published)
    Console().print(table)
