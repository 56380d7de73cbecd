"""Cats and dogs from scratch: what random flips, shifts and turns of the training images add (D1.1, D1.3)."""

from configs import common, shared

KERAS = {'rotation': 20, 'shift': 0.2, 'horizontal_flip': True}  # degrees, share of the side


def get_config(profile: str = 'full') -> common.Config:
    """Three unpadded convolutions, dense 512, one sigmoid unit; Keras's start and Adam, batch 32, ten "epochs" of 50 updates.

    The source's two runs, "without" and "with" augmentation, use the same augmentation, so that their difference is chance;
    and 99.8 % of its validation images are training images. Here the parts are disjoint, and every arm starts from the
    same weights and sees the same images in the same order. In 500 updates nothing is learned by heart; `few` are arms
    of 1,000 training images, where augmentation has something to prevent.
    """
    config = shared.cats_dogs('augmentation_cats_dogs', model='convnet', spec=('D1.1', 'D1.3'))
    config.aim = 'What does augmentation add when a network learns cats and dogs from scratch, and when does it?'
    config.model.update({'filters': (32, 64, 128), 'padding': 'valid', 'hidden': (512,), 'outputs': 'sigmoid'})
    config.model.init_scheme = 'keras'
    config.data.options = {'image_size': 150, 'resample': 'nearest'}
    config.data.transforms = (('affine', KERAS),)
    config.data.epoch_examples = 1600
    config.optimizer = common.keras_adam(1e-3)
    config.training.epochs = 10
    config.training.checkpoint_every = 5
    few = {'data.limit': 1000, 'training.epochs': 30}
    config.variants = {
        'none': {'data.transforms': ()},
        'flip': {'data.transforms': (('flip', {}),)},
        'as_published': {},
        'zoom_too': {'data.transforms': (('affine', {**KERAS, 'zoom': 0.2}),)},
        'light_head': {'model.head': 'average'},
        'few_none': {'data.transforms': (), **few},
        'few_flip': {'data.transforms': (('flip', {}),), **few},
        'few_as_published': few,
    }
    config.published = {
        'validation_accuracy': common.printed(
            0.6542,
            'D1.1, all validation images',
            'one run, with the augmentation that D1.3 calls new (there 0.5982); the validation images were trained on',
            comparable=False,
        ),
        'validation_loss': common.printed(
            0.6402, 'D1.1, all validation images', 'D1.3: 0.6627; likewise', comparable=False
        ),
    }
    config.report.options.figures = ('augmented', ('repeated_split', {'runs': 5}))
    config.report.lines.validation_accuracy = {'coin flip': 0.5}
    config.theory = (
        'Binary cross-entropy: $L = -\\frac{1}{N} \\sum_i [y_i \\ln p_i + (1 - y_i) \\ln(1 - p_i)]$.',
        'One sigmoid unit $z$ is a softmax over $(0, z)$: $e^z / (1 + e^z) = \\sigma(z)$.',
        'Augmentation looks up each pixel in the original: $M = C\\,R(\\theta)\\,T\\,S\\,C^{-1}$ about the centre, bilinear.',
        'A split that is drawn $k$ times into folders that nobody empties puts $n (1 - 0.2^k)$ images into training and '
        '$n (1 - 0.8^k)$ into validation: after four runs 99.8 % of the validation images are training images.',
    )
    config.limits = (
        '500 updates are 16,000 images, less than one pass over the 20,000 of the whole set: the arms compare early learning.',
        'The flat head has 18,940,416 of the 19,034,177 parameters in one dense layer; `light_head` averages over all '
        'places instead and keeps 159,809.',
        'The source validates on 800 random images an epoch (standard error 1.7 points) and quotes the last of these as 66 %.',
        'Training accuracy is measured on augmented images while the weights move; the clean one, measured at the end, '
        'compares.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            'training.epochs': 2,
            'data.epoch_examples': 64,
            'data.limit': 96,
            'data.eval_limit': 64,
            'data.options.image_size': 48,
            'model.hidden': (32,),
        },
    )
