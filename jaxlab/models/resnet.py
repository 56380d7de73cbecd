"""Residual networks, version 1 (He et al. 2015, arXiv 1512.03385), as torchvision builds and starts them.

A block computes `relu(x' + F(x))`, where F is two 3x3 convolutions (`basic`) or 1x1, 3x3, 1x1 with a waist a quarter
as wide (`bottleneck`, its stride on the 3x3), and x' is x or its projection by a strided 1x1 convolution. Convolutions
have no bias; each is followed by BatchNorm (epsilon 1e-5, keeping 0.9 of its running statistics, which use n / (n - 1)).
Kernels start at N(0, 2 / fan_out), the last layer at U(+-1/sqrt(512)).

| depth | blocks | parameters, ImageNet stem, 1000 classes |
|---|---|---|
| 18 | basic 2, 2, 2, 2 | 11,689,512 (2 classes: 11,177,538, E3a; 10 classes: 11,181,642, B10c) |
| 34 | basic 3, 4, 6, 3 | 21,797,672 |
| 50 | bottleneck 3, 4, 6, 3 | 25,557,032 |
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError, closest
from jaxlab.layers import BatchNorm, Conv, Dense, initializers, max_pool
from jaxlab.models.arrays import Images, Logits, Weight

DEPTHS = {18: ('basic', (2, 2, 2, 2)), 34: ('basic', (3, 4, 6, 3)), 50: ('bottleneck', (3, 4, 6, 3))}
STEMS = ('imagenet', 'cifar')


class _Residual(nn.Module):
    """What stem and blocks share: a convolution with its batch norm."""

    train: bool
    weight: Any
    dtype: Any

    def conv(self, x: Array, features: int, size: int, stride: int, name: str) -> Array:
        """Convolution `name`, padded as PyTorch does (size // 2 on both sides), then its norm `name`_norm."""
        around = [(size // 2, size // 2)] * 2
        start = initializers.he_normal_fan_out()
        y = Conv(
            features,
            (size, size),
            (stride, stride),
            around,
            use_bias=False,
            kernel_init=start,
            dtype=self.dtype,
            name=name,
        )(x)
        norm = BatchNorm(momentum=0.9, epsilon=1e-5, unbiased_variance=True, dtype=self.dtype, name=f'{name}_norm')
        return norm(y, self.train, self.weight)


class Block(_Residual):
    """One residual block, `basic` or `bottleneck`; [N, H, W, C] -> [N, H / stride, W / stride, features (x 4)]."""

    kind: str
    features: int
    stride: int
    skip: bool = True

    @nn.compact
    def __call__(self, x: Images) -> Float[Array, 'N P Q D']:
        if self.kind == 'basic':
            y = nn.relu(self.conv(x, self.features, 3, self.stride, 'conv_1'))
            y = self.conv(y, self.features, 3, 1, 'conv_2')
        else:
            y = nn.relu(self.conv(x, self.features, 1, 1, 'conv_1'))
            y = nn.relu(self.conv(y, self.features, 3, self.stride, 'conv_2'))
            y = self.conv(y, 4 * self.features, 1, 1, 'conv_3')
        if not self.skip:
            return nn.relu(y)
        if x.shape != y.shape:
            x = self.conv(x, y.shape[-1], 1, self.stride, 'projection')
        return nn.relu(x + y)


class Stem(_Residual):
    """The entry: a 7x7 convolution at stride 2 (`imagenet`), or a 3x3 one (`cifar`)."""

    kind: str
    features: int

    @nn.compact
    def __call__(self, x: Images) -> Float[Array, 'N P Q D']:
        if self.kind == 'cifar':
            return nn.relu(self.conv(x, self.features, 3, 1, 'conv'))
        return nn.relu(self.conv(x, self.features, 7, 2, 'conv'))


def maps(
    x: Images,
    shared: tuple[bool, Array | None, Any],
    depth: int = 18,
    stem: str = 'imagenet',
    width: int = 64,
    skip: bool = True,
) -> list[Array]:
    """Within a module: what the stem gives, and each of the four stages. shared: (train, weight, dtype).

    Between stem and first stage of 'imagenet' stands a 3x3 maximum at stride 2.
    """
    if depth not in DEPTHS:
        raise UserError(f'model.depth: {depth} is not one of {", ".join(map(str, DEPTHS))}')
    if stem not in STEMS:
        raise UserError(f'unknown model.stem {stem!r}; {closest(stem, STEMS)}')
    found = [Stem(*shared, kind=stem, features=width, name='stem')(x)]
    x = found[0] if stem == 'cifar' else max_pool(found[0], (3, 3), (2, 2), [(1, 1), (1, 1)])
    kind, blocks = DEPTHS[depth]
    for stage, count in enumerate(blocks):
        for k in range(count):
            stride = 2 if stage and not k else 1
            name = f'stage_{stage + 1}_block_{k + 1}'
            x = Block(*shared, kind=kind, features=width * 2**stage, stride=stride, skip=skip, name=name)(x)
        found.append(x)
    return found


class ResNet(nn.Module):
    """Images [N, H, W, C] -> logits [N, classes], or with `classes=0` features [N, D], the mean of the last map.

    Args:
      depth: 18, 34 or 50.
      stem: `'imagenet'`, or `'cifar'` for images of about 32 pixels (3x3 stride 1, no pooling).
      width: channels of the first stage; 64 as published.
      skip: whether x is added to F(x); without it the net is a plain stack of the same convolutions.
    """

    classes: int
    depth: int = 18
    stem: str = 'imagenet'
    width: int = 64
    skip: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool = False, weight: Weight = None) -> Logits:
        shared = (train, weight, self.dtype)
        x = maps(x, shared, self.depth, self.stem, self.width, self.skip)[-1].mean((1, 2))
        if not self.classes:
            return x.astype(jnp.float32)
        logits = Dense(self.classes, dtype=self.dtype, init_scheme='torch', name='head')(x)
        return logits.astype(jnp.float32)
