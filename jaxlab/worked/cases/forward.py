"""The forward passes, every matrix (spec C07, C08, C10, C13, C15, C16, C17; by hand C24; repeats C25, C26)."""

import dataclasses

from jaxlab.worked.cases.base import NetworkCase, by_name
from jaxlab.worked.cases.printed import Golden, same

X = ((0, -1, 1), (-1, 0, -1))
X_PADDED = ((1, 1, 1), (0, -1, 1), (-1, 0, -1))
W_C08 = ((-1, -1, 1), (0, 1, -1), (-1, 2, 1))
W_C17 = ((1, -1, 1), (0, 1, 1), (-1, 2, 1))
PRECEDENCE = '1/1 + exp(-z) was executed: 1 + exp(-z)'
S2, S3, S1, P1, P2 = (
    0.11920292202211755,
    0.04742587317756678,
    0.2689414213699951,
    0.7310585786300049,
    0.8807970779778823,
)  # sigmoid of -2, -3, -1, 1, 2
B1, B2, B3 = 0.46211715726000974, 0.7615941559557649, 0.9051482536448664  # bipolar sigmoid of 1, 2, 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForwardCase(NetworkCase):
    """`golden`: every matrix. The last two fields replay what was published, where it is wrong."""

    inputs: tuple = X  # the samples of all pages but one
    golden: tuple[Golden, ...]
    wrong_weights: tuple | None = None  # what really was in memory
    every_layer_reads_inputs: bool = False  # the published wiring: layer 2 is fed with X again


FORWARD = by_name(
    ForwardCase(
        'C07',
        'one layer, ReLU',
        weights=(((-1, -1, -1), (0, 1, -1), (-1, 2, 1)),),
        activations=('relu',),
        golden=(
            same('A0', X_PADDED),
            same('Z1', ((0, 0, -1), (1, -1, 2), (-2, -3, 0))),
            same('A1', ((0, 0, 0), (1, 0, 2), (0, 0, 0))),
        ),
        spec=('C07',),
        note='The determinant of A0 is -1, so the printed Z determines the weights uniquely.',
    ),
    ForwardCase(
        'C08',
        'two layers, ReLU and sigmoid',
        weights=(W_C08, ((1, 0, 1), (1, -1, 1), (0, -1, 1))),
        activations=('relu', 'sigmoid'),
        golden=(
            same('A0', X_PADDED),
            same('Z1', ((-2, 0, -3), (1, -1, 2), (-2, -3, 0))),
            same('A1', ((0, 0, 0), (1, 0, 2), (0, 0, 0))),
            same('Z2', ((0, 0, 0), (-1, 0, -2), (-1, 0, -2))),
            Golden(
                'A2',
                ((0.5, 0.5, 0.5), (S1, 0.5, S2), (S1, 0.5, S2)),
                '[[2, 2, 2], [3.7183, 2, 8.3891], [3.7183, 2, 8.3891]]',
                PRECEDENCE,
            ),
        ),
        spec=('C08',),
        note='A sigmoid cannot exceed 1: all nine printed outputs are outside its range.',
        wrong_activations=('relu', 'precedence_sigmoid'),
    ),
    ForwardCase(
        'C10',
        'one layer, sigmoid',
        weights=(W_C08,),
        activations=('sigmoid',),
        golden=(
            same('A0', X_PADDED),
            same('Z1', ((-2, 0, -3), (1, -1, 2), (-2, -3, 0))),
            Golden(
                'A1',
                ((S2, 0.5, S3), (P1, S1, P2), (S2, S3, 0.5)),
                '[[8.3891, 2, 21.0855], [1.3679, 3.7183, 1.1353], [8.3891, 21.0855, 2]]',
                PRECEDENCE,
            ),
        ),
        spec=('C10',),
        note='The printed "sigmoid" falls with z and lies above 1.',
        wrong_activations=('precedence_sigmoid',),
    ),
    ForwardCase(
        'C13',
        'two layers, linear without and ReLU with a bias',
        inputs=((1, 1, 0), (0, 1, 1)),
        weights=(((1, -1), (1, -1)), ((-1, 1, 0), (0, -1, 1), (1, 0, -1))),
        activations=('linear', 'relu'),
        golden=(
            same('A0', ((1, 1, 0), (0, 1, 1))),
            same('Z1', ((1, 0, -1), (1, 0, -1))),
            same('A1', ((1, 0, -1), (1, 0, -1))),
            same('A1 padded', ((1, 1, 1), (1, 0, -1), (1, 0, -1))),
            same('Z2', ((0, -1, -2), (0, 0, 0), (0, 1, 2))),
            same('A2', ((0, 0, 0), (0, 0, 0), (0, 1, 2))),
        ),
        spec=('C13', 'C26'),
        note='A linear hidden layer collapses: Z2 = [1 -1; 0 0; -1 1] X + (-1, 0, 1).',
    ),
    ForwardCase(
        'C15',
        'two layers, ReLU and bipolar sigmoid',
        weights=(W_C17, ((1, -1, -1), (0, 1, -1), (-1, 2, 1))),
        activations=('relu', 'bipolar_sigmoid'),
        golden=(
            same('A0', X_PADDED),
            same('Z1', ((0, 2, -1), (-1, -1, 0), (-2, -3, 0))),
            Golden(
                'A1',
                ((0, 2, 0), (0, 0, 0), (0, 0, 0)),
                '[[1, 1, 1], [0, -1, 1], [-1, 0, -1]]',
                'the padded X overwrites the hidden output (ReLU itself is printed right)',
            ),
            Golden(
                'Z2',
                ((0, 2, 0), (0, 0, 0), (0, -2, 0)),
                '[[0, 2, -1], [-1, -1, 0], [-2, -3, 0]]',
                'X fed to layer 2, and W1 in memory was still W0',
            ),
            Golden(
                'A2',
                ((0, B2, 0), (0, 0, 0), (0, -B2, 0)),
                '[[0, 0.7616, -0.4621], [-0.4621, -0.4621, 0], [-0.7616, -0.9051, 0]]',
                'follows from Z2',
            ),
        ),
        spec=('C15',),
        note='Layer 2 must change when the weights of layer 1 change; as published it does not: it was fed with X again.',
        wrong_weights=(W_C17, W_C17),
        every_layer_reads_inputs=True,
    ),
    ForwardCase(
        'C16',
        'one layer of two units, sigmoid',
        weights=(((-1, -1, 1), (-1, 2, 1)),),
        activations=('sigmoid',),
        golden=(
            same('A0', X_PADDED),
            same('Z1', ((-2, 0, -3), (-2, -3, 0))),
            Golden('A1', ((S2, 0.5, S3), (S2, S3, 0.5)), '[[0.1192, 0.5, 0.0474], [0.1192, 0.0474, 0.5]]'),
        ),
        spec=('C16', 'C24', 'C25'),
    ),
    ForwardCase(
        'C17',
        'one layer, ReLU, other weights',
        weights=(W_C17,),
        activations=('relu',),
        golden=(
            same('A0', X_PADDED),
            same('Z1', ((0, 2, -1), (-1, -1, 0), (-2, -3, 0))),
            same('A1', ((0, 2, 0), (0, 0, 0), (0, 0, 0))),
        ),
        spec=('C17',),
        note='8 of 9 outputs are zero (sparsity 0.889).',
    ),
)
