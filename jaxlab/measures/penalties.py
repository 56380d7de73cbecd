"""Penalties on the slope of a critic. Their gradient is a gradient of a gradient; layers with an own one allow for that."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def between(
    real: Float[Array, 'N *shape'], made: Float[Array, 'N *shape'], share: Float[Array, 'N']
) -> Float[Array, 'N *shape']:
    """`share * real + (1 - share) * made`: one share an example, drawn uniformly from [0, 1), not one a pixel."""
    share = share.reshape(-1, *(1,) * (real.ndim - 1)).astype(real.dtype)
    return share * real + (1 - share) * made


def slope_norms(critic: Callable[[Array], Array], images: Float[Array, 'N *shape']) -> Float[Array, 'N']:
    """The Euclidean norm, over all axes but the batch's, of the slope of each example's score by that example.

    critic: images -> scores [N] (or [N, ...], added up), in which no example's score depends on another's (no batch
    norm). The gradient of the norm is finite where the slope is zero: there it is zero.
    """
    slope = jax.grad(lambda x: critic(x).sum())(images)
    slope = slope.astype(jnp.promote_types(slope.dtype, jnp.float32))
    squares = jnp.square(slope).reshape(len(slope), -1).sum(-1)
    steep = squares > 0
    return jnp.where(steep, jnp.sqrt(jnp.where(steep, squares, 1.0)), 0.0)


def gradient_penalty(critic: Callable[[Array], Array], images: Float[Array, 'N *shape']) -> Float[Array, 'N']:
    """`(|slope| - 1)^2`, each example: the penalty of WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028, there times 10).

    images: usually `between` real and made ones.
    """
    return jnp.square(slope_norms(critic, images) - 1)
