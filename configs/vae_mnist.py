"""A variational autoencoder on MNIST (B22): what do two latent numbers say of a digit, and what does the bound cost?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """784-400-200-2 and back, BCE summed over pixels plus KL, Adam 1e-3, batch 128, 20 epochs (9,380 updates).

    The source prints pixels in [-1, 1], under which its loss has no least value; its published losses are only possible
    with pixels in [0, 1], which are taken here. `as_published` shows the printed setting. `latent_20` has room for what a
    digit is; `binary_50` has pixels that are really black or white, so that its bound is one on a likelihood.
    """
    config = common.experiment('vae_mnist', task='vae', data='mnist', model='mlp_vae', spec=('B22',))
    config.aim = 'What do two latent numbers say of a handwritten digit?'
    config.data.batch_size = 128
    config.optimizer = common.adam(1e-3)
    config.training.watch = ('test',)
    config.training.epochs = 20
    config.training.snapshot_every = 5
    config.report.options = {
        'main_metric': 'test_negative_elbo',
        'compared': ('test_negative_elbo', 'test_reconstruction', 'test_kl', 'test_importance_bound', 'test_mse'),
        'importance_samples': 50,
        'importance_images': 1000,
    }
    deep = {'model.hidden': (512, 512), 'training.epochs': 100, 'optimizer.schedule': 'cosine', 'published': {}}
    config.variants = {
        'two_numbers': {},
        'as_published': {'data.scale': (-1.0, 1.0), 'task.any_targets': True, 'report.options.importance_samples': 0},
        'latent_10': {'model.latent': 10, 'published': {}},
        'latent_20': {'model.latent': 20, 'published': {}},
        'beta_4': {'model.latent': 20, 'task.kl_weight': 4.0, 'published': {}},
        'plain': {'task.plain': True, 'published': {}},
        'binary_50': {'model.latent': 50, 'task.binary': True, **deep},
    }
    config.published = {
        'train_loss': common.printed(
            139.2701,
            'B22, epoch 20',
            'nats a training image, mean over the epoch; the source measured no held-out image',
        ),
    }
    # 1,437 training images instead of 60,000: 12 updates an epoch in place of 469.
    config.stand_in = {
        'training.epochs': 200,
        'training.eval_every': 20,
        'training.snapshot_every': 50,
        'training.checkpoint_every': 50,
    }
    config.theory = (
        'An encoder gives $q(z|x) = N(\\mu(x), \\mathrm{diag}\\, \\sigma^2(x))$, a decoder $p(x|z)$; a code is drawn as '
        '$z = \\mu + \\sigma \\odot \\epsilon$, $\\epsilon \\sim N(0, I)$, so that gradients pass.',
        'The evidence lower bound: $\\log p(x) \\ge E_q \\log p(x|z) - KL(q(z|x) \\| N(0, I))$, where '
        '$KL = \\frac{1}{2} \\sum_d (\\mu_d^2 + \\sigma_d^2 - 1 - \\log \\sigma_d^2)$.',
        'With $k$ draws the bound is tighter: $\\log \\frac{1}{k} \\sum_i p(x, z_i) / q(z_i|x)$ (Burda et al. 2016).',
    )
    config.limits = (
        'Grey pixels are not draws of black or white: their cross-entropy has a floor (about 45.5 nats a test digit of MNIST), '
        'and nats on grey and on binary digits cannot be compared, nor either with bounds of other numbers of draws.',
        'Two latent numbers make a map that can be looked at, and no good model of digits.',
        'The source prints a Gaussian likelihood in its text and a Bernoulli one in its code; the code is followed.',
    )
    smoke = {
        'data.limit': 1024,
        'data.eval_limit': 300,
        'data.batch_size': 32,
        'training.epochs': 16,
        'training.eval_every': 4,
        'training.snapshot_every': 8,
        'training.checkpoint_every': 16,
        'report.options.importance_samples': 20,
        'report.options.importance_images': 100,
    }
    return common.with_profile(config, profile, smoke=smoke)
