"""A run keeps how its features were made (`preprocessing.json`): whatever uses its weights makes them in the same way."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab import data as data_sets
from jaxlab.data.dataset import Dataset
from jaxlab.data.fitted.columns import Preprocessing
from jaxlab.data.sets.csv_rows import read_csv
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import Prepared
from jaxlab.training import runtime
from jaxlab.training.files import write_json

FILE = 'preprocessing.json'


def as_in_run(prepared: Prepared, workdir: Path) -> Prepared:
    """The data as this run's weights know them. A run without weights gets what was fitted just now."""
    table = prepared.data.table
    if table is None:
        return prepared
    saved = of_run(workdir)
    if saved is None:
        if runtime.is_writer():
            write_json(workdir / FILE, table.preprocessing.as_json())
        return prepared
    if saved == table.preprocessing:
        return prepared
    cache = runtime.cache_folder() / 'data'
    return dataclasses.replace(
        prepared, data=data_sets.load(prepared.config.data, prepared.data_dir, cache, preprocessing=saved)
    )


def of_run(workdir: Path) -> Preprocessing | None:
    """What a run with weights keeps; None where there are no weights or no such file."""
    if not (workdir / FILE).is_file() or not any((workdir / 'checkpoints').glob('[0-9]*')):
        return None
    return Preprocessing.load(workdir / FILE)


def input_features(data: Dataset, workdir: Path, path: Path) -> np.ndarray:
    """[N, F] float32: the rows of a user's CSV file, prepared as the run's training rows were."""
    if data.table is None:
        raise UserError(f'--input={path}: {data.name} is no table; valid: an image or a folder of images')
    preprocessing = of_run(workdir) or data.table.preprocessing
    categories = [column.name for column in preprocessing.columns if column.kind == 'category']
    try:
        return preprocessing.apply_to_input(data.table.schema.derive(read_csv(path, categories)))
    except UserError as error:
        raise UserError(f'--input={path}: {error}'.replace(f'{path}: {path}', str(path))) from None


def answers(data: Dataset, found: np.ndarray) -> list[dict[str, Any]]:
    """One dict an example: class, its probability and all of them ([N, C]), or a value in its unit ([N])."""
    if found.ndim == 2:
        names, rows = data.class_names, []
        for row in found:
            order = row.argsort()[::-1]
            rows.append(
                {
                    'class': names[order[0]],
                    'probability': float(row[order[0]]),
                    'probabilities': {names[k]: float(row[k]) for k in order},
                }
            )
        return rows
    target = data.table.schema.target if data.table is not None else None
    name, unit, factor = (target.name, target.unit, target.factor) if target else ('value', '', 1.0)
    return [{'target': name, 'value': float(value) * factor, 'unit': unit} for value in found]
