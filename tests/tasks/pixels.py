"""A judge whose features are the pixels themselves, and who is equally sure of every class."""

import dataclasses
from typing import Any

import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Pixels:
    """classes: how many it knows."""

    classes: int = 1
    model: Any = None
    scale: tuple[float, float] = (0.0, 1.0)

    def embed(self, state, images):
        return images.reshape(len(images), -1)

    def predict(self, state, images):
        return jnp.full((len(images), self.classes), 1 / self.classes)
