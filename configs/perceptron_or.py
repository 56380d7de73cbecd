"""A perceptron learns OR (C05, C14; by hand C22): every row of every epoch, from zero and from random weights."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """C14 from zero weights (yes at z = 0), C05 from its recovered random start (no at z = 0); learning rate 1."""
    config = common.worked_by_hand(
        'perceptron_or', spec=('C05', 'C14', 'C22', 'C23'), page='perceptron', rule='perceptron'
    )
    config.aim = 'How does one threshold neuron learn OR, from zero and from random weights?'
    config.published = {
        'bias': common.printed(-1, 'C14'),
        'weight_1': common.printed(1, 'C14'),
        'weight_2': common.printed(1, 'C14'),
        'c05_bias': common.printed(-0.5922852074362165, 'C05'),
        'c05_weight_1': common.printed(0.93321385, 'C05'),
        'c05_weight_2': common.printed(1.37331598, 'C05'),
        'c05_epochs': common.printed(3, 'C05', 'the last epoch is the check'),
    }
    config.theory = (
        'Output $y = 1$ if $z = w \\cdot x \\ge 0$, else 0, with $x = (1, x_1, x_2)$; C05 asks for $z > 0$.',
        'A mistake moves the weights: $w \\leftarrow w + \\eta\\,(t - y)\\,x$.',
        'If the classes can be separated with margin $\\gamma$ and $\\|x\\| \\le R$, a zero start makes at most '
        '$(R/\\gamma)^2$ mistakes.',
    )
    config.limits = ('The line of C14 has margin 0: two positives lie on it, and only the rule for z = 0 saves them.',)
    return common.with_profile(config, profile)
