"""Cats and dogs with one convolution: when to stop, and what the restored best weights are worth (B07)."""

from configs import common, shared

PRINTED = (0.5534, 0.5651, 0.5434, 0.5869, 0.6775, 0.7045, 0.7518, 0.7873)  # validation losses of the source's epochs


def get_config(profile: str = 'full') -> common.Config:
    """One 3x3 convolution, pooling, no hidden layer; PyTorch's initial weights, Adam, batch 32, at most 20 epochs.

    Stops after 5 epochs without a smaller validation loss and takes the best epoch's weights back. A checkpoint holds
    weights, optimizer, epoch, log and everything random, so that a stopped run goes on to the same bits (the source keeps
    the weights only). The 20 % that the source validates on are halved: the other half is a test part.
    """
    config = shared.cats_dogs('early_stopping_pets', model='convnet', spec=('B07',))
    config.aim = 'When does training stop if the validation loss decides, and how good is the network that comes back?'
    config.model.filters = (32,)
    config.data.options = {'image_size': 128, 'resample': 'bilinear'}
    config.data.scale = (-1.0, 1.0)
    config.optimizer = common.adam(1e-3)
    config.training.epochs = 20
    config.training.best_metric = 'validation_loss'
    config.training.patience = 5
    config.training.restore_best = True
    config.published = {
        'validation_loss': common.printed(
            0.5434, 'B07, epoch 3 of 8', 'one unseeded run; mean of the batch means of a fifth of all images'
        ),
    }
    config.report.options.figures = (('patience', {'losses': PRINTED, 'patience': 5}),)
    config.theory = (
        'Training stops at epoch $t + p$ if $L_{val}(t + k) \\ge L_{val}(t)$ for $k = 1, \\dots, p$: '
        '$t$ is the best epoch, $p$ the patience.',
        'Better means less by more than $\\delta$: $L_{val}(t) < L_{best} - \\delta$, here $\\delta = 0$; '
        'an equal loss is no improvement.',
        'A coin flip has the log-loss $\\ln 2 = 0.693147$: from its epoch 6 on the source is worse than that on new images.',
    )
    config.limits = (
        'Only lack of improvement counts, not how much worse the loss gets; patience counts from the last best epoch.',
        'With several replicas one decision is taken for all of them, from the mean of their validation losses.',
        'The epoch is chosen on the validation part, so that its loss is a little too good there; the test part is not '
        'looked at before the end.',
        '99.66 % of the 263,042 parameters sit in the one dense layer, on 131,072 numbers an image: the net learns the '
        'training images by heart within a few epochs.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            'training.epochs': 4,
            'training.patience': 1,
            'data.limit': 96,
            'data.eval_limit': 64,
            'data.options.image_size': 48,
        },
    )
