"""What a person sees while a training runs: a bar in a terminal, a line an epoch elsewhere, nothing on request."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from rich.console import Console


def leave_at_once(number: int, frame: Any) -> NoReturn:
    """Ends the process without unwinding: an exception raised at any moment could surface as a traceback anywhere."""
    os.write(2, b'stopped at once; the last whole checkpoint is kept\n')
    os._exit(128 + number)


class Watcher:
    """The engine's listener. Logs go to stderr. A signal only sets a flag; the loop checkpoints and ends.

    follows: whether epochs are shown (of several hosts, one does). heard: when the engine last gave a sign of life
    (`time.monotonic`); step: the last update it told of, and moved: whether it told of one. begun: when the work for the
    training began (`time.time`).
    """

    def __init__(
        self,
        console: Console | None = None,
        title: str = '',
        parent: 'Watcher | None' = None,
        follows: bool = True,
        begun: float | None = None,
    ):
        self.console, self.follows = console or Console(stderr=True), follows
        self.heard, self.step, self.moved = time.monotonic(), 0, False
        self.begun = time.time() if begun is None else begun
        self.title, self.signal, self._parent = title, 0, parent
        self.pages: list[Any] = []  # worked computations and tables to print once the run is over
        self._bar: Any = None
        self._task: Any = None
        self._begun: tuple[float, int] | None = None

    def catch_signals(self) -> None:
        """Ctrl-C and SIGTERM checkpoint first; a second Ctrl-C ends at once. Call after `jax.distributed.initialize`."""

        def handle(number: int, frame: Any) -> None:
            if self.signal:
                leave_at_once(number, frame)
            self.signal = number

        signal.signal(signal.SIGINT, handle)
        signal.signal(signal.SIGTERM, handle)

    def stop_requested(self) -> int:
        """The signal that came, or 0."""
        self._hear()
        return self._parent.stop_requested() if self._parent else self.signal

    def helper(self, title: str) -> 'Watcher':
        """The listener of another training in the same command; the same signals stop it."""
        return Watcher(self.console, title, self, self.follows)

    def _hear(self) -> None:
        self.heard = time.monotonic()
        if self._parent:
            self._parent.heard, self._parent.step = self.heard, self.step
            self._parent.moved |= self.moved

    def say(self, text: str) -> None:
        """Prints one remark beside the bar."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def started(self, step: int, total_steps: int, steps_per_epoch: int) -> None:
        """Opens the bar (terminals only)."""
        self._begun, self.step = None, step
        self._hear()
        if not self.follows or not self.console.is_terminal or step >= total_steps:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        texts = ('{task.completed}/{task.total}', '{task.fields[speed]}', '{task.fields[losses]}')
        columns = (TextColumn('{task.description}'), BarColumn(None), *map(TextColumn, texts))
        columns = (*columns, TimeRemainingColumn(compact=True))
        self._bar = Progress(*columns, console=self.console, transient=True)
        self._bar.start()
        self._task = self._bar.add_task(self.title, total=total_steps, completed=step, speed='', losses='')

    def progress(self, step: int, values: Mapping[str, float]) -> None:
        """After every call of the compiled program."""
        now, self.step, self.moved = time.perf_counter(), step, True
        self._hear()
        if self._begun is None:
            self._begun = (now, step)
        if self._bar is None:
            return
        begun, first = self._begun
        speed = f'{(step - first) / (now - begun):.1f} steps/s' if step > first else 'compiling'
        losses = ' '.join(
            f'{name.removesuffix("_loss")} {value:.3f}' for name, value in values.items() if 'loss' in name
        )
        self._bar.update(self._task, completed=step, speed=speed, losses=losses or first_of(values))

    def epoch(self, row: Mapping[str, Any]) -> None:
        """A line an epoch where there is no bar."""
        self._hear()
        if self._bar is not None or not self.follows:
            return
        values = {name: value for name, value in row.items() if isinstance(value, list)}
        words = ' '.join(f'{name} {sum(value) / len(value):.4f}' for name, value in values.items())
        self.say(f'{self.title} epoch {row["epoch"]} step {row["step"]} ({row["seconds"]:.1f} s) {words}')

    def close(self) -> None:
        """Removes the bar; another training begins now."""
        self.begun = time.time()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def first_of(values: Mapping[str, float]) -> str:
    """The first metric's value, for tasks that have no loss."""
    return next((f'{name} {value:.3f}' for name, value in values.items()), '')
