"""Shapes and codings of the worked computations; one clear line where a user's numbers do not fit."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxlab.data.sets.gates import CODINGS, Coding
from jaxlab.errors import UserError, lookup

Numbers = ArrayLike | Sequence[Any]  # arrays, or numbers as a person writes them: nested tuples and lists


def coding_of(name: str) -> Coding:
    """How a unit says no and yes in the coding of that name: `binary` (0, 1) or `bipolar` (-1, 1)."""
    return lookup(CODINGS, name, 'coding')


def as_floats(values: Numbers, what: str, ndim: int) -> Float[Array, '...']:
    """A floating-point array of `ndim` axes in JAX's present precision, or an error that says what is wrong."""
    try:
        array = jnp.asarray(values)
        array = array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)
    except (TypeError, ValueError) as error:
        raise UserError(f'{what}: rows of different length or entries that are not numbers') from error
    if array.ndim != ndim:
        raise UserError(f'{what}: expected {ndim} axes, got shape {array.shape}')
    return array


def same_count(samples: int, targets: int) -> None:
    """Refuses to drop samples in silence (spec C11: three samples, two targets, the third was never used)."""
    if samples != targets:
        raise UserError(f'{samples} samples but {targets} targets: give one target a sample')


def pad_rows(inputs: Float[Array, 'N D'], width: int) -> Float[Array, 'N W']:
    """Samples as rows, a leading 1 (bias) put in front where the weights expect one more entry than a sample has."""
    features = inputs.shape[1]
    if width == features:
        return inputs
    if width == features + 1:
        return jnp.concatenate([jnp.ones_like(inputs[:, :1]), inputs], axis=1)
    raise UserError(
        f'{width} weights do not fit samples of {features} numbers: '
        f'give {features} weights, or {features + 1} with the bias first'
    )


def one_precision(*arrays: Array) -> tuple[Array, ...]:
    """All arrays in the widest precision among them."""
    dtype = jnp.result_type(*arrays)
    return tuple(array.astype(dtype) for array in arrays)


def unit_and_samples(weights: Numbers, inputs: Numbers, targets: Numbers) -> tuple[Array, ...]:
    """The weights of one unit [W], checked samples with their bias [N, W] and targets [N], all in one precision."""
    weights = as_floats(weights, 'weights', 1)
    inputs, targets = as_floats(inputs, 'inputs', 2), as_floats(targets, 'targets', 1)
    same_count(inputs.shape[0], targets.shape[0])
    return one_precision(weights, pad_rows(inputs, weights.shape[0]), targets)


def check_coding(targets: Numbers, coding: str) -> None:
    """Every target must be one of the two values of the coding (on the host: it reads the values)."""
    no, yes = coding_of(coding)
    strange = sorted(set(np.unique(np.asarray(targets))) - {no, yes})
    if strange:
        raise UserError(f'target {strange[0]:g} is not in the {coding} coding: valid are {no:g} and {yes:g}')
