"""oneDNN's convolutions: really called, equal to jaxlab's own forms, and never the end of a process."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import layers
from jaxlab.layers import conv_cpu, conv_grouped, conv_unrolled, convolve, onednn
from jaxlab.layers.conv_geometry import Geometry
from tests.models.drawn import drawn, numbers

needs_it = pytest.mark.skipif(not onednn.available(), reason='this jaxlib or processor does not offer oneDNN')


def gradients(layer, variables, x):
    """The output and the gradients to the parameters and to x."""
    y, pull = jax.vjp(layer.apply, variables, x)
    return y, pull(jnp.cos(y))


def text(function, *arguments) -> str:
    with onednn.used(True):
        return jax.jit(function).lower(*arguments).compile(onednn.compiler_options()).as_text()


LAYERS = [
    (layers.Conv(24, 3), (4, 9, 8, 16)),
    (layers.Conv(24, 5, 2), (4, 9, 8, 16)),
    (layers.Conv(24, 1), (4, 9, 8, 16)),
    (layers.Conv(40, 3), (64, 8, 8, 32)),  # Winograd's form remains for the kernel's gradient
    (layers.Conv(32, 3), (40, 4, 4, 32)),
    (layers.Conv(16, 3, feature_group_count=16), (4, 9, 8, 16)),
    (layers.Conv(32, 3, 2, feature_group_count=4), (4, 9, 8, 16)),
    (layers.ConvTranspose(24, 5, 2), (4, 9, 8, 16)),
    (layers.Conv(8, 3, kernel_dilation=2), (4, 9, 8, 16)),
    (layers.Conv(8, 3), (4, 11, 16)),
]


@needs_it
@pytest.mark.parametrize('layer, shape', LAYERS)
def test_same_results_as_the_own_forms(layer, shape) -> None:
    """Outputs and gradients within float32 rounding, inside a compiled loop as in training."""
    x = numbers(*shape)
    variables = drawn(layer, x)

    def looped(variables, x):
        def body(carry, _):
            return carry, gradients(layer, *carry)

        return jax.tree.map(lambda leaf: leaf[1], jax.lax.scan(body, (variables, x), None, length=2)[1])

    own, theirs = jax.jit(looped)(variables, x), onednn.jit(looped)(variables, x)
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a / np.abs(a).max(), b / np.abs(a).max(), atol=5e-6)


@needs_it
def test_both_directions_call_it() -> None:
    """Forward and input gradient, of plain, strided, transposed and depthwise layers; a kernel read backwards does not."""
    for layer, shape in (LAYERS[0], LAYERS[1], LAYERS[5], LAYERS[6], LAYERS[7]):
        x = numbers(*shape)
        variables = drawn(layer, x)
        to_input = jax.grad(lambda x, layer=layer, variables=variables: jnp.sin(layer.apply(variables, x)).sum())
        assert onednn.CALL in text(partial(layer.apply, variables), x), layer
        found = text(to_input, x)
        assert onednn.CALL in found and ' convolution(' not in found, layer


@needs_it
def test_only_where_it_is_asked_for() -> None:
    """The same function compiled with and without it in one process: two programs."""
    x = numbers(4, 9, 8, 16)
    layer = layers.Conv(24, 3)
    variables = drawn(layer, x)
    for asked in (True, False, True):
        program = onednn.compiled(jax.jit(layer.apply), (variables, x), asked)
        assert (onednn.CALL in program.as_text()) == asked


def test_gradients_of_gradients_through_groups() -> None:
    """A penalty on a gradient, through a depthwise and a grouped convolution, against XLA's own."""
    with jax.enable_x64(True):
        for groups, features in ((6, 12), (2, 4)):
            x = numbers(3, 7, 6, 6, dtype=np.float64)
            kernel = numbers(3, 3, 6 // groups, features, dtype=np.float64, seed=1)
            edges = ((1, 1), (0, 2))

            def ours(x, k, groups=groups):
                return convolve.convolve(x, k, (2, 1), edges, (1, 1), groups)

            def stock(x, k, groups=groups):
                return jax.lax.conv_general_dilated(
                    x, k, (2, 1), edges, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=groups
                )

            def penalty(function, x, k):
                slopes = jax.grad(lambda x, k: jnp.sin(function(x, k)).sum(), (0, 1))(x, k)
                return sum(jnp.square(leaf).sum() for leaf in slopes)

            mine, theirs = (jax.jit(jax.grad(partial(penalty, f), (0, 1)))(x, kernel) for f in (ours, stock))
            for a, b in zip(mine, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


MAPS = ('forward', 'input_gradient', 'kernel_gradient')


def compare(maps, stock, x, kernel, g) -> None:
    """All forms of the three maps, in one program beside XLA's convolution and its gradients."""

    @jax.jit
    def run(x, kernel, g):
        y, pull = jax.vjp(stock, x, kernel)
        arguments = dict(zip(MAPS, ((x, kernel), (g, kernel), (x, g)), strict=True))
        found = {name: {form: f(*arguments[name]) for form, f in forms.items()} for name, forms in maps.items()}
        return found, dict(zip(MAPS, (y, *pull(g)), strict=True))

    found, wanted = run(x, kernel, g)
    for name, forms in found.items():
        for form, values in forms.items():
            np.testing.assert_allclose(values, wanted[name], atol=1e-12, err_msg=f'{name} {form}')


GROUPED = [
    Geometry((9, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    Geometry((9, 8), (3, 3), (2, 2), ((0, 1), (2, 1)), (1, 1)),
    Geometry((9, 8), (3, 2), (1, 2), ((-1, 1), (0, 0)), (2, 1)),
]


@pytest.mark.parametrize('geometry', GROUPED)
@pytest.mark.parametrize('groups', [6, 2])
def test_every_form_in_groups(geometry, groups) -> None:
    """Each form of each map equals XLA's convolution and its gradients, in double precision."""
    with jax.enable_x64(True):
        shapes = (3, *geometry.space, 6), (*geometry.size, 6 // groups, 12), (3, *geometry.out, 12)
        x, kernel, g = (numbers(*shape, dtype=np.float64, seed=seed) for seed, shape in enumerate(shapes))
        maps = {name: conv_grouped.forms(geometry, groups, name, groups == 6) for name in MAPS}
        assert all(maps.values())
        compare(maps, partial(convolve._stock, geometry, groups=groups), x, kernel, g)


FORMS = [
    Geometry((9, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    Geometry((8, 9), (5, 4), (2, 3), ((1, 2), (0, 2)), (1, 1)),
    Geometry((9, 8), (3, 2), (1, 2), ((-1, 1), (0, 0)), (2, 1)),
    Geometry((2, 3), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    Geometry((7, 6), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),
]


@pytest.mark.parametrize('geometry', FORMS)
def test_every_form(geometry) -> None:
    """Each form of each map equals XLA's convolution and its gradients, in double precision; none is chosen that is not
    possible."""
    with jax.enable_x64(True):
        shapes = (3, *geometry.space, 5), (*geometry.size, 5, 4), (3, *geometry.out, 4)
        x, kernel, g = (numbers(*shape, dtype=np.float64, seed=seed) for seed, shape in enumerate(shapes))
        arguments = dict(zip(MAPS, ((x, kernel), (g, kernel), (x, g)), strict=True))
        maps = {name: conv_cpu.forms(geometry, name, *given) for name, given in arguments.items()}
        compare(maps, partial(convolve._stock, geometry), x, kernel, g)
        for name, given in arguments.items():
            for by_onednn in (True, False):
                assert conv_cpu.choice(geometry, name, *given, by_onednn) in maps[name]
    assert ('matrix' in maps['kernel_gradient']) == conv_unrolled.possible(geometry)


@pytest.fixture
def asked_anew():
    """`available` asks the compiler again, before and after."""
    onednn.available.cache_clear()
    yield
    onednn.available.cache_clear()


def test_a_jaxlib_that_does_not_know_the_options(monkeypatch, asked_anew) -> None:
    """Not available, no traceback; `jit` is JAX's own then."""
    monkeypatch.setattr(onednn, 'OPTIONS', {'xla_cpu_no_such_option': True})
    assert not onednn.available()
    assert float(onednn.jit(lambda x: x + 1)(1.0)) == 2.0


def test_a_jaxlib_that_takes_the_options_and_does_nothing(monkeypatch, asked_anew) -> None:
    monkeypatch.setattr(onednn, 'OPTIONS', {})
    assert not onednn.available()


@needs_it
def test_no_warning_reaches_the_user(tmp_path, recwarn) -> None:
    """The program cannot be kept in the cache; JAX's warning about it is not shown."""
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update('jax_compilation_cache_dir', str(tmp_path))
        x = numbers(2, 11, 10, 8)
        layer = layers.Conv(7, 3)
        onednn.jit(layer.apply)(drawn(layer, x), x)
    finally:
        jax.config.update('jax_compilation_cache_dir', before)
    assert not [warning for warning in recwarn if 'compilation cache' in str(warning.message)]
