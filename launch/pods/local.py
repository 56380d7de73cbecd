"""The rehearsal: N processes of this machine that join as hosts do, with a supervisor that starts all of them again."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from jaxlab.errors import UserError
from launch.pods.plan import MISTAKE, RESTART, Job

GRACE = 30.0  # seconds from SIGTERM to SIGKILL, as on a preempted machine


@dataclasses.dataclass(frozen=True)
class Settings:
    """processes: how many hosts are played. devices: virtual CPU devices of each. restarts: how often all start again."""

    processes: int = 2
    devices: int = 1
    restarts: int = 10


def run(job: Job, settings: Settings, say: Callable[[str], None] = print) -> int:
    """Runs the job until all processes end well; returns the exit code.

    A process that asks for it (exit code 42) or is killed makes the supervisor end the others and start all of them again,
    which then go on from their checkpoint. A mistake of the user's (2) or a bug (anything else) ends everything.
    """
    if settings.processes < 1:
        raise UserError(f'--processes={settings.processes}; valid: a whole number from 1')
    for attempt in range(settings.restarts + 1):
        code = _attempt(job, settings)
        if not (code == RESTART or code < 0) or code == -signal.SIGINT:
            return code if code >= 0 else 128 - code
        if attempt < settings.restarts:
            what = f'asked for it (exit code {RESTART})' if code == RESTART else f'was ended by signal {-code}'
            say(f'supervisor: a process {what}; start {attempt + 2} of at most {settings.restarts + 1}')
    say(f'supervisor: gave up after {settings.restarts + 1} starts')
    return RESTART


def dry_run(job: Job, settings: Settings) -> list[str]:
    """What `run` would start."""
    return [
        f'{" ".join(f"{name}={value}" for name, value in _environment(settings, number, 0).items())} '
        f'python -m launch {" ".join(job.words)}'
        for number in range(settings.processes)
    ]


def _environment(settings: Settings, number: int, port: int) -> dict[str, str]:
    found = {
        'JAX_COORDINATOR_ADDRESS': f'127.0.0.1:{port or "PORT"}',
        'JAX_NUM_PROCESSES': str(settings.processes),
        'JAX_PROCESS_ID': str(number),
    }
    if settings.devices > 1:
        flags = os.environ.get('XLA_FLAGS', '')
        found['XLA_FLAGS'] = f'{flags} --xla_force_host_platform_device_count={settings.devices}'.strip()
    return found


def _attempt(job: Job, settings: Settings) -> int:
    """One start of all processes: 0, or the exit code (negative: the signal) of the first that ended otherwise."""
    port = _free_port()
    processes, readers = [], []
    for number in range(settings.processes):
        process = subprocess.Popen(
            (sys.executable, '-m', 'launch', *job.words),
            env={**os.environ, **_environment(settings, number, port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        readers.append(threading.Thread(target=_copy, args=(process.stdout, number), daemon=True))
        readers[-1].start()
    try:
        return _first_failure(processes)
    finally:
        _end(processes)
        for reader in readers:
            reader.join(timeout=5)


def _first_failure(processes: list[subprocess.Popen[str]]) -> int:
    while True:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed:
            # What one process finds wrong all find wrong: the clearest of their codes counts.
            return MISTAKE if MISTAKE in failed else failed[0]
        if all(code == 0 for code in codes):
            return 0
        time.sleep(0.1)


def _end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + GRACE
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
