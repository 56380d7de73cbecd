"""U-Nets (Ronneberger et al. 2015, arXiv 1505.04597): a mask from an image, by maps that go down and up again.

Coming up, each map meets the one of its size from the way down (`skip`), so that edges stay where they are. Both nets
return one value a pixel and output, before any sigmoid or softmax.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.errors import UserError, closest
from jaxlab.layers import BatchNorm, Conv, ConvTranspose, initializers, max_pool
from jaxlab.models import mobile, resnet
from jaxlab.models.arrays import Images, Weight

REDUCTION = 32  # how much smaller the encoder's last map is


class Encoder(nn.Module):
    """A network without head: images -> its maps, each half as large as the one before. Names as in `ResNet`, `MobileNet`.

    Of a mobile body the widened map of each block that halves the image and the last one, as in TensorFlow's tutorial on
    segmentation: between blocks its maps are narrow and carry little.
    """

    depth: int = 34
    width: int = 64
    body: str = ''
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool, weight: Weight = None) -> list[Array]:
        if not self.body:
            return resnet.maps(x, (train, weight, self.dtype), self.depth, width=self.width)
        last, widened = mobile.maps(x, mobile.body_of(self.body), train, weight, self.dtype)
        return [*widened, last]


class Decoder(nn.Module):
    """Nearest neighbours make the map twice as large, the skip is joined behind it, two 3x3 convolutions follow.

    Each has no bias, batch norm (epsilon 1e-5, keeping 0.9) and ReLU; He uniform start.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, skip: Array | None, train: bool, weight: Weight = None) -> Float[Array, 'N P Q D']:
        x = x.repeat(2, axis=1).repeat(2, axis=2)
        x = x if skip is None else jnp.concatenate([x, skip], axis=-1)
        for name in ('conv_1', 'conv_2'):
            start = initializers.he_uniform()
            x = Conv(self.features, 3, use_bias=False, kernel_init=start, dtype=self.dtype, name=name)(x)
            norm = BatchNorm(0.9, 1e-5, unbiased_variance=True, dtype=self.dtype, name=f'{name}_norm')
            x = nn.relu(norm(x, train, weight))
        return x


class UNet(nn.Module):
    """Images [N, H, W, 3] -> [N, H, W, outputs], with a ResNet on the way down (B19: depth 34, 24,436,369 parameters).

    Sizes that 32 does not divide are padded by the edge pixels and cut back. Five steps up, 4 `width` channels behind the
    first and half as many behind each next. The head is a 3x3 convolution with bias, Glorot uniform.

    Args:
      depth: of the ResNet, whose stem has `width` channels.
      skip: whether maps of the way down are joined on the way up.
      body: one of `jaxlab.models.mobile.BODIES` on the way down, in the place of the ResNet.
    """

    outputs: int = 1
    depth: int = 34
    width: int = 64
    skip: bool = True
    body: str = ''
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool = False, weight: Weight = None) -> Float[Array, 'N H W outputs']:
        x, cut = padded(x, REDUCTION)
        *skips, x = Encoder(self.depth, self.width, self.body, self.dtype, name='encoder')(x, train, weight)
        for number in range(5):
            features = 4 * self.width // 2**number
            beside = self.skip and skips and skips[-1].shape[1] == 2 * x.shape[1]
            skip = skips.pop() if beside else None
            x = Decoder(features, dtype=self.dtype, name=f'decoder_{number + 1}')(x, skip, train, weight)
        x = Conv(self.outputs, 3, kernel_init=initializers.glorot_uniform(), dtype=self.dtype, name='head')(x)
        return x[:, *cut].astype(jnp.float32)


def padded(x: Images, multiple: int) -> tuple[Float[Array, 'N P Q C'], tuple[slice, slice]]:
    """x with edge pixels around, half on each side, so that `multiple` divides both sides; and where x lies in it."""
    missing = [-size % multiple for size in x.shape[1:3]]
    around = [(lack // 2, lack - lack // 2) for lack in missing]
    where = tuple(slice(low, low + size) for (low, _), size in zip(around, x.shape[1:3], strict=True))
    return (jnp.pad(x, [(0, 0), *around, (0, 0)], mode='edge') if any(missing) else x), (where[0], where[1])


class OriginalUNet(nn.Module):
    """The U-Net of 2015: images [N, H, W, C] -> [N, P, Q, outputs]; 31,030,593 parameters for 1 channel, 1 output.

    Four times down: two 3x3 convolutions with bias and ReLU, 2x2 maximum, twice the channels (64 to 1,024). Four times up:
    a 2x2 transposed convolution at stride 2, the skip joined before it, two convolutions. Kernels start at N(0, 2 / fan_in).

    levels: how many times down; 4 as published.
    padding: 'valid' as published (572 pixels in, the inner 388 out, skips cut), or 'same' (all of them out; 16 must divide the
    sides, other images are padded by edge pixels and cut back). batch_norm: one after each convolution.
    """

    outputs: int = 1
    width: int = 64
    levels: int = 4
    padding: str = 'same'
    batch_norm: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool = False, weight: Weight = None) -> Float[Array, 'N P Q outputs']:
        self._check((x.shape[1], x.shape[2]))
        x, cut = padded(x, 2**self.levels) if self.padding == 'same' else (x, (slice(None), slice(None)))
        skips = []
        for depth in range(self.levels + 1):
            x = self._twice(x, self.width * 2**depth, f'down_{depth + 1}', train, weight)
            if depth < self.levels:
                skips.append(x)
                x = max_pool(x, 2)
        for depth, skip in enumerate(reversed(skips)):
            features, name = self.width * 2 ** (self.levels - 1 - depth), f'up_{depth + 1}'
            start = initializers.he_normal()
            up = ConvTranspose(
                features, 2, 2, transpose_kernel=True, kernel_init=start, bias_init=initializers.zeros, name=name
            )
            x = up(x)
            x = jnp.concatenate([_centre(skip, (x.shape[1], x.shape[2])), x], axis=-1)
            x = self._twice(x, features, name, train, weight)
        x = Conv(self.outputs, 1, kernel_init=initializers.he_normal(), dtype=self.dtype, name='head')(x)
        return x[:, *cut].astype(jnp.float32)

    def _twice(self, x: Array, features: int, name: str, train: bool, weight: Weight) -> Array:
        for number in (1, 2):
            layer, start = f'{name}_conv_{number}', initializers.he_normal()
            conv = Conv(features, 3, padding=self.padding.upper(), kernel_init=start, dtype=self.dtype, name=layer)
            x = conv(x)
            if self.batch_norm:
                norm = BatchNorm(0.9, 1e-5, unbiased_variance=True, dtype=self.dtype, name=f'{layer}_norm')
                x = norm(x, train, weight)
            x = nn.relu(x)
        return x

    def _check(self, size: tuple[int, int]) -> None:
        if self.padding not in ('same', 'valid'):
            raise UserError(
                f'unknown config.model.padding {self.padding!r}; {closest(self.padding, ("same", "valid"))}'
            )
        if self.levels < 1 or (self.padding == 'valid' and self.levels != 4):
            raise UserError(
                f'config.model.levels = {self.levels}; valid: 1 and more, and 4 with config.model.padding=valid'
            )
        if self.padding == 'valid' and any(side < 188 or (side - 188) % 16 for side in size):
            raise UserError(
                f'images of {size[0]}x{size[1]} pixels with config.model.padding=valid; valid: 188 and 16 more as often as '
                'you like, such as 572'
            )


def _centre(x: Array, size: tuple[int, int]) -> Array:
    """The middle of x [N, H, W, C], `size` large."""
    (top, left) = ((whole - part) // 2 for whole, part in zip(x.shape[1:3], size, strict=True))
    return x[:, top : top + size[0], left : left + size[1]]
