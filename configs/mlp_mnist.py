"""One hidden layer on MNIST (A04): what do 128 hidden units reach in ten epochs?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """scikit-learn's MLP: its initial weights, Adam 1e-3, batch 200, L2 1e-4 / 200 on the weights, its own 80/20 split.

    `official_split` tests the same net on the images that others test on, `linear` is the net without its hidden layer.
    """
    config = common.experiment('mlp_mnist', task='classification', data='mnist', model='mlp', spec=('A04',))
    config.aim = 'What do 128 hidden units reach on handwritten digits in ten epochs?'
    config.model.update({'features': (128,), 'init_scheme': 'sklearn'})
    config.data.batch_size = 200
    config.data.split = 'pooled'
    config.data.test_fraction = 0.2
    # scikit-learn's Adam has Keras's form (eps beside the uncorrected root) with eps 1e-8.
    # alpha / (2 B) * sum of squared weights in the loss is alpha / B = 5e-7 times the weight in the gradient.
    config.optimizer = common.keras_adam(
        1e-3, eps=1e-8, weight_decay=5e-7, weight_decay_mode='coupled', weight_decay_mask='kernels'
    )
    config.training.epochs = 10
    config.published = {
        'test_accuracy': common.printed(
            0.9717,
            'A04',
            'the split mixes the official sets (8,035 official test images are trained on), so it does not '
            'compare with figures for the official 10,000, as the variant official_split gives',
        ),
    }
    config.variants = {
        'pooled_split': {},
        'official_split': {'data.split': 'official', 'published': {}},
        'linear': {'model.features': (), 'published': {}},
    }
    config.stand_in = {'training.epochs': 60}
    config.theory = (
        'Hidden layer $h = \\max(0, W_1 x + b_1)$, class scores $z = W_2 h + b_2$, probabilities $p = \\mathrm{softmax}(z)$.',
        'Loss $L = -\\frac{1}{B}\\sum_i \\log p_{i,y_i} + \\frac{\\alpha}{2B}\\left(\\|W_1\\|^2 + \\|W_2\\|^2\\right)$.',
    )
    return common.with_profile(config, profile, smoke={'training.epochs': 2, 'data.limit': 800, 'data.eval_limit': 256})
