"""Eight simulated CPU devices, a shared compilation cache, no windows; set before jax computes anything."""

import contextlib
import dataclasses
import gc
import io
import json
import os
import pathlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from launch.smoke import quickly_compiled

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEVICES = 8
MAPS = 20_000  # of memory: from here on a process frees its compiled programs after each file of tests

# Tests compile thousands of small programs and run each a few times. The programs that tests start inherit it.
os.environ['XLA_FLAGS'] = quickly_compiled()
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')  # its threads wait in circles, and other workers stand beside

# XLA reads its flags once, when the first device is asked for. Afterwards the environment is put back, so that the
# programs that tests start see the machine's own devices.
_before = {name: os.environ.get(name) for name in ('XLA_FLAGS', 'JAX_PLATFORMS')}
os.environ['XLA_FLAGS'] = ' '.join(
    [
        os.environ['XLA_FLAGS'],
        f'--xla_force_host_platform_device_count={DEVICES}',
        '--xla_cpu_collective_call_terminate_timeout_seconds=600',
    ]
)
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('MPLBACKEND', 'Agg')

# JAXLAB_TYPECHECK=0 leaves the shape checks off; they read the annotations of jaxlab/layers at every call.
if os.environ.get('JAXLAB_TYPECHECK', '1') != '0':
    try:
        import jaxtyping

        import tests.shapes  # noqa: F401
    except ImportError:
        pass
    else:
        jaxtyping.install_import_hook('jaxlab.layers', 'tests.shapes.checked')

import hypothesis  # noqa: E402
import jax  # noqa: E402

# A slow or busy machine fails no property: speed is measured in `benchmarks/`.
hypothesis.settings.register_profile('jaxlab', deadline=None)
hypothesis.settings.load_profile('jaxlab')

jax.config.update('jax_compilation_cache_dir', str(ROOT / '.cache' / 'jax-tests'))
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
if os.environ.get('JAXLAB_MUTANTS') != '1':  # `tests/mutants.py` forks after this: no device before
    jax.devices()
    for _name, _value in _before.items():
        if _value is None:
            os.environ.pop(_name, None)
        else:
            os.environ[_name] = _value


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not look through half a million objects again and again (5 % of the time),
    nor for every 2,000 objects that a trace makes and drops (another 5 %)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def memory_maps() -> int:
    """How many this process has; Linux allows 65,530."""
    path = pathlib.Path('/proc/self/maps')
    return path.read_bytes().count(b'\n') if path.exists() else MAPS


@pytest.fixture(scope='session')
def root() -> pathlib.Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(autouse=True, scope='module')
def forgotten_programs():
    """Frees compiled programs once they hold many maps of memory, of which a process may only have so many."""
    yield
    if memory_maps() >= MAPS:
        jax.clear_caches()


@pytest.fixture
def float64():
    """Runs a test in double precision."""
    with jax.enable_x64(True):
        yield


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


@contextlib.contextmanager
def _command_line(patch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """The command line in this process, quick, on one device, its figures blank; signal handlers are as they were
    afterwards."""
    from launch.__main__ import main
    from tests.undrawn import undrawn

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    cache = jax.config.jax_compilation_cache_dir
    patch.setenv('JAXLAB_CACHE_DIR', str(ROOT / '.cache' / 'tests'))
    patch.delenv('JAXLAB_DATA_DIR', raising=False)
    patch.chdir(ROOT)

    def run(*words: str) -> int:
        one_device = ['--config.parallel.devices=1'] if any(word.startswith('--config=') for word in words) else []
        with undrawn():
            return main([*one_device, *words])

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    jax.config.update('jax_compilation_cache_dir', cache)


@pytest.fixture
def launch(capsys, monkeypatch):
    """`launch('--config=...', ...)`: what the command line in this process says; streams are as they were afterwards."""
    with _command_line(monkeypatch) as main:

        def run(*words: str) -> Said:
            capsys.readouterr()
            code = main(*words)
            captured = capsys.readouterr()
            return Said(code, captured.out, captured.err)

        yield run


@pytest.fixture(scope='session')
def launched():
    """`launched('--config=...', ...)`: the same for what a whole file needs once, before its first test; it ends well."""

    def run(*words: str) -> None:
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, _command_line(patch) as main:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = main(*words)
        assert code == 0, said.getvalue()

    return run
