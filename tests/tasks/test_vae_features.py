"""A variational autoencoder that compares images as another network sees them, and reports what that network says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.protocol import Needed
from jaxlab.tasks.judging import Judge
from jaxlab.training import run as engine
from tests.tasks.small_vae import small
from tests.training import lab

SCORER = {'needs': {'scorer': {'config': 'lenet_mnist'}}}  # only asked for; the tests give their own


@pytest.fixture(scope='module')
def needs():
    """An untrained classifier of two dense layers."""
    task = prepare(lab.small(model={'name': 'mlp', 'features': (6,)})).task
    batch = {'image': jnp.zeros((2, 28, 28, 1)), 'weight': jnp.ones(2)}
    return {'scorer': Needed(task, jax.jit(task.init)(jax.random.key(3), batch), {'test_accuracy': [0.5]})}


@pytest.fixture(scope='module')
def ready():
    return prepare(small(task__reconstruction='features', **SCORER))


def images_of(seed, count=5):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=(count, 28, 28, 1)), jnp.float32)


def test_how_unlike_two_images_are_by_hand(needs):
    """Three layers' inputs: the image in the judge's scale, the six hidden units; each a relative squared error."""
    judge = Judge.of(needs)
    assert judge.task.scale == (0.0, 1.0)
    one, other = images_of(0), images_of(1)
    first = judge.state['model'].params['Dense_0']
    hidden = lambda x: np.maximum(np.asarray(x).reshape(5, -1) @ first['kernel'] + first['bias'], 0)
    expected = np.zeros(5)
    for a, b in ((np.asarray(one).reshape(5, -1), np.asarray(other).reshape(5, -1)), (hidden(one), hidden(other))):
        expected += np.square(a - b).mean(1) / np.maximum(np.square(a).mean(1), 0.01) / 2
    unlike = jax.jit(judge.unlike)
    np.testing.assert_allclose(unlike(one, other), expected, rtol=1e-4)
    np.testing.assert_allclose(unlike(one, one), 0, atol=1e-7)
    slopes = jax.jit(jax.grad(lambda a, b: judge.unlike(a, b).sum(), (0, 1)))
    np.testing.assert_array_equal(slopes(one, other)[0][0, 0, 0], 0 * one[0, 0, 0])
    assert np.isfinite(slopes(jnp.zeros_like(one), other)[1]).all()


def test_it_is_what_is_trained(ready, needs):
    """The loss is that, times 784, and the divergence; forty updates lessen it; a row of weight 0 counts nowhere."""
    task = ready.task.judged_by(needs)
    batch = {'image': images_of(2).at[4].set(0.9), 'weight': jnp.array([1.0, 1, 1, 1, 0])}
    state, step = jax.jit(task.init)(jax.random.key(0), batch), jax.jit(task.train_step)

    @jax.jit
    def looked(state):
        noise = task._noise(jax.random.split(jax.random.key(1))[1], 5)
        terms = task.terms(state['model'].variables(), batch['image'], noise)
        mean, _ = task.model.apply(state['model'].variables(), batch['image'], method='encode')
        decoded = task.decode(state, mean + jnp.exp(0.5 * terms.log_variance) * noise)
        return terms, 784 * task.judge.unlike(batch['image'], decoded)

    terms, unlike = looked(state)
    _, measured = step(state, batch, jax.random.key(1))
    expected = float((terms.reconstruction + terms.kl.sum(-1))[:4].mean())
    assert float(measured['loss'][0] / measured['loss'][1]) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(terms.reconstruction, unlike, rtol=1e-4)
    for number in range(40):
        state, measured = step(state, batch, jax.random.key(number))
    assert float(measured['reconstruction'][0] / measured['reconstruction'][1]) < 0.9 * float(
        terms.reconstruction[:4].mean()
    )


def test_what_the_judge_says_is_in_the_report(ready, needs, tmp_path):
    """As the command line makes it: the reporter was built before the judge was trained."""
    task = ready.task.judged_by(needs)
    config = ready.config.copy_and_resolve_references()
    config.training.epochs = 1
    found = engine.train(config, task, ready.data, tmp_path, lab.Listener(), ready.reporter, needs=needs)
    metrics = found.facts['metrics']
    assert {'frechet_floor', 'collapsed', 'nearest_made', 'test_mean_image_reconstruction'} <= set(metrics)
    assert any(figure.name == 'classes_of_samples' for figure in found.report.figures)
    assert any('no nats, and no bound' in remark for remark in found.report.remarks)


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({}, "config.task.reconstruction = 'features' needs a network: config.needs.scorer"),
        ({**SCORER, 'task__reduction': 'mean'}, "valid: reduction 'sum'"),
        ({**SCORER, 'task__binary': True}, "valid: reduction 'sum'"),
        ({**SCORER, 'report__options': {'importance_samples': 5}}, "importance_samples: 'features' are no likelihood"),
    ],
)
def test_what_cannot_be_meant(changes, said):
    with pytest.raises(UserError, match=said.replace('.', r'\.')):
        _ = prepare(small(task__reconstruction='features', **changes)).reporter


def test_convolutions_batch_last_are_brought_in_order():
    """LeNet's convolutions keep the batch innermost on a CPU: every map begins with the batch all the same."""
    task = prepare(lab.small(model={'name': 'lenet'})).task
    state = jax.jit(task.init)(jax.random.key(0), {'image': images_of(0, 3), 'weight': jnp.ones(3)})
    read = jax.jit(task.maps)
    maps = read(state, images_of(0, 3))
    assert [each.shape for each in maps] == [(3, 28, 28, 1), (3, 14, 14, 6), (3, 400), (3, 120), (3, 84)]
    alone = read(state, images_of(0, 3)[1:2])
    for each, one in zip(maps, alone, strict=True):
        np.testing.assert_allclose(each[1:2], one, atol=1e-5)
