"""ImageNet weights that install from the package index, where they are installed: read, loaded, right to the digit."""

import jax
import numpy as np
import pytest

from jaxlab.data.sets.shapes import render
from jaxlab.models.mobile import MobileNet
from jaxlab.models.pretrained.files import PACKAGES, installed, read
from jaxlab.models.pretrained.load import as_arrays, load
from jaxlab.models.unet import Encoder, UNet
from tests.models.convnet_rows import shapes_of

pytest.importorskip(PACKAGES['efficientnet_lite0'][0])

# The five largest logits of the picture below, computed by the PyTorch network of `torch_vision.py` in float64.
GOLDEN = {549: 6.48293, 107: 5.22306, 709: 5.10734, 443: 4.27332, 767: 4.00572}


@pytest.fixture(scope='module')
def picture():
    """[1, 224, 224, 3] as the network wants it: (x - 127) / 128."""
    image = render(1, 10, (224, 224), seed=3)['image']
    return (image.astype(np.float32) - 127) / 128


def test_efficientnet_lite0(picture):
    """296 tensors, 4,694,073 numbers (INDEX.md): none is lost, the 49 counters are named."""
    weights = read(installed('efficientnet_lite0'))
    assert len(weights) == 296 and sum(array.size for array in weights.values()) == 4_694_073
    model = MobileNet(1000, 'efficientnet_lite0')
    variables, notes = load(installed('efficientnet_lite0'), 'efficientnet_lite0', shapes_of(model, (224, 224, 3)))
    assert '49 counters' in notes[0]
    logits = np.asarray(jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, picture))[0]
    assert np.argsort(-logits)[:5].tolist() == list(GOLDEN)
    np.testing.assert_allclose(logits[list(GOLDEN)], list(GOLDEN.values()), atol=2e-4)


def test_the_way_down_of_a_unet_is_the_same_network(picture):
    """Its last map, averaged, times the weights of the classes gives the same logits; the way up stays as it was."""
    path, network = installed('efficientnet_lite0'), UNet(body='efficientnet_lite0')
    before = as_arrays(shapes_of(network, (224, 224, 3)))
    variables, _ = load(path, 'efficientnet_lite0', before, beneath='encoder', skip=('head',))
    encoder = {kind: tree['encoder'] for kind, tree in variables.items()}
    *_, last = jax.jit(lambda v, x: Encoder(body='efficientnet_lite0').apply(v, x, False))(encoder, picture)
    weights = read(path)
    logits = np.asarray(last.mean((1, 2)))[0] @ weights['_fc.weight'].T + weights['_fc.bias']
    np.testing.assert_allclose(logits[list(GOLDEN)], list(GOLDEN.values()), atol=2e-4)
    for tree in (variables['params']['decoder_1'], variables['params']['head']):
        assert all(not np.any(leaf) for leaf in jax.tree.leaves(tree))


@pytest.mark.parity
def test_the_reader_gives_what_pytorch_reads(picture):
    torch = pytest.importorskip('torch')
    from benchmarks import torch_vision

    path = installed('efficientnet_lite0')
    theirs, ours = torch.load(path, weights_only=True), read(path)
    assert theirs.keys() == ours.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor.numpy())
    network = torch_vision.EfficientNetLite0(1000)
    network.load_state_dict(theirs)
    with torch.no_grad():
        found = network.double().eval()(torch.tensor(picture.transpose(0, 3, 1, 2).copy()).double())[0].numpy()
    np.testing.assert_allclose(found[list(GOLDEN)], list(GOLDEN.values()), atol=1e-5)
