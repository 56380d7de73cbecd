"""Surfaces over a plane, and the way that an update rule takes down them: what optimizers do, small enough to draw."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from jaxlab.optimizers.build import as_dict, build_optimizer

RATES = tuple(float(rate) for rate in np.geomspace(1e-5, 1.0, 31))  # six a decade


@dataclasses.dataclass(frozen=True)
class Surface:
    """function: (x, y) -> height, 0 at `minimum`; ranges: of the map that is drawn, x then y."""

    title: str
    formula: str
    function: Callable[[Array, Array], Array]
    start: tuple[float, float]
    minimum: tuple[float, float]
    ranges: tuple[tuple[float, float], tuple[float, float]]

    def height(self, point: Float[Array, '2']) -> Float[Array, '']:
        """Height of the surface at one point."""
        return self.function(point[0], point[1])


def _ravine(x: Array, y: Array) -> Array:
    return (x**2 + 100 * y**2) / 2


def _beale(x: Array, y: Array) -> Array:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _rosenbrock(x: Array, y: Array) -> Array:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


SURFACES: dict[str, Surface] = {
    'ravine': Surface('a ravine', '(x² + 100 y²) / 2', _ravine, (-4.0, 0.8), (0.0, 0.0), ((-5.0, 3.0), (-2.8, 1.4))),
    'beale': Surface(
        "Beale's function",
        '(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²',
        _beale,
        (1.0, 1.5),
        (3.0, 0.5),
        ((-1.2, 4.2), (-2.2, 2.0)),
    ),
    'rosenbrock': Surface(
        "Rosenbrock's valley",
        '(1 − x)² + 100 (y − x²)²',
        _rosenbrock,
        (-1.2, 1.0),
        (1.0, 1.0),
        ((-2.0, 2.0), (-1.0, 2.5)),
    ),
}


@dataclasses.dataclass(frozen=True)
class Path:
    """points: [steps + 1, 2] with the start; heights: [steps + 1]; rate: the learning rate that was taken."""

    points: np.ndarray
    heights: np.ndarray
    rate: float


def descend(block: Mapping[str, Any], surface: Surface, steps: int, rates: Any) -> tuple[Array, Array]:
    """Points [K, steps + 1, 2] and heights [K, steps + 1] of the rule `block` (`config.optimizer`) at K rates.

    Every rule multiplies its direction by the rate last, so one program with the rate as an argument serves all.
    """
    rule = build_optimizer({**as_dict(block), 'learning_rate': 1.0}, steps, steps)
    start = jnp.asarray(surface.start)

    def one(rate: Array) -> Array:
        def step(carry: Any, _: None) -> tuple[Any, Array]:
            point, state = carry
            updates, state = rule.update(jax.grad(surface.height)(point), state, point)
            point = optax.apply_updates(point, rate * updates)
            return (point, state), point

        _, points = jax.lax.scan(step, (start, rule.init(start)), None, steps)
        return jnp.concatenate([start[None], points])

    def all_of(rates: Array) -> tuple[Array, Array]:
        points = jax.vmap(one)(rates)
        return points, jax.vmap(jax.vmap(surface.height))(points)

    return jax.jit(all_of)(jnp.asarray(rates, jnp.float32))


def best_path(block: Mapping[str, Any], surface: Surface, steps: int) -> Path:
    """The path at the rate of `RATES` that ends lowest."""
    points, heights = (np.asarray(array) for array in descend(block, surface, steps, RATES))
    last = np.where(np.isfinite(heights).all(1), heights[:, -1], math.inf)
    best = int(np.argmin(last))
    return Path(points[best], heights[best], RATES[best])
