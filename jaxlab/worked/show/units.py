"""Gates, activations, tape and the manual network as tables and figures (C01, C06, C09, C18, C33, E1)."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Lines, Regions, Step, Table, Worked
from jaxlab.layers.activations import Activation, activation
from jaxlab.worked import gates, museum
from jaxlab.worked.cases.gates import GateCase
from jaxlab.worked.cases.tape import TapeCase, value_and_gradient
from jaxlab.worked.manual_backprop import ManualTrace, Params
from jaxlab.worked.sampled import sampled
from jaxlab.worked.separability import line
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show import latex, planes
from jaxlab.worked.show.steps import matrix_step


def gate_table(case: GateCase, published: Sequence[float] | None = None) -> Table:
    """Truth table with every net; `published` adds the page's column and marks a slip."""
    traces = case.traces()
    printed = published if published is not None else case.published
    columns = [f'x{index + 1}' for index in range(case.inputs)]
    for depth, trace in enumerate(traces, start=1):
        for unit in range(trace.net.shape[1]):
            tag = f'{depth}.{unit + 1}' if len(traces) > 1 else ''
            columns += [f'w . x {tag}'.strip(), f'y {tag}'.strip()]
    rows: list[tuple[Any, ...]] = []
    for n, x in enumerate(np.asarray(traces[0].inputs)):
        row = [*map(latex.text_number, x)]
        for trace in traces:
            for net, output in zip(np.asarray(trace.net)[n], np.asarray(trace.output)[n]):
                row += [latex.text_number(net), latex.text_number(output)]
        if printed is not None:
            row.append(latex.text_number(printed[n]) + ('' if printed[n] == traces[-1].output[n, 0] else '  slip'))
        rows.append(tuple(row))
    thresholds = '; '.join(latex.text_vector(trace.thresholds) for trace in traces)
    columns += ['published'] if printed is not None else []
    return Table(
        f'gate_{case.name}',
        f'{case.title} ({case.coding})',
        f'Thresholds {thresholds}. {case.note}'.strip(),
        columns,
        rows,
        '>' * len(columns),
    )


def margin_table(cases: Sequence[GateCase]) -> Table:
    """For gates of one unit: the thresholds that would do, and the distance of the nearest sample to the line."""
    rows: list[tuple[Any, ...]] = []
    for case in cases:
        if len(case.layers) > 1:
            continue
        trace = case.traces()[0]
        interval = gates.threshold_interval(trace.net[:, 0], case.output)
        theta = float(trace.thresholds[0])
        margin = gates.margin(trace.net[:, 0], theta, trace.weights[0])
        rows.append(
            (
                f'{case.title} ({case.coding})',
                latex.text_number(theta),
                f'({latex.text_number(interval.low)}, {latex.text_number(interval.high)}]',
                latex.text_number(margin, 4),
                '> instead of >= would break it' if margin == 0 else '',
            )
        )
    return Table(
        'gate_margins',
        'How much room the thresholds leave',
        'A margin of 0: a sample lies on the line.',
        ('gate', 'threshold', 'thresholds that do', 'margin', ''),
        rows,
        '<><><',
    )


def gate_regions(case: GateCase) -> Regions:
    """What the gate says over the plane."""
    points = gates.truth_inputs(2, case.coding)

    def answer(grid):
        return gates.gate(grid, case.layers, case.coding)[-1].output[:, 0]

    lines = {}
    for unit, (weights, theta) in enumerate(zip(*case.layers[0]), start=1):
        ends = line((0.0, *weights), theta, *planes.ranges(points))
        if ends is not None:
            lines[f'unit {unit}'] = ends
    return planes.regions(
        f'gate_map_{case.name}',
        f'{case.title} ({case.coding})',
        answer,
        points,
        case.output,
        note=case.note,
        nodes=301,
        lines=lines,
    )


def gate_figures(case: GateCase) -> list[Figure]:
    """Table and, for two inputs, the map."""
    return [gate_table(case), *([gate_regions(case)] if case.inputs == 2 else [])]


def activation_curves(
    names: Sequence[str | Activation], low: float = -5, high: float = 5, step: float = 0.1
) -> tuple[Lines, Lines]:
    """Functions and derivatives over one grid (built in float64: entry 50 is -1.8e-14, not 0)."""
    x = np.arange(low, high, step)
    entries = _elementwise(names)
    found = {entry.name: each for entry, each in zip(entries, sampled(entries, x), strict=True)}
    functions = {name: (x, each.value) for name, each in found.items()}
    slopes = {name: (x, each.slope) for name, each in found.items()}
    return (
        Lines('activations', 'Activations', '', functions, 'x', 'f(x)'),
        Lines('activation_slopes', 'Their derivatives', 'Closed forms.', slopes, 'x', "f'(x)"),
    )


def _elementwise(names: Sequence[str | Activation]) -> list[Activation]:
    return [entry for entry in map(activation, names) if entry.elementwise]


def activation_table(names: Sequence[str | Activation]) -> Table:
    """Derivative against automatic differentiation, steepest slope, where it vanishes, what happens at a kink."""
    grid = np.linspace(-8, 8, 1601)  # with 0 in its middle
    entries, rows = _elementwise(names), []
    for entry, at, beside in zip(entries, sampled(entries, grid), sampled(entries, grid + 1.234e-3), strict=True):
        rows.append(
            (
                entry.name,
                float(at.value[800]),
                float(np.max(at.slope)),
                f'{np.mean(np.abs(beside.slope) < 0.01):.0%}',
                f'{float(np.max(np.abs(beside.slope - beside.automatic))):.0e}',
                entry.note,
            )
        )
    return Table(
        'activation_table',
        'Activations side by side',
        'Flat: share of [-8, 8] with a slope below 0.01. Gap: closed form against jax.grad.',
        ('name', 'f(0)', 'steepest', 'flat', 'gap', 'note'),
        rows,
        '<>>>><',
    )


def museum_table() -> Table:
    """The wrong formulas beside the right ones."""
    rows = []
    for each in museum.MUSEUM.values():
        at = jnp.asarray(1.0)
        right, part = activation(each.right), 'derivative' if 'slope' in each.wrong.name else 'function'
        rows.append(
            (
                ', '.join(each.where),
                each.slip,
                float(getattr(each.wrong, part)(at)),
                float(getattr(right, part)(at)),
                each.effect,
            )
        )
    return Table(
        'wrong_formulas',
        'Formulas that were printed or executed wrongly',
        'Values at x = 1.',
        ('where', 'slip', 'wrong', 'right', 'effect'),
        rows,
        '<<>><',
    )


def tape_worked(cases: Sequence[TapeCase]) -> Worked:
    """Function, gradient by automatic differentiation, what was printed."""
    steps = []
    for case in cases:
        value, gradient = value_and_gradient(case)
        steps.append(
            Step(
                f'{case.what} at {latex.text_vector(case.at)}',
                case.latex,
                '',
                latex.vector(value) if np.ndim(value) else latex.number(value),
            )
        )
        steps.append(
            Step(
                'Gradient (jax.grad)',
                case.latex_gradient,
                '',
                latex.vector(gradient),
                f'printed: {case.printed}' if case.printed else '',
            )
        )
    return Worked('tape', 'Values and gradients', latex.ROUNDING, steps)


def manual_worked(trace: ManualTrace, params: Params, inputs: Numbers, labels: Numbers, variant: str) -> Worked:
    """E1's two-layer network on a few samples, every matrix."""
    divided = variant == 'corrected'
    hidden_net = f'{latex.matrices(inputs, params.w1)} + {latex.matrix(params.b1)}'
    logits = f'{latex.matrices(trace.hidden, params.w2)} + {latex.matrix(params.b2)}'
    steps = [
        matrix_step('Hidden net', r'X W_1 + b_1', trace.hidden_net, hidden_net),
        matrix_step('Hidden output', r'h = \sigma(X W_1 + b_1)', trace.hidden),
        matrix_step('Logits', r'h W_2 + b_2', trace.logits, logits),
        matrix_step('Probabilities', r'p = \mathrm{softmax}(h W_2 + b_2)', trace.probabilities),
        Step(
            f'Loss, labels {latex.text_vector(labels)}',
            r'L = -\frac{1}{N}\sum_i \ln p_{i, y_i}',
            result=latex.number(trace.loss),
        ),
        matrix_step(
            'Delta of the logits',
            r'\delta = (p - y) / N' if divided else r'\delta = p - y',
            trace.delta,
            mark='' if divided else 'as published: no 1/N, so sums over the batch',
        ),
        matrix_step('Gradient of W2', r'dW_2 = h^T \delta', trace.gradient_w2),
        matrix_step('Gradient of b2', r'db_2 = \sum_i \delta_i', trace.gradient_b2),
        matrix_step(
            'Delta of the hidden net (old W2)', r'\delta_h = \delta W_2^T \odot h \odot (1 - h)', trace.delta_hidden
        ),
        matrix_step('Gradient of W1', r'dW_1 = X^T \delta_h', trace.gradient_w1),
        matrix_step('Gradient of b1', r'db_1 = \sum_i \delta_{h,i}', trace.gradient_b1),
    ]
    return Worked(f'manual_{variant}', f'Two layers by hand, {variant.replace("_", " ")}', latex.ROUNDING, steps)
