"""The delta rule (A03, C03; by hand C31): a linear neuron sample by sample, and where its output must be cut."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """A03: learning rate 0.1, twenty epochs from zero weights; C03: three updates, learning rate 0.1."""
    config = common.worked_by_hand('delta_rule', spec=('A03', 'C03', 'C31', 'C34'), page='delta_rule', rule='delta')
    config.aim = 'How does a linear neuron follow its error down, and where must its output be cut into classes?'
    config.published = {
        'c03_bias': common.printed(0.43, 'C03'),
        'c03_weight_1': common.printed(-0.03, 'C03'),
        'c03_weight_2': common.printed(0.43, 'C03'),
    }
    config.theory = (
        'Output $y = w \\cdot x$, error $E = \\tfrac{1}{2}(d - y)^2$.',
        'After every sample $w \\leftarrow w + \\eta\\,(d - y)\\,x$, which is descent on E; with an activation f the step '
        "also has the factor $f'(z)$.",
        'A step on one sample makes its own error larger beyond $\\eta = 2 / \\|x\\|^2$; a whole epoch multiplies the '
        'distance to the solution by $\\prod_n (I - \\eta\\,x_n x_n^T)$.',
    )
    config.limits = ("A03's start weights are lost; zeros here, so its published curve cannot be compared.",)
    return common.with_profile(config, profile)
