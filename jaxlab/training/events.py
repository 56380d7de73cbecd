"""metrics.jsonl (one line an epoch) and TensorBoard events, written by one process."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.files import append, is_remote, write_atomically, write_file

LOG = 'metrics.jsonl'


def read_log(workdir: Path) -> list[dict[str, Any]]:
    """The rows of a run's metrics.jsonl, one an epoch."""
    return [json.loads(line) for line in (workdir / LOG).read_text().splitlines()]


def write_log(workdir: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes metrics.jsonl anew, with these rows alone."""
    with write_atomically(workdir / LOG, 'w') as file:
        file.writelines(json.dumps(row) + '\n' for row in rows)


class Events:
    """The log of a run. On resume it is rewritten from the checkpoint's history, so it never holds a line twice."""

    def __init__(self, workdir: Path, writer: bool):
        self.path, self.folder, self.writer = workdir / LOG, workdir / 'events', writer
        self._board: Any = None
        self._local = self.folder  # where the board writes; its files are copied into a bucket

    def start(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Begins a log that holds exactly this history."""
        if not self.writer:
            return
        write_log(self.path.parent, history)
        if self.folder.exists():  # a thread of the board writes: a kill took with it what it had not written
            for file in self.folder.glob('*.tfevents.*'):
                file.unlink()
        if is_remote(self.folder):
            self._local = Path(tempfile.mkdtemp(prefix='jaxlab-events-'))
        self._board = _board_writer()(str(self._local), flush_secs=1)
        now = time.time() - (history[-1].get('seconds', 0) if history else 0)
        for row in history:
            self._show(row, now + row.get('seconds', 0))
        if history:
            self._copy()

    def write(self, row: Mapping[str, Any]) -> None:
        """Adds the row of one epoch to metrics.jsonl and to TensorBoard's events."""
        if not self.writer:
            return
        append(self.path, json.dumps(row))
        self._show(row, time.time())
        self._copy()

    def _show(self, row: Mapping[str, Any], when: float) -> None:
        """To TensorBoard. when: in seconds, as `time.time()` counts them."""
        for name, values in row.items():
            if isinstance(values, list):
                for replica, value in enumerate(values):
                    tag = name if len(values) == 1 else f'{name}/replica_{replica}'
                    self._board.add_scalar(tag, value, row['step'], when)

    def _copy(self) -> None:
        """Into the bucket, where the run lies in one."""
        if self._local != self.folder:
            for file in self._local.iterdir():
                write_file(self.folder / file.name, file.read_bytes())

    def close(self) -> None:
        """Writes what is still in memory and closes the files."""
        if self._board is None:
            return
        self._board.close()
        if self._local != self.folder:
            self._copy()
            shutil.rmtree(self._local)


def _board_writer() -> Any:
    """TensorBoard's writer. Its package imports PyTorch where that is installed, which takes a second and is not needed."""
    hidden = 'torch' not in sys.modules
    if hidden:
        sys.modules['torch'] = None  # type: ignore[assignment]
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del sys.modules['torch']
    return SummaryWriter
