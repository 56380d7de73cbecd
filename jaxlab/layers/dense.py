"""A dense layer whose start can be PyTorch's, Keras' or Flax's."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from jaxlab.layers import initializers


class Dense(nn.Module):
    """`x @ kernel + bias`, parameters as in `flax.linen.Dense`.

    `init_scheme` ('torch', 'keras', 'lecun') chooses how both start; `kernel_init` and `bias_init` overrule it one by one.
    `copies`: the layer sees x that many times side by side, as VGG's head does where the last map is one cell; the kernel
    [copies * C, D] is added up over them, so that one product stands for all.
    """

    features: int
    use_bias: bool = True
    dtype: jax.typing.DTypeLike | None = None
    init_scheme: str = 'lecun'
    kernel_init: initializers.Initializer | None = None
    bias_init: initializers.Initializer | None = None
    copies: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, '... C']) -> Float[Array, '... D']:
        kernel_init = self.kernel_init or initializers.kernel_init(self.init_scheme)
        inputs = self.copies * x.shape[-1]
        kernel = self.param('kernel', kernel_init, (inputs, self.features))
        bias = None
        if self.use_bias:
            bias_init = self.bias_init or initializers.bias_init(self.init_scheme, inputs)
            bias = self.param('bias', bias_init, (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        if self.copies > 1:  # a product with ones adds up at the memory's speed, `sum(0)` 20 times slower on a CPU
            ones = jax.numpy.ones((1, self.copies), kernel.dtype)
            kernel = (ones @ kernel.reshape(self.copies, -1)).reshape(-1, self.features)
        # One matrix of all leading axes: on a CPU a product of higher rank takes half as long again.
        y = x.reshape(-1, x.shape[-1]) @ kernel
        y = y if bias is None else y + bias
        return y.reshape(*x.shape[:-1], self.features)
