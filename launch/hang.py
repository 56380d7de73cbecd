"""A training that hangs: no update for some time. Alive and stuck looks the same from outside, so it says where it stands."""

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from jaxlab.training.hosts import RESTART, end_process
from launch.progress import Watcher

SECONDS = 900.0  # on several hosts, where nobody watches; a compilation is shorter


@contextlib.contextmanager
def watched(watcher: Watcher, seconds: float, host: int) -> Iterator[None]:
    """Ends the process with the exit code that asks for another start where the watcher hears nothing for so long; before
    the first update, which is compiled first, not under `SECONDS`."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(min(1.0, seconds / 4)):
            patience = seconds if watcher.moved else max(seconds, SECONDS)
            if time.monotonic() - watcher.heard > patience:
                end_process(_where(watcher.step, seconds, host), RESTART)

    if seconds:
        threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _where(step: int, seconds: float, host: int) -> str:
    """One line, and the calls of this project that the main thread is in, the innermost last."""
    frame = sys._current_frames()[threading.main_thread().ident or 0]
    stack = traceback.extract_stack(frame)
    calls = ''.join(traceback.format_list([call for call in stack[:-1] if _is_ours(call.filename)] + stack[-1:]))
    return (
        f'no update for {seconds:g} s: host {host} stands after step {step}, ends with exit code {RESTART}, in\n{calls}'
    )


def _is_ours(file: str) -> bool:
    return file.startswith(str(Path(__file__).resolve().parents[1])) and 'site-packages' not in file
