"""A run keeps what was fitted on its training rows (`fitted.json`): whatever uses its weights makes its inputs with that."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxlab import data as data_sets
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import Prepared
from jaxlab.files import write_json
from jaxlab.training import runtime

FILE = 'fitted.json'
BEFORE = 'preprocessing.json'  # the name and form that runs of earlier versions have: of the field `features` alone


def as_in_run(prepared: Prepared, workdir: Path) -> Prepared:
    """The data as this run's weights know them. A run without weights keeps what was fitted just now."""
    fitted = prepared.data.fitted
    if not fitted:
        return prepared
    saved = of_run(workdir)
    if saved is None:
        if runtime.is_writer():
            write_json(workdir / FILE, fitted)
        return prepared
    if saved == json.loads(json.dumps(fitted)):
        return prepared
    cache = runtime.cache_folder() / 'data'
    again = data_sets.load(prepared.config.data, prepared.data_dir, cache, fitted=saved)
    return dataclasses.replace(prepared, data=again)


def of_run(workdir: Path) -> Mapping[str, Any] | None:
    """What a run with weights keeps, field -> JSON; None where there are no weights or no such file."""
    if not any((workdir / 'checkpoints').glob('[0-9]*')):
        return None
    for file in (workdir / FILE, workdir / BEFORE):
        if file.is_file():
            try:
                content = json.loads(file.read_text())
            except (OSError, ValueError) as error:
                raise UserError(f'{file} cannot be read ({error}); train again') from error
            return content if file.name == FILE else {'features': content}
    return None
