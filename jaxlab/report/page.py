"""`report.html` of one run: one file, no network, no script, readable without the code."""

import base64
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab import figures
from jaxlab.files import path_of, write_file
from jaxlab.report import seeds, summary, training_phases, wording
from jaxlab.report.curves import history_figures
from jaxlab.report.draw import draw, is_drawn
from jaxlab.report.filling import fill

Item = dict[str, Any]


def write_report(
    workdir: Path,
    results: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
    figures: Sequence[figures.Figure] = (),
) -> Path:
    """Writes `report.html` into the run's folder, and its pictures into `figures/`; returns the page's path.

    The order of the page is that of a reader's interest: question, answer, the first figure (of a worked computation all of
    them), curves, numbers, further figures, then theory, model, data, settings, limits.
    """
    folder = path_of(workdir) / 'figures'
    lines = (results.get('curves') or {}).get('lines')
    restored = (results.get('restored') or {}).get('epoch')
    curves = history_figures(history, results.get('published'), lines, restored) if history else []
    phases = training_phases.table(results)
    items = [item(figure, folder) for figure in (*figures, *((phases,) if phases else ()), *seeds.figures(results))]
    single = summary.single_values(results)
    first = len(items) if single else 1
    page = fill(
        'report.html.j2',
        title=summary.title(results),
        results=results,
        answer=summary.answer(results),
        badges=summary.badges(results),
        incomparable=summary.incomparable(results) if results.get('published') else '',
        data=summary.data_rows(results),
        networks=_networks(results),
        config=summary.config_rows(results),
        facts=summary.facts(results),
        phases=summary.phases(results),
        metrics=summary.metric_rows(results),
        repeated=wording.repeated(results),
        single=single,
        published=summary.published_rows(results),
        curves=[item(figure, folder) for figure in curves],
        lead=items[:first],
        items=items[first:],
    )
    return write_file(path_of(workdir) / 'report.html', page)


def item(figure: figures.Figure, folder: Path) -> Item:
    """One figure as the template wants it: a picture, a table, a worked computation, or why it could not be drawn."""
    common = {'name': figure.name, 'title': figure.title, 'note': figure.note}
    if isinstance(figure, figures.Table):
        rows, align = wording.table_cells(figure)
        return {**common, 'kind': 'table', 'columns': list(figure.columns), 'rows': rows, 'align': align}
    if isinstance(figure, figures.Worked):
        return {**common, 'kind': 'worked', 'steps': list(figure.steps)}
    try:
        path = draw(figure, folder) if is_drawn(figure) else None
    except Exception as error:  # a run of hours must not lose its report to one figure
        warnings.warn(f'figure {figure.name!r} could not be drawn: {error!r}', stacklevel=2)
        return {**common, 'kind': 'failed', 'error': f'{type(error).__name__}: {error}'}
    if path is None:
        return {**common, 'kind': 'failed', 'error': f'no drawing for {type(figure).__name__}'}
    kind = 'gif' if path.suffix == '.gif' else 'png'
    return {
        **common,
        'kind': 'picture',
        'source': f'data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}',
    }


def _networks(results: Mapping[str, Any]) -> list[Item]:
    """The model tables with their totals."""
    tables = []
    for name, rows in (results.get('networks') or {}).items():
        layers = summary.network_rows(rows)
        tables.append({'name': str(name), 'rows': layers, 'total': summary.network_totals(layers)})
    return tables
