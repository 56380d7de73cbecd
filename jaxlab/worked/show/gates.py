"""Threshold gates step by step, and which gates one unit can be (C01, C18, C19)."""

import numpy as np

from jaxlab.figures import Points, Step, Table, Worked
from jaxlab.worked.cases.gates import GateCase
from jaxlab.worked.cases.perceptron import TARGETS, targets_of
from jaxlab.worked.gates import truth_inputs
from jaxlab.worked.separability import separability
from jaxlab.worked.shapes import coding_of
from jaxlab.worked.show import latex, planes


def gate_worked(case: GateCase) -> Worked:
    """Every row of the truth table: each unit's net, set against its threshold."""
    traces = case.traces()
    no, yes = coding_of(case.coding)
    rule = rf'$y = {latex.number(yes)}$ where $w \cdot x \ge \theta$, else ${latex.number(no)}$.'
    steps = []
    for n, x in enumerate(np.asarray(traces[0].inputs)):
        begins = f'x = {latex.text_vector(x)}'
        for depth, trace in enumerate(traces, start=1):
            for unit, (weights, theta) in enumerate(
                zip(np.asarray(trace.weights), np.asarray(trace.thresholds)), start=1
            ):
                net, output = float(trace.net[n, unit - 1]), float(trace.output[n, unit - 1])
                name = f'Unit {depth}.{unit}' if len(traces) > 1 else 'The unit'
                sign = r'\ge' if net >= theta else '<'
                mark = 'exactly on the threshold' if net == theta else ''
                steps.append(
                    Step(
                        f'{name}: net against threshold',
                        r'w \cdot x',
                        latex.products(weights, trace.inputs[n]),
                        rf'= {latex.number(net)} {sign} {latex.number(theta)} = \theta,\; \text{{so}}\; y = '
                        f'{latex.number(output)}',
                        mark,
                        begins,
                    )
                )
                begins = ''
    return Worked(
        f'worked_{case.name}', f'{case.title} ({case.coding}), row by row', f'{rule} {case.note}'.strip(), steps
    )


def hidden_plane(case: GateCase) -> Points:
    """The truth table as the hidden units see it: three points, and one line is enough."""
    first, last = case.traces()
    weights = np.concatenate([-np.asarray(last.thresholds), np.asarray(last.weights)[0]])
    title = f'{case.title} ({case.coding}): the plane of the hidden units'
    return planes.hidden_plane(f'hidden_{case.name}', title, weights, first.output, case.output)


def possible_table() -> Table:
    """Which of the gates one unit can be at all: decided by a linear programme."""
    rows = []
    for gate in TARGETS:
        answer = separability(truth_inputs(2, 'binary'), targets_of(gate, 'binary'))
        weights = latex.text_vector(answer.weights, 4) if answer.weights is not None else 'there are none'
        rows.append(
            (
                gate.replace('_', ' '),
                'yes' if answer.separable else 'no: not linearly separable',
                weights,
                latex.text_number(answer.margin, 4) if answer.separable else '-',
            )
        )
    return Table(
        'possible',
        'Which gates can one unit be?',
        'A linear programme decides, here in 0/1 coding; -1/+1 only shifts and stretches the plane, so its verdicts '
        'are the same. Weights: bias first.',
        ('gate', 'one unit', 'weights', 'margin'),
        rows,
        '<<<>',
    )
