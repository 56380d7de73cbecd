"""The parts that time whole training steps: the table of models, replicas, bfloat16. Rows are `benchmarks.worker`s."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accelerator.budget import Budget
from benchmarks.accelerator.context import Context
from benchmarks.accelerator.tables import Table, short
from benchmarks.problems import PROBLEMS, rounding
from benchmarks.rounds import Plan, Row, measure, spread
from benchmarks.train_step import OURS, summary

COUNTS = (1, 5, 25)
REPLICATED = ('mlp', 'lenet')
HALVED = ('resnet18', 'transformer', 'dcgan')
TINY = ('mlp',)  # models of every part in a rehearsal
WEIGHTS = {'resnet18': 2.0, 'dcgan': 1.5}  # of the time: what takes longest to compile
PEERS = ('torch_eager', 'torch_fused', 'torch_channels_last', 'torch_compile', 'torch_graphs')


def peers(model: str) -> list[str]:
    """PyTorch's rows of a model: another layout means something for images only, and CUDA graphs cannot hold a GAN's
    step (one compiled part feeds another)."""
    left_out = {
        'torch_channels_last': not PROBLEMS[model].image,
        'torch_graphs': PROBLEMS[model].kind != 'classification',
    }
    return [row for row in PEERS if not left_out.get(row, False)]


def timed(rows: Sequence[tuple[str, str]], context: Context, budget: Budget) -> list[Row]:
    """Some rows at once: most of the budget may go to starting and compiling, the rest to rounds."""
    rounds, seconds = (2, 0.02) if context.tiny else (7, 0.3)
    handle, turn = tempfile.mkstemp()
    os.close(handle)
    plan = Plan(
        rounds,
        seconds,
        context.verbose,
        end=budget.end,
        ready_by=time.monotonic() + 0.85 * budget.left,
        together=True,
        environment=context.environment,
        words=(f'--turn={turn}',) if context.platform != 'cpu' else (),
    )
    try:
        return measure(rows, plan, context.setting)
    finally:
        Path(turn).unlink()


def shares(names: Iterable[str], context: Context, budget: Budget) -> Iterator[tuple[str, Budget]]:
    """Each model, with its part of the time."""
    return budget.shares({name: WEIGHTS.get(name, 1.0) for name in (TINY if context.tiny else names)})


def failure(result: dict[str, Any]) -> str:
    """Which of jaxlab's own rows have no number, or ''. A peer without one is a note."""
    missing = []
    for entry in result['entries']:
        notes = {row: note for row, note in entry['notes'].items() if row in map(str, COUNTS) or row.startswith(OURS)}
        missing += [f'{entry["model"]}, {row}: {note}' for row, note in notes.items()]
    return '; '.join(missing)[:300]


# ---- the table of models ----------------------------------------------------------------------------------------------
def table(context: Context, budget: Budget) -> dict[str, Any]:
    """Every model: jaxlab, stock Flax and PyTorch in one run."""
    why = context.machine['no_torch']
    result: dict[str, Any] = {'products': products(context), 'no_torch': why, 'entries': []}
    for name, share in shares(PROBLEMS, context, budget):
        asked = [OURS, *(['flax'] if PROBLEMS[name].stock else []), *([] if why else peers(name))]
        workers = timed([(name, row) for row in asked], context, share)
        entry = summary(name, workers)
        del entry['aim']  # that of a CPU
        entry |= {'batch': context.setting.problem(name).batch, 'rounds': len(workers[0].ms)}
        entry['notes'] |= dict.fromkeys(peers(name), why) if why else {}
        entry['rounding'] = {worker.name: rounding(worker.errors) for worker in workers if worker.errors}
        entry['errors'] = {worker.name: worker.errors for worker in workers if worker.errors}
        result['entries'].append(entry)
        context.save(result)
    return result


def products(context: Context) -> str:
    """How float32 products are rounded, on both sides."""
    if context.platform == 'cpu':
        return 'float32'
    return 'TF32 allowed' if context.tf32 else 'float32 (TF32 off)'


def wide_table(result: dict[str, Any]) -> Table:
    """One row a model, for RESULTS.md."""
    columns = (
        'model, ms a step',
        OURS,
        'stock Flax',
        *(row.removeprefix('torch_').replace('_', ' ') for row in PEERS),
        'jaxlab / best of PyTorch',
        'jaxlab / Flax',
    )
    rows = []
    for entry in result['entries']:
        cells = [short(entry['rows'][row]) if row in entry['rows'] else '-' for row in (OURS, 'flax', *PEERS)]
        ratios = ratio_words(entry), _number(entry.get('ratio_to_flax'))
        rows.append([f'{entry["title"]}, batch {entry["batch"]}', *cells, *ratios])
    return Table('Whole training steps', columns, rows, table_notes(result))


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'


def ratio_words(entry: dict[str, Any]) -> str:
    """The ratio with its range over rounds, and to which row."""
    if 'ratio_to_best_torch' not in entry:
        return '-'
    best = entry['best_torch'].removeprefix('torch_').replace('_', ' ')
    return f'{entry["ratio_to_best_torch"]:.2f} [{entry["ratio_low"]:.2f}-{entry["ratio_high"]:.2f}] ({best})'


def table_notes(result: dict[str, Any]) -> list[str]:
    """What must be known of these numbers."""
    found = sorted({kind for entry in result['entries'] for kind in entry['rounding'].values()})
    notes = [
        'Median of rounds in which all rows take turns; below 1, jaxlab is the faster. float32 products on both sides: '
        f'{result["products"]}; a product and a convolution measured in every row were rounded as {", ".join(found)}.'
    ]
    for entry in result['entries']:
        kinds = set(entry['rounding'].values())
        if len(kinds) > 1:
            words = ', '.join(f'{row} {kind}' for row, kind in entry['rounding'].items())
            notes.append(f'{entry["model"]}: the rows do not round alike, so do not compare them: {words}.')
        if not result['no_torch']:
            notes += [f'{entry["model"]}, {row}: {note}' for row, note in entry['notes'].items()]
    if result['no_torch']:
        return [*notes, f'No rows of PyTorch: {result["no_torch"]}.']
    words = 'all rows but eager have the fused optimizer; compile and graphs are torch.compile, graphs with CUDA graphs'
    return [*notes, f'PyTorch: {words}; images are channels-last in the last three; cuDNN may try out its algorithms.']


def long_tables(result: dict[str, Any]) -> list[Table]:
    """One table a model, for the terminal."""
    found = []
    for entry in result['entries']:
        ours = entry['rows'].get(OURS)
        rows = [
            (
                row.replace('_', ' ') + (' *' if row == entry.get('best_torch') else ''),
                short(ms),
                *map(short, entry['low_high'][row]),
                f'{ours / ms:.2f}' if ours else '-',
            )
            for row, ms in entry['rows'].items()
        ]
        columns = ('row', 'ms a step', 'low', 'high', 'jaxlab / row')
        notes = [
            f'{row.replace("_", " ")}: {note}' for row, note in entry['notes'].items() if note != result['no_torch']
        ]
        found.append(Table(f'{entry["title"]}; batch {entry["batch"]}', columns, rows, notes))
    return [*found, Table('', (), (), table_notes(result))]


def times(name: str, workers: dict[str, Row], context: Context) -> dict[str, Any]:
    """A model's entry: milliseconds a step, and why some row has none."""
    return {
        'model': name,
        'title': PROBLEMS[name].title,
        'batch': context.setting.problem(name).batch,
        'ms': {row: round(worker.median, 5) for row, worker in workers.items() if worker.ms},
        'notes': {row: worker.error for row, worker in workers.items() if worker.error},
    }


def in_steps_of(worker: Row, other: Row | None) -> list[float]:
    """How long the one takes in steps of the other: median, smallest, largest over rounds; [] where one has no number."""
    if other is None or not worker.ms or not other.ms:
        return []
    return [round(value, 4) for value in spread(worker.ms, other.ms)]


# ---- replicas -----------------------------------------------------------------------------------------------------------
def replicas(context: Context, budget: Budget) -> dict[str, Any]:
    """1, 5 and 25 trainings in one program, under `vmap`, which is the form for accelerators."""
    rows = {count: OURS if count == 1 else f'{OURS}_vmap{count}' for count in COUNTS}
    result: dict[str, Any] = {'form': 'vmap', 'entries': []}
    for name, share in shares(REPLICATED, context, budget):
        timed_rows = timed([(name, row) for row in rows.values()], context, share)
        workers = dict(zip(map(str, COUNTS), timed_rows, strict=True))
        ratios = {count: in_steps_of(worker, workers['1']) for count, worker in workers.items()}
        entry = times(name, workers, context)
        entry['ratios'] = {count: found for count, found in ratios.items() if found}
        result['entries'].append(entry)
        context.save(result)
    return result


def replica_tables(result: dict[str, Any]) -> list[Table]:
    """One table."""
    rows, notes = [], []
    for entry in result['entries']:
        for count, ms in entry['ms'].items():
            ratio, low, high = entry['ratios'].get(count, (None, None, None))
            each = [short(ms), short(ms / int(count)), *(map(_number, (ratio, low, high)))]
            rows.append((f'{entry["model"]}, batch {entry["batch"]}', count, *each))
        notes += [f'{entry["model"]}, {count} replicas: {note}' for count, note in entry['notes'].items()]
    columns = ('model', 'replicas', 'ms', 'ms each', 'steps of one', 'low', 'high')
    title = f'Replicas in one program ({result["form"]}), a step of all of them'
    return [Table(title, columns, rows, notes)]


# ---- bfloat16 -----------------------------------------------------------------------------------------------------------
def bfloat16(context: Context, budget: Budget) -> dict[str, Any]:
    """Half precision against float32, and PyTorch's compiled autocast beside it."""
    result: dict[str, Any] = {'products': products(context), 'no_torch': context.machine['no_torch'], 'entries': []}
    for name, share in shares(HALVED, context, budget):
        rows = [OURS, f'{OURS}_bf16', *([] if result['no_torch'] else ['torch_compile_bf16'])]
        workers = {worker.name: worker for worker in timed([(name, row) for row in rows], context, share)}
        entry = times(name, workers, context)
        for key, other in (('to_float32', OURS), ('to_torch', 'torch_compile_bf16')):
            found = in_steps_of(workers[f'{OURS}_bf16'], workers.get(other))
            if found:
                entry[key] = found
        result['entries'].append(entry)
        context.save(result)
    return result


def bfloat16_tables(result: dict[str, Any]) -> list[Table]:
    """One table."""
    rows, notes = [], []
    for entry in result['entries']:
        cells = [
            short(entry['ms'][row]) if row in entry['ms'] else '-'
            for row in (OURS, f'{OURS}_bf16', 'torch_compile_bf16')
        ]
        ratios = [_number(entry[key][0]) if key in entry else '-' for key in ('to_float32', 'to_torch')]
        rows.append((f'{entry["model"]}, batch {entry["batch"]}', *cells, *ratios))
        notes += [f'{entry["model"]}, {row}: {note}' for row, note in entry['notes'].items()]
    notes.append(
        f'float32 with products in {result["products"]}; parameters stay float32 on both sides. PyTorch: compiled, autocast to '
        'bfloat16. Ratios are those of jaxlab in bfloat16, within rounds: to itself in float32, to PyTorch.'
    )
    if result['no_torch']:
        notes.append(f'No row of PyTorch: {result["no_torch"]}.')
    columns = ('ms a step', 'float32', 'bfloat16', 'PyTorch', 'to float32', 'to PyTorch')
    return [Table('bfloat16 against float32', columns, rows, notes)]
