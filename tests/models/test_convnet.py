"""Every row of the table in `convnet.py`: the specs' counts, shapes and starts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.layers import Conv
from jaxlab.measures.losses import cross_entropy
from jaxlab.models.convnet import VGG, ConvNet
from jaxlab.models.lenet import LeNet
from tests.models.convnet_rows import CAT_DOG, ROWS, STATISTICS, TOTALS, built, count, in_order, shapes_of
from tests.models.drawn import drawn, started


@pytest.mark.parametrize('row', ROWS)
def test_counts_of_every_layer(row):
    _, image, layers, _ = ROWS[row]
    variables = shapes_of(built(row), image)
    assert tuple(count(layer) for layer in in_order(variables['params']).values()) == layers
    assert count(variables['params']) == sum(layers) == TOTALS[row]
    assert count(variables.get('batch_stats', {})) == STATISTICS.get(row, 0)


@pytest.mark.parametrize('row', ROWS)
def test_maps_of_every_layer(row):
    """After each block, and what the first dense layer is given."""
    arguments, image, _, maps = ROWS[row]
    module = built(row)
    variables, images = shapes_of(module, image), jax.ShapeDtypeStruct((2, *image), jnp.float32)
    logits, kept = jax.eval_shape(lambda v, x: module.apply(v, x, mutable=['intermediates']), variables, images)
    seen = {name: value[0].shape for name, value in kept['intermediates'].items()}
    last = [f'pool_{k}_map' if f'pool_{k}_map' in seen else f'conv_{k}_active_map' for k in range(1, len(maps) + 1)]
    assert [seen[name] for name in last] == [(2, side, side, channels) for side, channels in maps]
    side, channels = maps[-1]
    inputs = channels if arguments.get('head') == 'average' else side * side * channels
    assert variables['params']['dense_1']['kernel'].shape[0] == inputs
    assert logits.shape == (2, arguments.get('classes', 10))


def test_vgg16():
    """134,301,514 for 10 classes, 138,357,544 for 1,000; 14,714,688 of them in the convolutions; blocks at 32 pixels."""
    image = (32, 32, 3)
    assert count(shapes_of(VGG(1000), image)['params']) == 138_357_544
    params = shapes_of(VGG(10), image)['params']['net']
    assert count(params) == 134_301_514
    sizes = [count(layer) for name, layer in in_order(params).items() if name.startswith('conv')]
    assert sizes == [1_792, 36_928, 73_856, 147_584, 295_168, 590_080, 590_080, 1_180_160, *[2_359_808] * 5]
    assert sum(sizes) == 14_714_688
    assert [count(params[f'dense_{k}']) for k in (1, 2, 3)] == [102_764_544, 16_781_312, 40_970]
    variables, images = shapes_of(VGG(10), image), jax.ShapeDtypeStruct((2, *image), jnp.float32)
    _, kept = jax.eval_shape(lambda v, x: VGG(10).apply(v, x, mutable=['intermediates']), variables, images)
    pooled = [kept['intermediates']['net'][f'pool_{k}_map'][0].shape[2:] for k in (2, 4, 7, 10, 13)]
    assert pooled == [(16, 64), (8, 128), (4, 256), (2, 512), (1, 512)]
    assert count(shapes_of(VGG(10, grid=1, hidden=(512,)), image)['params']) == 14_714_688 + 262_656 + 5_130


@pytest.mark.parametrize(
    'name, expected',
    [
        ('B10a', 11_375_616),
        ('B11', 651_720),
        ('C04', 1_311_574_368),
        ('C35', 484_807_104),
        ('VGG-16', 432_775_168),
    ],
)
def test_multiply_adds_an_image(name, expected):
    """Convolutions and dense layers: kernel size times places of the output."""
    module, image = (VGG(10), (32, 32, 3)) if name == 'VGG-16' else (built(name), ROWS[name][1])
    variables, images = shapes_of(module, image), jax.ShapeDtypeStruct((1, *image), jnp.float32)
    _, kept = jax.eval_shape(lambda v, x: module.apply(v, x, mutable=['intermediates']), variables, images)
    params, seen = (tree.get('net', tree) for tree in (variables['params'], kept['intermediates']))
    total = 0
    for layer, leaves in params.items():
        if 'kernel' in leaves:
            places = math.prod(seen[f'{layer}_map'][0].shape[1:3]) if layer.startswith('conv') else 1
            total += places * leaves['kernel'].size
    assert total == expected


# ---- how they start --------------------------------------------------------------------------------------------------


def start(module, image, seed=0):
    return started(module, jnp.zeros((1, *image)), train=False, seed=seed)['params']


def kernels_and_biases(params):
    return [
        (np.asarray(layer['kernel']), np.asarray(layer['bias']))
        for layer in in_order(params).values()
        if 'kernel' in layer
    ]


@pytest.mark.parametrize(
    'row, bounds',
    [
        ('B10a', (0.1924501, 0.0589256, 0.0416667, 0.0220971, 0.0441942)),
        ('B11', (0.1154701, 0.0816497, 0.05, 0.0912871, 0.1091089)),
    ],
)
def test_pytorch_bounds(row, bounds):
    """Weights and biases U(+-1/sqrt(fan_in)); deviation bound / sqrt(3)."""
    for (kernel, bias), bound in zip(kernels_and_biases(start(built(row), ROWS[row][1])), bounds, strict=True):
        assert 0.97 * bound < np.abs(kernel).max() <= bound + 5e-8
        assert 0.4 * bound < np.abs(bias).max() <= bound + 5e-8
        assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.08 if kernel.size < 1000 else 0.03)


def test_keras_starts_at_glorot_and_zero():
    for row in ('A05 text', 'C35'):
        for kernel, bias in kernels_and_biases(start(built(row), ROWS[row][1])):
            fans = kernel.shape[-1] * math.prod(kernel.shape[:-2]) + math.prod(kernel.shape[:-1])
            bound = (6 / fans) ** 0.5
            assert 0.97 * bound < np.abs(kernel).max() <= bound and not bias.any()
            assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.06)


def test_torchvision_starts_vgg_by_the_outgoing_side():
    """Convolutions N(0, 2 / (9 channels)), dense layers N(0, 0.01^2), biases zero."""
    for kernel, bias in kernels_and_biases(start(VGG(10, depth=11, grid=1, hidden=(64,)), (32, 32, 3))['net']):
        expected = (2 / (9 * kernel.shape[-1])) ** 0.5 if kernel.ndim == 4 else 0.01
        assert kernel.std() == pytest.approx(expected, rel=0.05) and not bias.any()
        assert np.abs(kernel).max() > 2.5 * expected  # a normal distribution that nobody has cut off


@pytest.mark.parametrize('row, classes', [('B10a', 10), ('C04', 2), ('C35', 2)])
def test_an_untrained_network_knows_nothing(row, classes):
    """Cross-entropy near ln(classes): ln 10 = 2.302585, ln 2 = 0.693147."""
    module = ConvNet(**{'classes': 10, **ROWS[row][0]})
    images = jnp.asarray(np.random.default_rng(1).uniform(size=(16, 32, 32, 3)), jnp.float32)
    variables = started(module, images[:1], train=False)
    losses = cross_entropy(jax.jit(module.apply)(variables, images), jnp.arange(16) % classes)
    assert float(losses.mean()) == pytest.approx(math.log(classes), abs=0.02)


# ---- heads, and what is refused --------------------------------------------------------------------------------------


def test_one_sigmoid_unit_is_a_softmax_over_zero_and_itself():
    """D1, C04: logits (0, z), so that probability, cross-entropy and gradient are those of a sigmoid."""
    module = ConvNet(classes=2, filters=(4,), outputs='sigmoid')
    images = jnp.asarray(np.random.default_rng(0).standard_normal((5, 6, 6, 3)), jnp.float32)
    params = drawn(module, images)
    assert params['params']['dense_1']['kernel'].shape == (36, 1)
    logits = jax.jit(module.apply)(params, images)
    z = logits[:, 1]
    assert not logits[:, 0].any() and float(jnp.abs(z).min()) > 0
    np.testing.assert_allclose(jax.nn.softmax(logits)[:, 1], jax.nn.sigmoid(z), atol=1e-6)
    labels = jnp.array([0, 1, 1, 0, 1])
    binary = -(labels * jax.nn.log_sigmoid(z) + (1 - labels) * jax.nn.log_sigmoid(-z))
    np.testing.assert_allclose(cross_entropy(logits, labels), binary, atol=1e-6)
    slope = jax.jit(jax.grad(lambda z: cross_entropy(jnp.stack([jnp.zeros(5), z], -1), labels).sum()))(z)
    np.testing.assert_allclose(slope, jax.nn.sigmoid(z) - labels, atol=1e-6)


def test_binary_cross_entropy_of_d1():
    """p = (0.9, 0.2, 0.5, 0.01), y = (1, 0, 1, 0): 0.2579254; a constant predictor: ln 2."""
    p = jnp.array([0.9, 0.2, 0.5, 0.01])
    logits = jnp.stack([jnp.zeros(4), jnp.log(p / (1 - p))], axis=-1)
    assert float(cross_entropy(logits, jnp.array([1, 0, 1, 0])).mean()) == pytest.approx(0.2579254, abs=1e-6)
    assert float(cross_entropy(jnp.zeros((4, 2)), jnp.array([1, 0, 1, 0])).mean()) == pytest.approx(0.693147, abs=1e-6)


def test_dropout_works_in_training_only():
    module = ConvNet(classes=2, filters=(4,), hidden=(64,), dropout=0.5)
    images = jnp.asarray(np.random.default_rng(0).standard_normal((3, 6, 6, 3)), jnp.float32)
    variables = drawn(module, images)
    run = jax.jit(lambda key: module.apply(variables, images, train=True, rngs={'dropout': key}))
    one, other = run(jax.random.key(2)), run(jax.random.key(3))
    assert float(jnp.abs(one - other).max()) > 1e-3
    assert jax.jit(module.apply)(variables, images).shape == (3, 2)  # asks for no random numbers


def test_padding_rows_enter_no_statistic():
    module = ConvNet(**{**CAT_DOG, 'filters': (4, 130), 'dropout': 0.0})
    images = jnp.asarray(np.random.default_rng(0).standard_normal((5, 8, 8, 3)), jnp.float32)
    weight = jnp.array([1.0, 1, 1, 0, 0])
    variables = drawn(module, images)
    run = jax.jit(lambda images: module.apply(variables, images, True, weight, mutable=['batch_stats']))
    logits, updates = run(images)
    again, same = run(images.at[3:].set(7.0))
    np.testing.assert_array_equal(again[:3], logits[:3])
    jax.tree.map(np.testing.assert_array_equal, updates, same)


@pytest.mark.parametrize(
    'wrong, message',
    [
        ({'padding': 'sam'}, "unknown config.model.padding 'sam'; did you mean 'same'"),
        ({'head': 'mean'}, 'config.model.head'),
        ({'outputs': 'sigmoid'}, "outputs='sigmoid' is for 2 classes; the data has 10"),
        ({'pool_after': (1, 3)}, 'config.model.pool_after'),
        ({'filters': (4,) * 5}, '16x16 pixels are too small .* 5 convolutions'),
        ({'filters': (4,), 'kernel_size': 17, 'padding': 'valid'}, '16x16 pixels are too small'),
    ],
)
def test_what_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        shapes_of(ConvNet(**{'classes': 10, 'filters': (4, 4), **wrong}), (16, 16, 3))


def test_vgg_of_another_depth_is_refused():
    with pytest.raises(UserError, match='12 is not one of 11, 13, 16, 19'):
        shapes_of(VGG(10, depth=12), (32, 32, 3))


@pytest.mark.parametrize('platform, layout', [('cpu', 'CHWN'), ('gpu', 'NHWC'), ('tpu', 'NHWC')])
@pytest.mark.parametrize('module', [LeNet(), ConvNet(classes=10, filters=(8,), hidden=(4,))], ids=['lenet', 'convnet'])
def test_images_lie_batch_last_on_a_cpu_alone(module, platform, layout, monkeypatch):
    """An accelerator wants channels last, however few they are."""
    monkeypatch.setattr(jax, 'default_backend', lambda: platform)
    seen, call = [], Conv.__call__
    monkeypatch.setattr(Conv, '__call__', lambda conv, x: (seen.append(conv.layout), call(conv, x))[1])
    jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((2, 12, 12, 1), jnp.float32))
    assert seen and set(seen) == {layout}
