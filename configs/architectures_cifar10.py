"""A simple CNN, VGG-16 and ResNet-18 on CIFAR-10 with one recipe (B10), beside nets that suit small images."""

from configs import common

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def get_config(profile: str = 'full') -> common.Config:
    """SGD 0.001 with momentum 0.9, batch 128, crops and flips, ten epochs (3,910 updates each), no pretraining.

    At one small rate and ten epochs this ranks the speed of early learning, not architectures. `*_tuned` takes the rate
    that two epochs with 5,000 validation images favour, falling along a cosine; `resnet18_cifar` and `vgg16_cifar` have
    stem and head that suit 32 pixels, and `plain18` is that ResNet without its skip connections.
    """
    config = common.experiment('architectures_cifar10', task='classification', data='cifar10', spec=('B10',))
    config.aim = 'Which of three architectures learns CIFAR-10 fastest with one recipe, and what suits small images?'
    config.model = {'name': 'convnet', 'filters': (32, 64, 128), 'hidden': (512,), 'dropout': 0.3}
    config.data.batch_size = 128
    config.data.options = {'mean': MEAN, 'std': STD}
    config.data.transforms = (('crop', {'padding': 4}), ('flip', {}))
    config.optimizer = common.sgd(learning_rate=0.001, momentum=0.9)
    config.training.epochs = 10
    config.training.measure_train = True
    search = {
        'field': 'optimizer.learning_rate',
        'values': (0.01, 0.03, 0.1),
        'metric': 'validation_accuracy',
        'overrides': {'training.epochs': 2, 'data.validation_fraction': 0.1, 'training.measure_train': False},
    }
    tuned = {'optimizer.schedule': 'cosine', 'optimizer.weight_decay': 5e-4, 'tuning': search}
    cifar = {'name': 'resnet', 'depth': 18, 'stem': 'cifar'}
    own = {**tuned, 'published': {}}  # of which the source has no number
    config.variants = {
        'simple': {},
        'vgg16': {'model': {'name': 'vgg', 'depth': 16}, 'published': printed('b', 0.6373, 1.080)},
        'resnet18': {'model': {'name': 'resnet', 'depth': 18}, 'published': printed('c', 0.6474, 1.009)},
        'simple_tuned': own,
        'vgg16_cifar': {'model': {'name': 'vgg', 'depth': 16, 'batch_norm': True, 'grid': 1, 'hidden': (512,)}, **own},
        'resnet18_tuned': {'model': {'name': 'resnet', 'depth': 18}, **own},
        'resnet18_cifar': {'model': cifar, **own},
        'plain18_cifar': {'model': {**cifar, 'skip': False}, **own},
    }
    config.published = printed('a', 0.5201, 1.411)
    config.report.options.figures = ('gradient_norms', 'class_accuracy')
    config.stand_in = {
        'training.epochs': 20,
        'variants': {'simple': {}, 'simple_tuned': config.variants['simple_tuned']},
    }
    config.theory = (
        "A residual block computes $y = \\mathrm{ReLU}(x' + F(x))$ with "
        '$F = \\mathrm{BN}(\\mathrm{conv}(\\mathrm{ReLU}(\\mathrm{BN}(\\mathrm{conv}(x)))))$ (the printed formula is neither '
        'this nor the pre-activation block).',
        'Its gradient is $\\partial y / \\partial x = I + \\partial F / \\partial x$: it never vanishes through the skip.',
        'Two 3 by 3 convolutions see as far as one 5 by 5, three as far as one 7 by 7.',
    )
    config.limits = (
        'The aim of the source says "pre-trained"; nothing is: all start from random weights.',
        'On 32 pixels VGG copies one cell 49 times (76.5 % of its parameters are a 49-fold sum), and the stem of '
        'ResNet-18 shrinks the image to 8 by 8 before the first block.',
        'Training accuracy is measured on augmented images with dropout; the clean one, measured at the end, compares.',
    )
    return common.with_profile(
        config, profile, smoke={'training.epochs': 1, 'data.limit': 64, 'data.batch_size': 32, 'data.eval_limit': 64}
    )


def printed(part: str, accuracy: float, loss: float) -> dict[str, dict[str, object]]:
    """What the source prints of one architecture."""
    where = f'B10{part}, epoch 10'
    return {
        'test_accuracy': common.printed(accuracy, where, 'one run, seed 42 of another framework'),
        'train_loss': common.printed(loss, where, 'mean of the batch losses, with dropout'),
    }
