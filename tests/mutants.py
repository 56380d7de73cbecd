"""`make mutants ARGS=jaxlab/metrics`: plants small faults in a part of the project and counts those that its tests notice.

mutmut does the work, in a copy of the project under `.cache/mutants`: it forks one process a fault from a server that has
collected the tests, so that nothing is imported again. JAX's threads do not survive a fork: `tests/conftest.py` therefore
leaves the devices alone there (JAXLAB_MUTANTS=1), and test modules that compute when they are imported would hang.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTICED = 1  # pytest's exit code where a test fails; 0: nothing noticed
OTHER_TESTS = {  # where the mirror of a part is another file, or only some of it is quick
    'jaxlab/report/statistics.py': ('tests/report/test_statistics.py', 'tests/report/test_comparison.py'),
    'jaxlab/training/control.py': ('tests/training/test_control.py',),
    'jaxlab/data/splits.py': ('tests/data/test_splits.py', 'tests/data/test_resample.py'),
}


def tests_of(part: str) -> tuple[str, ...]:
    """The tests that mirror a part: `jaxlab/metrics` has `tests/metrics`, `jaxlab/data/x.py` has `tests/data/test_x.py`."""
    if part in OTHER_TESTS:
        return OTHER_TESTS[part]
    folder, _, name = part.removeprefix('jaxlab/').rpartition('/')
    mirror = f'tests/{folder}/test_{name}' if name.endswith('.py') else f'tests/{part.removeprefix("jaxlab/")}'
    if not (ROOT / mirror).exists():
        raise SystemExit(f'{part}: there is no {mirror}; name the tests after the part')
    return (mirror,)


def copied(part: str, tests: Sequence[str]) -> Path:
    """A copy of the project's files, with mutmut's settings for this part at the end of `pyproject.toml`."""
    place = ROOT / '.cache' / 'mutants' / part.replace('/', '_')
    shutil.rmtree(place, ignore_errors=True)
    listed = subprocess.check_output(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, text=True)
    names = [name for name in listed.splitlines() if (ROOT / name).is_file()]
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)
    settings = {
        'source_paths': ['jaxlab'],
        'only_mutate': [part if part.endswith('.py') else f'{part}/*'],
        'also_copy': sorted({name.split('/')[0] for name in names} - {'jaxlab', 'tests', 'pyproject.toml'}),
        'pytest_add_cli_args_test_selection': list(tests),
        'pytest_add_cli_args': ['-x', '-m', 'not parity and not slow'],
        'process_isolation': 'forkserver',
        'forkserver_warmup': 'collect',
    }
    lines = [f'{name} = {json.dumps(value)}' for name, value in settings.items()]
    with (place / 'pyproject.toml').open('a') as file:
        file.write('\n[tool.mutmut]\n' + '\n'.join(lines) + '\n')
    return place


def codes(place: Path) -> dict[str, int | None]:
    """Fault -> pytest's exit code."""
    found: dict[str, int | None] = {}
    for file in sorted((place / 'mutants').rglob('*.meta')):
        found |= json.loads(file.read_text())['exit_code_by_key']
    return found


def main(arguments: Sequence[str]) -> None:
    """PART [TESTS ...]: the part, and the tests where they are not its mirror."""
    if not arguments:
        raise SystemExit('which part? make mutants ARGS=jaxlab/metrics')
    part, *tests = arguments
    part = part.rstrip('/')
    place = copied(part, tests or tests_of(part))
    env = {**os.environ, 'JAXLAB_MUTANTS': '1', 'JAXLAB_TYPECHECK': '0', 'PYTHONDONTWRITEBYTECODE': '1'}
    subprocess.run([sys.executable, '-m', 'mutmut', 'run', '--max-children', str(os.cpu_count() or 1)], cwd=place, env=env)
    found = codes(place)
    said = Counter(found.values())
    for name, code in found.items():
        if code != NOTICED:
            print(f'{"survived" if code == 0 else f"exit code {code}"}: {name}')
    tried = len(found) - said[None]
    print(f'{part}: {len(found)} faults, {tried} tried, {tried - said[0]} noticed ({(tried - said[0]) / max(tried, 1):.1%})')
    print(f'one of them: cd {place.relative_to(ROOT)} && python -m mutmut show NAME')


if __name__ == '__main__':
    main(sys.argv[1:])
