"""Units with two inputs on the plane: classes, decision map, boundary, also where there is no line to draw."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxlab.figures import Animation, Points, Regions
from jaxlab.worked.separability import line
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show.latex import text_number, text_vector

Range = tuple[float, float]


def ranges(points: Numbers, room: float = 0.5) -> tuple[Range, Range]:
    """A box around the points with some room on every side."""
    points = np.asarray(points, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    space = room * np.maximum(high - low, 1e-9 + 0.5 * np.max(high - low) + (np.max(high - low) == 0))
    (x0, y0), (x1, y1) = low - space, high + space
    return (float(x0), float(x1)), (float(y0), float(y1))


def groups(points: Numbers, targets: Numbers) -> dict[str, np.ndarray]:
    """The samples grouped by their target, for points of one colour each."""
    points, targets = np.asarray(points, np.float64), np.asarray(targets, np.float64)
    return {f'target {text_number(value)}': points[targets == value] for value in np.unique(targets)[::-1]}


def describe_line(weights: Numbers, level: float = 0.0) -> str:
    """The boundary in words."""
    w0, w1, w2 = (float(w) for w in np.asarray(weights, np.float64))
    if not np.all(np.isfinite([w0, w1, w2])):
        return 'The weights are not finite: there is no boundary.'
    if w1 == 0.0 and w2 == 0.0:
        side = 'above' if w0 > level else 'at' if w0 == level else 'below'
        return (
            f'Both input weights are zero: there is no line; the net is {text_number(w0)} everywhere, '
            f'{side} the level {text_number(level)}.'
        )
    if w2 == 0.0:
        return f'Boundary: the vertical line x1 = {text_number((level - w0) / w1)} (w2 = 0).'
    slope, start = -w1 / w2, (level - w0) / w2
    sign = '-' if slope < 0 else '+'
    return f'Boundary: x2 = {text_number(start)} {sign} {text_number(abs(slope))} x1.'


def boundary(
    name: str,
    title: str,
    weights: Numbers,
    points: Numbers,
    targets: Numbers,
    level: float = 0.0,
    other_levels: dict[str, float] | None = None,
    note: str = '',
) -> Points:
    """Samples and the line w0 + w1 x1 + w2 x2 = level (weights: bias first), and further levels by name."""
    x_range, y_range = ranges(points)
    drawn = {}
    for label, each in {'boundary': level, **(other_levels or {})}.items():
        ends = line(weights, each, x_range, y_range)
        if ends is not None:
            drawn[label] = ends
    outside = '' if 'boundary' in drawn or _no_line(weights) else ' It lies outside the picture.'
    words = f'{describe_line(weights, level)}{outside}'
    return Points(
        name,
        title,
        f'{words} {note}'.strip(),
        groups(points, targets),
        drawn,
        x_label='x1',
        y_label='x2',
        x_range=x_range,
        y_range=y_range,
    )


def hidden_plane(name: str, title: str, weights: Numbers, hidden: Numbers, targets: Numbers) -> Points:
    """The samples as two hidden units see them, and the line of the unit above these."""
    figure = boundary(name, title, weights, hidden, targets)
    return dataclasses.replace(figure, x_label='hidden unit 1', y_label='hidden unit 2')


def _no_line(weights: Numbers) -> bool:
    weights = np.asarray(weights, np.float64)
    return not np.all(np.isfinite(weights)) or not np.any(weights[1:])


def regions(
    name: str,
    title: str,
    answer: Callable[[Float[np.ndarray, 'M 2']], Any],
    points: Numbers,
    targets: Numbers,
    levels: Sequence[float] = (),
    value_label: str = '',
    note: str = '',
    nodes: int = 101,
    box: tuple[Range, Range] | None = None,
    lines: dict[str, np.ndarray] | None = None,
) -> Regions:
    """A filled map of the answer over the plane: right for every unit and network, with or without a line."""
    x_range, y_range = box or ranges(points)
    x, y = np.linspace(*x_range, nodes), np.linspace(*y_range, nodes)
    grid = np.stack([values.ravel() for values in np.meshgrid(x, y)], axis=1)
    values = np.asarray(answer(grid)).reshape(nodes, nodes)
    return Regions(
        name,
        title,
        note,
        groups(points, targets),
        lines or {},
        x_label='x1',
        y_label='x2',
        x_range=x_range,
        y_range=y_range,
        x=x,
        y=y,
        values=values,
        levels=tuple(levels),
        value_label=value_label,
    )


def moving_boundary(
    name: str,
    title: str,
    weights: Float[np.ndarray, 'F W'],
    captions: Sequence[str],
    points: Numbers,
    targets: Numbers,
    level: float = 0.0,
    seconds: float = 0.7,
) -> Animation:
    """One frame for each set of weights; a frame without a line says why."""
    frames = [
        boundary(f'{name}_{index}', caption, each, points, targets, level, note=f'w = {text_vector(each, 4)}.')
        for index, (each, caption) in enumerate(zip(weights, captions))
    ]
    return Animation(name, title, '', frames, seconds)
