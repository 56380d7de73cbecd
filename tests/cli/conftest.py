"""The command line inside the test's own process, quick; signal handlers and streams as they were afterwards."""

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import jax
import pytest

from launch.__main__ import main
from tests.cli import command


@dataclasses.dataclass(frozen=True)
class Said:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one object on stdout."""
        assert len(self.out.strip().splitlines()) == 1, self.out
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of a refusal."""
        lines = [line for line in self.err.splitlines() if line.startswith('error: ')]
        assert self.code == 2 and len(lines) == 1 and self.err.rstrip().endswith(lines[0]), self.err
        assert 'Traceback' not in self.err and self.out == ''
        return lines[0]


@pytest.fixture
def launch(capsys, monkeypatch):
    """`launch('--config=...', ...)`: the command line in this process, on one device."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    cache = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv('JAXLAB_CACHE_DIR', str(command.ROOT / '.cache' / 'tests'))
    monkeypatch.delenv('JAXLAB_DATA_DIR', raising=False)
    monkeypatch.chdir(command.ROOT)

    def run(*words: str) -> Said:
        capsys.readouterr()
        one_device = ['--config.parallel.devices=1'] if any(word.startswith('--config=') for word in words) else []
        code = main([*one_device, *words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    jax.config.update('jax_compilation_cache_dir', cache)


@pytest.fixture(scope='session')
def lenet() -> str:
    """The smoke profile of a classifier."""
    return '--config=configs/lenet_mnist.py:smoke'


@pytest.fixture
def write_config(tmp_path):
    """Writes a config file; returns `--config=...`."""

    def write(text: str, name: str = 'mine') -> str:
        path = tmp_path / f'{name}.py'
        path.write_text(text)
        return f'--config={os.fspath(Path(path))}'

    return write
