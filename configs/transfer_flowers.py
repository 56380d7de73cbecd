"""Kinds of flowers from a pretrained network (B13): the head first, then more of it, and what each phase is worth."""

from configs import common, shared

UPPER = ('head', 'top', 'block_(7|8|9|1.)/')  # what stands for the source's layers 3 and 4: from 14 x 14 cells on
FIVE = ('Crocus', 'Daisy', 'Dandelion', 'Sunflower', 'Tulip')  # those of the source that are there; it has a rose, too


def get_config(profile: str = 'full') -> common.Config:
    """EfficientNet-Lite0 with ImageNet's weights: 5 epochs the head at 1e-3, then 5 its upper half at 1e-4, Adam, batch 32.

    Flowers-17 (1,360 photographs, 80 a class) in the place of the source's 4,317: 70 / 10 / 20, class by class. 224 x 224
    pixels, squashed as in the source. The scores after each phase are that phase's; the source measured both after
    the second. `kept_features`: a linear head on features that were computed once.
    """
    config = common.experiment('transfer_flowers', task='classification', data='flowers17', spec=('B13',))
    config.aim = 'What is it worth to train the upper half of a pretrained network, after its head?'
    config.model = shared.LITE0
    config.start = {'layout': 'efficientnet_lite0', 'skip': ('head',)}
    config.data.options = {'image_size': 224, **shared.LITE0_PIXELS}
    config.data.test_fraction, config.data.validation_fraction, config.data.stratify = 0.2, 0.125, True
    config.data.batch_size, config.data.eval_batch_size = 32, 68
    config.optimizer = common.adam(1e-3)
    head = {'epochs': 5, 'train': ('head',)}
    upper = {'epochs': 5, 'train': UPPER, 'optimizer': {'learning_rate': 1e-4}}
    config.training.phases = (head, upper)
    config.training.convolutions = 'own'  # of depthwise ones oneDNN has no fast gradient
    config.training.measure_train = True
    published = config.published = {
        'test_accuracy': common.printed(
            0.9201,
            'B13, after both phases',
            'ResNet-18, 5 classes of another set, 795 of 864: 95 % interval 90.0 to 93.6 %',
            comparable=False,
        )
    }
    linear = {'model': {'name': 'mlp', 'features': ()}, 'start': {}, 'training.phases': (), 'published': {}}
    kept = {**linear, 'data.backbone': shared.LITE0_BACKBONE, 'training.epochs': 60}
    kept |= {'training.checkpoint_every': 0, 'training.eval_every': 10}
    mobile, weights = {**shared.MOBILENET, 'dropout': 0.2}, shared.MOBILENET_WEIGHTS
    centred = {'data.options': {'image_size': 160}, 'data.scale': (-1.0, 1.0)}
    config.variants = {
        'head_then_upper_half': {},
        'head_only': {'training.phases': (head,), 'published': {}},
        'batchnorm_adapts': {
            'training.phases': tuple({**phase, 'batchnorm': 'adapts'} for phase in (head, upper)),
            'published': published,
        },
        'fine_tuned': {'training.phases': (head, {**upper, 'train': ()}), 'published': {}},
        'from_scratch': {'start': {}, 'training.phases': (), 'training.epochs': 10, 'published': {}},
        'kept_features': kept,
        'kept_mobilenet': {**kept, **centred, 'data.backbone': {'model': mobile, **weights}},
        'mobilenet_v2': {
            **centred,
            'model': mobile,
            'start': {**weights, 'skip': ('head',)},
            'published': {},
        },
        'five_classes': {**kept, 'data.options.classes': FIVE},
    }
    config.report.options = {'main_metric': 'test_accuracy'}
    config.report.lines = {'validation_accuracy': {'one class for all': 1 / 17}}
    config.stand_in = {
        'data.options': {'image_size': 64},
        'model': {**shared.TINY, 'filters': (16, 32)},
        'start': {},
        'training.phases': ({'epochs': 5, 'train': ('dense_1',)}, {'epochs': 5}),
        'variants': {},
    }
    config.theory = (
        '$h = f(x; \\theta)$ by the pretrained part, $y = g(h; W)$ by the new head. Phase 1 learns $W$ alone; phase 2 also the '
        'upper part of $\\theta$, at a tenth of the rate.',
        'A head on fixed features is a convex problem: it cannot overfit as deep weights can, and may underfit.',
        "Each phase has an Adam of its own: with the old one's count of 540 updates the first step of parameters that join "
        'would be about twice the rate.',
    )
    config.limits = (
        "The source's photographs (daisy, dandelion, rose, sunflower, tulip; 4,317 of them) are not here; Flowers-17 has 80 a "
        'class, and no rose.',
        'With 272 test photographs an error more or less is 0.37 points; the official three splits of the set hold 340 each.',
        'The source\'s "92.01 %" after the first phase was measured after the second; about 88 to 91 % would be expected.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            **shared.without_weights(config),
            'data.limit': 340,
            'data.eval_limit': 85,
            'data.eval_batch_size': 85,
            'training.phases': (
                {'epochs': 1, 'train': ('dense_1',)},
                {'epochs': 1, 'optimizer': {'learning_rate': 1e-3}},
            ),
        },
    )
