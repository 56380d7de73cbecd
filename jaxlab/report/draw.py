"""Draws one figure of plain data as a file that can be read without the code."""

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab import figures
from jaxlab.files import path_of, write_file
from jaxlab.report import charts, grids, style

PAINTERS: dict[
    type[figures.Figure], Callable[[Any], Any]
] = {  # the first kind that fits: special kinds stand before the kinds they extend
    figures.Regions: charts.draw_regions,
    figures.Points: charts.draw_points,
    figures.Lines: charts.draw_lines,
    figures.Bars: charts.draw_bars,
    figures.Histogram: charts.draw_histogram,
    figures.Images: grids.draw_images,
    figures.Matrix: grids.draw_matrix,
    figures.Graph: grids.draw_graph,
}
GIF_DPI = 110
PNG_LEVEL = 3  # half the time of Pillow's 6, a tenth more bytes
LAST_FRAME_SECONDS = 2.0


def is_drawn(figure: figures.Figure) -> bool:
    """False for tables and worked computations, which are typeset instead."""
    return isinstance(figure, (*PAINTERS, figures.Animation))


def draw(figure: figures.Figure, folder: Path) -> Path:
    """Writes `<name>.png` (`.gif` for an animation) into the folder and returns the file's path."""
    if not is_drawn(figure):
        raise TypeError(f'{type(figure).__name__} {figure.name!r} is typeset, not drawn')
    folder = path_of(folder)
    with style.settings():
        if isinstance(figure, figures.Animation):
            return write_file(folder / f'{file_stem(figure.name)}.gif', _gif(figure))
        return write_file(folder / f'{file_stem(figure.name)}.png', _png(_paint(figure)))


def file_stem(name: str) -> str:
    """The figure's name as a file's name: no separators, nothing hidden."""
    return re.sub(r'[^\w.+-]+', '_', name).strip('._') or 'figure'


def _paint(figure: figures.Figure) -> Any:
    for kind, paint in PAINTERS.items():
        if isinstance(figure, kind):
            return paint(figure)
    raise TypeError(f'no drawing for {type(figure).__name__}')


def _png(canvas: Any) -> bytes:
    buffer = io.BytesIO()
    _picture(canvas, style.DPI).save(buffer, format='PNG', dpi=(style.DPI, style.DPI), compress_level=PNG_LEVEL)
    return buffer.getvalue()


def _picture(canvas: Any, dpi: int) -> Any:
    """The figure as an RGB image of Pillow: laid out and drawn once, where `savefig` would do it twice."""
    from PIL import Image

    canvas.set_dpi(dpi)
    canvas.canvas.draw()
    return Image.fromarray(np.asarray(canvas.canvas.buffer_rgba())[..., :3])


def _gif(animation: figures.Animation) -> bytes:
    """All frames on axes with the same limits and colours, so that what moves is the data."""
    from PIL import Image

    if not animation.frames:
        raise ValueError(f'animation {animation.name!r} has no frames')
    canvases = [_paint(_titled(animation, frame)) for frame in animation.frames]
    _share_limits(canvases, animation.frames)
    pictures = [_picture(canvas, GIF_DPI) for canvas in canvases]
    size = (max(picture.width for picture in pictures), max(picture.height for picture in pictures))
    frames = [_on_white(picture, size).quantize(128, dither=Image.Dither.NONE) for picture in pictures]
    milliseconds = [max(20, round(1000 * animation.seconds_per_frame))] * len(frames)
    milliseconds[-1] = max(milliseconds[-1], round(1000 * LAST_FRAME_SECONDS))
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format='GIF', save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, disposal=1
    )
    return buffer.getvalue()


def _titled(animation: figures.Animation, frame: figures.Figure) -> figures.Figure:
    """The frame under the animation's title and over its note; its own title follows."""
    import dataclasses

    title = ': '.join(dict.fromkeys(part for part in (animation.title, frame.title) if part))
    return dataclasses.replace(frame, title=title, note=frame.note or animation.note)


def _on_white(picture: Any, size: tuple[int, int]) -> Any:
    from PIL import Image

    if picture.size == size:
        return picture
    page = Image.new('RGB', size, 'white')
    page.paste(picture, (0, 0))
    return page


def _share_limits(canvases: Sequence[Any], frames: Sequence[figures.Figure]) -> None:
    """Gives the frames of one kind of chart the union of their axes' limits and of their colour ranges."""
    if not all(
        isinstance(frame, (figures.Lines, figures.Points, figures.Bars, figures.Histogram, figures.Matrix))
        for frame in frames
    ):
        return
    axes = [canvas.axes[0] for canvas in canvases]
    mappables = [each for ax in axes for each in (*ax.images, *ax.collections) if each.get_array() is not None]
    ranges = [each.get_clim() for each in mappables if None not in each.get_clim()]
    for each in mappables if ranges else ():
        each.set_clim(min(low for low, _ in ranges), max(high for _, high in ranges))
    if isinstance(frames[0], figures.Matrix):
        return
    for get, put in (('get_xlim', 'set_xlim'), ('get_ylim', 'set_ylim')):
        limits = [getattr(ax, get)() for ax in axes]
        flipped = limits[0][0] > limits[0][1]
        low, high = min(map(min, limits)), max(map(max, limits))
        for ax in axes:
            getattr(ax, put)(*((high, low) if flipped else (low, high)))
