"""Runs the smoke profile of every config through the command line: `python -m launch.smoke [NAME ...]` (`make smoke`).

Prints a line each with its seconds; exit code 1 when one fails, leaves no results behind, could not draw a figure, or
takes longer than it may. Runs stand side by side, two by default, and machines are busy: there the clock says little. So
the seconds of the processor are measured as well, for each run alone, and a run is too slow only when both are over the
limit.

On Linux a run is a fork of this process, which has imported the packages before: a third of a short run is imports.
"""

import argparse
import importlib
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
from typing import NamedTuple

from jaxlab.experiments.config import names
from launch import ends, side_by_side

LEFT_BEHIND = ('config.json', 'metrics.jsonl', 'results.json', 'report.html')
UNDRAWN = 'could not be drawn'  # as the pages' templates say it
STOP = 5  # a run is stopped after so many times the limit
PACKAGES = (
    *('jax', 'flax.linen', 'optax', 'orbax.checkpoint', 'matplotlib.backends.backend_agg', 'sklearn.metrics'),
    *('jaxlab.experiments.many', 'jaxlab.training.loop', 'jaxlab.report.page', 'launch.progress'),
)


class Outcome(NamedTuple):
    """What went wrong ('' when nothing did), seconds by the clock and of the processor."""

    wrong: str
    seconds: float
    processor: float


def start_of(words: list[str]) -> side_by_side.Start:
    """A run of the command line, as fast as this system can begin it."""
    if sys.platform == 'linux':
        return side_by_side.forked(words)
    return side_by_side.program([sys.executable, '-m', 'launch', *words])


def import_packages() -> None:
    """All that takes long to import and that every run needs; computes nothing."""
    for name in PACKAGES:
        importlib.import_module(name)


def judged(result: side_by_side.Measured, workdir: pathlib.Path, limit: float) -> Outcome:
    """Whether a run is good."""
    code, said, seconds, processor = result
    wrong = ''
    if code is None:
        wrong = f'stopped after {STOP * limit:.0f} s'
    elif code:
        wrong = f'exit code {code}\n' + _tail(said)
    elif missing := lacking(workdir):
        wrong = f'left no {", ".join(missing)}'
    elif failed := undrawn(workdir):
        wrong = f'a figure of {", ".join(failed)} could not be drawn'
    elif min(seconds, processor) > limit:
        wrong = f'took longer than {limit:.0f} s'
    return Outcome(wrong, seconds, processor)


def quickly_compiled() -> str:
    """XLA_FLAGS for programs that run shortly, and wait for compilation most of the time.

    LLVM optimizes nothing, and cuts no program into parts for several threads; what XLA itself does (fusion, layouts,
    libraries) stays. Flags of the environment come behind.
    """
    quick = '--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1'
    return f'{quick} {os.environ.get("XLA_FLAGS", "")}'.strip()


def lacking(workdir: pathlib.Path) -> list[str]:
    """What a run should have left and did not; a comparison keeps a run of each variant."""
    variants = sorted(folder for folder in (workdir / 'variants').glob('*') if folder.is_dir())
    expected = [workdir / item for item in ('comparison.html', 'results.json')] if variants else []
    expected += [folder / item for folder in variants or [workdir] for item in LEFT_BEHIND]
    return [str(file.relative_to(workdir)) for file in expected if not file.is_file()]


def undrawn(workdir: pathlib.Path) -> list[str]:
    """The pages that say of a figure that it could not be drawn."""
    pages = sorted(workdir.rglob('*.html'))
    return [str(page.relative_to(workdir)) for page in pages if UNDRAWN in page.read_text()]


def summary(workdir: pathlib.Path) -> str:
    """Steps and the first metrics of a finished run."""
    results = json.loads((workdir / 'results.json').read_text())
    metrics = list(results.get('metrics', {}).items())[:3]
    return f'{results.get("steps")} steps, ' + ', '.join(f'{key} {value["mean"]:.4g}' for key, value in metrics)


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m launch.smoke', description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', help='experiments; all when left out')
    parser.add_argument('--jobs', type=int, default=2, help='runs side by side (2)')
    parser.add_argument('--limit', type=float, default=60.0, help='seconds that one may take (60)')
    parser.add_argument('--keep', type=pathlib.Path, help='a folder in which the runs stay (nowhere)')
    options = parser.parse_args()
    wanted = options.names or names()
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f'unknown experiment {unknown[0]!r}; valid: {", ".join(names())}', file=sys.stderr)
        return 2
    failed, start = [], time.perf_counter()
    os.environ['XLA_FLAGS'] = quickly_compiled()
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')  # its threads wait in circles, and others stand beside
    import_packages()
    with tempfile.TemporaryDirectory(prefix='jaxlab-smoke-') as folder:
        workdirs = {name: (options.keep or pathlib.Path(folder)).absolute() / name for name in wanted}
        starts = {
            name: start_of([f'--config=configs/{name}.py:smoke', f'--workdir={workdir}'])
            for name, workdir in workdirs.items()
        }
        for name, result in side_by_side.measured(starts, STOP * options.limit, max(options.jobs, 1)):
            wrong, seconds, processor = judged(result, workdirs[name], options.limit)
            verdict = 'FAILED' if wrong else 'passed'
            spent = f'{seconds:6.1f} s, {processor:5.1f} s of the processor'
            print(f'{verdict} {spent}  {name}: {wrong or summary(workdirs[name])}', flush=True)
            failed += [name] if wrong else []
    print(f'{len(wanted) - len(failed)} of {len(wanted)} passed in {time.perf_counter() - start:.0f} s')
    return 1 if failed else 0


def _tail(text: str, lines: int = 15) -> str:
    return '\n'.join('    ' + line for line in text.strip().splitlines()[-lines:])


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
        sys.exit(ends.INTERRUPTED + signal.SIGINT)
