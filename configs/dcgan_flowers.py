"""A DCGAN on 64x64 flowers (D2.2): what do two convolutional networks learn of 1,360 photographs?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Four layers each, Keras's weights, two Adams at 1e-4 (b1 0.5), batch 32, 20 epochs.

    A tenth of the photographs may choose an epoch, a tenth is measured on; the source trained on all of them. `as_published` is
    its setting, 680 updates. `longer` mirrors photographs at random, shifts real and made ones alike
    and draws from a moving average of the generator: what few photographs need.
    """
    config = common.experiment('dcgan_flowers', task='gan', data='flowers17', spec=('D2.2',))
    config.aim = (
        'What do two convolutional networks that play against each other learn of 1,360 photographs of flowers?'
    )
    stack = {'kernel_size': 4}
    config.model = {
        'generator': {
            **stack,
            'name': 'dcgan_generator',
            'size': 8,
            'channels': 3,
            'strides': (2, 2, 2),
            'slope': 0.0,
        },
        'discriminator': {**stack, 'name': 'dcgan_discriminator', 'depth': 3, 'slope': 0.2},
    }
    config.task.latent = 100
    config.optimizer = {'generator': common.keras_adam(1e-4, b1=0.5), 'discriminator': common.keras_adam(1e-4, b1=0.5)}
    config.data.update({'batch_size': 32, 'test_fraction': 0.2, 'scale': (-1.0, 1.0), 'options': {'image_size': 64}})
    config.data.validation_from, config.data.validation_fraction = 'test', 0.5
    config.training.epochs = 20
    config.training.snapshot_every = config.training.eval_every = 4
    config.training.watch = ('validation', 'test')
    config.report.options = {
        'main_metric': 'test_kernel_distance',
        'compared': tuple(
            f'test_{name}'
            for name in ('kernel_distance', 'frechet_distance', 'sample_precision', 'sample_recall', 'class_coverage')
        ),
    }
    scorer = {
        'data.name': 'flowers17',
        'data.options': {'image_size': 64},
        'data.batch_size': 32,
        'data.test_fraction': 0.2,
        'data.transforms': (('flip', {}), ('shift', {'pixels': 4})),
        'training.epochs': 60,
        'training.checkpoint_every': 60,
        'variants': {},
        'published': {},
        'stand_in': {},
    }
    config.needs = {'scorer': {'config': 'lenet_mnist', 'overrides': scorer}}
    config.report.lines = {
        'generator_loss': {'balance: ln 2': 0.693147},
        'discriminator_loss': {'balance: 2 ln 2': 1.386294},
    }
    few = {
        'data.transforms': (('flip', {}), ('shift', {'pixels': 4})),
        'task.transform_made': True,
        'task.ema': 0.998,
        'optimizer.generator.learning_rate': 2e-4,
        'optimizer.discriminator.learning_rate': 2e-4,
        'published': {},
    }
    imagenet = {
        'data.options': {'image_size': 64},
        'data.scale': (-127 / 128, 1.0),
        'training.phases': ({'epochs': 10, 'train': ('head',)},),
        'variants': {},
        'published': {},
    }
    config.variants = {
        'as_published': {},
        'longer': {
            **few,
            'training.epochs': 200,
            'training.snapshot_every': 40,
            'training.eval_every': 40,
            'training.checkpoint_every': 20,
        },
        # The same training, judged in the features of a real ImageNet network (extra `pretrained`) whose head learned the
        # kinds of flowers; (x - 127) / 128 as a scale.
        'imagenet_judge': {'needs': {'scorer': {'config': 'transfer_flowers', 'overrides': imagenet}}},
    }
    config.published = {
        'train_generator_loss': common.printed(1.3255, 'D2.2, epoch 20', 'the last batch only'),
        'train_discriminator_loss': common.printed(0.8396, 'D2.2, epoch 20', 'the last batch only'),
    }
    config.theory = (
        '$J_D = -E \\log D(x) - E \\log(1 - D(G(z)))$, $J_G = -E \\log D(G(z))$, $E$ the mean over a batch.',
        'At balance $D = \\frac{1}{2}$ everywhere: $J_D = 2 \\ln 2 \\approx 1.386$, $J_G = \\ln 2 \\approx 0.693$.',
        'The kernel distance has no bias at any number of images: some hundred held-out photographs are enough to compare.',
    )
    config.limits = (
        'The source claims an accuracy of "80-90 %" of the discriminator and never computes it.',
        'Batch norm keeps 0.99 of its statistics: after one epoch of 34 updates 0.71 of them are still the first ones, which is '
        'what the earliest pictures show.',
        'Scores are taken in the features of the LeNet trained here, on some hundred held-out photographs.',
        'More than a thousand photographs are few: look at the nearest training images before praising a picture.',
    )
    smoke = {
        'model.generator.width': 8,
        'model.generator.size': 8,
        'model.generator.strides': (1, 2, 2),
        'model.discriminator.width': 8,
        'model.discriminator.depth': 2,
        'data.limit': 320,
        'data.eval_limit': 128,
        'data.options': {'image_size': 32},
        'training.epochs': 6,
        'training.snapshot_every': 3,
        'training.eval_every': 3,
        'training.checkpoint_every': 6,
        'report.examples': 16,
        'needs': {},  # the judge costs more than the rest; gan_mnist's smoke run has one
    }
    return common.with_profile(config, profile, smoke=smoke)
