"""CycleGAN between horses and zebras (B21): can pictures be translated without one pair to learn from?"""

from configs import common


def _falling(epochs: int) -> dict:
    """Training for so long: the whole rate in the first half, then a stair down to zero, which the epoch after the last has."""
    stair = {'start': epochs // 2, 'end': epochs + 1, 'held': 1}
    rules = {
        f'optimizer.{role}.{name}': value
        for role in ('generator', 'discriminator')
        for name, value in (('schedule', 'linear'), ('schedule_options', stair))
    }
    return {**rules, 'training.epochs': epochs}


def get_config(profile: str = 'full') -> common.Config:
    """Two ResNet generators of nine blocks, two patch discriminators, least squares, cycle weight 10, identity 5, five epochs.

    Four Adams at 2e-4 (b1 0.5), one pair of images an update at 256 pixels (6,670 updates on the official 1,334 pairs). The
    source pairs by index, so that a zebra always meets the same horse; here partners are drawn anew in every epoch. `standard`
    is the setting that others use: patches of 70 pixels, a pool of 50 made images, mirrored crops, the rate falling to zero in
    the second half. `small` fits a machine without an accelerator.
    """
    config = common.experiment('cyclegan_horse2zebra', task='cyclegan', data='horse2zebra', spec=('B21',))
    config.aim = 'Can horses be turned into zebras and back without one pair of pictures to learn from?'
    config.model = {'generator': {'name': 'resnet_generator'}, 'discriminator': {'name': 'patch_discriminator'}}
    config.task.pool = 0
    config.optimizer = {'generator': common.adam(2e-4, b1=0.5), 'discriminator': common.adam(2e-4, b1=0.5)}
    config.data.update({'batch_size': 1, 'eval_batch_size': 8, 'scale': (-1.0, 1.0)})
    config.data.options = {'image_size': 256, 'shorter_side': 256}
    config.training.epochs = 5
    config.training.watch = ('test',)
    config.report.options = {
        'compared': tuple(
            f'test_translation_{domain}_{name}' for domain in 'ab' for name in ('recognised', 'frechet_distance')
        ),
    }
    scorer = {
        'data.name': 'horse_or_zebra',
        'data.options': {'image_size': 64},
        'data.batch_size': 32,
        'data.transforms': (('flip', {}), ('shift', {'pixels': 4})),
        'training.epochs': 40,
        'training.checkpoint_every': 40,
        'variants': {},
        'published': {},
        'stand_in': {},
    }
    config.needs = {
        'scorer': {'config': 'lenet_mnist', 'overrides': {**scorer, 'data.options': dict(config.data.options)}}
    }
    mirrored = {'data.transforms': (('flip', {}),)}
    pooled = {'task.pool': 50, 'model.discriminator.strides': (2, 2, 2, 1)}
    small = {
        'data.options': {'image_size': 64},
        'model.generator.width': 24,
        'model.generator.blocks': 4,
        'model.discriminator.width': 32,
        'model.discriminator.strides': (2, 2, 1),
        'task.pool': 50,
        'needs.scorer.overrides': scorer,
        **mirrored,
    }
    config.variants = {
        'as_published': {},
        'standard': {**pooled, **mirrored, **_falling(200), 'training.snapshot_every': 20},
        'small': {**small, **_falling(40), 'training.eval_every': 10, 'training.snapshot_every': 10},
    }
    # Rendered animals of 64 pixels in two styles; every image has its true counterpart, which is only measured with.
    config.stand_in = {**small, **_falling(20), 'training.eval_every': 5, 'training.snapshot_every': 5}
    config.theory = (
        '$G: A \\to B$ and $F: B \\to A$ play against $D_B$ and $D_A$ by least squares: '
        '$J_D = \\frac{1}{2} [E (D(x) - 1)^2 + E D(G(y))^2]$, $J_G = E (D(G(y)) - 1)^2$.',
        'What was translated must come back: $10\\, (\\|F(G(a)) - a\\|_1 + \\|G(F(b)) - b\\|_1)$, and what is in the '
        'domain already is to stay: $5\\, (\\|F(a) - a\\|_1 + \\|G(b) - b\\|_1)$; every norm a mean over pixels.',
        'Nothing here says which horse belongs to which zebra: any reversible rule that makes the right kind of images has '
        'no loss.',
    )
    config.limits = (
        'The text of the source states losses of logarithms, its code has least squares, which is what is built.',
        'Five epochs are the beginning of a translation; others train for 200.',
        'A low error on the way back is no success: a generator can hide the original in faint noise, so it is measured through '
        'an 8-bit image, too.',
        'Distances are taken in the features of the LeNet trained here to tell the domains apart.',
    )
    smoke = {
        **small,
        'model.generator.width': 4,
        'model.generator.blocks': 0,  # each layer is compiled in a dozen places: 25 s of processor, 31 with four more
        'model.discriminator.width': 4,
        'model.discriminator.strides': (),
        'data.options': {'image_size': 16},
        'data.limit': 64,
        'data.eval_limit': 32,
        'data.batch_size': 4,
        **_falling(4),
        'training.snapshot_every': 0,
        'training.eval_every': 2,
        'training.checkpoint_every': 4,
        'report.examples': 4,
        'needs': {},
    }
    return common.with_profile(config, profile, smoke=smoke)
