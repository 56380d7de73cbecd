"""Filters and feature maps of a LeNet-style network on CIFAR-10 (B11), before and after training."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Two unpadded 5x5 convolutions (6 and 16 filters), dense 120 and 84: 62,006 parameters, ten epochs of Adam.

    The source shows the kernels and maps of a net that was never trained (batches of 4 were only read for their first
    image); here the same net is trained, and everything stands beside its own untrained start.
    """
    config = common.experiment(
        'feature_maps_cifar10', task='classification', data='cifar10', model='convnet', spec=('B11',)
    )
    config.aim = 'What do the filters and maps of a small network show, before and after training?'
    config.model.update({'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (120, 84)})
    config.data.scale = (-1.0, 1.0)
    config.data.batch_size = 64
    config.optimizer = common.adam(1e-3)
    config.training.epochs = 10
    config.training.measure_train = True
    config.stand_in = {'training.epochs': 30}
    config.report.options = {
        'figures': (
            'untrained',
            'filters',
            ('filters', {'layer': 'conv_2'}),
            ('feature_maps', {'layers': ('conv_1', 'conv_1_active', 'pool_1', 'conv_2', 'conv_2_active', 'pool_2')}),
            'receptive_fields',
            ('strongest_patches', {'layers': ('conv_1_active', 'conv_2_active')}),
            'dead_units',
            ('class_activations', {'layers': ('conv_2_active', 'dense_2_active')}),
            'saliency',
            'weight_histogram',
            'gradient_norms',
            'worst_confusions',
        ),
    }
    config.theory = (
        'A convolution layer cross-correlates: $z_{ijd} = b_d + \\sum_{m,n,c} x_{i+m,j+n,c}\\,w_{mncd}$ (no flip); its side '
        'is $\\lfloor (n + 2p - k) / s \\rfloor + 1$: 32, 28, 14, 10, 5.',
        '$a = \\max(0, z)$ makes maps sparse: what a filter does not find is 0.',
        'A unit of the first convolution sees 5 by 5 pixels, one after the second pooling 16 by 16.',
    )
    config.limits = (
        'The source prints no number. Its figures are those of uniform noise: kernels within $\\pm 0.1155$, maps that are '
        'random projections, each scaled by itself, before the ReLU.',
        'A picture of a kernel shows what its unit adds up, not what the network needs it for; strongest patches and mean '
        'maps by class say a little more.',
        'The source reads batches of 4 (12,500 of them) for the first image of one; training here takes 64 at a time.',
        'There is no validation part; ten epochs were chosen beforehand.',
    )
    few = ('untrained', 'filters', ('feature_maps', {'layers': ('conv_1_active', 'pool_2')}), 'dead_units', 'saliency')
    smoke = {'training.epochs': 1, 'data.limit': 256, 'data.eval_limit': 128, 'report.options.figures': few}
    return common.with_profile(config, profile, smoke=smoke)
