"""Figures from traces: complete, finite, and right where there is no line to draw."""

import numpy as np
import pytest

from jaxlab.figures import Animation, Points, Regions, Table, Worked
from jaxlab.neurons import present
from jaxlab.neurons.perceptron import train_perceptron
from jaxlab.neurons.present import latex, planes
from jaxlab.neurons.separability import line

pytestmark = pytest.mark.usefixtures('float64')
BIPOLAR = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float)


def by_name(figures):
    return {figure.name: figure for figure in figures}


@pytest.mark.parametrize(('weights', 'level', 'ends'), [
    ((-1, 1, 1), 0, [[-1, 2], [2, -1]]),
    ((-0.5, 1, 0), 0, [[0.5, -1], [0.5, 2]]),  # vertical
    ((-0.5, 0, 1), 0, [[-1, 0.5], [2, 0.5]]),  # horizontal
    ((0, 1, 0), 0.5, [[0.5, -1], [0.5, 2]]),
    ((0, 0, 0), 0, None), ((1, 0, 0), 0, None), ((9, 1, 0), 0, None), ((np.nan, 1, 1), 0, None)])
def test_line(weights, level, ends):
    found = line(weights, level, (-1, 2), (-1, 2))
    if ends is None:
        assert found is None
    else:
        np.testing.assert_allclose(sorted(found.tolist()), sorted(ends), atol=1e-12)


@pytest.mark.parametrize(('weights', 'words'), [
    ((0, 0, 0), 'there is no line; the net is 0 everywhere, at the level 0'),
    ((0.5, 2, 0), 'the vertical line x1 = -0.25'), ((-0.2, 0.2, 0.2), 'x2 = 1 - 1 x1'),
    ((9, 1, 0), 'outside the picture'), ((np.inf, 1, 1), 'not finite')])
def test_boundary_says_what_it_is(weights, words):
    figure = planes.boundary('b', 'title', weights, BIPOLAR, [-1, -1, -1, 1])
    assert words in figure.note
    assert all(np.isfinite(ends).all() for ends in figure.lines.values())


def test_perceptron_figures():
    targets = np.array([-1, -1, -1, 1.0])
    run = train_perceptron(np.zeros(3), BIPOLAR, targets, 0.1)
    figures = by_name(present.perceptron_figures(run, BIPOLAR, targets))
    worked = figures['perceptron_worked']
    assert isinstance(worked, Worked) and len(worked.steps) == 12
    assert worked.steps[2].result == r'(-0.2,\, 0.2,\, 0.2)' and worked.steps[2].mark == 'update'
    assert len(figures['perceptron_trace'].rows) == 8 and len(figures['perceptron_trace'].align) == 10
    regions = figures['perceptron_boundary']
    assert isinstance(regions, Regions) and set(np.unique(regions.values)) == {-1, 1}
    frames = figures['perceptron_learning'].frames
    assert len(frames) == 2 and 'no line' in frames[0].note and 'boundary' in frames[1].lines
    table = dict(figures['perceptron_separability'].rows)
    assert table['mistake bound (R / margin)^2'] == '9' and table['updates'] == 1


def test_perceptron_figures_of_what_cannot_be_learned():
    targets = np.array([-1, 1, 1, -1.0])
    run = train_perceptron(np.zeros(3), BIPOLAR, targets, 0.1, 100)
    figures = by_name(present.perceptron_figures(run, BIPOLAR, targets))
    assert dict(figures['perceptron_separability'].rows)['linearly separable (linear programme)'] == 'no'
    assert len(figures['perceptron_learning'].frames) <= 24
    assert isinstance(figures['perceptron_learning'], Animation) and isinstance(figures['perceptron_boundary'], Points)


def test_three_inputs_have_no_plane():
    inputs, targets = np.eye(3), np.array([-1, 1, 1.0])
    figures = present.perceptron_figures(train_perceptron(np.zeros(4), inputs, targets), inputs, targets)
    assert not any(isinstance(figure, Points | Animation) for figure in figures)
    assert isinstance(figures[1], Table)


@pytest.mark.parametrize(('value', 'text'), [
    (-0.0, '0'), (3.0, '3'), (0.1 + 0.2, '0.3'), (-4.449445223379e-05, r'-4.44945 \times 10^{-5}'),
    (np.nan, r'\mathrm{undefined}'), (1e300 * 1e10, r'\infty')])
def test_numbers(value, text):
    assert latex.number(value) == text
