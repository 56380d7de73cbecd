"""The delta rule as worked page, table, boundary, error surface with path, step-size stability (A03, C03)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.figures import Figure, Lines, Regions, Step, Table, Worked
from jaxlab.layers.activations import Activation, activation
from jaxlab.worked import delta_rule
from jaxlab.worked.delta_rule import DeltaRun
from jaxlab.worked.quantities import iteration
from jaxlab.worked.separability import line
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show import latex, planes
from jaxlab.worked.show.steps import error_step, net_step


def worked(run: DeltaRun, learning_rate: float, function: str | Activation = 'linear', epochs: int = 1) -> Worked:
    """A worked computation: the first epochs of the delta rule, sample by sample."""
    entry, steps = activation(function), []
    error = (
        rf'e = d - y,\; y = f(z) = {entry.latex}'.replace('x', 'z', 1)
        if entry.name == 'linear'
        else rf'e = d - y,\; y = f(z),\; f(x) = {entry.latex}'
    )
    for epoch in range(min(epochs, len(run.mse))):
        for n in range(run.trace.target.shape[1]):
            at = iteration(run.trace, (epoch, n))
            steps += [
                net_step(at, epoch, n),
                error_step(at, 'Output and error', error),
                Step('Half squared error', r'E = \tfrac{1}{2} e^2', '', latex.number(at.half_square)),
                Step(
                    'Gradient',
                    r"\frac{\partial E}{\partial w} = -e\, f'(z)\, x",
                    rf'-{latex.factor(at.error)} \cdot {latex.number(at.slope)} \cdot {latex.vector(at.inputs)}',
                    latex.vector(at.gradient),
                ),
                Step(
                    'New weights',
                    r'w \leftarrow w - \eta \frac{\partial E}{\partial w}',
                    rf'{latex.vector(at.weights_before)} - {latex.number(learning_rate)} \cdot {latex.vector(at.gradient)}',
                    latex.vector(at.weights),
                    '' if at.error else 'no error: unchanged',
                ),
            ]
    return Worked('delta_worked', 'The delta rule, sample by sample', latex.ROUNDING, steps)


def epoch_table(run: DeltaRun, names: tuple[str, ...] = (), most: int = 50) -> Table:
    """MSE and weights of every epoch."""
    names = names or ('bias', *(f'w{index}' for index in range(1, len(run.weights))))
    rows = [
        (epoch + 1, float(run.online_mse[epoch]), float(run.mse[epoch]), *map(float, run.trace.weights[epoch, -1]))
        for epoch in range(min(most, len(run.mse)))
    ]
    note = "Online: mean of the squared errors taken before each update; after: of the epoch's final weights." + (
        f' The first {most} of {len(run.mse)} epochs.' if len(run.mse) > most else ''
    )
    return Table(
        'delta_epochs',
        'Epoch by epoch',
        note,
        ('epoch', 'MSE online', 'MSE after', *names),
        rows,
        '>' * (3 + len(names)),
        10,
    )


def mse_curve(runs: Mapping[str, Any], limit: float | None = None) -> Lines:
    """MSE an epoch of several ways (batch, mini-batch, online, step sizes); the least-squares value as a line."""
    series = {}
    for label, values in runs.items():
        values = np.asarray(values, np.float64)
        good = np.isfinite(values) & (values > 0) & (values < 1e12)
        series[label] = (1 + np.flatnonzero(good), values[good])
    return Lines(
        'delta_mse',
        'Convergence of the MSE',
        'Of the weights at the end of each epoch.',
        series,
        'epoch',
        'mean squared error',
        y_log=True,
        horizontal={'least squares': limit} if limit is not None and limit > 1e-12 else {},
    )


def boundary(
    weights: Numbers,
    inputs: Numbers,
    targets: Numbers,
    level: float = 0.5,
    published_level: float | None = None,
    function: str | Activation = 'linear',
) -> Regions:
    """The output over the plane, cut at `level`; weights bias first, inputs without bias."""
    final, entry = np.asarray(weights, np.float64), activation(function)
    x_range, y_range = planes.ranges(inputs)
    lines, note = {}, f'Cut at output {latex.text_number(level)}.'
    if entry.name == 'linear':
        note += ' ' + planes.describe_line(final, level)
    if published_level is not None:
        ends = line(final, published_level, x_range, y_range)
        if ends is not None:
            lines[f'published: output {latex.text_number(published_level)}'] = ends
        else:
            note += f' The published line (output {latex.text_number(published_level)}) lies outside the picture.'
    outputs = np.asarray(delta_rule.predict(final, inputs, entry))
    right = (outputs > level) == (np.asarray(targets) > level)
    note += f' Right: {int(right.sum())} of {len(right)} samples'
    if published_level is not None:
        old = (outputs > published_level) == (np.asarray(targets) > level)
        note += f'; with the published cut {int(old.sum())}'
    return planes.regions(
        'delta_boundary',
        'Decision boundary',
        lambda grid: delta_rule.predict(final, grid, entry),
        inputs,
        targets,
        (level,),
        'output',
        note + '.',
        lines=lines,
    )


def surface(
    run: DeltaRun,
    inputs: Numbers,
    targets: Numbers,
    axes: tuple[int, int] = (0, 1),
    names: tuple[str, str] = ('w1', 'w2'),
    function: str | Activation = 'linear',
    nodes: int = 81,
) -> Regions:
    """The squared error over two weights, the others as they ended, with the path of the weights."""
    path = run.path[:, list(axes)]
    path = path[np.isfinite(path).all(axis=1)]
    low, high = path.min(axis=0), path.max(axis=0)
    room = 0.35 * np.max(high - low) + 0.1
    first, second = (np.linspace(low[k] - room, high[k] + room, nodes) for k in (0, 1))
    values = delta_rule.error_surface(inputs, targets, first, second, run.weights, axes, function)
    levels = np.quantile(values, np.linspace(0.04, 0.9, 9))
    labels = ['bias', *(f'w{k}' for k in range(1, len(run.weights)))]
    others = [f'{labels[k]} = {latex.text_number(run.weights[k], 4)}' for k in range(len(run.weights)) if k not in axes]
    note = f'{len(path) - 1} updates from the start to the end.' + (f' Held: {", ".join(others)}.' if others else '')
    return Regions(
        'delta_surface',
        'Error surface with the path of the weights',
        note,
        {'start': path[:1], 'end': path[-1:]},
        {'path': path},
        x_label=names[0],
        y_label=names[1],
        x_range=(float(first[0]), float(first[-1])),
        y_range=(float(second[0]), float(second[-1])),
        x=first,
        y=second,
        values=values,
        levels=tuple(float(v) for v in np.unique(levels)),
        value_label='mean squared error',
    )


def stability(inputs: Numbers, bias: bool = True, highest: float = 1.5, used: float | None = None) -> Lines:
    """Spectral radius of one online epoch over the learning rate."""
    rates = np.linspace(0.01, highest, 150)
    radii = np.array([delta_rule.spectral_radius(inputs, rate, bias) for rate in rates])
    over = np.flatnonzero(radii >= 1 - 1e-9)
    limit = f'Stable below a rate of about {latex.text_number(rates[over[0]], 3)}. ' if over.size else ''
    batch = 2.0 / delta_rule.correlation_eigenvalues(inputs, bias)[-1]
    return Lines(
        'delta_stability',
        'Which learning rates are stable',
        f'{limit}Full-batch descent on the mean: below {latex.text_number(batch, 4)}. Linear unit.',
        {'online epoch': (rates, radii)},
        'learning rate',
        'spectral radius of one epoch',
        horizontal={'limit': 1.0},
        vertical={} if used is None else {'used': used},
    )


def delta_figures(
    run: DeltaRun,
    inputs: Numbers,
    targets: Numbers,
    learning_rate: float,
    function: str | Activation = 'linear',
    level: float = 0.5,
    published_level: float | None = None,
) -> list[Figure]:
    """Everything of one run; inputs without bias, weights bias first."""
    figures: list[Figure] = [
        worked(run, learning_rate, function),
        epoch_table(run),
        mse_curve({'online rule': run.mse}, delta_rule.least_squares(inputs, targets)[1]),
        stability(inputs, used=learning_rate),
    ]
    if np.shape(inputs)[1] == 2 and np.isfinite(run.weights).all():
        figures += [
            boundary(run.weights, inputs, targets, level, published_level, function),
            surface(run, inputs, targets, (1, 2), function=function),
        ]
    return figures
