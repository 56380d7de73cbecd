"""The same training on several splits of the data (`config.split_seeds`): an error bar that holds for other examples.

Replicas of one split share its test examples, so their spread says nothing about others. Here each split counts as one
value of a metric: the mean over its replicas. Variants see the same splits and are compared split by split.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import Prepared, changed
from jaxlab.figures import Table
from jaxlab.files import write_json
from jaxlab.report import wording
from jaxlab.training import runtime
from jaxlab.training.events import write_log
from jaxlab.training.run import summary

FOLDER = 'splits'
OF_ONE_SPLIT = ('answer', 'params_digest', 'restored', 'stopped', 'tuning')


def on(prepared: Prepared, workdir: Path, seed: int) -> tuple[Prepared, Path]:
    """The experiment on one split, and the folder that it is kept in."""
    one = changed(prepared, {'data.split_seed': seed}, 'split_seeds', {'split_seeds': ()})
    return one, workdir / FOLDER / str(seed)


def check(prepared: Prepared, workdir: Path) -> None:
    """Refuses splits that are one and the same: of data with parts of their own no seed changes anything."""
    first, *others = prepared.config.split_seeds
    if not others:
        return
    one, other = (on(prepared, workdir, seed)[0].data for seed in (first, others[0]))
    if one.checksum == other.checksum and _test_examples(one) == _test_examples(other):
        raise UserError(
            f'config.split_seeds: {one.name} has a {one.reported} part of its own, the same for every seed; valid: '
            "config.data.split='pooled' with config.data.test_fraction, or one split"
        )


def _test_examples(data: Dataset) -> list[int]:
    return np.sort(data.splits[data.reported].origin).tolist()


def written(
    workdir: Path,
    runs: Sequence[Mapping[str, Any]],
    histories: Sequence[Sequence[Mapping[str, Any]]],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """results.json, metrics.jsonl and report.html of all splits together."""
    from jaxlab.report import page

    results, history = combined(runs, seeds), combined_history(histories)
    if runtime.is_writer():
        write_json(workdir / 'results.json', results)
        write_log(workdir, history)
        page.write_report(workdir, results, history, (table(runs, seeds),))
    return results


def combined(runs: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """The facts of the first run with the metrics of all, one value a split."""
    names = [name for name in runs[0]['metrics'] if all(name in run['metrics'] for run in runs)]
    remark = (
        f'Each value is {wording.of_one_split(runs[0]["replicas"])} on one of {len(runs)} splits '
        f'(data.split_seed {", ".join(map(str, seeds))}); n counts splits. Splits of one data set overlap: intervals '
        'and tests allow for it (Nadeau and Bengio 2003).'
    )
    shared = {name: value for name, value in runs[0].items() if name not in OF_ONE_SPLIT}
    return {
        **shared,
        'metrics': {name: summary([run['metrics'][name]['mean'] for run in runs]) for name in names},
        'seeds': list(seeds),
        'replicas': len(runs),
        'splits': {'seeds': list(seeds), 'replicas': runs[0]['replicas']},
        'config_rows': [_of_all(row, seeds) for row in runs[0]['config_rows']],
        'seconds': round(sum(run['seconds'] for run in runs), 3),
        'remarks': [remark],
    }


def _of_all(row: Sequence[Any], seeds: Sequence[int]) -> tuple[Any, ...]:
    """A row of the settings as it is for all splits: what one split was told of them is put right."""
    field, value, chooser = row
    return field, str(tuple(seeds)) if field in ('data.split_seed', 'split_seeds') else value, chooser


def combined_history(histories: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The epochs that all splits have: each metric as one value a split; steps and seconds of the first."""
    rows = []
    for epoch in zip(*histories, strict=False):
        names = [
            name for name, value in epoch[0].items() if isinstance(value, list) and all(name in row for row in epoch)
        ]
        rows.append({**epoch[0], **{name: [_mean(row[name]) for row in epoch] for name in names}})
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def table(runs: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Table:
    """A table of the metrics that each split gave."""
    names = [name for name in runs[0]['metrics'] if name.startswith('test_')][:5]
    rows = [
        (str(seed), *(run['metrics'][name]['mean'] for name in names)) for seed, run in zip(seeds, runs, strict=True)
    ]
    columns = ('split seed', *(wording.words(name.removeprefix('test_')) for name in names))
    note = 'Test part of each split; means over replicas. Everything else of a split is in its own folder.'
    return Table('splits', 'Split by split', note, columns, rows, align='>' * len(columns))
