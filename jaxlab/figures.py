"""Figures and tables as plain data: tasks return them, `jaxlab/report` draws them.

Every figure has a `name` (its file's name, no ending), a `title`, axis labels with units, and a `note` that says what a
reader must know (sample size, what the error bars are, which split).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Figure:
    """What all figures share: a name (of its file), a title and a note under it."""

    name: str
    title: str
    note: str = ''


@dataclasses.dataclass(frozen=True)
class Lines(Figure):
    """Curves. series: label -> (x [T], y [T] or [R, T] with one row a replica: drawn thin, their mean thick)."""

    series: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    x_label: str = ''
    y_label: str = ''
    x_log: bool = False
    y_log: bool = False
    markers: bool = False
    joined: bool = True  # False: points alone, where no line of thought leads from one x to the next
    horizontal: Mapping[str, float] = dataclasses.field(default_factory=dict)  # label -> y (published value, chance)
    vertical: Mapping[str, float] = dataclasses.field(default_factory=dict)  # label -> x (best epoch, end of history)
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)  # series -> low, high
    x_names: Sequence[str] = ()  # names of the x values 0, 1, 2 ... where x counts things (variants, classes)
    compared: str = ''  # the series that a comparison of variants lays over those of the others


@dataclasses.dataclass(frozen=True)
class Bars(Figure):
    """Bars. heights: label of the series -> [K]; errors: the same labels -> half lengths [K] of the error bars."""

    categories: Sequence[str] = ()
    heights: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    errors: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    x_label: str = ''
    y_label: str = ''


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle on an image, in pixels from the top left corner; `dashed` for the truth beside a prediction."""

    left: float
    top: float
    right: float
    bottom: float
    label: str = ''
    colour: int = 0  # index into the palette, usually the class
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Images(Figure):
    """A grid of images. images: [N, H, W, C] float in [low, high], C 1 or 3; captions: one an image, or none.

    colours, of images with one channel: 'grey', 'sequential' (low dark, high light) or 'diverging' (the middle of the
    range is light grey). `value_label`: what the values are, at a colour bar of the range; '' draws none.
    """

    images: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 1, 1, 1)))
    captions: Sequence[str] = ()
    marked: Sequence[bool] = ()  # True: caption in red (a mistake)
    row_labels: Sequence[str] = ()
    columns: int = 8
    low: float = 0.0
    high: float = 1.0
    boxes: Sequence[Sequence[Box]] = ()  # one list an image, or none
    colours: str = 'grey'
    value_label: str = ''
    widest: float = 1.9  # inches of one image at most


@dataclasses.dataclass(frozen=True)
class Animation(Figure):
    """Frames of one kind of figure, written as a GIF; `titles` of the frames come from the frames themselves."""

    frames: Sequence[Figure] = ()
    seconds_per_frame: float = 0.4


@dataclasses.dataclass(frozen=True)
class Matrix(Figure):
    """A matrix as a heat map with its numbers (confusion matrix, attention map). values: [rows, columns]."""

    values: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((1, 1)))
    row_names: Sequence[str] = ()
    column_names: Sequence[str] = ()
    x_label: str = ''
    y_label: str = ''
    number_format: str = '{:.0f}'
    diverging: bool = False


@dataclasses.dataclass(frozen=True)
class Points(Figure):
    """A plane with labelled points, lines and arrows. groups: label -> [N, 2]; lines: label -> [M, 2] (a polyline).

    arrows: label -> [N, 4], each (x, y, dx, dy); words: label of the group -> N strings beside its points.
    """

    groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    lines: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    arrows: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    words: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    x_label: str = ''
    y_label: str = ''
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    equal_axes: bool = False


@dataclasses.dataclass(frozen=True)
class Regions(Points):
    """Points on a filled map. x: [A], y: [B], values: [B, A]; contour lines at `levels` (the decision boundary)."""

    x: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    y: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    values: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    levels: Sequence[float] = ()
    value_label: str = ''


@dataclasses.dataclass(frozen=True)
class Histogram(Figure):
    """Histograms over shared bins. samples: label -> [N]."""

    samples: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    bins: int = 30
    x_label: str = ''
    y_label: str = 'count'


@dataclasses.dataclass(frozen=True)
class Table(Figure):
    """A table. rows: tuples of strings or numbers; `align` one of '<' or '>' a column ('' = by type)."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    align: str = ''
    decimals: int = 4


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a worked computation: what, LaTeX formula, LaTeX with numbers, result; `mark`: a slip or check.

    `part`: the heading of what begins here (a sample, an iteration); `--config.worked.show=step` waits there.
    """

    what: str
    formula: str = ''
    numbers: str = ''
    result: str = ''
    mark: str = ''
    part: str = ''


@dataclasses.dataclass(frozen=True)
class Worked(Figure):
    """A worked computation, typeset step by step (LaTeX without dollar signs; becomes MathML)."""

    steps: Sequence[Step] = ()


@dataclasses.dataclass(frozen=True)
class Node:
    """One node of a `Graph` at (column, row); `value` and `gradient` are printed above and below it."""

    label: str
    column: float
    row: float
    value: str = ''
    gradient: str = ''
    kind: int = 0  # index into the palette: inputs, parameters, operations, loss ...


@dataclasses.dataclass(frozen=True)
class Graph(Figure):
    """A computation graph or a small network. edges: (from, to, label); kinds: names of the nodes' kinds."""

    nodes: Mapping[str, Node] = dataclasses.field(default_factory=dict)
    edges: Sequence[tuple[str, str, str]] = ()
    kinds: Sequence[str] = ()
