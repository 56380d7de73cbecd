"""The convolutional denoising autoencoder of B23 (Vincent et al. 2008): a noisy image in, logits of the clean one out."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxlab.layers import Conv, ConvTranspose
from jaxlab.models.arrays import Images, Weight


class DenoisingAutoencoder(nn.Module):
    """Images [N, H, W, C] in [0, 1] -> logits of the clean ones; sides are multiples of 2 ** len(filters).

    3x3 convolutions of stride 2 with ReLU, the same ones transposed, PyTorch's starts: 160 + 1,160 + 1,168 + 145 = 2,633
    parameters with one channel. Nothing but convolutions: any such size will do. skip: whether each map on the way up
    is added to the one of its size on the way down (no more parameters).
    """

    filters: tuple[int, ...] = (16, 8)
    skip: bool = False
    dtype: Any = None

    @property
    def multiple(self) -> int:
        """What the sides of its images must be multiples of."""
        return 2 ** len(self.filters)

    @nn.compact
    def __call__(self, images: Images, train: bool = False, weight: Weight = None) -> Images:
        common: dict[str, Any] = {'init_scheme': 'torch', 'dtype': self.dtype}
        x, maps = images, []
        for number, width in enumerate(self.filters, 1):
            x = nn.relu(Conv(width, 3, 2, padding=1, **common, name=f'down_{number}')(x))
            maps.append(x)
        for number, width in enumerate((*self.filters[-2::-1], images.shape[-1]), 1):
            # PyTorch's stride 2, padding 1, output_padding 1: 'SAME' would lie one pixel further.
            edges = ((1, 2), (1, 2))
            x = ConvTranspose(width, 3, 2, edges, transpose_kernel=True, **common, name=f'up_{number}')(x)
            if number < len(self.filters):
                x = nn.relu(x + maps[-1 - number] if self.skip else x)
        return x.astype(jnp.float32)
