"""Finding, labelling and decoding image files. Pillow is imported only when a file is decoded."""

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.errors import UserError
from jaxlab.files import write_atomically

ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.gif', '.webp')
FORMATS = ('JPEG', 'PNG', 'BMP', 'GIF', 'WEBP')  # Pillow tries no other decoder on untrusted files
ROLES = {'train': ('train', 'training'), 'validation': ('val', 'valid', 'validation'), 'test': ('test', 'testing')}
PREFIX = re.compile(r'^([A-Za-z][A-Za-z_-]*?)[._ -]*\d+$')  # cat.12, dog-7, image_0001: class name, then a number


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How a file becomes an array: image_size (height, width); shorter_side: 0 squashes the image to that size,
    otherwise its shorter side is brought to so many pixels and the centre cut out; grey: one channel, not three."""

    image_size: tuple[int, int]
    resample: str = 'bilinear'
    shorter_side: int = 0
    grey: bool = False
    max_pixels: int = 50_000_000

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every decoded image."""
        return (*self.image_size, 1 if self.grey else 3)


@dataclasses.dataclass(frozen=True)
class Listing:
    """Image files by part. files: part -> paths in fixed order; labels: part -> class number of each."""

    files: dict[str, tuple[Path, ...]]
    labels: dict[str, tuple[int, ...]]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def is_image(path: Path) -> bool:
    """Whether a file is an image, judged by its name's ending alone."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith('.')


def classified(folder: Path) -> dict[str, list[Path]]:
    """Class -> its image files, from class folders or from the files' name prefixes; {} where there are no images."""
    if not folder.is_dir():
        return {}
    entries = sorted(folder.iterdir())
    by_folder = {
        entry.name: sorted(path for path in entry.rglob('*') if is_image(path) and path.is_file())
        for entry in entries
        if entry.is_dir() and not entry.name.startswith('.')
    }
    empty = [name for name, paths in by_folder.items() if not paths and not any((folder / name).iterdir())]
    by_folder = {name: paths for name, paths in by_folder.items() if paths}
    if by_folder and empty:
        raise UserError(f'{str(folder)!r}: the class folder {empty[0]!r} is empty; valid: images in every class folder')
    if by_folder:
        return by_folder
    by_prefix: dict[str, list[Path]] = {}
    for path in entries:
        match = PREFIX.match(path.stem) if is_image(path) and path.is_file() else None
        if match:
            by_prefix.setdefault(match[1].lower(), []).append(path)
    return {name: sorted(paths, key=_natural) for name, paths in sorted(by_prefix.items())}


def _natural(path: Path) -> tuple[int, str]:
    """Sorting key that puts numbers in order: cat.2 before cat.10."""
    number = re.search(r'(\d+)$', path.stem)
    return (int(number[1]) if number else 0, path.name)


def scan(root: Path, classify: Callable[[Path], dict[str, list[Path]]] = classified) -> Listing | None:
    """The images below `root` with their classes; parts 'train' and 'test' (and 'validation'), or 'all'.

    None where there are no images.
    A folder 'val' without a 'test' beside it is the test part (and a note says so).
    """
    folders = {role: root / name for role, names in ROLES.items() for name in names if (root / name).is_dir()}
    found = {role: classify(folder) for role, folder in folders.items()}
    found = {role: classes for role, classes in found.items() if classes}
    notes: tuple[str, ...] = ()
    if 'train' not in found:
        found = {'all': classify(root)}
    elif set(found) == {'train'}:
        found = {'all': found['train']}
    elif 'test' not in found:
        notes = (f'the folder {folders["validation"].name!r} serves as the test part.',)
        found = {'train': found['train'], 'test': found['validation']}
    first = found.get('train') or found['all']
    if not first:
        return None
    notes += _strays(root, found)
    names = sorted(first)
    for part, classes in found.items():
        unknown = sorted(set(classes) - set(names))
        if unknown:
            raise UserError(
                f'{str(root)!r}: the {part} part has class {unknown[0]!r} that the training part lacks; '
                f'valid: {", ".join(names)}'
            )
    order = [part for part in ('train', 'validation', 'test', 'all') if part in found]
    pairs = {
        part: [(path, names.index(name)) for name in sorted(found[part]) for path in found[part][name]]
        for part in order
    }
    return Listing(
        files={part: tuple(path for path, _ in rows) for part, rows in pairs.items()},
        labels={part: tuple(label for _, label in rows) for part, rows in pairs.items()},
        class_names=tuple(re.sub(r'^\d+[_-]', '', name) for name in names),
        notes=notes,
    )


def _strays(root: Path, found: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    """Says which images beside the classified ones belong to no class."""
    used = {path for classes in found.values() for paths in classes.values() for path in paths}
    places = {path.parent for path in used} | {path.parent.parent for path in used if path.parent != root}
    inside = sorted(place for place in places if place.is_relative_to(root))
    near = [path for place in inside for path in sorted(place.iterdir()) if is_image(path) and path not in used]
    left = [path for path in near if path.is_file()]
    if not left:
        return ()
    named = ', '.join(path.relative_to(root).as_posix() for path in left[:5])
    more = f' and {len(left) - 5:,} more' if len(left) > 5 else ''
    return (f'Left out, since neither folder nor name gives a class: {named}{more} ({len(left):,} in all).',)


def decode(path: Path, how: Decoding) -> np.ndarray:
    """[H, W, C] uint8 of the size that is asked for.

    Raises ValueError in plain words for a file that cannot be decoded or is too large.
    """
    return _opened(path, how.grey, how.max_pixels, lambda image: resized(image, how))


def decode_annotated(path: Path, how: Decoding, size: tuple[int, int] | None) -> tuple[np.ndarray, tuple[int, int]]:
    """(the image as `decode` has it, the (width, height) that its annotation means).

    A file may be stored turned, with a note (EXIF) how to show it: the annotated size decides which of the two is meant.
    """

    def taken(image: Any) -> tuple[np.ndarray, tuple[int, int]]:
        from PIL import ImageOps

        if size is not None and image.size != size:
            image = ImageOps.exif_transpose(image)
            if image.size != size:
                raise ValueError(f'it is {image.width}x{image.height}, its annotation says {size[0]}x{size[1]}')
        return resized(image, how), image.size

    return _opened(path, how.grey, how.max_pixels, taken)


def decode_whole(path: Path, grey: bool, max_pixels: int = Decoding.max_pixels) -> np.ndarray:
    """[H, W, C] uint8 in the file's own size; ValueError as `decode`."""

    def pixels(image: Any) -> np.ndarray:
        return np.asarray(image, np.uint8).reshape(image.height, image.width, 1 if grey else 3)

    return _opened(path, grey, max_pixels, pixels)


def _opened(path: Path, grey: bool, max_pixels: int, taken: Callable[[Any], Any]) -> Any:
    """What is taken of a Pillow image in grey or colour."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ValueError(f'{image.width}x{image.height} pixels are more than {max_pixels:,}')
            return taken(image.convert('L' if grey else 'RGB'))
    except ValueError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, DecompressionBombError ...
        raise ValueError(str(error).split(' <')[0].split(" '")[0] or type(error).__name__) from error


def user_files(source: Path) -> list[Path]:
    """The image that a user names, or all images of a folder; UserError where there is none."""
    if source.is_dir():
        files = sorted(file for file in source.rglob('*') if file.suffix.lower() in ENDINGS)
        if not files:
            raise UserError(f'--input={source}: no image in this folder; valid: {", ".join(ENDINGS)}')
        return files
    if not source.is_file():
        raise UserError(f'--input={source}: no such file or folder')
    return [source]


def eight_bits(images: np.ndarray) -> np.ndarray:
    """uint8 of numbers in [0, 1], rounded to the nearest; what lies outside becomes black or white, never wraps."""
    return np.floor(np.clip(np.asarray(images, np.float64), 0, 1) * 255 + 0.5).astype(np.uint8)


def resized(image, how: Decoding) -> np.ndarray:
    """A Pillow image brought to `how.image_size`: [H, W, C] uint8."""
    from PIL import Image

    resample = {'nearest': Image.Resampling.NEAREST, 'bilinear': Image.Resampling.BILINEAR}[how.resample]
    height, width = how.image_size
    if how.shorter_side:
        scale = how.shorter_side / min(image.size)
        size = tuple(max(how.shorter_side, int(side * scale)) for side in image.size)
        image = image.resize(size, resample)
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        image = image.crop((left, top, left + width, top + height))
    elif image.size != (width, height):
        image = image.resize((width, height), resample)
    return np.asarray(image, np.uint8).reshape(how.shape)


def decode_all(paths: Sequence[Path], how: Decoding) -> tuple[np.ndarray, dict[int, str]]:
    """(images [N, H, W, C] uint8, position -> why it could not be decoded; such rows are zero). Threads: Pillow frees
    the interpreter while it decodes."""
    images = np.zeros((len(paths), *how.shape), np.uint8)
    reasons: dict[int, str] = {}

    def fill(row: int) -> None:
        try:
            images[row] = decode(paths[row], how)
        except ValueError as error:
            reasons[row] = str(error)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        list(pool.map(fill, range(len(paths))))
    return images, dict(sorted(reasons.items()))


def write_png(path: Path, image: np.ndarray) -> Path:
    """Writes one image [H, W, C] float in [0, 1], C 1 or 3, in 8 bits; returns the path."""
    from PIL import Image

    pixels = eight_bits(image)
    with write_atomically(path) as file:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, 'PNG')
    return path
