"""What the page, the terminal and the index say about one run, worked out once from its `results.json` dict.

Every function takes whatever is there: a missing key leaves a gap, never an error.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxlab.measures.metrics import meaning, split_of
from jaxlab.report import goodput, statistics, wording
from jaxlab.report.curves import published_value

# fields that may be changed without the published value losing its meaning
HARMLESS = (
    'replica',
    'training.seed',
    'training.keep',
    'training.checkpoint',
    'training.snapshot',
    'training.steps_per_call',
    'training.eval_every',
    'parallel',
    'report',
    'worked.show',
    'data.source',
    'data.eval_batch_size',
)


@dataclasses.dataclass(frozen=True)
class MetricRow:
    """One metric of one split, ready to print."""

    name: str
    split: str
    metric: str
    value: str
    n: int
    interval: str
    method: str
    values: str


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """A published number beside the measured one."""

    name: str
    measured: str
    n: int
    published: str
    gap: str
    inside: str
    where: str
    note: str


def title(results: Mapping[str, Any]) -> str:
    """The experiment, and which of its variants."""
    name = str(results.get('name') or 'run')
    return f'{name}: {results["variant"]}' if results.get('variant') else name


def metric_rows(results: Mapping[str, Any]) -> list[MetricRow]:
    """All metrics, the test split first, the trainings' last; each with n and an interval that says what it is."""
    order = ('test', 'validation', 'train', '')
    names = sorted(results.get('metrics') or {}, key=lambda name: order.index(split_of(name)[0]))
    return [_metric_row(name, results) for name in names]


def _metric_row(name: str, results: Mapping[str, Any]) -> MetricRow:
    values = wording.values_of(results['metrics'][name])
    split, metric = split_of(name)
    interval = interval_of(name, results)
    spread = statistics.std(values)
    bounds, method = interval_text(interval), interval.method if interval else ''
    if spread == 0:
        bounds, method = '', f'equal in every {wording.repeated(results)}'
    return MetricRow(
        name,
        wording.SPLIT_WORDS[split],
        wording.words(metric),
        wording.plus_minus(statistics.mean(values), spread),
        len(values),
        bounds,
        method,
        wording.every(values, spread),
    )


def single_values(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(metric, value) where nothing was repeated and nothing was split (a worked computation), else nothing."""
    rows = metric_rows(results)
    if (results.get('data') or {}).get('examples') or any(row.n != 1 for row in rows):
        return []
    found = []
    for row in rows:
        value = statistics.mean(wording.values_of(results['metrics'][row.name]))
        whole = value == round(value) and abs(value) < 1e15
        found.append((row.metric, wording.number(round(value)) if whole else wording.number(value, 8)))
    return found


def interval_of(name: str, results: Mapping[str, Any]) -> statistics.Interval | None:
    """Student's interval over replicas, widened where the values are several splits of one data set; for one replica's
    share of things that were counted Wilson's."""
    values, metric = wording.values_of((results.get('metrics') or {}).get(name) or []), meaning(name)
    split = split_of(name)[0]
    # How many it counts, its task says; a run of an older version counted examples.
    examples = ((results.get('data') or {}).get('examples') or {}).get(split)
    total = round(results['counts'].get(name, 0)) if results.get('counts') else examples
    if len(values) == 1 and metric.share_of and total and 0 <= values[0] <= 1 and split != 'train':
        return statistics.wilson(values[0] * total, total)
    sizes = resampled(results)
    found = statistics.metric_interval(values, metric.bounded, shared=sizes[1] / sizes[0] if sizes else 0.0)
    return statistics.clipped(found, metric.low, metric.high)


def resampled(results: Mapping[str, Any]) -> tuple[int, int] | None:
    """Training and test examples where the values come from several splits of one data set, else None."""
    examples = (results.get('data') or {}).get('examples') or {}
    if not results.get('splits') or not examples.get('train') or not examples.get('test'):
        return None
    return examples['train'], examples['test']


def interval_text(interval: statistics.Interval | None) -> str:
    """`0.9834 to 0.9912`, empty without an interval."""
    if interval is None:
        return ''
    width = interval.high - interval.low
    ends = (wording.aligned(end, width) for end in (interval.low, interval.high))
    return ' to '.join(f'−{end[1:]}' if end.startswith('-') else end for end in ends)


def published_rows(results: Mapping[str, Any]) -> list[PublishedRow]:
    """Every published number with what was measured for it, if anything."""
    rows = []
    for name, entry in (results.get('published') or {}).items():
        target = published_value(entry)
        where, note = (str(entry.get(key) or '') if isinstance(entry, Mapping) else '' for key in ('where', 'note'))
        label = ' '.join(part for part in map(wording.words, split_of(name)) if part)
        values = wording.values_of((results.get('metrics') or {}).get(name) or [])
        if not values or target is None:
            shown = str(entry.get('value', '–') if isinstance(entry, Mapping) else entry)
            measured = wording.plus_minus(statistics.mean(values), statistics.std(values)) if values else 'not measured'
            rows.append(PublishedRow(label, measured, len(values), shown, '–', '', where, note))
            continue
        average, interval = statistics.mean(values), interval_of(name, results)
        inside = ''
        judged = not incomparable(results) and _comparable(entry)
        if interval is not None and judged:
            inside = 'inside' if interval.low <= target <= interval.high else 'outside'
        rows.append(
            PublishedRow(
                label,
                wording.plus_minus(average, statistics.std(values)),
                len(values),
                wording.number(target),
                wording.gap(average, target, name, statistics.std(values), judged),
                inside,
                where,
                note,
            )
        )
    return rows


def answer(results: Mapping[str, Any]) -> str:
    """The answer to the experiment's question in a sentence or two: the task's own, or made from the main metric."""
    if results.get('answer'):
        return str(results['answer'])
    name = wording.main_metric(results)
    if name is None:
        return ''
    values = wording.values_of(results['metrics'][name])
    label = wording.label(name)
    text = f'{wording.capital(label)}: {wording.plus_minus(statistics.mean(values), statistics.std(values))}'
    interval = interval_of(name, results)
    if len(values) > 1:
        bounds = interval_text(interval)
        bounds = f'; 95 % interval of the mean {bounds}' if bounds else ''
        text += f' ({wording.spread(results)}, n = {len(values)}{bounds}).'
    else:
        text += (
            ' (one replica, n = 1'
            + (f'; 95 % {interval.method} interval {interval_text(interval)}' if interval else '')
            + ').'
        )
    target = published_value((results.get('published') or {}).get(name))
    if target is None:
        return text
    entry, reason = (results.get('published') or {})[name], incomparable(results)
    judged = not reason and _comparable(entry)
    difference = wording.gap(statistics.mean(values), target, name, statistics.std(values), judged)
    text += f' Published: {wording.number(target)}' + (
        ' (equal).' if difference == 'equal' else f' (gap {difference}).'
    )
    return text + (f' {reason}' if reason else '')


def _comparable(entry: Any) -> bool:
    """Whether a published number may be judged by; its note says why not."""
    return not isinstance(entry, Mapping) or bool(entry.get('comparable', True))


def incomparable(results: Mapping[str, Any]) -> str:
    """Why measured and published numbers of this run do not answer the same question; empty if they may."""
    kind = wording.data_badge(results.get('data') or {})
    if kind:
        return f'Measured on {kind}: not comparable with the published value.'
    if results.get('profile') not in (None, 'full'):
        return f'Measured with the {results["profile"]} profile: not comparable with the published value.'
    changed = [
        row[0] for row in config_rows(results)[0] if row[2] == 'command line' and not row[0].startswith(HARMLESS)
    ]
    if changed:
        return f'Changed on the command line ({", ".join(changed)}): not comparable with the published value.'
    return ''


def badges(results: Mapping[str, Any]) -> list[str]:
    """What a reader must know before any number."""
    found = [wording.data_badge(results.get('data') or {})]
    if results.get('profile') not in (None, 'full'):
        found.append(f'{results["profile"]} profile: sizes are cut down')
    stopped = results.get('stopped')
    if stopped:
        reason = stopped.get('reason', '') if isinstance(stopped, Mapping) else stopped
        epoch = stopped.get('epoch') if isinstance(stopped, Mapping) else None
        found.append(f'stopped{f" at epoch {epoch}" if epoch is not None else ""}: {reason}')
    if results.get('adapted'):
        found.append('settings adapted to the data')
    return [badge for badge in found if badge]


def config_rows(results: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """(field, value, chosen by): those that somebody chose, and those left at their default."""
    rows = []
    for row in results.get('config_rows') or []:
        values = [row.get(key) for key in ('field', 'value', 'chosen_by')] if isinstance(row, Mapping) else list(row)
        field, value, chosen = [*values, '', '', ''][:3]
        rows.append((str(field), wording.config_value(value), str(chosen or 'default')))
    return [row for row in rows if row[2] != 'default'], [row for row in rows if row[2] == 'default']


class LayerRow(NamedTuple):
    """One layer of a network's table; statistics: parameters that are not trained; multiply_adds: of one example."""

    layer: str
    type: str
    output_shape: str
    parameters: int
    statistics: int
    multiply_adds: int


class Totals(NamedTuple):
    """Of whole networks; parameters include the statistics, as in Keras."""

    parameters: int
    statistics: int
    multiply_adds: int

    @property
    def trained(self) -> int:
        """Parameters without running statistics, as PyTorch counts them."""
        return self.parameters - self.statistics

    @property
    def untrained_words(self) -> str:
        """What to say of running statistics, where there are any."""
        if not self.statistics:
            return ''
        return (
            f', {wording.number(self.statistics)} of them running statistics ({wording.number(self.trained)} trained)'
        )


def network_totals(*networks: Sequence[LayerRow]) -> Totals:
    """Parameters, running statistics and multiply-adds of all of them."""
    rows = [row for network in networks for row in network]
    columns = ((row.parameters, row.statistics, row.multiply_adds) for row in rows)
    return Totals(*map(sum, zip(*columns, strict=True))) if rows else Totals(0, 0, 0)


def network_rows(rows: Sequence[Mapping[str, Any]]) -> list[LayerRow]:
    """One network's table, its cells ready to be shown."""
    return [
        LayerRow(
            str(row.get('path') or ''),
            str(row.get('type') or ''),
            shape_text(row.get('output_shape')),
            int(row.get('parameters') or 0),
            int(row.get('statistics') or 0),
            int(row.get('multiply_adds') or 0),
        )
        for row in rows
    ]


def shape_text(shape: Any) -> str:
    """`64 × 28 × 28 × 6`, or the text that is there."""
    if isinstance(shape, list | tuple):
        if any(isinstance(part, list | tuple) for part in shape):
            return ', '.join(shape_text(part) for part in shape)
        return ' × '.join(map(str, shape)) if shape else 'scalar'
    return '' if shape is None else str(shape)


def facts(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is needed to repeat the run: command, seeds, sizes, machine, versions."""
    device, versions = results.get('device') or {}, results.get('versions') or {}
    kind = device.get('kind') or device.get('platform')
    machine = ', '.join(
        str(part)
        for part in (
            f'{device["count"]} × {kind}' if device.get('count') else kind,
            f'platform {device["platform"]}' if device.get('platform') else None,
            f'{device["processors"]} processors' if device.get('processors') else None,
            f'float32 products: {results["matmul_precision"]}'
            if results.get('matmul_precision', 'default') != 'default'
            else None,
            'convolutions by oneDNN' if results.get('convolutions') == 'onednn' else None,
        )
        if part
    )
    speed = results.get('steps_per_second')
    rows = [
        ('specification', ', '.join(map(str, results.get('spec') or []))),
        ('configuration', str(results.get('config_id') or '')),
        ('profile', str(results.get('profile') or '')),
        ('seeds', ', '.join(map(str, results.get('seeds') or []))),
        ('epochs', wording.number(results['epochs']) if results.get('epochs') is not None else ''),
        ('restored', f'the state after epoch {results["restored"]["epoch"]}' if results.get('restored') else ''),
        ('steps', wording.number(results['steps']) if results.get('steps') is not None else ''),
        ('steps per epoch', wording.number(results['steps_per_epoch']) if results.get('steps_per_epoch') else ''),
        ('steps per second', wording.number(speed, 3) if speed else ''),
        ('device', machine),
        ('goodput', goodput.sentence(results)),
        ('digest of the parameters', str(results.get('params_digest') or '')),
        ('commit', str(results.get('commit') or '')),
        ('versions', ', '.join(f'{name} {version}' for name, version in versions.items())),
    ]
    return [(name, text) for name, text in rows if text]


def phases(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(phase, time, share) and the total."""
    parts = {str(name): float(value) for name, value in (results.get('phases') or {}).items() if value is not None}
    total = results.get('seconds') or sum(parts.values())
    if not total:
        return []
    rows = [
        (wording.words(name), wording.seconds(value), f'{100 * value / total:.0f} %') for name, value in parts.items()
    ]
    return [*rows, ('whole run', wording.seconds(total), '')]


def cost_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run takes: updates, operations and memory of one (`--mode=describe`)."""
    rows = []
    if results.get('steps_per_epoch'):
        steps = (
            f'{wording.number(results.get("steps"))} in {results.get("epochs")} epochs of {results["steps_per_epoch"]}'
        )
        rows.append(('updates', steps))
    if results.get('flops_per_step'):
        rows.append(('an update', f"{results['flops_per_step'] / 1e9:.3g} GFLOP (the compiler's count)"))
    memory = results.get('memory') or {}
    for name, words in (('state_bytes', 'state'), ('temporary_bytes', 'temporary'), ('data_bytes', 'data')):
        if memory.get(name):
            rows.append((f'memory, {words}', f'{memory[name] / 2**20:.1f} MiB'))
    return rows


def data_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Provenance of the data: source, licence, checksum, sizes of the splits."""
    data = results.get('data') or {}
    sizes = [
        f'{wording.SPLIT_WORDS.get(split, split)} {wording.number(size)}'
        for split, size in (data.get('examples') or {}).items()
    ]
    source = {
        'tfds': 'TensorFlow Datasets format',
        'files': "the distribution's own files",
        'embedded': 'ships with the packages',
    }
    rows = [
        ('name', data.get('name')),
        ('what it is', data.get('description')),
        ('source', source.get(str(data.get('source')), data.get('source'))),
        ('licence', data.get('licence')),
        ('checksum', data.get('checksum')),
        ('examples', ', '.join(sizes)),
    ]
    return [(name, str(text)) for name, text in rows if text]
