"""One experiment trained (or evaluated) once, and everything that this leaves in its folder."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxlab import cloud
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments import run_data
from jaxlab.experiments.facts import facts
from jaxlab.experiments.prepare import Prepared, prepare
from jaxlab.experiments.start import start_of
from jaxlab.experiments.watching import Watcher
from jaxlab.figures import Figure, Table, Worked
from jaxlab.files import is_remote, make_folder, write_file, write_json
from jaxlab.protocol import Needed, Report
from jaxlab.training import run as engine
from jaxlab.training import runtime, untrained
from jaxlab.training.identity import flat

LOCK = '.lock'
SAME_DATA = ('name', 'split', 'stratify', 'split_seed', 'test_fraction')
CURVES = 'curves.json'  # what a comparison of variants lays over one another
JUDGED = 'judged.json'  # which examples are right, for paired tests


def train_once(
    prepared: Prepared,
    workdir: Path,
    watcher: Watcher,
    mode: str = 'train',
    allow_change: bool = False,
    choice: Any = None,
) -> dict[str, Any]:
    """Trains, or with mode 'eval' evaluates the newest checkpoint, and writes everything that a run leaves.

    choice: how a field was tuned before (`Tuning`). Returns what results.json holds.
    """
    prepared = run_data.as_in_run(prepared, workdir)
    if mode == 'train':
        run_data.keep(prepared, workdir, allow_change)
    for note in (*prepared.data.notes, *(_adapted_words(item) for item in prepared.adapted)):
        watcher.say(note)
    needs = _needs(prepared, workdir, watcher)
    trained = engine.train if mode == 'train' else engine.evaluate
    action = trained if prepared.data.splits else untrained.compute
    task = prepared.task.judged_by(needs) if hasattr(prepared.task, 'judged_by') else prepared.task
    arguments = (prepared.config, task, prepared.data, workdir, watcher, prepared.reporter)
    start: dict[str, Any] = {'weights': start_of(prepared, needs, watcher)} if action is engine.train else {}
    outcome = action(*arguments, needs=needs, allow_change=allow_change, **start)
    watcher.close()
    watcher.pages += printed(outcome.report, prepared.config.worked.show)
    return _finish(prepared, workdir, outcome, choice)


def _adapted_words(item: Mapping[str, Any]) -> str:
    return f'adapted to {item["why"]}: {item["field"]} {item["instead_of"]} -> {item["value"]}'


@contextlib.contextmanager
def alone_in(workdir: Path) -> Iterator[None]:
    """Opens the folder, and keeps other commands out of it until the end; a process that is killed keeps nothing."""
    open_workdir(workdir)
    if is_remote(workdir) or not runtime.is_writer():
        yield
        return
    with open(workdir / LOCK, 'a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f'another command is at work in {workdir}; valid: wait for it, or another --workdir'
            ) from None
        except OSError:
            pass  # a file system without locks
        yield


def open_workdir(workdir: Path) -> None:
    """The folder, made and tried; raises UserError where nothing can be written."""
    try:
        probe = make_folder(workdir) / f'.writable-{os.getpid()}'
        write_file(probe, b'')
        next(iter(workdir.iterdir()))  # what may not be listed would look like a folder without checkpoints
        probe.unlink()
    except Exception as error:
        said = cloud.refusal(error) or getattr(error, 'strerror', '')
        if not said:
            raise
        kind = 'bucket' if is_remote(workdir) else 'folder'
        raise UserError(f'cannot write to --workdir={workdir}: {said}; valid: a {kind} that can be written') from error


def _needs(prepared: Prepared, workdir: Path, watcher: Watcher) -> dict[str, Needed]:
    """Trains (or restores) what this experiment is judged with or starts from, on the same source of data."""
    found = {}
    for role, block in prepared.config.needs.items():
        path = configs.main_folder() / f'{block["config"]}.py'
        changes = {**dict(block.get('overrides', {}).items()), 'data.source': prepared.data.source}
        if prepared.chosen.get('data.name') == configs.COMMAND_LINE:  # it learns from these data too
            own = flat({name: prepared.config.data[name] for name in SAME_DATA}, 'data.')
            changes = {'data.options': prepared.config.data.options.to_dict(), **own, **changes}
        config = configs.apply(configs.load(path, 'full'), changes, f'needs.{role}')
        try:
            needed = prepare(config, prepared.data_dir, dict.fromkeys(changes, 'experiment'))
        except UserError as error:  # no field of this experiment: it is one of what it needs
            fields = f'its own fields: --config.needs.{role}.overrides.FIELD=VALUE'
            raise UserError(f'{config.name}, which is needed as {role}: {error} ({fields})') from error
        folder = workdir / 'needs' / role
        make_folder(folder)
        watcher.say(f'{role}: {config.name}, in {folder}')
        start = start_of(needed, _needs(needed, folder, watcher), watcher)
        helper = watcher.helper(role)
        outcome = engine.train(needed.config, needed.task, needed.data, folder, helper, weights=start)
        helper.close()
        found[role] = Needed(needed.task, outcome.record.states[0], outcome.record.metrics)
    return found


def printed(report: Report, show: str) -> list[Figure]:
    """What a terminal prints of a worked computation: the named parts, everything with `all`, the steps with `step`.

    A report that names none prints none.
    """
    if not report.printed:
        return []
    words = [figure for figure in report.figures if isinstance(figure, Table | Worked)]
    if show == 'all':
        return list(words)
    if show == 'step':
        return [figure for figure in words if isinstance(figure, Worked)]
    by_name = {figure.name: figure for figure in words}
    return [by_name[name] for name in report.printed]


def _finish(prepared: Prepared, workdir: Path, outcome: engine.Outcome, choice: Any) -> dict[str, Any]:
    """Writes results.json, config.json, figures and report.html (one process does)."""
    from jaxlab.report import page, same_examples
    from jaxlab.report.curves import step_figures
    from jaxlab.report.variant_curves import curves_to_keep

    results = {**facts(prepared), **outcome.facts}
    if choice is not None:
        results['tuning'] = {'field': choice.field, 'value': choice.value, 'trials': list(choice.trials)}
    if outcome.report.answer:
        results['answer'] = outcome.report.answer
    if not outcome.report.comparable:
        results['published'] = {}
    if runtime.is_writer():
        write_json(workdir / 'config.json', json.loads(prepared.config.to_json_best_effort()))
        write_json(workdir / 'results.json', results)
        if curves_to_keep(outcome.report.figures):
            write_json(workdir / CURVES, curves_to_keep(outcome.report.figures))
        if outcome.report.judged:
            write_json(workdir / JUDGED, same_examples.to_keep(*outcome.report.judged))
        chosen = () if choice is None else (choice.table(),)
        figures = [*outcome.report.figures, *chosen, *step_figures(outcome.record.step_logs)]
        page.write_report(workdir, results, outcome.record.history, figures)
    return results
