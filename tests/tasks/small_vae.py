"""A small variational autoencoder for tests."""

from configs import common
from tests.training import lab


def small(**changes):
    """Forty digits, a code of three numbers; keys are dotted paths with `__` for the dots."""
    config = common.experiment('small_vae', task='vae', data='mnist', model='mlp_vae')
    config.model.update({'latent': 3, 'hidden': (16,)})
    config.data.update({'source': 'embedded', 'limit': 40, 'eval_limit': 30, 'batch_size': 16, 'eval_batch_size': 16})
    config.optimizer = common.adam(1e-3)
    config.training.epochs, config.parallel.devices = 2, 1
    return lab.changed(config, **changes)
