"""The command: parts one after the other, each in its share of the time; what was measured is written at once.

Exit code 0 when every part ran or was left out for the reason that is printed; 1 when one failed or when the accelerator
and the CPU differ.
"""

import argparse
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import accelerator
from benchmarks.accelerator import cifar10, equality, machine, rows
from benchmarks.accelerator.budget import Budget
from benchmarks.accelerator.context import Context
from benchmarks.accelerator.tables import WIDTH, Table, markdown, text
from benchmarks.options import names_among
from jaxlab.files import write_atomically, write_json

RESERVE = 5.0  # seconds that are kept for ending processes
Result = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """weight: its share of the time. skipped: why there is nothing to measure. failure: what is wrong with a result."""

    measure: Callable[[Context, Budget], Result]
    printed: Callable[[Result], list[Table]]
    pasted: Callable[[Result], list[Table]]
    weight: float
    skipped: Callable[[Context], str] = lambda context: ''
    failure: Callable[[Result], str] = lambda result: ''


PARTS = {
    'equality': Part(equality.measure, equality.tables, equality.tables, 1.5, failure=equality.failure),
    'table': Part(rows.table, rows.long_tables, lambda result: [rows.wide_table(result)], 8.0, failure=rows.failure),
    'replicas': Part(rows.replicas, rows.replica_tables, rows.replica_tables, 1.5, failure=rows.failure),
    'bfloat16': Part(rows.bfloat16, rows.bfloat16_tables, rows.bfloat16_tables, 2.0, failure=rows.failure),
    'cifar10': Part(cifar10.measure, cifar10.tables, cifar10.tables, 4.0, skipped=cifar10.reason_to_skip),
}


@dataclass(frozen=True)
class Report:
    """What has been found so far, and the two files that hold it."""

    folder: Path
    content: Result

    def put(self, name: str, **found: Any) -> None:
        """Takes the place of what a part has said so far."""
        self.content['parts'][name] = found
        self.write()

    def write(self) -> None:
        """Both files, each whole at any time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / 'accelerator.json', self.content)
        with write_atomically(self.folder / 'accelerator.md', 'w') as file:
            file.write(self.markdown())

    def markdown(self) -> str:
        """Ready to be pasted into RESULTS.md."""
        found = [f'`{self.content["command"]}`, {self.content["date"]}: {machine.words(self.content["machine"])}.\n']
        if self.content['tiny']:
            found.append('Tiny sizes: these numbers say that the command works, nothing about speed.\n')
        for name, part in self.content['parts'].items():
            found += [markdown(table) for table in _tables(name, part, PARTS[name].pasted)]
        return '\n'.join(found)


def _tables(name: str, part: Mapping[str, Any], drawn: Callable[[Result], list[Table]]) -> list[Table]:
    """Of what a part has found, with what it has not."""
    said = [Table(f'{name}: {part["state"]}: {part["reason"]}', (), ())] if part.get('reason') else []
    return [*(drawn(part['result']) if part.get('result') else []), *said]


def run_part(name: str, context: Context, budget: Budget, report: Report) -> str:
    """Measures, writes, prints; returns the part's state. An error costs this part only."""
    part, begun = PARTS[name], time.monotonic()
    held: list[Result] = []

    def save(result: Result) -> None:
        held[:] = [result]
        report.put(name, state='unfinished', result=result, seconds=round(time.monotonic() - begun, 1))

    try:
        result = part.measure(context.saving(save), budget)
        held[:] = [result]
        reason = part.failure(result)
    except Exception as error:
        words = str(error).strip().splitlines() or ['']
        reason = f'{type(error).__name__}: {words[0]}'[:300]
    kept = {'result': held[0]} if held else {}
    state = 'failed' if reason else 'done'
    report.put(name, state=state, reason=reason, seconds=round(time.monotonic() - begun, 1), **kept)
    return state


def show(name: str, report: Report) -> None:
    """One part, for the terminal."""
    part = report.content['parts'][name]
    took = f', {part["seconds"]:.0f} s' if 'seconds' in part else ''
    print(f'\n==== {name}: {part["state"]}{took}')
    for table in _tables(name, part, PARTS[name].printed):
        print(text(table), end='')
    sys.stdout.flush()


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    doc = accelerator.__doc__ or ''
    parser = argparse.ArgumentParser(prog='python -m benchmarks.accelerator', description=doc.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=8.0, help='how long the whole command may take (default 8)')
    parser.add_argument('--out', type=Path, default=Path('runs/accelerator'), help='folder (default runs/accelerator)')
    parser.add_argument('--data_dir', help=f'folder with {cifar10.FOLDER} (default: JAXLAB_DATA_DIR)')
    parser.add_argument('--tiny', action='store_true', help='seconds instead of minutes; says nothing about speed')
    some, parts = names_among(PARTS), ','.join(PARTS)
    parser.add_argument('--parts', type=some, default=parts, help=f'some of {parts}, in this order')
    parser.add_argument('--products', choices=('tf32', 'float32'), default='tf32', help='of float32, on both sides')
    parser.add_argument('--aim', type=float, default=0.94, help='test accuracy on CIFAR-10 (default 0.94)')
    parser.add_argument('--epochs', type=int, default=cifar10.EPOCHS, help=f'on CIFAR-10 (default {cifar10.EPOCHS})')
    parser.add_argument('--verbose', action='store_true', help="show the rows' own messages")
    options = parser.parse_args(argv)
    if options.minutes <= 0 or options.epochs < 1 or not 0 < options.aim <= 1:
        parser.error('--minutes must be above 0, --epochs at least 1, --aim above 0 and at most 1')
    return options


def command_of(options: argparse.Namespace) -> str:
    """The command without the folders of one machine."""
    words = [f'--minutes={options.minutes:g}', *(['--tiny'] if options.tiny else [])]
    if options.parts != list(PARTS):
        words.append(f'--parts={",".join(options.parts)}')
    if options.products != 'tf32':
        words.append(f'--products={options.products}')
    return ' '.join(['python -m benchmarks.accelerator', *words])


def main(argv: list[str] | None = None) -> int:
    """Measures part by part."""
    options = arguments(argv)
    budget = Budget.of(60 * options.minutes - RESERVE)
    try:
        here = machine.facts(budget.left / 2)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    context = Context(
        here, options.tiny, options.products == 'tf32', options.data_dir, options.aim, options.epochs, options.verbose
    )
    content = {
        'command': command_of(options),
        'date': time.strftime('%Y-%m-%d'),
        'machine': here,
        'minutes': options.minutes,
        'tiny': options.tiny,
        'products': options.products,
        'parts': {},
    }
    report = Report(options.out, content)
    print('\n'.join(textwrap.wrap(machine.words(here), WIDTH)))
    if context.platform == 'cpu':
        print('JAX has no accelerator here: a rehearsal on the CPU.')
    reasons = {name: PARTS[name].skipped(context) for name in options.parts}
    for name, reason in reasons.items():
        if reason:
            report.put(name, state='skipped', reason=reason)
    shares = budget.shares({name: PARTS[name].weight for name, reason in reasons.items() if not reason})
    states = []
    for name, share in shares:
        states.append(run_part(name, context, share, report))
        show(name, report)
    for name, reason in reasons.items():
        if reason:
            show(name, report)
    print(f'\nwritten to {options.out}/accelerator.json and accelerator.md')
    return 1 if 'failed' in states else 0


if __name__ == '__main__':
    sys.exit(main())
