"""Which Python `make` takes: stub interpreters on a path and in a home of their own, and no other program in reach."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ('make', 'sort', 'touch', 'mkdir', 'ln', 'echo')

# Runs the code that it is given with another version; `-m venv` makes an environment whose Python is the stub itself.
STUB = """#!/bin/sh
echo "$0 $1 $2 $3" >> '{log}'
case "$1" in
-c) exec '{real}' -c "import sys; sys.version_info = {version}; sys.abiflags = '{flags}'
$2" ;;
-m) if [ "$2" = venv ]; then mkdir -p .venv/bin && ln -sf "$0" .venv/bin/python; fi
    test "$2" != "$FAILING" ;;
--version) echo 'Python {dotted}' ;;
esac
"""
SHIM = """#!/bin/sh
echo "$0 $1" >> '{log}'
echo 'pyenv: python3.13: command not found' >&2
exit 127
"""

pytestmark = pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason='needs GNU Make and a shell')


class Machine:
    """A project folder with the real Makefile, a path and a home."""

    def __init__(self, folder: pathlib.Path):
        self.project, self.path, self.home = folder / 'project', folder / 'bin', folder / 'home of one'
        self.log = folder / 'log'
        for made in (self.project, self.path, self.home):
            made.mkdir()
        shutil.copy(ROOT / 'Makefile', self.project)
        for name in ('pyproject.toml', 'constraints.txt'):
            (self.project / name).touch()
        for tool in TOOLS:
            (self.path / tool).symlink_to(str(shutil.which(tool)))

    def write(self, file: pathlib.Path, text: str) -> pathlib.Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
        return file

    def python(self, file: pathlib.Path, *version: int, flags: str = '') -> pathlib.Path:
        """A stub interpreter of that version."""
        whole = (*version, *(0,) * (3 - len(version)), 'final', 0)
        dotted = '.'.join(map(str, version))
        return self.write(
            file, STUB.format(log=self.log, real=sys.executable, version=whole, flags=flags, dotted=dotted)
        )

    def pyenv(self, *version: int, flags: str = '') -> pathlib.Path:
        name = '.'.join(map(str, version)) + flags
        return self.python(self.home / '.pyenv' / 'versions' / name / 'bin' / 'python', *version, flags=flags)

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess:
        environment = {'PATH': str(self.path), 'HOME': str(self.home), **variables}
        return subprocess.run(
            ['make', *words], cwd=self.project, env=environment, capture_output=True, text=True, timeout=120
        )

    def chosen(self, **variables: str) -> pathlib.Path:
        """The interpreter of which a fresh `make setup` made its environment."""
        done = self.make('setup', **variables)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ''
        return pathlib.Path(os.readlink(self.project / '.venv' / 'bin' / 'python'))

    def asked(self) -> list[str]:
        """Interpreters that were started, newest last; forgotten afterwards."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def test_the_newest_on_the_path_is_taken(machine):
    for minor in (11, 12, 13):
        machine.python(machine.path / f'python3.{minor}', 3, minor)
    machine.python(machine.path / 'python3', 3, 12)
    assert machine.chosen() == machine.path / 'python3.13'


def test_a_shim_that_leads_nowhere_is_passed_over(machine):
    """What pyenv puts on the path for a version that is installed but not chosen."""
    for minor in (12, 13, 14):
        machine.write(machine.path / f'python3.{minor}', SHIM.format(log=machine.log))
    machine.python(machine.path / 'python3', 3, 11, 7)
    machine.pyenv(3, 12, 1)
    newest = machine.pyenv(3, 13, 0)
    assert machine.chosen() == newest


def test_an_old_python_on_the_path_and_a_newer_one_under_pyenv(machine):
    machine.python(machine.path / 'python3', 3, 11)
    machine.python(machine.path / 'python3.11', 3, 11)
    machine.pyenv(2, 7, 18)
    machine.pyenv(3, 11, 7)
    machine.pyenv(3, 12, 9)
    newest = machine.pyenv(3, 12, 10)
    machine.pyenv(3, 13, 2, flags='t')  # free-threaded
    machine.pyenv(3, 15, 0)
    assert machine.chosen() == newest


def test_another_folder_of_pyenv(machine):
    """An environment in it may have a name of its own."""
    elsewhere = machine.python(machine.home / 'tools' / 'versions' / 'laboratory' / 'bin' / 'python', 3, 14)
    assert machine.chosen(PYENV_ROOT=str(machine.home / 'tools')) == elsewhere


def test_what_is_just_called_python3(machine):
    python = machine.python(machine.path / 'python3', 3, 12, 4)
    assert machine.chosen() == python


def test_uv_is_asked_last(machine):
    kept = machine.python(machine.home / 'uv' / 'python', 3, 13)
    machine.write(machine.path / 'uv', f'#!/bin/sh\necho "uv $*" >> "{machine.log}"\necho "{kept}"\n')
    assert machine.chosen() == kept
    assert any(line.startswith('uv python find') for line in machine.asked())
    shutil.rmtree(machine.project / '.venv')
    machine.python(machine.path / 'python3', 3, 12)
    assert machine.chosen() == machine.path / 'python3'
    assert not any(line.startswith('uv') for line in machine.asked())


@pytest.mark.parametrize(
    ('failing', 'installing'), [('', ['pip', 'uv', 'uv']), ('uv', ['pip', 'uv', 'pip', 'uv', 'pip'])]
)
def test_pip_installs_what_uv_cannot(machine, failing, installing):
    machine.python(machine.path / 'python3.13', 3, 13)
    machine.chosen(FAILING=failing)
    assert [line.split()[2] for line in machine.asked() if ' -m ' in line and ' venv' not in line] == installing


def test_a_named_one_is_taken(machine):
    machine.python(machine.path / 'python3.13', 3, 13)
    named = machine.python(machine.home / 'my python', 3, 12)
    assert machine.chosen(PYTHON=str(named)) == named


@pytest.mark.parametrize('target', ['setup', 'test', 'run'])
def test_none_is_one_line_and_exit_code_2(machine, target):
    machine.python(machine.path / 'python3', 3, 11)
    machine.write(machine.path / 'python3.13', SHIM.format(log=machine.log))
    done = machine.make(target, 'CONFIG=configs/mlp_xor.py')
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert 'no Python 3.12, 3.13 or 3.14 was found: install one' in line and 'make setup PYTHON=FILE' in line
    assert done.stdout == ''
    assert not (machine.project / '.venv').exists()


def test_one_that_was_named_and_does_not_fit(machine):
    machine.python(machine.path / 'python3.13', 3, 13)
    old = machine.python(machine.path / 'python3.11', 3, 11)
    done = machine.make('setup', f'PYTHON={old}')
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f'{old} cannot be used: Python 3.12, 3.13 or 3.14' in line


def test_nothing_is_searched_for_while_the_environment_is_sound(machine):
    machine.python(machine.path / 'python3.13', 3, 13)
    machine.chosen()
    assert machine.asked()
    for words in (('setup',), ('run', 'CONFIG=configs/mlp_xor.py'), ('test',), ('help',)):
        assert machine.make(*words).returncode == 0
        started = [line.split()[0] for line in machine.asked()]
        assert started and set(started) == {'.venv/bin/python'}


def test_an_environment_whose_python_became_too_old_is_made_again(machine):
    """A checkout that once supported 3.11."""
    old = machine.python(machine.path / 'python3.11', 3, 11)
    new = machine.python(machine.path / 'python3.12', 3, 12)
    (machine.project / '.venv' / 'bin').mkdir(parents=True)
    link = machine.project / '.venv' / 'bin' / 'python'
    link.symlink_to(old)
    (machine.project / '.venv' / '.ready-base').touch()
    done = machine.make('setup')
    assert done.returncode == 0, done.stderr
    assert f'{new} -m venv --clear' in '\n'.join(machine.asked())
