"""CIFAR-10: 50,000 + 10,000 colour images 32x32, binary version (`cifar-10-batches-bin`).

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A record is one label byte and
3,072 pixel bytes: the red, the green and the blue plane, each row by row.
"""

from pathlib import Path

import numpy as np

from jaxlab.data import tfds_source
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays
from jaxlab.data.sets import shapes
from jaxlab.data.sets.official_images import OfficialImages
from jaxlab.data.sources import Request, check_options, choose, own_folders
from jaxlab.errors import UserError

KNOWN = OfficialImages(
    'cifar10',
    {'train': 50_000, 'test': 10_000},
    ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'),
    'CIFAR-10: colour photographs 32x32, 50,000 training and 10,000 test images, ten classes',
    'research use; cite Krizhevsky 2009',
)
FILES = {'train': tuple(f'data_batch_{number}.bin' for number in range(1, 6)), 'test': ('test_batch.bin',)}
RECORD = 1 + 3 * 32 * 32


def read(request: Request) -> Raw:
    """CIFAR-10."""
    check_options(request, {})
    readers = {'tfds': _tfds, 'files': _files, 'embedded': shapes.read}
    how = 'put its six .bin files into DATA_DIR/cifar-10-batches-bin, prepare it with tfds, or use embedded'
    return choose(request, readers, how)


def _tfds(request: Request) -> Raw | None:
    found = tfds_source.read_images(request, 'cifar10', (32, 32, 3))
    return None if found is None else KNOWN.raw('tfds', *found)


def _files(request: Request) -> Raw | None:
    for folder in own_folders(request, 'cifar-10-batches-bin'):
        names = [name for part in FILES.values() for name in part]
        missing = [name for name in names if not (folder / name).is_file()]
        if len(missing) == len(names):
            continue
        if missing:
            raise UserError(f'cifar10 in {str(folder)!r} lacks {", ".join(missing)}')
        parts = {part: [read_batch(folder / name) for name in files] for part, files in FILES.items()}
        return KNOWN.raw(
            'files',
            {
                part: {name: np.concatenate([batch[name] for batch in batches]) for name in ('image', 'label')}
                for part, batches in parts.items()
            },
        )
    return None


def read_batch(path: Path) -> Arrays:
    """One file: image [N, 32, 32, 3] uint8, label [N] int32."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(f'{str(path)!r} cannot be read: {error}') from error
    if content.size == 0 or content.size % RECORD:
        raise UserError(
            f'{str(path)!r} has {content.size:,} bytes, no multiple of a record of {RECORD:,}: '
            'truncated, or not the binary version of CIFAR-10'
        )
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise UserError(
            f'{str(path)!r} holds label {records[:, 0].max()}; valid: 0 to 9 (is it the binary version of CIFAR-10?)'
        )
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return {'image': np.ascontiguousarray(images), 'label': records[:, 0].astype(np.int32)}
