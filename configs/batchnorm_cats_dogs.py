"""Cats and dogs with five batch-normalised blocks and a global average (C04): strong, but how steady?"""

from configs import common, shared


def get_config(profile: str = 'full') -> common.Config:
    """Five blocks of convolution, ReLU, batch norm, pooling; average, dense 96, one sigmoid unit; Keras's start and Adam.

    256 x 256 pixels, batch 32, 15 epochs (9,375 updates of the source's 20,000 images). The source validates on its test
    folder and keeps the last epoch; here the held-out fifth is halved, the epoch of the smallest validation loss is kept,
    and the test half is looked at once. The listing says 228 filters in block four, the printed counts say 220.
    """
    config = shared.cats_dogs('batchnorm_cats_dogs', model='convnet', spec=('C04',))
    config.aim = (
        'What does a batch-normalised network reach on cats and dogs, and how far does it swing between epochs?'
    )
    config.model.update({'filters': (40, 72, 144, 220, 280), 'batch_norm': 'after', 'head': 'average', 'hidden': (96,)})
    config.model.update({'dropout': 0.4, 'outputs': 'sigmoid', 'init_scheme': 'keras'})
    config.data.options = {'image_size': 256, 'resample': 'bilinear', 'memory_limit': 2 << 30}
    config.data.eval_batch_size = 32
    config.optimizer = common.keras_adam(1e-3)
    config.training.epochs = 15
    config.training.best_metric = 'validation_loss'
    config.training.restore_best = True
    config.variants = {
        'as_published': {},
        'augmented': {'data.transforms': (('flip', {}), ('crop', {'padding': 16})), 'published': {}},
        'pixels_128': {'data.options.image_size': 128, 'published': {}},
    }
    config.published = {
        'validation_accuracy': common.printed(
            0.9264,
            'C04, epoch 15',
            'one run on 20,000 images; the test folder served as validation; best 0.9270 in epoch 13',
        ),
        'validation_loss': common.printed(0.2602, 'C04, epoch 15', 'best 0.1962 in epoch 13'),
        'train_accuracy': common.printed(0.9879, 'C04, epoch 15', "Keras's mean of running means, dropout on"),
    }
    config.report.options.figures = ('augmented', 'batch_statistics', ('first_layer', {}))
    config.stand_in = {'data.options.image_size': 64, 'training.epochs': 5}
    config.theory = (
        'Batch norm: $\\hat x = (x - \\mu_B) / \\sqrt{\\sigma_B^2 + \\epsilon}$, $y = \\gamma \\hat x + \\beta$ for each channel '
        '($\\epsilon = 10^{-3}$), here after the ReLU.',
        'At test time running averages take the place of the batch: $\\mu \\leftarrow 0.99 \\mu + 0.01 \\mu_B$; they lag behind '
        'weights that move fast.',
        'A global average keeps one number a channel, so that 990,685 numbers do for any image size.',
    )
    config.limits = (
        'The source swings between 0.7832 and 0.9270 from epoch 8 to 13 (its last five epochs: 0.9007 ± 0.0415), so that '
        'one epoch of one run says little.',
        'Its collapse in epoch 3 (0.5298) is probably the lag of the running averages; the table of batch statistics shows '
        'how much that is at the end.',
        'Training accuracy is a running mean with dropout and batch statistics; the clean one, measured at the end, compares.',
    )
    return common.with_profile(config, profile, smoke=shared.SMALL_BLOCKS)
