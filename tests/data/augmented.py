"""Batches for the tests of transforms, and one compiled program for the same transforms of the same fields."""

import jax
import numpy as np

from jaxlab.data.transforms import Context, compose, geometry

CONTEXT = Context(0.0, 1.0, 4)


def batch_of(count=6, size=12, channels=3, seed=0, dtype=np.float32):
    generator = np.random.default_rng(seed)
    image = generator.uniform(0, 1, (count, size, size, channels))
    image = image.astype(np.float32) if dtype == np.float32 else (image * 255).astype(np.uint8)
    return {'image': image, 'label': np.arange(count, dtype=np.int32) % 4}


translated = jax.jit(geometry.translated, static_argnums=(2, 3))
PROGRAMS = {}  # one for the same transforms of the same fields: traced once a file, compiled once a shape


def augment(batch, *transforms, key=0, context=CONTEXT):
    what = repr((transforms, context, sorted(batch)))
    if what not in PROGRAMS:
        PROGRAMS[what] = jax.jit(compose(transforms, context, batch))
    return PROGRAMS[what](batch, jax.random.key(key))
