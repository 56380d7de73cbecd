"""Rows as living processes that take turns: started, timed in rounds, ended.

Every row is a process of its own that stays alive; in each round all rows take their turn, in another order, while the
others are idle. A ratio is taken within a round (both sides saw the same machine) and then the median over rounds.
"""

import json
import os
import random
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.problems import PROBLEMS, Setting

ROOT = Path(__file__).resolve().parent.parent
CPU = {'JAX_PLATFORMS': 'cpu', 'TORCHINDUCTOR_FREEZING': '0'}


class Lost(Exception):
    """A worker that answers no more."""


@dataclass(frozen=True)
class Plan:
    """How long rows are measured: `rounds` turns of `seconds` each, as many as end before `end` (time.monotonic()).

    ready_by: when a row that has not taken its first steps is given up. together: all processes start at once.
    """

    rounds: int
    seconds: float
    verbose: bool = False
    end: float = float('inf')
    ready_by: float = float('inf')
    together: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: CPU)
    words: tuple[str, ...] = ()  # more of a worker's command line


@dataclass
class Row:
    """A living worker and what it has measured."""

    model: str
    name: str
    process: subprocess.Popen
    log: IO[bytes] | None = None
    error: str | None = None
    parameters: int = 0
    errors: dict[str, float] = field(default_factory=dict)  # of products, see `problems.Check`
    ms: list[float] = field(default_factory=list)

    def ask(self, steps: int, end: float = float('inf')) -> float:
        """Milliseconds a step over `steps` steps."""
        try:
            self.process.stdin.write(f'{steps}\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Lost(self._last_words()) from None
        answer = self.read(end)
        if 'error' in answer:
            raise Lost(answer['error'])
        return answer['ms']

    def read(self, end: float = float('inf')) -> dict[str, Any]:
        """The worker's next answer; one that does not come before `end` ends the worker."""
        limit = None if end == float('inf') else max(0.0, end - time.monotonic())
        if not select.select([self.process.stdout], [], [], limit)[0]:
            self.process.kill()
            return {'error': f'no answer in time (waited {limit:.0f} s)'}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {'error': self._last_words()}

    def _last_words(self) -> str:
        """Why a process ended that gave no reason."""
        if self.log is None:
            return 'the worker ended'
        self.log.seek(0)
        lines = [line for line in self.log.read().decode(errors='replace').splitlines() if line.strip()]
        return f'the worker ended: {lines[-1].strip()}'[:300] if lines else 'the worker ended'

    def steps_for(self, seconds: float, end: float = float('inf')) -> int:
        """Steps that fill the time: a first guess from three, a better one from a tenth of the time."""
        guess = max(1, round(seconds * 100 / self.ask(3, end)))
        return max(1, round(seconds * 1e3 / self.ask(guess, end)))

    @property
    def median(self) -> float:
        return statistics.median(self.ms)


def launched(model: str, row: str, setting: Setting, plan: Plan) -> Row:
    """Starts a worker."""
    environment = {key: value for key, value in os.environ.items() if key != 'GLIBC_TUNABLES'}
    log = None if plan.verbose else tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.worker', model, row, *setting.words, *plan.words],
        cwd=ROOT,
        env=environment | dict(plan.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    return Row(model, row, process, log)


def wait_until_ready(worker: Row, plan: Plan) -> None:
    """Until it has taken its first steps, or has said why it cannot."""
    first = worker.read(plan.ready_by)
    worker.error, worker.parameters = first.get('error'), first.get('parameters', 0)
    worker.errors = first.get('errors', {})
    if worker.error is None:
        problem = PROBLEMS[worker.model]
        expected = problem.parameters + (problem.flax_difference if worker.name == 'flax' else 0)
        if worker.parameters != expected:
            worker.error = f'trains {worker.parameters:,} parameters, not {expected:,}'
    if worker.error:
        print(f'  {worker.model} {worker.name}: {worker.error}', file=sys.stderr)


def measure(rows: Sequence[tuple[str, str]], plan: Plan, setting: Setting | None = None) -> list[Row]:
    """All rounds of some (model, row)."""
    workers: list[Row] = []
    setting = setting or Setting()
    try:
        for model, row in rows:
            workers.append(launched(model, row, setting, plan))
            if not plan.together:
                wait_until_ready(workers[-1], plan)
        if plan.together:
            for worker in workers:
                wait_until_ready(worker, plan)
        _rounds([worker for worker in workers if worker.error is None], plan)
    finally:
        for worker in workers:
            _ended(worker)
    return workers


def _rounds(living: list[Row], plan: Plan) -> None:
    """Takes turns until all rounds are done or the time is over; only whole rounds count."""
    steps: dict[int, int] = {}
    for worker in living:
        try:
            steps[id(worker)] = worker.steps_for(plan.seconds, plan.end)
        except Lost as lost:
            worker.error = str(lost)
    order = random.Random(0)
    begun = time.monotonic()
    for number in range(plan.rounds):
        a_round = (time.monotonic() - begun) / max(1, number)
        if number and time.monotonic() + a_round > plan.end:
            break
        living = [worker for worker in living if worker.error is None]
        for worker in order.sample(living, len(living)):
            try:
                worker.ask(1, plan.end)  # wakes threads and caches
                worker.ms.append(worker.ask(steps[id(worker)], plan.end))
            except Lost as lost:
                worker.error, worker.ms = str(lost), []


def _ended(worker: Row) -> None:
    """Asks a worker to end, and ends one that does not."""
    if worker.error:
        worker.process.kill()
    worker.process.stdin.close()
    try:
        worker.process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait(timeout=20)
    worker.process.stdout.close()
    if worker.log is not None:
        worker.log.close()


def spread(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Median, smallest and largest ratio over rounds."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)
