"""Two convolutions on MNIST (B09): what do they gain, and what do their first filters look like?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """PyTorch's initial weights, Adam, batch 64, ten epochs (9,380 updates).

    The source's rate of 0.01 is about ten times too high for Adam here (its first flaw); 0.001 is the default and the
    published rate is trained beside it from the same starts.
    """
    config = common.experiment('cnn_mnist', task='classification', data='mnist', model='convnet', spec=('B09',))
    config.aim = 'What do two convolutions reach on handwritten digits, and what do their filters look like?'
    config.model.update({'filters': (16, 32), 'hidden': (128,)})
    config.data.scale = (-1.0, 1.0)
    config.data.batch_size = 64
    config.optimizer = common.adam(1e-3)
    config.training.epochs = 10
    config.training.watch = ('test',)
    config.training.measure_train = True
    config.variants = {'rate_0.001': {}, 'as_published': {'optimizer.learning_rate': 0.01}}
    config.published = {
        'test_accuracy': common.printed(0.9802, 'B09, after epoch 10', 'one unseeded run at rate 0.01'),
        'train_loss': common.printed(0.0537, 'B09, epoch 10', 'unweighted mean of the batch losses'),
    }
    config.stand_in = {'training.epochs': 60}
    config.report.options.figures = ('filters', 'feature_maps', 'equivariance', 'worst_confusions')
    config.theory = (
        'A convolution layer cross-correlates: $z_{ijd} = b_d + \\sum_{m,n,c} x_{i+m,j+n,c}\\,w_{mncd}$ (no flip).',
        'Its side is $\\lfloor (n + 2p - k) / s \\rfloor + 1$; 2 by 2 maximum pooling halves it.',
        'It is equivariant: a shifted image gives shifted maps; pooling makes that invariance, approximately.',
    )
    config.limits = (
        '97 % of the 206,922 parameters sit in the first dense layer, so the net is no example of few parameters.',
        'The test curve is drawn for comparison with the source; nothing is chosen by it.',
    )
    return common.with_profile(config, profile, smoke={'training.epochs': 2, 'data.limit': 512, 'data.eval_limit': 256})
