r"""A sigmoid hidden layer under a softmax, gradients written by hand (spec E1). Samples are rows.

$$h = \sigma(XW_1 + b_1),\qquad p = \mathrm{softmax}(hW_2 + b_2),\qquad
L = -\tfrac1N\sum_{i,k} y_{ik}\ln(p_{ik} + \epsilon) + \lambda(\lVert W_1\rVert^2 + \lVert W_2\rVert^2)$$

$$\delta = p - y,\quad dW_2 = h^\top\delta,\quad db_2 = \textstyle\sum_i\delta_i,\qquad
\delta_h = \delta W_2^\top\odot h\odot(1 - h),\quad dW_1 = X^\top\delta_h,\quad db_1 = \textstyle\sum_i\delta_{h,i}$$

**As published** the gradients are sums over the batch although the loss is a mean: the step is that of the mean's
gradient at N times the learning rate (50 x 0.001 = 0.05), and the regulariser's gradient lacks its factor 2
(hidden, lambda = 0). **Corrected** divides by N; both then equal automatic differentiation of the loss without epsilon.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxlab.errors import lookup

EPSILON = 1e-9


class Params(NamedTuple):
    """Weights [in, out] and biases [out]."""

    w1: Float[Array, 'D H']
    b1: Float[Array, 'H']
    w2: Float[Array, 'H K']
    b2: Float[Array, 'K']


class ManualTrace(NamedTuple):
    """Every matrix of a forward and a backward pass in the order of computation."""

    hidden_net: Float[Array, 'N H']
    hidden: Float[Array, 'N H']
    logits: Float[Array, 'N K']
    probabilities: Float[Array, 'N K']
    loss: Float[Array, '']
    delta: Float[Array, 'N K']  # with respect to the logits
    gradient_w2: Float[Array, 'H K']
    gradient_b2: Float[Array, 'K']
    delta_hidden: Float[Array, 'N H']  # with respect to the hidden net: sigma' is inside
    gradient_w1: Float[Array, 'D H']
    gradient_b1: Float[Array, 'H']

    @property
    def gradients(self) -> Params:
        """The gradients as a tree of the parameters' shape."""
        return Params(self.gradient_w1, self.gradient_b1, self.gradient_w2, self.gradient_b2)


class Variant(NamedTuple):
    """What the gradients are divided by, and the factor of the regulariser's gradient."""

    average: bool
    regulariser_factor: float
    note: str


VARIANTS = {
    'as_published': Variant(False, 1.0, 'gradients summed over the batch, regulariser without its factor 2'),
    'corrected': Variant(True, 2.0, 'gradients of the mean loss'),
}


def init(key: PRNGKeyArray, inputs: int = 3072, hidden: int = 100, classes: int = 10, scale: float = 1e-5) -> Params:
    """Normal weights times `scale`, biases zero (1e-5 published; 1 / sqrt(fan_in) breaks the symmetry at once)."""
    first, second = jax.random.split(key)
    return Params(
        scale * jax.random.normal(first, (inputs, hidden)),
        jnp.zeros(hidden),
        scale * jax.random.normal(second, (hidden, classes)),
        jnp.zeros(classes),
    )


def logits_of(params: Params, inputs: Float[Array, 'N D']) -> Float[Array, 'N K']:
    """Forward pass up to the logits."""
    return jax.nn.sigmoid(inputs @ params.w1 + params.b1) @ params.w2 + params.b2


def mean_loss(
    params: Params, inputs: Float[Array, 'N D'], labels: Int[Array, 'N'], penalty: float = 0.0, epsilon: float = EPSILON
) -> Float[Array, '']:
    """The loss as printed; epsilon 0 goes through log-softmax and is what the hand gradients belong to."""
    logits = logits_of(params, inputs)
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]
    if epsilon:
        picked = jnp.log(jnp.exp(picked) + epsilon)
    return -jnp.mean(picked) + penalty * (jnp.sum(params.w1**2) + jnp.sum(params.w2**2))


def manual_pass(
    params: Params,
    inputs: Float[Array, 'N D'],
    labels: Int[Array, 'N'],
    variant: str = 'corrected',
    penalty: float = 0.0,
    weight: Float[Array, 'N'] | None = None,
) -> ManualTrace:
    """Forward and backward by the formulas above; `weight` 0 leaves a row of a padded batch out."""
    average, factor, _ = lookup(VARIANTS, variant, 'variant')
    weight = jnp.ones(inputs.shape[0], inputs.dtype) if weight is None else weight
    count = jnp.sum(weight)
    hidden_net = inputs @ params.w1 + params.b1
    hidden = jax.nn.sigmoid(hidden_net)
    logits = hidden @ params.w2 + params.b2
    probabilities = jax.nn.softmax(logits)
    target = jax.nn.one_hot(labels, params.b2.shape[0], dtype=probabilities.dtype)
    losses = -jnp.sum(target * jnp.log(probabilities + EPSILON), axis=1)
    loss = jnp.sum(losses * weight) / count + penalty * (jnp.sum(params.w1**2) + jnp.sum(params.w2**2))
    delta = (probabilities - target) * weight[:, None] / (count if average else 1.0)
    delta_hidden = delta @ params.w2.T * hidden * (1 - hidden)  # the old W2: the update comes after
    shrink = factor * penalty
    return ManualTrace(
        hidden_net,
        hidden,
        logits,
        probabilities,
        loss,
        delta,
        hidden.T @ delta + shrink * params.w2,
        delta.sum(axis=0),
        delta_hidden,
        inputs.T @ delta_hidden + shrink * params.w1,
        delta_hidden.sum(axis=0),
    )


def update(params: Params, gradients: Params, learning_rate: float) -> Params:
    """Plain gradient descent."""
    return jax.tree.map(lambda value, gradient: value - learning_rate * gradient, params, gradients)


def learning_rate_at(epoch: int, start: float = 1e-3, decay: float = 0.9) -> float:
    """Of epoch 0, 1, ...: multiplied by `decay` after each."""
    return start * decay**epoch


def effective_learning_rate(epoch: int, batch_size: int = 50, variant: str = 'as_published') -> float:
    """What the mean loss's gradient is really stepped with."""
    return learning_rate_at(epoch) * (1 if lookup(VARIANTS, variant, 'variant').average else batch_size)
