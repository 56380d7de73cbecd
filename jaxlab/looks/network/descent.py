"""How a network is taught: the noise of a batch's gradient against its size, and what update rules do on a surface."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.errors import UserError, lookup
from jaxlab.figures import Figure, Lines, Regions
from jaxlab.looks.network.gradients import bare, gradient
from jaxlab.looks.subject import Subject
from jaxlab.optimizers.surfaces import SURFACES, Path, Surface, best_path

GRID = 160  # points of a drawn map along each side
RULES = (
    ('SGD', {'name': 'sgd'}),
    ('momentum 0.9', {'name': 'momentum'}),
    ('RMSprop', {'name': 'rmsprop'}),
    ('Adam', {'name': 'adam'}),
)


def gradient_variance(
    subject: Subject, *, sizes: Sequence[int] = (1, 4, 16, 64, 256), batches: int = 64, pool: int = 4096
) -> list[Figure]:
    """Variance of a batch's gradient at fixed weights against the batch size: sigma^2 / b, as batches are drawn freely.

    |g - mean|^2, averaged over `batches` batches drawn with replacement from the first `pool` training examples, in
    training mode without augmentation; mean: the gradient of the whole pool. Where the variance lies above the squared
    length of the mean gradient, a batch says more about itself than about the loss.
    """
    count = min(pool, subject.data.splits['train'].size)
    examples = subject.batch('train', np.arange(count))
    largest, draw = max(sizes), np.random.default_rng(0)
    everything = np.resize(np.arange(count), (batches, largest))  # the drawn ones' own population: no other is its mean
    drawn = [draw.choice(everything.ravel(), (batches, largest)) for _ in sizes]
    measure = _measure(subject.task, subject.record.key, batches, largest)
    series: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    signal, places = {}, np.asarray(sizes)
    for label, state in subject.states.items():
        plain, nothing = bare(state), jax.tree.map(jnp.zeros_like, state.params)
        mean, signal[label], _ = measure(plain, examples, nothing, everything, largest)
        noise = [measure(plain, examples, mean, rows, size)[2] for rows, size in zip(drawn, sizes, strict=True)]
        middle = float(np.exp(np.mean(np.log(np.maximum(np.asarray(noise) * places, 1e-30)))))
        series |= {label: (places, np.asarray(noise)), f'{label}: {middle:.3g} / b': (places, middle / places)}
    note = (
        f'{batches} batches of each size, drawn with replacement from {count:,} training examples; training mode, no '
        'augmentation; horizontal: the squared length of the mean gradient; first replica'
    )
    lines = {f'squared mean gradient, {label} ({float(value):.2g})': float(value) for label, value in signal.items()}
    return [
        Lines(
            'gradient_variance',
            'The noise of a gradient falls with the batch size',
            note,
            series,
            'examples in a batch, b',
            'variance of the gradient (sum over all parameters)',
            x_log=True,
            y_log=True,
            markers=True,
            horizontal=lines,
        )
    ]


def _measure(task: Any, key: jax.Array, batches: int, largest: int) -> Callable[..., tuple[Any, jax.Array, jax.Array]]:
    """(state, examples, centre, rows [K, B], size b) -> (mean gradient, its squared length, mean squared distance of the
    gradients from the centre) of K batches of the first b rows each. One program for every size: the rest has weight 0."""

    @jax.jit
    def measure(state: Any, examples: Mapping[str, jax.Array], centre: Any, rows: jax.Array, size: jax.Array) -> Any:
        def add(total: tuple[Any, jax.Array], some: jax.Array) -> tuple[Any, None]:
            batch = {name: array[some] for name, array in examples.items()}
            found = gradient(task, state, {**batch, 'weight': (jnp.arange(largest) < size).astype(jnp.float32)}, key)
            mean = jax.tree.map(lambda sum_, leaf: sum_ + leaf / batches, total[0], found)
            return (mean, total[1] + _square(jax.tree.map(jnp.subtract, found, centre)) / batches), None

        start = jax.tree.map(jnp.zeros_like, centre), jnp.zeros(())
        (mean, distance), _ = jax.lax.scan(add, start, rows)
        return mean, _square(mean), distance

    return measure


def _square(tree: Any) -> jax.Array:
    return sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)), jnp.zeros(()))


def optimizer_paths(
    subject: Subject, *, rules: Sequence[Any] = RULES, surfaces: Sequence[str] = ('ravine', 'beale'), steps: int = 150
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
    heights = np.asarray(surface.function(jnp.asarray(x)[None, :], jnp.asarray(y)[:, None]), np.float64)
    values = np.log10(heights + 1e-3)
    levels = tuple(np.linspace(values.min() + 0.7, values.max() - 0.4, 6))
    groups = {
        'start': np.asarray([surface.start]),
        'minimum': np.asarray([surface.minimum]),
    }
    note = f'f = {surface.formula}; {steps} steps; each rule at the rate, of 31 between 1e-5 and 1, that ends lowest'
    return Regions(
        f'optimizer_paths_{name}',
        f'Ways of the update rules down {surface.title}',
        note,
        groups,
        {label: path.points for label, path in paths.items()},
        x_label='x',
        y_label='y',
        x_range=(left, right),
        y_range=(low, high),
        x=x,
        y=y,
        values=values,
        levels=levels,
        value_label='log10 f',
    )


def _heights(name: str, surface: Surface, paths: Mapping[str, Path], steps: int) -> Lines:
    series = {label: (np.arange(len(path.heights)), np.maximum(path.heights, 1e-12)) for label, path in paths.items()}
    note = f'f = {surface.formula}, 0 at the minimum; values below 1e-12 are drawn there; the same start for all'
    title = f'How deep the update rules get on {surface.title}'
    return Lines(f'optimizer_heights_{name}', title, note, series, 'step', 'f', y_log=True)
