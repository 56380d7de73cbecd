"""Every row of the table in `convnet.py`: the specs' counts, shapes and starts, and PyTorch's logits with its weights."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.layers import adaptive_avg_pool
from jaxlab.metrics.losses import cross_entropy
from jaxlab.models.convnet import VGG, ConvNet

CAT_DOG = {
    'classes': 2,
    'batch_norm': 'after',
    'head': 'average',
    'hidden': (96,),
    'dropout': 0.4,
    'init_scheme': 'keras',
}
A05 = {'filters': (32, 64, 64), 'padding': 'valid', 'hidden': (64,), 'init_scheme': 'keras'}
# name: (arguments, image [H, W, C], parameters of each layer in order, maps [side, channels] after each block)
ROWS = {
    'B04': ({'filters': (32, 64), 'hidden': (128,)}, (32, 32, 3), (896, 18_496, 524_416, 1_290), ((16, 32), (8, 64))),
    'B06b': ({'filters': (32, 64), 'hidden': (128,), 'batch_norm': 'before'}, (32, 32, 3),
             (896, 64, 18_496, 128, 524_416, 256, 1_290), ((16, 32), (8, 64))),
    'B07': ({'classes': 2, 'filters': (32,)}, (128, 128, 3), (896, 262_146), ((64, 32),)),
    'B09': ({'filters': (16, 32), 'hidden': (128,)}, (28, 28, 1), (160, 4_640, 200_832, 1_290), ((14, 16), (7, 32))),
    'B10a': ({'filters': (32, 64, 128), 'hidden': (512,), 'dropout': 0.3}, (32, 32, 3),
             (896, 18_496, 73_856, 1_049_088, 5_130), ((16, 32), (8, 64), (4, 128))),
    'B11': ({'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (120, 84)}, (32, 32, 3),
            (456, 2_416, 48_120, 10_164, 850), ((14, 6), (5, 16))),
    'A05 listing': ({**A05, 'pool_after': (1,)}, (32, 32, 3), (896, 18_496, 36_928, 495_680, 650),
                    ((15, 32), (13, 64), (11, 64))),
    'A05 two pools': ({**A05, 'pool_after': (1, 2)}, (32, 32, 3), (896, 18_496, 36_928, 65_600, 650),
                      ((15, 32), (6, 64), (4, 64))),
    'A05 text': (A05, (32, 32, 3), (896, 18_496, 36_928, 16_448, 650), ((15, 32), (6, 64), (2, 64))),
    'D1': ({'classes': 2, 'filters': (32, 64, 128), 'padding': 'valid', 'hidden': (512,), 'outputs': 'sigmoid',
            'init_scheme': 'keras'}, (150, 150, 3), (896, 18_496, 73_856, 18_940_416, 513),
           ((74, 32), (36, 64), (17, 128))),
    'C04': ({**CAT_DOG, 'filters': (40, 72, 144, 220, 280), 'outputs': 'sigmoid'}, (256, 256, 3),
            (1_120, 80, 25_992, 144, 93_456, 288, 285_340, 440, 554_680, 560, 26_976, 97),
            ((128, 40), (64, 72), (32, 144), (16, 220), (8, 280))),
    'C35': ({**CAT_DOG, 'filters': (40, 128, 144, 220, 280)}, (128, 128, 3),
            (1_120, 80, 46_208, 256, 166_032, 288, 285_340, 440, 554_680, 560, 26_976, 194),
            ((64, 40), (32, 128), (16, 144), (8, 220), (4, 280))),
}  # fmt: skip
TOTALS = {
    'B04': 545_098, 'B06b': 545_546, 'B07': 263_042, 'B09': 206_922, 'B10a': 1_147_466, 'B11': 62_006,
    'A05 listing': 552_650, 'A05 two pools': 122_570, 'A05 text': 73_418, 'D1': 19_034_177, 'C04': 989_173,
    'C35': 1_082_174,
}  # fmt: skip
STATISTICS = {'B06b': 448, 'C04': 1_512, 'C35': 1_624}


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def in_order(params):
    """Layers as they follow each other: `conv_2` before `conv_10`, a layer before its norm."""
    number = lambda name: [int(part) if part.isdigit() else part for part in name.split('_')]
    return {name: params[name] for name in sorted(params, key=number)}


def built(row) -> ConvNet:
    return ConvNet(**{'classes': 10, **ROWS[row][0]})


def shapes_of(module, image):
    """Shapes of the variables for images [H, W, C]; nothing is computed."""
    return jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, *image)), train=False))


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


@pytest.mark.parametrize('name, expected', [
    ('B10a', 11_375_616), ('B11', 651_720), ('C04', 1_311_574_368), ('C35', 484_807_104), ('VGG-16', 432_775_168),
])  # fmt: skip
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
    return jax.jit(lambda: module.init(jax.random.key(seed), jnp.zeros((1, *image)), train=False))()['params']


def kernels_and_biases(params):
    return [
        (np.asarray(layer['kernel']), np.asarray(layer['bias']))
        for layer in in_order(params).values()
        if 'kernel' in layer
    ]


@pytest.mark.parametrize('row, bounds', [
    ('B10a', (0.1924501, 0.0589256, 0.0416667, 0.0220971, 0.0441942)),
    ('B11', (0.1154701, 0.0816497, 0.05, 0.0912871, 0.1091089)),
])  # fmt: skip
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
    images = jax.random.uniform(jax.random.key(1), (16, 32, 32, 3))
    variables = jax.jit(lambda: module.init(jax.random.key(0), images[:1], train=False))()
    losses = cross_entropy(jax.jit(module.apply)(variables, images), jnp.arange(16) % classes)
    assert float(losses.mean()) == pytest.approx(math.log(classes), abs=0.02)


# ---- equal to PyTorch ------------------------------------------------------------------------------------------------

PARITY = {
    'none': ({'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (20, 12)}, 16),
    'before': ({'filters': (8, 136), 'hidden': (16,), 'batch_norm': 'before'}, 12),  # both layouts
    'after': ({**CAT_DOG, 'classes': 10, 'filters': (8, 12), 'dropout': 0.0}, 13),
    'after, flattened': ({'filters': (5, 7), 'hidden': (9,), 'batch_norm': 'after', 'pool_after': (2,)}, 10),
    'grid': ({'filters': (8, 6), 'hidden': (10,), 'grid': 7, 'init_scheme': 'torchvision'}, 10),
}  # fmt: skip


def torch_network(
    torch, channels, side, *, classes=10, filters, kernel_size=3, padding='same', pool_after=None, batch_norm='none',
    head='flatten', grid=0, hidden=(), init_scheme='torch', dropout=0.0,
):  # fmt: skip
    """The same network, written in PyTorch's own layers."""
    nn, layers, grown = torch.nn, [], channels
    epsilon = {'eps': 1e-3, 'momentum': 0.01} if init_scheme == 'keras' else {}
    for number, width in enumerate(filters, 1):
        norm = [nn.BatchNorm2d(width, **epsilon)]
        layers += [nn.Conv2d(grown, width, kernel_size, padding=kernel_size // 2 if padding == 'same' else 0)]
        layers += (norm if batch_norm == 'before' else []) + [nn.ReLU()] + (norm if batch_norm == 'after' else [])
        layers += [nn.MaxPool2d(2)] if pool_after is None or number in pool_after else []
        grown = width
    layers += [nn.AdaptiveAvgPool2d(grid or 1)] if grid or head == 'average' else []
    layers += [nn.Flatten()]
    with torch.no_grad():
        grown = nn.Sequential(*layers)(torch.zeros(2, channels, side, side)).shape[1]
    for width in hidden:
        norm = [nn.BatchNorm1d(width)] if batch_norm == 'before' else []
        layers, grown = [*layers, nn.Linear(grown, width), *norm, nn.ReLU(), nn.Dropout(dropout)], width
    network = nn.Sequential(*layers, nn.Linear(grown, classes))
    for layer in network:  # the probe above has moved the running statistics
        if hasattr(layer, 'reset_running_stats'):
            layer.reset_running_stats()
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.uniform_(layer.bias, -0.5, 0.5)
    return network


def channels_first(torch, images):
    return torch.tensor(np.asarray(images).transpose(0, 3, 1, 2).copy())


def copied(network, params, value=lambda tensor: tensor):
    """PyTorch's `value` of each parameter in the places of `params`; (C, H, W) rows of the first dense layer -> (H, W, C)."""
    own = [layer for layer in network if getattr(layer, 'weight', None) is not None]
    result, channels = {}, None
    for (name, leaves), layer in zip(in_order(params).items(), own, strict=True):
        first, second = (value(part).detach().numpy() for part in (layer.weight, layer.bias))
        if 'scale' in leaves:
            result[name] = {'scale': first, 'bias': second}
            continue
        if first.ndim == 4:
            first, channels = first.transpose(2, 3, 1, 0), first.shape[0]
        else:
            cells = first.shape[1] // channels if name == 'dense_1' else 1
            first = first.reshape(len(first), -1, cells).transpose(2, 1, 0).reshape(-1, len(first))
        result[name] = {'kernel': first, 'bias': second}
    return result


@pytest.mark.parity
@pytest.mark.parametrize('case', PARITY)
def test_equal_to_pytorch_with_its_weights(case):
    """Logits while training, every gradient, running statistics (unbiased as PyTorch's), logits afterwards."""
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    arguments, side = PARITY[case]
    theirs, ours = torch_network(torch, 3, side, **arguments), ConvNet(**{'classes': 10, **arguments})
    images = jax.random.normal(jax.random.key(0), (6, side, side, 3))
    labels = np.arange(6) % 10
    shapes = shapes_of(ours, images.shape[1:])
    params = copied(theirs, shapes['params'])
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.shape, b.shape), dict(shapes['params']), params)
    fresh, norms = {'mean': jnp.zeros, 'var': jnp.ones}, shapes.get('batch_stats', {})
    rest = {'batch_stats': {name: {k: fresh[k](v.shape) for k, v in norm.items()} for name, norm in norms.items()}}

    def loss(params):
        logits, updates = ours.apply({'params': params, **rest}, images, train=True, mutable=['batch_stats'])
        return cross_entropy(logits, labels).mean(), (logits, updates)

    (_, (logits, updates)), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    pictures = channels_first(torch, images)
    expected = theirs.train()(pictures)
    torch.nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()
    np.testing.assert_allclose(logits, expected.detach().numpy(), atol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), gradients,
        copied(theirs, params, lambda tensor: tensor.grad),
    )  # fmt: skip
    if arguments.get('init_scheme') != 'keras':  # Keras keeps the plain variance
        norms = [layer for layer in theirs if hasattr(layer, 'running_var')]
        for mine, norm in zip(in_order(updates.get('batch_stats', {})).values(), norms, strict=True):
            np.testing.assert_allclose(mine['mean'], norm.running_mean.numpy(), atol=1e-6)
            np.testing.assert_allclose(mine['var'], norm.running_var.numpy(), atol=1e-5)
        after = jax.jit(lambda v: ours.apply(v, images, train=False))({'params': params, **updates})
        np.testing.assert_allclose(after, theirs.eval()(pictures).detach().numpy(), atol=1e-5)


@pytest.mark.parity
def test_vgg_is_pytorchs_list_of_layers():
    """Sixteen layers of weights; at 32 pixels one cell is copied 49 times before the dense layers."""
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    ours = VGG(10, hidden=(24, 16), dropout=0.0)
    filters = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    theirs = torch_network(torch, 3, 32, filters=filters, pool_after=(2, 4, 7, 10, 13), grid=7, hidden=(24, 16))
    for layer in theirs:
        if hasattr(layer, 'weight'):
            torch.nn.init.kaiming_normal_(layer.weight)  # else nothing of the images reaches the end
    images = jax.random.normal(jax.random.key(0), (2, 32, 32, 3))
    shapes = shapes_of(ours, (32, 32, 3))['params']['net']
    params = {'net': copied(theirs, shapes)}
    logits = jax.jit(lambda p: ours.apply({'params': p}, images, train=False))(params)
    expected = theirs.eval()(channels_first(torch, images)).detach().numpy()
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize('source, target', [((1, 1), (7, 7)), ((5, 9), (7, 7)), ((9, 14), (7, 7)), ((8, 8), (3, 5))])
def test_adaptive_average_is_pytorchs(source, target):
    torch = pytest.importorskip('torch')
    maps = jax.random.normal(jax.random.key(0), (2, *source, 4))
    theirs = torch.nn.AdaptiveAvgPool2d(target)(channels_first(torch, maps))
    np.testing.assert_allclose(adaptive_avg_pool(maps, target), theirs.numpy().transpose(0, 2, 3, 1), atol=1e-6)


def test_adaptive_average_copies_one_cell():
    """B10: a map [1, 1, 1, 4] of 0..3 gives 49 copies of each."""
    copies = adaptive_avg_pool(jnp.arange(4.0).reshape(1, 1, 1, 4), (7, 7))
    np.testing.assert_array_equal(copies, np.broadcast_to(np.arange(4.0), (1, 7, 7, 4)))


# ---- heads, and what is refused --------------------------------------------------------------------------------------


def test_one_sigmoid_unit_is_a_softmax_over_zero_and_itself():
    """D1, C04: logits (0, z), so that probability, cross-entropy and gradient are those of a sigmoid."""
    module = ConvNet(classes=2, filters=(4,), outputs='sigmoid')
    images = jax.random.normal(jax.random.key(0), (5, 6, 6, 3))
    params = jax.jit(lambda: module.init(jax.random.key(1), images))()
    assert params['params']['dense_1']['kernel'].shape == (36, 1)
    logits = jax.jit(module.apply)(params, images)
    z = logits[:, 1]
    assert not logits[:, 0].any() and float(jnp.abs(z).min()) > 0
    np.testing.assert_allclose(jax.nn.softmax(logits)[:, 1], jax.nn.sigmoid(z), atol=1e-6)
    labels = jnp.array([0, 1, 1, 0, 1])
    binary = -(labels * jax.nn.log_sigmoid(z) + (1 - labels) * jax.nn.log_sigmoid(-z))
    np.testing.assert_allclose(cross_entropy(logits, labels), binary, atol=1e-6)
    slope = jax.grad(lambda z: cross_entropy(jnp.stack([jnp.zeros(5), z], -1), labels).sum())(z)
    np.testing.assert_allclose(slope, jax.nn.sigmoid(z) - labels, atol=1e-6)


def test_binary_cross_entropy_of_d1():
    """p = (0.9, 0.2, 0.5, 0.01), y = (1, 0, 1, 0): 0.2579254; a constant predictor: ln 2."""
    p = jnp.array([0.9, 0.2, 0.5, 0.01])
    logits = jnp.stack([jnp.zeros(4), jnp.log(p / (1 - p))], axis=-1)
    assert float(cross_entropy(logits, jnp.array([1, 0, 1, 0])).mean()) == pytest.approx(0.2579254, abs=1e-6)
    assert float(cross_entropy(jnp.zeros((4, 2)), jnp.array([1, 0, 1, 0])).mean()) == pytest.approx(0.693147, abs=1e-6)


def test_dropout_works_in_training_only():
    module = ConvNet(classes=2, filters=(4,), hidden=(64,), dropout=0.5)
    images = jax.random.normal(jax.random.key(0), (3, 6, 6, 3))
    variables = jax.jit(lambda: module.init(jax.random.key(1), images))()
    run = jax.jit(lambda key: module.apply(variables, images, train=True, rngs={'dropout': key}))
    one, other = run(jax.random.key(2)), run(jax.random.key(3))
    assert float(jnp.abs(one - other).max()) > 1e-3
    assert jax.jit(module.apply)(variables, images).shape == (3, 2)  # asks for no random numbers


def test_padding_rows_enter_no_statistic():
    module = ConvNet(**{**CAT_DOG, 'filters': (4, 130), 'dropout': 0.0})
    images = jax.random.normal(jax.random.key(0), (5, 8, 8, 3))
    weight = jnp.array([1.0, 1, 1, 0, 0])
    variables = jax.jit(lambda: module.init(jax.random.key(1), images))()
    run = jax.jit(lambda images: module.apply(variables, images, True, weight, mutable=['batch_stats']))
    logits, updates = run(images)
    again, same = run(images.at[3:].set(7.0))
    np.testing.assert_array_equal(again[:3], logits[:3])
    jax.tree.map(np.testing.assert_array_equal, updates, same)


@pytest.mark.parametrize('wrong, message', [
    ({'padding': 'sam'}, "unknown config.model.padding 'sam'; did you mean 'same'"),
    ({'head': 'mean'}, 'config.model.head'),
    ({'outputs': 'sigmoid'}, "outputs='sigmoid' is for 2 classes; the data has 10"),
    ({'pool_after': (1, 3)}, 'config.model.pool_after'),
    ({'filters': (4,) * 5}, '16x16 pixels are too small .* 5 convolutions'),
    ({'filters': (4,), 'kernel_size': 17, 'padding': 'valid'}, '16x16 pixels are too small'),
])  # fmt: skip
def test_what_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        shapes_of(ConvNet(**{'classes': 10, 'filters': (4, 4), **wrong}), (16, 16, 3))


def test_vgg_of_another_depth_is_refused():
    with pytest.raises(UserError, match='12 is not one of 11, 13, 16, 19'):
        shapes_of(VGG(10, depth=12), (32, 32, 3))
