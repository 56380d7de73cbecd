"""Backward passes by hand (C02, C11, C12; C27 to C30): every delta, gradient and new weight, equal to jax.grad."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Online backpropagation, learning rate 1, one epoch: two layers (C02) and one sigmoid unit (C11, C12)."""
    spec = ('C02', 'C11', 'C12', 'C27', 'C28', 'C29', 'C30')
    config = common.worked_by_hand('backward_passes', spec=spec, page='backward', rule='backprop')
    config.aim = 'How does the error find its way back to every weight?'
    wrong = 'its "sigmoid" was 1 + exp(-z)'
    config.published = {
        'c02_final_weight': common.printed(56, 'C02, first entry of the last W0'),
        'c12_first_error': common.printed(2.2397e-05, 'C12'),
        'c12_final_weight': common.printed(1.0004, 'C12, third entry of the last W0'),
        'c11_first_output': common.printed(1.0067, 'C11', wrong),
        'c11_first_gradient': common.printed(-0.0034, 'C11', f'{wrong}: the sign is the opposite'),
        'c11_final_weight': common.printed(1.0104, 'C11', wrong),
    }
    config.theory = (
        'Error of a sample $E = \\tfrac{1}{2}\\sum (a - t)^2$.',
        "At the output $\\delta_L = (a - t) \\odot f_L'(Z^{[L]})$; below it "
        "$\\delta_l = (W^{[l]T}\\,\\delta_{l+1}) \\odot f_l'(Z^{[l]})$, without the bias column.",
        'Gradient $\\Delta W^{[l-1]} = \\delta_l A^{[l-1]T}$, update $W \\leftarrow W - \\eta\\,\\Delta W$; every delta is '
        'taken with the weights before the update.',
    )
    config.limits = (
        'C11 has three samples and two targets: its loop dropped the third in silence. Here that is an error.',
    )
    return common.with_profile(config, profile)
