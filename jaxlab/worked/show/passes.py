"""Forward and backward passes as worked pages, published beside right, the network as a graph (C02, C07 to C17)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxlab.figures import Figure, Graph, Lines, Node, Step, Table, Worked
from jaxlab.layers.activations import Activation, activation
from jaxlab.worked.cases.printed import Golden, Slip, numbers
from jaxlab.worked.gradient_check import GradientCheck
from jaxlab.worked.network import BackpropTrace, LayerForward, Names
from jaxlab.worked.quantities import iteration
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show import latex
from jaxlab.worked.show.steps import matrix_step


def _of(entry: Activation, argument: str) -> str:
    """The formula of an activation, in LaTeX."""
    return rf'f({argument}),\; f(x) = {entry.latex}'


def forward_steps(layers: Sequence[LayerForward], activations: Names) -> list[Step]:
    """Net and output of every layer."""
    steps = []
    for index, (layer, each) in enumerate(zip(layers, activations), start=1):
        entry = activation(each)
        before = np.asarray(layers[index - 2].output) if index > 1 else None
        padded = before is not None and before.shape != layer.inputs.shape
        if padded:
            ones = f'Bias: a row of ones on top of the output of layer {index - 1}'
            steps.append(matrix_step(ones, rf'A^{{[{index - 1}]}}', layer.inputs))
        net = rf'Z^{{[{index}]}} = W^{{[{index - 1}]}} A^{{[{index - 1}]}}'
        output = rf'A^{{[{index}]}} = ' + _of(entry, rf'Z^{{[{index}]}}')
        outside = _range_mark(entry, np.asarray(layer.output))
        steps += [
            matrix_step(f'Layer {index}: net', net, layer.net, latex.matrices(layer.weights, layer.inputs)),
            matrix_step(f'Layer {index}: {entry.name}', output, layer.output, mark=outside),
        ]
    return steps


def _range_mark(entry: Activation, output: np.ndarray) -> str:
    """A check that would have caught the wrong sigmoid at once."""
    outside = (output < entry.low) | (output > entry.high)
    return f'outside the range of {entry.name}' if outside.any() else ''


def forward_worked(layers: Sequence[LayerForward], activations: Names, name: str, title: str, note: str = '') -> Worked:
    """A forward pass of all columns."""
    first = matrix_step('Samples are columns; a bias is a row of ones on top', r'A^{[0]}', layers[0].inputs)
    return Worked(
        f'forward_{name}', title, f'{latex.ROUNDING} {note}'.strip(), [first, *forward_steps(layers, activations)]
    )


def backward_steps(
    trace: BackpropTrace, activations: Names, learning_rate: float, loss: str = 'half_squared'
) -> list[Step]:
    """Error, deltas, gradients, new weights of one update."""
    last = len(trace.forward)
    output, target = trace.forward[-1].output, trace.target
    if loss == 'half_squared':
        steps = [
            Step(
                'Error',
                r'E = \tfrac{1}{2}\sum (a - t)^2',
                rf'\tfrac{{1}}{{2}}\left\| {latex.matrix(output)} - {latex.matrix(target)} \right\|^2',
                latex.number(trace.error),
            )
        ]
    else:
        steps = [Step('Error: cross-entropy', r'E = -\sum t \ln a', '', latex.number(trace.error))]
    for index in range(last, 0, -1):
        step, entry = trace.backward[index - 1], activation(activations[index - 1])
        upstream = 'a - t' if index == last else rf'W^{{[{index}]T}}_{{\text{{no bias}}}}\,\delta_{{{index + 1}}}'
        if index < last:
            above = trace.backward[index]
            through = f'Back through the weights of layer {index + 1}, without their bias column'
            product = f'{latex.matrix(above.weights_no_bias)}^T {latex.matrix(above.delta)}'
            steps.append(matrix_step(through, upstream, step.upstream, product))
        direct = index == last and loss == 'cross_entropy'
        if not direct and entry.elementwise:
            slope = rf"f'(Z^{{[{index}]}}),\; f' = {entry.latex_derivative}"
            flat = 'flat here: nothing is learned' if not np.any(step.slope) else ''
            steps.append(matrix_step(f'Slope of {entry.name} in layer {index}', slope, step.slope, mark=flat))
        formula = (
            rf'\delta_{{{index}}} = {upstream}'
            if direct
            else (rf"\delta_{{{index}}} = ({upstream}) \odot f'(Z^{{[{index}]}})")
        )
        with_numbers = (
            ''
            if direct or not entry.elementwise
            else (rf'{latex.matrix(step.upstream)} \odot {latex.matrix(step.slope)}')
        )
        gradient = rf'\Delta W^{{[{index - 1}]}} = \delta_{{{index}}} A^{{[{index - 1}]T}}'
        product = f'{latex.matrices(step.delta, trace.forward[index - 1].inputs)}^T'
        steps += [
            matrix_step(f'Delta of layer {index}', formula, step.delta, with_numbers),
            matrix_step(f'Gradient of W{index - 1}', gradient, step.gradient, product),
        ]
    for index in range(last - 1, -1, -1):
        old, gradient = latex.matrix(trace.forward[index].weights), latex.matrix(trace.backward[index].gradient)
        update = rf'W^{{[{index}]}} \leftarrow W^{{[{index}]}} - \eta\,\Delta W^{{[{index}]}}'
        change = rf'{old} - {latex.number(learning_rate)} \cdot {gradient}'
        steps.append(matrix_step(f'New W{index}', update, trace.weights[index], change))
    return steps


def backward_worked(
    trace: BackpropTrace,
    activations: Names,
    learning_rate: float,
    name: str,
    title: str,
    samples: int = 3,
    loss: str = 'half_squared',
    note: str = '',
) -> list[Worked]:
    """One worked page a sample of an epoch's trace, the first `samples` of them."""
    pages = []
    for n in range(min(samples, trace.error.shape[0])):
        at = iteration(trace, n)
        steps = [
            Step('The sample, bias on top', r'A^{[0]}', '', latex.matrix(at.forward[0].inputs), part=f'Sample {n + 1}'),
            *forward_steps(at.forward, activations),
            *backward_steps(at, activations, learning_rate, loss),
        ]
        pages.append(
            Worked(f'backward_{name}_{n + 1}', f'{title}: iteration {n + 1}', f'{latex.ROUNDING} {note}'.strip(), steps)
        )
    return pages


def published_table(found: dict[str, np.ndarray], goldens: Sequence[Golden], name: str, title: str) -> Table:
    """What the page printed beside what is right."""
    rows: list[tuple[Any, ...]] = []
    for golden in goldens:
        if golden.published is not None:
            right = latex.text_matrix(found.get(golden.quantity, golden.right))
            rows.append(
                (
                    golden.quantity,
                    latex.as_matrix(golden.published),
                    right,
                    'agrees' if golden.agrees else 'differs',
                    golden.cause,
                )
            )
    differing = sum(row[3] == 'differs' for row in rows)
    return Table(
        f'published_{name}',
        title,
        f'{differing} of {len(rows)} printed quantities differ.',
        ('quantity', 'published', 'right', '', 'cause'),
        rows,
        '<<<<<',
    )


def deviation_table(found: dict[str, np.ndarray], golden: Golden, name: str, title: str) -> Table:
    """Entry by entry where a printed matrix is wrong: value, right value, deviation."""
    printed, _ = numbers(golden.published or '')
    right = np.asarray(found[golden.quantity])
    rows = [
        (
            f'({row + 1}, {column + 1})',
            float(printed[row * right.shape[1] + column]),
            float(right[row, column]),
            float(printed[row * right.shape[1] + column] - right[row, column]),
        )
        for row, column in np.ndindex(*right.shape)
    ]
    return Table(f'deviation_{name}', title, golden.cause, ('entry', 'published', 'right', 'deviation'), rows, '<>>>')


def slip_table(slips: Sequence[Slip], name: str, title: str) -> Table:
    """The slips of a page."""
    rows = [(slip.spec, slip.what, slip.published, slip.right, slip.cause) for slip in slips]
    return Table(
        f'slips_{name}', title, f'{len(rows)} slips.', ('page', 'what', 'published', 'right', 'cause'), rows, '<<<<<'
    )


def check_table(checks: Sequence[GradientCheck], name: str = 'gradients') -> Table:
    """Hand gradients beside automatic differentiation and central differences."""
    rows: list[tuple[Any, ...]] = []
    for index, check in enumerate(checks):
        rows.append(
            (
                f'dW{index}',
                latex.text_matrix(check.hand),
                latex.text_matrix(check.automatic),
                latex.text_matrix(check.differences),
                f'{check.gap:.1e}',
            )
        )
    return Table(
        f'check_{name}',
        'Hand gradients beside automatic differentiation',
        'Summed over all samples at the start weights. Last column: largest difference to jax.grad.',
        ('matrix', 'by hand', 'jax.grad', 'central differences', 'gap'),
        rows,
        '<<<<>',
    )


def weights_table(weights: Sequence[Numbers], name: str = 'weights', title: str = 'The weights in the end') -> Table:
    """The final weights of every layer."""
    rows = [(f'W{index}', latex.text_matrix(matrix, 10)) for index, matrix in enumerate(weights)]
    return Table(name, title, 'One row a unit, bias first.', ('matrix', 'values'), rows, '<<')


def graph(trace: BackpropTrace, name: str = 'network', title: str = 'The network', widest: int = 6) -> Graph | None:
    """One sample in the network: outputs above the nodes, deltas below; None if it is too wide to be read."""
    sizes = [
        trace.forward[0].inputs.shape[0],
        *(layer.inputs.shape[0] for layer in trace.forward[1:]),
        trace.forward[-1].output.shape[0],
    ]
    if max(sizes) > widest or trace.error.ndim:
        return None
    nodes, edges = {}, []
    for column, size in enumerate(sizes):
        last = column == len(sizes) - 1
        values = np.asarray(trace.forward[-1].output if last else trace.forward[column].inputs)[:, 0]
        units = trace.forward[column - 1].output.shape[0] if column else size
        for row in range(size):
            unit = row - (size - units)  # negative: the bias row
            bias = unit < 0 or (
                column == 0 and row == 0 and trace.forward[0].weights.shape[1] == size and values[0] == 1
            )
            delta = np.asarray(trace.backward[column - 1].delta)[unit, 0] if column and unit >= 0 else None
            nodes[f'{column}.{row}'] = Node(
                '1' if bias else f'x{row}' if not column else f'a{unit + 1}',
                float(column),
                float(row - (size - 1) / 2),
                latex.text_number(values[row], 4),
                '' if delta is None else latex.text_number(delta, 4),
                0 if not column else 2 if last else 1,
            )
        if column:
            matrix = np.asarray(trace.forward[column - 1].weights)
            for unit in range(units):
                edges += [
                    (
                        f'{column - 1}.{source}',
                        f'{column}.{unit + size - units}',
                        latex.text_number(matrix[unit, source], 4),
                    )
                    for source in range(matrix.shape[1])
                ]
    return Graph(
        name,
        title,
        'Above a node its output, below it its delta; on an edge its weight.',
        nodes,
        edges,
        ('input', 'hidden', 'output'),
    )


def error_curves(
    curves: dict[str, np.ndarray], name: str = 'errors', title: str = 'Summed error', log: bool = True
) -> Lines:
    """Errors an epoch of several runs (learning rates, losses). What is not finite is left out."""
    series, left_out = {}, []
    for label, values in curves.items():
        values = np.asarray(values, np.float64)
        good = np.isfinite(values) & ((values > 0) if log else True)
        if not np.isfinite(values).all():
            left_out.append(f'{label}: not finite from epoch {int(np.argmin(np.isfinite(values)))}')
        series[label] = (np.flatnonzero(good), values[good])
    return Lines(name, title, '; '.join(left_out), series, 'epoch', 'summed error', y_log=log)


def backward_figures(
    trace: BackpropTrace,
    activations: Names,
    learning_rate: float,
    name: str,
    title: str,
    checks: Sequence[GradientCheck] = (),
    loss: str = 'half_squared',
    note: str = '',
) -> list[Figure]:
    """The pages of an epoch, the first sample's graph, the check."""
    figures: list[Figure] = list(backward_worked(trace, activations, learning_rate, name, title, loss=loss, note=note))
    drawn = graph(iteration(trace, 0), f'graph_{name}', f'{title}: the first sample')
    return [*figures, *([drawn] if drawn else []), *([check_table(checks, name)] if checks else [])]
