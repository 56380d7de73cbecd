"""Grids of images, matrices with their numbers, and graphs of named nodes, each drawn on a matplotlib figure."""

import textwrap
from typing import Any

import numpy as np

from jaxlab import figures
from jaxlab.report import style

BAR_HEIGHT = 0.55  # inches under a grid of images for its colour bar


def draw_images(data: figures.Images) -> Any:
    """A grid of images in a fixed range, captions under them, red where `marked`; an image of NaN leaves its place empty."""
    images = _scaled(data)
    count, columns = len(images), max(1, min(data.columns, len(images) or 1))
    rows = -(-count // columns) or 1
    aspect = images.shape[1] / images.shape[2] if count else 1.0
    margin = 0.11 * max((len(name) for name in data.row_labels), default=0)
    cell = min(data.widest, (style.WIDTH - 0.3 - min(margin, 1.6)) / columns)
    lines = [_wrapped(str(caption), max(6, int(cell * 12.5))) for caption in data.captions]
    tops = _tops(lines, rows, columns, cell, aspect)
    bar = BAR_HEIGHT if data.value_label else 0.0
    canvas = style.canvas(data.title, data.note, height=tops[-1] * cell + 0.35 + bar)
    axes = canvas.add_subplot()
    colours = _colours(data.colours)
    blank = (
        np.asarray(np.isnan(np.asarray(data.images, np.float64)).reshape(count, -1).all(1)) if count else np.zeros(0)
    )
    for index, image in enumerate(images):
        if blank[index]:
            continue
        column, top = index % columns, tops[index // columns]
        smooth = 'nearest' if max(image.shape[:2]) <= 64 else 'antialiased'
        axes.imshow(
            image if image.shape[-1] == 3 else image[..., 0],
            extent=(column + 0.02, column + 0.98, top + aspect, top),
            cmap=colours,
            vmin=0,
            vmax=1,
            interpolation=smooth,
            aspect='equal',
        )
        if index < len(lines):
            wrong = index < len(data.marked) and bool(data.marked[index])
            _caption(axes, lines[index], wrong, column + 0.5, top + aspect + 0.04 / cell)
        if index < len(data.boxes):
            _boxes(axes, data.boxes[index], image.shape, column, top, aspect)
    for name, top in zip(data.row_labels, tops[:-1], strict=False):
        axes.text(-0.06, top + aspect / 2, style.text(name), ha='right', va='center', fontsize=8.5)
    axes.set(xlim=(0, columns), ylim=(tops[-1], 0))
    axes.axis('off')
    if data.value_label:
        _colour_bar(canvas, axes, data, colours)
    return canvas


def _wrapped(caption: str, width: int) -> list[str]:
    """The lines of a caption; a word is never cut."""
    lines = [line for part in caption.split('\n') for line in textwrap.wrap(part, width, break_long_words=False)]
    return lines or ['']


def _tops(lines: list[list[str]], rows: int, columns: int, cell: float, aspect: float) -> list[float]:
    """Where each row of the grid begins, in cells, and last where the grid ends; rows leave room for their captions."""
    tops = [0.0]
    for row in range(rows):
        own = [len(each) for each in lines[row * columns : (row + 1) * columns] if each != ['']]
        gap = (0.06 + 0.125 * max(own)) / cell if own else 0.05
        tops.append(tops[-1] + aspect + gap)
    return tops


def _caption(axes: Any, lines: list[str], wrong: bool, middle: float, top: float) -> None:
    axes.text(
        middle,
        top,
        style.text('\n'.join(lines)),
        ha='center',
        va='top',
        fontsize=7.5,
        color=style.RED if wrong else style.INK,
        fontweight='bold' if wrong else 'normal',
        linespacing=1.1,
    )


def _colours(name: str) -> Any:
    """The colour map of a name in `figures.Images.colours`."""
    return {'grey': 'gray', 'sequential': 'viridis', 'diverging': style.two_sided(1.0, '#F1F1F1')}[name]


def _colour_bar(canvas: Any, axes: Any, data: figures.Images, colours: Any) -> None:
    """Under the grid, from `low` to `high`."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shown = ScalarMappable(Normalize(data.low, data.high), colours)
    bar = canvas.colorbar(shown, ax=axes, location='bottom', shrink=0.5, aspect=45, pad=0.02)
    bar.set_label(style.text(data.value_label), fontsize=8.5)
    bar.ax.tick_params(labelsize=8)


def _scaled(data: figures.Images) -> np.ndarray:
    """The images in [0, 1] with a channel axis; values outside the range are clipped, NaN is black."""
    images = np.asarray(data.images, np.float64)
    images = images[..., None] if images.ndim == 3 else images
    return np.clip(np.nan_to_num((images - data.low) / ((data.high - data.low) or 1.0)), 0, 1)


def _boxes(axes: Any, boxes: Any, shape: tuple[int, ...], column: int, top: float, aspect: float) -> None:
    from matplotlib.patches import Rectangle

    height, width = shape[:2]
    for box in boxes:
        left, upper = column + 0.02 + 0.96 * box.left / width, top + aspect * box.top / height
        size = (0.96 * (box.right - box.left) / width, aspect * (box.bottom - box.top) / height)
        axes.add_patch(
            Rectangle(
                (left, upper),
                *size,
                fill=False,
                linewidth=1.4,
                edgecolor=style.colour(box.colour),
                linestyle='--' if box.dashed else '-',
            )
        )
        if box.label:
            axes.text(
                left,
                upper,
                style.text(box.label),
                fontsize=6.5,
                color='white',
                va='bottom' if upper > top + 0.12 else 'top',
                bbox={'facecolor': style.colour(box.colour), 'edgecolor': 'none', 'pad': 0.8},
            )


def draw_matrix(data: figures.Matrix) -> Any:
    """A heat map; numbers in the cells where they can be read."""
    values = np.atleast_2d(np.asarray(data.values, np.float64))
    rows, columns = values.shape
    texts = [[data.number_format.format(v) if np.isfinite(v) else '–' for v in row] for row in values]
    widest = max((len(text) for row in texts for text in row), default=1)
    cell = min(0.62, 5.4 / max(columns, 1), max(0.16, 6.5 / max(rows, 1)))
    tall = max(cell, 0.16) if 0 < len(data.row_names) <= 60 else cell  # names of rows do not overlap
    canvas = style.canvas(data.title, data.note, height=max(1.6, min(10.6, rows * tall + 1.0)))
    axes = canvas.add_subplot()
    axes.grid(False)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if data.diverging:
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    elif low >= 0:
        low = 0.0
    colours = style.two_sided(0.95) if data.diverging else 'Blues'
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high if high > low else low + 1, aspect='auto')
    size = min(9.0, 72 * cell * 0.85 / (0.62 * max(widest, 1)))
    if size >= 5 and values.size <= 900:
        _numbers(axes, values, texts, size, shown)
    if size < 5 or data.diverging or values.size > 150:
        canvas.colorbar(shown, ax=axes, pad=0.02)
    _matrix_axes(axes, data, rows, columns, cell)
    return canvas


def _numbers(axes: Any, values: np.ndarray, texts: list[list[str]], size: float, shown: Any) -> None:
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = shown.cmap(shown.norm(value)) if np.isfinite(value) else (1, 1, 1, 1)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        axes.text(
            column,
            row,
            texts[row][column],
            ha='center',
            va='center',
            fontsize=size,
            color='white' if dark else ('#9AA0A6' if value == 0 else style.INK),
        )


def _matrix_axes(axes: Any, data: figures.Matrix, rows: int, columns: int, cell: float) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    names = [style.text(name) for name in data.column_names]
    long = max((len(name) for name in names), default=0) * 0.085 > cell * 1.0
    if names and columns <= 60:
        axes.set_xticks(
            range(columns),
            names[:columns],
            rotation=45 if long else 0,
            ha='right' if long else 'center',
            rotation_mode='anchor' if long else None,
            fontsize=8.5 if columns <= 25 else 6.5,
        )
    if data.row_names and rows <= 60:
        axes.set_yticks(
            range(rows), [style.text(name) for name in data.row_names][:rows], fontsize=8.5 if rows <= 25 else 6.5
        )
    axes.set_xlabel(style.text(data.x_label))
    axes.set_ylabel(style.text(data.y_label))


def draw_graph(data: figures.Graph) -> Any:
    """Nodes joined by arrows; the value stands above a node, the gradient below it."""
    columns = [node.column for node in data.nodes.values()] or [0.0]
    rows = [node.row for node in data.nodes.values()] or [0.0]
    wide, high = max(columns) - min(columns) + 1.2, max(rows) - min(rows) + 1.2
    canvas = style.canvas(data.title, data.note, height=min(8.0, max(1.8, style.WIDTH * high / wide * 0.72)))
    axes = canvas.add_subplot()
    axes.axis('off')
    axes.set(xlim=(min(columns) - 0.6, max(columns) + 0.6), ylim=(max(rows) + 0.6, min(rows) - 0.6))
    radius = 13 if len(data.nodes) <= 24 else 8
    for start, end, label in data.edges:
        a, b = data.nodes[start], data.nodes[end]
        axes.annotate(
            '',
            (b.column, b.row),
            (a.column, a.row),
            arrowprops={'arrowstyle': '-|>', 'color': '#8A8F94', 'shrinkA': radius, 'shrinkB': radius + 1},
        )
        if label:  # nearer to the start, so that labels of crossing edges do not meet in the middle
            axes.annotate(
                style.text(label),
                (a.column + 0.36 * (b.column - a.column), a.row + 0.36 * (b.row - a.row)),
                fontsize=7.5,
                color=style.GREY,
                ha='center',
                va='center',
                bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.8},
            )
    for node in data.nodes.values():
        _node(axes, node, radius)
    for index, kind in enumerate(data.kinds):
        axes.scatter(
            [],
            [],
            s=70,
            color=style.tint(style.colour(index), 0.3),
            edgecolors=style.colour(index),
            label=style.text(kind),
        )
    if data.kinds:
        axes.legend(loc='upper left', bbox_to_anchor=(0, 0), ncols=min(5, len(data.kinds)))
    return canvas


def _node(axes: Any, node: figures.Node, radius: float) -> None:
    place = (node.column, node.row)
    axes.scatter(
        *place,
        s=(2 * radius) ** 2,
        color=[style.tint(style.colour(node.kind), 0.3)],
        edgecolors=style.colour(node.kind),
        linewidths=1.4,
        zorder=3,
    )
    axes.annotate(
        style.text(node.label), place, ha='center', va='center', fontsize=9 if len(node.label) < 5 else 7.5, zorder=4
    )
    beside = ((node.value, radius + 2, 'bottom', style.INK), (node.gradient, -radius - 2, 'top', style.RED))
    for text, height, side, colour in beside:
        if text:
            axes.annotate(
                style.text(text),
                place,
                xytext=(0, height),
                textcoords='offset points',
                ha='center',
                va=side,
                fontsize=8,
                color=colour,
                zorder=4,
            )
