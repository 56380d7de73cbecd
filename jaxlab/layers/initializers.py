"""How weights start: what PyTorch, Keras and Flax do when nobody says anything, and the named schemes.

`fan_in` is the number of inputs that feed one output: rows of a dense kernel, k * k * C of a convolution's.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import initializers as stock

Initializer = Callable[..., jax.Array]

glorot_normal = stock.glorot_normal  # N(0, 2 / (fan_in + fan_out)), Glorot and Bengio 2010
glorot_uniform = stock.glorot_uniform  # U(+-sqrt(6 / (fan_in + fan_out))), Glorot and Bengio 2010
he_normal = stock.he_normal  # truncated N(0, 2 / fan_in), He et al. 2015
he_uniform = stock.he_uniform  # U(+-sqrt(6 / fan_in)), He et al. 2015
lecun_normal = stock.lecun_normal  # truncated N(0, 1 / fan_in), LeCun et al. 1998; Flax's own choice
normal = stock.normal
ones = stock.ones
orthogonal = stock.orthogonal
truncated_normal = stock.truncated_normal
zeros = stock.zeros


def torch_kernel() -> Initializer:
    """U(+-1 / sqrt(fan_in)): `torch.nn.Linear` and `Conv2d` (`kaiming_uniform_` with a = sqrt(5))."""
    return stock.variance_scaling(1 / 3, 'fan_in', 'uniform')


def torch_transposed_kernel() -> Initializer:
    """U(+-1 / sqrt(k * k * out_channels)): `torch.nn.ConvTranspose2d`, whose fan_in counts the output channels.

    For kernels [..., in, out] as `ConvTranspose` keeps them.
    """
    return stock.variance_scaling(1 / 3, 'fan_out', 'uniform')


def torch_bias(fan_in: int) -> Initializer:
    """U(+-1 / sqrt(fan_in)) for the bias of a layer with `fan_in` inputs an output: `torch.nn.Linear`, `Conv2d`."""
    bound = fan_in**-0.5 if fan_in else 0.0

    def init(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def keras_kernel() -> Initializer:
    """Glorot uniform, U(+-sqrt(6 / (fan_in + fan_out))): Keras' Dense and Conv layers, biases zero."""
    return stock.glorot_uniform()


def he_normal_fan_out() -> Initializer:
    """N(0, 2 / fan_out): the residual networks of He et al. 2015 as torchvision starts them."""
    return stock.variance_scaling(2.0, 'fan_out', 'normal')


def kernel_init(init: str, transposed: bool = False) -> Initializer:
    """The kernel's initializer for a shorthand: 'torch', 'keras', 'lecun' (Flax's default), 'xavier' (Glorot uniform beside
    PyTorch's biases: `torch.nn.Transformer`), 'bert' (N(0, 0.02), biases zero)."""
    table = {
        'torch': torch_transposed_kernel if transposed else torch_kernel,
        'keras': keras_kernel,
        'lecun': lecun_normal,
        'xavier': glorot_uniform,
        'bert': _bert,
    }
    if init not in table:
        raise ValueError(f'init: {init!r} is not one of {", ".join(table)}')
    return table[init]()


def bias_init(init: str, fan_in: int) -> Initializer:
    """The bias' initializer for the same shorthand; only PyTorch's depends on `fan_in`."""
    return torch_bias(fan_in) if init in ('torch', 'xavier') else zeros


def embedding_init(init: str) -> Initializer:
    """A table of token vectors for the same shorthand: Keras U(-0.05, 0.05), PyTorch N(0, 1), Flax N(0, 1 / D)."""
    table = {
        'torch': stock.normal(1.0),
        'keras': _keras_embedding,
        'lecun': stock.variance_scaling(1.0, 'fan_in', 'normal', out_axis=0),
        'xavier': stock.normal(1.0),
        'bert': _bert(),
    }
    if init not in table:
        raise ValueError(f'init: {init!r} is not one of {", ".join(table)}')
    return table[init]


def _bert() -> Initializer:
    return stock.normal(0.02)


def _keras_embedding(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)
