"""Activations (C06, C09, C33): functions, slopes, where they saturate; tensors and gradients of the tape pages."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """The five of the source on its grid from -5 to 4.9, and all others that an experiment names."""
    config = common.worked_by_hand('activations', spec=('C06', 'C09', 'C32', 'C33'), page='activations')
    config.aim = 'What does each activation do to a net, and where does a gradient get through it?'
    config.published = {
        'sigmoid_at_3': common.printed(0.95257413, 'C06, C09'),
        'sigmoid_slope_at_3': common.printed(0.04517666, 'C06, C09'),
        'bipolar_slope_at_1': common.printed(0.6067761335, 'C33', '(1 + f^2) / 2 was written for (1 - f^2) / 2'),
    }
    config.theory = (
        "Unipolar sigmoid $\\sigma(x) = 1/(1 + e^{-x})$ with $\\sigma' = \\sigma\\,(1 - \\sigma)$, at most 0.25.",
        "Bipolar sigmoid $f(x) = (1 - e^{-x})/(1 + e^{-x}) = \\tanh(x/2)$ with $f' = \\tfrac{1}{2}(1 - f^2)$, at most 0.5.",
        'ReLU $f(x) = \\max(0, x)$, leaky ReLU $f(x) = x$ above zero and $\\alpha x$ below: slopes 1 and 0, 1 and $\\alpha$.',
        'A unit saturates where its slope is almost zero: whatever the error, its weights hardly move.',
    )
    config.limits = ('The slope of a leaky ReLU is a choice: 0.01, 0.2 and 0.3 are all in use.',)
    return common.with_profile(config, profile)
