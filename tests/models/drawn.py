"""Numbers and variables for tests, most of them drawn by NumPy: what JAX draws is compiled for every shape."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np


def numbers(*shape: int, dtype=np.float32, seed: int = 0) -> jax.Array:
    """N(0, 1) by NumPy: JAX would compile a program for every shape."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def started(module, *arguments, seed=0, **options):
    """What `module.init` gives, from one program, where it alone compiles every operation."""
    return jax.jit(lambda key: module.init(key, *arguments, **options))(jax.random.key(seed))


def drawn(module, *arguments, seed=0, spread=0.3, **options):
    """As `module.init` shapes them, biases too; every number N(0, spread^2), scales of norms and running variances around 1."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *arguments, **options))
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        around = 1.0 if path[-1].key in ('scale', 'var') else 0.0
        numbers = (around + spread * rng.standard_normal(leaf.shape)).astype(leaf.dtype)
        return np.abs(numbers) if path[-1].key == 'var' else numbers  # the root of a negative one is no number

    return jax.tree_util.tree_map_with_path(draw, shapes)


def state_of(module, *arguments, **options):
    """The same as a task keeps a network that is used, not trained."""
    variables = drawn(module, *arguments, **options)
    network = SimpleNamespace(params=variables['params'], variables=lambda: variables, averaged=lambda: variables)
    return {'model': network}


def count(module, *arguments, **options):
    """Numbers in each part of the parameters, found without computing anything."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *arguments, **options))['params']
    return {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
