"""LeNet-5 on MNIST (E2): how far do five small layers get on handwritten digits?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """PyTorch's initial weights, SGD 0.01 with momentum 0.9, batch 64, ten epochs (9,380 updates).

    The source keeps its rate constant (one of its flaws: the last updates then decide by chance what is measured); here
    the rate falls to zero along a cosine, and the constant one is trained beside it from the same starts.
    """
    config = common.experiment('lenet_mnist', task='classification', data='mnist', model='lenet', spec=('E2',))
    config.aim = 'How far do five small layers get on handwritten digits?'
    config.data.scale = (-1.0, 1.0)
    config.data.batch_size = 64
    config.optimizer = common.sgd(learning_rate=0.01, momentum=0.9, schedule='cosine')
    config.variants = {
        'cosine': {},
        'as_published': {'optimizer.schedule': 'constant'},
        'validated': {
            'optimizer.schedule': 'constant',
            'data.validation_fraction': 1 / 12,
            'data.stratify': True,
            'training.best_metric': 'validation_accuracy',
            'training.best_mode': 'max',
            'training.restore_best': True,
        },
        'mlp': {
            'model': {'name': 'mlp', 'features': (78,)},
            'published': {},
        },  # 62,020 parameters without a convolution
    }
    config.training.epochs = 10
    config.published = {
        'test_accuracy': common.printed(0.9897, 'E2, after epoch 10', 'one unseeded run at a constant rate'),
        'train_loss': common.printed(0.0121, 'E2, epoch 10', 'unweighted mean of the batch losses'),
    }
    config.stand_in = {'training.epochs': 60}
    config.theory = (
        'A convolution slides small kernels over the image: $y_{ijd} = b_d + \\sum_{m,n,c} x_{i+m,j+n,c}\\,k_{mncd}$.',
        'Max pooling keeps the largest of each 2 by 2 square: $p_{ij} = \\max_{0 \\le m,n < 2} y_{2i+m,2j+n}$.',
        'The loss is the mean cross-entropy $L = -\\frac{1}{B}\\sum_i \\log p_{i,y_i}$ of the softmax of the logits.',
    )
    config.report.options = {'figures': ('styles',)}
    config.limits = (
        'Only `validated` has a validation part (5,000 training images, to choose the epoch); elsewhere the number of epochs '
        'is the published one, chosen without the test images.',
        "The source's two Keras networks, compiled and never trained, take 32 x 32 images and pad them still: 82,826 "
        'parameters, not 61,706; the table of the styles shows both corrections.',
        'This is LeNet-5 modernised: ReLU and maximum pooling for tanh and averages, a full connection of the second '
        'convolution, a softmax for radial basis functions.',
        'All four styles have one name in the source; run from top to bottom its training would call the wrong one.',
    )
    return common.with_profile(config, profile, smoke={'training.epochs': 2, 'data.limit': 512, 'data.eval_limit': 256})
