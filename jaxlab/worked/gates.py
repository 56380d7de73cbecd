r"""Threshold gates: logic from units that fire at $w\cdot x \ge \theta$ (spec C01, C18; by hand C19; repeats C20, C21).

A gate is a small network of such units, given as data; nothing is learned. The interval of thresholds that give the
same truth table says how much room a choice leaves: a threshold at its closed end sits exactly on a net (margin 0).
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.errors import UserError
from jaxlab.worked import shapes
from jaxlab.worked.shapes import Numbers


class GateTrace(NamedTuple):
    """One layer of threshold units on all samples."""

    inputs: Float[Array, 'N D']
    weights: Float[Array, 'U D']
    thresholds: Float[Array, 'U']
    net: Float[Array, 'N U']
    output: Float[Array, 'N U']


class Interval(NamedTuple):
    """Thresholds in (low, high] give the wanted truth table; empty when low >= high."""

    low: float
    high: float

    @property
    def possible(self) -> bool:
        """Whether some threshold gives this gate: the interval that the samples leave is not empty."""
        return self.low < self.high


def truth_inputs(count: int = 2, coding: str = 'binary') -> Float[np.ndarray, 'N D']:
    """All input rows in counting order: (0,0), (0,1), (1,0), (1,1)."""
    return np.array(list(itertools.product(shapes.coding_of(coding), repeat=count)), np.float64)


def threshold_layer(
    inputs: Numbers, weights: Numbers, thresholds: Numbers, coding: str = 'binary', fires_at_threshold: bool = True
) -> GateTrace:
    """Units that fire where w . x >= theta (or only above it)."""
    inputs, weights = shapes.as_floats(inputs, 'inputs', 2), shapes.as_floats(weights, 'weights', 2)
    thresholds = shapes.as_floats(thresholds, 'thresholds', 1)
    if inputs.shape[1] != weights.shape[1]:
        raise UserError(f'{weights.shape[1]} weights do not fit samples of {inputs.shape[1]} numbers')
    if weights.shape[0] != thresholds.shape[0]:
        raise UserError(f'{weights.shape[0]} units but {thresholds.shape[0]} thresholds')
    no, yes = shapes.coding_of(coding)
    net = inputs @ weights.T
    fires = net >= thresholds if fires_at_threshold else net > thresholds
    return GateTrace(inputs, weights, thresholds, net, jnp.where(fires, yes, no).astype(net.dtype))


def gate(
    inputs: Numbers, layers: tuple, coding: str = 'binary', fires_at_threshold: bool = True
) -> tuple[GateTrace, ...]:
    """A network of threshold units; layers: (weights [U][D], thresholds [U]) each. One trace a layer."""
    traces, values = [], inputs
    for weights, thresholds in layers:
        traces.append(threshold_layer(values, weights, thresholds, coding, fires_at_threshold))
        values = traces[-1].output
    return tuple(traces)


def threshold_interval(net: Numbers, wanted: Numbers) -> Interval:
    """All thresholds for which a unit with these nets answers as wanted (`wanted`: larger value = fires)."""
    net, wanted = np.asarray(net, np.float64), np.asarray(wanted, np.float64)
    shapes.same_count(len(net), len(wanted))
    fires = wanted > 0.5 * (wanted.min() + wanted.max())
    if wanted.min() == wanted.max():
        fires = wanted > 0
    low = float(net[~fires].max()) if (~fires).any() else -np.inf
    high = float(net[fires].min()) if fires.any() else np.inf
    return Interval(low, high)


def margin(net: Numbers, threshold: float, weights: Numbers) -> float:
    """Least distance of a sample to the line w . x = theta."""
    return float(np.min(np.abs(np.asarray(net, np.float64) - threshold)) / np.linalg.norm(np.asarray(weights, float)))
