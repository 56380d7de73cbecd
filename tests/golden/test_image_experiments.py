"""Numbers of the image experiments that were worked out elsewhere: B01, B09, B10, B11, A05 (C04 and C35: their cost).

Parameter counts, starts and shapes stand in tests/models, splits and idempotence of log-softmax in tests/data and
tests.measures.
"""

import importlib
import os
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import data as data_sets
from jaxlab.data import transforms
from jaxlab.data.scaling import scaler, value_range
from jaxlab.layers import Conv, max_pool
from jaxlab.measures.classification import softmax
from jaxlab.measures.losses import clipped_probability_cross_entropy, cross_entropy
from jaxlab.models import build_model
from jaxlab.training import model_table
from jaxlab.training.feeding import Feed
from tests.models.drawn import started

SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
REAL = pathlib.Path(os.environ.get('JAXLAB_DATA_DIR') or '/nowhere')
FIVE_BLOCKS = {'name': 'convnet', 'head': 'average', 'batch_norm': 'after', 'hidden': (96,), 'classes': 2}


def get_config(name):
    return importlib.import_module(f'configs.{name}').get_config('full')


def correlate(image, kernel, padding):
    """One map of one image by the lab's own layer, without a bias. image: [H, W], kernel: [k, k]."""
    layer = Conv(1, np.shape(kernel), padding=padding, use_bias=False)
    weights = {'params': {'kernel': np.asarray(kernel, np.float32)[:, :, None, None]}}
    return np.asarray(jax.jit(layer.apply)(weights, np.asarray(image, np.float32)[None, :, :, None]))[0, :, :, 0]


# ---- Sizes of the experiments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'examples', 'batches', 'last', 'updates'),
    [
        ('explore_mnist', 60_000, 938, 32, 9_380),  # B01
        ('cnn_mnist', 60_000, 938, 32, 9_380),  # B09
        ('batchnorm_augmentation_cifar10', 50_000, 782, 16, 7_820),  # B06
        ('architectures_cifar10', 50_000, 391, 80, 3_910),  # B10
        ('cnn_cifar10', 40_000, 1_250, 32, 12_500),  # A05
        ('feature_maps_cifar10', 50_000, 782, 16, 7_820),  # B11 reads 12,500 batches of 4 and trains on none
    ],
)
def test_batches_and_updates(name, examples, batches, last, updates):
    config = get_config(name)
    feed = Feed(examples, config.data.batch_size, config.data.drop_remainder, True, (0,))
    assert feed.steps_per_epoch == batches and (feed.epoch(0)[0, -1] >= 0).sum() == last
    assert config.training.epochs * batches == updates


@pytest.mark.parametrize(
    ('block', 'shape', 'work'),
    [
        ({'name': 'convnet', 'filters': (32, 64, 128), 'hidden': (512,)}, (32, 32, 3), 11_375_616),  # B10a
        ({'name': 'vgg'}, (32, 32, 3), 432_775_168),  # B10b
        ({'name': 'resnet'}, (32, 32, 3), 37_016_576),  # B10c
        (
            {'name': 'convnet', 'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (120, 84)},
            (32, 32, 3),
            651_720,
        ),  # B11
        (
            {**FIVE_BLOCKS, 'filters': (40, 72, 144, 220, 280), 'outputs': 'sigmoid'},
            (256, 256, 3),
            1_311_574_368,
        ),  # C04
        ({**FIVE_BLOCKS, 'filters': (40, 128, 144, 220, 280)}, (128, 128, 3), 484_807_104),  # C35
        ({'name': 'mlp', 'features': (256, 128, 64)}, (28, 28, 1), 784 * 256 + 256 * 128 + 128 * 64 + 640),
    ],
)
def test_multiply_adds_of_one_image(block, shape, work):
    """Exact; convolutions and dense layers only."""
    rows = model_table.rows(build_model(block, classes=10), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    assert sum(row['multiply_adds'] for row in rows) == work


def test_multiply_adds_of_each_layer_of_b11():
    config = get_config('feature_maps_cifar10')
    rows = model_table.rows(build_model(config.model, classes=10), jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    found = {row['path']: row['multiply_adds'] for row in rows if row['multiply_adds']}
    assert found == {'conv_1': 352_800, 'conv_2': 240_000, 'dense_1': 48_000, 'dense_2': 10_080, 'dense_3': 840}
    assert sum(row['parameters'] for row in rows) == 62_006


# ---- Convolutions correlate, they do not flip ------------------------------------------------------------------------


def test_padded_ones_kernel_on_the_ramp_of_b09():
    ramp = np.arange(16).reshape(4, 4)
    found = correlate(ramp, np.ones((3, 3)), 'SAME')
    assert found.tolist() == [[10, 18, 24, 18], [27, 45, 54, 39], [51, 81, 90, 63], [42, 66, 72, 50]]
    assert np.asarray(max_pool(jnp.asarray(found)[None, :, :, None], 2))[0, :, :, 0].tolist() == [[45, 54], [81, 90]]


def test_sobel_on_the_ramp_of_b09():
    found = correlate(np.arange(16).reshape(4, 4), SOBEL, 'SAME')
    assert found.tolist() == [[-7, -6, -6, 10], [-20, -8, -8, 24], [-36, -8, -8, 40], [-35, -6, -6, 38]]


def test_sobel_on_the_ramps_of_a05_and_b11():
    """A05: -8 everywhere; B11 has the kernel mirrored: +8. The flipped kernel (true convolution) turns the sign."""
    assert (correlate(np.arange(16).reshape(4, 4), SOBEL, 'VALID') == np.full((2, 2), -8)).all()
    assert (correlate(np.arange(16).reshape(4, 4), SOBEL[::-1, ::-1], 'VALID') == 8).all()
    assert (correlate(np.arange(25).reshape(5, 5), -SOBEL, 'VALID') == np.full((3, 3), 8)).all()
    assert (correlate(np.arange(25).reshape(5, 5), -SOBEL[::-1, ::-1], 'VALID') == -8).all()


def test_pooling_of_a05():
    image = jnp.array([[1, 3, 2, 4], [5, 6, 1, 0], [7, 2, 9, 8], [3, 4, 1, 5]], jnp.float32)[None, :, :, None]
    assert np.asarray(max_pool(image, 2))[0, :, :, 0].tolist() == [[6, 4], [7, 9]]


def test_a_constant_image_gives_constant_maps():
    """B11: there is no padding, so conv_1 says v sum(w) + b everywhere."""
    module = build_model(get_config('feature_maps_cifar10').model, classes=10)
    image = jnp.full((1, 32, 32, 3), 0.37)

    @jax.jit
    def looked_at(key):
        variables = module.init(key, image, train=False)
        return variables, module.apply(variables, image, train=False, mutable=['intermediates'])[1]

    variables, kept = looked_at(jax.random.key(0))
    maps, params = kept['intermediates']['conv_1_map'][0][0], jax.device_get(variables['params']['conv_1'])
    expected = 0.37 * params['kernel'].sum((0, 1, 2)) + params['bias']
    np.testing.assert_allclose(maps, np.broadcast_to(expected, (28, 28, 6)), atol=1e-6)


# ---- Pixels ----------------------------------------------------------------------------------------------------------


def test_normalised_black_and_white_of_b10():
    options = get_config('architectures_cifar10').data.options
    prepare = scaler((0.0, 1.0), options.mean, options.std)
    found = prepare({'image': jnp.asarray([[[[0, 0, 0], [255, 255, 255]]]], jnp.uint8)})['image'][0, 0]
    black, white = (-1.989474, -1.980287, -1.706804), (2.059109, 2.126489, 2.115826)
    np.testing.assert_allclose(found, [black, white], atol=1e-6)
    np.testing.assert_allclose(value_range((0.0, 1.0), options.mean, options.std), [black, white], atol=1e-6)


def test_borders_of_b10s_crops_are_black():
    """Padded before scaling, so that the border is black and not the mean."""
    config = get_config('architectures_cifar10')
    low, high = value_range((0.0, 1.0), config.data.options.mean, config.data.options.std)
    crop = config.data.transforms[0]
    assert crop[0] == 'crop' and crop[1]['padding'] == 4
    batch = {'image': np.full((64, 32, 32, 3), 0.5, np.float32)}
    augment = transforms.compose([crop], transforms.Context(low, high), batch)
    images = np.asarray(jax.jit(augment)(batch, jax.random.key(0))['image'])
    outside = (images != 0.5).all(-1)
    assert 0.05 < outside.mean() < 0.3
    np.testing.assert_allclose(images[outside], np.broadcast_to(low, (outside.sum(), 3)), atol=1e-6)


def test_scaling_of_b11_and_its_inverse():
    """0 -> -1, 0.5 -> 0, 1 -> 1; x / 2 + 0.5 gives the pixels back."""
    config = get_config('feature_maps_cifar10')
    assert tuple(config.data.scale) == (-1.0, 1.0)
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    scaled = np.asarray(scaler((-1.0, 1.0))({'image': jnp.asarray(pixels)})['image'])
    assert scaled[0, 0, 0, 0] == -1 and scaled[0, -1, -1, 0] == 1
    np.testing.assert_allclose(scaled, pixels / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(np.round((scaled / 2 + 0.5) * 255).astype(np.uint8), pixels)


@pytest.mark.skipif(not (REAL / 'mnist').exists(), reason='needs MNIST under JAXLAB_DATA_DIR')
def test_mnist_is_the_set_of_b01():
    """Label counts, sums and moments of the pixels, the first labels."""
    found = data_sets.load(get_config('explore_mnist').data).splits
    train, test = (found[name].read(np.arange(found[name].size)) for name in ('train', 'test'))
    assert np.bincount(train['label']).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test['label']).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train['label'][:9].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1]
    assert test['label'][:9].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5]
    for part, whole, mean, std, first in (
        (test, 264_923_200, 0.13251460, 0.31048025, 18_454),
        (train, 1_567_298_545, 0.13066048, 0.30810781, 27_525),
    ):
        images = part['image']
        assert images.sum(dtype=np.int64) == whole and images[0].sum(dtype=np.int64) == first
        assert images.mean(dtype=np.float64) / 255 == pytest.approx(mean, abs=1e-8)
        assert images.std(dtype=np.float64) / 255 == pytest.approx(std, abs=1e-8)


@pytest.mark.skipif(not (REAL / 'cifar-10-batches-bin').exists(), reason='needs CIFAR-10 under JAXLAB_DATA_DIR')
def test_cifar10_of_a05():
    """5,000 and 1,000 images a class; 40,000 / 10,000 by the permutation of seed 42, not stratified."""
    found = data_sets.load(get_config('cnn_cifar10').data).splits
    assert {name: split.size for name, split in found.items()} == {
        'train': 40_000,
        'validation': 10_000,
        'test': 10_000,
    }
    both = np.concatenate([found[name].labels for name in ('train', 'validation')])
    assert np.bincount(both).tolist() == [5_000] * 10 and np.bincount(found['test'].labels).tolist() == [1_000] * 10
    assert found['validation'].origin[:5].tolist() == [33553, 9427, 199, 12447, 39489]
    assert found['train'].origin[:5].tolist() == [39087, 30893, 45278, 16398, 13653]


# ---- B01's start -----------------------------------------------------------------------------------------------------


def test_xavier_bounds_of_b01():
    """fc1 to fc4; the last matrix has the deviation of the printed one (0.164066) within its own noise."""
    module = build_model(get_config('explore_mnist').model, classes=10)
    params = started(module, jnp.zeros((1, 28, 28, 1)), train=False)['params']
    bounds = (0.07595545, 0.125, 0.17677670, 0.28474740)
    for layer, bound in enumerate(bounds):
        kernel = np.asarray(params[f'Dense_{layer}']['kernel'])
        assert 0.97 * bound < np.abs(kernel).max() <= bound + 1e-7
    assert kernel.shape == (64, 10) and bounds[-1] > 0.2841
    assert kernel.std() == pytest.approx(0.164399, abs=3 * 0.164399 * 0.45 / 640**0.5)


def test_double_log_softmax_of_b01():
    log_softmax = jax.jit(nn.log_softmax)
    once = np.asarray(log_softmax(np.array([1, 2, 3], np.float32)))
    np.testing.assert_allclose(once, [-2.40760596, -1.40760596, -0.40760596], atol=1e-6)
    np.testing.assert_allclose(log_softmax(once), once, atol=1e-6)
    assert float(jax.jit(cross_entropy)(once[None], np.array([2]))[0]) == pytest.approx(0.407605964, abs=1e-6)


# ---- A05's damaged output layer --------------------------------------------------------------------------------------


def test_clipped_and_divided_outputs_of_a05(float64):
    clipped = jax.jit(clipped_probability_cross_entropy)
    labels, outputs = np.arange(3), np.tile([2.0, 0.5] + [0.0] * 8, (3, 1))
    faulty, right = (0.4054656748, 1.0986127553, 16.5235612257), (0.8354330768, 2.3354330768, 2.8354330768)
    np.testing.assert_allclose(clipped(outputs, labels), faulty, atol=1e-9)
    np.testing.assert_allclose(jax.jit(cross_entropy)(outputs, labels), right, atol=1e-9)
    silent = clipped(np.zeros((3, 10)), np.array([4, 4, 4]))
    assert float(silent[0]) == pytest.approx(2.302585093, abs=1e-9)


def test_no_gradient_reaches_a_true_class_outside_the_range(float64):
    """All outputs 0: ln 10 and no slope at all, for ever; a true class above 1: no slope to it."""
    slope = jax.jit(jax.grad(lambda z: clipped_probability_cross_entropy(z[None], jnp.array([0]))[0]))
    assert not np.asarray(slope(-np.ones(10))).any()
    above = np.asarray(slope(np.array([2.0, 0.5] + [0.25] * 8)))
    assert above[0] == 0 and (above[1:] > 0).all()


def test_softmax_and_the_formula_that_a05_prints():
    """With e^(z_i) in the sum, as printed, every share is 1 / C."""
    scores = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(softmax(scores), [[0.0900306, 0.2447285, 0.6652410]], atol=1e-7)
    for score in scores[0]:
        np.testing.assert_allclose(softmax(np.full((1, 3), score)), 1 / 3, atol=1e-15)


def test_relu_variant_of_a05_is_the_faulty_one():
    variant = get_config('cnn_cifar10').variants['relu_output']
    assert variant['model.output_activation'] == 'relu' and variant['task.loss'] == 'clipped_probabilities'
    assert get_config('cnn_cifar10').task.get('loss', 'cross_entropy') == 'cross_entropy'
