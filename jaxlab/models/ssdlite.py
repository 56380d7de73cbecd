"""SSDlite (Liu et al. 2015, arXiv 1512.02325; its light form: Sandler et al. 2018): boxes and classes in one pass.

Six maps, from 20x20 to 1x1 cells at 320 pixels; at each cell each of six default boxes (`jaxlab/measures/boxes.py`) gets a
score a class and four offsets. As torchvision builds it on MobileNetV3-Large (B12): 3,440,060 parameters with COCO's 91
classes, 2,469,860 with VOC's 21; class 0 is the background.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError
from jaxlab.layers import Conv, initializers
from jaxlab.models.arrays import Images, Weight
from jaxlab.models.mobile import Style, Unit, body_of, maps

BOXES = 6  # a cell

_START = initializers.normal(0.03)


class Extra(nn.Module):
    """A map half as large: 1x1 to half the width, depthwise 3x3 at stride 2, 1x1 to full width; ReLU6 after each."""

    style: Style
    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool, weight: Weight = None) -> Float[Array, 'N P Q D']:
        unit = {'style': self.style, 'shape': 'relu6', 'dtype': self.dtype}
        x = Unit(features=self.features // 2, name='reduce', **unit)(x, train, weight)
        x = Unit(features=0, size=3, stride=2, name='depthwise', **unit)(x, train, weight)
        return Unit(features=self.features, name='widen', **unit)(x, train, weight)


class Head(nn.Module):
    """Values of each box of each cell: [N, H, W, C] -> [N, H * W * BOXES, values]. Depthwise 3x3, then 1x1 with bias."""

    style: Style
    values: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool, weight: Weight = None) -> Float[Array, 'N A V']:
        x = Unit(self.style, 0, 3, shape='relu6', dtype=self.dtype, name='depthwise')(x, train, weight)
        x = Conv(BOXES * self.values, 1, kernel_init=_START, dtype=self.dtype, name='pointwise')(x)
        return x.reshape(x.shape[0], -1, self.values).astype(jnp.float32)


class SSDLite(nn.Module):
    """Images [N, H, W, 3] -> (logits [N, A, classes + 1], class 0 the background; offsets [N, A, 4]), A default boxes.

    A runs over maps, rows, columns, and a cell's six boxes. Offsets are those of `jaxlab/measures/boxes.py`.

    Args:
      classes: of objects, without the background.
      body: one of `jaxlab.models.mobile.BODIES`. The maps are the widened one of its last block that halves the image,
        its top, and those behind it.
      extra: widths of the maps behind the body, each half as large as the one before.
      fine: how many finer maps of the body stand before these, each twice as large (1: an eighth of the image): objects
        that are smaller than a tenth of the image need them, and smaller default boxes.
      momentum: of all running statistics; None: what the body was published with. Keras's 0.999 has moved by a third after
        400 updates: a short training is then evaluated with the statistics of other images.
    """

    classes: int
    body: str = 'mobilenet_v3_large_reduced'
    width: float = 1.0
    extra: tuple[int, ...] = (512, 256, 256, 128)
    fine: int = 0
    momentum: float | None = None
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x: Images, train: bool = False, weight: Weight = None
    ) -> tuple[Float[Array, 'N A K'], Float[Array, 'N A 4']]:
        if self.classes < 1:
            raise UserError(f'config.model.classes = {self.classes}; valid: 1 and more, without the background')
        body = body_of(self.body, self.width)
        if self.momentum is not None:
            body = body._replace(style=body.style._replace(momentum=self.momentum))
        style = body.style._replace(kernel_init=_START)  # of what stands behind the body
        x, widened = maps(x, body, train, weight, self.dtype)
        if not 0 <= self.fine < len(widened):
            raise UserError(f'config.model.fine = {self.fine}; valid: 0 to {len(widened) - 1} for this body')
        found = [*widened[-1 - self.fine :], x]
        for number, features in enumerate(self.extra, 1):
            found.append(Extra(style, features, self.dtype, name=f'extra_{number}')(found[-1], train, weight))
        logits, offsets = [], []
        for number, one in enumerate(found, 1):
            logits.append(Head(style, self.classes + 1, self.dtype, name=f'classes_{number}')(one, train, weight))
            offsets.append(Head(style, 4, self.dtype, name=f'offsets_{number}')(one, train, weight))
        return jnp.concatenate(logits, axis=1), jnp.concatenate(offsets, axis=1)


def cells(size: tuple[int, int], extra: int = 4, fine: int = 0) -> list[tuple[int, int]]:
    """Rows and columns of the maps for images of (height, width): a sixteenth, a thirty-second, then `extra` more halves;
    before them `fine` that are each twice as large."""
    found, (rows, columns) = [], size
    for times in range(1, 6 + extra):
        rows, columns = -(-rows // 2), -(-columns // 2)
        found += [(rows, columns)] if times > 3 - fine else []
    return found
