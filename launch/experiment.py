"""One experiment from its config to its report: the one place where data, task, engine and report meet."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs import common
from jaxlab import data as data_sets
from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.tasks import build_task
from jaxlab.tasks.protocol import Needed, Task
from jaxlab.training import run as engine
from jaxlab.training import runtime, worked
from jaxlab.training.events import read_log
from jaxlab.training.feeding import Feed
from jaxlab.training.files import write_json
from jaxlab.training.identity import flat
from jaxlab.training.machine import check_sizes
from launch import configfile, paging, preprocessed, splits, tuning
from launch.progress import Watcher

CURVES = 'curves.json'  # what a comparison of variants lays over one another
UNLISTED = (
    'published',
    'theory',
    'limits',
    'aim',
    'spec',
    'stand_in',
    'variants',
    'tuning',
    'name',
    'profile',
    'report.options.figures',
)  # shown elsewhere


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A checked config with its data and task; `chosen`: who set a field, where it was not the experiment.

    variant: its name, where it is one of `config.variants`.
    """

    config: common.Config
    data: Dataset
    task: Task
    chosen: Mapping[str, str]
    adapted: list[dict[str, Any]]
    data_dir: str | None
    command: str = ''
    variant: str = ''


def prepare(
    config: common.Config,
    data_dir: str | None = None,
    chosen: Mapping[str, str] | None = None,
    command: str = '',
    like: Prepared | None = None,
) -> Prepared:
    """Loads the data, adapts the config to stand-in data, builds the task.

    like: a sibling (the experiment of a variant, another trial); its data are taken where the config asks for the same.
    """
    chosen = dict(chosen or {})
    shared = like is not None and like.config.data == config.data and like.data_dir == data_dir
    data, adapted = like.data if like is not None and shared else _load(config, data_dir), []
    if data.stand_in and config.stand_in:
        changes = {path: value for path, value in config.stand_in.items() if path not in chosen}
        adapted = _adaptations(config, changes, data)
        config = configfile.apply(config, changes, f'stand_in of configs/{config.name}.py')
        chosen |= dict.fromkeys(changes, 'stand-in data')
        if any(path.startswith('data.') for path in changes):
            data = _load(config, data_dir)
    task = build_task(config, data, *_steps(config, data))
    return Prepared(config, data, task, chosen, adapted, data_dir, command)


def _steps(config: common.Config, data: Dataset) -> tuple[int, int]:
    """Updates an epoch and of the whole training; none where the data set has no splits (worked computations)."""
    if not data.splits:
        return 0, 0
    check_sizes(config, data.draws)
    feed = Feed.of(config.data, data, (0,))
    return feed.steps_per_epoch, config.training.steps or config.training.epochs * feed.steps_per_epoch


def _load(config: common.Config, data_dir: str | None) -> Dataset:
    return data_sets.load(config.data, data_dir, runtime.cache_folder() / 'data')


def _adaptations(config: common.Config, changes: Mapping[str, Any], data: Dataset) -> list[dict[str, Any]]:
    why = f'{data.splits["train"].size:,} stand-in examples'
    flat = config.to_dict()
    found = []
    for path, value in changes.items():
        before: Any = flat
        for part in path.split('.'):
            before = before.get(part) if isinstance(before, Mapping) else None
        found.append({'field': path, 'value': value, 'instead_of': before, 'why': why})
    return found


def train(
    prepared: Prepared, workdir: Path, watcher: Watcher, mode: str = 'train', allow_change: bool = False
) -> dict[str, Any]:
    """Trains (or evaluates the newest checkpoint) and writes everything that a run leaves; returns results.json."""
    config = prepared.config
    if config.variants and mode == 'train':
        return _train_variants(prepared, workdir, watcher, allow_change)
    _open_workdir(workdir)
    if config.split_seeds and mode == 'train':
        again = functools.partial(train, watcher=watcher, allow_change=allow_change)
        return splits.trained(prepared, changed, again, workdir, watcher)
    prepared, choice = tuning.tuned(prepared, changed, workdir, watcher) if mode == 'train' else (prepared, None)
    config = prepared.config
    prepared = preprocessed.as_in_run(prepared, workdir)
    for note in (*prepared.data.notes, *(_adapted_words(item) for item in prepared.adapted)):
        watcher.say(note)
    needs = _needs(prepared, workdir, watcher)
    trained = engine.train if mode == 'train' else engine.evaluate
    action = trained if prepared.data.splits else worked.compute
    outcome = action(config, prepared.task, prepared.data, workdir, watcher, needs, allow_change)
    watcher.close()
    watcher.pages += paging.chosen(outcome.report, config.show)
    return finish(prepared, workdir, outcome, choice)


def _adapted_words(item: Mapping[str, Any]) -> str:
    return f'adapted to {item["why"]}: {item["field"]} {item["instead_of"]} -> {item["value"]}'


def _open_workdir(workdir: Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe = workdir / f'.writable-{os.getpid()}'
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f'cannot write to --workdir={workdir}: {error.strerror}; valid: a folder that can be written'
        ) from error


def _needs(prepared: Prepared, workdir: Path, watcher: Watcher) -> dict[str, Needed]:
    """Trains (or restores) what this experiment is judged with or starts from, on the same source of data."""
    found = {}
    for role, block in prepared.config.needs.items():
        path = configfile.main_folder() / f'{block["config"]}.py'
        changes = {**dict(block.get('overrides', {}).items()), 'data.source': prepared.data.source}
        config = configfile.apply(configfile.load(path, 'full'), changes, f'needs.{role}')
        needed = prepare(config, prepared.data_dir, dict.fromkeys(changes, 'experiment'))
        folder = workdir / 'needs' / role
        folder.mkdir(parents=True, exist_ok=True)
        watcher.say(f'{role}: {config.name}, in {folder}')
        helper = watcher.helper(role)
        outcome = engine.train(needed.config, needed.task, needed.data, folder, helper, reported=False)
        helper.close()
        found[role] = Needed(needed.task, outcome.record.states[0], outcome.record.metrics)
    return found


def variant(prepared: Prepared, workdir: Path, name: str) -> tuple[Prepared, Path]:
    """One of `config.variants`, prepared, and the folder it is kept in.

    What the command line chose stays, inside a block that the variant replaces too.
    """
    changes, chosen = prepared.config.variants[name].to_dict(), prepared.chosen
    own = {path: value for path, value in changes.items() if path not in chosen}
    inside = [path for path in chosen if any(path.startswith(f'{block}.') for block in own)]
    kept = {
        path: configfile.current(prepared.config, path) for path in inside if chosen[path] == configfile.COMMAND_LINE
    }
    one = changed(prepared, own, f'variant {name}', {'variants': {}, **kept})
    return dataclasses.replace(one, variant=name), workdir / 'variants' / name


def changed(prepared: Prepared, changes: Mapping[str, Any], who: str, reset: Mapping[str, Any]) -> Prepared:
    """The experiment with other values, chosen by `who`; reset: further values, of which who chose them stays as it is.

    Already adapted to stand-in data, it is not adapted again.
    """
    config = configfile.apply(prepared.config, {**changes, **reset, 'stand_in': {}}, who)
    own = {path: who for path in (*changes, *flat(changes)) if path not in reset}
    made = prepare(config, prepared.data_dir, {**prepared.chosen, **own}, prepared.command, like=prepared)
    return dataclasses.replace(made, adapted=prepared.adapted, variant=prepared.variant)


def reference(prepared: Prepared, workdir: Path) -> tuple[Prepared, Path]:
    """The first split of the first variant, where there are such: what is evaluated, drawn from and predicted with."""
    names = list(prepared.config.variants)
    one, folder = variant(prepared, workdir, names[0]) if names else (prepared, workdir)
    one, folder = splits.first(one, changed, folder)
    return tuning.recalled(one, changed, folder), folder


def _train_variants(prepared: Prepared, workdir: Path, watcher: Watcher, allow_change: bool) -> dict[str, Any]:
    """One run a variant, from the same start and data order, then the comparison; the first is the reference."""
    from jaxlab.report import comparison

    variants = prepared.config.variants
    # A mistake in the last one shows before the first is trained; those with data of their own would fill the memory.
    shared = [name for name, changes in variants.items() if not any(path.startswith('data.') for path in changes)]
    ready = {name: variant(prepared, workdir, name) for name in shared}
    runs, histories = {}, {}
    for name in variants:
        one, folder = ready.get(name) or variant(prepared, workdir, name)
        watcher.say(f'variant {name}')
        watcher.title = name
        runs[name] = train(one, folder, watcher, 'train', allow_change)
        histories[name] = read_log(folder)
    first = next(iter(runs))
    results = {**runs[first], 'reference': first, 'variants': {name: run['metrics'] for name, run in runs.items()}}
    if runtime.is_writer():
        files = {name: workdir / 'variants' / name / CURVES for name in runs}
        curves = {name: json.loads(file.read_text()) if file.is_file() else {} for name, file in files.items()}
        watcher.pages += comparison.write_comparison(workdir, runs, first, histories, curves).tables
        write_json(workdir / 'results.json', results)
    return results


def finish(
    prepared: Prepared, workdir: Path, outcome: engine.Outcome, choice: tuning.Tuning | None = None
) -> dict[str, Any]:
    """Writes results.json, config.json, figures and report.html (one process does)."""
    from jaxlab.report import page
    from jaxlab.report.curves import step_figures
    from jaxlab.report.variant_curves import kept

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
        if kept(outcome.report.figures):
            write_json(workdir / CURVES, kept(outcome.report.figures))
        chosen = () if choice is None else (choice.table(),)
        figures = [*outcome.report.figures, *chosen, *step_figures(outcome.record.step_logs)]
        page.write_report(workdir, results, outcome.record.history, figures)
    return results


def facts(prepared: Prepared) -> dict[str, Any]:
    """What is known before a step is made: the experiment, its data, every field and who chose it, the machine."""
    config, data = prepared.config, prepared.data
    default = common.experiment(config.name, task=config.task.name, data=config.data.name)
    chosen = dict.fromkeys(configfile.differing(config, default), 'experiment') | dict(prepared.chosen)
    rows = [
        (path, value if isinstance(value, str | int | float | bool) else str(value), chosen.get(path, 'default'))
        for path, value in sorted(flat(config.to_dict()).items())
        if not path.startswith(UNLISTED)
    ]
    return {
        'name': config.name,
        **({'variant': prepared.variant} if prepared.variant else {}),
        'aim': config.aim,
        'spec': list(config.spec),
        'profile': config.profile,
        'command': prepared.command,
        'data': {
            'name': data.name,
            'source': data.source,
            'stand_in': data.stand_in,
            'description': data.description,
            'licence': data.licence,
            'checksum': data.checksum,
            'examples': {name: split.size for name, split in data.splits.items()},
            'class_names': list(data.class_names),
            'notes': list(data.notes),
        },
        'published': {metric: _published(entry) for metric, entry in config.published.items()},
        'config_rows': rows,
        'main_metric': config.report.options.get('main_metric'),
        'compared': list(config.report.options.get('compared', ())),
        'curves': {'x_axes': list(config.report.x_axes), 'lines': config.report.lines.to_dict()},
        'theory': list(config.theory),
        'limits': list(config.limits),
        'adapted': [
            {**item, 'value': str(item['value']), 'instead_of': str(item['instead_of'])} for item in prepared.adapted
        ],
        'device': runtime.device_facts(),
        'versions': runtime.versions(),
        'commit': runtime.commit(),
    }


def _published(entry: Any) -> dict[str, Any]:
    return dict(entry.items()) if hasattr(entry, 'items') else {'value': entry}
