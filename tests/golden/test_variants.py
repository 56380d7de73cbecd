"""Every experiment with every variant, in both profiles: smoke runs leave most variants out; what configs are written with."""

import pytest

from configs import common
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


def small(profile, **smoke):
    config = common.experiment('small', task='classification', data='mnist', model='mlp')
    config.variants = {'plain': {}, 'bold': {'optimizer.learning_rate': 0.1}}
    config.stand_in = {'training.epochs': 60}
    return common.with_profile(config, profile, smoke={'training.epochs': 2, **smoke})


def test_a_smoke_run_is_one_training_unless_it_names_variants():
    full, one, two = small('full'), small('smoke'), small('smoke', variants={'plain': {}, 'bold': {}})
    assert (full.profile, full.training.epochs, set(full.variants)) == ('full', 1, {'plain', 'bold'})
    assert full.stand_in.to_dict() == {'training.epochs': 60}
    assert (one.profile, one.training.epochs) == ('smoke', 2) and not one.variants and not one.stand_in
    assert set(two.variants) == {'plain', 'bold'} and not two.stand_in
    with pytest.raises(ValueError, match="unknown profile 'half'; valid: full, smoke"):
        small('half')


def test_a_printed_number_says_only_what_is_known_of_it():
    assert common.printed(0.9, 'page 3') == {'value': 0.9, 'where': 'page 3'}
    note = {'value': 0.9, 'where': 'page 3', 'note': 'one run', 'comparable': False}
    assert common.printed(0.9, 'page 3', 'one run', comparable=False) == note
