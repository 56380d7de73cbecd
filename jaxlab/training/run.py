"""One run from its first step (or its last checkpoint) to its record."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.measures.metrics import split_of
from jaxlab.optimizers import Plateau
from jaxlab.protocol import Needed, Record, Report, Reporter, Task
from jaxlab.training import control, model_table, phases
from jaxlab.training.checkpoints import Checkpoints, Saved, digest
from jaxlab.training.events import Events
from jaxlab.training.goodput import Goodput, known
from jaxlab.training.identity import check_same, config_id, identity
from jaxlab.training.loop import Interrupted, Listener, Loop, Progress
from jaxlab.training.machine import Machine
from jaxlab.training.snapshots import Kept
from jaxlab.training.start import Start


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a finished run is: its record, what the task reports of it, and the facts for results.json."""

    record: Record
    report: Report
    facts: dict[str, Any]


def train(
    config: Any,
    task: Task,
    data: Dataset,
    workdir: Path,
    listener: Listener,
    reporter: Reporter | None = None,
    needs: Mapping[str, Needed] | None = None,
    allow_change: bool = False,
    trial: bool = False,
    weights: Start | None = None,
) -> Outcome:
    """Trains (or goes on, or only evaluates what is finished) and reports.

    reporter: None where nobody reads a report (a scorer's, a trial's).
    trial: a choice is to be made by what comes out: the test split is not looked at.
    weights: what the networks begin with, over their initialisation.
    """
    begun = time.perf_counter()
    writer = jax.process_index() == 0
    events, kept = Events(workdir, writer), Kept.of(workdir, writer)
    goodput = Goodput(workdir, writer, getattr(listener, 'begun', time.time()))
    times: dict[str, float] = {}
    try:
        with _checkpoints(config, workdir) as checkpoints:
            machine = _machine(config, task, data, checkpoints, weights)
            start = machine.init()
            times['init'] = time.perf_counter() - begun
            state, progress = _resume(machine, checkpoints, start, listener, allow_change)
            if progress.step:
                kept.resume(progress.history)
            events.start(progress.history)
            mine = _facts(machine)
            goodput.resume(progress.spent)
            goodput.started(machine.compile_seconds)
            loop = Loop(machine, checkpoints, events, kept, listener, mine, workdir, goodput)
            if progress.step == 0 and machine.total_steps and config.training.snapshot_every:
                kept.snapshots.take(0, machine.snapshot(machine.placement.state(state)))
            device_state, progress = loop.run(machine.placement.state(state), progress)
            final = machine.host_state(device_state)
            best = _best(machine, checkpoints, start, listener)
            if best is not None:
                device_state = machine.placement.state(best.state)
                final = machine.host_state(device_state)
                progress.restored = best.step
    finally:
        events.close()
    times['train'] = progress.seconds
    try:
        outcome = _finish(
            machine, progress, device_state, final, kept, needs or {}, times, mine, listener, reporter, trial
        )
    except Interrupted as stop:
        goodput.interrupted(stop.signal, loop.spent(progress))
        raise
    outcome.facts['goodput'] = goodput.end(loop.spent(progress))
    return outcome


def evaluate(
    config: Any,
    task: Task,
    data: Dataset,
    workdir: Path,
    listener: Listener,
    reporter: Reporter | None = None,
    needs: Mapping[str, Needed] | None = None,
    allow_change: bool = False,
) -> Outcome:
    """Evaluates a run's newest checkpoint; trains nothing."""
    machine, final, progress, mine = restore(config, task, data, workdir, listener, allow_change)
    kept = Kept.of(workdir, writer=False)
    kept.resume(progress.history)
    state = machine.placement.state(final)
    times = {'train': progress.seconds}
    outcome = _finish(machine, progress, state, final, kept, needs or {}, times, mine, listener, reporter)
    outcome.facts['goodput'] = known(workdir)
    return outcome


def restore(
    config: Any, task: Task, data: Dataset, workdir: Path, listener: Listener, allow_change: bool = False
) -> tuple[Machine, Any, Progress, Mapping[str, Any]]:
    """(machine, host state, progress, identity) of a run's newest checkpoint (with `restore_best` the state is that of
    the best). Raises UserError if there is none."""
    with _checkpoints(config, workdir) as checkpoints:
        machine = _machine(config, task, data, checkpoints)
        start = machine.init()
        state, progress = _resume(machine, checkpoints, start, listener, allow_change, whole=True)
        best = _best(machine, checkpoints, start, listener, whole=True)
    if not progress.step and machine.total_steps:
        raise UserError(f'no checkpoint in {workdir}; train first: --mode=train with the same --workdir')
    progress.restored = None if best is None else best.step
    return machine, state if best is None else best.state, progress, _facts(machine)


def _machine(config: Any, task: Task, data: Dataset, checkpoints: Checkpoints, weights: Start | None = None) -> Machine:
    """In the forms that the run began with, where the config leaves them open."""
    return Machine(config, task, data, checkpoints.meta(), weights)


def _facts(machine: Machine) -> dict[str, Any]:
    """What every checkpoint says of where it comes from."""
    config, data = machine.config, machine.data
    mine = {**identity(config), 'data found': f'{data.source}, checksum {data.checksum}'}
    if machine.weights is not None:
        mine['weights found'] = machine.weights.digest
    return {'identity': mine, 'config_id': config_id(config), **machine.forms.as_json()}


def _best(
    machine: Machine, checkpoints: Checkpoints, start: Any, listener: Listener, whole: bool = False
) -> Saved | None:
    """The best checkpoint where the config asks for it."""
    training = machine.config.training
    if not (training.restore_best and training.best_metric):
        return None
    return checkpoints.best(training.best_mode, machine.template(start, whole), listener.say)


def _checkpoints(config: Any, workdir: Path) -> Checkpoints:
    training = config.training
    return Checkpoints(workdir / 'checkpoints', training.keep, training.best_mode if training.best_metric else None)


def _fits(checkpoints: Checkpoints, template: Any) -> bool:
    """Whether the newest checkpoint holds such arrays."""
    try:
        checkpoints.latest(template, lambda _: None)
    except UserError:
        return False
    return True


def _resume(
    machine: Machine,
    checkpoints: Checkpoints,
    start: Any,
    listener: Listener,
    allow_change: bool,
    whole: bool = False,
) -> tuple[Any, Progress]:
    """The newest sound checkpoint of this config, or the start."""
    meta = checkpoints.meta()
    if meta is not None and not allow_change:
        theirs = dict(meta['identity'])
        if machine.weights is None:  # what is only evaluated or used needs no weights to begin with
            theirs.pop('weights found', None)
        mine = _facts(machine)['identity']
        fits = mine == theirs or _fits(checkpoints, machine.template(start, whole))
        check_same(mine, theirs, checkpoints.folder.parent, fits)
    saved = checkpoints.latest(machine.template(start, whole), listener.say)
    if saved is None:
        plateau = dict(machine.config.optimizer).get('plateau')
        return start, Progress(plateau=Plateau.from_block(plateau) if plateau else None)
    listener.say(f'restored step {saved.step} from {checkpoints.folder}')
    progress = Progress.from_meta(saved.meta)
    if progress.stopped:
        # Decided anew, of the history alone: a greater patience or another aim goes on from there.
        progress.stopped = control.reason_to_stop(machine.config.training, progress.history)
        more = '' if progress.stopped is None else f': {progress.stopped["reason"]}'
        listener.say(f'training had stopped{more}' if more else 'training had stopped early; it goes on')
    return saved.state, progress


def _finish(
    machine: Machine,
    progress: Progress,
    state: Any,
    final: Any,
    kept: Kept,
    needs: Mapping[str, Needed],
    times: dict[str, float],
    mine: Mapping[str, Any],
    listener: Listener,
    reporter: Reporter | None = None,
    trial: bool = False,
) -> Outcome:
    """The last evaluation, the report, and the facts."""

    def heard() -> None:
        """Everything is saved: a signal ends the evaluation, and the same command makes it anew."""
        signal = machine.agreed(listener.stop_requested())
        if signal:
            raise Interrupted(signal, progress.step)

    begun = time.perf_counter()
    config, task, data = machine.config, machine.task, machine.data
    replicas = range(len(machine.seeds))
    metrics: dict[str, list[float]] = {}
    kept_row = reported_row(progress)
    metrics |= {name: values for name, values in kept_row.items() if name.startswith('train_')}
    if config.training.measure_train:
        clean = machine.evaluate(state, 'train', heard=heard)
        metrics |= {f'train_clean_{name}': values for name, values in clean.metrics.items()}
    outputs: dict[str, list[dict[str, np.ndarray]]] = {}
    counts: dict[str, float] = {}
    for split in data.splits:
        if split == 'train' or (trial and split == 'test'):
            continue
        keep = reporter.keeps(split) if reporter is not None and hasattr(reporter, 'keeps') else 0
        evaluation = machine.evaluate(state, split, keep, heard)
        metrics |= {f'{split}_{name}': values for name, values in evaluation.metrics.items()}
        counts |= {f'{split}_{name}': count for name, count in evaluation.counts.items()}
        broken = control.not_finite(metrics)
        if broken:
            raise control.Diverged(f'{broken} is not finite after step {progress.step}; {control.HINT}')
        if keep:
            outputs[split] = evaluation.outputs
    times['evaluate'] = time.perf_counter() - begun
    begun = time.perf_counter()
    states = [machine.replica(final, replica) for replica in replicas]
    key = jax.random.key(machine.seeds[0])
    seen, steps = (kept_part.all() for kept_part in kept)
    record = Record(
        states, progress.history, outputs, seen, metrics, key, needs, steps, lambda: machine.replica(machine.init(), 0)
    )
    report = reporter.report(record) if reporter is not None else Report()
    metrics |= {name: list(values) for name, values in report.metrics.items()}
    remarks = [*report.remarks, *not_finite_remarks(metrics, machine.seeds), *one_decision(config)]
    remarks += lines_without_a_curve(config.report.lines, progress.history)
    times['report'] = time.perf_counter() - begun
    times['compile'] = machine.compile_seconds
    networks = model_table.networks(task)
    facts = {
        'name': config.name,
        'config_id': mine['config_id'],
        'profile': config.profile,
        'metrics': {name: summary(values) for name, values in metrics.items()},
        'counts': counts,
        'parameters': sum(row['parameters'] for rows in networks.values() for row in rows),
        'networks': networks,
        'params_digest': digest(params_of(final)),
        'seeds': list(machine.seeds),
        'replicas': len(machine.seeds),
        **machine.forms.as_json(),
        'matmul_precision': config.training.matmul_precision,
        'epochs': len(progress.history),
        'steps': progress.step,
        'steps_per_epoch': machine.feed.steps_per_epoch,
        'seconds': round(sum(value for name, value in times.items() if name != 'compile'), 3),
        'compile_seconds': round(machine.compile_seconds, 3),
        'steps_per_second': round(progress.step / progress.seconds, 3) if progress.seconds else None,
        'phases': {name: round(value, 3) for name, value in times.items()},
        'stopped': progress.stopped,
        **_training_phases(machine, states[0], progress),
        'restored': None if progress.restored is None else {'epoch': kept_row['epoch'], 'step': progress.restored},
        'remarks': remarks,
    }
    return Outcome(record, report, facts)


def _training_phases(machine: Machine, state: Any, progress: Progress) -> dict[str, Any]:
    """What each phase trained and reached, where there are several."""
    if not progress.phases:
        return {}
    rows = phases.table(machine.phases, state, machine.feed.steps_per_epoch)
    found = [
        {**row, 'metrics': {name: summary(values) for name, values in metrics.items()}}
        for row, metrics in zip(rows, progress.phases, strict=False)
    ]
    return {'training_phases': found}


def reported_row(progress: Progress) -> Mapping[str, Any]:
    """The epoch of the log whose state is reported: the one that was restored, else the last ({} before the first)."""
    if not progress.history:
        return {}
    return next((row for row in progress.history if row['step'] == progress.restored), progress.history[-1])


def summary(values: Sequence[float | None]) -> dict[str, Any]:
    """mean, sample standard deviation (None for one value) and the values themselves; None for what is no finite number."""
    array = np.asarray(values, np.float64)
    finite = bool(np.isfinite(array).all())
    equal = bool((array == array[:1]).all())  # then no rounding of a sum gives them a deviation
    deviation = 0.0 if equal else array.std(ddof=1) if finite else None
    return {
        'mean': float(array[0] if equal and len(array) else array.mean()) if finite else None,
        'std': float(deviation) if deviation is not None and finite and len(array) > 1 else None,
        'values': [float(value) if np.isfinite(value) else None for value in array],
    }


def not_finite_remarks(metrics: Mapping[str, Sequence[float]], seeds: Sequence[int]) -> list[str]:
    """One sentence a metric of the report that has no value for some seed, such as a precision of a class that is absent."""
    remarks = []
    for name, values in metrics.items():
        missing = [str(seed) for seed, value in zip(seeds, values, strict=False) if not np.isfinite(value)]
        if missing:
            remarks.append(
                f'{name} has no finite value (seed {", ".join(missing)}): it is left out, and so is its mean.'
            )
    return remarks


def one_decision(config: Any) -> list[str]:
    """What must be said of replicas that followed one decision."""
    training = config.training
    plateau = (config.optimizer.get('plateau') or {}).get('metric')
    found = {
        'when to stop': training.best_metric if training.patience else '',
        'which epoch is reported': training.best_metric if training.restore_best else '',
        'when the rate falls': plateau,
    }
    made = [what for what, metric in found.items() if metric]
    if config.replicas < 2 or not made:
        return []
    metric = training.best_metric or plateau
    return [
        f'{" and ".join(made).capitalize()} was decided once for all {config.replicas} replicas, by the mean of their '
        f'{metric}: the spread is that of trainings of one length, a little smaller than if each had decided for itself.'
    ]


def lines_without_a_curve(lines: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[str]:
    """What must be said of lines that the config asks for and no curve can have: no epoch has such a metric."""
    names = {name for row in history for name in row}
    known = names | {split_of(name)[1] for name in names}
    measured = ', '.join(sorted(name for name in names if split_of(name)[0]))
    return [
        f'report.lines: the lines of {name} could not be drawn, since no epoch has it; measured: {measured}.'
        for name in lines
        if history and name not in known
    ]


def params_of(state: Any) -> Any:
    """The parameters inside a state: of every network where there are such, else the whole state."""
    found = jax.tree.map(
        lambda leaf: leaf.params if hasattr(leaf, 'params') else leaf,
        state,
        is_leaf=lambda leaf: hasattr(leaf, 'params'),
    )
    return found
