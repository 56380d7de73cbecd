"""How a network is taught: the noise of a batch's gradient against its size, and what update rules do on a surface."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.errors import UserError, lookup
from jaxlab.figures import Figure, Lines, Regions
from jaxlab.optimizers.surfaces import SURFACES, Path, Surface, best_path
from jaxlab.tasks.inside.gradients import KEEPING, gradient
from jaxlab.tasks.inside.subject import Subject

GRID = 160  # points of a drawn map along each side
CHUNK = 256  # examples whose gradient is taken at a time


def gradient_variance(
    subject: Subject, *, sizes: Sequence[int] = (1, 4, 16, 64, 256), batches: int = 64, pool: int = 4096
) -> list[Figure]:
    """Variance of a batch's gradient at fixed weights against the batch size: sigma^2 / b, as batches are drawn freely.

    |g - mean|^2, averaged over `batches` batches drawn with replacement from the first `pool` training examples, in
    training mode without augmentation; mean: the gradient of the whole pool. Where the variance lies above the length
    of the mean gradient squared, a batch says more about itself than about the loss.
    """
    train = subject.data.splits['train']
    count = min(pool, train.size - train.size % min(CHUNK, train.size))
    examples = subject.batch('train', np.arange(count))
    measure = _measure(subject.task, subject.record.key)
    drawn = [np.random.default_rng(0).integers(count, size=(batches, size)) for size in sizes]
    series: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    signal, places = {}, np.asarray(sizes)
    for label, state in subject.states.items():
        bare = state.replace(tx=KEEPING, opt_state=())  # both through one program
        mean, signal[label] = measure.mean(bare, examples)
        noise = np.asarray([float(measure.variance(bare, examples, mean, rows)) for rows in drawn])
        middle = float(np.exp(np.mean(np.log(np.maximum(noise * places, 1e-30)))))
        series |= {label: (places, noise), f'{label}: {middle:.3g} / b': (places, middle / places)}
    note = (
        f'{batches} batches of each size, drawn with replacement from {count:,} training examples; training mode, no '
        'augmentation; horizontal: the squared length of the mean gradient; first replica'
    )
    lines = {f'squared mean gradient, {label} ({float(value):.2g})': float(value) for label, value in signal.items()}
    return [
        Lines(
            'gradient_variance', 'The noise of a gradient falls with the batch size', note, series,
            'examples in a batch, b', 'variance of the gradient (sum over all parameters)', x_log=True, y_log=True,
            markers=True, horizontal=lines,
        )
    ]  # fmt: skip


class _Measure(NamedTuple):
    mean: Callable[..., Any]  # (state, examples) -> (gradient of all of them, its squared length)
    variance: Callable[
        ..., jax.Array
    ]  # (state, examples, mean, rows [K, b]) -> mean squared distance of K batches from it


def _measure(task: Any, key: jax.Array) -> _Measure:
    """Compiled once for both states."""

    def of_rows(state: Any, examples: Mapping[str, jax.Array], rows: jax.Array) -> Any:
        return gradient(task, state, {name: array[rows] for name, array in examples.items()}, key)

    def mean(state: Any, examples: Mapping[str, jax.Array]) -> tuple[Any, jax.Array]:
        rows = jnp.arange(len(examples['weight']))
        parts = jax.lax.map(lambda some: of_rows(state, examples, some), rows.reshape(-1, min(CHUNK, len(rows))))
        whole = jax.tree.map(lambda leaf: leaf.mean(0), parts)
        return whole, _square(whole)

    def variance(state: Any, examples: Mapping[str, jax.Array], mean: Any, rows: jax.Array) -> jax.Array:
        def distance(some: jax.Array) -> jax.Array:
            return _square(jax.tree.map(jnp.subtract, of_rows(state, examples, some), mean))

        return jax.lax.map(distance, rows).mean()

    return _Measure(jax.jit(mean), jax.jit(variance))


def _square(tree: Any) -> jax.Array:
    return sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)), jnp.zeros(()))


def optimizer_paths(
    subject: Subject, *, rules: Sequence[Any] = (), surfaces: Sequence[str] = ('ravine', 'beale'), steps: int = 150
) -> list[Figure]:
    """The ways of update rules down a surface from one start, each at the rate that leads it lowest in `steps` steps.

    rules: pairs (label, optimizer block). A figure a surface, and the heights by step. The ravine lies along the axes,
    which suits rules with a rate for each coordinate (RMSprop, Adam).
    """
    where = 'config.report.options.figures: optimizer_paths'
    if not rules or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in rules):
        raise UserError(f"{where}: rules = {rules!r}; valid: pairs ('label', {{'name': 'sgd', ...}})")
    chosen = [lookup(SURFACES, name, f'{where}: surface') for name in surfaces]
    figures: list[Figure] = []
    for name, surface in zip(surfaces, chosen, strict=True):
        paths = {str(label): best_path(dict(block.items()), surface, steps) for label, block in rules}
        shown = {f'{label} (rate {path.rate:.2g})': path for label, path in paths.items()}
        figures += [_map(name, surface, shown, steps), _heights(name, surface, shown, steps)]
    return figures


def _map(name: str, surface: Surface, paths: Mapping[str, Path], steps: int) -> Regions:
    (left, right), (low, high) = surface.ranges
    x, y = np.linspace(left, right, GRID), np.linspace(low, high, GRID)
    heights = np.asarray(surface.function(x[None, :], y[:, None]), np.float64)
    values = np.log10(heights + 1e-3)
    levels = tuple(np.linspace(values.min() + 0.7, values.max() - 0.4, 6))
    groups = {
        'start': np.asarray([surface.start]),
        'minimum': np.asarray([surface.minimum]),
    }
    note = f'f = {surface.formula}; {steps} steps; each rule at the rate, of 31 between 1e-5 and 1, that ends lowest'
    return Regions(
        f'optimizer_paths_{name}', f'Ways of the update rules down {surface.title}', note, groups,
        {label: path.points for label, path in paths.items()}, x_label='x', y_label='y', x_range=(left, right),
        y_range=(low, high), x=x, y=y, values=values, levels=levels, value_label='log10 f',
    )  # fmt: skip


def _heights(name: str, surface: Surface, paths: Mapping[str, Path], steps: int) -> Lines:
    series = {label: (np.arange(len(path.heights)), np.maximum(path.heights, 1e-12)) for label, path in paths.items()}
    note = f'f = {surface.formula}, 0 at the minimum; values below 1e-12 are drawn there; the same start for all'
    title = f'How deep the update rules get on {surface.title}'
    return Lines(f'optimizer_heights_{name}', title, note, series, 'step', 'f', y_log=True)
