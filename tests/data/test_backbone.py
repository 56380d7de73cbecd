"""Images through a frozen network: computed once, kept under everything that it depends on, read the same way later."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from jaxlab import data as data_sets
from jaxlab.data import backbone, description
from jaxlab.data.settings import checked
from jaxlab.errors import UserError
from jaxlab.models.pretrained.layouts import resnet
from jaxlab.models.resnet import ResNet
from tests.models.drawn import drawn

MODEL = {'name': 'resnet', 'depth': 18, 'width': 4}
SETTINGS = {'name': 'hymenoptera', 'source': 'embedded', 'limit': 40, 'eval_limit': 20, 'scale': (-1.0, 1.0)}
SIZE = {'image_size': 24}


@pytest.fixture(scope='module')
def variables():
    return drawn(ResNet(0, 18, width=4), jnp.zeros((1, 24, 24, 3)), train=False, spread=0.1)


def torch_names(variables, scale=1.0):
    """A ResNet's tensors as torchvision names and lays them out, with a classifier that is not asked for."""
    found = {'fc.weight': np.ones((3, 32), np.float32), 'fc.bias': np.ones(3, np.float32)}
    leaves = {'kernel': 'weight', 'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean', 'var': 'running_var'}
    for theirs, ours in resnet(18).items():
        for tree in variables.values():
            place = tree
            for part in ours.split('/'):
                place = place.get(part, {})
            for leaf, array in place.items():
                turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
                found[f'{theirs}.{leaves[leaf]}'] = np.ascontiguousarray(turned * scale)
    return found


@pytest.fixture(scope='module')
def file(variables, tmp_path_factory):
    positive = {**variables, 'batch_stats': jax.tree.map(np.abs, variables['batch_stats'])}
    path = tmp_path_factory.mktemp('weights') / 'resnet.safetensors'
    save_file(torch_names(positive), str(path))
    return path


def load(file, cache=None, **changes):
    block = {'model': MODEL, 'layout': 'resnet18', 'weights': str(file)}
    with_options = {**SETTINGS, 'options': dict(SIZE), 'backbone': block, **changes}
    return data_sets.load(with_options, None, cache)


@pytest.fixture(scope='module')
def kept(file, tmp_path_factory):
    """(the data set, the cache that it left)."""
    cache = tmp_path_factory.mktemp('cache')
    return load(file, cache), cache


def test_features_are_what_the_network_says(kept, variables):
    data = kept[0]
    plain = data_sets.load({**SETTINGS, 'options': dict(SIZE)})
    images = plain.splits['test'].arrays['image'].astype(np.float32) / 127.5 - 1
    weights = {**variables, 'batch_stats': jax.tree.map(np.abs, variables['batch_stats'])}
    wanted = jax.jit(lambda v, x: ResNet(0, 18, width=4).apply(v, x, train=False))(weights, jnp.asarray(images))
    found = data.splits['test'].arrays
    np.testing.assert_allclose(found['features'], wanted, rtol=2e-3, atol=1e-4)
    np.testing.assert_array_equal(found['label'], plain.splits['test'].arrays['label'])
    assert data.input == 'features' and set(found) == {'features', 'label'} and np.std(found['features']) > 0
    assert data.checksum != plain.checksum and any('went once through resnet18' in note for note in data.notes)


def test_a_second_look_computes_nothing(kept, file, monkeypatch):
    monkeypatch.setattr(backbone.Backbone, 'network', lambda self: pytest.fail('computed again'))
    again = load(file, kept[1], split_seed=7, eval_limit=10)
    rows = again.splits['test'].origin
    assert again.splits['test'].size == 10 and set(rows) <= set(range(2000, 2500))


def test_other_weights_pixels_or_scales_are_other_features(kept, file, variables, tmp_path, monkeypatch):
    class Computed(Exception):
        pass

    def network(self):
        raise Computed

    monkeypatch.setattr(backbone.Backbone, 'network', network)
    other = tmp_path / 'other.safetensors'
    save_file(torch_names(variables, scale=2.0), str(other))
    for changes in ({'file': other}, {'scale': (0.0, 1.0)}, {'options': {'image_size': 20}}):
        with pytest.raises(Computed):
            load(**{'file': file, 'cache': kept[1], **changes})


def test_a_users_image_goes_the_same_way(kept, tmp_path):
    """Also through what a run keeps of its data, without the images."""
    data = kept[0]
    feature = data.features['features']
    (image,) = feature.source('test', data.splits['test']).read([3])['image']
    Image.fromarray(image).save(tmp_path / 'one.png')
    settings = checked({**SETTINGS, 'options': dict(SIZE)})
    for known in (data, description.from_json(description.as_json(data, settings))):
        who, blocks = known.input_feature.read(tmp_path / 'one.png')
        assert who == [{'file': str(tmp_path / 'one.png')}]
        np.testing.assert_allclose(next(blocks)[0], data.splits['test'].arrays['features'][3], rtol=1e-4, atol=1e-5)


def test_what_does_not_go_together_is_refused(file):
    with pytest.raises(UserError, match='data.transforms with data.backbone'):
        load(file, transforms=(('flip', {}),))
    with pytest.raises(UserError, match='needs images in memory'):
        load(file, name='titanic', options={})
    with pytest.raises(UserError, match='are in no package'):
        load('')


def test_features_are_shown_as_their_images(kept):
    data = kept[0]
    feature = data.input_feature
    source = feature.source('train', data.splits['train'])
    figure = feature.figure('examples', '', '', source, data.input, [0, 1], {'class': ['a', 'b']})
    assert figure.images.shape == (2, 24, 24, 3) and dataclasses.is_dataclass(feature)
