"""ConvNet and VGG hold PyTorch's logits, gradients and statistics with its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.layers import adaptive_avg_pool
from jaxlab.measures.losses import cross_entropy
from jaxlab.models.convnet import VGG, ConvNet
from tests.models.convnet_rows import CAT_DOG, in_order, shapes_of
from tests.models.drawn import numbers

PARITY = {
    'none': ({'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (20, 12)}, 16),
    'before': ({'filters': (8, 136), 'hidden': (16,), 'batch_norm': 'before'}, 12),  # both layouts
    'after': ({**CAT_DOG, 'classes': 10, 'filters': (8, 12), 'dropout': 0.0}, 13),
    'after, flattened': ({'filters': (5, 7), 'hidden': (9,), 'batch_norm': 'after', 'pool_after': (2,)}, 10),
    'grid': ({'filters': (8, 6), 'hidden': (10,), 'grid': 7, 'init_scheme': 'torchvision'}, 10),
}


def torch_network(
    torch,
    channels,
    side,
    *,
    classes=10,
    filters,
    kernel_size=3,
    padding='same',
    pool_after=None,
    batch_norm='none',
    head='flatten',
    grid=0,
    hidden=(),
    init_scheme='torch',
    dropout=0.0,
):
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
    images = numbers(6, side, side, 3)
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
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5),
        gradients,
        copied(theirs, params, lambda tensor: tensor.grad),
    )
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
    images = numbers(2, 32, 32, 3)
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
    maps = numbers(2, *source, 4)
    theirs = torch.nn.AdaptiveAvgPool2d(target)(channels_first(torch, maps))
    np.testing.assert_allclose(adaptive_avg_pool(maps, target), theirs.numpy().transpose(0, 2, 3, 1), atol=1e-6)


def test_adaptive_average_copies_one_cell():
    """B10: a map [1, 1, 1, 4] of 0..3 gives 49 copies of each."""
    copies = adaptive_avg_pool(jnp.arange(4.0).reshape(1, 1, 1, 4), (7, 7))
    np.testing.assert_array_equal(copies, np.broadcast_to(np.arange(4.0), (1, 7, 7, 4)))
