"""Several trainings in one command: variants, splits of the data, trials; and which of them stands for the experiment."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from configs import common
from jaxlab.experiments import several_splits, tuning
from jaxlab.experiments.prepare import Prepared, check_variants, variant
from jaxlab.experiments.run import CURVES, JUDGED, alone_in, train_once
from jaxlab.experiments.watching import Watcher
from jaxlab.files import write_json
from jaxlab.training import runtime
from jaxlab.training.events import read_log


def train(
    prepared: Prepared, workdir: Path, watcher: Watcher, mode: str = 'train', allow_change: bool = False
) -> dict[str, Any]:
    """Trains all variants on all splits, each with the values that its trials choose; returns results.json.

    mode 'eval': evaluates the newest checkpoint of one run (see `reference`) instead.
    """
    with alone_in(workdir):
        return _train(prepared, workdir, watcher, mode, allow_change)


def _train(prepared: Prepared, workdir: Path, watcher: Watcher, mode: str, allow_change: bool) -> dict[str, Any]:
    if mode != 'train':
        return train_once(prepared, workdir, watcher, mode, allow_change)
    if prepared.config.variants:
        return _variants(prepared, workdir, watcher, allow_change)
    if prepared.config.split_seeds:
        return _splits(prepared, workdir, watcher, allow_change)
    prepared, choice = tuning.tuned(prepared, workdir, watcher)
    return train_once(prepared, workdir, watcher, mode, allow_change, choice)


def _variants(prepared: Prepared, workdir: Path, watcher: Watcher, allow_change: bool) -> dict[str, Any]:
    """One run a variant, from the same start and data order, then the comparison; the first is the reference."""
    from jaxlab.report import comparison

    variants = prepared.config.variants
    # A mistake in the last one shows before the first is trained; those with data of their own would fill the memory.
    check_variants(prepared)
    shared = [name for name, changes in variants.items() if not any(path.startswith('data.') for path in changes)]
    ready = {name: variant(prepared, workdir, name) for name in shared}
    runs, histories = {}, {}
    for name in variants:
        one, folder = ready.get(name) or variant(prepared, workdir, name)
        watcher.say(f'variant {name}')
        watcher.title = name
        runs[name] = train(one, folder, watcher, allow_change=allow_change)
        histories[name] = read_log(folder)
    first = next(iter(runs))
    results = {**runs[first], 'reference': first, 'variants': {name: run['metrics'] for name, run in runs.items()}}
    if runtime.is_writer():
        curves, judged = (_left(workdir, runs, file) for file in (CURVES, JUDGED))
        watcher.pages += comparison.write_comparison(workdir, runs, first, histories, curves, judged).tables
        write_json(workdir / 'results.json', results)
    return results


def _left(workdir: Path, variants: Iterable[str], file: str) -> dict[str, Any]:
    """What the run of each variant left in a file; {} of one that left none."""
    files = {name: workdir / 'variants' / name / file for name in variants}
    return {name: json.loads(path.read_text()) if path.is_file() else {} for name, path in files.items()}


def _splits(prepared: Prepared, workdir: Path, watcher: Watcher, allow_change: bool) -> dict[str, Any]:
    """One run a split in `splits/SEED`, then results.json, metrics.jsonl and report.html of all of them."""
    several_splits.check(prepared, workdir)
    runs, histories = [], []
    for seed in prepared.config.split_seeds:
        watcher.say(f'split {seed}')
        one, folder = several_splits.on(prepared, workdir, seed)
        runs.append(train(one, folder, watcher, allow_change=allow_change))
        histories.append(read_log(folder))
    return several_splits.written(workdir, runs, histories, prepared.config.split_seeds)


def reference_folder(config: common.Config, workdir: Path) -> Path:
    """Where the run lies that `reference` gives, as far as the config tells without any data."""
    changes: dict[str, Any] = next(iter(config.variants.to_dict().values()), {})
    folder = workdir / 'variants' / next(iter(config.variants)) if config.variants else workdir
    seeds = changes.get('split_seeds', config.split_seeds)
    return folder / several_splits.FOLDER / str(seeds[0]) if seeds else folder


def reference(prepared: Prepared, workdir: Path) -> tuple[Prepared, Path]:
    """The first split of the first variant, where there are such: what is evaluated, drawn from and predicted with."""
    names = list(prepared.config.variants)
    one, folder = variant(prepared, workdir, names[0]) if names else (prepared, workdir)
    if one.config.split_seeds:
        one, folder = several_splits.on(one, folder, one.config.split_seeds[0])
    return tuning.recalled(one, folder), folder
