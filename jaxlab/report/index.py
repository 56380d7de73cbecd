"""`runs/index.html`: all runs of a folder side by side."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jaxlab.files import path_of, write_file
from jaxlab.report import statistics, summary, wording
from jaxlab.report.curves import published_value
from jaxlab.report.filling import fill

DEEPEST = 3  # a run is at most this many folders below the index (experiment / variant / ...)


def write_index(runs_dir: Path) -> Path:
    """Reads every `results.json` below the folder and writes `index.html` into it; names the damaged ones."""
    runs_dir = path_of(runs_dir)
    rows, damaged = [], []
    for path in find_results(runs_dir):
        name = path.parent.relative_to(runs_dir).as_posix()
        try:
            results = json.loads(path.read_text(encoding='utf-8'))
            if not isinstance(results, dict):
                raise ValueError(f'holds a {type(results).__name__}, not an object')
            rows.append(_row(name, path.parent, runs_dir, results))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            damaged.append(f'{name}/results.json was skipped: {type(error).__name__}: {error}')
    for row, before in zip(rows[1:], rows, strict=False):  # variants of one experiment share its question: say it once
        row['aim'] = '' if row['question'] == before['question'] else row['aim']
    page = fill('index.html.j2', title='All runs', rows=rows, damaged=damaged)
    return write_file(runs_dir / 'index.html', page)


def find_results(runs_dir: Path) -> list[Path]:
    """The `results.json` files below the folder, in order of their names; hidden folders are left out."""
    found = [path for depth in range(1, DEEPEST + 1) for path in path_of(runs_dir).glob('*/' * depth + 'results.json')]
    visible = [path for path in found if not any(part.startswith('.') for part in path.relative_to(runs_dir).parts)]
    return sorted(visible, key=lambda path: path.parent.relative_to(runs_dir).parts)


def _row(name: str, folder: Path, runs_dir: Path, results: Mapping[str, Any]) -> dict[str, Any]:
    """One run as a row of the index: name, data, main metric, time."""
    main = wording.main_metric(results)
    values = wording.values_of(results['metrics'][main]) if main else []
    target = published_value((results.get('published') or {}).get(main)) if main else None
    spread = statistics.std(values)
    judged = not summary.incomparable(results)
    device = results.get('device') or {}
    return {
        'name': name,
        'links': _links(folder, runs_dir),
        'aim': str(results.get('aim') or ''),
        'question': str(results.get('aim') or ''),
        'metric': wording.label(main or ''),
        'measured': wording.plus_minus(statistics.mean(values), spread) if values else '–',
        'n': len(values) or '–',
        'published': wording.number(target) if target is not None else '–',
        'gap': wording.gap(statistics.mean(values), target, str(main), spread, judged)
        if values and target is not None
        else '–',
        'badges': summary.badges(results),
        'parameters': wording.number(results.get('parameters')),
        'time': wording.seconds(results.get('seconds')),
        'device': str(device.get('kind') or device.get('platform') or '–'),
        'commit': str(results.get('commit') or '–')[:10],
    }


def _links(folder: Path, runs_dir: Path) -> list[tuple[str, str]]:
    """(word, address) of the pages that the run has, relative to the index."""
    pages = (('report', 'report.html'), ('comparison', 'comparison.html'))
    return [
        (word, quote((folder / page).relative_to(runs_dir).as_posix()))
        for word, page in pages
        if (folder / page).is_file()
    ]
