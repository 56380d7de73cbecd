"""Plain convolutional networks: convolutions with pooling, then a dense head. One module for every such net of the lab.

| experiment | filters, head | parameters |
|---|---|---|
| B04, B06a | 32, 64 pooled; dense 128 | 545,098 (B06b with batch norm 545,546) |
| B07 | 32 pooled; no hidden layer (128x128 pixels, 2 classes) | 263,042 |
| B09 | 16, 32 pooled; dense 128 (28x28x1) | 206,922 |
| B10a | 32, 64, 128 pooled; dense 512 | 1,147,466 |
| B11 | 6, 16 of 5x5 unpadded, pooled; dense 120, 84 | 62,006 |
| A05 | 32, 64, 64 unpadded; pooled once / twice / three times; dense 64 | 552,650 / 122,570 / 73,418 |
| D1 | 32, 64, 128 unpadded, pooled; dense 512; one sigmoid unit (150x150) | 19,034,177 |
| C04 | 40, 72, 144, 220, 280 with norm, average; dense 96; one sigmoid unit | 989,173 |
| C35 | 40, 128, 144, 220, 280 likewise; two classes | 1,082,174 |
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.errors import UserError, closest
from jaxlab.layers import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    adaptive_avg_pool,
    batch_last_pays,
    initializers,
    max_pool,
    swap_batch_and_channels,
)
from jaxlab.layers.activations import activation
from jaxlab.models.arrays import Images, Logits, Weight

STARTS = ('torch', 'keras', 'lecun', 'torchvision')
CHOICES = {
    'padding': ('same', 'valid'),
    'batch_norm': ('none', 'before', 'after'),
    'head': ('flatten', 'average'),
    'outputs': ('softmax', 'sigmoid'),
    'output_activation': ('none', 'relu'),
    'init_scheme': STARTS,
}
FEW = 32  # channels up to which the batch is best kept innermost on a CPU (measured)


class ConvNet(nn.Module):
    """Images [N, H, W, C] -> logits [N, classes].

    Args:
      filters: channels of each convolution; `kernel_size`, stride 1, `padding` 'same' or 'valid'.
      pool_after: numbers (from 1) of the convolutions that a 2x2 maximum follows; None: all.
      batch_norm: 'none', or before or after the activation of each convolution (and of each hidden dense layer when
        'before'); momentum and epsilon are those of the framework of `init_scheme`.
      head: 'flatten' (channels last), or 'average' over all places. grid: adaptive average to grid x grid before it
        (0: none), as VGG does.
      hidden: widths of the dense layers before the last, each with activation and `dropout`.
      outputs: 'softmax', one unit a class; or 'sigmoid', one unit z for two classes, returned as logits (0, z): the
        softmax of those is (1 - sigmoid(z), sigmoid(z)) and their cross-entropy the binary one.
      output_activation: 'relu' for the faulty listing of A05.
      init_scheme: 'torch', 'keras', 'lecun' (`jaxlab.layers.initializers`), or 'torchvision': kernels of convolutions
        N(0, 2 / fan_out), of dense layers N(0, 0.01^2), biases zero.

    What each layer gives can be seen in the collection 'intermediates': `conv_1`, `conv_1_active`, `pool_1`, `dense_1`...
    """

    classes: int
    filters: tuple[int, ...]
    kernel_size: int = 3
    padding: str = 'same'
    pool_after: tuple[int, ...] | None = None
    batch_norm: str = 'none'
    activation: str = 'relu'
    head: str = 'flatten'
    grid: int = 0
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    outputs: str = 'softmax'
    output_activation: str = 'none'
    init_scheme: str = 'torch'
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool = False, weight: Weight = None) -> Logits:
        self._check((x.shape[1], x.shape[2]))
        x = self._maps(x, train, weight)
        copies = 1
        if self.grid and x.shape[1:3] == (1, 1) and self.head == 'flatten':
            copies = self.grid**2  # all that the average to a grid does with one cell
        elif self.grid:
            x = adaptive_avg_pool(x, (self.grid, self.grid))
        x = x.mean((1, 2)) if self.head == 'average' else x.reshape(x.shape[0], -1)
        for number, width in enumerate(self.hidden, 1):
            x = self._dense(width, f'dense_{number}', copies)(x)
            copies = 1
            if self.batch_norm == 'before':
                x = self._norm(f'dense_{number}_norm')(x, train, weight)
            x = activation(self.activation).function(x)
            self.sow('intermediates', f'dense_{number}_active', x)
            x = Dropout(self.dropout)(x, train)
        units = 1 if self.outputs == 'sigmoid' else self.classes
        logits = self._dense(units, f'dense_{len(self.hidden) + 1}', copies)(x).astype(jnp.float32)
        if self.output_activation == 'relu':
            logits = nn.relu(logits)
        return logits if units > 1 else jnp.concatenate([jnp.zeros_like(logits), logits], axis=-1)

    def _maps(self, x: Array, train: bool, weight: Weight) -> Array:
        """The convolutional part, [N, H, W, D]."""
        layout = 'NHWC'
        for number, channels in enumerate(self.filters, 1):
            wanted = 'CHWN' if channels <= FEW and batch_last_pays() else 'NHWC'
            x, layout = (x if wanted == layout else swap_batch_and_channels(x)), wanted
            x = self._block(x, number, channels, layout, train, weight)
        return x if layout == 'NHWC' else swap_batch_and_channels(x)

    def _block(self, x: Array, number: int, channels: int, layout: str, train: bool, weight: Weight) -> Array:
        name, size = f'conv_{number}', (self.kernel_size, self.kernel_size)
        start = self._start(initializers.he_normal_fan_out())
        x = Conv(channels, size, padding=self.padding.upper(), layout=layout, dtype=self.dtype, name=name, **start)(x)
        self._show(name, x, layout)
        norm = self._norm(f'{name}_norm', 0 if layout == 'CHWN' else -1) if self.batch_norm != 'none' else None
        if norm is not None and self.batch_norm == 'before':
            x = norm(x, train, weight)
        x = activation(self.activation).function(x)
        self._show(f'{name}_active', x, layout)
        if norm is not None and self.batch_norm == 'after':
            x = norm(x, train, weight)
        if self.pool_after is None or number in self.pool_after:
            x = max_pool(x, 2)
            self._show(f'pool_{number}', x, layout)
        return x

    def _show(self, name: str, x: Array, layout: str) -> None:
        if self.is_mutable_collection('intermediates') and not self.is_initializing():
            self.sow('intermediates', f'{name}_map', x if layout == 'NHWC' else swap_batch_and_channels(x))

    def _norm(self, name: str, axis: int = -1) -> BatchNorm:
        if self.init_scheme == 'keras':
            return BatchNorm(momentum=0.99, epsilon=1e-3, dtype=self.dtype, axis=axis, name=name)
        return BatchNorm(momentum=0.9, epsilon=1e-5, unbiased_variance=True, dtype=self.dtype, axis=axis, name=name)

    def _dense(self, features: int, name: str, copies: int) -> Dense:
        return Dense(features, copies=copies, dtype=self.dtype, name=name, **self._start(initializers.normal(0.01)))

    def _start(self, torchvision: initializers.Initializer) -> dict[str, Any]:
        """How a layer starts, as its arguments; torchvision: the kernel's initializer under that scheme."""
        if self.init_scheme == 'torchvision':
            return {'kernel_init': torchvision, 'bias_init': initializers.zeros}
        return {'init_scheme': self.init_scheme}

    def _check(self, size: tuple[int, int]) -> None:
        for field, valid in CHOICES.items():
            if getattr(self, field) not in valid:
                raise UserError(
                    f'unknown config.model.{field} {getattr(self, field)!r}; {closest(getattr(self, field), valid)}'
                )
        if self.outputs == 'sigmoid' and self.classes != 2:
            raise UserError(f"config.model.outputs='sigmoid' is for 2 classes; the data has {self.classes}")
        pooled = set(range(1, len(self.filters) + 1) if self.pool_after is None else self.pool_after)
        if not pooled <= set(range(1, len(self.filters) + 1)):
            raise UserError(
                f'config.model.pool_after {self.pool_after}; valid: numbers of the {len(self.filters)} convolutions, from 1'
            )
        least, lost = 1, 0 if self.padding == 'same' else self.kernel_size - 1
        for number in range(len(self.filters), 0, -1):
            least = least * (2 if number in pooled else 1) + lost
        if min(size) < least:
            raise UserError(
                f'images of {size[0]}x{size[1]} pixels are too small for the {len(self.filters)} convolutions of '
                f'config.model with their pooling; valid: data.options.image_size from {least} up, or fewer convolutions'
            )


VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
VGG_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """VGG (Simonyan and Zisserman 2014, arXiv 1409.1556) as torchvision builds and starts it: images -> logits.

    depth: 11, 13, 16 or 19. VGG-16 has 138,357,544 parameters for 1,000 classes, 134,301,514 for 10. With images of 32
    pixels the last map is one cell, which the average to `grid` x `grid` copies 49 times (B10, flaw 5); `grid=1` and
    `hidden=(512,)` is a head that suits them. `batch_norm`: a norm before each activation.
    """

    classes: int
    depth: int = 16
    batch_norm: bool = False
    grid: int = 7
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Images, train: bool = False, weight: Weight = None) -> Logits:
        if self.depth not in VGG_STAGES:
            raise UserError(f'config.model.depth: {self.depth} is not one of {", ".join(map(str, VGG_STAGES))}')
        counts = VGG_STAGES[self.depth]
        net = ConvNet(
            self.classes,
            filters=tuple(width for width, count in zip(VGG_WIDTHS, counts, strict=True) for _ in range(count)),
            pool_after=tuple(sum(counts[: stage + 1]) for stage in range(len(counts))),
            batch_norm='before' if self.batch_norm else 'none',
            grid=self.grid,
            hidden=self.hidden,
            dropout=self.dropout,
            init_scheme='torchvision',
            dtype=self.dtype,
            name='net',
        )
        return net(x, train, weight)
