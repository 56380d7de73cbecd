"""The backward passes, every number (spec C02, C11, C12; by hand C27, C29; repeats C28, C30) and C03's linear unit."""

import dataclasses

from jaxlab.worked.cases.printed import Golden, same

WHOLE_ROW = 'computed against the whole target row, not the own target'
PRECEDENCE = '1/1 + exp(-z) was executed: 1 + exp(-z)'


@dataclasses.dataclass(frozen=True)
class BackwardCase:
    """Online backpropagation of one epoch; `golden`: one tuple an iteration. Inputs and targets as columns."""

    name: str
    title: str
    inputs: tuple
    targets: tuple[float, ...]
    weights: tuple
    activations: tuple[str, ...]
    learning_rate: float
    golden: tuple[tuple[Golden, ...], ...]
    spec: tuple[str, ...]
    note: str = ''
    wrong_activations: tuple[str, ...] | None = None
    wrong_golden: tuple[tuple[Golden, ...], ...] = ()  # the published computation, recomputed in float64


_ZERO = ((0, 0, 0), (0, 0, 0))
_C02 = (
    (
        same('A0', ((1,), (1,), (0,))),
        same('Z1', ((1,), (-2,))),
        same('A1 padded', ((1,), (1,), (-2,))),
        same('Z2', ((3,),)),
        same('A2', ((3,),)),
        Golden('E', 4.5),
        Golden('delta2', ((3,),)),
        same('W1 no bias', ((1, -1),)),
        Golden('delta1', ((3,), (-3,))),
        same('dW1', ((3, 3, -6),)),
        same('dW0', ((3, 3, 0), (-3, -3, 0))),
        same('W1', ((-3, -2, 5),)),
        same('W0', ((-2, -3, 1), (2, 2, 1))),
    ),
    (
        same('A0', ((1,), (-1,), (-1,))),
        same('Z1', ((0,), (-1,))),
        same('A1 padded', ((1,), (0,), (-1,))),
        same('Z2', ((-8,),)),
        same('A2', ((0,),)),
        Golden('E', 0),
        Golden('delta2', ((0,),)),
        same('W1 no bias', ((-2, 5),)),
        Golden('delta1', ((0,), (0,))),
        same('dW1', ((0, 0, 0),)),
        same('dW0', _ZERO),
        same('W1', ((-3, -2, 5),)),
        same('W0', ((-2, -3, 1), (2, 2, 1))),
    ),
    (
        same('A0', ((1,), (1,), (1,))),
        same('Z1', ((-4,), (5,))),
        same('A1 padded', ((1,), (-4,), (5,))),
        same('Z2', ((30,),)),
        same('A2', ((30,),)),
        Golden('E', 420.5),
        Golden('delta2', ((29,),)),
        same('W1 no bias', ((-2, 5),)),
        Golden('delta1', ((-58,), (145,))),
        same('dW1', ((29, -116, 145),)),
        same('dW0', ((-58, -58, -58), (145, 145, 145))),
        same('W1', ((-32, 114, -140),)),
        same('W0', ((56, 55, 59), (-143, -143, -144))),
    ),
)


def _unit(z, a, error, slope, change, weights, printed=None, tolerance=1e-11):
    """The goldens of one iteration of a unit with bias and two equal columns; printed: z, a, dW, W as on the page."""
    z_text, a_text, change_text, weights_text = printed or (None,) * 4
    low, high = change
    bias, second = weights
    return (
        Golden('Z1', ((z,),), z_text, tolerance=tolerance),
        Golden('A1', ((a,),), a_text, tolerance=tolerance),
        Golden('E', error, tolerance=1e-12 if error > 1e-3 else 1e-15),
        Golden('slope1', ((slope,),), tolerance=1e-11),
        Golden('dW0', ((low, low, high),), change_text, tolerance=1e-12),
        Golden('W0', ((bias, bias, second),), weights_text, tolerance=tolerance),
    )


def _c11_text(iteration):
    """What C11 printed, to stand beside the right values."""
    return (
        ('5', '1.0067', '-0.0034, -0.0034, -0.0103', '1.0034, 1.0034, 1.0103'),
        ('5.0378', '1.0065', '-4.2366e-05, -4.2366e-05, -1.2710e-04', '1.0035, 1.0035, 1.0104'),
    )[iteration]


_C11_RIGHT = (
    _unit(
        5,
        0.993307149076,
        0.121675971665,
        0.00664805667079,
        (0.003279533883, 0.009838601649),
        (0.996720466117, 0.990161398351),
        _c11_text(0),
    ),
    _unit(
        4.96392512729,
        0.993063002932,
        2.406096416391e-05,
        0.99306300293155 * (1 - 0.99306300293155),
        (-4.778810665208e-05, -1.433643199562e-04),
        (0.996768254223, 0.99030476267),
        _c11_text(1),
    ),
)
_C11_WRONG = (
    _unit(
        5,
        1.006737946999,
        0.1283916734644,
        -0.00678334692885,
        (-0.003437379297, -0.01031213789),
        (1.003437379297, 1.01031213789),
        _c11_text(0),
    ),
    _unit(
        5.03781117226,
        1.00648793376,
        2.104664221928e-05,
        1.00648793376 * (1 - 1.00648793376),
        (-4.236638287963e-05, -1.270991486389e-04),
        (1.003479745679, 1.010439237038),
        _c11_text(1),
    ),
)
_C12 = (
    _unit(
        5,
        0.993307149076,
        2.239712674735e-05,
        0.00664805667079,
        (-4.449445223379e-05, -1.334833567014e-04),
        (1.000044494452, 1.000133483357),
        ('5', '0.9933', '-4.4494e-05, -4.4494e-05, -1.3348e-04', '1, 1, 1.0001'),
    ),
    _unit(
        5.00048943897,
        0.993310402108,
        2.237535997655e-05,
        0.00664484717178,
        (-4.445135563125e-05, -1.333540668937e-04),
        (1.000088945808, 1.000266837424),
        ('5.0005', '0.9933', '-4.4451e-05, -4.4451e-05, -1.3335e-04', '1.0001, 1.0001, 1.0003'),
    ),
    _unit(
        5.00097840389,
        0.993313650422,
        2.235363534106e-05,
        0.00664164230754,
        (-4.440834224166e-05, -1.332250267250e-04),
        (1.000133354150, 1.000400062450),
        ('5.001', '0.9933', '-4.4408e-05, -4.4408e-05, -1.3323e-04', '1.0001, 1.0001, 1.0004'),
    ),
)
# the row of errors that C11 and C12 print in each iteration: 0.5 (a - t)^2 for every target of the list
ERROR_ROWS = {
    'C11': (
        Golden(
            'E against all targets',
            (0.1216759716646, 2.239712674735e-05),
            '1.2839e-01, 2.2700e-05',
            WHOLE_ROW + '; ' + PRECEDENCE,
            1e-13,
        ),
        Golden(
            'E against all targets',
            (0.1215555624299, 2.406096416391e-05),
            '1.2827e-01, 2.1047e-05',
            WHOLE_ROW + '; ' + PRECEDENCE,
            1e-13,
        ),
    ),
    'C12': tuple(
        Golden('E against all targets', (error,) * 3, f'{text}, {text}, {text}', tolerance=1e-15)
        for error, text in (
            (2.239712674735e-05, '2.2397e-05'),
            (2.237535997655e-05, '2.2375e-05'),
            (2.235363534106e-05, '2.2354e-05'),
        )
    ),
}

BACKWARD: dict[str, BackwardCase] = {
    case.name: case
    for case in (
        BackwardCase(
            'C02',
            'two layers, linear and ReLU, three updates',
            ((1, -1, 1), (0, -1, 1)),
            (0, 0, 1),
            (((1, 0, 1), (-1, -1, 1)), ((0, 1, -1),)),
            ('linear', 'relu'),
            1.0,
            _C02,
            ('C02', 'C29', 'C30'),
            'Learning rate 1 makes the net explode: the summed error goes from 7 to 4.55e9 in one epoch.',
        ),
        BackwardCase(
            'C11',
            'one sigmoid unit, targets 0.5 and 1',
            ((1, 1), (3, 3)),
            (0.5, 1.0),
            (((1, 1, 1),),),
            ('sigmoid',),
            1.0,
            _C11_RIGHT,
            ('C11',),
            'The page has three samples and two targets: its loop drops the third in silence. Two targets for one input '
            'have no exact fit: the summed error is least at a = 0.75, z = ln 3.',
            wrong_activations=('precedence_sigmoid',),
            wrong_golden=_C11_WRONG,
        ),
        BackwardCase(
            'C12',
            'one sigmoid unit, targets 1, 1, 1',
            ((1, 1, 1), (3, 3, 3)),
            (1, 1, 1),
            (((1, 1, 1),),),
            ('sigmoid',),
            1.0,
            _C12,
            ('C12', 'C27', 'C28'),
            'The unit starts saturated: steps of 4e-5, nothing is learned.',
        ),
        BackwardCase(
            'C03',
            'one linear unit (delta rule)',
            ((1, 1, -1), (0, 1, 1)),
            (1, -1, -1),
            (((1, 0, 1),),),
            ('linear',),
            0.1,
            (
                (
                    same('Z1', ((1,),)),
                    same('A1', ((1,),)),
                    Golden('E', 0.0, '0'),
                    same('dW0', ((0, 0, 0),)),
                    same('W0', ((1, 0, 1),)),
                ),
                (
                    same('Z1', ((2,),)),
                    same('A1', ((2,),)),
                    Golden('E', 4.5, '4.5'),
                    same('dW0', ((3, 3, 3),)),
                    Golden('W0', ((0.7, -0.3, 0.7),), '0.7, -0.3, 0.7'),
                ),
                (
                    Golden('Z1', ((1.7,),), '1.7'),
                    Golden('A1', ((1.7,),), '1.7'),
                    Golden('E', 3.645, '3.645'),
                    Golden('dW0', ((2.7, -2.7, 2.7),), '2.7, -2.7, 2.7'),
                    Golden('W0', ((0.43, -0.03, 0.43),), '0.43, -0.03, 0.43'),
                ),
            ),
            ('C03', 'C31', 'C34'),
            'The exact solution of the three equations is (1, 0, -2).',
        ),
    )
}
