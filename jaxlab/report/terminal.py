"""The report in short, for a terminal of 80 columns. Rich is imported when something is printed."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxlab.figures import Table, Worked
from jaxlab.report import formula, goodput, summary, training_phases, wording

if TYPE_CHECKING:
    from rich.console import Console

    from jaxlab.report.comparison import Comparison

LONGEST = 300  # characters of a formula with its numbers put in


NARROWEST = 60  # columns below which a table is broken letter by letter; a terminal then breaks its lines


def print_results(results: Mapping[str, Any], console: 'Console') -> None:
    """What came out: the answer, the metrics by split, published beside measured, where the time went."""
    _head(results, console)
    answer = summary.answer(results)
    if answer:
        console.print(_text(answer, 'bold'))
    _metrics(results, console)
    _phases(results, console)
    _published(results, console)
    for line in results.get('remarks') or []:
        console.print(_text(f'- {formula.plain(str(line))}'))
    parts = [f'{name} {time}' for name, time, _ in summary.phases(results)]
    if parts:
        console.print(_text('time: ' + ', '.join(parts), 'dim'))
    if results.get('goodput'):
        console.print(_text(f'goodput: {goodput.sentence(results)}', 'dim'))


def _metrics(results: Mapping[str, Any], console: 'Console') -> None:
    rows = summary.metric_rows(results)
    if not rows:
        return
    single = summary.single_values(results)
    if single:
        plain = _table((('quantity', '<'), ('value', '>')))
        for metric, value in single:
            plain.add_row(metric, value)
        console.print(plain)
        return
    table = _table((('split', '<'), ('metric', '<'), ('mean ± std', '>'), ('n', '>'), ('95 % interval', '<')))
    for row in rows:
        table.add_row(row.split, row.metric, row.value, str(row.n), row.interval or row.method or '–')
    console.print(table)
    methods = list(dict.fromkeys(row.method for row in rows if row.interval))
    if methods:
        console.print(_text(f'intervals: {"; ".join(methods)}; n: {wording.repeated(results)}s', 'dim'))


def _phases(results: Mapping[str, Any], console: 'Console') -> None:
    table = training_phases.table(results)
    if table is not None:
        print_table(table, console)


def _published(results: Mapping[str, Any], console: 'Console') -> None:
    rows = summary.published_rows(results)
    if not rows:
        return
    table = _table((('published', '<'), ('value', '>'), ('measured', '>'), ('gap', '<'), ('note', '<')))
    for row in rows:
        note = '; '.join(part for part in (row.note, row.where) if part)
        table.add_row(row.name, row.published, row.measured, row.gap, formula.plain(note))
    console.print(table)


def print_comparison(comparison: 'Comparison', console: 'Console') -> None:
    """The answers, what is equal, and the tables of a comparison of variants."""
    for line in comparison.answers:
        console.print(_text(line, 'bold'))
    for line in comparison.statements:
        console.print(_text(f'- {line}'))
    for table in comparison.tables:
        print_table(table, console)


def print_table(table: Table, console: 'Console') -> None:
    """One table of a report, its title above and its note below."""
    rows, align = wording.table_cells(table)
    console.print(_text(formula.plain(table.title), 'bold'))
    columns = [*table.columns, *[''] * (len(align) - len(table.columns))]
    printed = _table([(formula.plain(str(name)), side) for name, side in zip(columns, align, strict=True)])
    for row in rows:
        printed.add_row(*map(formula.plain, row))
    console.print(printed)
    if table.note:
        console.print(_text(formula.plain(table.note), 'dim'))


def print_worked(worked: Worked, console: 'Console') -> None:
    """A worked computation step by step: formula, numbers, result, as plain characters."""
    if worked.title:
        console.print(_text(formula.plain(worked.title), 'bold'))
    for number, step in enumerate(worked.steps, 1):
        if step.part:
            console.print(_text(formula.plain(step.part), 'bold'))
        mark = f'  [{formula.plain(step.mark)}]' if step.mark else ''
        console.print(_text(f'{number}. {formula.plain(step.what)}{mark}'))
        for latex, after in ((step.formula, ''), (step.numbers, step.formula)):
            line = formula.plain_formula(formula.continued(latex, after))
            if latex and len(line) <= LONGEST:
                _indented(line, 'cyan', console)
            elif latex:
                _indented('(the numbers are in the report)', 'dim', console)
        if step.result and formula.is_words(step.result):
            _indented(formula.plain(step.result), 'green', console)
        elif step.result:
            rows = formula.matrix_rows(step.result)
            result = formula.continued(step.result, step.formula or step.numbers)
            _indented('\n'.join(rows) if rows else formula.plain_formula(result), 'green', console)
    if worked.note:
        console.print(_text(formula.plain(worked.note), 'dim'))


def _indented(words: str, style: str, console: 'Console') -> None:
    """Text whose every line stands under the step's words."""
    for line in words.split('\n'):
        for part in textwrap.wrap(line, max(console.width - 5, 20)) or ['']:
            console.print(_text(f'     {part}', style))


def print_model_table(networks: Mapping[str, Sequence[Mapping[str, Any]]], console: 'Console') -> None:
    """Keras's summary, and multiply-adds; with totals. networks: as in `results['networks']`."""
    whole = 0
    for name, rows in networks.items():
        layers = summary.network_rows(rows)
        columns = (('layer (type)', '<'), ('output shape', '<'), ('parameters', '>'), ('multiply-adds', '>'))
        table = _table(columns, title=f'Network: {name}')
        for path, kind, shape, parameters, _, work in layers:
            row = (f'{path} ({kind})' if kind else path, shape, wording.number(parameters))
            table.add_row(*row, wording.number(work) if work else '')
        console.print(table)
        total = summary.network_totals(layers)
        whole += total.parameters
        cost = f'; {wording.number(total.multiply_adds)} multiply-adds an example' if total.multiply_adds else ''
        size = f'{wording.number(total.parameters)} ({_bytes(4 * total.parameters)} as float32)'
        console.print(_text(f'Parameters: {size}{total.untrained_words}{cost}'))
    if len(networks) > 1:
        console.print(_text(f'All networks: {wording.number(whole)} parameters'))


def print_describe(results: Mapping[str, Any], console: 'Console') -> None:
    """An experiment before or after it ran: aim, data, theory, model, who chose which setting, published numbers."""
    _head(results, console)
    _facts('Data', summary.data_rows(results), console)
    _facts('Cost', summary.cost_rows(results), console)
    for note in (results.get('data') or {}).get('notes') or []:
        console.print(_text(f'- {formula.plain(str(note))}', 'dim'))
    if results.get('theory'):
        console.print(_text('Theory', 'bold'))
        for line in results['theory']:
            console.print(_text(f'- {formula.plain(str(line))}'))
    if results.get('networks'):
        print_model_table(results['networks'], console)
    _phases(results, console)
    chosen, default = summary.config_rows(results)
    if chosen:
        table = _table((('setting', '<'), ('value', '<'), ('chosen by', '<')))
        for row in chosen:
            table.add_row(*row)
        console.print(table)
    if default:
        console.print(_text(f'{len(default)} further fields at their default', 'dim'))
    _published(results, console)
    for line in results.get('limits') or []:
        console.print(_text(f'- {formula.plain(str(line))}'))


def _head(results: Mapping[str, Any], console: 'Console') -> None:
    """Name, aim, and what a reader must know before any number."""
    console.rule(_text(summary.title(results), 'bold'), align='left')
    if results.get('aim'):
        console.print(_text(formula.plain(str(results['aim'])), 'italic'))
    for badge in summary.badges(results):
        console.print(_text(f'! {badge}', 'yellow'))


def _facts(title: str, rows: Sequence[tuple[str, str]], console: 'Console') -> None:
    if not rows:
        return
    console.print(_text(title, 'bold'))
    width = max(len(name) for name, _ in rows)
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 2))
    grid.add_column(width=width)
    grid.add_column(overflow='fold')
    for name, text in rows:
        grid.add_row(_text(name, 'dim'), _text(text))
    console.print(grid)


def _table(columns: Sequence[tuple[str, str]], title: str = '') -> Any:
    """A light table; cells are plain text (a `[` in a value is no markup), long ones are folded, never cut."""
    from rich import box
    from rich.table import Table as RichTable

    class PlainTable(RichTable):
        def add_row(self, *cells: Any, **options: Any) -> None:
            super().add_row(*[_text(str(cell)) for cell in cells], **options)

    table = PlainTable(box=box.SIMPLE_HEAD, title=title or None, title_justify='left', padding=(0, 1, 0, 0))
    for name, side in columns:
        table.add_column(_text(name), justify='right' if side == '>' else 'left', overflow='fold', no_wrap=side == '>')
    return table


def _text(words: str, style: str = '') -> Any:
    """Text that is printed as it is: no markup, no highlighting."""
    from rich.text import Text

    return Text(words, style=style)


def _bytes(size: int) -> str:
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if size < 1024 or unit == 'GiB':
            return f'{size:.0f} {unit}' if unit == 'B' else f'{size:.1f} {unit}'
        size /= 1024  # type: ignore[assignment]
    return ''
