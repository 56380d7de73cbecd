"""The look of all figures: a palette that colour-blind readers can tell apart, a canvas with title and note, safe text.

Matplotlib is imported when a figure is drawn; pyplot and its global state are never used.
"""

import contextlib
import textwrap
from collections.abc import Iterator
from typing import Any

# Eight of Okabe and Ito's kind, two of Tol's: ten digits differ by colour alone, more classes by colour and marker together.
PALETTE = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#555555', '#B8A500', '#332288', '#882255')
DASHES = ('-', '--', '-.', ':')
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '*')
RED, GREY, INK = '#B00020', '#5F6368', '#202124'
DPI = 150
WIDTH = 7.2  # inches

SETTINGS: dict[Any, Any] = {
    'font.family': 'DejaVu Sans',
    'font.size': 9.5,
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': '#888888',
    'xtick.color': INK,
    'ytick.color': INK,
    'axes.grid': True,
    'grid.color': '#E4E4E4',
    'grid.linewidth': 0.8,
    'axes.axisbelow': True,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
    'legend.fontsize': 8.5,
    'lines.linewidth': 1.8,
    'figure.facecolor': 'white',
    'savefig.facecolor': 'white',
    'image.interpolation': 'nearest',
    'axes.formatter.useoffset': False,
    'axes.formatter.limits': (-4, 5),
    'axes.titlesize': 9.5,
}


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Our settings over matplotlib's defaults, whatever the user's own file says; the user's come back afterwards."""
    import warnings

    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        warnings.filterwarnings('ignore', message='.*missing from font.*')
        warnings.filterwarnings('ignore', message='.*constrained_layout not applied.*')
        yield


def colour(index: int) -> str:
    """The palette, again from the start when it is used up."""
    return PALETTE[index % len(PALETTE)]


def dash(index: int) -> str:
    """Solid lines first; another dash for each turn of the palette."""
    return DASHES[(index // len(PALETTE)) % len(DASHES)]


def marker(index: int) -> str:
    """A marker that differs from its neighbours' also without colour."""
    return MARKERS[index % len(MARKERS)]


def canvas(title: str, note: str, width: float = WIDTH, height: float = 4.0) -> Any:
    """An empty figure with the title above and the note below, both at the left; the size leaves room for them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    title_lines = textwrap.wrap(title, int(width * 10.5)) or ['']
    note_lines = [line for part in note.split('\n') for line in textwrap.wrap(part, int(width * 14.5))]
    height += 0.2 * len(title_lines) + 0.16 * len(note_lines) + (0.1 if note_lines else 0)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(text('\n'.join(title_lines)), x=0.012, ha='left', fontsize=11, fontweight='bold')
    if note_lines:
        figure.supxlabel(text('\n'.join(note_lines)), x=0.012, ha='left', fontsize=8, color=GREY)
    return figure


def text(value: Any) -> str:
    """A label that matplotlib can always draw: `$...$` is typeset if it parses, every other `$` is a dollar sign."""
    label = str(value)
    if '$' not in label:
        return label
    from matplotlib.mathtext import MathTextParser

    with contextlib.suppress(ValueError, RuntimeError):
        if label.replace(r'\$', '').count('$') % 2 == 0:
            MathTextParser('agg').parse(label)
            return label
    return label.replace(r'\$', '$').replace('$', r'\$')


def legend(axes: Any, entries: int, always: bool = False) -> None:
    """A legend where there is something to tell apart: inside, or at the right of the axes when it is long."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles or (entries < 2 and not always):
        return
    if len(labels) > 6 or max(len(label) for label in labels) > 34:
        axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    else:
        axes.legend(loc='best', frameon=True, framealpha=0.85, edgecolor='none')


def tint(hexadecimal: str, share: float) -> tuple[float, float, float]:
    """The colour mixed with white: share 0 is white, 1 the colour itself."""
    parts = [int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(1 - share * (1 - part) for part in parts)  # type: ignore[return-value]


def two_sided(share: float = 0.75, middle: str = '#FFFFFF') -> Any:
    """Colours from the palette's first over `middle` to its second: negative to positive, class 0 to class 1."""
    from matplotlib.colors import LinearSegmentedColormap

    ends: Any = [tint(PALETTE[0], share), middle, tint(PALETTE[1], share)]
    return LinearSegmentedColormap.from_list('two_sided', ends)
