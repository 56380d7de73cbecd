"""A field chosen by trial trainings before the training: what makes a comparison of methods fair (`config.tuning`)."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from jaxlab.errors import UserError
from jaxlab.experiments.prepare import Prepared, changed
from jaxlab.experiments.watching import Watcher
from jaxlab.figures import Table
from jaxlab.files import make_folder, write_json
from jaxlab.training import run as engine
from jaxlab.training import runtime
from jaxlab.training.control import Diverged, check_honest

FILE = 'tuning.json'
OF_A_TRIAL = {'tuning': {}, 'variants': {}, 'replicas': 1, 'training.checkpoint_every': 0}


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Which value of `field` won, and what every trial reached (None: it diverged)."""

    field: str
    metric: str
    mode: str
    overrides: Mapping[str, Any]
    trials: Sequence[tuple[Any, float | None]]

    @classmethod
    def of(cls, block: Mapping[str, Any], trials: Sequence[tuple[Any, float | None]]) -> Self:
        """What came of a `config.tuning` block."""
        return cls(block['field'], block['metric'], block.get('mode', 'max'), block.get('overrides', {}), trials)

    @property
    def value(self) -> Any:
        """The best trial's value; the first of several."""
        sign = 1 if self.mode == 'min' else -1
        reached = [math.inf if found is None else sign * found for _, found in self.trials]
        return self.trials[reached.index(min(reached))][0]

    def table(self) -> Table:
        """All trials, for the report."""
        settings = ', '.join(f'{path} = {value}' for path, value in self.overrides.items())
        rows = [
            (f'{value:g}', 'diverged' if found is None else found, 'chosen' if value == self.value else '')
            for value, found in self.trials
        ]
        note = f'Each trial: one replica with {settings or "the same settings"}. The test split was not looked at.'
        columns = (self.field, self.metric.replace('_', ' '), '')
        return Table('tuning', f'How {self.field} was chosen', note, columns, rows, align='>><')


def tuned(prepared: Prepared, workdir: Path, watcher: Watcher) -> tuple[Prepared, Tuning | None]:
    """The experiment with the best value of `tuning.field`, from trials kept in `workdir/tuning`.

    A field that the user set stays as it is.
    """
    block = prepared.config.tuning.to_dict()
    if not block or block['field'] in prepared.chosen:
        return prepared, None
    check_honest('config.tuning.metric', block['metric'])
    if prepared.config.start:
        raise UserError('config.tuning: trials would begin without the weights of config.start; valid: one of the two')
    found = _read(workdir, block)
    if found is None:
        trials, trial = [], prepared
        for value in block['values']:
            changes = {**block.get('overrides', {}), block['field']: value}
            trial = changed(trial, changes, 'tuning', OF_A_TRIAL)  # of the trial before: its data serve again
            trials.append((value, _reached(trial, block, value, workdir, watcher)))
        if all(reached is None for _, reached in trials):
            raise UserError(f'config.tuning.values {tuple(block["values"])}: the training diverged with each of them')
        found = Tuning.of(block, trials)
        if runtime.is_writer():
            write_json(workdir / FILE, {'tuning': block, 'trials': trials})
    watcher.say(f'tuning: {found.field} = {found.value:g}')
    return changed(prepared, {found.field: found.value}, 'tuning', {}), found


def recalled(prepared: Prepared, workdir: Path) -> Prepared:
    """The experiment with the value that a training in `workdir` chose."""
    block = prepared.config.tuning.to_dict()
    found = _read(workdir, block) if block else None
    return prepared if found is None else changed(prepared, {found.field: found.value}, 'tuning', {})


def _read(workdir: Path, block: Mapping[str, Any]) -> Tuning | None:
    """What an earlier call with the same block found."""
    file = workdir / FILE
    if not file.is_file():
        return None
    kept = json.loads(file.read_text())
    if kept['tuning'] != json.loads(json.dumps(block)):
        return None
    return Tuning.of(block, [(value, reached) for value, reached in kept['trials']])


def _reached(trial: Prepared, block: Mapping[str, Any], value: Any, workdir: Path, watcher: Watcher) -> float | None:
    """The value of the metric that a trial reaches; None where it diverges."""
    folder = workdir / 'tuning' / f'{block["field"].rpartition(".")[2]}_{value:g}'
    make_folder(folder)
    helper = watcher.helper(f'{block["field"]} = {value:g}')
    try:
        outcome = engine.train(trial.config, trial.task, trial.data, folder, helper, trial=True)
    except Diverged:
        return None
    finally:
        helper.close()
    metrics = outcome.record.metrics
    if block['metric'] not in metrics:
        raise UserError(f'config.tuning.metric={block["metric"]!r} is not measured; valid: {", ".join(metrics)}')
    return float(metrics[block['metric']][0])
