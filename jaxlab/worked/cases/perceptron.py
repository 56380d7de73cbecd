"""The perceptron's cases (spec A01, C05, C14; by hand C22; repeat C23). Samples as rows, weights with the bias first."""

import dataclasses

BINARY = ((0, 0), (0, 1), (1, 0), (1, 1))
BIPOLAR = ((-1, -1), (-1, 1), (1, -1), (1, 1))
# targets in truth order, 0/1; `targets_of` turns them into the coding
TARGETS = {
    'or': (0, 1, 1, 1),
    'and': (0, 0, 0, 1),
    'xor': (0, 1, 1, 0),
    'nand': (1, 1, 1, 0),
    'nor': (1, 0, 0, 0),
    'xnor': (1, 0, 0, 1),
    'x1_and_not_x2': (0, 0, 1, 0),
    'not_x1_and_x2': (0, 1, 0, 0),
}


@dataclasses.dataclass(frozen=True)
class PerceptronCase:
    """`published_*`: None where the page prints nothing. `tie`: nets this close to 0 count as 0."""

    name: str
    title: str
    inputs: tuple
    targets: tuple[float, ...]
    weights: tuple[float, float, float]
    learning_rate: float
    max_epochs: int
    coding: str
    fires_at_zero: bool
    epochs: int
    updates: int
    final: tuple[float, float, float]
    spec: tuple[str, ...]
    published_final: tuple[float, float, float] | None = None
    tie: float = 0.0
    note: str = ''


PERCEPTRON: dict[str, PerceptronCase] = {
    case.name: case
    for case in (
        PerceptronCase(
            'A01',
            'bipolar AND',
            BIPOLAR,
            (-1, -1, -1, 1),
            (0, 0, 0),
            0.1,
            20,
            'bipolar',
            True,
            2,
            1,
            (-0.2, 0.2, 0.2),
            ('A01',),
            (-0.2, 0.2, 0.2),
            1e-12,
            'One update solves it; from zero weights the learning rate only scales them.',
        ),
        PerceptronCase(
            'A01 binary',
            'AND in 0/1 coding',
            BINARY,
            (0, 0, 0, 1),
            (0, 0, 0),
            0.1,
            20,
            'binary',
            True,
            6,
            11,
            (-0.3, 0.2, 0.1),
            ('A01',),
            None,
            1e-12,
            'Six epochs where the bipolar coding needs two.',
        ),
        PerceptronCase(
            'A01 xor',
            'bipolar XOR',
            BIPOLAR,
            (-1, 1, 1, -1),
            (0, 0, 0),
            0.1,
            20,
            'bipolar',
            True,
            20,
            80,
            (0, 0, 0),
            ('A01',),
            None,
            1e-12,
            'Not linearly separable: four mistakes an epoch for ever.',
        ),
        PerceptronCase(
            'C05',
            'OR from random weights',
            BINARY,
            (0, 1, 1, 1),
            (0.4077147925637835, 0.93321385, 0.37331598),
            1.0,
            1000,
            'binary',
            False,
            3,
            3,
            (-0.5922852074362165, 0.93321385, 1.37331598),
            ('C05',),
            (-0.5922852074362165, 0.93321385, 1.37331598),
            0.0,
            'Only the final weights are printed; updates are integers and the start lies in [0, 1), so it can '
            'be recovered uniquely.',
        ),
        PerceptronCase(
            'C14',
            'OR from zero weights',
            BINARY,
            (0, 1, 1, 1),
            (0, 0, 0),
            1.0,
            10,
            'binary',
            True,
            4,
            5,
            (-1, 1, 1),
            ('C14', 'C22', 'C23'),
            (-1, 1, 1),
            0.0,
            'The final line has margin 0: two positives lie on it, saved by the rule for z = 0.',
        ),
        PerceptronCase(
            'C14 listed',
            'AND, as the listing has it',
            BINARY,
            (0, 0, 0, 1),
            (0, 0, 0),
            1.0,
            10,
            'binary',
            True,
            6,
            11,
            (-3, 2, 1),
            ('C14',),
            None,
            0.0,
            'The listing shows AND targets; the trace is that of OR.',
        ),
    )
}


def targets_of(gate: str, coding: str) -> tuple[float, ...]:
    """A gate's targets in that coding, in truth order."""
    return tuple(2.0 * t - 1.0 if coding == 'bipolar' else float(t) for t in TARGETS[gate])
