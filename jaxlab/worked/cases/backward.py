"""The backward passes, every number (spec C02, C11, C12; by hand C27, C29; repeats C28, C30) and C03's linear unit."""

import dataclasses

from jaxlab.worked.cases.base import NetworkCase, by_name
from jaxlab.worked.cases.forward import PRECEDENCE
from jaxlab.worked.cases.printed import Golden, same

WHOLE_ROW = 'computed against the whole target row, not the own target'


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackwardCase(NetworkCase):
    """Online backpropagation of one epoch; `golden`: one tuple an iteration."""

    targets: tuple[float, ...]
    learning_rate: float = 1.0
    golden: tuple[tuple[Golden, ...], ...]
    wrong_golden: tuple[tuple[Golden, ...], ...] = ()  # the published computation, recomputed in float64


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
        same('dW0', ((0, 0, 0), (0, 0, 0))),
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


def _unit(z, a, error, slope, change, weights, printed):
    """The goldens of a unit with bias and two equal columns, one entry of each argument an iteration.

    `change` and `weights`: of the bias (the first column's are alike) and of the second column; `printed`: z, a, dW, W as
    on the page.
    """
    return tuple(
        (
            Golden('Z1', ((net,),), net_text, tolerance=1e-11),
            Golden('A1', ((output,),), output_text, tolerance=1e-11),
            Golden('E', e, tolerance=1e-12 if e > 1e-3 else 1e-15),
            Golden('slope1', ((f,),), tolerance=1e-11),
            Golden('dW0', ((low, low, high),), change_text, tolerance=1e-12),
            Golden('W0', ((bias, bias, second),), weights_text, tolerance=1e-11),
        )
        for net, output, e, f, (low, high), (bias, second), (net_text, output_text, change_text, weights_text) in zip(
            z, a, error, slope, change, weights, printed, strict=True
        )
    )


_C11_PRINTED = (
    ('5', '1.0067', '-0.0034, -0.0034, -0.0103', '1.0034, 1.0034, 1.0103'),
    ('5.0378', '1.0065', '-4.2366e-05, -4.2366e-05, -1.2710e-04', '1.0035, 1.0035, 1.0104'),
)
_C11_RIGHT = _unit(
    z=(5, 4.96392512729),
    a=(0.993307149076, 0.993063002932),
    error=(0.121675971665, 2.406096416391e-05),
    slope=(0.00664805667079, 0.99306300293155 * (1 - 0.99306300293155)),
    change=((0.003279533883, 0.009838601649), (-4.778810665208e-05, -1.433643199562e-04)),
    weights=((0.996720466117, 0.990161398351), (0.996768254223, 0.99030476267)),
    printed=_C11_PRINTED,
)
_C11_WRONG = _unit(
    z=(5, 5.03781117226),
    a=(1.006737946999, 1.00648793376),
    error=(0.1283916734644, 2.104664221928e-05),
    slope=(-0.00678334692885, 1.00648793376 * (1 - 1.00648793376)),
    change=((-0.003437379297, -0.01031213789), (-4.236638287963e-05, -1.270991486389e-04)),
    weights=((1.003437379297, 1.01031213789), (1.003479745679, 1.010439237038)),
    printed=_C11_PRINTED,
)
_C12 = _unit(
    z=(5, 5.00048943897, 5.00097840389),
    a=(0.993307149076, 0.993310402108, 0.993313650422),
    error=(2.239712674735e-05, 2.237535997655e-05, 2.235363534106e-05),
    slope=(0.00664805667079, 0.00664484717178, 0.00664164230754),
    change=(
        (-4.449445223379e-05, -1.334833567014e-04),
        (-4.445135563125e-05, -1.333540668937e-04),
        (-4.440834224166e-05, -1.332250267250e-04),
    ),
    weights=((1.000044494452, 1.000133483357), (1.000088945808, 1.000266837424), (1.000133354150, 1.000400062450)),
    printed=(
        ('5', '0.9933', '-4.4494e-05, -4.4494e-05, -1.3348e-04', '1, 1, 1.0001'),
        ('5.0005', '0.9933', '-4.4451e-05, -4.4451e-05, -1.3335e-04', '1.0001, 1.0001, 1.0003'),
        ('5.001', '0.9933', '-4.4408e-05, -4.4408e-05, -1.3323e-04', '1.0001, 1.0001, 1.0004'),
    ),
)
# the row of errors that C11 and C12 print in each iteration: 0.5 (a - t)^2 for every target of the list
ERROR_ROWS = {
    'C11': tuple(
        Golden('E against all targets', errors, printed, f'{WHOLE_ROW}; {PRECEDENCE}', 1e-13)
        for errors, printed in (
            ((0.1216759716646, 2.239712674735e-05), '1.2839e-01, 2.2700e-05'),
            ((0.1215555624299, 2.406096416391e-05), '1.2827e-01, 2.1047e-05'),
        )
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

_C03 = (
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
)

BACKWARD = by_name(
    BackwardCase(
        'C02',
        'two layers, linear and ReLU, three updates',
        inputs=((1, -1, 1), (0, -1, 1)),
        targets=(0, 0, 1),
        weights=(((1, 0, 1), (-1, -1, 1)), ((0, 1, -1),)),
        activations=('linear', 'relu'),
        golden=_C02,
        spec=('C02', 'C29', 'C30'),
        note='Learning rate 1 makes the net explode: the summed error goes from 7 to 4.55e9 in one epoch.',
    ),
    BackwardCase(
        'C11',
        'one sigmoid unit, targets 0.5 and 1',
        inputs=((1, 1), (3, 3)),
        targets=(0.5, 1.0),
        weights=(((1, 1, 1),),),
        activations=('sigmoid',),
        golden=_C11_RIGHT,
        wrong_activations=('precedence_sigmoid',),
        wrong_golden=_C11_WRONG,
        spec=('C11',),
        note='The page has three samples and two targets: its loop drops the third in silence. Two targets for one input '
        'have no exact fit: the summed error is least at a = 0.75, z = ln 3.',
    ),
    BackwardCase(
        'C12',
        'one sigmoid unit, targets 1, 1, 1',
        inputs=((1, 1, 1), (3, 3, 3)),
        targets=(1, 1, 1),
        weights=(((1, 1, 1),),),
        activations=('sigmoid',),
        golden=_C12,
        spec=('C12', 'C27', 'C28'),
        note='The unit starts saturated: steps of 4e-5, nothing is learned.',
    ),
    BackwardCase(
        'C03',
        'one linear unit (delta rule)',
        inputs=((1, 1, -1), (0, 1, 1)),
        targets=(1, -1, -1),
        weights=(((1, 0, 1),),),
        activations=('linear',),
        learning_rate=0.1,
        golden=_C03,
        spec=('C03', 'C31', 'C34'),
        note='The exact solution of the three equations is (1, 0, -2).',
    ),
)
