"""XOR with a 2-2-1 sigmoid network: the published start epoch by epoch, and a thousand starts at once (A02)."""

import dataclasses

import numpy as np

from jaxlab.figures import Figure, Table
from jaxlab.protocol import Report
from jaxlab.worked import network, online
from jaxlab.worked.cases.xor import A02, A02_BY_SEED
from jaxlab.worked.gradient_check import check_gradients
from jaxlab.worked.online import OnlineRun
from jaxlab.worked.pages.parts import by_name, once
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import latex, passes
from jaxlab.worked.show import xor as drawn

FRAMES = (0, 50, 200, 688, 1000, 1500, 2000, 2500, 3000, 3283, 4000, 6000, 10_000)


def page(settings: Settings) -> Report:
    """The first update worked, the whole training with its curves and map, the thousand starts, and without the stop."""
    rate, most = settings.learning_rate or A02.learning_rate, settings.epochs or A02.max_epochs
    weights = online.legacy_start(A02.seed, A02.sizes)
    _, first = network.backprop_epoch(weights, A02.inputs, A02.targets, A02.activations, rate)
    run, starts = (
        train(weights, rate, most),
        online.train_starts(
            online.legacy_starts(range(A02.starts), A02.sizes), A02.inputs, A02.targets, A02.activations, rate, most
        ),
    )
    figures: list[Figure] = list(passes.backward_worked(first, A02.activations, rate, 'A02', 'XOR, first epoch', 1))
    drawn_graph = passes.graph(passes.iteration(first, 0), 'graph_A02', 'The network at its first sample')
    figures += [drawn_graph] if drawn_graph else []
    figures.append(passes.check_table(check_gradients(weights, A02.inputs, A02.targets, A02.activations), 'A02'))
    figures += drawn.xor_figures(run, A02.inputs, A02.targets, A02.activations, starts, most)
    figures += [
        passes.weights_table(run.weights, 'xor_weights', 'Weights'),
        answers(weights, run, rate, most),
        seeds(rate, most),
    ]
    figures.append(learning(weights, rate, most))
    by_name(figures)
    final = np.asarray(network.forward(A02.inputs, run.weights, A02.activations)[-1].output[0])
    converged = int(np.sum(np.asarray(starts.converged)))
    metrics = once(
        epochs=run.epochs,
        final_mse=np.mean((final - np.array(A02.targets)) ** 2),
        output_of_yes_and_yes=final[3],
        starts=A02.starts,
        starts_converged=converged,
        median_epochs=np.median(np.asarray(starts.epochs)[np.asarray(starts.converged)]) if converged else np.nan,
    )
    outcome = f'yes, after {run.epochs} epochs' if run.converged else f'not within {run.epochs} epochs'
    return Report(
        figures,
        metrics,
        (A02.note,),
        ('backward_A02_1', 'xor_answers', 'xor_starts_table'),
        f'From the published start {outcome}; of {A02.starts:,} random starts {converged} converge within {most:,} epochs.',
        comparable=settings.as_published,
    )


def train(weights: network.Weights, rate: float, most: int, stop: bool = True) -> OnlineRun:
    """One training from a start."""
    return online.train_online(weights, A02.inputs, A02.targets, A02.activations, rate, most, stop)


def answers(weights: network.Weights, run: OnlineRun, rate: float, most: int) -> Table:
    """What the network says before, when it stops, and when it does not stop."""
    longer = train(weights, rate, most, stop=False)
    columns = [
        np.asarray(network.forward(A02.inputs, each, A02.activations)[-1].output[0])
        for each in (weights, run.weights, longer.weights)
    ]
    rows = [
        (latex.text_vector(x), latex.text_number(t), *(float(column[n]) for column in columns))
        for n, (x, t) in enumerate(zip(np.array(A02.inputs).T, A02.targets))
    ]
    squares = [float(np.mean((column - np.array(A02.targets)) ** 2)) for column in columns]
    note = (
        f'Training stops at epoch {run.epochs}, when all four lie on the right side of 0.5: the last one is almost '
        f'undecided. Without that rule it goes on to epoch {most}.'
    )
    columns_named = ('x', 'target', 'start', f'epoch {run.epochs}', f'epoch {most}')
    return Table('xor_answers', 'The four answers', note, columns_named, [*rows, ('MSE', '', *squares)], '<>>>>', 6)


def seeds(rate: float, most: int) -> Table:
    """The listed seeds and one that fails."""
    found = online.train_starts(
        online.legacy_starts((*A02_BY_SEED, 1), A02.sizes), A02.inputs, A02.targets, A02.activations, rate, most
    )
    rows = [
        (seed, int(epochs) if done else f'not within {most}', A02_BY_SEED.get(seed, f'not within {A02.max_epochs}'))
        for seed, epochs, done in zip((*A02_BY_SEED, 1), found.epochs, found.converged)
    ]
    return Table(
        'xor_seeds',
        'Other seeds',
        'Specification: learning rate 0.1, at most 10,000 epochs.',
        ('seed', 'epochs until the stop', 'specification'),
        rows,
        '>>>',
    )


def learning(weights: network.Weights, rate: float, most: int) -> Figure:
    """The map at some epochs of a training that is not stopped."""
    snapshots, at = [(0, weights)], 0
    for epoch in [epoch for epoch in FRAMES if 0 < epoch <= most]:
        weights, at = train(weights, rate, epoch - at, stop=False).weights, epoch
        snapshots.append((epoch, weights))
    figure = drawn.learning(snapshots, A02.inputs, A02.targets, A02.activations)
    return dataclasses.replace(figure, note='Without the stop rule.')
