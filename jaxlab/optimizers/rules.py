"""Update rules: gradient -> direction. `build` puts the learning rate, its schedule and weight decay around them.

Written `g` gradient, `t` step from 1, `b` the decay of a moving average, `^` bias-corrected (`x / (1 - b^t)`). Each
rule takes the options of its block as a dict. Where `eps` stands changes results (spec A and B, library defaults):
'outside' the root, `1 / (sqrt(v) + eps)` (PyTorch); 'inside' it, `1 / sqrt(v + eps)` (Optax' RMSprop, Keras' RMSprop
and Adagrad); 'keras', Adam only, next to the uncorrected root, `1 / (sqrt(v) + eps)` with both corrections in the step
size (Keras and scikit-learn; last paragraph of section 2 in Kingma and Ba, arXiv 1412.6980).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Options = dict[str, Any]


class MomentsState(NamedTuple):
    steps: jax.Array  # int32 scalar, taken so far
    mean: Any  # tree like the parameters
    square: Any


class StepsState(NamedTuple):
    steps: jax.Array  # int32 scalar, taken so far


class SquaresState(NamedTuple):
    square: Any  # running sum of g^2


def sgd(options: Options) -> optax.GradientTransformation:
    """`v <- mu v + g`; direction `v`, or `g + mu v` with Nesterov (PyTorch's form: the rate is not inside v)."""
    if not options['momentum']:
        return optax.identity()
    return optax.trace(decay=options['momentum'], nesterov=options['nesterov'])


def adam(options: Options) -> optax.GradientTransformation:
    """`m <- b1 m + (1 - b1) g`, `v <- b2 v + (1 - b2) g^2`, direction `m^ / (sqrt(v^) + eps)`; eps by `eps_mode`."""
    b1, b2, eps = options['b1'], options['b2'], options['eps']
    if options['eps_mode'] == 'keras':
        return _adam_keras(b1, b2, eps)
    if options['eps_mode'] == 'inside':
        return optax.scale_by_adam(b1, b2, eps=0.0, eps_root=eps)
    return optax.scale_by_adam(b1, b2, eps=eps)


def _adam_keras(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Direction `sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)`: as if eps were larger in the first steps."""

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return MomentsState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(grads, state, params=None):
        del params
        steps = optax.safe_increment(state.steps)
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mean, grads)
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.square, grads)

        def direction(m, v):
            correction = jnp.sqrt(1 - jnp.asarray(b2, m.dtype) ** steps) / (1 - jnp.asarray(b1, m.dtype) ** steps)
            return correction * m / (jnp.sqrt(v) + eps)

        return jax.tree.map(direction, mean, square), MomentsState(steps, mean, square)

    return optax.GradientTransformation(init, update)


def rmsprop(options: Options) -> optax.GradientTransformation:
    """`v <- b v + (1 - b) g^2`, direction `g / sqrt(v)`; centred: `v` less the square of the mean; then momentum.

    Tieleman and Hinton, lecture 6.5 (2012); centred: Graves, arXiv 1308.0850.
    """
    form = optax.scale_by_stddev if options['centered'] else optax.scale_by_rms
    rule = form(options['decay'], options['eps'], eps_in_sqrt=options['eps_mode'] == 'inside')
    return optax.chain(rule, optax.trace(options['momentum'])) if options['momentum'] else rule


def adagrad(options: Options) -> optax.GradientTransformation:
    """`s <- s + g^2`, direction `g / sqrt(s)`; s starts at `initial_accumulator`. Duchi et al., JMLR 12 (2011)."""
    inside, eps = options['eps_mode'] == 'inside', options['eps']

    def init(params):
        return SquaresState(jax.tree.map(lambda p: jnp.full_like(p, options['initial_accumulator']), params))

    def update(grads, state, params=None):
        del params
        square = jax.tree.map(lambda s, g: s + g * g, state.square, grads)
        root = jax.tree.map(lambda s: jnp.sqrt(s + eps) if inside else jnp.sqrt(s) + eps, square)
        return jax.tree.map(jnp.divide, grads, root), SquaresState(square)

    return optax.GradientTransformation(init, update)


def adadelta(options: Options) -> optax.GradientTransformation:
    """Direction `sqrt(E[u^2] + eps) / sqrt(E[g^2] + eps) g`, u the earlier directions. Zeiler, arXiv 1212.5701."""
    return optax.scale_by_adadelta(rho=options['decay'], eps=options['eps'])


def lion(options: Options) -> optax.GradientTransformation:
    """Direction `sign(b1 m + (1 - b1) g)`, then `m <- b2 m + (1 - b2) g`. Chen et al., arXiv 2302.06675."""
    return optax.scale_by_lion(options['b1'], options['b2'])


def trust_ratio() -> optax.GradientTransformation:
    """LAMB's last part: a tensor's direction d becomes `d |w| / |d|` (d where a norm is 0). You, arXiv 1904.00962."""
    return optax.scale_by_trust_ratio()


def signs(strength: float) -> optax.GradientTransformation:
    """Adds `strength * sign(w)` to the gradient: the subgradient of `strength * sum|w|` (sign(0) = 0)."""

    def update(grads, state, params):
        return jax.tree.map(lambda g, p: g + strength * jnp.sign(p), grads, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def shrink(threshold: Callable[[jax.Array], Any]) -> optax.GradientTransformation:
    """Last in a chain: the weight w + u becomes `sign(w + u) max(|w + u| - threshold(t), 0)`, so that small ones are exactly 0.

    With threshold = rate * strength it is the proximal step of `strength * sum|w|` (soft thresholding; Daubechies, Defrise,
    De Mol 2004). Like decoupled decay it is not scaled by Adam's moments.
    """

    def update(updates, state, params):
        size = threshold(state.steps)

        def one(u, p):
            reached = p + u
            return jnp.sign(reached) * jnp.maximum(jnp.abs(reached) - size, 0) - p

        return jax.tree.map(one, updates, params), StepsState(optax.safe_increment(state.steps))

    return optax.GradientTransformation(lambda params: StepsState(jnp.zeros((), jnp.int32)), update)


def frozen() -> optax.GradientTransformation:
    """No change at all, to the bit: the update is -0.0, because `-0.0 + 0.0` would turn a weight of -0.0 into 0.0."""

    def update(grads, state, params=None):
        del params
        return jax.tree.map(lambda g: jnp.full_like(g, -0.0), grads), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
