"""A convolutional variational autoencoder on 64x64 flowers (D2.1): what do 128 latent numbers keep of a photograph?"""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Three convolutions of stride 2 and back, 128 latent numbers, Adam 1e-4, batch 32, ten epochs.

    The source's loss is lost; its printed values fit a mean over pixels beside the whole divergence, under which the code says
    next to nothing (`as_published`). Here squared errors are summed over pixels, which is a bound. `longer` trains ten times as
    long at ten times the rate, since 430 small updates are few; `sharper` takes pixels for less noisy; `plain` has no
    divergence; `features` compares what a classifier's layers read. A tenth of the photographs is held out, which the source
    did not do.
    """
    config = common.experiment('vae_flowers', task='vae', data='flowers17', model='conv_vae', spec=('D2.1',))
    config.aim = 'What do 128 latent numbers keep of a photograph of a flower?'
    config.data.update({'batch_size': 32, 'test_fraction': 0.1, 'options': {'image_size': 64}})
    config.task.reconstruction = 'squared'
    config.optimizer = common.keras_adam(1e-4)
    config.training.watch = ('test',)
    config.training.epochs = 10
    config.training.snapshot_every = 2
    config.report.options = {
        'main_metric': 'test_mse',
        'compared': ('test_mse', 'test_kl', 'test_active_latents', 'test_negative_elbo', 'train_batch_mse'),
    }
    longer = {
        'training.epochs': 100,
        'training.eval_every': 5,
        'training.snapshot_every': 20,
        'training.checkpoint_every': 20,
        'optimizer.learning_rate': 1e-3,
        'published': {},
    }
    kinds = {
        'data.name': 'flowers17',
        'data.options': {'image_size': 64},
        'data.test_fraction': 0.1,
        'data.batch_size': 32,
    }
    kinds |= {
        'data.scale': (0.0, 1.0),
        'data.transforms': (('flip', {}), ('shift', {'pixels': 4})),
        'training.epochs': 40,
    }
    scorer = {'config': 'lenet_mnist', 'overrides': {**kinds, 'variants': {}, 'published': {}, 'stand_in': {}}}
    config.variants = {
        'summed': {'published': {}},
        'as_published': {'task.reduction': 'mean'},
        'longer': longer,
        'sharper': {**longer, 'task.reconstruction': 'gaussian', 'task.deviation': 0.1},
        'bce': {**longer, 'task.reconstruction': 'bce'},
        'plain': {**longer, 'task.plain': True},
        # Compared as a LeNet sees them that learned the kinds of flowers, layer by layer: no bound, but less blurred.
        'features': {**longer, 'task.reconstruction': 'features', 'needs': {'scorer': scorer}},
    }
    config.published = {
        'train_batch_mse': common.printed(
            2.0880,
            'D2.1, epoch 10',
            'read as the sum over a batch of mean squared errors, divergence neglected; the code of the loss is lost',
            comparable=False,
        ),
    }
    config.theory = (
        '$-\\log p(x) \\le E_q \\|x - f(z)\\|^2 + KL(q(z|x) \\| N(0, I)) + const$, if a pixel has the variance $1/2$.',
        'A mean over $d$ pixels in place of the sum weighs the divergence $d$ times as much: 12,288 times here.',
        '$KL = \\frac{1}{2} \\sum_j (\\mu_j^2 + \\sigma_j^2 - 1 - \\log \\sigma_j^2)$; a latent number without it says nothing '
        '(posterior collapse).',
    )
    config.limits = (
        'Squared errors average over what the code leaves open: samples are blurred.',
        'A variance of 1/2 a pixel is far more than the noise of a photograph; `sharper` takes 0.01.',
        'A held-out tenth has some hundred photographs.',
    )
    smoke = {
        'model.filters': (8, 16),
        'model.latent': 16,
        'data.limit': 320,
        'data.eval_limit': 64,
        'data.options': {'image_size': 32},
        'optimizer.learning_rate': 2e-3,
        'data.batch_size': 16,
        'training.epochs': 10,
        'training.eval_every': 5,
        'training.snapshot_every': 5,
        'training.checkpoint_every': 10,
    }
    return common.with_profile(config, profile, smoke=smoke)
