"""Transforms of values rather than places: brightness, contrast, cutout and mixup."""

import jax
import jax.numpy as jnp

from jaxlab.data.dataset import Batch
from jaxlab.data.transforms.common import Context, Pair, example_keys, image_of, like, number, pair, uniform
from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import first_example, whole_batch

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and torchvision turn colour into grey


def brightness(batch: Batch, key: jax.Array, context: Context, *, amount: float = 0.2) -> Batch:
    """Multiplies the light (black = 0) by a factor from 1 - amount to 1 + amount; cut to the range."""
    image = image_of(batch)
    factor = _factor(key, image, 'brightness', amount)
    return _blend(batch, context, factor, jnp.float32(0))


def contrast(batch: Batch, key: jax.Array, context: Context, *, amount: float = 0.2) -> Batch:
    """Stretches the distance to the image's mean grey by a factor from 1 - amount to 1 + amount; cut to the range."""
    image = image_of(batch)
    factor = _factor(key, image, 'contrast', amount)
    light = _light(image, context)
    grey = (light * jnp.array(LUMA)).sum(-1) if image.shape[-1] == 3 else light.mean(-1)
    return _blend(batch, context, factor, grey.mean((1, 2))[:, None, None, None])


def _factor(key: jax.Array, image: jax.Array, transform: str, amount: float) -> jax.Array:
    amount = number(transform, 'amount', amount, 0, 1)
    return uniform(key, image.shape[0], 1 - amount, 1 + amount)[:, :, None, None]


def _light(image: jax.Array, context: Context) -> jax.Array:
    """The image in 0 (black) to 1 (white), float32."""
    black, white = context.black(image), context.white(image)
    return (image.astype(jnp.float32) - black) / (white - black)


def _blend(batch: Batch, context: Context, factor: jax.Array, other: jax.Array) -> Batch:
    """factor * light + (1 - factor) * other, cut to 0..1 and brought back to the image's range."""
    image = batch['image']
    light = jnp.clip(factor * _light(image, context) + (1 - factor) * other, 0, 1)
    black, white = context.black(image), context.white(image)
    return {**batch, 'image': like(image, black + (white - black) * light)}


def cutout(batch: Batch, key: jax.Array, context: Context, *, size: Pair = 8, value: float = 0.5) -> Batch:
    """Covers a rectangle of `size` pixels around a random pixel; what reaches over the edge is cut off.

    value: its light, 0 black to 1 white. Source: T. DeVries, G. Taylor, arXiv 1708.04552.
    """
    image = image_of(batch)
    count, height, width = image.shape[:3]
    sides = pair('cutout', 'size', size, 1, max(height, width))
    value = number('cutout', 'value', value, 0, 1)
    centre = jnp.floor(uniform(key, count, 0, (height, width), draws=2))

    def covered(axis: int, length: int) -> jax.Array:
        start = centre[:, axis, None] - jnp.floor(sides[axis] / 2)
        place = jnp.arange(length)
        return (place >= start) & (place < start + sides[axis])

    hole = covered(0, height)[:, :, None, None] & covered(1, width)[:, None, :, None]
    colour = context.black(image) + value * (context.white(image) - context.black(image))
    return {**batch, 'image': jnp.where(hole, like(image, colour), image)}


def mixup(batch: Batch, key: jax.Array, context: Context, *, alpha: float = 0.2) -> Batch:
    """Mixes each example with another of the batch: x = s x_i + (1 - s) x_j, s from Beta(alpha, alpha).

    Adds batch['target'] [N, classes] float32, the same mixture of the one-hot labels; 'label' stays that of x_i.
    Padding rows (weight 0) are nobody's partner. Source: H. Zhang et al., arXiv 1710.09412.
    """
    image = image_of(batch)
    if not context.classes or 'label' not in batch:
        raise UserError("transform 'mixup' needs class labels; this data set has none")
    alpha = number('mixup', 'alpha', alpha, 1e-3, 100)
    count = image.shape[0]
    target = batch.get('target', jax.nn.one_hot(batch['label'], context.classes))
    weight = batch.get('weight', jnp.ones(count))
    everyone = whole_batch((image, target, weight))
    order = jax.random.permutation(key, everyone[2].shape[0])
    partner = jax.lax.dynamic_slice_in_dim(order, first_example(count), count)
    other_image, other_target, other_weight = jax.tree.map(lambda values: values[partner], everyone)
    keys = example_keys(jax.random.fold_in(key, 1), count)
    share = jax.vmap(lambda one: jax.random.beta(one, alpha, alpha))(keys)
    share = jnp.where(other_weight > 0, share, 1.0)
    mixed = _mix(share[:, None, None, None], image.astype(jnp.float32), other_image.astype(jnp.float32))
    return {**batch, 'image': like(image, mixed), 'target': _mix(share[:, None], target, other_target)}


def _mix(share: jax.Array, one: jax.Array, other: jax.Array) -> jax.Array:
    return share * one + (1 - share) * other
