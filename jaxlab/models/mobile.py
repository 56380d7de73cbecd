"""Networks of inverted residuals: MobileNetV2, MobileNetV3-Large, EfficientNet-Lite0.

An inverted residual (Sandler et al. 2018, arXiv 1801.04381) widens by a 1x1 convolution, filters each channel by itself (a
depthwise convolution), perhaps weighs the channels (squeeze and excitation), and narrows by a 1x1 convolution without
activation; where shape allows, its input is added. Depthwise and 1x1 cost 1 / D + 1 / k^2 of the full convolution.

| body | source | parameters without head | with 1000 classes |
|---|---|---|---|
| `mobilenet_v2_keras` | 1801.04381 as Keras builds it (D1.2) | 2,223,872 (with statistics 2,257,984) | 3,504,872 |
| `mobilenet_v2` | the same as torchvision builds it: other padding, epsilon, momentum, start | 2,223,872 | 3,504,872 |
| `efficientnet_lite0` | Tan and Le 2019, 1905.11946; "Lite": ReLU6, no squeeze, fixed stem and top | 3,371,008 | 4,652,008 |
| `mobilenet_v3_large_reduced` | Howard et al. 2019, arXiv 1905.02244, last stage halved: SSDlite's (B12) | 1,620,512 | – |

"Same" padding puts the odd row after an even image (0 before, 1 after, for 3x3 at stride 2), PyTorch's centred padding one row
on both sides: shapes agree, values do not. EfficientNet-Lite0's published code pads for 224 pixels; so does `same` for
every multiple of 32.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError, lookup
from jaxlab.layers import BatchNorm, Conv, Dense, Dropout, initializers
from jaxlab.layers.activations import activation, hard_sigmoid
from jaxlab.models.arrays import Images, Logits, Weight


class Style(NamedTuple):
    """How a framework pads, normalises and starts. centred: (k - 1) // 2 on both sides; else 'SAME'."""

    centred: bool
    momentum: float
    epsilon: float
    unbiased_variance: bool
    kernel_init: initializers.Initializer
    dense_init: initializers.Initializer


KERAS = Style(False, 0.999, 1e-3, False, initializers.glorot_uniform(), initializers.glorot_uniform())
TORCHVISION = Style(True, 0.9, 1e-5, True, initializers.he_normal_fan_out(), initializers.normal(0.01))
LITE = Style(False, 0.99, 1e-3, True, initializers.he_normal_fan_out(), initializers.normal(0.01))
SSDLITE = TORCHVISION._replace(momentum=0.97, epsilon=1e-3)


class Unit(nn.Module):
    """A convolution without bias, its batch norm, an activation: [N, H, W, C] -> [N, H / stride, W / stride, D].

    features: D; 0 for a depthwise convolution, whose D is C. shape: the activation's name, 'linear' for none.
    """

    style: Style
    features: int
    size: int = 1
    stride: int = 1
    shape: str = 'linear'
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool, weight: Weight = None) -> Float[Array, 'N P Q D']:
        style, channels = self.style, x.shape[-1]
        x = Conv(
            self.features or channels,
            (self.size, self.size),
            (self.stride, self.stride),
            [((self.size - 1) // 2,) * 2] * 2 if style.centred else 'SAME',
            feature_group_count=1 if self.features else channels,
            use_bias=False,
            kernel_init=style.kernel_init,
            dtype=self.dtype,
            name='conv',
        )(x)
        norm = BatchNorm(style.momentum, style.epsilon, style.unbiased_variance, dtype=self.dtype, name='norm')
        return activation(self.shape).function(norm(x, train, weight))


class SqueezeExcitation(nn.Module):
    """Channels weighed by what the whole map says: mean, 1x1 to `waist`, ReLU, 1x1 back, hard sigmoid. arXiv 1709.01507."""

    waist: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images) -> Images:
        start = {'kernel_init': initializers.he_normal_fan_out(), 'dtype': self.dtype}
        y = nn.relu(Conv(self.waist, 1, name='reduce', **start)(x.mean((1, 2), keepdims=True)))
        return x * hard_sigmoid(Conv(x.shape[-1], 1, name='widen', **start)(y))


class Row(NamedTuple):
    """One inverted residual. expanded: its inner width."""

    size: int
    expanded: int
    features: int
    stride: int = 1
    squeeze: bool = False
    shape: str = 'relu6'


class InvertedResidual(nn.Module):
    """[N, H, W, C] -> ([N, H / stride, W / stride, D], the widened map [N, H, W, expanded])."""

    style: Style
    row: Row
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool, weight: Weight = None) -> tuple[Array, Array]:
        row, unit = self.row, {'style': self.style, 'dtype': self.dtype}
        wide = x
        if row.expanded != x.shape[-1]:
            wide = Unit(features=row.expanded, shape=row.shape, name='expand', **unit)(x, train, weight)
        y = Unit(features=0, size=row.size, stride=row.stride, shape=row.shape, name='depthwise', **unit)(
            wide, train, weight
        )
        if row.squeeze:
            y = SqueezeExcitation(divisible(row.expanded / 4), dtype=self.dtype, name='squeeze')(y)
        y = Unit(features=row.features, name='project', **unit)(y, train, weight)
        return (x + y if x.shape == y.shape else y), wide


class Body(NamedTuple):
    """A network up to its last map. stem: width and activation of the 3x3 at stride 2; top: of the last 1x1.

    dropout: before the classifier.
    """

    style: Style
    stem: tuple[int, str]
    rows: tuple[Row, ...]
    top: tuple[int, str]
    dropout: float = 0.2


def divisible(width: float, by: int = 8) -> int:
    """The nearest multiple of 8, never less than 0.9 of the width."""
    near = max(by, int(width + by / 2) // by * by)
    return near + by if near < 0.9 * width else near


Stages = tuple[tuple[int, int, int, int, int], ...]  # kernel, expansion, features, repeats, stride of the first

V2: Stages = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (3, 6, 32, 3, 2),
    (3, 6, 64, 4, 2),
    (3, 6, 96, 3, 1),
    (3, 6, 160, 3, 2),
    (3, 6, 320, 1, 1),
)
LITE0: Stages = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
V3_REDUCED = (
    Row(3, 16, 16, shape='relu'),
    Row(3, 64, 24, 2, shape='relu'),
    Row(3, 72, 24, shape='relu'),
    Row(5, 72, 40, 2, True, 'relu'),
    Row(5, 120, 40, 1, True, 'relu'),
    Row(5, 120, 40, 1, True, 'relu'),
    Row(3, 240, 80, 2, shape='hard_swish'),
    Row(3, 200, 80, shape='hard_swish'),
    Row(3, 184, 80, shape='hard_swish'),
    Row(3, 184, 80, shape='hard_swish'),
    Row(3, 480, 112, 1, True, 'hard_swish'),
    Row(3, 672, 112, 1, True, 'hard_swish'),
    Row(5, 672, 80, 2, True, 'hard_swish'),
    Row(5, 480, 80, 1, True, 'hard_swish'),
    Row(5, 480, 80, 1, True, 'hard_swish'),
)
TINY = (Row(3, 8, 12, 4), Row(3, 36, 16, 2), Row(3, 64, 24, 2))  # for trying things out in seconds


def stages(first: int, table: Stages, width: float = 1.0) -> tuple[Row, ...]:
    """The rows of a table; `first`: width of the stem."""
    rows, channels = [], first
    for size, expansion, features, repeats, stride in table:
        for k in range(repeats):
            rows.append(Row(size, expansion * channels, divisible(features * width), 1 if k else stride))
            channels = rows[-1].features
    return tuple(rows)


def _v2(style: Style, width: float) -> Body:
    stem = divisible(32 * width)
    return Body(style, (stem, 'relu6'), stages(stem, V2, width), (divisible(1280 * max(1.0, width)), 'relu6'))


BODIES = {  # name -> the body for a width
    'mobilenet_v2_keras': lambda width: _v2(KERAS, width),
    'mobilenet_v2': lambda width: _v2(TORCHVISION, width),
    'efficientnet_lite0': lambda width: Body(LITE, (32, 'relu6'), stages(32, LITE0), (1280, 'relu6')),
    'tiny': lambda width: Body(SSDLITE, (8, 'relu6'), TINY, (48, 'relu6'), 0.0),
    'mobilenet_v3_large_reduced': lambda width: Body(SSDLITE, (16, 'hard_swish'), V3_REDUCED, (480, 'hard_swish')),
}
WIDENED = ('mobilenet_v2_keras', 'mobilenet_v2')


def body_of(name: str, width: float = 1.0) -> Body:
    """The body of that name; `width` multiplies all channels of MobileNetV2."""
    body = lookup(BODIES, name, 'config.model.body')
    if width != 1 and name not in WIDENED:
        raise UserError(f'config.model.width = {width} for {name}; valid: 1, or one of the bodies {", ".join(WIDENED)}')
    return body(width)


def maps(x: Images, body: Body, train: bool, weight: Weight, dtype: Any) -> tuple[Float[Array, 'N P Q D'], list[Array]]:
    """Within a module: (the last map, the widened map of every block that halves the image)."""
    features, shape = body.stem
    x = Unit(body.style, features, 3, 2, shape, dtype, name='stem')(x, train, weight)
    widened = []
    for number, row in enumerate(body.rows, 1):
        x, wide = InvertedResidual(body.style, row, dtype, name=f'block_{number}')(x, train, weight)
        widened += [wide] if row.stride > 1 else []
    features, shape = body.top
    return Unit(body.style, features, shape=shape, dtype=dtype, name='top')(x, train, weight), widened


class MobileNet(nn.Module):
    """Images [N, H, W, 3] -> logits [N, classes], or with `classes=0` features [N, D], the mean of the last map.

    Args:
      body: one of BODIES. width: multiplies the channels of MobileNetV2.
      hidden: widths of dense layers with ReLU between features and logits (D1.2: (128,)).
      dropout: before each dense layer; None: what the body was published with.
      outputs: 'softmax', one unit a class; or 'sigmoid', one unit z for two classes, returned as logits (0, z).
    """

    classes: int
    body: str = 'efficientnet_lite0'
    width: float = 1.0
    hidden: tuple[int, ...] = ()
    dropout: float | None = None
    outputs: str = 'softmax'
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool = False, weight: Weight = None) -> Logits:
        if self.outputs not in ('softmax', 'sigmoid') or (self.outputs == 'sigmoid' and self.classes != 2):
            raise UserError(
                f'config.model.outputs={self.outputs!r} for {self.classes} classes; valid: softmax, or sigmoid for 2'
            )
        body = body_of(self.body, self.width)
        x = maps(x, body, train, weight, self.dtype)[0].mean((1, 2))
        if not self.classes:
            return x.astype(jnp.float32)
        dropout, start = body.dropout if self.dropout is None else self.dropout, body.style.dense_init
        for number, features in enumerate(self.hidden, 1):
            x = Dropout(dropout)(x, train)
            x = nn.relu(Dense(features, dtype=self.dtype, kernel_init=start, name=f'dense_{number}')(x))
        x = Dropout(dropout)(x, train)
        units = 1 if self.outputs == 'sigmoid' else self.classes
        logits = Dense(units, dtype=self.dtype, kernel_init=start, name='head')(x).astype(jnp.float32)
        return logits if units > 1 else jnp.concatenate([jnp.zeros_like(logits), logits], axis=-1)
