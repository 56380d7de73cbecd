"""A perceptron's training as a worked page, tables and figures (A01, C05, C14, C22)."""

from typing import Any

import numpy as np

from jaxlab.figures import Animation, Bars, Figure, Lines, Regions, Step, Table, Worked
from jaxlab.worked import separability
from jaxlab.worked.perceptron import PerceptronRun, PerceptronTrace, cycle, threshold, verdict
from jaxlab.worked.quantities import iteration
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show import latex, planes
from jaxlab.worked.show.steps import error_step, net_step

FRAMES = 24  # an animation with more is tiring


def _learning_rate(run: PerceptronRun) -> float | None:
    """Read back from the first update; None when there was none."""
    for change, error, x in zip(
        *(
            np.asarray(values).reshape(-1, *values.shape[2:])
            for values in (run.trace.change, run.trace.error, run.trace.inputs)
        )
    ):
        used = np.flatnonzero(error * x)
        if used.size:
            return float(change[used[0]] / (error * x[used[0]]))
    return None


def worked(run: PerceptronRun, epochs: int = 1) -> Worked:
    """The first epochs, sample by sample: net, output and error, new weights."""
    rate, steps = _learning_rate(run), []
    for epoch in range(min(epochs, run.epochs)):
        for n in range(run.trace.target.shape[1]):
            steps += _sample(run, epoch, n, rate)
    more = ' The other epochs are in the table.' if run.epochs > epochs else ''
    return Worked('perceptron_worked', 'The perceptron rule, sample by sample', latex.ROUNDING + more, steps)


def _sample(run: PerceptronRun, epoch: int, n: int, rate: float | None) -> list[Step]:
    at = iteration(run.trace, (epoch, n))
    steps = [
        net_step(at, epoch, n, f', w = {latex.text_vector(at.weights_before)}'),
        Step('Output', r'y = \mathrm{step}(z)', '', latex.number(at.output)),
        error_step(at, 'Error', r'e = t - y', '' if at.error == 0 else 'mistake'),
    ]
    if at.error == 0:
        return [*steps, Step('No error, so the weights stay', 'w', '', latex.vector(at.weights))]
    eta = latex.number(1.0 if rate is None else rate)
    return [
        *steps,
        Step(
            'New weights',
            r'w \leftarrow w + \eta\, e\, x',
            rf'{latex.vector(at.weights_before)} + {eta} \cdot {latex.factor(at.error)} \cdot '
            rf'{latex.vector(at.inputs)}',
            latex.vector(at.weights),
            'update',
        ),
    ]


def _effect(error: float, rate: float | None) -> str:
    """What the rule does: w + x, w - 0.2 x."""
    if error == 0:
        return 'none'
    size = abs(error) * (1.0 if rate is None else rate)
    factor = '' if size == 1 else latex.text_number(size) + ' '
    return f'w {"+" if error > 0 else "-"} {factor}x'


def trace_cells(at: PerceptronTrace) -> tuple[str, ...]:
    """One sample's row of a table: x, target, w before, net, output, error."""
    return (
        latex.text_vector(at.inputs),
        latex.text_number(at.target),
        latex.text_vector(at.weights_before),
        latex.text_number(at.net),
        latex.text_number(at.output),
        latex.text_number(at.error),
    )


def trace_table(run: PerceptronRun, most: int = 200) -> Table:
    """Every row of the trace, weights before and after."""
    rows: list[tuple[Any, ...]] = []
    rate, repeats = _learning_rate(run), cycle(run)
    for epoch in range(run.epochs if repeats is None else repeats[1]):
        for n in range(run.trace.target.shape[1]):
            at = iteration(run.trace, (epoch, n))
            effect = _effect(float(at.error), rate)
            rows.append(
                (
                    f'{epoch + 1}.{n + 1}',
                    *trace_cells(at),
                    effect,
                    latex.text_vector(at.weights),
                )
            )
    note = 'at: epoch and sample. x and w have the bias first, e = t - y.'
    note += f' The first {most} of {len(rows)} rows.' if len(rows) > most else ''
    if repeats is not None:
        note += (
            f' Epoch {repeats[1]} ends in the weights of epoch {repeats[0]}: from there it goes round for ever '
            f'({run.epochs} epochs were run).'
        )
    return Table(
        'perceptron_trace',
        'Every sample of every epoch',
        note,
        ('at', 'x', 't', 'w before', 'z', 'y', 'e', 'effect', 'w after'),
        rows[:most],
        '><><>>><<',
    )


def error_curve(run: PerceptronRun) -> Lines:
    """The error an epoch."""
    epochs = np.arange(1, run.epochs + 1)
    series = {'sum of |t - y|': (epochs, run.errors)}
    if not np.array_equal(run.errors, run.mistakes):
        series['mistakes'] = (epochs, run.mistakes)
    return Lines(
        'perceptron_error',
        'Convergence curve',
        'Counted online: each prediction before its own update. The last epoch without a mistake is a check.',
        series,
        'epoch',
        'total error',
        markers=True,
    )


def decision(
    run: PerceptronRun, inputs: Numbers, targets: Numbers, fires_at_zero: bool = True, weights: Numbers | None = None
) -> Regions:
    """What the trained unit says everywhere on the plane."""
    final = np.asarray(run.weights if weights is None else weights, np.float64)
    x_range, y_range = planes.ranges(inputs)
    no, yes = _values(targets)
    ends = separability.line(final, 0.0, x_range, y_range)
    note = planes.describe_line(final)
    distance = separability.distance_to_line(final, inputs, targets)
    if np.isfinite(distance):
        note += f' Least signed distance of a sample: {latex.text_number(distance, 4)}.'
        if distance == 0:
            note += ' A sample lies on the line: only the rule for z = 0 decides about it.'

    def answer(grid):
        fires = np.asarray(threshold(final[0] + grid @ final[1:], fires_at_zero, 'binary'))
        return np.where(fires > 0, yes, no)

    return planes.regions(
        'perceptron_boundary',
        'Decision boundary',
        answer,
        inputs,
        targets,
        note=note,
        lines={} if ends is None else {'boundary': ends},
    )


def _values(targets: Numbers) -> tuple[float, float]:
    values = np.unique(np.asarray(targets, np.float64))
    low = -1.0 if values[0] < 0 else 0.0
    return low, 1.0


def animation(run: PerceptronRun, inputs: Numbers, targets: Numbers) -> Animation:
    """The boundary after each update, the start first."""
    flat = run.trace.weights.reshape(-1, run.trace.weights.shape[-1])
    moved = np.flatnonzero(run.trace.error.reshape(-1))
    samples = run.trace.target.shape[1]
    if len(moved) > FRAMES - 1:
        moved = moved[np.unique(np.linspace(0, len(moved) - 1, FRAMES - 1).astype(int))]
    weights = np.concatenate([run.trace.weights_before[0, :1], flat[moved]])
    captions = ['start', *(f'after epoch {m // samples + 1}, sample {m % samples + 1}' for m in moved)]
    return planes.moving_boundary('perceptron_learning', 'The boundary moves', weights, captions, inputs, targets)


def separation_table(run: PerceptronRun, inputs: Numbers, targets: Numbers) -> Table:
    """Can it be done, with how much room, and what the theory promises."""
    answer = separability.separability(inputs, targets)
    rows: list[tuple[Any, ...]] = [
        ('linearly separable (linear programme)', 'yes' if answer.separable else 'no'),
        ('epochs', run.epochs),
        ('updates', int(run.mistakes.sum())),
        ('outcome', verdict(run, inputs, targets)),
    ]
    if answer.weights is not None and np.any(answer.weights[1:]):
        rows.insert(1, ('separating weights (bias first)', latex.text_vector(answer.weights, 4)))
    if run.converged and len(np.unique(np.asarray(targets))) == 2:
        bound = separability.mistake_bound(run.weights, inputs)
        rows += [
            (
                'margin of the final weights, min |z| / ||w||',
                latex.text_number(separability.margin(run.weights, inputs)),
            ),
            ('mistake bound (R / margin)^2', latex.text_number(bound) if np.isfinite(bound) else 'none: margin 0'),
        ]
    return Table(
        'perceptron_separability',
        'Can one threshold unit do it?',
        'The bound holds for a start at zero weights.',
        ('question', 'answer'),
        rows,
        '<<',
    )


def perceptron_figures(
    run: PerceptronRun, inputs: Numbers, targets: Numbers, fires_at_zero: bool = True, worked_epochs: int = 1
) -> list[Figure]:
    """Everything a report shows of one training; the plane only where there are two inputs."""
    figures: list[Figure] = [
        worked(run, worked_epochs),
        trace_table(run),
        error_curve(run),
        separation_table(run, inputs, targets),
    ]
    if np.shape(inputs)[1] == 2 and len(run.weights) == 3:
        figures += [decision(run, inputs, targets, fires_at_zero), animation(run, inputs, targets)]
    return figures


def start_bars(epochs: Numbers, converged: Numbers, title: str) -> Bars:
    """Epochs to the first one without a mistake, over random starts."""
    epochs, converged = np.asarray(epochs), np.asarray(converged)
    failed = int((~converged).sum())
    note = f'{len(epochs)} random starts' + (f'; {failed} did not converge and are left out.' if failed else '.')
    needed = epochs[converged].astype(int)
    counts = np.arange(needed.min(), needed.max() + 1) if needed.size else np.zeros(0, int)
    return Bars(
        'perceptron_starts',
        title,
        note,
        [str(count) for count in counts],
        {'starts': np.array([np.sum(needed == count) for count in counts])},
        x_label='epochs',
        y_label='starts',
    )
