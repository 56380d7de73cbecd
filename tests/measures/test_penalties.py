"""Penalties on a critic's slope: the norm over a whole image, finite at zero, and a gradient through our own layers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.layers import Conv, Dense
from jaxlab.measures.penalties import between, gradient_penalty, slope_norms
from tests.models.drawn import drawn

pytestmark = pytest.mark.usefixtures('float64')


@pytest.mark.parametrize(('shape', 'penalty'), [((28, 28, 1), 729.0), ((64, 64, 3), 12067.2975)])
def test_the_norm_is_over_a_whole_image(shape, penalty):
    """A critic that adds up all pixels has a slope of ones; over the channels alone it would give 0.535898."""
    found = gradient_penalty(lambda x: x.sum((1, 2, 3)), jnp.zeros((2, *shape)))
    np.testing.assert_allclose(found, penalty, rtol=1e-8)


def test_scores_of_patches_are_added_up():
    images = jnp.zeros((3, 4, 4, 2))
    np.testing.assert_allclose(slope_norms(lambda x: x.sum(-1), images), np.sqrt(32), rtol=1e-12)


def test_a_constant_critic_has_a_finite_gradient():
    """Penalty 1; a plain root of a sum of squares gives NaN."""
    images = jnp.ones((2, 3, 3, 1))

    def penalty(w):
        return gradient_penalty(lambda x: (w * x).sum((1, 2, 3)), images).mean()

    value, slope = jax.value_and_grad(penalty)(0.0)
    assert float(value) == 1.0 and np.isfinite(slope)
    plain = jax.grad(lambda w: jnp.linalg.norm(jax.grad(lambda x: (w * x).sum())(images)))(0.0)
    assert np.isnan(plain)


def test_one_share_an_image():
    real, made = jnp.ones((3, 2, 2, 1)), jnp.zeros((3, 2, 2, 1))
    share = jnp.array([0.0, 0.25, 1.0])
    np.testing.assert_array_equal(between(real, made, share), share[:, None, None, None] * real)
    np.testing.assert_array_equal(between(made, real, share)[:, 0, 0, 0], [1.0, 0.75, 0.0])


class Critic(nn.Module):
    """Two strided convolutions and a dense layer, of the given kinds."""

    conv: type
    dense: type

    @nn.compact
    def __call__(self, x):
        for features in (4, 6):
            x = nn.leaky_relu(self.conv(features, (5, 5), (2, 2), padding='SAME', name=f'conv_{features}')(x), 0.3)
        return self.dense(1, name='score')(x.reshape(len(x), -1))[:, 0]


def test_its_gradient_through_own_convolutions_is_that_through_stock_ones():
    """Reverse mode over reverse mode, inside a compiled loop as the engine runs it."""
    images = jnp.asarray(np.random.default_rng(0).standard_normal((3, 12, 12, 2)))
    ours, stock = Critic(Conv, Dense), Critic(nn.Conv, nn.Dense)
    params = drawn(stock, images)['params']
    shapes = jax.eval_shape(ours.init, jax.random.key(1), images)['params']
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)

    def slopes(critic):
        def penalty(params, images):
            return gradient_penalty(lambda x: critic.apply({'params': params}, x), images).mean()

        def step(_, total):
            value = jax.value_and_grad(penalty, argnums=(0, 1))(params, images)
            return jax.tree.map(jnp.add, total, value)

        start = jax.tree.map(
            jnp.zeros_like, jax.eval_shape(jax.value_and_grad(penalty, argnums=(0, 1)), params, images)
        )
        return jax.jit(lambda: jax.lax.fori_loop(0, 2, step, start))()

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), slopes(ours), slopes(stock))


def test_its_gradient_is_that_of_finite_differences():
    images = jnp.asarray(np.random.default_rng(0).standard_normal((2, 8, 8, 1)))
    critic = Critic(Conv, Dense)
    params = jax.tree.map(np.float64, drawn(critic, images, spread=0.1)['params'])
    smooth = lambda params: gradient_penalty(lambda x: jnp.tanh(critic.apply({'params': params}, x)), images).mean()
    check_grads(jax.jit(smooth), (params,), order=1, modes=('rev',))


@pytest.mark.parity
def test_equals_torch():
    torch = pytest.importorskip('torch')
    rng = np.random.default_rng(0)
    images, weights = rng.normal(size=(4, 3, 5)), rng.normal(size=(15, 6))
    ours = gradient_penalty(lambda x: jnp.tanh(x.reshape(4, -1) @ weights).sum(-1), jnp.asarray(images))
    x = torch.tensor(images, requires_grad=True)
    scores = torch.tanh(x.reshape(4, -1) @ torch.tensor(weights)).sum(-1)
    (slope,) = torch.autograd.grad(scores.sum(), x)
    np.testing.assert_allclose(ours, ((slope.flatten(1).norm(dim=1) - 1) ** 2).numpy(), rtol=1e-10)
