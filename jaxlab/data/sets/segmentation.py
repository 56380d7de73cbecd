"""Photographs with masks: a folder of images and one of masks, also a user's own; rendered lakes where none are there.

Sources: penn_fudan_masks - L. Wang et al., "Object Detection Combining Recognition and Segmentation", 2007 (persons against
the rest); water_bodies - Kaggle, "Satellite Images of Water Bodies" (B19).
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data import images
from jaxlab.data.cache import cached, key_of
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import Feature, Image
from jaxlab.data.mask import Mask, Reading, decode_mask
from jaxlab.data.sets import scenes
from jaxlab.data.sources import Request, check_options, checksum, choose, own_folders
from jaxlab.errors import UserError

OPTIONS = {
    'image_size': 256,  # pixels a side; images are squashed to it, their masks to the nearest pixel
    'max_pixels': 50_000_000,
}
OWN = {
    **OPTIONS,
    'path': '.',
    'images': 'images',  # folder of the images, of the masks, in path
    'masks': 'masks',
    'names': ('background', 'object'),  # of the classes
    'above': 127,  # of two classes: values of a mask above it are the second
    'values': (),  # instead: the value of each class, in the order of the names; other values are refused
    'ignored': (),  # values of pixels that do not count
}


@dataclasses.dataclass(frozen=True)
class Known:
    """folders: where the set may lie; images, masks: folders in it."""

    folders: tuple[str, ...]
    images: str
    masks: str
    names: tuple[str, ...]
    reading: Reading
    description: str
    licence: str


KNOWN = {
    'penn_fudan_masks': Known(
        ('PennFudanPed',),
        'PNGImages',
        'PedMasks',
        ('background', 'person'),
        Reading(above=0),  # a number a person
        'Photographs of pedestrians with their masks (Penn-Fudan)',
        'research use',
    ),
    'water_bodies': Known(
        ('water_bodies', 'Water Bodies Dataset'),
        'Images',
        'Masks',
        ('land', 'water'),
        Reading(above=127),
        'Satellite images of water bodies (Sentinel-2)',
        'as Kaggle says',
    ),
}


def read(request: Request) -> Raw:
    """One of the named sets, or rendered lakes."""
    known, options = KNOWN[request.name], check_options(request, OPTIONS)

    def files(request: Request) -> Raw | None:
        for root in own_folders(request, *known.folders):
            if (root / known.images).is_dir() and (root / known.masks).is_dir():
                return _from_folders(request, root, known, options)
        return None

    where = f'put its folders {known.images} and {known.masks} into DATA_DIR/{known.folders[0]}, or use embedded'
    embedded = lambda request: scenes.read_masks(request, _size(options))
    return choose(request, {'files': files, 'embedded': embedded}, where)


def read_folder(request: Request) -> Raw:
    """A user's own: a folder of images and one of masks, relative to the data directory."""
    options = check_options(request, OWN)
    if request.data_dir is None:
        raise UserError("data 'masks' needs a data directory: name it with data_dir or JAXLAB_DATA_DIR")
    root, names = request.data_dir / options['path'], tuple(options['names'])
    values = tuple(options['values'])
    if len(names) < 2 or (values and len(values) != len(names)) or (len(names) > 2 and not values):
        raise UserError(
            f'data.options.names={names}, values={values}; valid: two names and `above`, or a value for each name'
        )
    reading = Reading(None if values else options['above'], values, tuple(options['ignored']))
    words = (f'Images with masks in {root.name}', 'as its owner says')
    known = Known((), options['images'], options['masks'], names, reading, *words)
    for folder in (root / known.images, root / known.masks):
        if not folder.is_dir():
            raise UserError(f'{str(folder)!r} is no folder; valid: data.options.path, images and masks that are there')
    return choose(request, {'files': lambda request: _from_folders(request, root, known, options)}, 'name a folder')


def _size(options: dict[str, Any]) -> int:
    size = options['image_size']
    if not isinstance(size, int) or not 16 <= size <= 4096:
        raise UserError(f'data.options.image_size={size!r}; valid: 16 to 4096 pixels')
    return size


def pairs(pictures: Path, masks: Path) -> tuple[list[tuple[Path, Path]], tuple[str, ...]]:
    """(image, mask) of equal names up to one ending that all masks share, such as `_mask`, by name; notes.

    Names are compared whole (image2 never takes image21's mask); what has no partner is left out and named.
    """
    theirs, found = _by_stem(pictures), _by_stem(masks)
    if not theirs or not found:
        raise UserError(f'{str(pictures if not theirs else masks)!r} has no images ({", ".join(images.ENDINGS)})')
    notes: tuple[str, ...] = ()
    if not theirs.keys() & found.keys():
        beginning = next((stem for stem in theirs for one in found if one.startswith(stem)), '')
        ending = next((one[len(beginning) :] for one in found if beginning and one.startswith(beginning)), '')
        found = {stem.removesuffix(ending): file for stem, file in found.items() if ending and stem.endswith(ending)}
        notes = (f'the mask of NAME is NAME{ending}.',)
    both = sorted(theirs.keys() & found.keys())
    if not both:
        raise UserError(f'{str(masks)!r}: no mask has the name of an image in {str(pictures)!r}')
    alone = sorted(theirs.keys() ^ found.keys())
    if alone:
        shown = ', '.join(alone[:5]) + (' ...' if len(alone) > 5 else '')
        notes = (*notes, f'{len(alone)} images or masks without a partner were left out: {shown}.')
    return [(theirs[stem], found[stem]) for stem in both], notes


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in sorted(file for file in folder.iterdir() if images.is_image(file)):
        if file.stem in files:
            raise UserError(
                f'{str(folder)!r}: {files[file.stem].name!r} and {file.name!r} differ in their endings only; valid: one of them'
            )
        files[file.stem] = file
    return files


def _frame(picture: Path, mask: Path) -> tuple[int, int] | None:
    """The (width, height) of a photograph as it is stored, where it lies on its side and its mask does too; None: upright."""
    from PIL import Image

    try:
        with Image.open(picture) as one, Image.open(mask) as other:
            lies = one.getexif().get(0x0112, 1) in range(5, 9) and one.width != one.height
            return one.size if lies and other.size == one.size else None
    except OSError:  # said by those who decode it
        return None


def _from_folders(request: Request, root: Path, known: Known, options: dict[str, Any]) -> Raw:
    files, notes = pairs(root / known.images, root / known.masks)
    how = images.Decoding((_size(options), _size(options)), max_pixels=options['max_pixels'])
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for pair in files for file in pair]
    key = key_of(facts, dataclasses.asdict(how), dataclasses.asdict(known.reading))

    def decoded(pair: tuple[Path, Path]) -> tuple[np.ndarray, np.ndarray]:
        try:
            frame = _frame(*pair)
            return images.decode_annotated(pair[0], how, frame)[0], decode_mask(pair[1], how, known.reading)
        except ValueError as error:
            raise UserError(f'{str(pair[0])!r}: {error}') from error

    def build() -> tuple[dict[str, np.ndarray], Any]:
        with ThreadPoolExecutor(8) as pool:
            pictures, masks = zip(*pool.map(decoded, files), strict=True)
        return {'image': np.stack(pictures), 'mask': np.stack(masks)}, None

    arrays, _ = cached(request.cache_dir, f'{request.name}-masks', key, build)
    features: dict[str, Feature] = {'image': Image(how), 'mask': Mask(known.names)}
    parts = {'all': in_memory(arrays)}
    return Raw('files', parts, features, known.description, known.licence, checksum(arrays), notes, by_class=False)
