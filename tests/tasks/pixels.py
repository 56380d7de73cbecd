"""A judge whose features are pixels as they are, and who is equally sure of every class."""

import dataclasses
from typing import Any

import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Pixels:
    """classes: how many it knows. stride: every so manieth pixel is a feature."""

    classes: int = 1
    model: Any = None
    scale: tuple[float, float] = (0.0, 1.0)
    stride: int = 1

    def embed(self, state, images):
        return images.reshape(len(images), -1)[:, :: self.stride]

    def predict(self, state, images):
        return jnp.full((len(images), self.classes), 1 / self.classes)
