"""A denoising autoencoder on MNIST (B23): how much noise do 2,633 numbers take away, and how much does a plain filter?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Two convolutions of stride 2 and back, noise 0.5 clipped to [0, 1], squared error, Adam 1e-3, batch 128, ten epochs.

    The source draws the noise of a picture once; here it is drawn anew at each update. `wide` and `skip` say how much of what
    is lost is the network's size, and how much its narrowest place.
    """
    config = common.experiment(
        'denoising_mnist', task='denoising', data='mnist', model='denoising_autoencoder', spec=('B23',)
    )
    config.aim = (
        'How much noise does a small network take from handwritten digits, and how much do filters without learning?'
    )
    config.data.batch_size = 128
    config.optimizer = common.adam(1e-3)
    config.training.watch = ('test',)
    config.training.epochs = 10
    config.report.options = {
        'main_metric': 'test_psnr',
        'compared': ('test_psnr', 'test_ssim', 'test_loss', 'test_batch_psnr', 'non_local_means_psnr'),
    }
    wide = {'model.filters': (64, 64)}
    config.variants = {
        'narrow': {},
        'wide': {**wide, 'published': {}},
        'skip': {**wide, 'model.skip': True, 'published': {}},
        'masked': {'task.noise': 'masking', 'published': {}},
    }
    config.published = {
        'test_batch_psnr': common.printed(18.57, 'B23', 'the mean over 79 batches of the PSNR of each'),
        'train_loss': common.printed(0.0142, 'B23, epoch 10', 'the same noise in every epoch'),
    }
    # 1,437 training images instead of 60,000: 12 updates an epoch in place of 469.
    config.stand_in = {'training.epochs': 200, 'training.eval_every': 20, 'training.checkpoint_every': 50}
    config.theory = (
        'The network sees $\\tilde x = x + \\sigma \\epsilon$, $\\epsilon \\sim N(0, I)$, clipped to $[0, 1]$, and is trained on '
        '$\\frac{1}{d} \\|f(\\tilde x) - x\\|^2$: no identity can be learned.',
        'Peak signal-to-noise ratio: $PSNR = -10 \\log_{10} MSE$ for pixels in $[0, 1]$. Clipped noise of deviation 0.5 on black '
        'or white pixels has an MSE of 0.1151, so 9.39 dB; a black picture has about 9.5 dB on MNIST.',
    )
    config.limits = (
        'Clipping moves the mean: a black pixel is 0.195 on average under this noise.',
        'The mean of PSNRs, the PSNR of the mean error and the mean over batches differ by some tenths of a dB.',
        'Trained at one noise level; the figure of levels shows what happens at others.',
    )
    smoke = {
        'data.limit': 1024,
        'data.eval_limit': 100,
        'data.batch_size': 32,
        'training.epochs': 16,
        'training.eval_every': 8,
        'training.checkpoint_every': 16,
    }
    return common.with_profile(config, profile, smoke=smoke)
