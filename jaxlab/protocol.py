"""What engine, tasks and reports ask of one another: a task is pure functions of one state pytree."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from jaxlab.data.examples import Split
from jaxlab.figures import Figure

Batch = dict[str, jax.Array]
State = Any  # a pytree, usually {network name: TrainState}
Sums = dict[str, tuple[jax.Array, jax.Array]]  # name -> (total, weight); scalars: a metric, the mean total / weight
ALL = sys.maxsize  # of a split's examples


@dataclasses.dataclass(frozen=True)
class Record:
    """What a finished run hands to `Reporter.report`. Lists have one entry a replica."""

    states: Sequence[State]
    history: Sequence[Mapping[str, Any]]  # one row an epoch: {'epoch', 'step', 'train_loss': [R], ...}
    outputs: Mapping[
        str, Sequence[Mapping[str, np.ndarray]]
    ]  # split -> per replica: name -> [n, ...], in the split's order: the first n that `Reporter.keeps` asks for
    snapshots: Sequence[tuple[int, Any]]  # (epoch, what Task.snapshot returned for the first replica)
    metrics: Mapping[str, Sequence[float]]  # 'test_accuracy' -> one value a replica
    key: jax.Array
    needs: Mapping[str, 'Needed'] = dataclasses.field(default_factory=dict)
    step_logs: Sequence[tuple[int, Mapping[str, np.ndarray]]] = ()  # (epoch, metric -> [replicas, steps]), if kept
    start: Callable[[], State] = lambda: None  # the first replica's state before its first step


@dataclasses.dataclass(frozen=True)
class Needed:
    """Another experiment's trained network that this one is judged with or starts from (`config.needs`)."""

    task: Any
    state: State
    metrics: Mapping[str, Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Report:
    """Figures and tables in reading order, extra metrics (one value a replica), and remarks in plain words.

    printed: names of the worked computations and tables that a terminal prints by default. answer: the sentence that
    answers the experiment's question, where no single metric does. comparable: False where something else was computed
    than what was published.
    """

    figures: Sequence[Figure] = ()
    metrics: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    remarks: Sequence[str] = ()
    printed: Sequence[str] = ()
    answer: str = ''
    comparable: bool = True

    def followed_by(self, more: 'Report') -> 'Report':
        """The same with the figures, metrics and remarks of another report after its own."""
        return dataclasses.replace(
            self,
            figures=(*self.figures, *more.figures),
            metrics={**self.metrics, **more.metrics},
            remarks=(*self.remarks, *more.remarks),
        )


class Task(Protocol):
    """A kind of learning."""

    def init(self, key: jax.Array, example: Batch) -> State:
        """The state before the first step. example: one prepared batch (shapes and dtypes matter, values may be zeros)."""

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update."""

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """What is added up over batches (totals of any shape), and what is kept of each example ([N, ...])."""

    scored: tuple[str, ...]  # the outputs that `score` needs

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """Further metrics of a whole split and one replica, on the host.

        totals: name -> sum over the split of what `eval_step` adds up there (a matrix of confusions, counts by class),
        float64. outputs: name in `scored` -> [N, ...], in the split's order. The metrics can choose the best checkpoint,
        stop a training and tune as those of `eval_step` can. A task may lack `scored` and `score`.
        """

    def judged_by(self, needs: Mapping[str, 'Needed']) -> 'Task':
        """The same task, which measures by the networks in `config.needs`. A task may lack it."""

    def snapshot(self, state: State, key: jax.Array) -> Any:
        """Arrays to look at while training goes on (a GAN's grid from fixed noise), or None."""

    def networks(self) -> Mapping[str, Any]:
        """Network name -> (Flax module, shape of one example) for the model table; the module takes `(x, train=...)`, or
        `(*x, train=...)` where the shape is a tuple of several."""


class Reporter(Protocol):
    """What a kind of learning shows of a finished run, on the host."""

    def keeps(self, split: str) -> int:
        """Of how many examples of a split, from its first on, it wants the outputs (0: none). It may lack this: of none."""

    def report(self, record: Record) -> Report:
        """Figures, tables and further metrics."""
