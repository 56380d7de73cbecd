"""BatchNorm against Flax, PyTorch, and the same examples without padding or on several devices."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.layers import BatchNorm, LayerNorm
from jaxlab.layers.batch_axis import BATCH_AXIS
from tests.models.drawn import numbers

X = numbers(8, 5, 4, 3) * 3 + 2
G = numbers(*X.shape, seed=1)


def step(module, variables, x, g, *rest):
    """Output, new statistics, gradients to the parameters and the input."""

    def run(params, x):
        y, new = module.apply({**variables, 'params': params}, x, *rest, mutable=['batch_stats'])
        return y, new

    @jax.jit
    def both_ways(params, x, g):
        y, pull, new = jax.vjp(run, params, x, has_aux=True)
        return y, new, pull(g)

    return both_ways(variables['params'], x, g)


def close(a, b, tolerance=2e-5) -> None:
    for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('axis', [-1, 0])
def test_equals_flax(axis) -> None:
    stock = nn.BatchNorm(use_running_average=False, momentum=0.9, axis=axis)
    ours = BatchNorm(axis=axis)
    variables = stock.init(jax.random.key(2), X)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, ours.init(jax.random.key(2), X, True))
    close(step(ours, variables, X, G, True), step(stock, variables, X, G))
    evaluate = jax.jit(lambda variables: ours.apply(variables, X, False))
    stock = jax.jit(nn.BatchNorm(use_running_average=True, axis=axis).apply)
    close(evaluate(variables), stock(variables, X))


def test_padding_enters_nothing() -> None:
    ours, weight = BatchNorm(), jnp.array([1.0, 1, 0, 1, 0, 1, 1, 0])
    real = np.flatnonzero(weight)
    x = jnp.where(weight[:, None, None, None] > 0, X, 1e6)
    g = G * weight[:, None, None, None]
    variables = ours.init(jax.random.key(2), X, True)
    y, new, (params, dx) = step(ours, variables, x, g, True, weight)
    y0, new0, (params0, dx0) = step(ours, variables, X[real], G[real], True)
    close((y[real], new, params, dx[real]), (y0, new0, params0, dx0))
    assert not np.any(dx[np.flatnonzero(weight == 0)])


def test_nothing_but_padding_is_finite() -> None:
    ours = BatchNorm(unbiased_variance=True)
    variables = ours.init(jax.random.key(2), X, True)
    for leaf in jax.tree.leaves(step(ours, variables, X, G, True, jnp.zeros(8))):
        assert np.all(np.isfinite(leaf))


def test_shares_of_a_batch_equal_the_whole() -> None:
    """One share is nothing but padding. `vmap` with a named axis runs the same collectives as `pmap` does."""
    ours, weight = BatchNorm(), jnp.array([1.0, 1, 1, 1, 0, 0, 1, 0])
    variables = ours.init(jax.random.key(2), X, True)
    g = G * weight[:, None, None, None]
    whole = step(ours, variables, X, g, True, weight)
    split = lambda v: v.reshape(4, 2, *v.shape[1:])

    def share(x, g, weight):
        y, new, (params, dx) = step(ours, variables, x, g, True, weight)
        return y, new, jax.tree.map(lambda p: jax.lax.psum(p, BATCH_AXIS), params), dx

    y, new, params, dx = jax.jit(jax.vmap(share, axis_name=BATCH_AXIS))(split(X), split(g), split(weight))
    first = lambda tree: jax.tree.map(lambda leaf: leaf[0], tree)
    close((y.reshape(X.shape), first(new), (first(params), dx.reshape(X.shape))), whole)


def test_large_means_keep_their_digits() -> None:
    x = X + 1e4
    _, new = BatchNorm(momentum=0.0).init_with_output(jax.random.key(2), x, True)
    _, new = BatchNorm(momentum=0.0).apply(new, x, True, mutable=['batch_stats'])
    np.testing.assert_allclose(new['batch_stats']['var'], np.asarray(x, np.float64).var((0, 1, 2)), rtol=1e-3)


def test_statistics_keep_float32_for_half_precision() -> None:
    module = BatchNorm(dtype=jnp.bfloat16)
    variables = module.init(jax.random.key(2), X, True)
    y, new = module.apply(variables, X.astype(jnp.bfloat16), True, mutable=['batch_stats'])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(new)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parity
def test_equals_torch() -> None:
    torch = pytest.importorskip('torch')
    theirs, ours = torch.nn.BatchNorm2d(3), BatchNorm(unbiased_variance=True)
    variables = ours.init(jax.random.key(2), X, True)
    x = torch.tensor(np.asarray(X).transpose(0, 3, 1, 2).copy(), requires_grad=True)
    y = theirs(x)
    y.backward(torch.tensor(np.asarray(G).transpose(0, 3, 1, 2).copy()))
    mine, new, (params, dx) = step(ours, variables, X, G, True)
    last = lambda v: v.detach().numpy().transpose(0, 2, 3, 1)
    close((mine, dx), (last(y), last(x.grad)))
    stats = (new['batch_stats']['mean'], new['batch_stats']['var'], params['scale'], params['bias'])
    close(
        stats,
        tuple(
            t.detach().numpy() for t in (theirs.running_mean, theirs.running_var, theirs.weight.grad, theirs.bias.grad)
        ),
    )


@pytest.mark.parametrize('epsilon, first', [(1e-12, -1.341640), (1e-6, -1.0), (1e-5, -0.447214)])
def test_layer_norm_of_small_numbers(epsilon, first):
    """The epsilons of BERT, Flax and PyTorch."""
    x = jnp.array([[0.001, 0.002, 0.003, 0.004]])
    y = LayerNorm(epsilon).apply({'params': {'scale': jnp.ones(4), 'bias': jnp.zeros(4)}}, x)
    np.testing.assert_allclose(y[0, 0], first, atol=2e-6)


def test_layer_norm_equals_flax_and_keeps_digits_of_large_means():
    x = numbers(3, 4, 8)
    params = {'scale': 1 + 0.1 * x[0, 0], 'bias': x[0, 1]}
    ours, theirs = (
        jax.jit(lambda p, x, module=module: module.apply({'params': p}, x))
        for module in (LayerNorm(1e-5), nn.LayerNorm(1e-5))
    )
    np.testing.assert_allclose(ours(params, x), theirs(params, x), atol=1e-5)
    slopes = [jax.jit(jax.grad(lambda p, x, f=f: (f(p, x) ** 2).sum(), (0, 1)))(params, x) for f in (ours, theirs)]
    for one, other in zip(*map(jax.tree.leaves, slopes), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    shifted = jnp.array([[1e4, 1e4 + 1, 1e4 + 2, 1e4 + 3]])
    params = {'scale': jnp.ones(4), 'bias': jnp.zeros(4)}
    np.testing.assert_allclose(ours(params, shifted)[0], [-1.341641, -0.447214, 0.447214, 1.341641], atol=1e-3)


def test_padding_is_left_out_in_both_layouts() -> None:
    """Channels first and examples last: the same outputs, statistics and gradients as channels last, weights counted."""
    weight = jnp.array([1.0, 1, 0, 1, 1, 0, 1, 1])
    last, first = BatchNorm(), BatchNorm(axis=0)
    variables = last.init(jax.random.key(2), X, True)
    turned = lambda x: jnp.swapaxes(x, 0, -1)
    y, new, (params, x) = step(last, variables, X, G, True, weight)
    other, other_new, (other_params, other_x) = step(first, variables, turned(X), turned(G), True, weight)
    close((y, new, params, x), (np.swapaxes(other, 0, -1), other_new, other_params, np.swapaxes(other_x, 0, -1)))
