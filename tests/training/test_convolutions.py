"""Who computes a run's convolutions on a CPU: when oneDNN is chosen, that it is kept, and that bits stay equal."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

from configs import common
from jaxlab import models
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.layers import Conv, Dense, onednn
from jaxlab.models.lenet import LeNet
from jaxlab.training import forms, model_table
from jaxlab.training.loop import Interrupted
from tests.models.drawn import numbers, started
from tests.training import lab

needs_it = pytest.mark.skipif(not onednn.available(), reason='this jaxlib or processor does not offer oneDNN')


class Convolved(nn.Module):
    """Two convolutions, so that an update needs the gradients of kernels and of images, and little around them."""

    classes: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x, train=False, weight=None):
        x = nn.relu(Conv(16, 3, 2)(nn.relu(Conv(8, 3, 2)(x))))
        return Dense(self.classes)(x.mean((1, 2)))


@pytest.fixture(autouse=True, scope='module')
def known():
    """The network is in its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.MODELS, 'convolved', 'tests.training.test_convolutions:Convolved')
        yield


def convolved(convolutions: str = 'auto', **changes) -> common.Config:
    """Three epochs of three updates."""
    config = lab.small(data__limit=40, data__batch_size=16, training__epochs=3, training__convolutions=convolutions)
    config.model = {'name': 'convolved'}
    return lab.changed(config, **changes)


@pytest.fixture(scope='module')
def whole(known, tmp_path_factory):
    """By oneDNN, undisturbed."""
    return lab.train(convolved('onednn'), tmp_path_factory.mktemp('whole'))


@needs_it
def test_a_resumed_run_ends_with_the_same_bits_and_the_same_library(whole, tmp_path):
    """The choice is in the checkpoint: it stays where the command that goes on leaves it open."""
    with pytest.raises(Interrupted):
        lab.train(convolved('onednn', training__steps_per_call=1), tmp_path, lab.Listener(stop_at=4))
    listener = lab.Listener()
    found = lab.train(convolved(), tmp_path, listener)
    assert found.facts['convolutions'] == whole.facts['convolutions'] == 'onednn'
    assert found.facts['params_digest'] == whole.facts['params_digest']
    assert any(line.startswith('compiled in ') and 'oneDNN' in line for line in listener.said)


@needs_it
def test_own_forms_give_the_same_numbers(whole, tmp_path):
    """Within float32 rounding over nine updates; not the same bits, so it was really another program."""
    own = lab.train(convolved('own'), tmp_path)
    assert own.facts['convolutions'] == 'own'
    assert own.facts['params_digest'] != whole.facts['params_digest']
    lab.close(own.record.states, whole.record.states, 2e-4)


@needs_it
@pytest.mark.parametrize('parallel', [{'parallel__devices': 8}, {'parallel__devices': 8, 'parallel__mode': 'pmap'}])
def test_several_devices(whole, tmp_path, parallel):
    several = lab.train(convolved('onednn', **parallel), tmp_path)
    lab.close(several.record.states, whole.record.states, 2e-4)


def chosen(config: common.Config, begun=None) -> str:
    ready = prepare(config)
    examples = ready.config.training.epochs * ready.data.draws
    return forms.choose(ready.config, ready.task, examples, begun or {}).convolutions


@needs_it
def test_auto_takes_it_where_a_run_is_long_enough(monkeypatch):
    """40 examples an epoch: 1e13 operations are not reached by a small network, and reached by many epochs of it."""
    assert chosen(lab.gan()) == 'own'
    ready = prepare(lab.gan())
    enough = forms.WORTH / (6 * 40 * model_table.convolution_work(ready.task.networks()))
    assert chosen(lab.gan(training__epochs=int(enough) + 1)) == 'onednn'
    assert chosen(lab.gan(training__epochs=int(enough) - 1)) == 'own'
    assert chosen(lab.gan(training__epochs=int(enough) // 2 + 1, replicas=2)) == 'onednn'


@needs_it
def test_auto_leaves_networks_alone_that_have_nothing_for_it(monkeypatch):
    """A dense net, and LeNet, whose images lie batch-last."""
    monkeypatch.setattr(forms, 'WORTH', 1.0)
    assert chosen(lab.gan()) == 'onednn'
    for model in ({'model': {'name': 'mlp', 'features': (4,)}}, {'model': {'name': 'lenet'}}):
        assert chosen(lab.small(**model)) == 'own'


@needs_it
def test_a_run_of_before_the_choice_keeps_its_own_forms(monkeypatch):
    monkeypatch.setattr(forms, 'WORTH', 1.0)
    assert chosen(lab.gan(), {'replica_form': 'unrolled'}) == 'own'
    assert chosen(lab.gan(), {'convolutions': 'onednn'}) == 'onednn'
    assert chosen(lab.gan(training__convolutions='own'), {'convolutions': 'onednn'}) == 'own'


def test_where_it_is_not_offered(monkeypatch):
    """`auto` goes on with jaxlab's own forms, also in a run that began with oneDNN; asking for it is one line."""
    monkeypatch.setattr(onednn, 'available', lambda: False)
    monkeypatch.setattr(forms, 'WORTH', 1.0)
    assert chosen(lab.gan()) == chosen(lab.gan(), {'convolutions': 'onednn'}) == 'own'
    with pytest.raises(UserError, match=r"config.training.convolutions = 'onednn': .*valid: auto, own"):
        chosen(lab.gan(training__convolutions='onednn'))


def test_the_work_of_convolutions():
    """The DCGAN at width 4: multiply-adds of one example, counted by hand.

    Generator from 7x7x16: 49 * 25 * 16 * 8, then 49 * 25 * 8 * 4 (each input sends 25 taps), then 196 * 25 * 4.
    Discriminator: 196 * 25 * 4 to 14x14, then 49 * 25 * 4 * 8 to 7x7.
    """
    published = {f'model__{name}__kernel_size': 5 for name in ('generator', 'discriminator')}
    task = prepare(lab.gan(**published)).task
    assert model_table.convolution_work(task.networks()) == 156_800 + 39_200 + 19_600 + 19_600 + 39_200
    rows = [row for table in model_table.networks(task).values() for row in table]
    of_table = sum(row['multiply_adds'] for row in rows if row['type'] in ('Conv', 'ConvTranspose'))
    assert model_table.convolution_work(task.networks()) == of_table
    assert jax.default_backend() == 'cpu'


def test_batch_last_is_for_processors_only(monkeypatch) -> None:
    """On an accelerator LeNet's convolutions are channels-last; parameters and results are the same."""
    x = numbers(3, 28, 28, 1)
    model = LeNet()
    variables = started(model, x, seed=1)
    on_cpu, rows = jax.jit(model.apply)(variables, x), model_table.convolution_work({'model': (model, x[:1])})
    assert rows == 0
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    assert model_table.convolution_work({'model': (model, x[:1])}) == 28 * 28 * 25 * 6 + 10 * 10 * 25 * 6 * 16
    np.testing.assert_allclose(jax.jit(LeNet().apply)(variables, x), on_cpu, atol=1e-5)
