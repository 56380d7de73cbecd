"""The rehearsal: N processes of this machine that join as hosts do, with a supervisor that starts all of them again."""

import contextlib
import dataclasses
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from jaxlab.errors import UserError
from jaxlab.training.hosts import RESTART
from launch.pods.plan import MISTAKE, Job


@dataclasses.dataclass(frozen=True)
class Settings:
    """processes: how many hosts are played. devices: virtual CPU devices of each. restarts: how often all start again.

    grace: seconds that the others have to end by themselves once one has ended, as on a machine that is taken away.
    """

    processes: int = 2
    devices: int = 1
    restarts: int = 10
    grace: float = 30.0

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise UserError(f'--processes={self.processes}; valid: a whole number from 1')


def run(job: Job, settings: Settings, say: Callable[[str], None] = print) -> int:
    """Runs the job until all processes end well; returns the exit code.

    When a process was killed or asks for it (exit code 42), all start again and go on from their checkpoint. A mistake of
    the user's (2) or a bug (anything else) ends everything; a signal to the supervisor goes to all processes and ends them.
    """
    for start in range(settings.restarts + 1):
        code, asked = _start(job, settings)
        if asked or not (code == RESTART or code < 0):
            return code if code >= 0 else 128 - code
        if start < settings.restarts:
            what = f'asked for it (exit code {RESTART})' if code == RESTART else f'was ended by signal {-code}'
            say(f'supervisor: a process {what}; start {start + 2} of at most {settings.restarts + 1}')
    say(f'supervisor: gave up after {settings.restarts + 1} starts')
    return RESTART


def dry_run(job: Job, settings: Settings) -> list[str]:
    """What `run` would start."""
    return [
        ' '.join(
            [*(f'{name}={shlex.quote(value)}' for name, value in _environment(settings, number, 'PORT').items())]
            + ['python', '-m', 'launch', shlex.join(job.words)]
        )
        for number in range(settings.processes)
    ]


def _environment(settings: Settings, number: int, port: str) -> dict[str, str]:
    found = {
        'JAX_PLATFORMS': 'cpu',
        'JAX_COORDINATOR_ADDRESS': f'127.0.0.1:{port}',
        'JAX_NUM_PROCESSES': str(settings.processes),
        'JAX_PROCESS_ID': str(number),
    }
    if settings.devices > 1:
        flags = os.environ.get('XLA_FLAGS', '')
        found['XLA_FLAGS'] = f'{flags} --xla_force_host_platform_device_count={settings.devices}'.strip()
    return found


def _start(job: Job, settings: Settings) -> tuple[int, bool]:
    """One start of all processes: the exit code that speaks for all (negative: a signal's number), and whether a signal to
    the supervisor ended them."""
    port = str(_free_port())
    processes: list[subprocess.Popen[str]] = []
    with _forwarded(processes) as signals:
        for number in range(settings.processes):
            process = subprocess.Popen(
                (sys.executable, '-m', 'launch', *job.words),
                env={**os.environ, **_environment(settings, number, port)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone, which passes it on once
            )
            processes.append(process)
        readers = [threading.Thread(target=_copy, args=(one.stdout, at)) for at, one in enumerate(processes)]
        for reader in readers:
            reader.start()
        try:
            code = _first_failure(processes)
        finally:
            _end(processes, settings.grace)
            for reader in readers:
                reader.join()
        return code, bool(signals)


@contextlib.contextmanager
def _forwarded(processes: Sequence[subprocess.Popen[str]]) -> Iterator[list[int]]:
    """SIGINT and SIGTERM go on to all processes, which checkpoint and end; what came is in the list."""
    came: list[int] = []

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        for process in processes:
            process.send_signal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_failure(processes: Sequence[subprocess.Popen[str]]) -> int:
    """Waits until all have ended well (0) or one has not. What one finds wrong all find wrong: the clearest code counts."""
    while True:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed:
            return MISTAKE if MISTAKE in failed else failed[0]
        if all(code == 0 for code in codes):
            return 0
        time.sleep(0.05)


def _end(processes: Sequence[subprocess.Popen[str]], grace: float) -> None:
    """Those that are left find out themselves that one is gone; who does not is killed."""
    until = time.monotonic() + grace
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _copy(stream: IO[str] | None, number: int) -> None:
    """Each line of a process behind its number."""
    for line in stream or ():
        sys.stderr.write(f'[{number}] {line}')
        sys.stderr.flush()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return int(found.getsockname()[1])
