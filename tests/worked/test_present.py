"""Figures from traces: complete, finite, and right where there is no line to draw."""

import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.figures import Animation, Points, Regions, Table, Worked
from jaxlab.worked import attention, delta_rule, manual_backprop, museum, network, online
from jaxlab.worked import show as present
from jaxlab.worked.cases import by_spec
from jaxlab.worked.cases import case as case_of
from jaxlab.worked.cases import manual as golden
from jaxlab.worked.cases.attention import ATTENTION
from jaxlab.worked.cases.backward import BACKWARD
from jaxlab.worked.cases.delta import A03
from jaxlab.worked.cases.forward import FORWARD
from jaxlab.worked.cases.gates import C19_TABLES, GATES
from jaxlab.worked.cases.slips import SLIPS, slips_of
from jaxlab.worked.cases.tape import TAPE
from jaxlab.worked.cases.xor import A02
from jaxlab.worked.gradient_check import check_gradients
from jaxlab.worked.perceptron import train_perceptron
from jaxlab.worked.quantities import forward_quantities
from jaxlab.worked.separability import line
from jaxlab.worked.show import attention as attention_page
from jaxlab.worked.show import delta, latex, passes, planes, units, xor

pytestmark = pytest.mark.usefixtures('float64')
BIPOLAR = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float)


def by_name(figures):
    return {figure.name: figure for figure in figures}


@pytest.mark.parametrize(
    ('weights', 'level', 'ends'),
    [
        ((-1, 1, 1), 0, [[-1, 2], [2, -1]]),
        ((-0.5, 1, 0), 0, [[0.5, -1], [0.5, 2]]),  # vertical
        ((-0.5, 0, 1), 0, [[-1, 0.5], [2, 0.5]]),  # horizontal
        ((0, 1, 0), 0.5, [[0.5, -1], [0.5, 2]]),
        ((0, 0, 0), 0, None),
        ((1, 0, 0), 0, None),
        ((9, 1, 0), 0, None),
        ((np.nan, 1, 1), 0, None),
    ],
)
def test_line(weights, level, ends):
    found = line(weights, level, (-1, 2), (-1, 2))
    if ends is None:
        assert found is None
    else:
        np.testing.assert_allclose(sorted(found.tolist()), sorted(ends), atol=1e-12)


@pytest.mark.parametrize(
    ('weights', 'words'),
    [
        ((0, 0, 0), 'there is no line; the net is 0 everywhere, at the level 0'),
        ((0.5, 2, 0), 'the vertical line x1 = -0.25'),
        ((-0.2, 0.2, 0.2), 'x2 = 1 - 1 x1'),
        ((9, 1, 0), 'outside the picture'),
        ((np.inf, 1, 1), 'not finite'),
    ],
)
def test_boundary_says_what_it_is(weights, words):
    figure = planes.boundary('b', 'title', weights, BIPOLAR, [-1, -1, -1, 1])
    assert words in figure.note
    assert all(np.isfinite(ends).all() for ends in figure.lines.values())


def test_perceptron_figures():
    targets = np.array([-1, -1, -1, 1.0])
    run = train_perceptron(np.zeros(3), BIPOLAR, targets, 0.1)
    figures = by_name(present.perceptron_figures(run, BIPOLAR, targets))
    worked = figures['perceptron_worked']
    assert isinstance(worked, Worked) and len(worked.steps) == 16
    assert worked.steps[3].result == r'(-0.2,\, 0.2,\, 0.2)' and worked.steps[3].mark == 'update'
    assert len(figures['perceptron_trace'].rows) == 8 and len(figures['perceptron_trace'].align) == 9
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


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (-0.0, '0'),
        (3.0, '3'),
        (0.1 + 0.2, '0.3'),
        (-4.449445223379e-05, r'-4.44945 \times 10^{-5}'),
        (np.nan, r'\mathrm{undefined}'),
        (1e300 * 1e10, r'\infty'),
    ],
)
def test_numbers(value, text):
    assert latex.number(value) == text


def complete(figures):
    """Every table's rows fit its columns, every map is filled, every worked step has a result."""
    for figure in figures:
        if isinstance(figure, Table):
            assert figure.rows and all(len(row) == len(figure.columns) for row in figure.rows), figure.name
            assert len(figure.align) in (0, len(figure.columns)), figure.name
        if isinstance(figure, Regions):
            assert figure.values.shape == (len(figure.y), len(figure.x)) and np.isfinite(figure.values).all()
        if isinstance(figure, Worked):
            assert figure.steps and all(step.result for step in figure.steps)
            text = ' '.join(step.formula + step.numbers + step.result for step in figure.steps)
            assert text.count('{') == text.count('}') and '$' not in text and 'nan' not in text
    assert len({figure.name for figure in figures}) == len(figures)
    return by_name(figures)


def test_delta_figures():
    inputs = np.array(A03.inputs)[:, :2]
    run = delta_rule.train_delta((0, 0, 0), inputs, A03.targets, 0.1, 20)
    figures = complete(present.delta_figures(run, inputs, A03.targets, 0.1, published_level=0.0))
    assert 'Right: 4 of 4 samples; with the published cut 2.' in figures['delta_boundary'].note
    assert 'published: output 0' in figures['delta_boundary'].lines
    assert len(figures['delta_surface'].lines['path']) == 81
    assert 'about 1.' in figures['delta_stability'].note
    assert figures['delta_epochs'].rows[0][1] == pytest.approx(0.41)


def test_delta_figures_of_a_vertical_line_and_of_a_run_that_explodes():
    inputs = np.array(A03.inputs)[:, :2]
    figure = delta.boundary((0, 1, 0), inputs, A03.targets, 0.5, 0.0)
    assert 'the vertical line x1 = 0.5' in figure.note and 'published: output 0' in figure.lines
    run = delta_rule.train_delta((0, 0, 0), inputs, A03.targets, 3.0, 1000)
    assert not np.isfinite(run.weights).all()
    figures = by_name(present.delta_figures(run, inputs, A03.targets, 3.0))
    assert 'delta_boundary' not in figures and len(figures['delta_mse'].series['online rule'][0]) < 100


@pytest.mark.parametrize('name', FORWARD)
def test_forward_pages(name):
    case = FORWARD[name]
    layers = network.forward(case.inputs, case.weights, case.activations)
    found = forward_quantities(layers)
    figures = complete(
        [
            present.forward_worked(layers, case.activations, name, case.title, case.note),
            present.published_table(found, case.golden, name, case.title),
            passes.deviation_table(found, case.golden[-1], name, case.title),
        ]
    )
    marks = [step.mark for step in figures[f'forward_{name}'].steps]
    assert not any(marks)
    wrong = museum.forward_as_published(case)
    steps = passes.forward_steps(wrong, case.activations)
    assert any('outside the range' in step.mark for step in steps) == (name in ('C08', 'C10'))


@pytest.mark.parametrize('name', BACKWARD)
def test_backward_pages(name):
    case = BACKWARD[name]
    _, trace = network.backprop_epoch(case.weights, case.inputs, case.targets, case.activations, case.learning_rate)
    checks = check_gradients(case.weights, case.inputs, case.targets, case.activations)
    assert all(check.gap < 1e-12 for check in checks)
    for check in checks:
        np.testing.assert_allclose(check.hand, check.differences, atol=1e-7)
    figures = complete(present.backward_figures(trace, case.activations, case.learning_rate, name, case.title, checks))
    graph = figures[f'graph_{name}']
    assert len(graph.edges) == sum(np.size(matrix) for matrix in case.weights)
    assert all(source in graph.nodes and target in graph.nodes for source, target, _ in graph.edges)
    flat = [step for page in figures.values() if isinstance(page, Worked) for step in page.steps if 'flat' in step.mark]
    assert bool(flat) == (name == 'C02')


def test_softmax_pages():
    rng = np.random.RandomState(0)
    weights, inputs, targets = [rng.randn(3, 3), rng.randn(2, 4)], rng.randn(2, 2), np.eye(2)
    for loss in ('half_squared', 'cross_entropy'):
        names = ('tanh', 'softmax')
        _, trace = network.backprop_epoch(weights, inputs, targets, names, 0.1, loss=loss)
        complete(present.backward_figures(trace, names, 0.1, 'own', 'own network', loss=loss))


def test_slip_tables():
    for spec in {slip.spec for slip in SLIPS}:
        complete([present.slip_table(slips_of(spec), spec, spec)])


def test_xor_figures():
    run = online.train_online(online.legacy_start(42, A02.sizes), A02.inputs, A02.targets, A02.activations)
    starts = online.train_starts(online.legacy_starts(range(20), A02.sizes), A02.inputs, A02.targets, A02.activations)
    figures = complete(present.xor_figures(run, A02.inputs, A02.targets, A02.activations, starts))
    assert figures['xor_map'].values.shape == (200, 200) and '60.2%' in figures['xor_map'].note
    assert (figures['xor_map'].values >= 0.5).sum() == 24_061
    assert np.size(figures['xor_starts'].samples['converged starts']) == int(starts.converged.sum())
    moving = xor.learning(
        [(0, online.legacy_start(42, A02.sizes)), (3283, run.weights)], A02.inputs, A02.targets, A02.activations
    )
    assert [frame.title for frame in moving.frames] == ['epoch 0', 'epoch 3283']


def test_attention_pages():
    for case in ATTENTION.values():
        trace = attention.attention(case.queries, case.keys, case.values, case.mask)
        figures = complete(
            [
                attention_page.worked(trace, 'x', case.title, case.note),
                attention_page.entropy_table({case.name: trace.weights}),
                attention_page.agreement_table(trace, {'itself': trace.output}),
            ]
        )
        assert ('masked' in ''.join(step.mark for step in figures['attention_x'].steps)) == (case.mask is not None)
    panels = attention_page.state_beside_map(np.zeros(8), trace, case.query_names, case.key_names)
    assert panels[1].values.shape == (5, 5)


def test_unit_pages():
    for case in GATES.values():
        complete(present.gate_figures(case))
    slip = units.gate_table(GATES['or_bipolar'], C19_TABLES['or_bipolar'])
    assert [row[-1] for row in slip.rows] == ['1  slip', '1', '1', '1']
    names = ['linear', 'sigmoid', 'bipolar_sigmoid', 'relu', 'leaky_relu', 'softmax']
    figures = complete(
        [
            units.margin_table(list(GATES.values())),
            *units.activation_curves(names),
            units.museum_table(),
            units.activation_table(names),
            units.tape_worked(TAPE),
        ]
    )
    assert all(float(row[4]) < 1e-12 for row in figures['activation_table'].rows)
    params = manual_backprop.Params(*(np.array(value) for value in (golden.W1, golden.B1, golden.W2, golden.B2)))
    for variant in manual_backprop.VARIANTS:
        trace = manual_backprop.manual_pass(params, np.array(golden.INPUTS), np.array(golden.LABELS), variant)
        complete([units.manual_worked(trace, params, golden.INPUTS, golden.LABELS, variant)])


def test_every_spec_has_a_case():
    found = by_spec()
    expected = {'A01', 'A02', 'A03', 'A07', 'B24', 'D3.1'} | {
        f'C{n:02}'
        for n in (
            1,
            2,
            3,
            5,
            7,
            8,
            10,
            11,
            12,
            13,
            14,
            15,
            16,
            17,
            18,
            19,
            20,
            21,
            22,
            23,
            24,
            25,
            26,
            27,
            28,
            29,
            30,
            31,
            34,
        )
    }
    assert expected == set(found)
    assert case_of('forward', 'C08').name == 'C08'
    with pytest.raises(UserError, match="unknown forward case 'C99'"):
        case_of('forward', 'C99')
