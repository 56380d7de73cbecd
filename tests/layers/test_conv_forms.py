"""The forms a convolution takes on a CPU, each called itself, against XLA's convolution and its gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from jaxlab import layers
from jaxlab.layers import conv_cpu, conv_unrolled, conv_winograd
from jaxlab.layers.conv_geometry import Geometry
from jaxlab.layers.convolve import convolve
from tests.models.drawn import drawn, numbers

ONES = (1, 1)
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # each try compiles a program: minutes to shrink


def stock(geometry: Geometry, x, kernel):
    letters = 'DHW'[-len(geometry.space) :]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=(f'N{letters}C', f'{letters}IO', f'N{letters}C'),
    )


def equals_stock(form, geometry: Geometry, images: int, channels: int, features: int, dtype, tolerance: float) -> None:
    """The three maps of a form, in one program beside XLA's convolution and its gradients."""
    random = np.random.default_rng(0)
    shapes = (
        (images, *geometry.space, channels),
        (*geometry.size, channels, features),
        (images, *geometry.out, features),
    )
    x, kernel, g = (random.normal(size=shape).astype(dtype) for shape in shapes)

    @jax.jit
    def run(x, kernel, g):
        y, pull = jax.vjp(partial(stock, geometry), x, kernel)
        ours = (
            form.forward(geometry, x, kernel),
            form.input_gradient(geometry, g, kernel),
            form.kernel_gradient(geometry, x, g),
        )
        return ours, (y, *pull(g))

    for mine, theirs in zip(*run(x, kernel, g), strict=True):
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        mine, theirs = np.asarray(mine), np.asarray(theirs)
        scale = max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(mine / scale, theirs / scale, atol=tolerance)


edges = st.tuples(st.integers(-1, 3), st.integers(-1, 3))


@settings(max_examples=2, phases=UNSHRUNK)
@given(space=st.tuples(st.integers(2, 9), st.integers(2, 9)), padding=st.tuples(edges, edges))
@example(space=(6, 5), padding=((1, 1), (-1, 2)))  # whole and halved tiles, an edge that is cut off
@example(space=(5, 8), padding=((0, 1), (2, 3)))  # the other way round, edges of nothing but zeros
@example(space=(2, 4), padding=((1, 0), (-1, 0)))  # a single position
def test_winograd_for_any_size_and_padding(space, padding) -> None:
    geometry = Geometry(space, (3, 3), ONES, padding, ONES)
    assume(min(geometry.out) >= 1)
    with jax.enable_x64(True):
        equals_stock(conv_winograd, geometry, 2, 3, 4, jnp.float64, 1e-13)


@settings(max_examples=10, phases=UNSHRUNK)
@given(
    space=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    size=st.integers(1, 4),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    edge=edges,
)
def test_unrolled_for_any_size(space, size, stride, dilation, edge) -> None:
    rank = len(space)
    geometry = Geometry(tuple(space), (size,) * rank, (stride,) * rank, (edge,) * rank, (dilation,) * rank)
    assume(min(geometry.out) >= 1)
    with jax.enable_x64(True):
        equals_stock(conv_unrolled, geometry, 2, 3, 4, jnp.float64, 1e-13)


def test_winograd_is_as_exact_as_the_plain_sum() -> None:
    """Single precision, 64 channels: the error against double precision is no more than three times the plain form's."""
    geometry = Geometry((12, 12), (3, 3), ONES, (ONES, ONES), ONES)
    x, kernel = numbers(8, 12, 12, 64), numbers(3, 3, 64, 32, seed=1)
    plain, fast = (jax.jit(partial(form, geometry)) for form in (stock, conv_winograd.forward))
    with jax.enable_x64(True):
        exact = np.asarray(plain(x.astype(np.float64), kernel.astype(np.float64)))
    errors = [np.abs(np.asarray(form(x, kernel), np.float64) - exact).max() for form in (fast, plain)]
    assert 0 < errors[0] < 3 * errors[1]


@pytest.mark.parametrize(
    'form, space, channels, images',
    [
        (conv_winograd, (16, 15), 32, 8),
        (conv_unrolled, (2, 2), 6, 4),
        (conv_unrolled, (1, 1), 6, 4),
    ],
)
def test_a_layer_takes_the_form(form, space, channels, images, monkeypatch) -> None:
    """All three maps of a layer, alone and as replicas, go through it, and give what stock gives."""
    monkeypatch.setattr(conv_winograd, 'WORK', 0)
    geometry = Geometry(space, (3, 3), ONES, (ONES, ONES), ONES)
    called = set()
    for name in ('forward', 'input_gradient', 'kernel_gradient'):
        function = getattr(form, name)
        monkeypatch.setattr(form, name, lambda *a, f=function, name=name: (called.add(name), f(*a))[1])
    x, kernel = numbers(2, images, *space, channels), numbers(2, 3, 3, channels, 32, seed=1) / 10

    def loss(function, kernel, x):
        return jnp.sin(function(x, kernel)).sum()

    ours = partial(loss, lambda x, k: convolve(x, k, ONES, (ONES, ONES), ONES))
    mine = jax.jit(jax.vmap(jax.grad(ours, (0, 1))))(kernel, x)
    theirs = jax.jit(jax.vmap(jax.grad(partial(loss, partial(stock, geometry)), (0, 1))))(kernel, x)
    assert called == {'forward', 'input_gradient', 'kernel_gradient'}
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_what_winograd_is_for() -> None:
    plain = Geometry((16, 16), (3, 3), ONES, (ONES, ONES), ONES)
    suits = partial(conv_winograd.suits, images=64, kernel=(3, 3, 64, 64), dtype=jnp.dtype('float32'))
    assert suits(plain)
    for change in ({'size': (5, 5)}, {'strides': (2, 2)}, {'dilation': (2, 2)}):
        assert not suits(plain._replace(**change))
    few = ({'images': 2}, {'images': 50}, {'kernel': (3, 3, 3, 64)}, {'kernel': (3, 3, 64, 16)})
    for change in (*few, {'dtype': jnp.dtype('bfloat16')}):
        assert not suits(plain, **change)


@pytest.mark.parametrize('space, channels', [((2, 2), 3), ((8, 8), 32)])
def test_gradients_of_gradients(space, channels, monkeypatch) -> None:
    """A gradient penalty through either form, against stock."""
    monkeypatch.setattr(conv_winograd, 'WORK', 0)
    with jax.enable_x64(True):
        geometry = Geometry(space, (3, 3), ONES, (ONES, ONES), ONES)
        x = numbers(32, *space, channels, dtype=np.float64)
        kernel = numbers(3, 3, channels, 32, seed=1, dtype=np.float64) / 10

        def penalty(function, x, k):
            first = jax.grad(lambda x, k: jnp.sin(function(x, k)).sum(), (0, 1))(x, k)
            return sum(jnp.square(leaf).sum() for leaf in first) / 1e3

        def ours(x, k):
            return convolve(x, k, ONES, (ONES, ONES), ONES)

        mine = jax.jit(jax.grad(partial(penalty, ours), (0, 1)))(x, kernel)
        theirs = jax.jit(jax.grad(partial(penalty, partial(stock, geometry)), (0, 1)))(x, kernel)
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


def test_copies_of_the_input() -> None:
    """Dense over copies of x equals Dense over x repeated, with one kernel for both; so do the gradients."""
    x = jnp.asarray(numbers(5, 3))
    dense, many = layers.Dense(4), layers.Dense(4, copies=6)
    variables = drawn(many, x)
    assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, drawn(dense, jnp.tile(x, (1, 6))))

    def loss(layer, repeats, variables, x):
        return jnp.sin(layer.apply(variables, jnp.tile(x, (1, repeats)))).sum()

    ours = jax.jit(jax.grad(partial(loss, many, 1), (0, 1)))(variables, x)
    theirs = jax.jit(jax.grad(partial(loss, dense, 6), (0, 1)))(variables, x)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-5), ours, theirs)


def test_the_plain_form_remains() -> None:
    """Few channels and large images take neither form."""
    geometry = Geometry((9, 8), (3, 3), ONES, (ONES, ONES), ONES)
    equals_stock(conv_cpu, geometry, 2, 6, 5, jnp.float32, 1e-5)
