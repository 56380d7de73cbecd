"""What a run keeps of its data (`data.json`): features with what was fitted, the form of an example, sizes, checksum.

Whoever trains or evaluates with a run's weights loads the data and makes its inputs with what was fitted then; a mode that
looks at no example needs the description alone.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from jaxlab import data as data_sets
from jaxlab.data import description
from jaxlab.data.dataset import Dataset
from jaxlab.data.fitted.columns import Preprocessing
from jaxlab.data.settings import checked
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import Prepared
from jaxlab.files import cache_folder, write_json
from jaxlab.training import runtime

FILE = 'data.json'
BEFORE = {'fitted.json': 'features', 'preprocessing.json': ''}  # of earlier versions -> where in it columns were fitted


def as_in_run(prepared: Prepared, workdir: Path) -> Prepared:
    """The data as this run's weights know them."""
    fitted = {} if prepared.described else _fitted(workdir)
    if not fitted or fitted == prepared.data.fitted:
        return prepared
    cache = cache_folder() / 'data'
    data = data_sets.load(prepared.config.data, prepared.data_dir, cache, fitted=fitted)
    return dataclasses.replace(prepared, data=data)


def keep(prepared: Prepared, workdir: Path, changed: bool) -> None:
    """Writes the description of the data that a run is about to be trained on; one that has weights keeps its own.

    changed: the run goes on with these data, whatever it was trained on before.
    """
    if prepared.data.splits and runtime.is_writer() and (changed or not has_weights(workdir)):
        write_json(workdir / FILE, description.as_json(prepared.data, checked(prepared.config.data)))


def described(workdir: Path) -> Dataset | None:
    """The data of a run with weights, without their examples; None for a run that keeps no description."""
    content = _read(workdir / FILE) if has_weights(workdir) else None
    try:
        return None if content is None else description.from_json(content)
    except (KeyError, TypeError, ValueError, UserError) as error:
        said = f'lacks {error}' if isinstance(error, KeyError) else str(error).partition('\n')[0]
        raise UserError(
            f'{workdir / FILE} cannot be read ({said}); valid: the version of jaxlab that wrote it, or a training anew'
        ) from error


def has_weights(workdir: Path) -> bool:
    """Whether a run, or one that was given away, holds a trained network."""
    return any((workdir / 'checkpoints').glob('[0-9]*')) or (workdir / 'weights.safetensors').is_file()


def _fitted(workdir: Path) -> dict[str, Any]:
    """Field -> what was fitted when the run's weights were trained; {} where there are none, or nothing was."""
    known = described(workdir)
    if known is not None:
        return known.fitted
    for name, field in BEFORE.items() if has_weights(workdir) else ():
        content = _read(workdir / name)
        if content is not None:
            return {'features': Preprocessing.from_json(content[field] if field else content)}
    return {}


def _read(file: Path) -> Any:
    """A JSON file; None where there is none."""
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f'{file} cannot be read ({error}); valid: the file as it was written, or a training anew'
        ) from error
