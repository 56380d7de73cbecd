"""The perceptron rule on every gate: what can be learned, in which coding, and what never will (A01, C14)."""

from collections.abc import Sequence

from jaxlab.figures import Table
from jaxlab.worked.cases.perceptron import TARGETS, targets_of
from jaxlab.worked.gates import truth_inputs
from jaxlab.worked.perceptron import train_perceptron, verdict
from jaxlab.worked.show import latex

TIE = 1e-9  # nets this close to 0 count as 0, so that rounding decides nothing


def gate_table(
    learning_rate: float, most: int, codings: Sequence[str] = ('binary',), at_zero: Sequence[bool] = (True,)
) -> Table:
    """Every gate from zero weights under each coding and each rule for z = 0."""
    rows = []
    for gate in TARGETS:
        for coding in codings:
            inputs, targets = truth_inputs(2, coding), targets_of(gate, coding)
            for fires in at_zero:
                run = train_perceptron((0.0, 0.0, 0.0), inputs, targets, learning_rate, most, fires, coding, TIE)
                rows.append(
                    (
                        gate.replace('_', ' '),
                        coding,
                        'yes' if fires else 'no',
                        latex.text_vector(run.weights),
                        verdict(run, inputs, targets),
                    )
                )
    columns = ('gate', 'coding', 'fires at 0', 'final weights', 'outcome')
    kept = [0, *([1] if len(codings) > 1 else []), *([2] if len(at_zero) > 1 else []), 3, 4]
    return Table(
        'gates',
        f'Every gate from zero weights, learning rate {learning_rate:g}',
        f'At most {most} epochs; bias first. Whether a gate is separable is decided by a linear programme.',
        [columns[k] for k in kept],
        [[row[k] for k in kept] for row in rows],
        '<' * len(kept),
    )
