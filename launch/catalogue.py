"""`python -m launch --list`: every experiment with its aim, data and published value. Imports neither jax nor numpy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxlab.experiments import config as configs


def experiments(folder: Path | None = None) -> list[dict[str, Any]]:
    """One row an experiment, by name."""
    folder = folder or configs.main_folder()
    rows = []
    for path in (folder / f'{name}.py' for name in configs.names(folder)):
        config = configs.load(path, 'full')
        rows.append(
            {
                'name': config.name,
                'aim': config.aim,
                'data': config.data.name,
                'spec': list(config.spec),
                'published': {metric: _value(entry) for metric, entry in config.published.items()},
                'config': str(path),
            }
        )
    return rows


def _value(entry: Any) -> float:
    return entry['value'] if isinstance(entry, Mapping) or hasattr(entry, 'items') else entry


def show(rows: list[dict[str, Any]]) -> None:
    """A table that fits 80 columns, names whole; where no terminal is, one line an experiment."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.width = max(console.width, 60)  # below it a table is broken letter by letter
    if not console.is_terminal:
        for row in rows:
            words = (row['name'], row['aim'], row['data'], _published(row))
            console.print('  '.join(word for word in words if word), markup=False, soft_wrap=True)
        return
    table = Table(title=f'{len(rows)} experiments', box=None, pad_edge=False, show_lines=False)
    table.add_column('experiment', no_wrap=True)
    table.add_column('question, data (published)', overflow='fold')
    for row in rows:
        known = f' ({_published(row)})' if row['published'] else ''
        table.add_row(row['name'], f'{row["aim"]} {row["data"]}{known}')
    console.print(table)


def _published(row: Mapping[str, Any]) -> str:
    """The first two published values."""
    named = list(row['published'].items())[:2]
    return ', '.join(f'{metric.replace("_", " ")} {value:g}' for metric, value in named)
