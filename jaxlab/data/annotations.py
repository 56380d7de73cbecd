"""Files that say where objects are: VOC's XML, COCO's JSON, Penn-Fudan's text; each as one `Listed` an image.

VOC and Penn-Fudan count pixels from 1 and include the far edge, COCO gives a corner and sides from 0: all become
(x0, y0, x1, y1) from 0, the far edge not included. Tags come in any order, numbers may be fractions, ids have gaps and repeat.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from jaxlab.data.images import images_below
from jaxlab.errors import UserError

BOX = re.compile(r'\(Xmin, Ymin\) - \(Xmax, Ymax\) : \((\d+), (\d+)\) - \((\d+), (\d+)\)')
SIZE = re.compile(r'Image size \(X x Y x C\) : (\d+) x (\d+)')


class Listed(NamedTuple):
    """An image file and its objects: boxes [m, 4] in pixels, the names of their classes, which do not count.

    size: (width, height) of the image as the boxes mean it; None where nobody says.
    """

    file: Path
    boxes: np.ndarray
    names: tuple[str, ...]
    ignored: tuple[bool, ...]
    size: tuple[int, int] | None


Parts = dict[str, list[Listed]]  # 'train', 'validation', 'test', or 'all'


def _text(node: Any, path: str, file: Path) -> str:
    found = node.find(path)
    if found is None or not (found.text or '').strip():
        raise UserError(f'{str(file)!r}: no <{path}>; valid: VOC annotations')
    return found.text.strip()


def voc_file(file: Path) -> tuple[str, Listed]:
    """(the image's name, what the file says): one VOC XML. The image is looked for by its caller."""
    try:
        root = ElementTree.fromstring(file.read_bytes())
    except ElementTree.ParseError as error:
        raise UserError(f'{str(file)!r} cannot be read ({error}); valid: VOC annotations in XML') from error
    boxes, names, ignored = [], [], []
    for one in root.iter('object'):
        place = [float(_text(one, f'bndbox/{side}', file)) for side in ('xmin', 'ymin', 'xmax', 'ymax')]
        boxes.append([place[0] - 1, place[1] - 1, place[2], place[3]])
        names.append(_text(one, 'name', file))
        ignored.append((one.findtext('difficult') or '0').strip() == '1')
    size = None
    if root.find('size') is not None:
        size = (int(float(_text(root, 'size/width', file))), int(float(_text(root, 'size/height', file))))
    array = np.array(boxes, np.float64).reshape(-1, 4)
    listed = Listed(file, array, tuple(names), tuple(ignored), size if size and min(size) else None)
    return root.findtext('filename') or '', listed


def voc(root: Path) -> Parts | None:
    """Folders `Annotations` and `JPEGImages`; parts by `ImageSets/Main/{train,val,test}.txt` where they are."""
    folder, pictures = root / 'Annotations', root / 'JPEGImages'
    if not folder.is_dir() or not any(folder.glob('*.xml')):
        return None
    images = _images(pictures if pictures.is_dir() else root)
    found = {}
    for file in sorted(folder.glob('*.xml')):
        name, listed = voc_file(file)
        found[file.stem] = listed._replace(file=_image(images, file, name))
    lists = {role: root / 'ImageSets' / 'Main' / f'{name}.txt' for role, name in ROLES.items()}
    named = {role: file.read_text().split() for role, file in lists.items() if file.is_file()}
    named = {role: [stem for stem in stems if stem in found] for role, stems in named.items()}
    named = {role: stems for role, stems in named.items() if stems}
    if set(named) == {'train', 'validation'}:
        named = {'train': named['train'], 'test': named['validation']}
    if {'train', 'test'} <= set(named):
        return {role: [found[stem] for stem in stems] for role, stems in named.items()}
    return {'all': list(found.values())}


ROLES = {'train': 'train', 'validation': 'val', 'test': 'test'}


def coco(root: Path) -> Parts | None:
    """COCO's JSON (images, annotations, categories): one file, or `train*`, `val*`, `test*` in `annotations/` or beside."""
    files = [file for place in (root, root / 'annotations') if place.is_dir() for file in sorted(place.glob('*.json'))]
    files = [file for file in files if {'images', 'annotations', 'categories'} <= set(_json(file))]
    if not files:
        return None
    images = _images(root)
    parts: Parts = {}
    for file in files:
        words = re.split(r'[^a-z]+', file.stem.lower())
        role = next((role for role, name in ROLES.items() if any(word.startswith(name) for word in words)), 'all')
        parts[role] = [*parts.get(role, ()), *coco_file(_json(file), file, images)]
    if set(parts) == {'train', 'validation'}:
        parts = {'train': parts['train'], 'test': parts['validation']}
    if not {'train', 'test'} <= set(parts):
        parts = {'all': [one for part in parts.values() for one in part]}
    return parts


def coco_file(content: Mapping[str, Any], file: Path, images: Mapping[str, Sequence[Path]]) -> list[Listed]:
    """The images of one JSON. Crowds do not count; a missing `iscrowd` is 0."""
    names = {one['id']: one['name'] for one in content['categories']}
    objects: dict[Any, list[Any]] = {one['id']: [] for one in content['images']}
    try:
        for one in content['annotations']:
            objects[one['image_id']].append(one)
        found = []
        for image in content['images']:
            mine = objects[image['id']]
            corners = np.array([one['bbox'] for one in mine], np.float64).reshape(-1, 4)
            boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)
            size = (int(image['width']), int(image['height'])) if 'width' in image else None
            where = _image(images, file, image['file_name'])
            classes = tuple(names[one['category_id']] for one in mine)
            found.append(Listed(where, boxes, classes, tuple(bool(one.get('iscrowd', 0)) for one in mine), size))
    except KeyError as error:
        raise UserError(f'{str(file)!r}: {error} is missing or names nothing; valid: annotations of COCO') from error
    return found


def penn_fudan(root: Path) -> Parts | None:
    """`Annotation/*.txt` and `PNGImages`: persons; a class each, no parts."""
    folder = root / 'Annotation'
    if not folder.is_dir() or not any(folder.glob('*.txt')):
        return None
    images, found = _images(root / 'PNGImages'), []
    for file in sorted(folder.glob('*.txt')):
        text = file.read_text(errors='replace')
        rows = [tuple(map(int, match)) for match in BOX.findall(text)]
        boxes = np.array([(x0 - 1, y0 - 1, x1, y1) for x0, y0, x1, y1 in rows], np.float64).reshape(-1, 4)
        size = SIZE.search(text)
        known = (int(size[1]), int(size[2])) if size else None
        found.append(
            Listed(_image(images, file, file.stem), boxes, ('person',) * len(rows), (False,) * len(rows), known)
        )
    return {'all': found}


LAYOUTS: Mapping[str, Callable[[Path], Parts | None]] = {'voc': voc, 'coco': coco, 'penn_fudan': penn_fudan}


def read(root: Path, layouts: Iterable[str] = tuple(LAYOUTS)) -> Parts | None:
    """What the first layout finds that is there; None where none is."""
    return next((parts for parts in (LAYOUTS[one](root) for one in layouts) if parts), None)


def _json(file: Path) -> Any:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f'{str(file)!r} cannot be read ({error}); valid: JSON') from error
    return content if isinstance(content, dict) else {}


def _images(folder: Path) -> dict[str, list[Path]]:
    """Image files below a folder, by name and by stem."""
    found: dict[str, list[Path]] = {}
    for path in images_below(folder) if folder.is_dir() else []:
        for key in {path.name, path.stem}:
            found.setdefault(key, []).append(path)
    return found


def _image(images: Mapping[str, Sequence[Path]], file: Path, *names: str) -> Path:
    """The image that an annotation belongs to: by the name that it says, with or without its folder, else by its own stem."""
    known = [PurePosixPath(name.replace('\\', '/')) for name in (*names, file.stem) if name]
    for name in known:
        found = images.get(name.name) or images.get(name.stem) or ()
        named = [path for path in found if path.as_posix().endswith(f'/{name}')] or found
        if len(named) > 1:
            shown = ', '.join(repr(str(path)) for path in named[:3])
            raise UserError(f'{str(file)!r}: its image {str(name)!r} may be {shown}; valid: names that are there once')
        if named:
            return named[0]
    raise UserError(f'{str(file)!r}: its image {names[0] if names else file.stem!r} is not there')
