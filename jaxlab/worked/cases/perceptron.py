"""The perceptron's cases (spec A01, C05, C14; by hand C22; repeat C23). Samples as rows, weights with the bias first."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxlab.data.sets.gates import TRUTH
from jaxlab.worked.cases.base import Case, by_name
from jaxlab.worked.gates import truth_inputs
from jaxlab.worked.shapes import coding_of

# targets in truth order, 0/1; `targets_of` turns them into the coding
TARGETS = TRUTH | {'x1_and_not_x2': (0, 0, 1, 0), 'not_x1_and_x2': (0, 1, 0, 0)}


def targets_of(gate: str, coding: str) -> tuple[float, ...]:
    """A gate's targets in that coding, in truth order."""
    return tuple(coding_of(coding)[bit] for bit in TARGETS[gate])


class Outcome(NamedTuple):
    """What a training ends in."""

    epochs: int
    updates: int
    weights: tuple[float, float, float]
    published: tuple[float, float, float] | None = None  # None: the page prints no weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerceptronCase(Case):
    """A gate that is to be learned. `tie`: nets this close to 0 count as 0."""

    gate: str
    coding: str = 'binary'
    weights: tuple[float, float, float] = (0, 0, 0)
    learning_rate: float = 1.0
    max_epochs: int
    fires_at_zero: bool = True
    tie: float = 0.0
    golden: Outcome

    @property
    def inputs(self) -> Float[np.ndarray, '4 2']:
        """The four rows of the truth table."""
        return truth_inputs(2, self.coding)

    @property
    def targets(self) -> tuple[float, ...]:
        """What the gate says to each of them."""
        return targets_of(self.gate, self.coding)


A01 = PerceptronCase(
    'A01',
    'bipolar AND',
    gate='and',
    coding='bipolar',
    learning_rate=0.1,
    max_epochs=20,
    tie=1e-12,
    golden=Outcome(epochs=2, updates=1, weights=(-0.2, 0.2, 0.2), published=(-0.2, 0.2, 0.2)),
    spec=('A01',),
    note='One update solves it; from zero weights the learning rate only scales them.',
)
A01_BINARY = dataclasses.replace(
    A01,
    name='A01 binary',
    title='AND in 0/1 coding',
    coding='binary',
    golden=Outcome(epochs=6, updates=11, weights=(-0.3, 0.2, 0.1)),
    note='Six epochs where the bipolar coding needs two.',
)
A01_XOR = dataclasses.replace(
    A01,
    name='A01 xor',
    title='bipolar XOR',
    gate='xor',
    golden=Outcome(epochs=20, updates=80, weights=(0, 0, 0)),
    note='Not linearly separable: four mistakes an epoch for ever.',
)
C05 = PerceptronCase(
    'C05',
    'OR from random weights',
    gate='or',
    weights=(0.4077147925637835, 0.93321385, 0.37331598),
    max_epochs=1000,
    fires_at_zero=False,
    golden=Outcome(
        epochs=3,
        updates=3,
        weights=(-0.5922852074362165, 0.93321385, 1.37331598),
        published=(-0.5922852074362165, 0.93321385, 1.37331598),
    ),
    spec=('C05',),
    note='Only the final weights are printed; updates are integers and the start lies in [0, 1), so it can be recovered '
    'uniquely.',
)
C14 = PerceptronCase(
    'C14',
    'OR from zero weights',
    gate='or',
    max_epochs=10,
    golden=Outcome(epochs=4, updates=5, weights=(-1, 1, 1), published=(-1, 1, 1)),
    spec=('C14', 'C22', 'C23'),
    note='The final line has margin 0: two positives lie on it, saved by the rule for z = 0.',
)
C14_LISTED = dataclasses.replace(
    C14,
    name='C14 listed',
    title='AND, as the listing has it',
    gate='and',
    golden=Outcome(epochs=6, updates=11, weights=(-3, 2, 1)),
    spec=('C14',),
    note='The listing shows AND targets; the trace is that of OR.',
)
PERCEPTRON = by_name(A01, A01_BINARY, A01_XOR, C05, C14, C14_LISTED)
