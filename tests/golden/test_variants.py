"""Every experiment with every variant, in both profiles: smoke runs leave most variants out."""

import pytest

from jaxlab.experiments import config as configs
from jaxlab.models import build_model
from jaxlab.training import control

TOLD = {'classes': 2, 'vocabulary': 10, 'source_vocabulary': 10, 'target_vocabulary': 10}  # by tasks and data


@pytest.mark.parametrize('profile', ['full', 'smoke'])
@pytest.mark.parametrize('name', configs.names())
def test_can_be_chosen(name, profile):
    """Its fields are there and valid, a decision has a metric that is not the test split's, and its network can be built."""
    config = configs.load(configs.main_folder() / f'{name}.py', profile)
    configs.check(config, name)
    for variant, changes in {'': {}, **config.variants.to_dict()}.items():
        one = configs.apply(config, {**changes, 'variants': {}}, f'variant {variant} of {name}')
        control.check_decisions(one)
        if one.model.get('name'):  # the networks of a GAN stand in blocks of their own
            build_model(one.model, **TOLD)
