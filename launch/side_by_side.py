"""Processes side by side, each measured alone."""

import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

Start = Callable[[Path], int]  # begins a process that prints into `out` and `err` of a folder; its number


class Measured(NamedTuple):
    """Exit code (None when it was stopped), what was printed (errors last), seconds by the clock, and those of the
    processor that the process used and nobody beside it."""

    code: int | None
    said: str
    seconds: float
    processor: float


class Process:
    """One that has begun and is looked after until it ends. folder: an empty one, for what it prints."""

    def __init__(self, start: Start, folder: Path):
        self.folder, self.begun, self.stopped = folder, time.perf_counter(), False
        self.number = start(folder)

    def ended(self, stop: float) -> Measured | None:
        """What there is to say once it has ended; it is stopped after so many seconds."""
        done, status, usage = os.wait4(self.number, os.WNOHANG)
        seconds = time.perf_counter() - self.begun
        if not done:
            if not self.stopped and seconds > stop:
                os.kill(self.number, signal.SIGKILL)
                self.stopped = True
            return None
        code = None if self.stopped else os.waitstatus_to_exitcode(status)
        said = ''.join((self.folder / name).read_text(errors='replace') for name in ('out', 'err'))
        return Measured(code, said, seconds, usage.ru_utime + usage.ru_stime)


def measured(starts: Mapping[str, Start], stop: float, jobs: int = 2) -> Iterator[tuple[str, Measured]]:
    """Runs so many at a time; gives back each as it ends. Those that still run when nobody asks any more are killed."""
    waiting, running = dict(starts), dict[str, Process]()
    with tempfile.TemporaryDirectory(prefix='jaxlab-') as folder:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    name = next(iter(waiting))
                    running[name] = Process(waiting.pop(name), Path(tempfile.mkdtemp(dir=folder)))
                for name, process in list(running.items()):
                    if result := process.ended(stop):
                        del running[name]
                        yield name, result
                time.sleep(0.02)
        finally:
            for process in running.values():
                os.kill(process.number, signal.SIGKILL)
                os.waitpid(process.number, 0)


def program(command: list[str]) -> Start:
    """A program of its own."""

    def start(folder: Path) -> int:
        with (folder / 'out').open('wb') as out, (folder / 'err').open('wb') as err, warnings.catch_warnings():
            warnings.simplefilter('ignore', ResourceWarning)  # it is waited for by its number
            return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err).pid

    return start


def forked(words: list[str]) -> Start:
    """`python -m launch WORDS` in a copy of this process, with all that it has imported."""

    def start(folder: Path) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # The threads are those of libraries that wait for work. JAX has none before it knows its devices.
            warnings.filterwarnings('ignore', message='.*multi-threaded', category=DeprecationWarning)
            number = os.fork()
        if not number:
            os._exit(_played(words, folder))
        return number

    return start


def _played(words: list[str], folder: Path) -> int:
    """What `python -m launch` does, to the end of the process; its exit code."""
    try:  # nothing may leave this function: around it stands what the first process was doing
        with open(os.devnull, 'rb') as nothing, (folder / 'out').open('wb') as out, (folder / 'err').open('wb') as err:
            for number, stream in enumerate((nothing, out, err)):
                os.dup2(stream.fileno(), number)
        os.chdir(ROOT)
        sys.argv[1:] = words
        runpy.run_module('launch', run_name='__main__', alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code
