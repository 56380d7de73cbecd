"""Numbers of the experiments with boxes (B12) and masks (B19) that were worked out elsewhere.

Counts of the networks stand in tests/models, losses and scores in tests/measures, boxes of files in tests/data.
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.data.scaling import scaler
from jaxlab.errors import UserError
from jaxlab.measures.boxes import default_boxes
from jaxlab.measures.boxes import iou as iou_of
from jaxlab.models import build_model
from jaxlab.models.ssdlite import cells
from jaxlab.training.feeding import Feed
from tests.models.drawn import count, drawn

NAMES = ('detection_voc', 'segmentation_water')
iou = jax.jit(iou_of)


def get_config(name, profile='full'):
    return importlib.import_module(f'configs.{name}').get_config(profile)


@pytest.mark.parametrize(('size', 'updates', 'last'), [(2501, 626, 1), (2841, 711, 1)])
def test_batches_of_four(size, updates, last):
    """B12's 626th batch holds one image, in which batch norm fails on the map of one cell; it is left out here."""
    feed = Feed(size, 4, False, False, (0,))
    assert feed.steps_per_epoch == updates and (feed.epoch(0)[0, -1] >= 0).sum() == last
    assert get_config('detection_voc').data.drop_remainder
    assert Feed(size, 4, True, False, (0,)).steps_per_epoch == updates - 1


def test_the_detectors():
    """3,234 default boxes; fewer than 3.5 million parameters with three classes, whatever stands below but the largest."""
    config = get_config('detection_voc')
    assert len(default_boxes(cells((config.data.options.image_size,) * 2))) == 3_234
    images = jnp.zeros((1, 320, 320, 3))
    blocks = {name: {**config.model, **dict(v.get('model', {}))} for name, v in config.variants.items()}
    assert blocks['from_scratch'] == blocks.pop('as_published')  # counted once
    found = {
        name: sum(count(build_model(block, classes=3), images, train=False).values()) for name, block in blocks.items()
    }
    body, head = 2_072_672, 50_688 + 2_310 * 6 * (4 + 4)
    assert found['from_scratch'] == body + head
    assert found['mobilenet_v2'] < 3_500_000 < found['efficientnet_lite0']
    assert found['fine_boxes'] < found['mobilenet_v2']


def test_small_objects_have_default_boxes():
    """Blood platelets of a fourteenth of the image: no box of 1/5 and more overlaps one by half, those of a finer map do."""
    config = get_config('detection_voc')
    fine = config.variants.fine_boxes
    usual = default_boxes(cells((256, 256)))
    sizes = cells((256, 256), len(fine.model.extra), fine.model.fine)
    assert sizes == [(32, 32), (16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    finer = default_boxes(sizes, fine['task.smallest'], fine['task.largest'])
    corners = np.random.default_rng(0).uniform(0.1, 0.8, (200, 2)).astype(np.float32)
    platelets = np.concatenate([corners, corners + 0.073], axis=1)
    assert iou(platelets, usual).max() < 0.2 and (iou(platelets, finer).max(1) > 0.5).mean() > 0.9
    model = build_model({**fine.model, 'body': 'tiny'}, classes=3)
    logits, offsets = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False)[0], jnp.zeros((1, 64, 64, 3))
    )
    assert logits.shape[1] == offsets.shape[1] == len(default_boxes(cells((64, 64), 3, 1)))
    with pytest.raises(UserError, match=r'config.model.fine = 9; valid: 0 to \d'):
        count(build_model({**fine.model, 'fine': 9}, classes=3), jnp.zeros((1, 64, 64, 3)))


@pytest.fixture(scope='module')
def updated():
    """{momentum: running statistics after one update}, in one program: the passes that they have in common are computed
    once."""
    block = {'name': 'ssdlite', 'body': 'mobilenet_v2_keras', 'width': 0.35, 'extra': (32,)}
    momenta = (None, 0.9)
    models = [build_model({**block, 'momentum': momentum}, classes=3) for momentum in momenta]
    images = jnp.asarray(np.random.default_rng(1).uniform(size=(4, 64, 64, 3)), jnp.float32)
    variables = drawn(models[0], images, spread=0.1)
    variables['batch_stats'] = jax.tree_util.tree_map_with_path(
        lambda path, leaf: np.full_like(leaf, path[-1].key == 'var'), variables['batch_stats']
    )
    update = lambda model, v: model.apply(v, images, train=True, mutable=['batch_stats'])[1]['batch_stats']
    found = jax.jit(lambda v: [update(model, v) for model in models])(variables)
    return dict(zip(momenta, found, strict=True))


@pytest.mark.parametrize(('momentum', 'moved'), [(None, 0.001), (0.9, 0.1)])
def test_running_statistics_follow_a_short_training(momentum, moved, updated):
    """One update moves every mean by this share of the batch's: with Keras's 0.999 a short training is evaluated with others."""
    variances = [
        leaf for path, leaf in jax.tree_util.tree_leaves_with_path(updated[momentum]) if 'var' in str(path[-1])
    ]
    assert len(variances) > 50
    for variance in variances:  # they begin at 1
        assert float(np.min(variance)) >= 1 - moved - 1e-6
    assert float(np.min(np.concatenate(variances))) == pytest.approx(1 - moved, abs=moved / 5)


@pytest.mark.parametrize(('momentum', 'valid'), [(1.5, 'a number from 0 up to'), ('x', r'float \| None')])
def test_a_momentum_is_a_share(momentum, valid):
    with pytest.raises(UserError, match=f'config.model.momentum of ssdlite is .*; valid: {valid}'):
        build_model({'name': 'ssdlite', 'momentum': momentum}, classes=3)


def test_the_segmenters():
    """24,436,369 parameters; pixels in [-1, 1]."""
    config = get_config('segmentation_water')
    images = jnp.zeros((1, 256, 256, 3))
    parts = count(build_model(config.model), images, train=False)
    assert sum(parts.values()) == 24_436_369 and parts['encoder'] == 21_284_672
    without = count(build_model({**config.model, 'skip': False}), images, train=False)
    assert sum(without.values()) < 24_436_369 and without['encoder'] == parts['encoder']
    pixels = scaler(config.data.scale)({'image': np.array([[[[0, 255]]]], np.uint8)})['image']
    np.testing.assert_array_equal(np.asarray(pixels).ravel(), [-1, 1])
    variants = config.variants
    body = variants.pretrained['model.body']
    assert body == variants.lite0_from_scratch['model.body'] == variants.pretrained.start.layout
    mean = [value * 255 for value in variants.pretrained['data.options.mean']]
    std = [value * 255 for value in variants.pretrained['data.options.std']]
    assert mean == pytest.approx([127] * 3) and std == pytest.approx([128] * 3)


def test_what_was_printed_is_not_compared():
    """B12's number is no average precision; B19's is of training images."""
    published = {name: get_config(name).published for name in NAMES}
    assert published['detection_voc']['test_hits_per_object']['value'] == 1.1151
    assert published['segmentation_water']['train_dice_loss']['value'] == 0.1719
    assert not any(one['comparable'] for block in published.values() for one in block.values())
