"""Forward passes by hand (C07, C08, C10, C13, C15 to C17, C24 to C26): every Z and A, published beside right."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Seven small networks of one and two layers; samples as columns, a bias as a row of ones on top."""
    spec = ('C07', 'C08', 'C10', 'C13', 'C15', 'C16', 'C17', 'C24', 'C25', 'C26')
    config = common.worked_by_hand('forward_passes', spec=spec, page='forward', rule='forward')
    config.aim = 'What does each layer of a small network compute, and which of the printed numbers are right?'
    wrong = '1 + exp(-z) was executed'
    config.published = {
        'c08_first_output': common.printed(2, 'C08', wrong),
        'c10_first_output': common.printed(8.3891, 'C10', wrong),
        'c15_last_net_of_row_1': common.printed(-1, 'C15', 'the second layer was fed with X and an old matrix'),
        'c07_last_output_of_row_2': common.printed(2, 'C07'),
        'c13_last_output': common.printed(2, 'C13'),
        'c16_first_output': common.printed(0.1192, 'C16'),
        'c17_largest_output': common.printed(2, 'C17'),
    }
    config.theory = (
        'Layer by layer $Z^{[l]} = W^{[l-1]} A^{[l-1]}$ and $A^{[l]} = f_l(Z^{[l]})$, one column a sample.',
        'A bias is a row of ones on top of $A^{[l-1]}$: column 0 of W. A matrix with as many columns as its input has '
        'rows has no bias.',
    )
    config.limits = (
        'The rule that guesses the bias from the shapes drops it silently where the sizes happen to match.',
    )
    return common.with_profile(config, profile)
