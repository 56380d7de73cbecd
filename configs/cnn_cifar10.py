"""A small convolutional network on CIFAR-10 with a validation part (A05), in all readings of its damaged listing."""

from configs import common

READINGS = {'listing': (1,), 'two_pools': (1, 2), 'text': (1, 2, 3)}  # convolutions followed by pooling


def get_config(profile: str = 'full') -> common.Config:
    """Three unpadded 3x3 convolutions, dense 64; Keras's initial weights and Adam, batch 32, ten epochs, 40,000 images.

    Which of the three readings the source trained cannot be told. Its listing ends in a ReLU in place of a softmax:
    `relu_output` shows what that costs; `cosine` lets the rate fall. The epoch is chosen on the 10,000 validation images
    (the source took the last).
    """
    config = common.experiment('cnn_cifar10', task='classification', data='cifar10', model='convnet', spec=('A05',))
    config.aim = 'What does a small convolutional net reach on CIFAR-10, and which reading of the source is it?'
    config.model.update({'filters': (32, 64, 64), 'padding': 'valid', 'hidden': (64,), 'init_scheme': 'keras'})
    config.model.pool_after = READINGS['two_pools']
    config.data.batch_size = 32
    config.data.validation_fraction = 0.2
    config.optimizer = common.keras_adam(1e-3)
    config.training.epochs = 10
    config.training.best_metric = 'validation_accuracy'
    config.training.best_mode = 'max'
    config.training.restore_best = True
    config.training.measure_train = True
    faulty = {
        'model.output_activation': 'relu',
        'task.loss': 'clipped_probabilities',
        'training.epochs': 3,
        'published': {},
    }
    keras = {'name': 'mlp', 'init_scheme': 'keras'}
    config.variants = {
        'two_pools': {},
        'listing': {'model.pool_after': READINGS['listing']},
        'text': {'model.pool_after': READINGS['text']},
        'relu_output': {'model.pool_after': READINGS['listing'], **faulty},
        'cosine': {'optimizer.schedule': 'cosine'},
        'augmented_dropout': {'data.transforms': (('flip', {}), ('crop', {'padding': 4})), 'model.dropout': 0.2},
        'dense': {'model': {**keras, 'features': (128,)}, 'published': {}},
        'linear': {'model': {**keras, 'features': ()}, 'published': {}},
    }
    config.published = {
        'test_accuracy': common.printed(0.6886, 'A05, after epoch 10', 'one unseeded run of an unknown reading'),
    }
    config.stand_in = {'training.epochs': 30}
    config.report.options.figures = ('worst_confusions', 'class_accuracy')
    config.theory = (
        'A layer computes $S_{ij} = b + \\sum_{m,n,c} X_{i+m,j+n,c} K_{mnc}$: cross-correlation over all input channels.',
        'Max pooling: $P_{ij} = \\max_{0 \\le m,n < k} S_{si+m,sj+n}$, here $s = k = 2$.',
        'Softmax: $p_i = e^{z_i} / \\sum_j e^{z_j}$ (the source prints $e^{z_i}$ in the sum, which is always $1/C$).',
    )
    config.limits = (
        'The readings differ in parameters (122,570 / 552,650 / 73,418), so they cannot start from the same weights.',
        'ReLU outputs taken for probabilities are clipped and divided by their sum: no gradient reaches a true class '
        'whose output is 0, or above 1. That variant trains for three epochs only.',
    )
    return common.with_profile(config, profile, smoke={'training.epochs': 1, 'data.limit': 320, 'data.eval_limit': 128})
