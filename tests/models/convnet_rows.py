"""The convolutional networks of the specs: arguments, image, parameters of each layer, maps after each block."""

import functools

import jax
import jax.numpy as jnp

from jaxlab.models.convnet import ConvNet

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
    'B06b': (
        {'filters': (32, 64), 'hidden': (128,), 'batch_norm': 'before'},
        (32, 32, 3),
        (896, 64, 18_496, 128, 524_416, 256, 1_290),
        ((16, 32), (8, 64)),
    ),
    'B07': ({'classes': 2, 'filters': (32,)}, (128, 128, 3), (896, 262_146), ((64, 32),)),
    'B09': ({'filters': (16, 32), 'hidden': (128,)}, (28, 28, 1), (160, 4_640, 200_832, 1_290), ((14, 16), (7, 32))),
    'B10a': (
        {'filters': (32, 64, 128), 'hidden': (512,), 'dropout': 0.3},
        (32, 32, 3),
        (896, 18_496, 73_856, 1_049_088, 5_130),
        ((16, 32), (8, 64), (4, 128)),
    ),
    'B11': (
        {'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (120, 84)},
        (32, 32, 3),
        (456, 2_416, 48_120, 10_164, 850),
        ((14, 6), (5, 16)),
    ),
    'A05 listing': (
        {**A05, 'pool_after': (1,)},
        (32, 32, 3),
        (896, 18_496, 36_928, 495_680, 650),
        ((15, 32), (13, 64), (11, 64)),
    ),
    'A05 two pools': (
        {**A05, 'pool_after': (1, 2)},
        (32, 32, 3),
        (896, 18_496, 36_928, 65_600, 650),
        ((15, 32), (6, 64), (4, 64)),
    ),
    'A05 text': (A05, (32, 32, 3), (896, 18_496, 36_928, 16_448, 650), ((15, 32), (6, 64), (2, 64))),
    'D1': (
        {
            'classes': 2,
            'filters': (32, 64, 128),
            'padding': 'valid',
            'hidden': (512,),
            'outputs': 'sigmoid',
            'init_scheme': 'keras',
        },
        (150, 150, 3),
        (896, 18_496, 73_856, 18_940_416, 513),
        ((74, 32), (36, 64), (17, 128)),
    ),
    'C04': (
        {**CAT_DOG, 'filters': (40, 72, 144, 220, 280), 'outputs': 'sigmoid'},
        (256, 256, 3),
        (1_120, 80, 25_992, 144, 93_456, 288, 285_340, 440, 554_680, 560, 26_976, 97),
        ((128, 40), (64, 72), (32, 144), (16, 220), (8, 280)),
    ),
    'C35': (
        {**CAT_DOG, 'filters': (40, 128, 144, 220, 280)},
        (128, 128, 3),
        (1_120, 80, 46_208, 256, 166_032, 288, 285_340, 440, 554_680, 560, 26_976, 194),
        ((64, 40), (32, 128), (16, 144), (8, 220), (4, 280)),
    ),
}
TOTALS = {
    'B04': 545_098,
    'B06b': 545_546,
    'B07': 263_042,
    'B09': 206_922,
    'B10a': 1_147_466,
    'B11': 62_006,
    'A05 listing': 552_650,
    'A05 two pools': 122_570,
    'A05 text': 73_418,
    'D1': 19_034_177,
    'C04': 989_173,
    'C35': 1_082_174,
}
STATISTICS = {'B06b': 448, 'C04': 1_512, 'C35': 1_624}


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def in_order(params):
    """Layers as they follow each other: `conv_2` before `conv_10`, a layer before its norm."""
    number = lambda name: [int(part) if part.isdigit() else part for part in name.split('_')]
    return {name: params[name] for name in sorted(params, key=number)}


def built(row) -> ConvNet:
    return ConvNet(**{'classes': 10, **ROWS[row][0]})


@functools.cache  # several tests ask the same network, and to trace a large one takes a second
def shapes_of(module, image):
    """Shapes of the variables for images [H, W, C]; nothing is computed."""
    return jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, *image)), train=False))
