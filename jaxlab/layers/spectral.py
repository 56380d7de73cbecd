"""Spectral normalisation: a layer or a whole network whose every kernel has a largest singular value of about 1.

Miyato et al. 2018, arXiv 1802.05957.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

EPSILON = 1e-12
START = 15  # rounds of the power iteration before the first step, as in PyTorch


def power_iteration(
    matrix: Float[Array, 'R D'], u: Float[Array, 'D'], rounds: int = 1
) -> tuple[Float[Array, ''], Float[Array, 'D']]:
    """(the largest singular value as `v' W u`, u): unit vectors after so many rounds of v = W u, u = W' v.

    The value's gradient is that of constant vectors, `v u'`, which is exact where they are the singular ones. Without a
    round the value is that of u as it is.
    """
    fixed = jax.lax.stop_gradient(matrix)
    v = _unit(fixed @ u)
    for done in range(rounds):
        v = _unit(fixed @ u) if done else v
        u = _unit(v @ fixed)
    return v @ matrix @ u, u


def _unit(vector: Array) -> Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), EPSILON)


class SpectralNorm(nn.Module):
    """`network` with each parameter of two and more axes divided by its largest singular value.

    A kernel [*size, C, D] counts as a matrix of size * C rows and D columns. A training pass improves the estimate by one
    round of power iteration; its vectors are kept as `u` in `batch_stats`, in the tree of the parameters, and no moving
    average takes part in them. In evaluation they are used as they are. Biases and scales stay.
    """

    network: nn.Module

    @nn.compact
    def __call__(self, x: Float[Array, 'N ...'], train: bool = False, weight: Array | None = None) -> Array:
        if self.is_initializing():  # parameters are made first; what comes out does not matter
            y = self.network(x, train=train, weight=weight)
            start = _started(self.network.variables['params'], self.make_rng('params'))
            self.variable('batch_stats', 'u', lambda: start)
            return y
        vectors: Any = self.variable('batch_stats', 'u', dict)
        params = jax.tree.map(jnp.asarray, self.network.variables['params'])
        flat, u, found = flatten_dict(params), flatten_dict(jax.tree.map(jnp.asarray, vectors.value)), {}
        for path in u:
            kernel = flat[path]
            value, found[path] = power_iteration(_matrix(kernel), u[path], rounds=int(train))
            flat[path] = kernel / jnp.where(value > 0, value, 1)
        if train:
            vectors.value = unflatten_dict(found)
        forward = nn.map_variables(
            lambda network: network(x, train=train, weight=weight), 'params', lambda _: {'params': unflatten_dict(flat)}
        )
        return forward(self.network)


def _matrix(kernel: Array) -> Array:
    return kernel.reshape(-1, kernel.shape[-1])


def _started(params: Any, key: jax.Array) -> dict[str, Any]:
    """Path of each kernel -> its u [D] after some rounds from a random one, as nested dicts."""
    kernels = {path: kernel for path, kernel in flatten_dict(params).items() if kernel.ndim > 1}
    keys = jax.random.split(key, max(len(kernels), 1))
    return unflatten_dict(
        {
            path: power_iteration(_matrix(kernel), _unit(jax.random.normal(each, kernel.shape[-1:])), START)[1]
            for each, (path, kernel) in zip(keys, kernels.items(), strict=False)
        }
    )
