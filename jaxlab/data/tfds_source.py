"""Sets prepared by tensorflow-datasets as array_record, read without TensorFlow and never downloaded.

The library is imported only when a prepared folder was found: its import takes seconds, and its own errors for absent
or wrongly prepared sets mislead.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.cache import cached, key_of
from jaxlab.data.examples import Arrays
from jaxlab.data.sources import Request
from jaxlab.errors import UserError

Convert = Callable[[dict[str, Any]], dict[str, np.ndarray]]


def find(data_dir: Path | None, tfds_name: str) -> Path | None:
    """The folder of the newest prepared version: DATA_DIR/NAME/VERSION (or a folder above or below it), or None."""
    if data_dir is None:
        return None
    patterns = (f'{tfds_name}/*/dataset_info.json', '*/dataset_info.json', 'dataset_info.json')
    for pattern in patterns:
        found = [path.parent for path in data_dir.glob(pattern) if _is_of(path, tfds_name)]
        if found:
            return max(found, key=lambda path: [int(part) for part in re.findall(r'\d+', path.name)])
    return None


def _is_of(info: Path, tfds_name: str) -> bool:
    try:
        return re.search(rf'"name"\s*:\s*"{re.escape(tfds_name)}"', info.read_text()) is not None
    except (OSError, ValueError):
        return False


def read_images(
    request: Request,
    tfds_name: str,
    shape: tuple[int, int, int] | None,
    convert: Convert | None = None,
    facts: Any = None,
) -> tuple[dict[str, Arrays], tuple[str, ...]] | None:
    """(part -> image [N, *shape] uint8 and label [N] int32, notes), or None when the set is not prepared.

    convert: example -> image and label, by default as they are; `facts` says what it does (part of the cache's key).
    """
    folder = find(request.data_dir, tfds_name)
    if folder is None:
        return None
    files = sorted(path for path in folder.iterdir() if path.is_file())
    key = key_of(tfds_name, facts, [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files])
    arrays, sizes = cached(
        request.cache_dir, f'tfds-{tfds_name}', key, lambda: _decode(folder, tfds_name, shape, convert or _as_they_are)
    )
    parts = {part: {name: arrays[f'{part}-{name}'] for name in ('image', 'label')} for part in sizes}
    note = f'{request.name} as prepared by tensorflow-datasets: the same examples, in an order of its own.'
    return parts, (note,)


def _as_they_are(example: dict[str, Any]) -> dict[str, np.ndarray]:
    return {'image': np.asarray(example['image'], np.uint8), 'label': np.asarray(example['label'], np.int32)}


def _decode(
    folder: Path, tfds_name: str, shape: tuple[int, int, int] | None, convert: Convert
) -> tuple[Arrays, dict[str, int]]:
    import tensorflow_datasets as tfds

    arrays, sizes = {}, {}
    try:
        builder = tfds.builder_from_directory(str(folder))
        for part in sorted(builder.info.splits, key=str):
            source = builder.as_data_source(split=part)
            examples = [convert(source[row]) for row in range(len(source))]
            for name in ('image', 'label'):
                arrays[f'{part}-{name}'] = np.stack([example[name] for example in examples])
            sizes[part] = len(examples)
    except UserError:
        raise
    except Exception as error:  # the library raises whatever its readers meet, down to protobuf and C++ errors
        raise UserError(
            f'{tfds_name} in {str(folder)!r} cannot be read as array_record ({first_line(error)}); prepare '
            'it anew with file_format array_record'
        ) from error
    wrong = {
        part: arrays[f'{part}-image'].shape[1:]
        for part in sizes
        if shape is not None and arrays[f'{part}-image'].shape[1:] != shape
    }
    if wrong:
        raise UserError(f'{tfds_name} in {str(folder)!r} holds images of shape {wrong}; valid: {shape}')
    return arrays, sizes


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[0][:160]}' if lines else type(error).__name__
