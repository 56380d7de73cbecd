"""Convolutions by oneDNN, the library behind PyTorch's speed on a CPU: a switch of XLA's that its wheels leave off.

A program gets it by two things: it is traced under `used(True)`, so that layers choose the forms that suit it, and it is
compiled with `compiler_options()`. `jit` does both for functions of one's own; the engine does both for its programs.
A program with a call of oneDNN cannot be kept in the compilation cache (jaxlib 0.12 cannot write it down), so it is worth
its compilation in long runs only.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

# Products and reductions stay with XLA's own library, which is twice as fast at products as oneDNN; without its reductions
# batch normalisation takes ten times as long.
OPTIONS = {
    'xla_cpu_experimental_onednn_custom_call': True,
    'xla_cpu_experimental_ynn_fusion_type': 'LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT',
}
CALL = '__onednn$convolution'  # stands in the text of a compiled program that has it

# Part of the key of JAX's caches: a program traced with it is not taken for one traced without.
used = jax.make_user_context(False)


@functools.cache
def available() -> bool:
    """Whether a tiny convolution, compiled with the options, really calls oneDNN on this processor."""
    if jax.default_backend() != 'cpu':
        return False
    x, kernel = jnp.zeros((1, 4, 4, 8)), jnp.zeros((3, 3, 8, 8))
    convolution = jax.jit(
        functools.partial(
            lax.conv_general_dilated, window_strides=(1, 1), padding='SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
    )
    try:
        with uncached():
            return CALL in (convolution.lower(x, kernel).compile(OPTIONS).as_text() or '')
    except jax.errors.JaxRuntimeError:  # a jaxlib that does not know the options
        return False


def compiler_options() -> dict[str, Any]:
    """What `lowered.compile` takes, under the present `used`."""
    return dict(OPTIONS) if used.value else {}


def compiled(program: Any, arguments: Sequence[Any], asked: bool) -> Callable:
    """A `jax.jit` or `jax.pmap` traced and compiled for these arguments, with oneDNN's convolutions if asked."""
    with used(asked), uncached():
        return program.lower(*arguments).compile(compiler_options() or None)


@contextlib.contextmanager
def uncached() -> Iterator[None]:
    """Keeps JAX from trying to write programs with such calls down, which fails with a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Error writing persistent compilation cache entry')
        yield


def jit(function: Callable, **options: Any) -> Callable:
    """`jax.jit`, with oneDNN's convolutions where this machine has them; to be called outside other compiled functions."""
    if not available():
        return jax.jit(function, **options)
    compiled = jax.jit(function, compiler_options=OPTIONS, **options)

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with used(True), uncached():
            return compiled(*arguments, **named)

    return call
