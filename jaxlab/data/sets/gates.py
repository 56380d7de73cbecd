"""Logic gates as data: the four rows of a truth table, in the fixed order (0,0), (0,1), (1,0), (1,1)."""

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Tensor
from jaxlab.data.sources import Request, check_options, checksum, choose
from jaxlab.errors import lookup

TRUTH = {  # outputs for the inputs 00, 01, 10, 11
    'or': (0, 1, 1, 1),
    'and': (0, 0, 0, 1),
    'xor': (0, 1, 1, 0),
    'nand': (1, 1, 1, 0),
    'nor': (1, 0, 0, 0),
    'xnor': (1, 0, 0, 1),
}
Coding = tuple[float, float]  # the numbers for false and true
CODINGS: dict[str, Coding] = {'binary': (0.0, 1.0), 'bipolar': (-1.0, 1.0)}


def truth_table(gate: str, coding: str) -> dict[str, np.ndarray]:
    """{'inputs': [4, 2] float32, 'target': [4] float32} with false and true written in the coding's two numbers."""
    false, true = lookup(CODINGS, coding, 'coding')
    bits = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float32)
    outputs = np.array(lookup(TRUTH, gate, 'gate'), np.float32)
    return {'inputs': false + (true - false) * bits, 'target': false + (true - false) * outputs}


def read(request: Request) -> Raw:
    """Options: gate ('and', 'or', 'nand', 'nor', 'xor', 'xnor'), coding ('bipolar' or 'binary')."""
    options = check_options(request, {'gate': 'and', 'coding': 'bipolar'})
    return choose(request, {'embedded': lambda request: _read(options['gate'], options['coding'])}, 'use embedded')


def _read(gate: str, coding: str) -> Raw:
    arrays = truth_table(gate, coding)
    return Raw(
        source='embedded',
        parts={'train': in_memory(arrays)},
        features={'inputs': Tensor(), 'label': ClassLabel(('false', 'true'))},
        description=f'Truth table of {gate.upper()} in {coding} coding: four rows, the whole domain',
        licence='none needed (a definition)',
        checksum=checksum(arrays),
        notes=('The four rows are the whole domain: there is nothing left to hold out.',),
    )
