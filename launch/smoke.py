"""Runs the smoke profile of every config through the command line: `python -m launch.smoke [NAME ...]` (`make smoke`).

Prints a line each with its seconds; exit code 1 when one fails, leaves no results behind, could not draw a figure, or
takes longer than it may. Runs stand side by side, two by default, and machines are busy: there the clock says little. So
the seconds of the processor are measured as well, for each run alone, and a run is too slow only when both are over the
limit.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from jaxlab.experiments.config import names

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEFT_BEHIND = ('config.json', 'metrics.jsonl', 'results.json', 'report.html')
UNDRAWN = 'could not be drawn'  # as the pages' templates say it
STOP = 5  # a run is stopped after so many times the limit


class Outcome(NamedTuple):
    """What went wrong ('' when nothing did), seconds by the clock and of the processor."""

    wrong: str
    seconds: float
    processor: float


def run(name: str, workdir: pathlib.Path, limit: float) -> Outcome:
    """Runs one smoke profile."""
    command = [sys.executable, '-m', 'launch', f'--config=configs/{name}.py:smoke', f'--workdir={workdir}']
    code, said, seconds, processor = measured(command, STOP * limit)
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


def measured(command: list[str], stop: float) -> tuple[int | None, str, float, float]:
    """Runs a command: exit code (None when it was stopped), what it printed (errors last), its seconds by the clock, and
    those of the processor that it used and nobody beside it."""
    env = {**os.environ, 'XLA_FLAGS': quickly_compiled()}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        done, stopped = 0, False
        while not done:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not done and not stopped and time.perf_counter() - start > stop:
                process.kill()
                stopped = True
            if not done:
                time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(status)  # so that Popen waits for it no more
        seconds = time.perf_counter() - start
        said = ''
        for stream in (out, err):
            stream.seek(0)
            said += stream.read().decode(errors='replace')
    return None if stopped else process.returncode, said, seconds, usage.ru_utime + usage.ru_stime


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
    with tempfile.TemporaryDirectory(prefix='jaxlab-smoke-') as folder:
        workdirs = {name: (options.keep or pathlib.Path(folder)).absolute() / name for name in wanted}
        with concurrent.futures.ThreadPoolExecutor(max(options.jobs, 1)) as pool:
            runs = {name: pool.submit(run, name, workdir, options.limit) for name, workdir in workdirs.items()}
            for name, future in runs.items():
                wrong, seconds, processor = future.result()
                verdict = 'FAILED' if wrong else 'passed'
                spent = f'{seconds:6.1f} s, {processor:5.1f} s of the processor'
                print(f'{verdict} {spent}  {name}: {wrong or summary(workdirs[name])}', flush=True)
                failed += [name] if wrong else []
    print(f'{len(wanted) - len(failed)} of {len(wanted)} passed in {time.perf_counter() - start:.0f} s')
    return 1 if failed else 0


def _tail(text: str, lines: int = 15) -> str:
    return '\n'.join('    ' + line for line in text.strip().splitlines()[-lines:])


if __name__ == '__main__':
    sys.exit(main())
