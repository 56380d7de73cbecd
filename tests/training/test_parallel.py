"""One device, a mesh of eight under `jit` and `pmap` over eight give the same losses and weights.

The last batch of an epoch holds 4 examples on 8 devices, so most devices see nothing but padding there; the model has
BatchNorm and Dropout, and images are augmented.
"""

import jax
import numpy as np
import pytest

from jaxlab.errors import UserError
from tests.training import lab

SHIFTED, MIXED = ({'data__transforms': (transform,)} for transform in (('shift', {'pixels': 2}), ('mixup', {})))
AVERAGED = {'task__ema': 0.9, 'task__transform_made': True, **SHIFTED}
SHALLOW = {'model__discriminator__depth': 1}
FORMS = {'mesh': {'parallel__devices': 8}, 'pmap': {'parallel__devices': 8, 'parallel__mode': 'pmap'}}


def same(one: lab.Steps, other: lab.Steps, tolerance: float) -> None:
    lab.close(one.logs, other.logs, tolerance)
    lab.close(one.state, other.state, tolerance)
    lab.close(one.evaluation, other.evaluation, tolerance)
    lab.close(one.outputs, other.outputs, tolerance)


@pytest.fixture(scope='module')
def double():
    with jax.enable_x64(True):
        return lab.steps(lab.small(**MIXED), 20, np.float64)


@pytest.fixture(scope='module')
def single():
    return lab.steps(lab.small(**SHIFTED), 2)


@pytest.fixture(scope='module', params=FORMS)
def several(request):
    """The same on eight devices, in either form."""
    return lab.steps(lab.small(**SHIFTED, **FORMS[request.param]), 2)


@pytest.fixture(scope='module', params=[{}, AVERAGED], ids=['plain', 'averaged'])
def gan(request):
    """(changes, one epoch of a GAN with them on one device)"""
    with jax.enable_x64(True):
        return request.param, lab.steps(lab.gan(**SHALLOW, **request.param), 1, np.float64)


@pytest.mark.parametrize('form', FORMS)
def test_float64_agrees_to_1e_10_over_100_steps(form, double, float64):
    assert double.logs['loss'].shape == (1, 100, 2) and double.logs['loss'].dtype == np.float64
    same(double, lab.steps(lab.small(**MIXED, **FORMS[form]), 20, np.float64), 1e-10)


def test_float32_agrees_over_10_steps(single, several):
    same(single, several, 2e-5)


@pytest.mark.parametrize('form', FORMS)
def test_noise_and_dropout_are_drawn_per_example(form, gan, float64):
    """Two networks, noise and shifts that are made inside the step: nothing depends on where an example lies."""
    changes, one = gan
    other = lab.steps(lab.gan(**SHALLOW, **changes, **FORMS[form]), 1, np.float64)
    assert bool(one.state[0]['generator'].ema) == bool(changes)
    assert one.logs['generator_loss'].shape == (1, 3, 2)
    same(one, other, 1e-6)  # the discriminator's logits are float32 whatever the weights are


def test_weights_count_each_example_once(single, several):
    """A short last batch: 4 real examples, however many devices there are."""
    for run in (single, several):
        assert run.logs['loss'][0, :, 1].tolist() == 2 * [24, 24, 24, 24, 4]


def test_sharded_parameters_equal_whole_ones(float64):
    """A mesh of 4 x 2: the hidden layer's kernel and its momentum are split over two devices."""
    rules = ((r'Dense_0/kernel', 1), (r'Dense_1/kernel', 0))
    config = lab.small(parallel__devices=8, parallel__model_axis=2, parallel__shard=rules)
    machine = lab.machine(config)
    placed = machine.placement.state(machine.init())
    kernel = placed[0]['model'].params['Dense_0']['kernel']
    assert kernel.addressable_shards[0].data.shape == (784, 8)
    momentum = [leaf for leaf in jax.tree.leaves(placed[0]['model'].opt_state) if leaf.shape == (784, 16)]
    assert [leaf.addressable_shards[0].data.shape for leaf in momentum] == [(784, 8)]
    same(lab.steps(lab.small(), 2, np.float64), lab.steps(config, 2, np.float64), 1e-10)


def test_one_batch_of_everything_is_padded_for_the_devices(float64):
    """100 examples in 104 rows on eight devices: the same updates as on one."""
    config = lab.small(data__batch_size=0)
    same(
        lab.steps(config, 2, np.float64),
        lab.steps(lab.small(data__batch_size=0, parallel__devices=8), 2, np.float64),
        1e-10,
    )


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(UserError, match=r'batch_size = 20 cannot be shared out over 8 devices; valid: a multiple'):
        lab.machine(lab.small(data__batch_size=20, parallel__devices=8))
    with pytest.raises(UserError, match='parallel.devices = 9, but there are 8'):
        lab.machine(lab.small(parallel__devices=9))
    with pytest.raises(UserError, match='model_axis = 3 does not divide the 8 devices'):
        lab.machine(lab.small(parallel__devices=8, parallel__model_axis=3))
