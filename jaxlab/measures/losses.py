"""Losses before any mean: one value an example (or an element); `weighted_mean` makes the mean.

All logarithms are natural, all classifiers give logits: `log softmax` and `log sigmoid` are computed without ever
forming a probability, so that no loss is infinite. Half precision is widened to float32.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.errors import lookup


def cross_entropy(
    logits: Float[Array, '... C'], labels: Int[Array, '...'] | Float[Array, '... C'], label_smoothing: float = 0.0
) -> Float[Array, '...']:
    """`-sum_c t_c log softmax(z)_c`. labels: class numbers, or target probabilities t (one-hot, soft, mixed).

    With smoothing s the target is `(1 - s) t + s / C` (Szegedy et al., arXiv 1512.00567; PyTorch's form).
    """
    logits = _wide(logits)
    classes = logits.shape[-1]
    spread = jax.nn.logsumexp(logits, axis=-1)
    if jnp.issubdtype(labels.dtype, jnp.integer):
        _same(labels.shape, logits.shape[:-1])
        # A mask and a sum instead of an index: its gradient is no scatter, and the compiler fuses it with the rest.
        chosen = jnp.where(jnp.arange(classes) == labels[..., None], logits, 0).sum(-1)
        losses = spread - chosen
    else:
        _same(labels.shape, logits.shape)
        losses = jnp.sum(labels.astype(logits.dtype) * (spread[..., None] - logits), axis=-1)
    if not label_smoothing:
        return losses
    return (1 - label_smoothing) * losses + label_smoothing * (spread - logits.mean(-1))


def binary_cross_entropy(
    logits: Float[Array, '...'], targets: Float[Array, '...'], positive_weight: float = 1.0
) -> Float[Array, '...']:
    """`-p t log sigmoid(z) - (1 - t) log(1 - sigmoid(z))`, each element. targets in [0, 1]; p: `positive_weight`."""
    _same(logits.shape, targets.shape)
    logits = _wide(logits)
    targets = targets.astype(logits.dtype)
    return positive_weight * targets * jax.nn.softplus(-logits) + (1 - targets) * jax.nn.softplus(logits)


def squared_error(predictions: Float[Array, '...'], targets: Float[Array, '...']) -> Float[Array, '...']:
    """`(y - t)^2`, each element."""
    return jnp.square(_difference(predictions, targets))


def absolute_error(predictions: Float[Array, '...'], targets: Float[Array, '...']) -> Float[Array, '...']:
    """`|y - t|`, each element."""
    return jnp.abs(_difference(predictions, targets))


def huber(predictions: Float[Array, '...'], targets: Float[Array, '...'], delta: float = 1.0) -> Float[Array, '...']:
    """`d^2 / 2` where `|d| <= delta`, `delta (|d| - delta / 2)` beyond, each element. Huber 1964.

    Divided by delta it is the smooth L1 loss of detectors (PyTorch's `smooth_l1_loss` with beta = delta).
    """
    size = jnp.abs(_difference(predictions, targets))
    inner = jnp.minimum(size, delta)
    return inner * (size - 0.5 * inner)


def gaussian_kl(mean: Float[Array, 'N D'], log_variance: Float[Array, 'N D']) -> Float[Array, 'N']:
    """KL(N(mean, diag exp(log_variance)) || N(0, I)) = `sum_d (mean^2 + var - 1 - log var) / 2`. arXiv 1312.6114."""
    return gaussian_kl_by_dimension(mean, log_variance).sum(-1)


def gaussian_kl_by_dimension(mean: Float[Array, 'N D'], log_variance: Float[Array, 'N D']) -> Float[Array, 'N D']:
    """The terms of that sum, each the divergence of one latent number; in float32 at least, finite at log-variances of +-30."""
    mean, log_variance = _wide(mean), _wide(log_variance)
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_variance) - log_variance)


# form -> (D on real, D on fake, G on fake), functions of D's logit
_GAN: dict[str, tuple[Callable, Callable, Callable]] = {
    'non_saturating': (lambda z: jax.nn.softplus(-z), jax.nn.softplus, lambda z: jax.nn.softplus(-z)),
    'saturating': (lambda z: jax.nn.softplus(-z), jax.nn.softplus, lambda z: -jax.nn.softplus(z)),
    'least_squares': (lambda z: jnp.square(z - 1), jnp.square, lambda z: jnp.square(z - 1)),
    'wasserstein': (lambda z: -z, lambda z: z, lambda z: -z),
    'hinge': (lambda z: jax.nn.relu(1 - z), lambda z: jax.nn.relu(1 + z), lambda z: -z),
}
GAN_FORMS = tuple(_GAN)
LOGISTIC = ('non_saturating', 'saturating')  # forms in which D's output is the logit of a probability
_BOUNDARY = {'least_squares': 0.5, 'wasserstein': None}


def real_above(form: str) -> float | None:
    """The output of D above which an example counts as called real; None where only differences of outputs mean anything.

    Halfway between the targets 0 and 1 of least squares; 0 for logits and for the margins of hinge.
    """
    lookup(_GAN, form, 'form of the GAN loss')
    return _BOUNDARY.get(form, 0.0)


def discriminator_loss(
    real_logits: Float[Array, 'N ...'], fake_logits: Float[Array, 'M ...'], form: str = 'non_saturating'
) -> tuple[Float[Array, 'N ...'], Float[Array, 'M ...']]:
    """What D pays on each real and each made example; its loss is the sum of the two means (A08: 96 real, 256 made).

    non_saturating, saturating (Goodfellow et al., arXiv 1406.2661): `-log D(x)`, `-log(1 - D(G(z)))`; least_squares
    (arXiv 1611.04076, without its 1/2): `(z - 1)^2`, `z^2`; wasserstein (1701.07875): `-z`, `z`; hinge (1705.02894):
    `max(0, 1 - z)`, `max(0, 1 + z)`.
    """
    real, fake, _ = lookup(_GAN, form, 'form of the GAN loss')
    return real(_wide(real_logits)), fake(_wide(fake_logits))


def generator_loss(fake_logits: Float[Array, 'N ...'], form: str = 'non_saturating') -> Float[Array, 'N ...']:
    """What G pays for each made example, by D's logit z on it.

    non_saturating `-log D(G(z))`; saturating `log(1 - D(G(z)))` (the minimax game as written: no gradient where D is
    sure); least_squares `(z - 1)^2`; wasserstein and hinge `-z`.
    """
    return lookup(_GAN, form, 'form of the GAN loss')[2](_wide(fake_logits))


def _wide(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _difference(predictions: Array, targets: Array) -> Array:
    _same(predictions.shape, targets.shape)
    return _wide(predictions) - targets


def _same(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """[N] against [N, 1] would broadcast to [N, N] and train on nonsense."""
    if left != right:
        raise ValueError(f'shapes differ: {left} and {right}')


def clipped_probability_cross_entropy(
    outputs: Float[Array, 'N classes'], labels: Int[Array, 'N'], clip: float = 1e-7
) -> Float[Array, 'N']:
    """Keras's cross-entropy of numbers that are given as probabilities: clipped to [clip, 1 - clip], divided by their sum.

    For outputs of a softmax it is the cross-entropy. For anything else (A05 gives it ReLU outputs) it has no gradient
    where the true class's number lies outside that range.
    """
    clipped = jnp.clip(outputs, clip, 1 - clip)
    true = jnp.take_along_axis(clipped, labels[:, None], axis=-1)[:, 0]
    return jnp.log(clipped.sum(-1)) - jnp.log(true)
