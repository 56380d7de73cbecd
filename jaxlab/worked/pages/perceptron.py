"""The perceptron learns OR: every row of every epoch (C05, C14; by hand C22; C23 repeats C14)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Table
from jaxlab.protocol import Report
from jaxlab.worked import perceptron, separability
from jaxlab.worked.cases.perceptron import PERCEPTRON, PerceptronCase
from jaxlab.worked.cases.slips import slips_of
from jaxlab.worked.pages.parts import by_name, once, renamed
from jaxlab.worked.perceptron import PerceptronRun, train_perceptron
from jaxlab.worked.quantities import iteration
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import latex
from jaxlab.worked.show import perceptron as drawn
from jaxlab.worked.show.many_gates import gate_table
from jaxlab.worked.show.passes import slip_table

STARTS = 10_000


def page(settings: Settings) -> Report:
    """C14 in full, C22's table beside it, C05 from its recovered start, the mixed-up targets, and where it must fail."""
    runs = {name: train(PERCEPTRON[name], settings) for name in ('C14', 'C05', 'C14 listed')}
    whole = runs['C14'].epochs if settings.show else 1
    figures: list[Figure] = list(figures_of('C14', runs['C14'], whole))
    figures += [by_hand(runs['C14']), slip_table(slips_of('C22'), 'C22', 'C22: the slips')]
    figures += renamed(figures_of('C05', runs['C05'], runs['C05'].epochs if settings.show else 1), 'C05', 'C05')
    listed = figures_of('C14 listed', runs['C14 listed'], 1)
    figures += renamed(
        [each for each in listed if each.name != 'perceptron_worked'], 'C14_listed', 'C14 as listed (AND)'
    )
    figures += [target_table(runs), gate_table(1.0, 20, at_zero=(True, False)), starts_figure(settings.seed)]
    by_name(figures)
    final, random = runs['C14'].weights, runs['C05'].weights
    metrics = once(
        bias=final[0],
        weight_1=final[1],
        weight_2=final[2],
        epochs=runs['C14'].epochs,
        updates=runs['C14'].mistakes.sum(),
        c05_bias=random[0],
        c05_weight_1=random[1],
        c05_weight_2=random[2],
        c05_epochs=runs['C05'].epochs,
        c14_listed_epochs=runs['C14 listed'].epochs,
    )
    c14, c05 = PERCEPTRON['C14'], PERCEPTRON['C05']
    return Report(
        figures,
        metrics,
        (
            f'C14: {perceptron.verdict(runs["C14"], c14.inputs, c14.targets)}. {c14.note}',
            f'C05: {perceptron.verdict(runs["C05"], c05.inputs, c05.targets)}. {c05.note}',
            'C23 repeats C14 with the same mix-up of the targets.',
        ),
        ('perceptron_worked', 'perceptron_trace', 'by_hand_C22', 'targets', 'gates'),
        f'Yes: from zero weights in {runs["C14"].epochs} epochs ({int(runs["C14"].mistakes.sum())} updates, the last epoch '
        f'is the check), from the random start of C05 in {runs["C05"].epochs}.',
        comparable=settings.as_published,
    )


def train(case: PerceptronCase, settings: Settings) -> PerceptronRun:
    """The case, with the learning rate and the number of epochs that were asked for."""
    rate, most = settings.learning_rate or case.learning_rate, settings.epochs or case.max_epochs
    return train_perceptron(
        case.weights, case.inputs, case.targets, rate, most, case.fires_at_zero, case.coding, case.tie
    )


def figures_of(name: str, run: PerceptronRun, worked_epochs: int) -> list[Figure]:
    case = PERCEPTRON[name]
    return drawn.perceptron_figures(run, case.inputs, case.targets, case.fires_at_zero, worked_epochs)


def by_hand(run: PerceptronRun) -> Table:
    """C22's 16 rows beside the trace; the two that differ are marked."""
    slips = {(slip.iteration, slip.row): slip for slip in slips_of('C22')}
    rows = []
    for epoch in range(run.epochs):
        for n in range(run.trace.target.shape[1]):
            at = iteration(run.trace, (epoch, n))
            slip = slips.get((epoch + 1, n))
            effect = 'none' if at.error == 0 else 'w + x' if at.error > 0 else 'w - x'
            rows.append(
                (
                    epoch + 1,
                    *drawn.trace_cells(at),
                    effect,
                    f'slip: {slip.quantity} {slip.published}' if slip else 'agrees',
                )
            )
    return Table(
        'by_hand_C22',
        'C22: the same trace by hand',
        f'{len(rows) - len(slips)} of {len(rows)} rows agree.',
        ('epoch', 'x', 'y', 'w', 'z', 'predicted', 'error', 'effect', 'C22'),
        rows,
        '><><>>><<',
    )


def target_table(runs: dict[str, PerceptronRun]) -> Table:
    """C14's listing shows AND targets; what ran is OR."""
    rows = []
    for name, label in (('C14', 'echo and trace (OR)'), ('C14 listed', 'listing (AND)'), ('C05', 'C05 (OR, strict)')):
        case, run = PERCEPTRON[name], runs[name]
        rows.append(
            (
                label,
                latex.text_vector(case.targets),
                run.epochs,
                int(run.mistakes.sum()),
                latex.text_vector(run.weights, 10),
                latex.text_number(separability.distance_to_line(run.weights, case.inputs, case.targets), 10),
            )
        )
    return Table(
        'targets',
        'Which targets ran? The listing of C14 says AND, its trace OR',
        'Distance 0: a sample lies on the line and only the rule for z = 0 decides about it.',
        ('targets of', 't', 'epochs', 'updates', 'final weights', 'least distance'),
        rows,
        '<<>><>',
    )


def starts_figure(seed: int) -> Figure:
    """C05 from many random starts: 2, 3 or 4 epochs, a third each."""
    case = PERCEPTRON['C05']
    starts = jax.random.uniform(jax.random.key(seed), (STARTS, 3))
    epochs, converged = perceptron.epochs_from_starts(
        starts,
        jnp.asarray(case.inputs, float),
        jnp.asarray(case.targets, float),
        1.0,
        max_epochs=50,
        fires_at_zero=case.fires_at_zero,
        coding=case.coding,
    )
    shares = {int(n): float(np.mean(np.asarray(epochs) == n)) for n in np.unique(np.asarray(epochs))}
    words = ', '.join(f'{n}: {part:.1%}' for n, part in shares.items())
    figure = drawn.start_bars(epochs, converged, 'C05: epochs from random starts in [0, 1)')
    return dataclasses.replace(figure, note=f'{figure.note} Epochs: {words}. In theory a third each for 2, 3 and 4.')
