"""Reads what `torch.save` wrote, without PyTorch and without ever running what a file says.

A pickle is a program. This reader knows eight names: an ordered dictionary, the views of a storage that make a tensor or a
parameter, the types of storages. Any other name ends the reading; so do views that leave their storage. Two forms: the zip
archive (PyTorch 1.6 and later), and the sequence of pickles before it, in which EfficientNet-Lite0's weights come.
"""

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxlab.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C
WRAPPERS = ('state_dict', 'model_state_dict', 'model_state', 'model', 'module', 'net', 'ema')
STORAGES: Mapping[str, Any] = {
    'FloatStorage': np.float32,
    'DoubleStorage': np.float64,
    'HalfStorage': np.float16,
    'BFloat16Storage': jnp.bfloat16,
    'LongStorage': np.int64,
    'IntStorage': np.int32,
    'ShortStorage': np.int16,
    'CharStorage': np.int8,
    'ByteStorage': np.uint8,
    'BoolStorage': np.bool_,
}


class _Storage(NamedTuple):
    """What a file says of a piece of memory before it is read."""

    key: str
    dtype: np.dtype
    numbers: int


class _View(NamedTuple):
    """A tensor: where it lies in its storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Type:
    """A storage's type."""

    __slots__ = ('dtype',)

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)


class _Tensor:
    """`torch._utils._rebuild_tensor_v2` and its like: called by the pickle, returns a description."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> _View:
        view = _View(storage, offset, tuple(shape), tuple(strides))
        numbers = (offset, *view.shape, *view.strides)
        if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise pickle.UnpicklingError('a tensor that is none')
        size = math.prod(view.shape)
        last = offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
        if size > storage.numbers or (size and last >= storage.numbers):
            raise pickle.UnpicklingError('a tensor that leaves its storage')
        return view


class _Parameter:
    """`torch._utils._rebuild_parameter`: the tensor itself."""

    __slots__ = ()

    def __call__(self, data: Any, *rest: Any) -> Any:
        return data


def _names() -> dict[tuple[str, str], Callable]:
    known: dict[tuple[str, str], Any] = {
        ('collections', 'OrderedDict'): collections.OrderedDict,
        ('torch._utils', '_rebuild_tensor'): _Tensor(),
        ('torch._utils', '_rebuild_tensor_v2'): _Tensor(),
        ('torch._utils', '_rebuild_parameter'): _Parameter(),
        ('torch', 'Size'): tuple,
    }
    known |= {('torch', name): _Type(dtype) for name, dtype in STORAGES.items()}
    return known


class _Unpickler(pickle.Unpickler):
    """Finds the names above, no other."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding='utf-8')
        self._known = _names()
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, which is no weight')
        return self._known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _, count, *view = pid
        if kind != 'storage' or not isinstance(storage_type, _Type) or type(count) is not int or (view and view[0]):
            raise pickle.UnpicklingError('a storage that is none')
        storage = _Storage(str(key), storage_type.dtype, count)
        if self.storages.setdefault(storage.key, storage) != storage:
            raise pickle.UnpicklingError('a storage of two kinds')
        return storage


def read(path: Path) -> dict[str, np.ndarray]:
    """name -> array, of a state dict or a checkpoint that holds one (`WRAPPERS`)."""
    try:
        with open(path, 'rb') as file:
            tree, memory = _archive(path) if zipfile.is_zipfile(file) else _sequence(path)
        return {name: _array(view, memory) for name, view in _views(tree).items()}
    except (
        OSError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as error:
        raise UserError(
            f'{str(path)!r} cannot be read as weights of PyTorch ({error or type(error).__name__}); '
            'valid: what torch.save(model.state_dict(), FILE) writes, nothing else'
        ) from error


def _archive(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """The zip form: NAME/data.pkl, and NAME/data/KEY for each storage."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        inside = [name for name in entries if name.endswith('data.pkl') and name.count('/') <= 1]
        if len(inside) != 1 or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError('not an archive of PyTorch')
        root = inside[0].removesuffix('data.pkl')
        if root + 'byteorder' in entries and archive.read(root + 'byteorder') != b'little':
            raise ValueError('its bytes are in another order')
        unpickler = _Unpickler(io.BytesIO(archive.read(inside[0])))
        tree = unpickler.load()
        memory = {}
        for key, storage in unpickler.storages.items():
            raw = archive.read(f'{root}data/{key}')
            memory[key] = np.frombuffer(raw, storage.dtype, storage.numbers)
        return tree, memory


def _sequence(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """The older form: magic number, version, machine, objects, names of storages, then each storage behind its length."""
    with open(path, 'rb') as file:
        if _Unpickler(file).load() != MAGIC:
            raise ValueError('no file of PyTorch')
        _Unpickler(file).load()
        if _Unpickler(file).load().get('little_endian') is not True:
            raise ValueError('its bytes are in another order')
        unpickler = _Unpickler(file)
        tree = unpickler.load()
        memory = {}
        for key in _Unpickler(file).load():
            storage = unpickler.storages[key]
            if int.from_bytes(file.read(8), 'little') != storage.numbers:
                raise ValueError('a storage of another length')
            memory[key] = np.frombuffer(
                file.read(storage.numbers * storage.dtype.itemsize), storage.dtype, storage.numbers
            )
        return tree, memory


def _array(view: _View, memory: Mapping[str, np.ndarray]) -> np.ndarray:
    storage = memory[view.storage.key]
    steps = tuple(step * storage.itemsize for step in view.strides)
    if not math.prod(view.shape):
        return np.zeros(view.shape, storage.dtype)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, steps).copy()


def _views(tree: Any) -> dict[str, _View]:
    """The tensors of a state dict, or of the one that a checkpoint holds."""
    for _ in range(3):
        if not isinstance(tree, Mapping):
            break
        found = {str(name): value for name, value in tree.items() if isinstance(value, _View)}
        if found:
            return found
        tree = next((tree[name] for name in WRAPPERS if isinstance(tree.get(name), Mapping)), None)
    raise ValueError('no tensors by name in it')
