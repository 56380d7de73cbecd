"""Variables drawn by NumPy: a network's own initialisation takes seconds to compile, and keeps its biases at zero."""

import jax
import numpy as np


def drawn(module, *arguments, seed=0, spread=0.3, **options):
    """As `module.init` shapes them; every number N(0, spread^2), scales of norms around 1."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *arguments, **options))
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        around = 1.0 if path[-1].key == 'scale' else 0.0
        return (around + spread * rng.standard_normal(leaf.shape)).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def count(module, *arguments, **options):
    """Numbers in each part of the parameters, found without computing anything."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *arguments, **options))['params']
    return {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
