"""Image folders: one folder a class, or class names in the files' names; with or without train and test folders.

Sources of the named sets: cats_dogs - Kaggle, "Dogs vs. Cats" (Asirra), 2013; flowers17 - M.-E. Nilsback, A. Zisserman,
"A Visual Vocabulary for Flower Classification", 2006; hymenoptera - a subset of ImageNet used in PyTorch's tutorials.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data import images, tfds_source
from jaxlab.data.cache import cached, key_of
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays, Split, in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.data.listing import Listing, classified, scan
from jaxlab.data.sets import flowers, shapes
from jaxlab.data.sources import Request, check_options, checksum, choose
from jaxlab.errors import UserError, lookup

OPTIONS = {
    'image_size': 0,  # pixels, one number or (height, width); 0: the set's own default
    'resample': 'bilinear',  # or 'nearest'
    'shorter_side': 0,  # 0: squash to image_size; else scale the shorter side to this and cut the centre out
    'grey': False,
    'classes': (),  # only these, by name; numbered in this order (none: all)
    'memory_limit': 1 << 30,  # bytes of decoded images above which they are streamed
    'max_pixels': 50_000_000,  # of one file; larger ones are not decoded
    'ground': 'white',  # behind transparent pixels: a colour's name, or '#rrggbb'
    'white': images.WHITE,  # the value of 16 bits of grey that is white
}


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of a named set: where it lies, the names of its classes, its usual image size.

    stand_in: (request, number of classes, image size) -> what takes its place where it is not there.
    """

    folders: tuple[str, ...]
    names: tuple[str, ...]
    image_size: int
    description: str
    licence: str
    tfds_name: str = ''
    stand_in: Callable[[Request, int, tuple[int, int]], Raw] = shapes.read


FLOWERS = tuple(kind.name for kind in flowers.KINDS)  # in the order of the files
KNOWN = {
    'cats_dogs': Known(
        ('cats_dogs', 'dogs-vs-cats', 'PetImages'),
        ('cat', 'dog'),
        150,
        'Photographs of cats and dogs (Kaggle, Asirra)',
        'research use',
        'cats_vs_dogs',
    ),
    'flowers17': Known(
        ('flowers17', '17flowers'),
        FLOWERS,
        64,
        'Oxford Flowers-17: photographs of 17 kinds of flowers, 80 each',
        'research use',
        stand_in=flowers.read,
    ),
    'hymenoptera': Known(
        ('hymenoptera_data', 'hymenoptera'),
        ('ants', 'bees'),
        224,
        'Photographs of ants and bees (subset of ImageNet)',
        'research use',
    ),
}


def read(request: Request) -> Raw:
    """One of the named sets."""
    known = KNOWN[request.name]
    options = check_options(request, OPTIONS, ('image_size',))
    how = _decoding(request, options, known.image_size)
    readers = {
        'files': lambda request: _known_files(request, known, how, options['memory_limit']),
        'embedded': lambda request: _embedded(request, known, how),
    }
    if known.tfds_name:
        readers['tfds'] = lambda request: _tfds(request, known, how)
    raw = choose(request, readers, f'put its images into DATA_DIR/{known.folders[0]}, or use embedded')
    return _of_classes(raw, tuple(map(str, options['classes'])))


def read_folder(request: Request) -> Raw:
    """Any folder of images: options.path, relative to the data directory."""
    options = check_options(request, {**OPTIONS, 'path': '.'}, ('image_size',))
    how = _decoding(request, options, 128)
    if request.data_dir is None:
        raise UserError("data 'folder' needs a data directory: name it with data_dir or JAXLAB_DATA_DIR")
    root = (request.data_dir / str(options['path'])).resolve()
    if not root.is_relative_to(request.data_dir.resolve()) or not root.is_dir():
        raise UserError(f'data.options.path={options["path"]!r} is no folder inside {str(request.data_dir)!r}')

    def files(request: Request) -> Raw:
        listing = scan(root)
        if listing is None:
            raise UserError(
                f'{str(root)!r} has no images ({", ".join(images.ENDINGS)}) in class folders or named CLASS.NUMBER'
            )
        return _from_listing(
            request,
            root,
            listing,
            how,
            options['memory_limit'],
            f'Images in the folder {root.name}',
            'as its owner says',
        )

    return _of_classes(
        choose(request, {'files': files}, 'name a folder of images'), tuple(map(str, options['classes']))
    )


def _of_classes(raw: Raw, wanted: tuple[str, ...]) -> Raw:
    """The examples of these classes alone."""
    if not wanted:
        return raw
    names = raw.features['label'].names  # type: ignore[union-attr]
    for name in wanted:
        lookup(dict.fromkeys(names), name, 'class in data.options.classes')
    if len(wanted) < 2 or any(part.arrays is None for part in raw.parts.values()):
        raise UserError(
            f'data.options.classes={wanted}; valid: two or more, of images that fit into data.options.memory_limit'
        )
    numbers = np.array([wanted.index(name) if name in wanted else -1 for name in names], np.int32)
    parts, first = {}, 0
    for name, part in raw.parts.items():
        label = numbers[part.labels]
        arrays = {**part.read(np.flatnonzero(label >= 0)), 'label': label[label >= 0]}
        parts[name] = in_memory(arrays, first)
        first += parts[name].size
    features = {**raw.features, 'label': ClassLabel(wanted)}
    return dataclasses.replace(
        raw, parts=parts, features=features, checksum=checksum(*(p.arrays or {} for p in parts.values()))
    )


def _decoding(request: Request, options: dict[str, Any], default_size: int) -> images.Decoding:
    from PIL import ImageColor

    size = options['image_size'] or default_size
    size = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= 4096 for side in size):
        raise UserError(
            f'data.options.image_size={options["image_size"]!r} of {request.name}; valid: 1 to 4096 '
            'pixels, one number or (height, width)'
        )
    lookup({'nearest': 0, 'bilinear': 0}, options['resample'], 'resample')
    shorter = options['shorter_side']
    if shorter and shorter < max(size):
        raise UserError(
            f'data.options.shorter_side={shorter} is less than image_size={max(size)}; valid: 0, or no less than that'
        )
    if not isinstance(options['white'], int) or not 1 <= options['white'] <= images.WHITE:
        raise UserError(f'data.options.white={options["white"]!r}; valid: a whole number from 1 to {images.WHITE}')
    try:
        ImageColor.getrgb(str(options['ground']))
    except ValueError as error:
        raise UserError(
            f"data.options.ground={options['ground']!r}; valid: a colour such as 'black', or '#rrggbb'"
        ) from error
    limits = (bool(options['grey']), options['max_pixels'], str(options['ground']), options['white'])
    return images.Decoding(size, options['resample'], shorter, *limits)


def _known_files(request: Request, known: Known, how: images.Decoding, memory_limit: int) -> Raw | None:
    """The set in its own folder; the data directory itself counts when it has the set's name or its classes."""
    if request.data_dir is None:
        return None
    for name in known.folders:
        root = request.data_dir / name
        if root.is_dir():
            return _known_listing(request, root, known, how, memory_limit)
    if request.data_dir.name in known.folders:
        return _known_listing(request, request.data_dir, known, how, memory_limit)
    listing = scan(request.data_dir, _classified)
    if listing is not None and _same_classes(listing.names, known.names):
        return _known_listing(request, request.data_dir, known, how, memory_limit)
    return None


def _known_listing(request: Request, root: Path, known: Known, how: images.Decoding, memory_limit: int) -> Raw:
    listing = scan(root, _classified)
    if listing is None:
        raise UserError(
            f'{str(root)!r} has no images of {request.name}; valid: class folders, or files named CLASS.NUMBER'
        )
    if not _same_classes(listing.names, known.names):
        raise UserError(
            f'{str(root)!r} has the classes {", ".join(listing.names[:20])}; {request.name} has '
            f'{", ".join(known.names)}'
        )
    return _from_listing(request, root, listing, how, memory_limit, known.description, known.licence)


def _same_classes(found: tuple[str, ...], known: tuple[str, ...]) -> bool:
    plain = [{name.lower().rstrip('s') for name in names} for names in (found, known)]
    return plain[0] == plain[1]


def _classified(folder: Path) -> dict[str, list[Path]]:
    """As `listing.classified`, and Flowers-17 as its authors distribute it: jpg/image_0001.jpg ..., 80 a class."""
    found = classified(folder)
    if set(found) in ({'jpg'}, {'image'}) and (paths := next(iter(found.values()))):
        numbers = [int(match[1]) for path in paths if (match := re.fullmatch(r'image_(\d{4})', path.stem))]
        if len(numbers) == len(paths) and max(numbers) <= 80 * len(FLOWERS):
            classes: dict[str, list[Path]] = {f'{at:02}_{name}': [] for at, name in enumerate(FLOWERS)}
            for number, path in zip(numbers, paths, strict=True):
                classes[sorted(classes)[(number - 1) // 80]].append(path)
            return {name: members for name, members in classes.items() if members}
    return found


def _from_listing(
    request: Request,
    root: Path,
    listing: Listing,
    how: images.Decoding,
    memory_limit: int,
    description: str,
    licence: str,
) -> Raw:
    if len(listing.names) < 2:
        raise UserError(f'{str(root)!r} has one class only ({listing.names[0]!r}); two or more are needed')
    paths = [path for files in listing.files.values() for path in files]
    labels = np.array([label for part in listing.labels.values() for label in part], np.int32)
    ends = np.cumsum([len(files) for files in listing.files.values()])
    facts = [(path.relative_to(root).as_posix(), path.stat().st_size) for path in paths]
    key = key_of(facts, [path.stat().st_mtime_ns for path in paths], dataclasses.asdict(how))
    streamed = len(paths) * int(np.prod(how.shape)) > memory_limit
    build = _examined if streamed else _decoded
    arrays, bad = cached(
        request.cache_dir, f'{request.name}-{"scan" if streamed else "images"}', key, lambda: build(paths, how)
    )
    kept = arrays['row']
    owner = np.searchsorted(ends, kept, side='right')
    parts: dict[str, Split] = {}
    for at, part in enumerate(listing.files):
        mine = np.flatnonzero(owner == at)
        if streamed:
            reader = _reader([paths[row] for row in kept], labels[kept], how)
            parts[part] = Split(len(mine), None, mine, reader, labels[kept][mine])
        elif len(mine):
            span = slice(mine[0], mine[-1] + 1)
            parts[part] = in_memory({'image': arrays['image'][span], 'label': labels[kept][span]}, int(mine[0]))
    _check_parts(root, listing, parts, {int(labels[int(row)]): why for row, why in bad.items() if row.isdigit()})
    identity = key_of(facts, dataclasses.asdict(how)) if streamed else checksum({**arrays, 'label': labels})
    return Raw(
        'files',
        parts,
        {'image': Image(how), 'label': ClassLabel(listing.names)},
        description,
        licence,
        identity,
        (
            *listing.notes,
            *_bad_note(root, paths, {row: why for row, why in bad.items() if row.isdigit()}),
            *images.mark_notes({mark: int(count) for mark, count in bad.items() if not mark.isdigit()}, how),
        ),
    )


def _check_parts(root: Path, listing: Listing, parts: dict[str, Split], why: dict[int, str]) -> None:
    """why: class number -> why a picture of it cannot be decoded."""
    first = parts.get('train', parts.get('all'))
    present = set() if first is None or first.labels is None else set(first.labels.tolist())
    for label, name in enumerate(listing.names):
        if label not in present:
            raise UserError(
                f'{str(root)!r}: no image of class {name!r} can be decoded ({why.get(label, "none is there")})'
            )
    if 'train' in parts and 'test' not in parts:
        raise UserError(f'{str(root)!r}: no image of the test part can be decoded')


def _decoded(paths: list[Path], how: images.Decoding) -> tuple[Arrays, dict[str, str]]:
    """All images, without those that cannot be decoded: {'image', 'row': positions in `paths`}; position -> reason, and
    mark -> how many pictures have it."""
    decoded, bad, marks = images.decode_all(paths, how)
    rows = np.array([row for row in range(len(paths)) if row not in bad], np.int64)
    return {'image': decoded[rows] if bad else decoded, 'row': rows}, {
        **{str(row): why for row, why in bad.items()},
        **{mark: str(count) for mark, count in marks.items()},
    }


def _examined(paths: list[Path], how: images.Decoding) -> tuple[Arrays, dict[str, str]]:
    """As `_decoded`, keeping no images: every file is decoded once now, so that none fails in the middle of a run."""
    bad: dict[str, str] = {}
    marks: Counter[str] = Counter()
    for start in range(0, len(paths), 256):
        _, found, marked = images.decode_all(paths[start : start + 256], how)
        bad |= {str(start + row): why for row, why in found.items()}
        marks.update(marked)
    rows = np.array([row for row in range(len(paths)) if str(row) not in bad], np.int64)
    return {'row': rows}, {**bad, **{mark: str(count) for mark, count in marks.items()}}


def _reader(paths: list[Path], labels: np.ndarray, how: images.Decoding):
    def read_rows(rows: np.ndarray) -> Arrays:
        decoded, bad, _ = images.decode_all([paths[row] for row in rows], how)
        for row, why in bad.items():
            raise UserError(f'{str(paths[rows[row]])!r} could be decoded at the start and cannot any more: {why}')
        return {'image': decoded, 'label': labels[rows]}

    return read_rows


def _bad_note(root: Path, paths: list[Path], bad: dict[str, str]) -> tuple[str, ...]:
    if not bad:
        return ()
    named = [f'{paths[int(row)].relative_to(root).as_posix()} ({why})' for row, why in list(bad.items())[:5]]
    more = f' and {len(bad) - 5:,} more' if len(bad) > 5 else ''
    return (f'{len(bad):,} of {len(paths):,} files could not be decoded and were left out: {", ".join(named)}{more}.',)


def _embedded(request: Request, known: Known, how: images.Decoding) -> Raw:
    raw = known.stand_in(request, len(known.names), how.image_size)
    raw = dataclasses.replace(raw, features={**raw.features, 'image': Image(how)})
    if not how.grey:
        return raw
    parts = {}
    for name, part in raw.parts.items():
        arrays = part.read(np.arange(part.size))
        grey = np.floor(arrays['image'].mean(-1, keepdims=True, dtype=np.float32) + 0.5).astype(np.uint8)
        parts[name] = in_memory({**arrays, 'image': grey}, int(part.origin[0]))
    return dataclasses.replace(raw, parts=parts)


def _tfds(request: Request, known: Known, how: images.Decoding) -> Raw | None:
    def convert(example: dict[str, Any]) -> Arrays:
        from PIL import Image

        image = Image.fromarray(np.asarray(example['image'], np.uint8)).convert('L' if how.grey else 'RGB')
        return {'image': images.resized(image, how), 'label': np.asarray(example['label'], np.int32)}

    found = tfds_source.read_images(request, known.tfds_name, how.shape, convert, dataclasses.asdict(how))
    if found is None:
        return None
    parts, notes = found
    splits, row = {}, 0
    for name in ('train', 'test') if len(parts) > 1 else tuple(parts):
        splits['all' if len(parts) == 1 else name] = in_memory(parts[name], row)
        row += len(parts[name]['label'])
    return Raw(
        'tfds',
        splits,
        {'image': Image(how), 'label': ClassLabel(known.names)},
        known.description,
        known.licence,
        checksum(*parts.values()),
        notes,
    )
