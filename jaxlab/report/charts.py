"""Curves, bars, histograms, planes and decision regions, each drawn on a matplotlib figure."""

import re
from typing import Any

import numpy as np

from jaxlab import figures
from jaxlab.report import style


def draw_lines(data: figures.Lines) -> Any:
    """Curves; several replicas of one series are thin lines under their thick mean."""
    canvas = style.canvas(data.title, data.note)
    axes = canvas.add_subplot()
    for index, (label, (x, y)) in enumerate(data.series.items()):
        _curve(axes, data, label, np.asarray(x), np.atleast_2d(np.asarray(y, np.float64)), index)
    for index, (label, height) in enumerate(data.horizontal.items()):
        axes.axhline(
            height, color=style.GREY, linewidth=1.2, linestyle=style.DASHES[1 + index % 3], label=style.text(label)
        )
    for index, (label, place) in enumerate(data.vertical.items()):
        axes.axvline(
            place, color='#999999', linewidth=1.2, linestyle=style.DASHES[3 - index % 3], label=style.text(label)
        )
    _name_axes(axes, data)
    if data.x_log:
        axes.set_xscale('log')
    if data.y_log:
        axes.set_yscale('log')
    if data.x_names:
        turned = {'rotation': 30, 'ha': 'right'} if sum(map(len, data.x_names)) > 62 else {}
        axes.set_xticks(range(len(data.x_names)), [style.text(name) for name in data.x_names], **turned)
        axes.set_xlim(-0.4, len(data.x_names) - 0.6)
    elif data.x_label in ('epoch', 'step') and not data.x_log:
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    style.legend(axes, len(data.series) + len(data.horizontal) + len(data.vertical))
    return canvas


def _curve(axes: Any, data: figures.Lines, label: str, x: np.ndarray, y: np.ndarray, index: int) -> None:
    """One series: [R, T] values over [T] places."""
    look = {'color': style.colour(index), 'linestyle': style.dash(index) if data.joined else 'none'}
    marked = data.markers or not data.joined or y.shape[1] == 1
    shape = {'marker': style.marker(index), 'markersize': 5} if marked else {}
    if label in data.bands:
        low, high = data.bands[label]
        axes.fill_between(x, low, high, color=look['color'], alpha=0.18, linewidth=0)
    if len(y) == 1:
        axes.plot(x, y[0], label=style.text(label), **look, **shape)
        return
    for row in y:
        axes.plot(x, row, alpha=0.45, linewidth=0.9, **look, **({**shape, 'markersize': 3} if shape else {}))
    known = np.isfinite(y)
    total = np.where(known, y, 0).sum(0)
    mean = np.divide(total, known.sum(0), out=np.full(y.shape[1], np.nan), where=known.any(0))
    axes.plot(x, mean, linewidth=2.4, label=style.text(f'{label} (mean of {len(y)})'), **look, **shape)


def draw_bars(data: figures.Bars) -> Any:
    """Grouped bars, lying where the names are long; numbers at the bars where there is room."""
    lying = sum(len(name) for name in data.categories) > 75
    count, series = len(data.categories), max(1, len(data.heights))
    height = max(2.2, 0.16 * count * series + 0.12 * count + 0.9) if lying else 4.0
    canvas = style.canvas(data.title, data.note, height=height)
    axes = canvas.add_subplot()
    thick, places = 0.8 / series, np.arange(count)
    for index, (label, values) in enumerate(data.heights.items()):
        offset = (index - (series - 1) / 2) * thick
        errors = data.errors.get(label)
        draw = axes.barh if lying else axes.bar
        error = {
            'xerr' if lying else 'yerr': errors,
            'error_kw': {'elinewidth': 1.1, 'capsize': 3, 'ecolor': '#333333'},
        }
        bars = draw(
            places + offset,
            np.asarray(values, np.float64),
            thick * 0.94,
            color=style.colour(index),
            label=style.text(label),
            **(error if errors is not None else {}),
        )
        if count * series <= (40 if lying else 14):
            axes.bar_label(bars, fmt=_height, fontsize=7.5, padding=2)
    axes.margins(**{'x' if lying else 'y': 0.1})
    _bar_axes(axes, data, places, lying)
    if len(data.heights) > 1:
        axes.legend(loc='lower right', bbox_to_anchor=(1, 1), ncols=min(4, len(data.heights)))
    return canvas


def _height(value: float) -> str:
    """Four places, without an exponent where they are too few for a count: 17,240."""
    return f'{value:,.0f}' if 1e4 <= abs(value) < 1e9 else f'{value:.4g}'


def _bar_axes(axes: Any, data: figures.Bars, places: np.ndarray, lying: bool) -> None:
    names = [style.text(name) for name in data.categories]
    if lying:
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(False, axis='y')
        axes.set_xlabel(style.text(data.y_label))
        axes.set_ylabel(style.text(data.x_label))
        return
    level = max(map(len, names), default=0) * len(names) < 75  # the longest names may be neighbours
    axes.set_xticks(places, names, rotation=0 if level else 30, ha='center' if level else 'right')
    axes.grid(False, axis='x')
    _name_axes(axes, data)


def draw_histogram(data: figures.Histogram) -> Any:
    """Histograms over shared bins: filled and see-through, outlined in full colour."""
    canvas = style.canvas(data.title, data.note)
    axes = canvas.add_subplot()
    finite = {label: np.ravel(values)[np.isfinite(np.ravel(values))] for label, values in data.samples.items()}
    everything = np.concatenate([*finite.values(), np.zeros(0)])
    edges = np.histogram_bin_edges(everything, data.bins) if len(everything) else np.linspace(0, 1, data.bins + 1)
    for index, (label, values) in enumerate(finite.items()):
        name = style.text(f'{label} (n = {len(values)})')
        axes.hist(values, edges, color=style.colour(index), alpha=0.3 if len(finite) > 1 else 0.7, label=name)
        axes.hist(
            values, edges, color=style.colour(index), histtype='step', linewidth=1.4, linestyle=style.DASHES[index % 4]
        )
    _name_axes(axes, data)
    style.legend(axes, len(finite), always=True)
    return canvas


def draw_points(data: figures.Points) -> Any:
    """Points, polylines and arrows on a plane."""
    canvas = style.canvas(data.title, data.note, height=5.2 if data.equal_axes else 4.4)
    axes = canvas.add_subplot()
    _plane(axes, data, _ranks(data.groups))
    return canvas


def draw_regions(data: figures.Regions) -> Any:
    """A filled map under the points; the contour lines at `levels` are the decision boundary."""
    canvas = style.canvas(data.title, data.note, height=5.2 if data.equal_axes else 4.6)
    axes = canvas.add_subplot()
    axes.grid(False)
    values = np.asarray(data.values, np.float64)
    finite = values[np.isfinite(values)]
    classes, ranks = np.unique(finite), _ranks(data.groups)
    if not data.value_label and 0 < len(classes) <= len(style.PALETTE) and np.all(classes == np.round(classes)):
        ranks = _ranks(data.groups, classes)
        _class_map(axes, data, values, ranks)
    elif len(finite):
        mesh = axes.pcolormesh(
            data.x,
            data.y,
            values,
            shading='gouraud' if min(values.shape) > 1 else 'nearest',
            zorder=0,
            **_range_of(data, finite),
        )
        canvas.colorbar(mesh, ax=axes, label=style.text(data.value_label), shrink=0.9, pad=0.02)
    if len(data.levels) and values.size and finite.min() < finite.max():
        width = 1.6 if len(data.levels) <= 3 else 0.7  # a boundary, or a map's contour lines
        axes.contour(data.x, data.y, values, levels=sorted(data.levels), colors=style.INK, linewidths=width, zorder=1.5)
    _plane(axes, data, ranks)
    return canvas


def _class_map(axes: Any, data: figures.Regions, values: np.ndarray, ranks: dict[int, int]) -> None:
    """Whole numbers are classes: a light tint of the colour that the class's points have."""
    from matplotlib.colors import ListedColormap

    places = np.full(values.shape, np.nan)
    for number, rank in ranks.items():
        places[values == number] = rank
    colours = ListedColormap([style.tint(style.colour(i), 0.3) for i in range(len(ranks))])
    limits = {'vmin': -0.5, 'vmax': len(ranks) - 0.5}
    axes.pcolormesh(data.x, data.y, places, shading='nearest', cmap=colours, zorder=0, **limits)


def _ranks(groups: Any, classes: Any = ()) -> dict[int, int]:
    """Class number -> index of its colour: the classes of a map and those that the points' labels name, in order."""
    named = {number for number in map(_number_in, groups) if number is not None}
    numbers = {*map(int, classes), *named}
    if not named and numbers and min(numbers) >= 0:
        numbers = set(range(max(numbers) + 1))
    return {number: rank for rank, number in enumerate(sorted(numbers))}


def _colours(data: figures.Points, ranks: dict[int, int]) -> dict[str, int]:
    """Label -> index of its colour; points named after a class (`class 2`, `target -1`) take the class's."""
    labels = list(dict.fromkeys([*data.groups, *data.lines, *data.arrows]))
    colours = {label: index for index, label in enumerate(labels)}
    numbers = [_number_in(label) for label in data.groups]
    if not ranks or None in numbers or len(set(numbers)) < len(numbers):
        return colours
    first = max(len(data.groups), len(ranks))
    others = [label for label in labels if label not in data.groups]
    named = {label: ranks[number] for label, number in zip(data.groups, numbers) if number is not None}
    return named | {label: first + index for index, label in enumerate(others)}


def _number_in(label: str) -> int | None:
    """The whole number at the end of a label: `class 2` -> 2, `target -1` -> -1."""
    found = re.search(r'(?<![\w.])([-−]?\d+)$', str(label))
    return int(found.group(1).replace('−', '-')) if found else None


def _range_of(data: figures.Regions, finite: np.ndarray) -> dict[str, Any]:
    """Two-sided colours around the one boundary level, where there is one inside the values."""
    low, high = float(finite.min()), float(finite.max())
    if len(data.levels) == 1 and low < data.levels[0] < high:
        centre = float(data.levels[0])
        half = max(high - centre, centre - low)
        return {'cmap': style.two_sided(0.55), 'vmin': centre - half, 'vmax': centre + half}
    return {'cmap': 'cividis', 'vmin': low, 'vmax': high}


def _plane(axes: Any, data: figures.Points, ranks: dict[int, int]) -> None:
    """Points, polylines, arrows and words, with one colour a label."""
    colours = _colours(data, ranks)
    total = sum(len(points) for points in data.groups.values())
    size = 34 if total <= 60 else 16 if total <= 600 else 6
    many = total > 600
    for label, points in data.groups.items():
        index, points = colours[label], np.reshape(np.asarray(points, np.float64), (-1, 2))
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=size,
            color=style.colour(index),
            marker='o' if many else style.marker(index),
            alpha=0.6 if many else 0.95,
            edgecolors='none' if many else 'white',
            linewidths=0.5,
            label=style.text(label),
            zorder=3,
        )
        for point, word in zip(points, data.words.get(label, ()), strict=False):
            axes.annotate(style.text(word), point, xytext=(4, 3), textcoords='offset points', fontsize=8, zorder=4)
    for label, line in data.lines.items():
        index, line = colours[label], np.reshape(np.asarray(line, np.float64), (-1, 2))
        axes.plot(
            line[:, 0],
            line[:, 1],
            color=style.colour(index),
            linestyle=style.DASHES[index % 4],
            label=None if label in data.groups else style.text(label),
            zorder=2,
        )
    for label, arrows in data.arrows.items():
        index, arrows = colours[label], np.reshape(np.asarray(arrows, np.float64), (-1, 4))
        axes.quiver(
            *arrows.T,
            color=style.colour(index),
            angles='xy',
            scale_units='xy',
            scale=1,
            width=0.005,
            zorder=2.5,
            label=None if label in data.groups or label in data.lines else style.text(label),
        )
        axes.update_datalim(np.concatenate([arrows[:, :2], arrows[:, :2] + arrows[:, 2:]]))
        axes.autoscale_view()
    if data.words:
        axes.margins(0.12)
    _name_axes(axes, data)
    if data.equal_axes:
        axes.set_aspect('equal', adjustable='datalim' if data.x_range is None and data.y_range is None else 'box')
    if data.x_range:
        axes.set_xlim(*data.x_range)
    if data.y_range:
        axes.set_ylim(*data.y_range)
    style.legend(axes, len(colours))


def _name_axes(axes: Any, data: Any) -> None:
    axes.set_xlabel(style.text(data.x_label))
    axes.set_ylabel(style.text(data.y_label))
