"""Forward passes by hand (C07, C08, C10, C13, C15 to C17, C24 to C26): every Z and A, published beside right."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Seven small networks of one and two layers; samples as columns, a bias as a row of ones on top."""
    spec = ('C07', 'C08', 'C10', 'C13', 'C15', 'C16', 'C17', 'C24', 'C25', 'C26')
    config = common.experiment('forward_passes', task='trace', data='worked', spec=spec)
    config.aim = 'What does each layer of a small network compute, and which of the printed numbers are right?'
    config.task.page = 'forward'
    config.task.rule = 'forward'
    config.training.epochs = 0
    wrong = '1 + exp(-z) was executed'
    config.published = {
        'c08_first_output': {'value': 2, 'where': 'C08', 'note': wrong},
        'c10_first_output': {'value': 8.3891, 'where': 'C10', 'note': wrong},
        'c15_last_net_of_row_1': {
            'value': -1,
            'where': 'C15',
            'note': 'the second layer was fed with X and an old matrix',
        },
        'c07_last_output_of_row_2': {'value': 2, 'where': 'C07'},
        'c13_last_output': {'value': 2, 'where': 'C13'},
        'c16_first_output': {'value': 0.1192, 'where': 'C16'},
        'c17_largest_output': {'value': 2, 'where': 'C17'},
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
