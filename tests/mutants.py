"""`make mutants ARGS=jaxlab/measures`: plants small faults in a part of the project and counts those that its tests notice.

`ARGS="jaxlab/measures --sample=100"` tries a hundred of them, drawn at random (seed 0), where all would take hours.
`ARGS="jaxlab/layers/dense.py,jaxlab/layers/dropout.py tests/layers"` takes several parts as one, and says whose tests.

mutmut does the work, in a copy of the project under `.cache/mutants`: it forks one process a fault from a server that has
collected the tests, so that nothing is imported again. JAX's threads do not survive a fork: `tests/conftest.py` therefore
leaves the devices alone there (JAXLAB_MUTANTS=1), and `COMPUTES` names the parts whose test modules compute when they are
imported: there only packages are loaded before the fork.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTICED, MISSED, UNREACHED = 1, 0, 33  # pytest's exit code where a test fails, where none does; no test comes there
WORDS = {MISSED: 'survived', UNREACHED: 'reached by none of these tests'}
COMPUTES = ('jaxlab/layers', 'jaxlab/optimizers', 'jaxlab/data/transforms')
OTHER_TESTS = {  # where the mirror of a part is another file, or only some of it is quick
    'jaxlab/report/statistics.py': ('tests/report/test_statistics.py', 'tests/report/test_comparison.py'),
    'jaxlab/training/control.py': ('tests/training/test_control.py',),
    'jaxlab/data/transforms': ('tests/data/test_transforms.py',),
    'jaxlab/data/pipeline.py': ('tests/data/test_splits.py', 'tests/data/test_load.py', 'tests/data/test_tables.py'),
    'jaxlab/data/splits.py': ('tests/data/test_splits.py', 'tests/data/test_resample.py'),
}


def tests_of(part: str) -> tuple[str, ...]:
    """The tests that mirror a part: `jaxlab/measures` has `tests/measures`, `jaxlab/data/x.py` has `tests/data/test_x.py`."""
    if part in OTHER_TESTS:
        return OTHER_TESTS[part]
    folder, _, name = part.removeprefix('jaxlab/').rpartition('/')
    mirror = f'tests/{folder}/test_{name}' if name.endswith('.py') else f'tests/{part.removeprefix("jaxlab/")}'
    if not (ROOT / mirror).exists():
        raise SystemExit(f'{part}: there is no {mirror}; name the tests after the part')
    return (mirror,)


def copied(part: str, tests: Sequence[str]) -> Path:
    """A copy of the project's files, with mutmut's settings for this part at the end of `pyproject.toml`."""
    place = ROOT / '.cache' / 'mutants' / part.replace('/', '_').replace(',', '+')
    shutil.rmtree(place, ignore_errors=True)
    listed = subprocess.check_output(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, text=True)
    names = [name for name in listed.splitlines() if (ROOT / name).is_file()]
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)
    settings = {
        'source_paths': ['jaxlab'],
        'only_mutate': [one if one.endswith('.py') else f'{one}/*' for one in part.split(',')],
        'also_copy': sorted({name.split('/')[0] for name in names} - {'jaxlab', 'tests', 'pyproject.toml'}),
        'pytest_add_cli_args_test_selection': list(tests),
        'pytest_add_cli_args': ['-x', '-m', 'not parity and not slow'],
        'process_isolation': 'forkserver',
        'forkserver_warmup': 'import' if part.startswith(COMPUTES) else 'collect',
        'preload_modules_file': 'preloaded.txt',
    }
    lines = [f'{name} = {json.dumps(value)}' for name, value in settings.items()]
    (place / 'preloaded.txt').write_text('pytest\nhypothesis\njax\nflax.linen\noptax\nscipy.stats\nsklearn.metrics\n')
    with (place / 'pyproject.toml').open('a') as file:
        file.write('\n[tool.mutmut]\n' + '\n'.join(lines) + '\n')
    return place


def codes(place: Path) -> dict[str, int | None]:
    """Fault -> pytest's exit code."""
    found: dict[str, int | None] = {}
    for file in sorted((place / 'mutants').rglob('*.meta')):
        found |= json.loads(file.read_text())['exit_code_by_key']
    return found


def run(place: Path, names: Sequence[str] = (), quiet: bool = False) -> None:
    env = {**os.environ, 'JAXLAB_MUTANTS': '1', 'JAXLAB_TYPECHECK': '0', 'PYTHONDONTWRITEBYTECODE': '1'}
    command = [sys.executable, '-m', 'mutmut', 'run', '--max-children', str(os.cpu_count() or 1), *names]
    subprocess.run(command, cwd=place, env=env, stderr=subprocess.DEVNULL if quiet else None)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser('make mutants ARGS=', description=__doc__)
    parser.add_argument('part', help='folders or files, e.g. jaxlab/measures; commas between them')
    parser.add_argument(
        'tests', nargs='*', help='the tests that shall notice, where they are not the mirror of the part'
    )
    parser.add_argument('--sample', type=int, default=0, help='so many of the faults (0: all)')
    options = parser.parse_args(arguments)
    part = options.part.rstrip('/')
    place = copied(part, options.tests or tests_of(part))
    if options.sample:
        run(place, ('none of them',), quiet=True)  # plants them and learns which test reaches which function
        names = sorted(codes(place))
        run(place, random.Random(0).sample(names, min(options.sample, len(names))))
    else:
        run(place)
    found = codes(place)
    said = Counter(found.values())
    for name, code in found.items():
        if code not in (NOTICED, None):
            print(f'{"survived" if code == 0 else f"exit code {code}"}: {name}')
    tried = len(found) - said[None]
    print(
        f'{part}: {len(found)} faults, {tried} tried, {tried - said[0]} noticed ({(tried - said[0]) / max(tried, 1):.1%})'
    )
    print(f'one of them: cd {place.relative_to(ROOT)} && python -m mutmut show NAME')


if __name__ == '__main__':
    main(sys.argv[1:])
