"""Replicas in steps of one: on one device, and on a virtual device a core of the CPU: `python -m benchmarks.replicas`.

`x5` is five replicas unrolled in one program on one device, `over5` five on all devices, each by the program of one (what
`parallel.replica_axis` does). As in `benchmarks.train_step` rows take turns, and a ratio is taken within a round.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.problems import OVER_CORES
from benchmarks.rounds import CPU, Plan, measure, spread

OURS = 'jaxlab'


def measured(name: str, replicas: int, devices: int, plan: Plan) -> dict[str, Any]:
    """One model's entry of the JSON file."""
    rows = [OURS, f'{OURS}_x{replicas}', f'{OURS}_over{replicas}']
    workers = measure([(name, row) for row in rows], plan)
    entry: dict[str, Any] = {'model': name, 'replicas': replicas, 'devices': devices, 'aim': OVER_CORES.get(name)}
    notes = {worker.name: worker.error for worker in workers if worker.error}
    if notes:
        return entry | {'notes': notes}
    one, *several = workers
    ratios = {worker.name: [round(value, 3) for value in spread(worker.ms, one.ms)] for worker in several}
    return entry | {'rows': {worker.name: round(worker.median, 4) for worker in workers}, 'ratios': ratios}


def show(entry: dict[str, Any]) -> None:
    """The lines of one model, at most 80 columns."""
    if 'notes' in entry:
        print(f'  {entry["model"]}: {entry["notes"]}'[:80])
        return
    print(f'  {entry["model"]}: {entry["rows"][OURS]:.2f} ms a step of one')
    for row, (ratio, low, high) in entry['ratios'].items():
        where = f'{entry["devices"]} devices' if 'over' in row else 'one device'
        aim = f'; aim {entry["aim"]}' if 'over' in row and entry['replicas'] == 5 else ''
        print(f'    {entry["replicas"]} replicas on {where:<11} {ratio:6.2f} [{low:.2f}-{high:.2f}]{aim}')


def main(argv: list[str] | None = None) -> int:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.replicas', description=__doc__.splitlines()[0])
    parser.add_argument('--models', default=','.join(OVER_CORES), help='names, separated by commas')
    parser.add_argument('--replicas', type=int, default=5)
    parser.add_argument('--devices', type=int, default=os.cpu_count(), help='virtual devices (default: one a core)')
    parser.add_argument('--rounds', type=int, default=7, help='rounds a model (default 7)')
    parser.add_argument('--seconds', type=float, default=1.0, help='seconds a row and round (default 1)')
    parser.add_argument('--xla', default='', help='more flags for XLA, of all rows')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the results there')
    options = parser.parse_args(argv)
    flags = f'--xla_force_host_platform_device_count={options.devices} {options.xla}'.strip()
    plan = Plan(options.rounds, options.seconds, environment={**CPU, 'XLA_FLAGS': flags})
    load = os.getloadavg()[0]
    print(f'{os.cpu_count()} cores, load before {load:.1f}' + ('; do not trust these ratios' if load > 0.5 else ''))
    found = []
    for name in options.models.split(','):
        found.append(measured(name, options.replicas, options.devices, plan))
        show(found[-1])
        sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps({'load_before': load, 'models': found}, indent=1) + '\n')
    return 1 if any('notes' in entry for entry in found) else 0


if __name__ == '__main__':
    sys.exit(main())
