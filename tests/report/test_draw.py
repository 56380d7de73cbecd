"""Every kind of figure is drawn, the same bytes each time, and odd input does not break it."""

import warnings

import numpy as np
import pytest
from PIL import Image

from jaxlab import figures as f
from jaxlab.report import charts, style
from jaxlab.report.draw import draw, file_stem, is_drawn
from tests.report import example

DRAWN = {figure.name: figure for figure in (*example.charts(), *example.grids())}


@pytest.mark.parametrize('name', DRAWN)
def test_every_kind_is_drawn(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        path = draw(DRAWN[name], tmp_path)
    moving = isinstance(DRAWN[name], f.Animation)
    assert path == tmp_path / f'{name}.{"gif" if moving else "png"}'
    with Image.open(path) as image:
        image.load()
        pixels = np.asarray(image.convert('L'))
        assert pixels.shape[1] > 700 and pixels.shape[0] > 150
        assert 0.02 < np.mean(pixels < 240) < 0.9, 'neither empty nor full'
        assert getattr(image, 'n_frames', 1) == (4 if moving else 1)
    assert [each.name for each in tmp_path.iterdir()] == [path.name], 'no temporary file is left'


@pytest.mark.parametrize('name', ['curves', 'moving'])
def test_same_bytes_each_time(name, tmp_path):
    first = draw(DRAWN[name], tmp_path / 'a').read_bytes()
    assert draw(DRAWN[name], tmp_path / 'b').read_bytes() == first


def test_users_matplotlib_settings_neither_leak_in_nor_out(tmp_path):
    import matplotlib

    plain = draw(DRAWN['rates'], tmp_path / 'a').read_bytes()
    with matplotlib.rc_context({'font.size': 22, 'lines.linewidth': 9}):
        assert draw(DRAWN['rates'], tmp_path / 'b').read_bytes() == plain
        assert matplotlib.rcParams['font.size'] == 22


def test_tables_and_worked_computations_are_not_drawn(tmp_path):
    for figure in example.typeset():
        assert not is_drawn(figure)
        with pytest.raises(TypeError, match='typeset'):
            draw(figure, tmp_path)


ODD = [
    f.Lines('nan', 'NaN', '', {'a': (np.arange(3), np.array([1.0, np.nan, np.inf]))}, 'x', 'y'),
    f.Lines('one', 'One point', '', {'a': (np.array([1]), np.array([[1.0], [2.0]]))}, 'x', 'y', y_log=True),
    f.Lines('empty', 'No series', 'nothing', {}),
    f.Lines('dollars', 'Costs $5 and 50 % of $x_1$ $', '', {'a $ b': (np.arange(2), np.arange(2))}, r'$\frac$', '$y$'),
    f.Lines('many', 'Many', '', {f'series {i}': (np.arange(2), np.arange(2) + i) for i in range(12)}),
    f.Bars('no_bars', 'None', '', (), {}),
    f.Histogram('same', 'All the same', '', {'a': np.ones(5), 'b': np.zeros(0)}),
    f.Images('none', 'No images', '', np.zeros((0, 4, 4, 1))),
    f.Images('flat', 'No channel axis', '', np.full((2, 4, 4), np.nan), low=1, high=1),
    f.Matrix('constant', 'One value', '', np.full((2, 2), np.nan)),
    f.Matrix('large', 'Large', '', np.arange(10_000.0).reshape(100, 100), [str(i) for i in range(100)]),
    f.Regions(
        'flat_map', 'Constant map', '', x=np.arange(3.0), y=np.arange(3.0), values=np.full((3, 3), 0.4), levels=(0.5,)
    ),
    f.Points('no_points', 'None', '', {'a': np.zeros((0, 2))}, arrows={'b': np.zeros((0, 4))}),
    f.Graph('no_graph', 'None'),
]


@pytest.mark.parametrize('figure', ODD, ids=lambda figure: figure.name)
def test_odd_input_is_drawn(figure, tmp_path):
    assert draw(figure, tmp_path).stat().st_size > 500


def test_names_stay_inside_the_folder(tmp_path):
    assert file_stem('../../etc/passwd') == 'etc_passwd'
    assert file_stem('...') == 'figure'
    assert draw(f.Lines('../outside', 'x'), tmp_path / 'in').parent == tmp_path / 'in'


def test_dollar_signs():
    assert style.text('$x_1$') == '$x_1$'
    assert style.text('$5') == r'\$5'
    assert style.text(r'$\frac$') == r'\$\frac\$'
    assert style.text('plain') == 'plain'


def test_an_animation_needs_frames(tmp_path):
    with pytest.raises(ValueError, match='no frames'):
        draw(f.Animation('x', 'x'), tmp_path)
    mixed = [
        f.Images('a', 'a', '', np.zeros((2, 4, 4, 1))),
        f.Lines('b', 'b'),
        f.Images('c', '', '', np.ones((9, 4, 4, 1))),
    ]
    with Image.open(draw(f.Animation('mixed', 'Mixed', frames=mixed), tmp_path)) as image:
        assert image.n_frames == 3


def test_points_and_regions_of_a_class_share_their_colour():
    assert charts._ranks(['target 1', 'target -1'], np.array([-1.0, 1.0])) == {-1: 0, 1: 1}
    points = f.Points('p', 'p', groups={'target 1': 0, 'target -1': 0}, lines={'boundary': 0})
    assert charts._colours(points, {-1: 0, 1: 1}) == {'target 1': 1, 'target -1': 0, 'boundary': 2}
    unnamed = f.Points('p', 'p', groups={'yes': 0, 'no': 0})
    assert charts._colours(unnamed, {0: 0, 1: 1}) == {'yes': 0, 'no': 1}
    assert charts._ranks([], np.array([2.0])) == {0: 0, 1: 1, 2: 2}
    assert charts._number_in('version 1.5') is None and charts._number_in('class −3') == -3


def test_points_of_many_classes_are_told_apart():
    """Ten digits by their colours alone, forty classes by colour and marker; black and white: neighbours by the marker."""
    assert len({style.colour(index) for index in range(10)}) == 10
    assert len({(style.colour(index), style.marker(index)) for index in range(40)}) == 40
    assert all(style.marker(index) != style.marker(index + 1) for index in range(40))


def test_a_single_epoch_is_a_whole_number():
    curve = f.Lines('c', 'c', series={'test': (np.array([3]), np.array([[0.5]]))}, x_label='epoch')
    figure = charts.draw_lines(curve)
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [3]


def test_counts_at_bars_are_whole():
    canvas = charts.draw_bars(f.Bars('n', 'n', '', ('a', 'b', 'c'), {'examples': [17_240, 0.4321, 4_971]}))
    (axes,) = canvas.axes
    assert [text.get_text() for text in axes.texts] == ['17,240', '0.4321', '4971']
