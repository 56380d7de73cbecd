"""The slips of the pages, printed beside right (spec C 0.5; C08, C10, C11, C15 stand in `forward.py`, `backward.py`).

Those with a case are proved by a computation; `slips_of('C27')` lists a page's own.
"""

from jaxlab.worked.cases.printed import Slip

OLD = 'old weights used'
EXPONENT = 'e-05 read as e^-0.5'
UNIT = {  # what C27 calls a quantity of its unit: its name in the trace
    'start weights': 'W0 before',
    'input': 'A0',
    'padded input': 'A0',
    'net': 'Z1',
    'output': 'A1',
    'error': 'E',
    'slope': 'slope1',
    'gradient': 'dW0',
    'weights': 'W0',
}


def _c27(iteration, what, published, right, cause):
    return Slip('C27', f'iteration {iteration}, {what}', published, right, cause, 'C12', UNIT[what], iteration)


def _c29(what, published, right, cause, quantity, iteration=1):
    return Slip('C29', what, published, right, cause, 'C02', quantity, iteration)


SLIPS: tuple[Slip, ...] = (
    Slip('C02', 'shapes in the comments', 'X (2, 2), t (1, 2)', 'X (2, 3), t (1, 3)', 'comments'),
    Slip('C11', 'samples used', '2 of 3', '3, or an error', 'two targets for three samples: the loop stops early'),
    Slip('C11', 'error of a step', 'one number a target', "the own sample's", 'the whole target row is subtracted'),
    Slip('C12', 'error of a step', 'one number a target', "the own sample's", 'the whole target row is subtracted'),
    Slip(
        'C14', 'targets', '0, 0, 0, 1 (AND) in the listing', '0, 1, 1, 1 (OR) in the run', 'cell edited after running'
    ),
    Slip('C19', 'bipolar OR of (-1, -1)', '1', '-1', 'slip; C01 computes -1', 'or_bipolar', 'output', row=0),
    Slip(
        'C22',
        'epoch 1, row 2, error',
        'y = 0, error scrambled',
        '1',
        'slip: y = 1, z = -1, output 0',
        'C14',
        'error',
        1,
        1,
    ),
    Slip('C22', 'epoch 4, row 2, net', '-1', '0', 'slip (the output 1 is right)', 'C14', 'net', 4, 1),
    Slip('C24', 'one layer: Z, row 2', '-2, 0, -3', '-2, -3, 0', 'row 1 copied', 'C16', 'Z1', row=1),
    Slip(
        'C24',
        'one layer: A',
        '0.1192, 0.5, 0.0774, 0.1192, 0.0774, 0.5',
        '0.119203, 0.5, 0.047426, 0.119203, 0.047426, 0.5',
        '0.0774 for 0.0474, twice',
        'C16',
        'A1',
    ),
    Slip('C24', 'one layer: sizes', '(2x3)(2x3)', '(2x3)(3x3) after padding', 'the bias row is forgotten in the note'),
    Slip(
        'C24',
        'two layers: row 3 of W1',
        '1, 0, 1',
        '1, 0, -1',
        'minus lost; the printed result is right',
        'C13',
        'W1 before',
        row=2,
    ),
    Slip('C24', 'two layers: X in the product', '4 entries in row 1', '1, 1, 0, 0, 1, 1', 'transcription', 'C13', 'A0'),
    Slip('C24', 'two layers: sizes', '(2x3)(3x3) (3x3)', '(3x3)(3x3) = (3x3)', 'note'),
    _c27(1, 'start weights', '1, 0, 1, 1', '1, 1, 1', 'slip'),
    _c27(1, 'padded input', '1, 3', '1, 1, 3', 'bias lost'),
    _c27(1, 'slope', '0.062', '0.006648056671', 'wrong by a factor of 9.3; the result line uses the right one'),
    _c27(
        1,
        'gradient',
        '-4.449 e^-0.5, -4.449 e^-0.5, -1.334 e^-0.5',
        '-4.449445223e-05, -4.449445223e-05, -1.334833567e-04',
        f'{EXPONENT}; the third is e-04',
    ),
    _c27(1, 'error', 'not 0', '2.239712675e-05', 'value left out'),
    _c27(2, 'net', '5', '5.000489439', OLD),
    _c27(2, 'output', '0.993', '0.993310402', 'rounded'),
    _c27(2, 'error', 'not 0', '2.237535998e-05', 'value left out'),
    _c27(
        2,
        'gradient',
        '-4.449 e^-0.5, -4.49 e^-0.5, -1.334 e^-0.4',
        '-4.445135563e-05, -4.445135563e-05, -1.333540669e-04',
        'iteration 1 repeated, a digit lost',
    ),
    _c27(2, 'weights', '1, 1, 1.0003', '1.000088946, 1.000088946, 1.000266837', 'the first two should print 1.0001'),
    _c27(3, 'input', '-1, 1, 3', '1, 1, 3', 'sign invented'),
    _c27(3, 'net', 'struck out', '5.000978404', 'for (1, -1, 3) and unit weights it would be 3'),
    _c27(3, 'output', '0.98203', '0.993313650', 'value of z = 4'),
    _c27(3, 'error', '1.6146e-04', '2.235363534e-05', 'follows from the output'),
    _c27(3, 'slope', '0.0177', '0.006641642', 'value of z = 4'),
    _c27(
        3,
        'gradient',
        '-4.4408 e^-0.5, -4.4408 e^-0.5, -1.3323 e^-0.4',
        '-4.440834224e-05, -4.440834224e-05, -1.332250267e-04',
        'copied from the program; its own factors give -3.186e-4, 3.186e-4, -9.558e-4',
    ),
    _c27(
        3,
        'weights',
        '1.0001, 1.0001, 1.0001',
        '1.000133354, 1.000133354, 1.000400062',
        'the third should print 1.0004',
    ),
    _c29('start weights W0', '1, 0, 1, -1, 1, 1', '1, 0, 1, -1, -1, 1', 'minus lost', 'W0 before'),
    _c29('padded input', '1, 0', '1, 1, 0', 'bias lost', 'A0'),
    _c29('padded hidden output', '2 entries', '1, 1, -2', 'transcription', 'A1 padded'),
    _c29('gradient of W1', '3, 3, -3', '3, 3, -6', '-1 taken for the hidden output -2', 'dW1'),
    _c29('gradient of W1 in the update', '3, 3, -1', '3, 3, -6', 'the new weights are right all the same', 'dW1'),
    _c29('a - t in the gradient of W0', '-0', '3', 'digit lost', 'a - t'),
    _c29('factor of the gradient of W0', '1, 1', '1, -1', 'sign lost; the next line has it', 'W1 no bias'),
    _c29(
        'gradient of W0, first form',
        '3, 3, 0, 3, 3, 0',
        '3, 3, 0, -3, -3, 0',
        'signs lost; right two lines later',
        'dW0',
    ),
    Slip(
        'C31', 'start weights', '1, -1, 1', '1, 0, 1', 'digit: only (1, 0, 1) gives z = 1 and 2', 'C03', 'W0 before', 1
    ),
    Slip('C31', 'sample 2, error', '0', '4.5', '"no error": the target is -1, the output 2', 'C03', 'E', 2),
    Slip('C31', 'sample 2, weights', '1, 0, 1', '0.7, -0.3, 0.7', 'no update made', 'C03', 'W0', 2),
    Slip('C31', 'sample 3, weights', 'missing', '0.43, -0.03, 0.43', 'z = 1.7, E = 3.645', 'C03', 'W0', 3),
    Slip('C33', 'slope of the bipolar sigmoid', '(1 + f^2) / 2', '(1 - f^2) / 2', 'sign; 0.6068 for 0.3932 at x = 1'),
    Slip('C33', 'slope of the sigmoid', "f'' = f'(1 - f)", "f' = f(1 - f)", 'primes'),
    Slip('A03', 'targets', 'called OR', 'x1: 0, 0, 1, 1', 'OR would be 0, 1, 1, 1'),
    Slip('A03', 'boundary', 'output 0', 'output 0.5', 'a linear unit with 0/1 targets is cut half way'),
    Slip(
        'E1',
        'gradients',
        'sums over the batch',
        'means over the batch, as the loss is',
        'the step is 50 times as long: learning rate 0.05',
    ),
    Slip('E1', 'gradient of the regulariser', 'lambda W', '2 lambda W', 'hidden, since lambda = 0'),
)


def slips_of(spec: str) -> tuple[Slip, ...]:
    """The slips of one page."""
    return tuple(slip for slip in SLIPS if slip.spec == spec)
