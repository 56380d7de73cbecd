"""A fully connected GAN on Fashion-MNIST (B20): can two perceptrons that play against each other draw clothes?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Generator 100-128-256-512-784, discriminator 784-512-256-128-1, two Adams at 2e-4 (b1 0.5), batch 128, 50 epochs.

    The discriminator moves first, and the generator sees what it has become, from the same noise (23,450 updates each). Half of
    the test pictures may choose an epoch, the other half is measured on.
    """
    config = common.experiment('gan_fashion_mnist', task='gan', data='fashion_mnist', spec=('B20',))
    config.aim = 'Can two perceptrons that play against each other draw clothes?'
    config.model = {'generator': {'name': 'mlp_generator'}, 'discriminator': {'name': 'mlp_discriminator'}}
    config.task.update({'latent': 100, 'order': 'alternating', 'discriminator_weight': 0.5})
    config.optimizer = {'generator': common.adam(2e-4, b1=0.5), 'discriminator': common.adam(2e-4, b1=0.5)}
    config.data.update({'batch_size': 128, 'scale': (-1.0, 1.0)})
    config.data.validation_from, config.data.validation_fraction = 'test', 0.5
    config.training.epochs = 50
    config.training.snapshot_every = config.training.eval_every = 10
    config.training.watch = ('validation', 'test')
    config.report.options = {'main_metric': 'test_frechet_distance'}
    scorer = {'data.name': 'fashion_mnist', 'training.epochs': 5, 'variants': {}, 'published': {}}
    config.needs = {'scorer': {'config': 'lenet_mnist', 'overrides': scorer}}
    config.report.lines = {
        'generator_loss': {'balance: ln 2': 0.693147},
        'discriminator_loss': {'balance: ln 2': 0.693147},
    }
    spectral = {'task.spectral': True, 'task.ema': 0.999, 'published': {}}
    config.variants = {
        'as_published': {},
        'ema': {'task.ema': 0.999, 'published': {}},
        'ema_spectral': spectral,
        'conditional': {'task.conditional': True, 'task.ema': 0.999, 'published': {}},
        # How much of a score is chance: small networks, digits, a hundred seeds in one program.
        'hundred_digits': {
            'replicas': 100,
            'data.name': 'mnist',
            'model.generator.features': (64, 128),
            'model.discriminator.features': (128, 64),
            'training.epochs': 10,
            'training.checkpoint_every': 10,
            'needs.scorer.overrides': {**scorer, 'data.name': 'mnist'},
            'published': {},
        },
    }
    # 1,437 digits instead of 60,000 pictures of clothes: many small updates.
    config.stand_in = {
        'data.batch_size': 32,
        'training.epochs': 200,
        'training.snapshot_every': 40,
        'training.eval_every': 40,
        'training.checkpoint_every': 40,
        'needs.scorer.overrides': {**scorer, 'training.epochs': 30},
    }
    config.theory = (
        '$\\min_G \\max_D E_x \\log D(x) + E_z \\log(1 - D(G(z)))$; in practice the generator minimises $-E_z \\log D(G(z))$.',
        'For a fixed generator the best discriminator is $D^* = p_d / (p_d + p_g)$; at balance the value is $-\\log 4$: '
        '$J_D = J_G = \\ln 2$, where $J_D$ is the mean of its two parts.',
    )
    config.limits = (
        'No number of the source survives.',
        'A perceptron knows nothing of neighbouring pixels: its pictures are grainy.',
        'Scores are taken in the features of the LeNet trained here: compare them only with their own floors.',
    )
    smoke = {
        'model.generator.features': (64, 128),
        'model.discriminator.features': (64, 32),
        'data.limit': 512,
        'data.eval_limit': 256,
        'data.batch_size': 32,
        'training.epochs': 30,
        'training.snapshot_every': 10,
        'training.eval_every': 15,
        'training.checkpoint_every': 30,
        'report.examples': 16,
        'needs': {},  # gan_mnist's smoke run has a judge
    }
    return common.with_profile(config, profile, smoke=smoke)
