"""The delta rule: A03's twenty epochs, C03's three steps, the slips of C31 (C34 repeats half of C03)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Lines, Table
from jaxlab.layers.activations import ACTIVATIONS
from jaxlab.protocol import Report
from jaxlab.worked import delta_rule
from jaxlab.worked.cases.backward import BACKWARD
from jaxlab.worked.cases.delta import A03, C03, TRUE_OR_TARGETS
from jaxlab.worked.cases.slips import slips_of
from jaxlab.worked.delta_rule import DeltaRun, train_delta
from jaxlab.worked.pages.backward import checks_of, published, trace_of
from jaxlab.worked.pages.parts import by_name, once, renamed
from jaxlab.worked.quantities import epoch_quantities
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import delta as drawn
from jaxlab.worked.show import latex
from jaxlab.worked.show.passes import check_table, published_table, slip_table

POINTS = np.array(A03.inputs, np.float64)[:, :2]  # without the bias column, which is put in front here
LONG = 100


def page(settings: Settings) -> Report:
    """A03 with its boundary, the three ways to descend and the true OR; then C03 against autodiff and the page by hand."""
    rate, epochs = settings.learning_rate or A03.learning_rate, settings.epochs or A03.epochs
    run = train_delta(np.zeros(3), POINTS, A03.targets, rate, epochs)
    figures: list[Figure] = drawn.delta_figures(
        run, POINTS, A03.targets, rate, level=A03.level, published_level=A03.published_level
    )
    figures[1] = drawn.epoch_table(run, ('b', 'w1', 'w2'))
    figures += [
        cut_table(run),
        ways(rate, max(epochs, LONG)),
        targets_table(rate, epochs),
        slip_table(slips_of('A03'), 'A03', 'A03: what the report says otherwise'),
    ]
    short = c03_run(settings.learning_rate)
    figures += c03_figures(short, settings.learning_rate or C03.learning_rate)
    by_name(figures)
    limit, _ = delta_rule.least_squares(POINTS, A03.targets)
    outputs = np.asarray(delta_rule.predict(run.weights, POINTS))
    metrics = once(
        bias=run.weights[0],
        weight_1=run.weights[1],
        weight_2=run.weights[2],
        online_mse=run.online_mse[-1],
        final_mse=run.mse[-1],
        right_at_one_half=np.sum((outputs > 0.5) == (np.asarray(A03.targets) > 0.5)),
        right_at_zero=np.sum((outputs > 0) == (np.asarray(A03.targets) > 0.5)),
        c03_bias=short.weights[0],
        c03_weight_1=short.weights[1],
        c03_weight_2=short.weights[2],
    )
    return Report(
        figures,
        metrics,
        (
            f'The least-squares weights of A03 are {latex.text_vector(np.round(limit, 9))} (bias first): the vertical line '
            'x1 = 0.5. The published line, output 0, then runs through both samples of class 0.',
            A03.note,
            f'C03: {C03.note}',
            'C34 repeats the second half of C03.',
        ),
        ('delta_worked', 'delta_epochs', 'delta_cut', 'delta_worked_C03', 'slips_C31'),
        f'After {epochs} epochs the mean squared error is {run.mse[-1]:.4g} and the weights are '
        f'{latex.text_vector(run.weights, 4)} (bias first). Cut at output 0.5 all four samples are right, cut at 0, as '
        'published, two.'
        if epochs == A03.epochs and rate == A03.learning_rate
        else f'With learning rate {rate:g} the mean squared error after {epochs} epochs is {run.mse[-1]:.4g}.',
        comparable=settings.as_published,
    )


def cut_table(run: DeltaRun) -> Table:
    """The trained unit's outputs, cut half way and as published."""
    outputs = np.asarray(delta_rule.predict(run.weights, POINTS))
    return Table(
        'delta_cut',
        'Where the output is cut into classes',
        'A linear unit with targets 0 and 1 is cut half way; the published line is that of output 0.',
        ('x', 'target', 'output', 'cut at 0.5', 'cut at 0', ''),
        [
            (
                latex.text_vector(x),
                latex.text_number(t),
                float(y),
                int(y > 0.5),
                int(y > 0),
                'slip' if (y > 0) != (t > 0.5) else '',
            )
            for x, t, y in zip(POINTS, A03.targets, outputs)
        ],
        '<>>>><',
        6,
    )


def ways(rate: float, epochs: int) -> Lines:
    """Online, in pairs and in full batches, and with a sigmoid: the report asserts that online is faster."""
    curves = {}
    for label, size, function in (
        ('online', 1, 'linear'),
        ('batches of 2', 2, 'linear'),
        ('full batch', 4, 'linear'),
        ('online, sigmoid unit', 1, 'sigmoid'),
    ):
        curves[label] = delta_rule.batch_epochs(np.zeros(3), POINTS, A03.targets, rate, epochs, size, function)[1]
    figure = drawn.mse_curve(curves)
    return dataclasses.replace(
        figure,
        name='delta_ways',
        title='Online against batches, the same learning rate',
        note='Batches take the mean gradient, so an epoch of them moves less.',
    )


def targets_table(rate: float, epochs: int) -> Table:
    """A03 calls its targets OR; they are x1. The true OR has no exact linear solution but a right cut."""
    rows = []
    for label, targets in (('x1 (as trained)', A03.targets), ('OR (as named)', TRUE_OR_TARGETS)):
        run = train_delta(np.zeros(3), POINTS, targets, rate, epochs)
        limit, least = delta_rule.least_squares(POINTS, targets)
        outputs = np.asarray(delta_rule.predict(run.weights, POINTS))
        right = int(np.sum((outputs > 0.5) == (np.asarray(targets) > 0.5)))
        rows.append(
            (
                label,
                latex.text_vector(targets),
                latex.text_vector(run.weights, 5),
                float(run.mse[-1]),
                latex.text_vector(np.round(limit, 9), 5),
                abs(round(least, 12)),
                f'{right} of 4',
            )
        )
    return Table(
        'delta_targets',
        'The targets are x1, not OR',
        f'{epochs} epochs from zero weights; bias first.',
        ('targets', 't', 'weights', 'MSE', 'least squares', 'its MSE', 'right at 0.5'),
        rows,
        '<<<><>>',
    )


def c03_run(learning_rate: float = 0.0, epochs: int = 1) -> DeltaRun:
    """C03's run: its samples in the order in which it visits them."""
    return train_delta(C03.weights, C03.inputs, C03.targets, learning_rate or C03.learning_rate, epochs)


def c03_figures(run: DeltaRun, rate: float) -> list[Figure]:
    """Worked, beside `jax.grad`, what was printed, the page by hand, and how it goes on to the exact solution."""
    case = BACKWARD['C03']
    long = c03_run(rate, 1000)
    figures = renamed(
        [
            drawn.worked(run, rate),
            drawn.epoch_table(dataclass_first(long), most=100),
            drawn.stability(C03.inputs, used=rate),
        ],
        'C03',
        'C03',
    )
    return [
        figures[0],
        published_table(epoch_quantities(trace_of(case)), published(case), 'C03', 'C03: published beside right'),
        check_table(checks_of(case), 'C03'),
        slip_table(slips_of('C31'), 'C31', 'C31: the same steps by hand, slips of the page'),
        figures[1],
        figures[2],
        drawn_surface(long),
        activations_table(rate),
        limits_table(),
    ]


def dataclass_first(run: DeltaRun, epochs: int = 10) -> DeltaRun:
    """The first epochs of a run."""
    trace = jax.tree.map(lambda values: values[:epochs], run.trace)
    return DeltaRun(trace.weights[-1, -1], trace, run.online_mse[:epochs], run.mse[:epochs])


def drawn_surface(run: DeltaRun) -> Figure:
    figure = drawn.surface(dataclass_first(run, LONG), C03.inputs, C03.targets, (1, 2))
    note = f'{figure.note} The exact solution is (1, 0, -2), bias first.'
    return dataclasses.replace(
        figure, name='delta_surface_C03', title='C03: error surface, path of 100 epochs', note=note
    )


def activations_table(rate: float, epochs: int = 10) -> Table:
    """C03's data under the delta rule with other activations."""
    rows = []
    for name, entry in ACTIVATIONS.items():
        if entry.elementwise and name not in ('step', 'bipolar_step'):
            run = train_delta(C03.weights, C03.inputs, C03.targets, rate, epochs, name)
            rows.append((name, latex.text_vector(run.weights, 4), float(run.mse[0]), float(run.mse[-1])))
    return Table(
        'delta_activations',
        'C03 with every activation',
        f'{epochs} epochs; targets 1, -1, -1, bias first.',
        ('activation', 'weights', 'MSE after 1 epoch', f'after {epochs}'),
        rows,
        '<<>>',
    )


def limits_table() -> Table:
    """Largest useful step on one sample: 2 / |x|^2."""
    squares = 1 + np.sum(np.asarray(C03.inputs, float) ** 2, axis=1)
    rows = [
        (latex.text_vector((1, *x)), latex.text_number(s), float(limit))
        for x, s, limit in zip(C03.inputs, squares, delta_rule.sample_limits(C03.inputs))
    ]
    radius = float(jnp.max(jnp.asarray(delta_rule.spectral_radius(C03.inputs, C03.learning_rate))))
    return Table(
        'delta_limits',
        'C03: learning rates that one sample allows',
        f'Beyond the limit a step makes its own sample worse. One epoch at {C03.learning_rate:g} shrinks the '
        f'distance to the solution by {radius:.4f} in the long run.',
        ('x', 'squared length', 'limit'),
        rows,
        '<>>',
    )
