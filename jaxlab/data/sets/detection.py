"""Photographs with boxes: VOC's, COCO's and Penn-Fudan's layouts, also a user's own; rendered shapes where none are there.

Sources: bccd - S. Cheng, "BCCD dataset", blood cells, 364 photographs; penn_fudan - L. Wang et al., "Object Detection
Combining Recognition and Segmentation", 2007, 170 photographs of pedestrians; voc2007 - M. Everingham et al., "The PASCAL Visual
Object Classes Challenge", 2010.
"""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from jaxlab.data import annotations, images
from jaxlab.data.annotations import Listed
from jaxlab.data.boxes import Annotation, Boxes, in_fractions
from jaxlab.data.cache import cached, key_of
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import Feature, Image
from jaxlab.data.sets import scenes
from jaxlab.data.sources import Request, check_options, checksum, choose, own_folders
from jaxlab.errors import UserError

OPTIONS = {
    'image_size': 320,  # pixels a side; images are squashed to it
    'least_side': 2.0,  # pixels of the photograph: objects that are narrower or lower are left out, and said
    'max_pixels': 50_000_000,
}


@dataclasses.dataclass(frozen=True)
class Known:
    """folders: where it may lie; layout: of its annotations."""

    folders: tuple[str, ...]
    layout: str
    description: str
    licence: str


KNOWN = {
    'bccd': Known(('bccd', 'BCCD', 'BCCD_Dataset'), 'voc', 'Photographs of blood cells with boxes (BCCD)', 'MIT'),
    'penn_fudan': Known(('PennFudanPed',), 'penn_fudan', 'Photographs of pedestrians (Penn-Fudan)', 'research use'),
    'voc2007': Known(('VOC2007', 'VOCdevkit/VOC2007'), 'voc', 'Pascal VOC 2007', 'research use'),
}


def read(request: Request) -> Raw:
    """One of the named sets, or rendered shapes."""
    known, options = KNOWN[request.name], check_options(request, OPTIONS)

    def files(request: Request) -> Raw | None:
        for root in own_folders(request, *known.folders):
            parts = annotations.LAYOUTS[known.layout](root)
            if parts:
                return from_listed(request, parts, options, known.description, known.licence)
        return None

    embedded = lambda request: scenes.read(request, _size(options))
    where = f'put its folders into DATA_DIR/{known.folders[0]}, or use embedded'
    return choose(request, {'files': files, 'embedded': embedded}, where)


def read_folder(request: Request) -> Raw:
    """A user's own folder: options.path, relative to the data directory; its layout is found out."""
    options = check_options(request, {**OPTIONS, 'path': '.'})
    if request.data_dir is None:
        raise UserError("data 'boxes' needs a data directory: name it with data_dir or JAXLAB_DATA_DIR")
    root = request.data_dir / options['path']

    def files(request: Request) -> Raw:
        parts = annotations.read(root) if root.is_dir() else None
        if not parts:
            raise UserError(f'{str(root)!r} has no boxes; valid: the layouts {", ".join(annotations.LAYOUTS)}')
        return from_listed(request, parts, options, f'Images with boxes in {root.name}', 'as its owner says')

    return choose(request, {'files': files}, 'name a folder')


def _size(options: dict[str, Any]) -> int:
    size = options['image_size']
    if not isinstance(size, int) or not 16 <= size <= 4096:
        raise UserError(f'data.options.image_size={size!r}; valid: 16 to 4096 pixels')
    return size


def from_listed(request: Request, parts: annotations.Parts, options: dict[str, Any], words: str, licence: str) -> Raw:
    """Decoded images with their boxes in fractions."""
    how = images.Decoding((_size(options), _size(options)), max_pixels=options['max_pixels'])
    names = tuple(sorted({name for part in parts.values() for one in part for name in one.names}))
    if not names:
        raise UserError(f'{request.name}: no image has an object')
    whole = [one for part in parts.values() for one in part]
    facts = [(one.file.name, one.file.stat().st_size, one.boxes.tolist(), one.names, one.ignored) for one in whole]
    key = key_of(facts, [one.file.stat().st_mtime_ns for one in whole], dataclasses.asdict(how), options['least_side'])

    def build() -> tuple[dict[str, np.ndarray], Any]:
        with ThreadPoolExecutor(8) as pool:
            decoded = list(pool.map(lambda one: _decoded(one, how), whole))
        found, small = zip(
            *(_annotation(one, size, names, options['least_side']) for one, (_, size) in zip(whole, decoded))
        )
        arrays = {'image': np.stack([image for image, _ in decoded]), **in_fractions(found)}
        return arrays, [one.file.name for one, left in zip(whole, small, strict=True) for _ in range(left)]

    arrays, small = cached(request.cache_dir, f'{request.name}-boxes', key, build)
    splits, first = {}, 0
    for part, listed in parts.items():
        mine = {name: values[first : first + len(listed)] for name, values in arrays.items()}
        splits[part], first = in_memory(mine, first), first + len(listed)
    notes = () if not small else (_small_note(small, options['least_side']),)
    features: dict[str, Feature] = {'image': Image(how), 'boxes': Boxes(names)}
    return Raw('files', splits, features, words, licence, checksum(arrays), notes, by_class=False)


def _small_note(files: Sequence[str], least: float) -> str:
    shown = ', '.join(dict.fromkeys(files[:5]))
    return f'{len(files)} objects less than {least:g} pixels wide or high were left out ({shown}).'


def _decoded(one: Listed, how: images.Decoding) -> tuple[np.ndarray, tuple[int, int]]:
    """(the image, the size in whose pixels its boxes are)."""
    try:
        return images.decode_annotated(one.file, how, one.size)
    except ValueError as error:
        raise UserError(f'{str(one.file)!r}: {error}') from error


def _annotation(one: Listed, size: tuple[int, int], names: tuple[str, ...], least: float) -> tuple[Annotation, int]:
    """Its objects, cut to the image, and how many were too small."""
    boxes = np.clip(one.boxes, 0, np.tile(size, 2))
    kept = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) >= least
    classes = np.array([names.index(name) for name in one.names], np.int32)
    ignored = np.array(one.ignored, bool)
    return Annotation(boxes[kept], classes[kept], ignored[kept], size), int((~kept).sum())
