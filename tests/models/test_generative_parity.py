"""CycleGAN's networks, both VAEs and the denoiser hold PyTorch's outputs and gradients with its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.models import cyclegan
from jaxlab.models.denoiser import DenoisingAutoencoder
from jaxlab.models.vae import MLPVAE, ConvVAE

pytestmark = pytest.mark.parity


@pytest.fixture(scope='module')
def torch():
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    return torch


def channels_first(torch, images):
    return torch.tensor(np.asarray(images).transpose(0, 3, 1, 2).copy())


def kernels(layer, value=lambda tensor: tensor):
    """{'kernel', 'bias'} of a PyTorch layer as ours keeps them: [k, k, in, out], transposed ones [k, k, out, in]."""
    kernel = value(layer.weight).detach().numpy()
    kernel = kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)
    return {'kernel': jnp.asarray(kernel), 'bias': jnp.asarray(value(layer.bias).detach().numpy())}


def same(ours, theirs, named, images, atol=2e-5):
    """Outputs, and the gradients of a weighted sum of them by every layer of `named` (our name -> their layer)."""

    def value(params):
        made = ours.apply({'params': params}, images)
        return (made * jnp.cos(jnp.arange(made.size, dtype=jnp.float32)).reshape(made.shape)).sum() / 10, made

    (_, made), found = jax.jit(jax.value_and_grad(value, has_aux=True))(nested(named, kernels))
    expected = theirs(channels_first(theirs.torch, images))
    expected = expected.permute(0, 2, 3, 1)[..., : made.shape[-1] if made.ndim == 4 else 1]
    expected = expected if made.ndim == 4 else expected[..., 0]
    np.testing.assert_allclose(made, expected.detach().numpy(), atol=atol)
    weights = theirs.torch.cos(theirs.torch.arange(made.size)).reshape(made.shape)
    ((expected * weights).sum() / 10).backward()
    wanted = nested(named, lambda layer: kernels(layer, lambda tensor: tensor.grad))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=atol, rtol=1e-3), found, wanted)


def nested(named, value):
    """'block_1/conv_2' -> a tree."""
    tree = {}
    for name, layer in named.items():
        *blocks, last = name.split('/')
        at = tree
        for block in blocks:
            at = at.setdefault(block, {})
        at[last] = value(layer)
    return tree


def test_cyclegans_generator(torch):
    """B21's list of layers, written in PyTorch, four channels wide with two blocks."""
    nn, w, named = torch.nn, 4, {}

    def known(name, layer):
        named[name] = layer
        return layer

    class Block(nn.Module):
        def __init__(self, number):
            super().__init__()
            layers = []
            for layer in (1, 2):
                conv = known(f'block_{number}/conv_{layer}', nn.Conv2d(4 * w, 4 * w, 3))
                layers += [nn.ReflectionPad2d(1), conv, nn.InstanceNorm2d(4 * w)] + [nn.ReLU()] * (layer == 1)
            self.inner = nn.Sequential(*layers)

        def forward(self, x):
            return x + self.inner(x)

    up = {'kernel_size': 3, 'stride': 2, 'padding': 1, 'output_padding': 1}
    theirs = nn.Sequential(
        nn.ReflectionPad2d(3),
        known('first', nn.Conv2d(3, w, 7)),
        *(nn.InstanceNorm2d(w), nn.ReLU()),
        known('down_1', nn.Conv2d(w, 2 * w, 3, 2, 1)),
        *(nn.InstanceNorm2d(2 * w), nn.ReLU()),
        known('down_2', nn.Conv2d(2 * w, 4 * w, 3, 2, 1)),
        *(nn.InstanceNorm2d(4 * w), nn.ReLU()),
        *(Block(1), Block(2)),
        known('up_1', nn.ConvTranspose2d(4 * w, 2 * w, **up)),
        *(nn.InstanceNorm2d(2 * w), nn.ReLU()),
        known('up_2', nn.ConvTranspose2d(2 * w, w, **up)),
        *(nn.InstanceNorm2d(w), nn.ReLU()),
        nn.ReflectionPad2d(3),
        *(known('last', nn.Conv2d(w, 3, 7)), nn.Tanh()),
    )
    theirs.torch = torch
    images = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 16, 20, 3)), jnp.float32)
    same(cyclegan.ResNetGenerator(width=w, blocks=2), theirs, named, images, atol=1e-4)


@pytest.mark.parametrize('strides', [(2, 2, 2, 2), (2, 2, 2, 1)])
def test_cyclegans_discriminator(torch, strides):
    nn, w = torch.nn, 4
    layers, named, inputs = [], {}, 3
    for number, stride in enumerate(strides):
        named[f'conv_{number + 1}'] = conv = nn.Conv2d(inputs, 2**number * w, 4, stride, 1)
        inputs = 2**number * w
        layers += [conv] + [nn.InstanceNorm2d(inputs)] * bool(number) + [nn.LeakyReLU(0.2)]
    named['score'] = nn.Conv2d(inputs, 1, 4, 1, 1)
    theirs = nn.Sequential(*layers, named['score'])
    theirs.torch = torch
    images = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 64, 48, 3)), jnp.float32)
    same(cyclegan.PatchDiscriminator(w, strides), theirs, named, images, atol=1e-4)


def test_denoiser(torch):
    nn = torch.nn
    up = {'kernel_size': 3, 'stride': 2, 'padding': 1, 'output_padding': 1}
    named = {
        'down_1': nn.Conv2d(1, 16, 3, 2, 1),
        'down_2': nn.Conv2d(16, 8, 3, 2, 1),
        'up_1': nn.ConvTranspose2d(8, 16, **up),
        'up_2': nn.ConvTranspose2d(16, 1, **up),
    }
    down_1, down_2, up_1, up_2 = named.values()
    theirs = nn.Sequential(down_1, nn.ReLU(), down_2, nn.ReLU(), up_1, nn.ReLU(), up_2)
    theirs.torch = torch
    same(
        DenoisingAutoencoder(),
        theirs,
        named,
        jnp.asarray(np.random.default_rng(0).uniform(size=(3, 12, 28, 1)), jnp.float32),
    )


def test_mlp_vae(torch):
    """Mean, log-variance and logits, and the gradients of a loss through both."""
    nn = torch.nn
    sizes = {'down_0': (12, 7), 'down_1': (7, 5), 'mean': (5, 2), 'log_variance': (5, 2)}
    sizes |= {'up_0': (2, 5), 'up_1': (5, 7), 'pixels': (7, 12)}
    named = {name: nn.Linear(*size) for name, size in sizes.items()}
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(6, 3, 4, 1)), jnp.float32)
    model = MLPVAE(latent=2, hidden=(7, 5), image_shape=(3, 4, 1))

    def loss(params):
        mean, log_variance = model.apply({'params': params}, images, method='encode')
        logits = model.apply({'params': params}, mean + jnp.exp(log_variance / 2), method='decode')
        return jnp.square(logits).sum() + log_variance.sum(), (mean, log_variance, logits)

    (_, ours), found = jax.value_and_grad(loss, has_aux=True)(nested(named, kernels))
    x = torch.tensor(np.asarray(images)).flatten(1)
    for name in ('down_0', 'down_1'):
        x = torch.relu(named[name](x))
    mean, log_variance = named['mean'](x), named['log_variance'](x)
    y = mean + torch.exp(log_variance / 2)
    for name in ('up_0', 'up_1'):
        y = torch.relu(named[name](y))
    logits = named['pixels'](y)
    for mine, theirs in zip(ours, (mean, log_variance, logits.reshape(6, 3, 4, 1)), strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), atol=1e-5)
    (logits.square().sum() + log_variance.sum()).backward()
    wanted = nested(named, lambda layer: kernels(layer, lambda tensor: tensor.grad))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found, wanted)


def test_convolutional_vae(torch):
    """D2.1's padding: 'same' of stride 2 pads behind only; the transposed one is the full one, cropped behind."""
    nn, functional = torch.nn, torch.nn.functional
    model = ConvVAE(latent=3, filters=(4, 6), image_shape=(8, 12, 2))
    named = {
        'down_0': nn.Conv2d(2, 4, 3, 2),
        'down_1': nn.Conv2d(4, 6, 3, 2),
        'mean': nn.Linear(36, 3),
        'log_variance': nn.Linear(36, 3),
        'expand': nn.Linear(3, 36),
        'up_0': nn.ConvTranspose2d(6, 6, 3, 2),
        'up_1': nn.ConvTranspose2d(6, 4, 3, 2),
        'pixels': nn.ConvTranspose2d(4, 2, 3, 1, 1),
    }
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(5, 8, 12, 2)), jnp.float32)
    variables = {'params': nested(named, kernels)}
    mean, log_variance = jax.jit(lambda v: model.apply(v, images, method='encode'))(variables)
    logits = jax.jit(lambda v: model.apply(v, mean, method='decode'))(variables)
    x = channels_first(torch, images)
    for name in ('down_0', 'down_1'):
        x = torch.relu(named[name](functional.pad(x, (0, 1, 0, 1))))
    flat = x.permute(0, 2, 3, 1).flatten(1)
    np.testing.assert_allclose(mean, named['mean'](flat).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(log_variance, named['log_variance'](flat).detach().numpy(), atol=1e-5)
    y = torch.relu(named['expand'](named['mean'](flat))).reshape(5, 2, 3, 6).permute(0, 3, 1, 2)
    for name in ('up_0', 'up_1'):
        height, width = 2 * y.shape[2], 2 * y.shape[3]
        y = torch.relu(named[name](y)[:, :, :height, :width])
    expected = named['pixels'](y).permute(0, 2, 3, 1).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-5)
