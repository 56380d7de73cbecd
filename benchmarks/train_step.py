"""Whole training steps of jaxlab, stock Flax and PyTorch, alternating in one run: `python -m benchmarks.train_step`.

Every row is a process of its own that stays alive; in each round all rows take their turn, in another order, while the
others are idle. A ratio is taken within a round (both sides saw the same machine) and then the median over rounds is
shown with the smallest and largest. The rows named `kept` have jaxlab's allocator setting, the others PyTorch's own.
"""

import argparse
import json
import os
import platform
import sys
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.options import names_among
from benchmarks.problems import PROBLEMS, REPLICAS, Problem
from benchmarks.rounds import Plan, Row, measure, spread
from benchmarks.worker import KEPT

OURS = 'jaxlab'


def rows_of(problem: Problem, quick: bool) -> list[str]:
    """The rows of a model; `quick` leaves out all but three."""
    stock = ['flax'] if problem.stock else []
    if quick:
        return [OURS, *stock, 'torch_fused' + KEPT]
    peers = ['torch_eager', 'torch_fused', *(['torch_channels_last'] if problem.image else []), 'torch_compile']
    return [OURS, *([f'{OURS}_own'] if problem.image else []), *stock, *peers, *(peer + KEPT for peer in peers)]


def summary(name: str, workers: list[Row]) -> dict[str, Any]:
    """One model's entry of the JSON file."""
    rows = {worker.name: worker for worker in workers if worker.ms}
    entry: dict[str, Any] = {'model': name, 'title': PROBLEMS[name].title, 'aim': PROBLEMS[name].aim}
    entry['rows'] = {row: round(worker.median, 4) for row, worker in rows.items()}
    entry['low_high'] = {row: [round(min(w.ms), 4), round(max(w.ms), 4)] for row, w in rows.items()}
    entry['notes'] = {worker.name: worker.error for worker in workers if worker.error}
    torch_rows = [row for row in rows if row.startswith('torch')]
    if OURS in rows and torch_rows:
        best = min(torch_rows, key=lambda row: rows[row].median)
        ratio, low, high = spread(rows[OURS].ms, rows[best].ms)
        entry |= {'best_torch': best, 'ratio_to_best_torch': round(ratio, 3)}
        entry |= {'ratio_low': round(low, 3), 'ratio_high': round(high, 3)}
    if OURS in rows and 'flax' in rows:
        entry['ratio_to_flax'] = round(spread(rows[OURS].ms, rows['flax'].ms)[0], 3)
    return entry


def replicas(name: str, plan: Plan) -> dict[str, Any]:
    """Five replicas unrolled side by side against one."""
    workers = measure([(name, OURS), (name, f'{OURS}_x5')], plan)
    entry: dict[str, Any] = {'model': name, 'replicas': 5, 'aim': REPLICAS[name]}
    if any(worker.error for worker in workers):
        return entry | {'notes': {worker.name: worker.error for worker in workers if worker.error}}
    one, five = workers
    ratio, low, high = spread(five.ms, one.ms)
    entry |= {'ratio_to_one': round(ratio, 3), 'ratio_low': round(low, 3), 'ratio_high': round(high, 3)}
    return entry | {'rows': {worker.name: round(worker.median, 4) for worker in workers}}


def print_model(entry: dict[str, Any]) -> None:
    """The table of one model, at most 80 columns."""
    problem = PROBLEMS[entry['model']]
    print(f'\n{problem.title}; batch {problem.batch}, {problem.parameters:,} parameters')
    print(f'  {"row":<26}{"ms a step":>10}{"low":>10}{"high":>10}{"jaxlab / row":>14}')
    ours = entry['rows'].get(OURS)
    for row, ms in entry['rows'].items():
        low, high = entry['low_high'][row]
        ratio = f'{ours / ms:14.2f}' if ours else ''
        mark = ' *' if row == entry.get('best_torch') else ''
        print(f'  {row.replace("_", " "):<26}{ms:10.2f}{low:10.2f}{high:10.2f}{ratio}{mark}')
    for row, note in entry['notes'].items():
        print(f'  {row.replace("_", " ")}: {note}'[:80])
    if 'ratio_to_best_torch' in entry:
        ratio, low, high = (entry[key] for key in ('ratio_to_best_torch', 'ratio_low', 'ratio_high'))
        verdict = 'reached' if ratio <= entry['aim'] else 'missed'
        print(f'  to the best of PyTorch: {ratio:.2f} [{low:.2f}-{high:.2f}]; aim {entry["aim"]}: {verdict}')
    if 'ratio_to_flax' in entry:
        print(f'  stock Flax takes {1 / entry["ratio_to_flax"]:.1f} times as long')


def print_replicas(entries: list[dict[str, Any]]) -> None:
    """The table of replicas."""
    print('\nFive replicas in one program, in steps of one')
    for entry in entries:
        if 'notes' in entry:
            print(f'  {entry["model"]}: {entry["notes"]}'[:80])
            continue
        low, high = entry['ratio_low'], entry['ratio_high']
        verdict = 'reached' if entry['ratio_to_one'] <= entry['aim'] else 'missed'
        print(
            f'  {entry["model"]:<10}{entry["ratio_to_one"]:6.2f} [{low:.2f}-{high:.2f}]; aim {entry["aim"]}: {verdict}'
        )


def machine() -> dict[str, Any]:
    """What the numbers were taken on."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in ('jax', 'jaxlib', 'flax', 'optax', 'torch'):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), platform.processor())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    load = os.getloadavg()[0]
    return {'cpu': model, 'cores': cores, 'load_before': round(load, 2), 'python': platform.python_version()} | versions


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.train_step', description=__doc__.splitlines()[0])
    some, every = names_among(PROBLEMS), ','.join(PROBLEMS)
    parser.add_argument('--models', type=some, default=every, help='names, separated by commas (default: all)')
    parser.add_argument('--rows', help='only these rows (default: all)')
    parser.add_argument('--rounds', type=int, default=7, help='rounds a model (default 7)')
    parser.add_argument('--seconds', type=float, default=1.0, help='seconds a row and round (default 1)')
    parser.add_argument('--quick', action='store_true', help='three rows, three rounds of 0.3 seconds')
    parser.add_argument('--no-replicas', action='store_true', help='leave out five replicas against one')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the results there')
    parser.add_argument('--verbose', action='store_true', help="show the workers' own messages")
    options = parser.parse_args(argv)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error('--rounds must be at least 1 and --seconds above 0')
    if options.quick:
        options.rounds, options.seconds = 3, 0.3
    return options


def main(argv: list[str] | None = None) -> int:
    """Measures, prints, writes."""
    options = arguments(argv)
    plan = Plan(options.rounds, options.seconds, options.verbose)
    result: dict[str, Any] = {'models': [], 'replicas': [], 'machine': machine()}
    print('\n'.join(textwrap.wrap(', '.join(f'{key} {value}' for key, value in result['machine'].items()), 80)))
    if result['machine']['load_before'] > 0.5:
        print('Other programs are running: PyTorch suffers most from that, so do not trust these ratios.')
    for name in options.models:
        rows = options.rows.split(',') if options.rows else rows_of(PROBLEMS[name], options.quick)
        result['models'].append(summary(name, measure([(name, row) for row in rows], plan)))
        print_model(result['models'][-1])
        sys.stdout.flush()
    if not options.no_replicas:
        result['replicas'] = [replicas(name, plan) for name in REPLICAS if name in options.models]
        if result['replicas']:
            print_replicas(result['replicas'])
    result['machine']['load_after'] = round(os.getloadavg()[0], 2)  # of one machine to itself: about its cores
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + '\n')
    return 0 if all(OURS in entry['rows'] for entry in result['models']) else 1


if __name__ == '__main__':
    sys.exit(main())
