"""XOR with two hidden units (A02): online backpropagation epoch by epoch, and a thousand starts at once."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """2-2-1 sigmoid units, learning rate 0.1, at most 10,000 epochs, stop once all four answers are right; seed 42."""
    config = common.worked_by_hand('mlp_xor', spec=('A02',), page='xor', rule='backprop')
    config.aim = 'Can two hidden units learn XOR, and how much hangs on where they start?'
    config.published = {
        'epochs': common.printed(3283, 'A02', 'recomputed in the specification; the source prints none'),
        'starts_converged': common.printed(716, 'A02', 'recomputed in the specification, give or take 5'),
    }
    config.theory = (
        'Forwards $h = \\sigma(W_0 x)$, $a = \\sigma(W_1 h)$ with $\\sigma(z) = 1/(1 + e^{-z})$, bias inputs of 1 included.',
        'Backwards $\\delta_2 = (a - t)\\,a\\,(1 - a)$ and $\\delta_1 = W_1^T \\delta_2 \\odot h \\odot (1 - h)$, with the '
        'weights before the update.',
        'After every sample $W \\leftarrow W - \\eta\\,\\delta\\,x^T$; an answer counts as right when it rounds to its target.',
    )
    config.limits = (
        'The answers that stop the training are taken online, each with the weights before its own update.',
    )
    return common.with_profile(config, profile)
