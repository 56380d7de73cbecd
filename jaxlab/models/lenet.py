"""LeNet-5 as E2 uses it (ReLU, max pooling, full connections), written in four styles that must agree.

The source writes the same small network layer by layer and as a sequence, in two frameworks. Here the counterparts are
a module with `setup` (`LeNet`, the one that is trained), a compact module, a `Sequential` container and a pure function
of a parameter dict. Parameters: 61,706 for 28x28 images; 82,826 for the source's faulty Keras variant (32x32 images and
still SAME padding in the first convolution).
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.layers import Conv, Dense, batch_last_pays, max_pool, swap_batch_and_channels
from jaxlab.models.arrays import Images, Logits, Weight

CONV = (6, 16)  # channels of the two 5x5 convolutions
DENSE = (120, 84)  # widths of the two hidden dense layers


def _pool(images: Array) -> Array:
    return max_pool(images, (2, 2), (2, 2))


class LeNet(nn.Module):
    """Layer by layer. images: [N, H, W, C] float32 -> logits [N, classes].

    `init_scheme` names the framework whose initial distribution is used ('torch': U(+-1/sqrt(fan_in)) for kernels and biases,
    as in the trained run of E2; 'keras': Glorot uniform kernels, zero biases).
    """

    classes: int = 10
    init_scheme: str = 'torch'
    dtype: Any = None

    def setup(self) -> None:
        common: dict[str, Any] = {'init_scheme': self.init_scheme, 'dtype': self.dtype}
        # With so few channels the batch is best innermost on a CPU: every slice is contiguous.
        layout = 'CHWN' if batch_last_pays() else 'NHWC'
        self.conv1 = Conv(CONV[0], (5, 5), padding='SAME', layout=layout, **common)
        self.conv2 = Conv(CONV[1], (5, 5), padding='VALID', layout=layout, **common)
        self.dense1 = Dense(DENSE[0], **common)
        self.dense2 = Dense(DENSE[1], **common)
        self.dense3 = Dense(self.classes, **common)

    def embed(self, images: Images) -> Float[Array, 'n 84']:
        """The last hidden layer: the feature space in which generated digits are compared with real ones."""
        swapped = swap_batch_and_channels if self.conv1.layout == 'CHWN' else lambda x: x
        x = _pool(nn.relu(self.conv1(swapped(images))))
        x = swapped(_pool(nn.relu(self.conv2(x))))
        x = nn.relu(self.dense1(x.reshape(x.shape[0], -1)))
        return nn.relu(self.dense2(x))

    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Logits:
        return self.dense3(self.embed(images)).astype(jnp.float32)


class CompactLeNet(nn.Module):
    """The same network, its layers made where they are used."""

    classes: int = 10
    init_scheme: str = 'torch'

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Logits:
        x = _pool(nn.relu(Conv(CONV[0], (5, 5), padding='SAME', init_scheme=self.init_scheme, name='conv1')(images)))
        x = _pool(nn.relu(Conv(CONV[1], (5, 5), padding='VALID', init_scheme=self.init_scheme, name='conv2')(x)))
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(Dense(DENSE[0], init_scheme=self.init_scheme, name='dense1')(x))
        x = nn.relu(Dense(DENSE[1], init_scheme=self.init_scheme, name='dense2')(x))
        return Dense(self.classes, init_scheme=self.init_scheme, name='dense3')(x)


def sequential_lenet(classes: int = 10, init_scheme: str = 'torch') -> nn.Sequential:
    """The same network as a list of layers; its parameters are named `layers_0`, `layers_3`, ... by their place."""
    return nn.Sequential(
        [
            Conv(CONV[0], (5, 5), padding='SAME', init_scheme=init_scheme),
            nn.relu,
            _pool,
            Conv(CONV[1], (5, 5), padding='VALID', init_scheme=init_scheme),
            nn.relu,
            _pool,
            lambda x: x.reshape(x.shape[0], -1),
            Dense(DENSE[0], init_scheme=init_scheme),
            nn.relu,
            Dense(DENSE[1], init_scheme=init_scheme),
            nn.relu,
            Dense(classes, init_scheme=init_scheme),
        ]
    )


SEQUENTIAL_NAMES = {
    'conv1': 'layers_0',
    'conv2': 'layers_3',
    'dense1': 'layers_7',
    'dense2': 'layers_9',
    'dense3': 'layers_11',
}


def lenet_function(params: Mapping[str, Mapping[str, Array]], images: Images) -> Logits:
    """The same network as a pure function of a parameter dict, with JAX's own operations only."""

    def conv(name: str, x: Array, padding: str) -> Array:
        dims = ('NHWC', 'HWIO', 'NHWC')
        y = jax.lax.conv_general_dilated(x, params[name]['kernel'], (1, 1), padding, dimension_numbers=dims)
        y = jax.nn.relu(y + params[name]['bias'])
        return jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID')

    x = conv('conv2', conv('conv1', images, 'SAME'), 'VALID').reshape(images.shape[0], -1)
    for name in ('dense1', 'dense2'):
        x = jax.nn.relu(x @ params[name]['kernel'] + params[name]['bias'])
    return x @ params['dense3']['kernel'] + params['dense3']['bias']
