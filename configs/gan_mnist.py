"""A DCGAN on MNIST (A08): can two convolutional networks that play against each other draw digits?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Two Adam optimisers (1e-4, Keras form), batch 256 with 256 noise vectors, both updates from the same passes, 50 epochs."""
    config = common.experiment('gan_mnist', task='gan', data='mnist', spec=('A08',))
    config.aim = 'Can two convolutional networks that play against each other draw digits?'
    config.model = {'generator': {'name': 'dcgan_generator'}, 'discriminator': {'name': 'dcgan_discriminator'}}
    config.task.latent = 100
    config.optimizer = {'generator': common.keras_adam(1e-4), 'discriminator': common.keras_adam(1e-4)}
    config.data.batch_size = 256
    config.data.scale = (-1.0, 1.0)
    config.data.validation_from, config.data.validation_fraction = 'test', 0.5
    config.training.epochs = 50
    config.training.snapshot_every = config.training.eval_every = 5
    config.training.watch = ('validation', 'test')
    config.report.options = {'main_metric': 'test_frechet_distance'}
    config.needs = {'scorer': {'config': 'lenet_mnist', 'overrides': {'training.epochs': 5, 'variants': {}}}}
    config.report.lines = {
        'generator_loss': {'balance: ln 2': 0.693147},
        'discriminator_loss': {'balance: 2 ln 2': 1.386294},
    }
    config.published = {
        'train_generator_loss': common.printed(0.8876, 'A08, epoch 50', 'the last batch only (96 real images)'),
        'train_discriminator_loss': common.printed(1.2997, 'A08, epoch 50', 'the last batch only'),
    }
    # 1,437 training images instead of 60,000: many small updates (45 an epoch), shifted copies of real and made images
    # alike, since the discriminator would learn so few by heart, and pictures from a moving average of the generator.
    few = {'data.transforms': (('shift', {'pixels': 2}),), 'task.transform_made': True, 'task.ema': 0.998}
    config.stand_in = {
        **few,
        'data.batch_size': 32,
        'training.epochs': 55,
        'training.snapshot_every': 11,
        'training.eval_every': 11,
        'training.checkpoint_every': 11,
        'optimizer.generator.learning_rate': 2e-4,
        'optimizer.generator.b1': 0.5,
        'optimizer.discriminator.learning_rate': 2e-4,
        'optimizer.discriminator.b1': 0.5,
        'needs.scorer.overrides': {'training.epochs': 30, 'variants': {}},
    }
    config.theory = (
        'The discriminator is trained to tell real from made: '
        '$J_D = -\\frac{1}{m}\\sum_i \\log D(x_i) - \\frac{1}{m}\\sum_i \\log(1 - D(G(z_i)))$.',
        'The generator is trained to be taken for real: $J_G = -\\frac{1}{m}\\sum_i \\log D(G(z_i))$.',
        'For a fixed generator the best discriminator is $p_{data} / (p_{data} + p_g)$; when it cannot tell any more, '
        '$J_D = 2\\ln 2 \\approx 1.386$ and $J_G = \\ln 2 \\approx 0.693$.',
    )
    config.limits = (
        'Losses near balance do not prove good images; the Fréchet distance and the grids say more.',
        'The Fréchet distance is measured in the feature space of the LeNet trained here, not of an Inception network: '
        'compare it only with its own floor.',
    )
    smoke = {
        'model.generator.width': 8,
        'model.discriminator.width': 8,
        'data.limit': 256,
        'data.batch_size': 64,
        'training.epochs': 2,
        'training.snapshot_every': 1,
        'training.eval_every': 1,
        'stand_in': {'task.ema': 0.998},
        'report.examples': 16,
        'needs.scorer.overrides': {
            # LeNet's convolutions take longer to compile than all else to run.
            'model': {'name': 'mlp', 'features': (32,)},
            'training.epochs': 2,
            'data.limit': 512,
            'data.eval_limit': 256,
            'stand_in': {},
            'variants': {},
        },
    }
    return common.with_profile(config, profile, smoke=smoke)
