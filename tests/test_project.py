"""Promises about the repository as a whole: what its files may hold, and what importing it may load."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import jax
import pytest

from jaxlab.experiments.config import HELPERS

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*.py') if path.name != '__init__.py')
EXPERIMENTS = [path for path in CONFIGS if path.stem not in HELPERS]

# Written so that this file does not match itself.
HOSTS = re.compile(
    '|'.join(['py' + r'pi\.org', 'python' + r'hosted\.org', r'download\.py' + r'torch\.org', 'index' + '-url'])
)
PATHS = re.compile(r'(?<![\w./$}-])/(?:' + '|'.join(['work', 'root', 'opt', 'Users', 'home']) + r')/\w')
MAY_IMPORT_TENSORFLOW = {'jaxlab/data/prepare.py'}  # the extra tfds-prepare
LINES = 400
MAY_BE_LONGER: dict[str, int] = {}  # file -> its own limit, with a reason beside it
HEAVY = ('jax', 'flax', 'numpy', 'tensorflow_datasets', 'matplotlib', 'sklearn', 'orbax', 'grain', 'torch')


def tracked() -> list[str]:
    """Files in git and files that would be added; everything, where this is no git checkout."""
    command = ['git', '-C', str(ROOT), 'ls-files', '--cached', '--others', '--exclude-standard']
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip('needs a git checkout')
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def texts(*endings: str) -> dict[str, str]:
    found = {}
    for name in tracked():
        if endings and not name.endswith(endings):
            continue
        try:
            found[name] = (ROOT / name).read_text(encoding='utf-8')
        except UnicodeDecodeError:
            continue  # a picture
    return found


def imported(tree: ast.AST) -> set[str]:
    """Full names of everything that a module imports, functions' bodies included."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


def under(name: str, package: str) -> bool:
    return name == package or name.startswith(package + '.')


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f'{path.name} has no docstring'


@pytest.mark.parametrize('path', EXPERIMENTS, ids=lambda path: path.stem)
def test_experiment_is_data(path):
    tree = ast.parse(path.read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert 'get_config' in functions
    for name in imported(tree):
        own = any(under(name, known) for known in ('configs.common', 'configs.shared', 'ml_collections'))
        assert own or name.split('.')[0] in sys.stdlib_module_names, f'{path.name} imports {name}'


def test_configs_load_without_jax():
    """So that the catalogue is printed at once."""
    names = [path.stem for path in EXPERIMENTS]
    code = (
        'import importlib, sys\n'
        f'for name in {names!r}:\n'
        '    for profile in ("full", "smoke"):\n'
        '        config = importlib.import_module("configs." + name).get_config(profile)\n'
        '        assert config.name == name, (config.name, name)\n'
        '        assert config.aim, name\n'
        f'print([name for name in {HEAVY!r} if name in sys.modules])'
    )
    assert run_python(code).strip() == '[]'


def test_no_registry_host_and_no_machine_path():
    found = []
    for name, text in texts().items():
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) < 2000 and (HOSTS.search(line) or PATHS.search(line)):
                found.append(f'{name}:{number}: {line.strip()[:100]}')
    assert not found, '\n'.join(found)


def test_no_file_imports_tensorflow():
    found = []
    for name, text in texts('.py').items():
        if name not in MAY_IMPORT_TENSORFLOW and any(under(item, 'tensorflow') for item in imported(ast.parse(text))):
            found.append(name)
    assert not found


def test_importing_everything_loads_no_tensorflow_and_no_torch():
    """All modules of the library and the command line, in a fresh interpreter; not even a try is allowed."""
    modules = []
    for package in ('jaxlab', 'launch', 'configs'):
        for path in sorted((ROOT / package).rglob('*.py')):
            parts = path.relative_to(ROOT).with_suffix('').parts
            if parts[-1] == '__main__' or str(path.relative_to(ROOT)) in MAY_IMPORT_TENSORFLOW:
                continue
            modules.append('.'.join(parts[:-1] if parts[-1] == '__init__' else parts))
    code = f"""
import importlib, sys
class Watch:
    tried = set()
    def find_spec(self, name, path=None, target=None):
        if name in ('tensorflow', 'torch', 'keras'):
            self.tried.add((current, name))
sys.meta_path.insert(0, Watch())
for current in {modules!r}:
    importlib.import_module(current)
print(sorted(Watch.tried))"""
    assert run_python(code).strip() == '[]'


def test_files_are_short():
    """A file that nobody reads to its end hides things."""
    long = {}
    for name, text in texts('.py').items():
        lines = len(text.splitlines())
        if lines > MAY_BE_LONGER.get(name, LINES):
            long[name] = lines
    assert not long


def test_every_module_says_what_it_is():
    silent = []
    for name, text in texts('.py').items():
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            silent.append(name)
    assert not silent


def test_constraints_hold_names_and_versions_only():
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    pins = [line for line in lines if line.strip() and not line.startswith('#')]
    assert pins
    assert all(re.fullmatch(r'[A-Za-z0-9_.-]+==[A-Za-z0-9.]+', line) for line in pins)


@pytest.mark.skipif(not (ROOT / 'README.md').exists(), reason='no README yet')
def test_readme_lists_every_experiment():
    rows = '\n'.join(line for line in (ROOT / 'README.md').read_text().splitlines() if line.startswith('|'))
    missing = [path.stem for path in EXPERIMENTS if not re.search(rf'\b{path.stem}\b', rows)]
    assert not missing


def test_makefile_names_every_check():
    """What CI calls exists as a target."""
    makefile = (ROOT / 'Makefile').read_text()
    for target in ('setup', 'run', 'test', 'parity', 'smoke', 'lint', 'bench', 'notebooks', 'clean'):
        assert re.search(rf'^{target}:', makefile, re.MULTILINE), target


def test_simulated_devices_stay_in_this_process():
    """Eight devices here; the programs that tests start see the machine as it is."""
    assert jax.device_count() == 8
    assert 'force_host_platform' not in os.environ.get('XLA_FLAGS', '')
