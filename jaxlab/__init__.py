"""jaxlab: classical deep-learning experiments as config files, in JAX and Flax."""

__version__ = '0.1.0'
