"""The files of a run: whole or not there, since they are written beside their place, then renamed."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np


@contextlib.contextmanager
def write_atomically(path: Path, mode: str = 'wb') -> Iterator[IO]:
    """Opens a file that takes the place of `path` only when everything was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with open(partial, mode, encoding=None if 'b' in mode else 'utf-8') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str) -> Path:
    """Writes all of it; returns the path."""
    path = Path(path)
    with write_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def storable(array: Any) -> np.ndarray:
    """The array as numpy can read it back: bfloat16 (which a file returns as raw bytes) becomes float32."""
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.kind == 'V' else array


def write_json(path: Path, value: Any) -> None:
    """Pretty JSON; NaN is refused, since it is not JSON."""
    with write_atomically(path, 'w') as file:
        json.dump(value, file, indent=2, allow_nan=False, default=_plain)
        file.write('\n')


def _plain(value: Any) -> Any:
    """The same with numpy's scalars and arrays as Python's own numbers and lists."""
    if hasattr(value, 'tolist'):
        return value.tolist()
    raise TypeError(f'{type(value).__name__} is not JSON')
