"""`comparison.html`: variants of one experiment side by side, differences with interval and test."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.figures import Figure, Lines, Table
from jaxlab.files import path_of, write_file
from jaxlab.measures.metrics import split_of
from jaxlab.report import same_examples, statistics, summary, wording
from jaxlab.report.filling import fill
from jaxlab.report.page import item
from jaxlab.report.variant_curves import overlaid, variant_curves

Runs = Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `write_comparison` made: the page, and its content for the terminal."""

    path: Path
    answers: Sequence[str]
    statements: Sequence[str]
    tables: Sequence[Table]
    figures: Sequence[Figure]


def write_comparison(
    workdir: Path,
    runs: Runs,
    reference: str,
    histories: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
    judged: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Compares the runs (variant's name -> its results) with the reference; writes `comparison.html`.

    kept: variant -> curves of its report (`variant_curves.curves_to_keep`) that are laid over one another.
    judged: variant -> which examples it has right (`same_examples.to_keep`).
    """
    if reference not in runs:
        raise ValueError(f'reference {reference!r} is none of the runs: {", ".join(runs)}')
    names = shared_metrics(runs)
    tables = [table for table in (differing_fields(runs), metric_table(runs, names)) if table.rows]
    tests = difference_table(runs, reference, names), same_examples.table(judged or {}, reference), cost_table(runs)
    tables += [table for table in tests if table.rows]
    moved = [name for name in names if name == names[0] or not _equal_everywhere(runs, name)]
    shown = moved[: max(4, len(_chosen(runs)))]
    figures: list[Figure] = [*(points(runs, name) for name in shown), *overlaid(kept or {})]
    figures += variant_curves(histories or {}, runs, moved)
    made = Comparison(
        path_of(workdir) / 'comparison.html', answers(runs, reference, names), statements(runs), tables, figures
    )
    first = runs[reference]
    page = fill(
        'comparison.html.j2',
        title=f'{first.get("name") or "runs"}: {len(runs)} variant{"s compared" if len(runs) > 1 else ""}',
        aim=first.get('aim'),
        answers=made.answers,
        statements=made.statements,
        badges=list(dict.fromkeys(badge for run in runs.values() for badge in summary.badges(run))),
        tables=[item(table, path_of(workdir)) for table in tables],
        figures=[item(figure, path_of(workdir) / 'figures') for figure in figures],
        commands=list(dict.fromkeys(str(run['command']) for run in runs.values() if run.get('command'))),
    )
    write_file(made.path, page)
    return made


def shared_metrics(runs: Runs) -> list[str]:
    """The metrics that all runs have: the main one, then those that the experiment names, or else all but the training's."""
    first = next(iter(runs.values()))
    order = [wording.main_metric(first), *_chosen(runs)]
    names = [n for n in first.get('metrics') or {} if all(n in (run.get('metrics') or {}) for run in runs.values())]
    judged = [name for name in names if split_of(name)[0] != 'train'] or names
    if len(order) > 1:
        return [name for name in dict.fromkeys(order) if name is not None and name in names]
    return sorted(judged, key=lambda name: (name != order[0], split_of(name)[0] != 'test'))


def _chosen(runs: Runs) -> Sequence[str]:
    """The metrics that `report.options.compared` names, in its order."""
    return next(iter(runs.values())).get('compared') or ()


def differing_fields(runs: Runs) -> Table:
    """Only the config fields whose values are not the same in all runs."""
    fields: dict[str, dict[str, str]] = {}
    for variant, run in runs.items():
        for field, value, _ in [row for part in summary.config_rows(run) for row in part]:
            fields.setdefault(field, {})[variant] = value
    rows = [
        (field, *(values.get(variant, '–') for variant in runs))
        for field, values in fields.items()
        if len({values.get(variant, '–') for variant in runs}) > 1 and field not in ('name', 'variant', 'variants')
    ]
    note = 'Every other field is the same in all variants.'
    return Table('differing_fields', 'What differs: configuration fields', note, ('field', *runs), rows)


def metric_table(runs: Runs, names: Sequence[str]) -> Table:
    """Every shared metric of every variant with its interval."""
    first = next(iter(runs.values()))
    rows, methods = [], []
    for name in names:
        everywhere = len(runs) > 1 and name != names[0] and _equal_everywhere(runs, name)
        shared = {'all': first} if everywhere else runs
        for position, (variant, run) in enumerate(shared.items()):
            row = next(row for row in summary.metric_rows(run) if row.name == name)
            shown = row.interval or row.method or '–'
            methods += [row.method] if row.interval else []
            rows.append(('' if position else wording.label(name), variant, row.value, row.n, shown))
    spread = wording.spread(first)
    note = f'{wording.capital(spread)}; n: {wording.repeated(first)}s.'
    if methods:
        note += f' Intervals: {"; ".join(dict.fromkeys(methods))}.'
    columns = ('metric', 'variant', 'mean ± std', 'n', '95 % interval')
    return Table('variant_metrics', 'Each variant by itself', note, columns, rows, align='<<>><')


def difference_table(runs: Runs, reference: str, names: Sequence[str]) -> Table:
    """Differences to the reference with interval and test; Holm's correction over the variants of one metric."""
    rows, tests, equal = [], [], []
    others = [variant for variant in runs if variant != reference]
    several = len(others) > 1
    for name in names:
        differences = {variant: difference(runs, variant, reference, name) for variant in others}
        if name != names[0] and _equal_everywhere(runs, name):
            equal.append(wording.label(name))
            continue
        holm = statistics.holm([each.test.p for each in differences.values()])
        for position, (variant, each) in enumerate(differences.items()):
            interval = summary.interval_text(each.interval) or '–'
            cells = (
                '' if position else wording.label(name),
                variant,
                _signed(each),
                interval,
                wording.p_value(each.test.p),
            )
            rows.append((*cells, wording.p_value(holm[position])) if several else cells)
            tests.append(_remark(each))
    note = 'Difference: variant minus reference. '
    note += ' '.join(f'Test, two-sided: {test}.' for test in dict.fromkeys(tests))
    note += f" Holm's correction counts the {len(others)} comparisons of one metric." if several else ''
    note += f' The same value in every replica of all variants: {", ".join(equal)}.' if equal else ''
    columns = ('metric', 'variant', 'difference', '95 % interval', 'p', *(('p (Holm)',) if several else ()))
    said = [at for at in range(len(columns)) if at < 3 or any(row[at] != '–' for row in rows)]  # of one seed no tests
    kept = [tuple(row[at] for at in said) for row in rows]
    shown, align = [columns[at] for at in said], ''.join('<<><>>'[at] for at in said)
    return Table('differences', f'Differences to {reference}', note, shown, kept, align=align)


def _equal_everywhere(runs: Runs, name: str) -> bool:
    found = [wording.values_of(run['metrics'][name]) for run in runs.values()]
    return all(values == found[0] for values in found)


def _signed(each: statistics.Difference) -> str:
    spread = each.interval.high - each.interval.low if each.interval else math.nan
    size = wording.aligned(abs(each.mean), spread)
    return size if each.mean == 0 else f'{"+" if each.mean > 0 else "−"}{size}'


def difference(runs: Runs, variant: str, reference: str, name: str) -> statistics.Difference:
    """Paired where the seeds (or the splits) are the same, Welch's comparison where they are not."""
    values, base = (wording.values_of(runs[each]['metrics'][name]) for each in (variant, reference))
    if paired(runs, variant, reference) and len(values) == len(base):
        sizes = summary.resampled(runs[variant])
        if len(values) > 1 and sizes:
            return statistics.nadeau_bengio([a - b for a, b in zip(values, base, strict=True)], *sizes)
        if len(values) > 1:
            return statistics.paired(values, base)
        nothing = statistics.Test(math.nan, 1, math.nan, 'no test', 'one replica: no spread, no test')
        return statistics.Difference(values[0] - base[0], None, nothing)
    return statistics.welch(values, base)


def paired(runs: Runs, variant: str, reference: str) -> bool:
    """Whether replica k of both runs has the same seed."""
    seeds = runs[variant].get('seeds')
    return seeds == runs[reference].get('seeds')


def cost_table(runs: Runs) -> Table:
    """What each variant costs: parameters, multiply-adds, steps, throughput, time."""
    totals = {variant: _totals(run) for variant, run in runs.items()}
    rows = [
        (
            variant,
            totals[variant].trained or run.get('parameters'),
            wording.magnitude(totals[variant].multiply_adds),
            run.get('epochs'),
            run.get('steps'),
            wording.number(run.get('steps_per_second'), 3),
            wording.seconds(run.get('seconds')),
        )
        for variant, run in runs.items()
        if run.get('seconds') is not None or run.get('parameters') is not None
    ]
    columns = ('variant', 'parameters', 'MACs', 'epochs', 'steps', 'steps/s', 'time')
    untrained = any(total.statistics for total in totals.values())
    note = ('Parameters without running statistics. ' if untrained else '') + (
        'MACs: multiply-adds of one example, forward. Steps/s: of all replicas together, compilation excluded. '
        'Time of the whole run.'
    )
    return Table('variant_costs', 'What each variant costs', note, columns, rows, align='<>>>>>>')


def _totals(run: Mapping[str, Any]) -> summary.Totals:
    return summary.network_totals(*map(summary.network_rows, (run.get('networks') or {}).values()))


def points(runs: Runs, name: str) -> Lines:
    """All values of all variants; a thin line joins the points of one seed, or of one split, where there are several."""
    values = [wording.values_of(run['metrics'][name]) for run in runs.values()]
    replicas = max(map(len, values))
    y = np.full((replicas, len(runs)), math.nan)
    for column, each in enumerate(values):
        y[: len(each), column] = each
    of = 'splits' if all('splits' in run for run in runs.values()) else 'seeds'
    what, single = ('means on one split each', 'split') if of == 'splits' else ('replicas', 'seed')
    same = _dig_all_equal(runs, (of,))
    label = wording.label(name)
    joined = same and replicas > 1 and len(runs) > 1
    apart = '' if same else f'{of} differ between variants; '
    lines = f'thin lines join those of one {single}; thick' if joined else f'{apart}large'
    note = f'n = {replicas} {what}, for every variant; {lines}: the mean.' if replicas > 1 else 'n = 1 each.'
    return Lines(
        f'variants_{name}',
        f'{wording.capital(label)} of the variants',
        note,
        {'replicas': (np.arange(len(runs)), y)},
        '',
        label,
        markers=True,
        joined=joined,
        x_names=tuple(runs),
    )


def statements(runs: Runs) -> list[str]:
    """In words: what all runs share, and what they do not."""

    def same(*keys: str) -> bool:
        found = [_dig(run, keys) for run in runs.values()]
        return all(each == found[0] for each in found) and found[0] is not None

    said = []
    if same('splits'):
        one = next(iter(runs.values()))['splits']
        said.append(
            f'Same splits of the data in every variant (data.split_seed {", ".join(map(str, one["seeds"]))}): a value is '
            f'{wording.of_one_split(one["replicas"])} on one split, n counts splits, and splits are pairs. Splits of one data '
            'set overlap: intervals and tests allow for it (Nadeau and Bengio 2003).'
        )
    elif same('seeds'):
        seeds = ', '.join(map(str, next(iter(runs.values()))['seeds']))
        said.append(f'Same seeds in every variant ({seeds}): replicas are pairs.')
    else:
        said.append("The seeds differ: replicas are no pairs, and Welch's test is used.")
    data = same('data', 'examples') and same('data', 'source') and _dig_all_equal(runs, ('data', 'checksum'))
    batches = len({_field(run, 'data.batch_size') for run in runs.values()}) == 1
    if data and same('seeds'):
        said.append(
            'Same data, same order of the examples' + (', same batches.' if batches else '; the batch size differs.')
        )
    else:
        said.append(
            'Same data.' if data else 'The data differ: a difference in a metric need not come from the method.'
        )
    if same('networks') and same('seeds'):
        said.append('Same networks and seeds: each pair starts from the same parameters.')
    elif not same('networks') and any(run.get('networks') for run in runs.values()):
        said.append('The networks differ, so they cannot start from the same parameters.')
    if not _dig_all_equal(runs, ('steps',)):
        said.append('The number of training steps differs.')
    if not _dig_all_equal(runs, ('device',)) or not _dig_all_equal(runs, ('versions',)):
        said.append('The machines or the versions differ: compare times with care.')
    return said


def answers(runs: Runs, reference: str, names: Sequence[str]) -> list[str]:
    """One sentence a variant: how far the main metric lies from the reference's, and what the test can say."""
    if not names:
        return []
    said = []
    for variant in runs:
        if variant == reference:
            continue
        each = difference(runs, variant, reference, names[0])
        spread = each.interval.high - each.interval.low if each.interval else math.nan
        place = 'above' if each.mean > 0 else 'below'
        text = f'{variant}: {wording.label(names[0])} {wording.aligned(abs(each.mean), spread)} {place} {reference}'
        text = f'{variant}: {wording.label(names[0])} equal to {reference}' if each.mean == 0 else text
        if each.interval:
            interval, p = summary.interval_text(each.interval), wording.p_value(each.test.p)
            text += f' (95 % interval {interval}; p = {p}, {_remark(each)})'
        else:
            text += f' ({_remark(each)})'
        said.append(text + '.')
    return said


def _remark(each: statistics.Difference) -> str:
    return '; '.join(part for part in (each.test.method, each.test.remark) if part and part != 'no test')


def _dig(run: Mapping[str, Any], keys: Sequence[str]) -> Any:
    found: Any = run
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _dig_all_equal(runs: Runs, keys: Sequence[str]) -> bool:
    found = [_dig(run, keys) for run in runs.values()]
    return all(each == found[0] for each in found)


def _field(run: Mapping[str, Any], field: str) -> str | None:
    return next((value for part in summary.config_rows(run) for name, value, _ in part if name == field), None)
