"""A perceptron learns AND (A01): one threshold neuron, four samples, every update shown."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Online perceptron rule from zero weights, rate 0.1, bipolar coding, stop after the first epoch without a mistake."""
    config = common.experiment('perceptron_and', task='perceptron', data='gates', spec=('A01',))
    config.aim = 'Can one threshold neuron learn the bipolar AND, and how many mistakes does it make on the way?'
    config.task.learning_rate = 0.1
    config.data.options = {'gate': 'and', 'coding': 'bipolar'}
    config.data.batch_size = 4
    config.data.eval_batch_size = 4
    config.data.shuffle = False
    config.parallel.devices = 1  # four samples in their order
    config.training.epochs = 20
    config.training.stop_at = {'metric': 'train_error', 'value': 0.0}
    config.published = {
        'bias': common.printed(-0.2, 'A01'),
        'weight_1': common.printed(0.2, 'A01'),
        'weight_2': common.printed(0.2, 'A01'),
    }
    config.theory = (
        'Output $y = \\mathrm{step}(w^T x)$ with $x = (1, x_1, x_2)$ and $\\mathrm{step}(0) = +1$.',
        'After every sample $w \\leftarrow w + \\eta\\,(t - y)\\,x$; a mistake moves the weights by $\\pm 2\\eta x$.',
        'If the classes can be separated with margin $\\gamma$ and $\\|x\\| \\le R$, there are at most $(R/\\gamma)^2$ mistakes.',
    )
    config.limits = ('The error of an epoch is counted online, each prediction before its update.',)
    return common.with_profile(config, profile)
