"""Runs the smoke profile of every config through the command line: `python -m launch.smoke [NAME ...]` (`make smoke`).

Prints a line each with its seconds; exit code 1 when one fails, leaves no results behind, or takes longer than it may.
On a busy machine the clock says little, so a run is too slow only when its processor time is over the limit as well.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEFT_BEHIND = ('config.json', 'metrics.jsonl', 'results.json', 'report.html')
STOP = 5  # a run is stopped after so many times the limit
HELPERS = ('__init__', 'common')


def names() -> list[str]:
    """Every experiment, in the order of the alphabet."""
    return sorted(path.stem for path in (ROOT / 'configs').glob('*.py') if path.stem not in HELPERS)


def run(name: str, workdir: pathlib.Path, limit: float) -> tuple[str, float]:
    """Runs one; returns what went wrong ('' when nothing did) and the seconds."""
    command = [sys.executable, '-m', 'launch', f'--config=configs/{name}.py:smoke', f'--workdir={workdir}']
    start, used = time.perf_counter(), _processor_seconds()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STOP * limit)
    except subprocess.TimeoutExpired:
        return f'stopped after {STOP * limit:.0f} s', time.perf_counter() - start
    seconds, used = time.perf_counter() - start, _processor_seconds() - used
    if done.returncode:
        return f'exit code {done.returncode}\n' + _tail(done.stderr or done.stdout), seconds
    missing = lacking(workdir)
    if missing:
        return f'left no {", ".join(missing)}', seconds
    if min(seconds, used) > limit:
        return f'took longer than {limit:.0f} s ({used:.0f} s of processor time)', seconds
    return '', seconds


def lacking(workdir: pathlib.Path) -> list[str]:
    """What a run should have left and did not; a comparison keeps a run of each variant."""
    variants = sorted(folder for folder in (workdir / 'variants').glob('*') if folder.is_dir())
    expected = [workdir / item for item in ('comparison.html', 'results.json')] if variants else []
    expected += [folder / item for folder in variants or [workdir] for item in LEFT_BEHIND]
    return [str(file.relative_to(workdir)) for file in expected if not file.is_file()]


def summary(workdir: pathlib.Path) -> str:
    """Steps and the first metrics of a finished run."""
    results = json.loads((workdir / 'results.json').read_text())
    metrics = list(results.get('metrics', {}).items())[:3]
    return f'{results.get("steps")} steps, ' + ', '.join(f'{key} {value["mean"]:.4g}' for key, value in metrics)


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m launch.smoke', description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', help='experiments; all when left out')
    parser.add_argument('--limit', type=float, default=30.0, help='seconds that one may take')
    options = parser.parse_args()
    wanted = options.names or names()
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f'unknown experiment {unknown[0]!r}; valid: {", ".join(names())}', file=sys.stderr)
        return 2
    failed, total = [], 0.0
    with tempfile.TemporaryDirectory(prefix='jaxlab-smoke-') as folder:
        for name in wanted:
            workdir = pathlib.Path(folder) / name
            wrong, seconds = run(name, workdir, options.limit)
            total += seconds
            verdict = 'FAILED' if wrong else 'passed'
            print(f'{verdict} {seconds:6.1f} s  {name}: {wrong or summary(workdir)}', flush=True)
            failed += [name] if wrong else []
    print(f'{len(wanted) - len(failed)} of {len(wanted)} passed in {total:.0f} s')
    return 1 if failed else 0


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _tail(text: str, lines: int = 15) -> str:
    return '\n'.join('    ' + line for line in text.strip().splitlines()[-lines:])


if __name__ == '__main__':
    sys.exit(main())
