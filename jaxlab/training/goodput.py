"""Where the wall time of a run goes, over all its starts: how much of it are updates that count.

A checkpoint holds the seconds spent until then. What a start did after its last checkpoint, and the time until the next
start, is lost: updates are made again, and those count once.
"""

import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxlab.files import write_file

LOG = 'starts.jsonl'  # a line for each start of the training, and for each end that was meant
STEPS = 'steps'


class Goodput:
    """Of one start. begun: when it began (`time.time`), which is before this process had imported anything."""

    def __init__(self, workdir: Path, writer: bool, begun: float, now: Callable[[], float] = time.time):
        self.path, self.writer, self.begun, self._now = workdir / LOG, writer, begun, now
        self.log = read_log(workdir) if writer else []
        self.before: Mapping[str, float] = {}
        self.startup = 0.0

    def _note(self, line: dict[str, Any]) -> None:
        self.log.append(line)
        if self.writer:
            write_file(self.path, ''.join(f'{json.dumps(line)}\n' for line in self.log))

    def resume(self, spent: Mapping[str, float]) -> None:
        """Goes on from a checkpoint that says what was spent before it; an end that was meant knows it better."""
        self.before = (self.log[-1] if self.log else {}).get('spent', spent)

    def started(self, compiled: float) -> None:
        """The first update comes next. compiled: seconds of compilation until then."""
        self.startup = self._now() - self.begun - compiled
        self._note({'start': round(self.begun, 3)})

    def spent(self, steps: float, **here: float) -> dict[str, float]:
        """Seconds by part, of this start and those before. steps: of all updates that count; here: of this start alone."""
        named = {'startup': self.startup, **here}
        before = self.before.get(STEPS, 0.0)
        rest = self._now() - self.begun - sum(named.values()) - (steps - before)
        named['other'] = max(0.0, rest)
        parts = {name: round(self.before.get(name, 0.0) + seconds, 3) for name, seconds in named.items()}
        return {STEPS: round(steps, 3), **parts}

    def end(self, spent: Mapping[str, float]) -> dict[str, Any]:
        """An end that was meant: the time until the next start is nobody's loss. What is to be said of the run."""
        self._note({'end': round(self._now(), 3), 'spent': dict(spent)})
        return summary(self.log)

    def interrupted(self, number: int, spent: Mapping[str, float]) -> None:
        """A person who stops a run means it (Ctrl-C); a machine that is taken away (SIGTERM) is lost time."""
        if number == signal.SIGINT:
            self.end(spent)


def read_log(workdir: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first."""
    path = workdir / LOG
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def known(workdir: Path) -> dict[str, Any]:
    """What is to be said of a run that ended before; {} where it did not."""
    return summary(read_log(workdir))


def summary(log: list[dict[str, Any]]) -> dict[str, Any]:
    """wall: seconds from the first start to the last end, without pauses; seconds: by part, `lost` among them; share: of
    the updates; restarts: starts that followed no end. {} for a log without an end."""
    if not log or 'end' not in log[-1]:
        return {}
    first = log[0]['start']
    pauses = sum(max(0.0, then['start'] - line['end']) for line, then in _pairs(log) if 'end' in line)
    wall = log[-1]['end'] - first - pauses
    seconds = dict(log[-1]['spent'])
    seconds['lost'] = round(max(0.0, wall - sum(seconds.values())), 3)
    restarts = sum('start' in line for line, _ in _pairs(log))
    share = seconds[STEPS] / wall if wall > 0 else 0.0
    return {'wall': round(wall, 3), 'share': round(share, 4), 'restarts': restarts, 'seconds': seconds}


def _pairs(log: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each line that a start follows, with that start."""
    return [(line, then) for line, then in zip(log, log[1:]) if 'start' in then]
