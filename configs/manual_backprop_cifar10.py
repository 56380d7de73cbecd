"""Backpropagation by hand on CIFAR-10 (E1): what does a network reach whose gradients are written out?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """3072-100-10, sigmoid and softmax, batch 50, ten epochs, a rate that shrinks by 0.9 an epoch.

    The source sums gradients over the batch at rate 0.001; that is the mean's gradient at 50 x 0.001 = 0.05, used here.
    """
    config = common.experiment(
        'manual_backprop_cifar10', task='manual_backprop', data='cifar10', model='two_layer', spec=('E1',)
    )
    config.aim = 'What does a two-layer network reach on CIFAR-10 when its gradients are written by hand?'
    config.model.update({'hidden': 100, 'start': 'tiny'})
    config.data.scale = (-1.0, 1.0)
    config.data.batch_size = 50
    config.optimizer = common.sgd(0.05, schedule='exponential', schedule_options={'decay_rate': 0.9, 'every': 1})
    config.training.epochs = 10
    config.training.log_steps = True
    config.report.examples = 20
    config.variants = {'published_start': {}, 'fan_in_start': {'model.start': 'fan_in'}}
    note = 'one unseeded run; gradients were sums over the batch, so its rate of 0.001 was in effect 0.05'
    config.published = {
        'test_accuracy': common.printed(0.4337, 'E1, after epoch 10', note),
        'train_accuracy': common.printed(0.4423, 'E1, running, epoch 10'),
        'train_loss': common.printed(1.6069, 'E1, epoch 10'),
    }
    config.theory = (
        'Forward: $h = \\sigma(X W_1 + b_1)$, $p = \\mathrm{softmax}(h W_2 + b_2)$, '
        '$L = -\\frac{1}{N}\\sum_{i,k} y_{ik} \\ln p_{ik}$.',
        'Backward: $\\delta = (p - y)/N$, $\\partial L/\\partial W_2 = h^T \\delta$, '
        '$\\delta_h = \\delta W_2^T \\odot h \\odot (1 - h)$, $\\partial L/\\partial W_1 = X^T \\delta_h$.',
        'The source forgets the $1/N$ in $\\delta$: its step is 50 times the stated one.',
    )
    config.limits = (
        'Weights of 1e-5 leave all hidden units near copies of each other: the first epoch is spent on telling them apart.',
        'The rate has shrunk to 0.019 in the last epoch, and the loss is still falling.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={'training.epochs': 2, 'data.limit': 500, 'data.eval_limit': 250, 'model.start': 'fan_in'},
    )
