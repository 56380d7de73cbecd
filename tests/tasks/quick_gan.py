"""Networks of an adversarial training that are compiled quickly, for what does not depend on theirs."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from jaxlab.layers import BatchNorm


class Small(nn.Module):
    """A generator with statistics of its batches."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, noise, train=False, weight=None):
        x = BatchNorm()(nn.Dense(8)(noise), train, weight)
        return jnp.tanh(nn.Dense(784)(x)).reshape(-1, 28, 28, 1)


class Judge(nn.Module):
    """A discriminator of one layer."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return nn.Dense(1)(images.reshape(len(images), -1))[:, 0]


class Bent(nn.Module):
    """A discriminator whose slope depends on the image."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return nn.Dense(1)(nn.leaky_relu(nn.Dense(8)(images.reshape(len(images), -1)), 0.2))[:, 0]


def quick(task, judge=Judge):
    """The task with these networks."""
    return dataclasses.replace(task, generator=Small(), discriminator=judge())
