"""Convolutions against Flax's: outputs and all gradients, in loops, under vmap, and their second derivatives."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab import layers
from jaxlab.layers.convolve import LAYOUTS, convolve
from tests.models.drawn import drawn, numbers

KEY = jax.random.key(0)
PAIRS = ((2, 1), (0, 3))


def both(ours: nn.Module, stock: nn.Module, shape: tuple[int, ...], dtype=jnp.float32, tolerance=2e-5) -> None:
    """Outputs, gradients to the input and to every parameter agree."""
    x = numbers(*shape, dtype=dtype)
    # Made outside: XLA may leave out the rounding of a kernel that it makes and uses in one program.
    start = jax.tree.map(lambda leaf: leaf.astype(dtype), drawn(stock, x, spread=0.15))

    @jax.jit
    def run(x, variables):
        results = []
        for module in (ours, stock):
            y, pull = jax.vjp(lambda v, x, module=module: module.apply(v, x), variables, x)
            results.append((y, pull(jnp.cos(y))))
        return results

    expected_shapes = jax.tree.map(jnp.shape, jax.eval_shape(stock.init, KEY, x))
    assert jax.tree.map(jnp.shape, jax.eval_shape(ours.init, KEY, x)) == expected_shapes
    mine, theirs = run(x, start)
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        scale = max(1.0, float(np.abs(np.asarray(b, np.float64)).max(initial=0)))
        np.testing.assert_allclose(np.asarray(a, np.float64) / scale, np.asarray(b, np.float64) / scale, atol=tolerance)


CONVS = [
    # space, C, D, size, strides, padding, dilation, groups
    ((8, 9), 6, 4, (3, 3), (1, 1), 'SAME', 1, 1),
    ((7, 8), 6, 4, (3, 3), (2, 2), 'SAME', 1, 1),
    ((8, 7), 6, 4, (5, 5), (2, 2), 'SAME', 1, 1),
    ((9, 10), 6, 4, (5, 4), (3, 2), 'VALID', 1, 1),
    ((8, 7), 1, 4, (5, 5), (2, 2), 'SAME', 1, 1),
    ((8, 7), 1, 4, (5, 5), (1, 1), 'VALID', 1, 1),
    ((8, 7), 3, 1, (3, 3), (3, 3), PAIRS, 1, 1),
    ((8, 7), 6, 4, (3, 3), (2, 2), PAIRS, 1, 1),
    ((7, 7), 6, 4, (1, 1), (2, 2), 'SAME', 1, 1),
    ((7, 7), 6, 4, (2, 2), (3, 3), 'VALID', 1, 1),
    ((9, 9), 6, 4, (3, 3), (1, 1), 'SAME', 2, 1),
    ((9, 9), 6, 4, (3, 3), (2, 2), PAIRS, 2, 1),
    ((8, 8), 6, 12, (3, 3), (2, 2), 'SAME', 1, 6),
    ((8, 8), 6, 4, (3, 3), (1, 1), 'SAME', 1, 2),
    ((11,), 6, 4, (4,), (2,), 'SAME', 1, 1),
    ((11,), 6, 4, (3,), (1,), 'CAUSAL', 1, 1),
    ((4, 5, 6), 5, 3, (3, 3, 3), (2, 2, 2), 'SAME', 1, 1),
]


@pytest.mark.parametrize('case', CONVS, ids=str)
def test_conv_equals_stock(case) -> None:
    space, inputs, features, size, strides, padding, dilation, groups = case
    if padding == 'CAUSAL':  # written out as pairs: what it means
        padding = ((size[0] - 1, 0),)
    ours = layers.Conv(features, size, strides, padding, dilation, groups)
    stock = nn.Conv(features, size, strides, padding, kernel_dilation=dilation, feature_group_count=groups)
    both(ours, stock, (3, *space, inputs))


TRANSPOSED = [
    ((4, 5), 6, 3, (5, 5), (1, 1), 'SAME', True),
    ((4, 5), 6, 3, (5, 5), (2, 2), 'SAME', True),
    ((4, 5), 6, 3, (5, 5), (2, 2), 'SAME', False),
    ((4, 5), 6, 1, (5, 5), (2, 2), 'SAME', True),
    ((4, 5), 6, 6, (4, 4), (2, 2), 'SAME', False),
    ((4, 5), 6, 6, (3, 2), (3, 2), 'VALID', False),
    ((4, 5), 6, 6, (2, 2), (3, 3), 'VALID', True),
    ((4, 5), 6, 6, (2, 2), (3, 3), 'SAME', True),
    ((4, 5), 6, 6, (3, 3), (2, 2), PAIRS, False),
    ((5,), 6, 6, (4,), (2,), 'VALID', False),
]


@pytest.mark.parametrize('case', TRANSPOSED, ids=str)
def test_transposed_equals_stock(case) -> None:
    space, inputs, features, size, strides, padding, transpose = case
    ours = layers.ConvTranspose(features, size, strides, padding, transpose_kernel=transpose)
    stock = nn.ConvTranspose(features, size, strides, padding, transpose_kernel=transpose)
    both(ours, stock, (3, *space, inputs))


@pytest.mark.parametrize('dtype, tolerance', [(jnp.bfloat16, 2e-2), (jnp.float64, 1e-12)])
@pytest.mark.parametrize('inputs, strides', [(6, 2), (1, 1)])
def test_other_precisions(dtype, tolerance, inputs, strides) -> None:
    with jax.enable_x64(True):
        both(
            layers.Conv(4, 3, strides, dtype=dtype),
            nn.Conv(4, (3, 3), strides, dtype=dtype),
            (4, 8, 7, inputs),
            dtype,
            tolerance,
        )
        ours = layers.ConvTranspose(inputs, 5, strides, dtype=dtype)
        both(ours, nn.ConvTranspose(inputs, (5, 5), (strides,) * 2, dtype=dtype), (4, 4, 5, 6), dtype, tolerance)


@pytest.mark.parametrize('inputs', [1, 16])
def test_large_batches_are_computed_in_blocks(inputs) -> None:
    both(layers.Conv(8, 3), nn.Conv(8, (3, 3)), (24, 28, 28, inputs), tolerance=1e-5)


def test_ints_stand_for_every_dimension() -> None:
    x = jnp.ones((2, 8, 8, 3))
    a = layers.Conv(4, 3, 2, ((1, 1), (1, 1))).init(KEY, x)
    b = layers.Conv(4, (3, 3), (2, 2), 1).init(KEY, x)
    np.testing.assert_array_equal(a['params']['kernel'], b['params']['kernel'])


@pytest.mark.parametrize('layout', ['NHWC', 'CHWN'])
def test_in_a_loop_as_outside(layout) -> None:
    x, kernel = numbers(3, 4, 8, 8, 6), numbers(3, 3, 6, 4, seed=1)
    swap = layers.swap_batch_and_channels if layout == 'CHWN' else lambda v: v

    def loss(kernel, x):
        y = convolve(swap(x), kernel, (2, 2), ((1, 1), (1, 1)), (1, 1), 1, layout)
        return jnp.square(swap(y)).sum() / 100

    def stock(kernel, x):
        y = jax.lax.conv_general_dilated(x, kernel, (2, 2), ((1, 1),) * 2, dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
        return jnp.square(y).sum() / 100

    one = jax.value_and_grad(loss, (0, 1))
    scanned = jax.lax.scan(lambda c, v: (c, one(kernel, v)), 0, x)[1]
    expected = jax.jit(jax.vmap(jax.value_and_grad(stock, (0, 1)), (None, 0)))(kernel, x)
    for a, b in zip(jax.tree.leaves(scanned), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('kernels', [None, 3, 9], ids=['shared', 'few', 'many'])
@pytest.mark.parametrize('layout', ['NHWC', 'CHWN'])
def test_under_vmap(kernels, layout) -> None:
    """Over examples alone, and over replicas with a kernel each (unrolled, and in turn)."""
    n = kernels or 3
    x = numbers(n, 2, 6, 5, 3)
    kernel = numbers(n, 3, 3, 3, 4, seed=1) if kernels else jnp.ones((3, 3, 3, 4))
    swap = layers.swap_batch_and_channels if layout == 'CHWN' else lambda v: v

    def loss(kernel, x):
        return jnp.sin(convolve(swap(x), kernel, (2, 2), ((1, 1), (1, 1)), (1, 1), 1, layout)).sum()

    one = jax.value_and_grad(loss, (0, 1))
    mapped = jax.jit(jax.vmap(one, (0 if kernels else None, 0)))(kernel, x)
    alone = jax.jit(one)
    singles = [alone(kernel[i] if kernels else kernel, x[i]) for i in range(n)]
    for a, b in zip(
        jax.tree.leaves(mapped), jax.tree.leaves(jax.tree.map(lambda *v: np.stack(v), *singles)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('channels, strides', [(2, (2, 2)), (6, (1, 1))])
def test_gradients_of_gradients(layout, channels, strides) -> None:
    """Reverse over reverse, against stock: the gradient of a gradient penalty."""
    with jax.enable_x64(True):
        padding = ((1, 1), (0, 2))
        x = numbers(2, 5, 6, channels, dtype=np.float64)
        kernel = numbers(3, 3, channels, 5, dtype=np.float64, seed=1)
        swap = layers.swap_batch_and_channels if layout == 'CHWN' else lambda v: v

        def ours(x, k):
            return swap(convolve(swap(x), k, strides, padding, (1, 1), 1, layout))

        def stock(x, k):
            return jax.lax.conv_general_dilated(x, k, strides, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

        def penalty(function, x, k):
            first = jax.grad(lambda x, k: jnp.sin(function(x, k)).sum(), (0, 1))(x, k)
            return sum(jnp.square(leaf).sum() for leaf in first)

        both = jax.jit(lambda *xk: [jax.grad(penalty, (1, 2))(function, *xk) for function in (ours, stock)])
        for a, b in zip(*both(x, kernel), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_gradient_by_differences() -> None:
    with jax.enable_x64(True):
        x, kernel = numbers(2, 5, 6, 2, dtype=np.float64), numbers(3, 3, 2, 4, dtype=np.float64, seed=1)
        function = jax.jit(lambda x, k: convolve(x, k, (2, 1), ((1, 1), (0, 2)), (1, 1)))
        check_grads(function, (x, kernel), order=1, modes=('rev',), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    'module',
    [
        lambda layout: layers.Conv(4, 5, 2, layout=layout),
        lambda layout: layers.Conv(4, 3, 1, 'VALID', kernel_dilation=2, layout=layout),
        lambda layout: layers.Conv(6, 3, feature_group_count=3, layout=layout),
    ],
)
def test_batch_last_is_the_same_layer(module) -> None:
    x = numbers(5, 9, 8, 3)
    variables = drawn(module('NHWC'), x)
    swap = layers.swap_batch_and_channels

    def loss(layout, v, x):
        return jnp.sin(module('NHWC').apply(v, x) if layout == 'NHWC' else swap(module('CHWN').apply(v, swap(x)))).sum()

    run = jax.jit(jax.value_and_grad(loss, (1, 2)), static_argnums=0)
    for a, b in zip(
        jax.tree.leaves(run('CHWN', variables, x)), jax.tree.leaves(run('NHWC', variables, x)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parity
@pytest.mark.parametrize('strides, edge, extra', [(1, 1, 0), (2, 1, 0), (2, 2, 1)])
def test_transposed_equals_torch(strides, edge, extra) -> None:
    """PyTorch's padding is that of the convolution whose gradient this is; its kernels are [in, out, h, w]."""
    torch = pytest.importorskip('torch')
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 5)).astype(np.float32)
    theirs = torch.nn.ConvTranspose2d(6, 3, 4, strides, edge, extra)
    pads = ((3 - edge, 3 - edge + extra),) * 2
    ours = layers.ConvTranspose(3, 4, strides, pads, transpose_kernel=True)
    params = {
        'kernel': theirs.weight.detach().numpy().transpose(2, 3, 1, 0),
        'bias': theirs.bias.detach().numpy(),
    }
    y = ours.apply({'params': params}, jnp.asarray(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(y, theirs(torch.tensor(x)).detach().numpy(), atol=1e-5)
