"""Threshold gates as data (spec C01, C18, C19, C20, C21) and what they leave out: NOT, NOR, NAND, bipolar XOR."""

import dataclasses

from jaxlab.worked.cases.base import Case, by_name
from jaxlab.worked.gates import GateTrace, gate, truth_inputs


@dataclasses.dataclass(frozen=True)
class GateCase(Case):
    """`layers`: (weights [U][D], thresholds [U]) each, all units firing at `w . x >= theta`; `output` in truth order."""

    coding: str
    layers: tuple
    output: tuple[float, ...]
    published: tuple[float, ...] | None = None  # None: not in the source
    inputs: int = 2

    def traces(self) -> tuple[GateTrace, ...]:
        """The gate on its whole truth table, one trace a layer."""
        return gate(truth_inputs(self.inputs, self.coding), self.layers, self.coding)


def _one(weights, theta):
    return (((weights,), (theta,)),)


FOUR_GATES = ('C01', 'C19', 'C20')  # the page that computes them, the one by hand, the repeat
GATES = by_name(
    GateCase('or', 'OR', 'binary', _one((1, 1), 1), (0, 1, 1, 1), (0, 1, 1, 1), spec=FOUR_GATES),
    GateCase('and', 'AND', 'binary', _one((1, 1), 2), (0, 0, 0, 1), (0, 0, 0, 1), spec=FOUR_GATES),
    GateCase('or_bipolar', 'OR', 'bipolar', _one((1, 1), 0), (-1, 1, 1, 1), (-1, 1, 1, 1), spec=FOUR_GATES),
    GateCase(
        'and_bipolar',
        'AND',
        'bipolar',
        _one((1, 1), 1),
        (-1, -1, -1, 1),
        (-1, -1, -1, 1),
        spec=FOUR_GATES,
        note='The only one of the four thresholds that does not sit exactly on a net.',
    ),
    GateCase(
        'xor',
        'XOR from three units',
        'binary',
        ((((1, -1), (-1, 1)), (1, 1)), (((1, 1),), (1,))),
        (0, 1, 1, 0),
        (0, 1, 1, 0),
        spec=('C18', 'C21'),
        note='OR of two AND-NOT units; any thresholds in (0, 1] work. One unit alone cannot do it.',
    ),
    GateCase('nand', 'NAND', 'binary', _one((-1, -1), -1.5), (1, 1, 1, 0), spec=()),
    GateCase('nor', 'NOR', 'binary', _one((-1, -1), -0.5), (1, 0, 0, 0), spec=()),
    GateCase('not', 'NOT', 'binary', _one((-1,), -0.5), (1, 0), inputs=1, spec=()),
    GateCase('nand_bipolar', 'NAND', 'bipolar', _one((-1, -1), -1), (1, 1, 1, -1), spec=()),
    GateCase(
        'xor_bipolar',
        'XOR from three units',
        'bipolar',
        ((((1, -1), (-1, 1)), (1, 1)), (((1, 1),), (-1,))),
        (-1, 1, 1, -1),
        spec=(),
        note='The same two AND-NOT units; their OR needs a threshold in (-2, 0].',
    ),
)

# Columns of C01: nets and the interval of thresholds that give the same table with w = (1, 1).
C01_NETS = {
    'or': ((0, 1, 1, 2), (0, 1)),
    'and': ((0, 1, 1, 2), (1, 2)),
    'or_bipolar': ((-2, 0, 0, 2), (-2, 0)),
    'and_bipolar': ((-2, 0, 0, 2), (0, 2)),
}
# The handwritten tables of C19, in truth order; one of the 16 entries is a slip.
C19_TABLES = {'and': (0, 0, 0, 1), 'or': (0, 1, 1, 1), 'and_bipolar': (-1, -1, -1, 1), 'or_bipolar': (1, 1, 1, 1)}
