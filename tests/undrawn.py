"""Reports without their drawings, for tests that ask what a run computes: a blank picture stands for each figure.

That figures are drawn right is asked in `tests/report`, and of every experiment by `make smoke`.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from PIL import Image

from jaxlab.figures import Animation, Figure
from jaxlab.files import path_of, write_file
from jaxlab.report import page
from jaxlab.report.draw import file_stem


def _blank(figure: Figure, folder: Path) -> Path:
    kind = 'gif' if isinstance(figure, Animation) else 'png'
    buffer = io.BytesIO()
    Image.new('P', (1, 1)).save(buffer, kind)
    return write_file(path_of(folder) / f'{file_stem(figure.name)}.{kind}', buffer.getvalue())


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """While it lasts, reports of this process hold blank pictures."""
    with mock.patch.object(page, 'draw', _blank):
        yield
