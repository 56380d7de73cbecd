"""The same five blocks at 128 pixels with two softmax units (C35): is that another network than one sigmoid unit?"""

from configs import common, shared


def get_config(profile: str = 'full') -> common.Config:
    """128 filters in the second block, two classes, 128 x 128 pixels; for the rest C04's settings.

    Of the source only the layers survive: its training, data and results are lost. With labels 0 and 1 it needs the
    categorical cross-entropy, which is what is trained here.
    """
    config = shared.cats_dogs('softmax_cats_dogs', model='convnet', spec=('C35',))
    config.aim = 'Do two softmax units tell cats from dogs better than one sigmoid unit, and what does size cost?'
    config.model.update(
        {'filters': (40, 128, 144, 220, 280), 'batch_norm': 'after', 'head': 'average', 'hidden': (96,)}
    )
    config.model.update({'dropout': 0.4, 'init_scheme': 'keras'})
    config.data.options = {'image_size': 128, 'resample': 'bilinear', 'memory_limit': 2 << 30}
    config.data.eval_batch_size = 50
    config.optimizer = common.keras_adam(1e-3)
    config.training.epochs = 15
    config.training.best_metric = 'validation_loss'
    config.training.restore_best = True
    config.variants = {
        'softmax': {},
        'sigmoid': {'model.outputs': 'sigmoid'},
        'pixels_256': {'data.options.image_size': 256},
    }
    config.report.options.figures = ('two_class_heads', 'batch_statistics')
    config.stand_in = {'data.options.image_size': 64, 'training.epochs': 5}
    config.theory = (
        'Of two softmax units only the difference counts: '
        '$e^{z_1} / (e^{z_0} + e^{z_1}) = \\sigma(z_1 - z_0)$, one sigmoid unit with the difference of both as its weights.',
        'So both heads can be the same function; the 97 further parameters of the softmax change how it is learned: the '
        'difference starts 1.4 times as wide, and an update of Adam moves it twice as far.',
        'Categorical cross-entropy of class $y$: $L = -\\ln p_y$; the binary form on two softmax outputs would be wrong.',
    )
    config.limits = (
        'Nothing was published: only the list of layers is left, and no training belongs to it.',
        'The text of the source names a flatten layer, its list a global average; the list counts.',
        'Its loader delivers 256 x 256 pixels, the model wants 128 x 128: `pixels_256` is that size on the same parts '
        '(the parameters are the same, operations four times as many).',
    )
    return common.with_profile(config, profile, smoke=shared.SMALL_BLOCKS)
