"""Masks as a field of an example: the class of every pixel, or whether a pixel belongs to the one thing that is sought."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jaxlab.data.classes import ClassAnswer
from jaxlab.data.images import Decoding, formats
from jaxlab.errors import UserError

IGNORED = 255  # of a mask: pixels that do not count


@dataclasses.dataclass(frozen=True)
class Mask(ClassAnswer):
    """[N, H, W] uint8: the number of a class, or IGNORED. names: one a class; of two the first is the background."""

    words: ClassVar[str] = 'masks'

    @property
    def binary(self) -> bool:
        """Whether one thing is sought."""
        return len(self.names) == 2


@dataclasses.dataclass(frozen=True)
class Reading:
    """How values of a mask's file become classes. above: larger values are class 1, the others 0 (B19: 127, since JPEG does
    not keep 0 and 255); None: `values[k]` is class k, any other value is refused. ignored: values that do not count."""

    above: int | None = 127
    values: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()

    def classes(self, values: np.ndarray, file: Path) -> np.ndarray:
        """[H, W] uint8 of the values of a file."""
        table = np.full(256, IGNORED, np.int64)
        if self.above is not None:
            table[:] = np.arange(256) > self.above
        else:
            listed = np.array(self.values, np.int64)
            strange = sorted(set(np.unique(values).tolist()) - {*self.values, *self.ignored})
            if strange:
                raise UserError(
                    f'{str(file)!r} has the values {", ".join(map(str, strange[:6]))}; valid: {", ".join(map(str, self.values))} '
                    '(data.options.values), and those of data.options.ignored'
                )
            table[listed] = np.arange(len(listed))
        table[list(self.ignored)] = IGNORED
        return table[values].astype(np.uint8)


def decode_mask(file: Path, how: Decoding, reading: Reading) -> np.ndarray:
    """[H, W] uint8 of a mask's file: classes first, then its size (nearest pixel). Palette images give their numbers."""
    from PIL import Image

    try:
        with open(file, 'rb') as stream, Image.open(stream, formats=formats()) as opened:
            image: Any = opened
            if image.mode == 'LA':
                image = image.getchannel('L')
            elif image.mode == '1':
                image = image.convert('L')
            elif image.mode in ('RGB', 'RGBA'):
                bands = np.asarray(image.convert('RGB'))
                if not (bands == bands[..., :1]).all():
                    raise UserError(
                        f'{str(file)!r} is a colour image; valid: a grey one, or one with a palette, a number a class'
                    )
                image = image.getchannel(0)
            elif image.mode not in ('L', 'P'):
                raise UserError(f'{str(file)!r} has pixels of mode {image.mode}; valid: 8 bits, grey or with a palette')
            classes = Image.fromarray(reading.classes(np.asarray(image, np.uint8), file))
    except UserError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error ...
        raise UserError(f'{str(file)!r} cannot be read ({error}); valid: a mask as an image') from error
    height, width = how.image_size
    return np.asarray(classes.resize((width, height), Image.Resampling.NEAREST))
