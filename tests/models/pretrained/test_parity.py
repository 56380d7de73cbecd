"""Published networks: with PyTorch's weights, saved and read as files, ours give PyTorch's outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.models.convnet import VGG
from jaxlab.models.mobile import MobileNet
from jaxlab.models.pretrained.load import as_arrays, load
from jaxlab.models.resnet import ResNet
from jaxlab.models.ssdlite import SSDLite
from jaxlab.models.unet import OriginalUNet, UNet
from tests.models.convnet_rows import shapes_of

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures('float64')]  # fifty layers part company in float32

CASES = {  # layout: (PyTorch's, ours, side of the image)
    'resnet18': (lambda them: them.ResNet((2, 2, 2, 2), 7), ResNet(7), 48),
    'mobilenet_v2': (lambda them: them.MobileNetV2(7), MobileNet(7, 'mobilenet_v2'), 64),
    'efficientnet_lite0': (lambda them: them.EfficientNetLite0(7), MobileNet(7, 'efficientnet_lite0'), 64),
    'ssdlite320_mobilenet_v3_large': (lambda them: them.SSDLite(4), SSDLite(3), 64),
    'vgg16': (lambda them: them.VGG((2, 2, 3, 3, 3), 7, 24), VGG(7, hidden=(24, 24)), 64),
    'unet_resnet34': (lambda them: them.UNet(2), UNet(2), 64),
}


@pytest.fixture(scope='module')
def torch():
    return pytest.importorskip('torch')


@pytest.fixture(scope='module')
def torch_vision(torch):
    from benchmarks import torch_vision

    return torch_vision


def channels_first(torch, images):
    return torch.tensor(np.asarray(images).transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize('layout', CASES)
def test_outputs_equal_pytorchs_with_its_weights(layout, torch, torch_vision, tmp_path):
    """Every tensor of the file is used, every one of ours is filled."""
    make, ours, side = CASES[layout]
    theirs = torch_vision.randomised(make(torch_vision))
    torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
    images = jax.random.normal(jax.random.key(0), (2, side, side, 3), float)
    variables, notes = load(tmp_path / 'weights.pth', layout, as_arrays(shapes_of(ours, images.shape[1:])))
    counters = sum(name.endswith('num_batches_tracked') for name in theirs.state_dict())
    assert counters == 0 or any(f'{counters} counters' in note for note in notes)
    with torch.no_grad():
        expected = theirs.double()(channels_first(torch, images))
    variables = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables)
    found = jax.jit(lambda v: ours.apply(v, images, train=False))(variables)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for mine, one in pairs:
        one = one.numpy() if one.ndim < 4 else one.numpy().transpose(0, 2, 3, 1)
        assert one.std() > 1e-3
        np.testing.assert_allclose(mine, one, atol=2e-7 * np.abs(one).max())  # outputs are rounded to float32


def test_original_unet_is_pytorchs_layer_by_layer(torch, torch_vision):
    """Transposed kernels: [in, out, 2, 2] there, [2, 2, out, in] here."""
    theirs = torch_vision.randomised(torch_vision.OriginalUNet(1, 2, 4))
    ours = OriginalUNet(2, width=4, padding='valid')
    images = jax.random.normal(jax.random.key(0), (1, 204, 188, 1), float)
    weight = lambda layer: jnp.asarray(layer.weight.detach().double().numpy().transpose(2, 3, 1, 0))
    place = lambda layer: {'kernel': weight(layer), 'bias': jnp.asarray(layer.bias.detach().double().numpy())}
    params = {'head': place(theirs.head)}
    for name, blocks in (('down', theirs.down), ('up', theirs.up)):
        for depth, convs in enumerate(blocks, 1):
            params |= {f'{name}_{depth}_conv_{k}': place(conv) for k, conv in enumerate(convs, 1)}
    params |= {f'up_{depth}': place(up) for depth, up in enumerate(theirs.ups, 1)}
    shapes = shapes_of(ours, images.shape[1:])['params']
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.shape, b.shape), dict(shapes), params)
    with torch.no_grad():
        expected = theirs.double()(channels_first(torch, images)).numpy().transpose(0, 2, 3, 1)
    found = jax.jit(lambda p: ours.apply({'params': p}, images, train=False))(params)
    assert found.shape == (1, 20, 4, 2)
    np.testing.assert_allclose(found, expected, atol=2e-7 * np.abs(expected).max())
