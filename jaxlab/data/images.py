"""Image files: which are some, and how one becomes an array. Pillow is imported only when a file is decoded."""

import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.errors import UserError
from jaxlab.files import write_atomically

ENDINGS = (
    *('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.dib', '.gif', '.webp', '.tif', '.tiff'),
    *('.ppm', '.pgm', '.pbm', '.pnm', '.tga', '.avif', '.pcx', '.ico', '.apng', '.mpo'),
    *('.jp2', '.jpx', '.jpf', '.j2k', '.jpc', '.j2c'),
)
FORMATS = ('JPEG', 'PNG', 'BMP', 'DIB', 'GIF', 'WEBP', 'TIFF', 'PPM', 'JPEG2000', 'AVIF', 'PCX', 'ICO', 'TGA')
TURNED, DEEP, CLEAR, FRAMES = 'turned', 'deep', 'clear', 'frames'  # what is done to a picture before it is scaled
WHITE = 65535  # of 16 bits of grey


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How a file becomes an array: image_size (height, width); shorter_side: 0 squashes the image to that size,
    otherwise its shorter side is brought to so many pixels and the centre cut out; grey: one channel, not three.
    ground: the colour behind transparent pixels; white: the value of 16 bits of grey that is white."""

    image_size: tuple[int, int]
    resample: str = 'bilinear'
    shorter_side: int = 0
    grey: bool = False
    max_pixels: int = 50_000_000
    ground: str = 'white'
    white: int = WHITE

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every decoded image."""
        return (*self.image_size, 1 if self.grey else 3)


def is_image(path: Path) -> bool:
    """Whether a file is an image, judged by its name's ending alone."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith('.')


def images_below(folder: Path) -> list[Path]:
    """The image files in a folder and in those inside of it, without hidden ones (`.ipynb_checkpoints` holds copies)."""
    return sorted(path for path in folder.rglob('*') if is_image(path) and not hidden(path, folder) and path.is_file())


def hidden(path: Path, root: Path) -> bool:
    """Whether a file below `root` is one that programs keep for themselves."""
    return any(part[:1] == '.' or part in ('@eaDir', '__MACOSX') for part in path.relative_to(root).parts)


def decode(path: Path, how: Decoding) -> np.ndarray:
    """[H, W, C] uint8 of the size that is asked for, upright.

    Raises ValueError in plain words for a file that cannot be decoded or is too large.
    """
    return decode_marked(path, how)[0]


def decode_marked(path: Path, how: Decoding) -> tuple[np.ndarray, frozenset[str]]:
    """(as `decode`, what was done to the picture before it was scaled: TURNED, DEEP ...)."""
    marks: set[str] = set()
    return _opened(path, how, lambda image: resized(image, how), marks=marks), frozenset(marks)


def mark_notes(marks: Mapping[str, int], how: Decoding) -> tuple[str, ...]:
    """What was done to how many pictures, as sentences."""
    words = {
        TURNED: 'were turned upright, as their camera noted (EXIF)',
        DEEP: f'have 16 bits of grey: {how.white:,} is white (data.options.white)',
        CLEAR: f'have transparent pixels: {how.ground} lies behind them (data.options.ground)',
        FRAMES: 'have several frames or pages: the first is taken',
    }
    return tuple(f'{count:,} pictures {words[mark]}.' for mark, count in sorted(marks.items()))


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

    return _opened(path, how, taken, upright=size is None)


def decode_whole(path: Path, how: Decoding) -> np.ndarray:
    """[H, W, C] uint8 in the file's own size, all else as `how` says; ValueError as `decode`."""

    def pixels(image: Any) -> np.ndarray:
        return np.asarray(image, np.uint8).reshape(image.height, image.width, how.shape[-1])

    return _opened(path, how, pixels)


def _opened(
    path: Path, how: Decoding, taken: Callable[[Any], Any], upright: bool = True, marks: set[str] | None = None
) -> Any:
    """What is taken of a Pillow image in grey or colour. marks: gets what was done to it."""
    from PIL import Image

    try:
        # By a stream: Pillow maps a file that it knows by name, and maps TIFF's that lie on their side with rows too long.
        with open(path, 'rb') as stream, Image.open(stream, formats=formats()) as image:
            if image.width * image.height > how.max_pixels:
                raise ValueError(f'{image.width}x{image.height} pixels are more than {how.max_pixels:,}')
            return taken(_plain(image, how, upright, set() if marks is None else marks))
    except ValueError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, DecompressionBombError ...
        raise ValueError(str(error).split(' <')[0].split(" '")[0] or type(error).__name__) from error


@functools.cache
def formats() -> list[str]:
    """The decoders of Pillow that are tried on untrusted files, as far as it was built with them."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _plain(image: Any, how: Decoding, upright: bool, marks: set[str]) -> Any:
    """A Pillow image of 8 bits, grey or in colour: upright, 16 bits brought to 8, transparency laid on the ground."""
    from PIL import Image, ImageOps

    form = image.format
    negative = form == 'TIFF' and image.tag_v2.get(262) == 0  # 0 is white; Pillow heeds it in 8 bits only
    if getattr(image, 'n_frames', 1) > 1 and form != 'MPO':  # a camera's second, smaller picture
        marks.add(FRAMES)
    if upright and image.getexif().get(0x0112, 1) in range(2, 9):
        image = ImageOps.exif_transpose(image)
        marks.add(TURNED)
    if image.mode.startswith('I;16') or image.mode == 'I' and form == 'PPM':  # that decoder brings all to 65,535
        marks.add(DEEP)
        values = np.asarray(image).astype(np.float64)
        clear = image.info.get('transparency')  # the one grey of a PNG that is nothing
        image = Image.fromarray(eight_bits((WHITE - values if negative else values) / how.white))
        if isinstance(clear, int):
            image.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    elif image.mode in ('I', 'F'):
        raise ValueError('32 bits of grey, of which nobody says which value is white; save it with 8 or 16')
    if image.has_transparency_data:
        image = image.convert('RGBA')
        if image.getchannel('A').getextrema()[0] < 255:
            marks.add(CLEAR)
            image = Image.alpha_composite(Image.new('RGBA', image.size, how.ground), image)
        image = image.convert('RGB')
    return image.convert('L' if how.grey else 'RGB')


def user_files(source: Path) -> list[Path]:
    """The image that a user names, or all images of a folder; UserError where there is none."""
    if source.is_dir():
        files = images_below(source)
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


def decode_all(paths: Sequence[Path], how: Decoding) -> tuple[np.ndarray, dict[int, str], dict[str, int]]:
    """(images [N, H, W, C] uint8, position -> why it could not be decoded, mark -> how many have it); rows that could not be
    decoded are zero. Threads: Pillow frees the interpreter while it decodes."""
    images = np.zeros((len(paths), *how.shape), np.uint8)
    reasons: dict[int, str] = {}
    marks: dict[int, frozenset[str]] = {}

    def fill(row: int) -> None:
        try:
            images[row], marks[row] = decode_marked(paths[row], how)
        except ValueError as error:
            reasons[row] = str(error)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        list(pool.map(fill, range(len(paths))))
    return images, dict(sorted(reasons.items())), dict(Counter(mark for each in marks.values() for mark in each))


def write_png(path: Path, image: np.ndarray) -> Path:
    """Writes one image [H, W, C] float in [0, 1], C 1 or 3, in 8 bits; returns the path."""
    from PIL import Image

    pixels = eight_bits(image)
    with write_atomically(path) as file:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, 'PNG')
    return path
