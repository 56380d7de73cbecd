"""Batch norm and augmentation on CIFAR-10, one by one and together (B06)."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """The two-convolution net of B04, SGD 0.01 with momentum 0.9, batch 64, ten epochs (7,820 updates).

    The source changes both factors at once, so that its gain of 4 points belongs to neither; here is the 2 x 2 table.
    """
    name = 'batchnorm_augmentation_cifar10'
    config = common.experiment(name, task='classification', data='cifar10', model='convnet', spec=('B06',))
    config.aim = 'How much of the gain comes from batch norm, and how much from flips and crops?'
    config.model.update({'filters': (32, 64), 'hidden': (128,)})
    config.data.scale = (-1.0, 1.0)
    config.data.batch_size = 64
    config.optimizer = common.sgd(learning_rate=0.01, momentum=0.9)
    config.training.epochs = 10
    config.training.watch = ('test',)
    config.training.measure_train = True
    norm = {'model.batch_norm': 'before'}
    augmented = {'data.transforms': (('flip', {}), ('crop', {'padding': 4}))}
    config.variants = {
        'baseline': {},
        'batch_norm': {**norm, 'published': {}},
        'augmentation': {**augmented, 'published': {}},
        'both': {**norm, **augmented, 'published': printed('b', 0.7692, 0.7475)},
    }
    config.published = printed('a', 0.7287, 0.9345)
    config.stand_in = {'training.epochs': 30}
    config.report.options.figures = ('augmented', 'class_accuracy')
    config.theory = (
        'Batch norm: $\\hat x = (x - \\mu_B) / \\sqrt{\\sigma_B^2 + \\epsilon}$, $y = \\gamma \\hat x + \\beta$, for each '
        'channel; at test time with running averages.',
        'Augmentation: every epoch draws a new flip and one of 81 crops, 162 versions of an image.',
    )
    config.limits = (
        'Training accuracy is measured on augmented images while the weights move; the clean one, measured at the end, '
        'compares.',
        'Ten epochs for all: with augmentation the net is still improving, without it has begun to overfit.',
        'The test curve is drawn for comparison with the source; nothing is chosen by it.',
    )
    return common.with_profile(
        config, profile, smoke={'training.epochs': 1, 'data.limit': 256, 'data.eval_limit': 128, **norm, **augmented}
    )


def printed(part: str, accuracy: float, train_accuracy: float) -> dict[str, dict[str, object]]:
    """What the source prints of one of its two runs."""
    where = f'B06{part}, epoch 10'
    return {
        'test_accuracy': common.printed(accuracy, where, 'one unseeded run'),
        'train_accuracy': common.printed(train_accuracy, where, 'running, in training mode'),
    }
