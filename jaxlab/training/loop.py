"""The training loop: epochs of compiled calls, evaluations, checkpoints, and everything that may end it."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

import jax
import numpy as np

from jaxlab.optimizers import Plateau, TrainState, reduce_on_plateau
from jaxlab.training import control
from jaxlab.training.checkpoints import Checkpoints
from jaxlab.training.events import Events
from jaxlab.training.goodput import Goodput
from jaxlab.training.machine import Machine
from jaxlab.training.snapshots import Kept


class Listener(Protocol):
    """Who watches a training (a progress bar, a test)."""

    def started(self, step: int, total_steps: int, steps_per_epoch: int) -> None: ...

    def progress(self, step: int, values: Mapping[str, float]) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None: ...

    def say(self, text: str) -> None: ...

    def stop_requested(self) -> int: ...


class Interrupted(Exception):
    """A signal asked the training to stop; the checkpoint is written."""

    def __init__(self, signal: int, step: int):
        super().__init__(f'stopped by signal {signal} after step {step}; run the same command again to go on')
        self.signal = signal


@dataclasses.dataclass
class Progress:
    """Where a training is. All of it is in every checkpoint."""

    step: int = 0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    partial: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  # logs of an unfinished epoch
    plateau: Plateau | None = None
    stopped: dict[str, Any] | None = None
    seconds: float = 0.0
    phases: list[dict[str, Any]] = dataclasses.field(
        default_factory=list
    )  # metrics at the end of each, if there are any
    spent: Mapping[str, float] = dataclasses.field(default_factory=dict)  # seconds by part (`Goodput`)
    restored: int | None = None  # the step of the best checkpoint, once it took the last one's place

    def meta(self) -> dict[str, Any]:
        """As JSON; not `restored`, which comes after the last checkpoint."""
        return {
            'step': self.step,
            'history': self.history,
            'partial': {name: log.tolist() for name, log in self.partial.items()},
            'plateau': self.plateau.as_json() if self.plateau else None,
            'stopped': self.stopped,
            'seconds': self.seconds,
            'phases': self.phases,
            'spent': dict(self.spent),
        }

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> 'Progress':
        """Read back from a checkpoint."""
        return cls(
            step=meta['step'],
            history=[dict(row) for row in meta['history']],
            partial={name: np.asarray(log, np.float32) for name, log in meta['partial'].items()},
            plateau=Plateau.from_block(meta['plateau']) if meta['plateau'] else None,
            stopped=meta['stopped'],
            seconds=meta['seconds'],
            phases=[dict(metrics) for metrics in meta.get('phases', ())],
            spent=meta.get('spent', {}),
        )


@dataclasses.dataclass
class Loop:
    """One training: a machine (task, data and compiled programs), where it writes to, and how far it is."""

    machine: Machine
    checkpoints: Checkpoints
    events: Events
    kept: Kept
    listener: Listener
    identity: Mapping[str, Any]
    workdir: Path
    goodput: Goodput
    compiled: bool = False  # whether the first call was made
    unfinished: int = -1  # the step of the checkpoint that was gone on from, where its epoch had no evaluation yet
    saved_at: float = dataclasses.field(default_factory=time.monotonic)  # when the last checkpoint was begun

    def run(self, state: Any, progress: Progress) -> tuple[Any, Progress]:
        """Trains until the last step or a reason to stop; returns the device state and what happened."""
        machine, training = self.machine, self.machine.config.training
        per_epoch, total = machine.feed.steps_per_epoch, machine.total_steps
        self.listener.started(progress.step, total, per_epoch)
        self.unfinished = progress.step if progress.partial else -1
        # An epoch whose updates are made and whose evaluation was interrupted still has its log: that comes first.
        while (progress.step < total or progress.partial) and not progress.stopped:
            epoch = (progress.step - bool(progress.partial)) // per_epoch + 1
            state = self._entered(state, progress)
            state = self._epoch(state, progress, epoch, min(total, epoch * per_epoch))
            row = self._row(state, progress, epoch)
            progress.history.append(row)
            if training.log_steps:
                self.kept.step_logs.take(
                    epoch, control.step_means(progress.partial, progress.step - (epoch - 1) * per_epoch)
                )
            progress.partial = {}
            state = self._between_epochs(state, progress, row)
            if machine.config.training.snapshot_every and epoch % training.snapshot_every == 0:
                self.kept.snapshots.take(epoch, machine.snapshot(state))
            every, signal = training.checkpoint_every, machine.agreed(self.listener.stop_requested())
            ends = progress.step >= total or progress.stopped or signal
            if (every and epoch % every == 0) or ends or control.is_new_best(training, progress.history):
                self._save(state, progress, row)
            if signal:
                self._interrupt(signal, progress)
        return state, progress

    def _entered(self, state: Any, progress: Progress) -> Any:
        """The state, changed where a later phase begins here: its optimizer is fresh, and so is what waits for a plateau."""
        phases = self.machine.phases
        begun = next((phase for phase in phases[1:] if phase.first == progress.step and not progress.partial), None)
        if begun is None:
            return state
        number = phases.index(begun) + 1
        self.listener.say(f'phase {number} of {len(phases)}: trains {", ".join(begun.train) or "everything"}')
        if progress.plateau is not None:
            progress.plateau = Plateau.from_block(self.machine.config.optimizer.plateau)
        return self.machine.placement.state(self.machine.entered(self.machine.host_state(state), begun))

    def _end_of_phase(self, state: Any, progress: Progress) -> None:
        """Scores after each phase, of every split but the training one; nothing is chosen by them."""
        machine = self.machine
        ended = sum(phase.last <= progress.step for phase in machine.phases)
        if machine.phases[0].rule is None or ended == len(progress.phases):
            return
        found: dict[str, list[float]] = {}
        for split in machine.data.splits:
            if split != 'train':
                metrics = machine.evaluate(state, split, heard=lambda: self._heard(state, progress)).metrics
                found |= {f'{split}_{name}': values for name, values in metrics.items()}
        progress.phases.append(found)

    def _heard(self, state: Any, progress: Progress) -> None:
        """Between the calls of an evaluation: a signal ends it; the epoch's updates and their log are kept."""
        signal = self.machine.agreed(self.listener.stop_requested())
        if signal:
            self._save(state, progress, None)
            self._interrupt(signal, progress)

    def _interrupt(self, signal: int, progress: Progress) -> NoReturn:
        """Ends the run once its checkpoint is on disk."""
        self.checkpoints.wait()
        self.goodput.interrupted(signal, self.spent(progress))
        raise Interrupted(signal, progress.step)

    def _epoch(self, state: Any, progress: Progress, epoch: int, end: int) -> Any:
        """The rest of one epoch, call by call; logs go to `progress.partial` [replicas, steps, 2]."""
        machine = self.machine
        first = (epoch - 1) * machine.feed.steps_per_epoch
        indices = machine.feed.epoch(epoch - 1)
        blocks = self._blocks(indices, progress.step - first, end - first)
        for start, stop, examples, rows, offset in blocks:
            call = (start - offset, stop - offset, first + offset)
            state, logs, spent = machine.train(state, examples, rows, *call)
            self._say_compiled()
            machine.pace(stop - start, spent)
            self._keep_logs(progress, indices.shape[1], start, stop, logs, offset)
            self._check_finite(progress, first, start, stop)
            progress.step, progress.seconds = first + stop, progress.seconds + spent
            self.listener.progress(progress.step, control.means(progress.partial, start, stop))
            if stop == end - first:  # its evaluation comes first: a checkpoint there holds the whole epoch
                break
            signal = machine.agreed(self.listener.stop_requested())
            if signal or machine.agreed(self._checkpoint_is_due()):
                self._save(state, progress, None)
            if signal:
                self._interrupt(signal, progress)
        return state

    def spent(self, progress: Progress) -> dict[str, float]:
        """Seconds by part until now."""
        machine = self.machine
        return self.goodput.spent(
            steps=progress.seconds,
            compilation=machine.compile_seconds,
            input=machine.input_seconds,
            evaluation=machine.evaluate_seconds,
            checkpoint=self.checkpoints.seconds,
        )

    def _checkpoint_is_due(self) -> bool:
        """Whether the last one is older than a kill may cost."""
        minutes = self.machine.config.training.checkpoint_minutes
        return minutes > 0 and time.monotonic() - self.saved_at >= 60 * minutes

    def _say_compiled(self) -> None:
        """Once, after the first call: what the start cost."""
        if self.compiled:
            return
        self.compiled = True
        by_onednn = self.machine.forms.convolutions == 'onednn'
        why = ' (oneDNN does the convolutions: its programs are compiled at every start)' if by_onednn else ''
        self.listener.say(f'compiled in {self.machine.compile_seconds:.1f} s{why}')

    def _blocks(self, indices: np.ndarray, start: int, end: int):
        """Calls of one epoch: (start, stop, examples, rows, offset). Streamed examples come a block at a time."""
        machine = self.machine
        if not machine.streamed:
            rows = machine.placement.split(indices, axis=2)
            while start < end:
                stop = min(end, start + machine.steps_per_call)
                yield start, stop, machine.resident, rows, 0
                start = stop
            return
        size = machine.stream_block
        chunks = [indices[:, at : at + size] for at in range(start, end, size)]
        chunks = [control.padded_steps(chunk, size) for chunk in chunks]
        for chunk, examples in zip(chunks, machine.read_ahead('train', chunks), strict=True):
            stop = min(end, start + size)
            yield start, stop, examples, machine.placement.split(chunk, axis=2), start
            start = stop

    @staticmethod
    def _keep_logs(
        progress: Progress, steps: int, start: int, stop: int, logs: Mapping[str, np.ndarray], offset: int
    ) -> None:
        for name, log in logs.items():
            kept = progress.partial.setdefault(name, np.zeros((log.shape[0], steps, 2), log.dtype))
            kept[:, start:stop] = log[:, start - offset : stop - offset]

    def _check_finite(self, progress: Progress, first: int, start: int, stop: int) -> None:
        found = control.first_not_finite(progress.partial, start, stop)
        if found is None:
            return
        metric, replica, step = found
        self._diverged(f'{metric} is not finite at step {first + step + 1} (seed {self.machine.seeds[replica]})')

    def _diverged(self, what: str) -> NoReturn:
        """Ends the run; what was saved before stays."""
        self.checkpoints.wait()
        good = self.checkpoints.steps
        kept = f'the checkpoint of step {good[-1]} is sound' if good else 'there is no checkpoint yet'
        raise control.Diverged(f'{what}; {kept} in {self.workdir}; {control.HINT}')

    def _row(self, state: Any, progress: Progress, epoch: int) -> dict[str, Any]:
        """One line of metrics.jsonl: training means over the epoch, and the evaluation where it is due."""
        machine, every = self.machine, self.machine.config.training.eval_every
        row: dict[str, Any] = {'epoch': epoch, 'step': progress.step, 'seconds': round(progress.seconds, 3)}
        row |= {f'train_{name}': values for name, values in control.epoch_means(progress.partial).items()}
        evaluated = bool(every) and (epoch % every == 0 or progress.step >= machine.total_steps)
        if evaluated:
            for split in machine.watched:
                found = machine.evaluate(state, split, heard=lambda: self._heard(state, progress)).metrics
                row |= {f'{split}_{name}': values for name, values in found.items()}
        self._end_of_phase(state, progress)
        control.check_measured(machine.config, row, evaluated)
        broken = control.not_finite(row)
        if broken:
            self._diverged(f'{broken} is not finite after step {progress.step}')
        self.events.write(row)
        self.listener.epoch(row)
        return row

    def _between_epochs(self, state: Any, progress: Progress, row: Mapping[str, Any]) -> Any:
        """Reduce on plateau, early stopping, a reached aim: decided from the history alone."""
        if progress.plateau is not None and progress.plateau.metric in row:
            scale = progress.plateau.scale
            progress.plateau = reduce_on_plateau(progress.plateau, float(np.mean(row[progress.plateau.metric])))
            if progress.plateau.scale != scale:
                self.listener.say(f'epoch {row["epoch"]}: learning rate scaled to {progress.plateau.scale:g}')
                state = scaled(self.machine, state, progress.plateau.scale)
        progress.stopped = control.reason_to_stop(self.machine.config.training, progress.history)
        if progress.stopped:
            self.listener.say(progress.stopped['reason'])
        return state

    def _save(self, state: Any, progress: Progress, row: Mapping[str, Any] | None) -> None:
        metric = self.machine.config.training.best_metric
        score = float(np.mean(row[metric])) if metric and row is not None and metric in row else None
        self.saved_at = time.monotonic()
        kept = self.machine.placement.kept(state)
        broken = control.not_finite(kept)
        if broken:  # the loss of the last update was measured before that update
            self._diverged(f'{broken} is not finite after step {progress.step}')
        progress.spent = self.spent(progress)
        facts, replace = {**self.identity, **progress.meta()}, progress.step == self.unfinished
        self.checkpoints.save(progress.step, kept, facts, score, replace)


def scaled(machine: Machine, state: Any, scale: float) -> Any:
    """The state with every network's learning rate scaled; goes by way of the host, once in many epochs."""

    def one(leaf: Any) -> Any:
        if isinstance(leaf, TrainState):
            return leaf.replace(learning_rate_scale=np.full_like(leaf.learning_rate_scale, scale))
        return leaf

    host = machine.host_state(state)
    return machine.placement.state(jax.tree.map(one, host, is_leaf=lambda leaf: isinstance(leaf, TrainState)))
