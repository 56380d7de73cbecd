"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images 28x28 in the idx format.

Sources: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998;
H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", arXiv 1708.07747.
"""

import gzip
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from jaxlab.data import tfds_source
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays
from jaxlab.data.sets import digits
from jaxlab.data.sets.official_images import OfficialImages
from jaxlab.data.sources import Request, check_options, choose, own_folders
from jaxlab.errors import UserError

SIZES = {'train': 60_000, 'test': 10_000}
CLOTHING = (
    'T-shirt/top',
    'Trouser',
    'Pullover',
    'Dress',
    'Coat',
    'Sandal',
    'Shirt',
    'Sneaker',
    'Bag',
    'Ankle boot',
)
KNOWN = {
    'mnist': OfficialImages(
        'mnist',
        SIZES,
        tuple(str(digit) for digit in range(10)),
        'MNIST: handwritten digits, 28x28 grey values, 60,000 training and 10,000 test images, ten classes',
        'CC BY-SA 3.0',
    ),
    'fashion_mnist': OfficialImages(
        'fashion_mnist',
        SIZES,
        CLOTHING,
        'Fashion-MNIST: articles of clothing, 28x28 grey values, 60,000 training and 10,000 test images',
        'MIT',
    ),
}
PREFIXES = {'train': 'train', 'test': 't10k'}
KINDS = {'image': ('images', 3), 'label': ('labels', 1)}
IDX_UINT8 = 0x08


def read(request: Request) -> Raw:
    """MNIST or Fashion-MNIST, by `request.name`."""
    check_options(request, {})
    readers = {'tfds': _tfds, 'files': _files, 'embedded': digits.read}
    how = f'put its four idx files (.gz or not) into DATA_DIR/{request.name}, prepare it with tfds, or use embedded'
    return choose(request, readers, how)


def _tfds(request: Request) -> Raw | None:
    found = tfds_source.read_images(request, request.name, (28, 28, 1))
    return None if found is None else KNOWN[request.name].raw('tfds', *found)


def _files(request: Request) -> Raw | None:
    for folder in own_folders(request, request.name, request.name.replace('_', '-')):
        keys = [(part, name) for part in PREFIXES for name in KINDS]
        found = {key: path for key in keys if (path := _find(folder, *key))}
        if not found:
            continue
        missing = [_file_name(*key) for key in keys if key not in found]
        if missing:
            raise UserError(f'{request.name} in {str(folder)!r} lacks {", ".join(missing)} (.gz or not)')
        parts = {part: _part(found[part, 'image'], found[part, 'label']) for part in PREFIXES}
        return KNOWN[request.name].raw('files', parts)
    return None


def _file_name(part: str, name: str, mark: str = '-') -> str:
    kind, dimensions = KINDS[name]
    return f'{PREFIXES[part]}-{kind}{mark}idx{dimensions}-ubyte'


def _find(folder: Path, part: str, name: str) -> Path | None:
    stems = [_file_name(part, name, mark) for mark in '-.']
    candidates = [folder / (stem + ending) for stem in stems for ending in ('', '.gz')]
    return next((path for path in candidates if path.is_file()), None)


def _part(image_path: Path, label_path: Path) -> Arrays:
    images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
    if images.shape[1:] != (28, 28):
        raise UserError(f'{str(image_path)!r} holds images of {images.shape[1]}x{images.shape[2]} pixels, not 28x28')
    if len(images) != len(labels):
        raise UserError(f'{str(image_path)!r} has {len(images):,} images, {str(label_path)!r} {len(labels):,} labels')
    if len(labels) == 0 or labels.max() > 9:
        raise UserError(f'{str(label_path)!r} holds no labels or labels above 9; valid: 0 to 9')
    return {'image': images[..., None], 'label': labels.astype(np.int32)}


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An idx file of bytes: magic number 0, 0, 8, dimensions; one big-endian uint32 a dimension; then the values."""
    try:
        # No more than the header announces is ever decompressed.
        with partial(gzip.open, mode='rb')(path) if path.suffix == '.gz' else open(path, 'rb') as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes((0, 0, IDX_UINT8, dimensions)) or len(header) < 4 + 4 * dimensions:
                raise UserError(
                    f'{str(path)!r} is not an idx file of bytes with {dimensions} dimension(s): its magic '
                    f'number is {header[:4].hex()}, valid: {bytes((0, 0, IDX_UINT8, dimensions)).hex()}'
                )
            shape = tuple(int(size) for size in np.frombuffer(header, '>u4', offset=4))
            size = int(np.prod(shape, dtype=object))
            if size > 1 << 32:
                raise UserError(f'{str(path)!r} announces {size:,} bytes, more than any known set of this kind')
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f'{str(path)!r} cannot be read: {error}; get it anew') from error
    if len(content) != size:
        found = 'more' if len(content) > size else f'{len(content):,}'
        raise UserError(f'{str(path)!r} announces {size:,} values {shape} and holds {found}: truncated or damaged')
    return np.frombuffer(content, np.uint8).reshape(shape)
