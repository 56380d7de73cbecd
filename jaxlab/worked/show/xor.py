"""XOR: curves, map, hidden plane, a thousand starts (A02)."""

import dataclasses

import numpy as np

from jaxlab.figures import Animation, Figure, Histogram, Lines, Points, Regions, Table
from jaxlab.worked import network
from jaxlab.worked.online import OnlineRun, Starts
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show import planes


def curves(run: OnlineRun) -> tuple[Lines, Lines]:
    """Misclassified share (as published) and the MSE that shows what it hides."""
    epochs = np.arange(1, run.epochs + 1)
    note = 'Counted online: each prediction before its own update.'
    return (
        Lines('xor_error', 'Convergence curve', note, {'error': (epochs, run.errors)}, 'epoch', 'share misclassified'),
        Lines(
            'xor_mse',
            'Mean squared error',
            note,
            {'MSE': (epochs, run.mse)},
            'epoch',
            'mean squared error',
            x_log=True,
            y_log=True,
        ),
    )


def output_map(
    weights: network.Weights,
    inputs: Numbers,
    targets: Numbers,
    activations: network.Names,
    nodes: int = 200,
    title: str = 'Network output',
) -> Regions:
    """The output over the plane, cut at 0.5. inputs: columns."""
    points = np.asarray(inputs, np.float64).T

    def answer(grid):
        return network.forward(grid.T, weights, activations)[-1].output[0]

    drawn = planes.regions('xor_map', title, answer, points, np.ravel(targets), (0.5,), 'output', nodes=nodes)
    share = float(np.mean(drawn.values >= 0.5))
    outputs = ', '.join(f'{value:.4f}' for value in np.asarray(answer(points)))
    note = f'Outputs of the samples: {outputs}. {share:.1%} of the map is above 0.5.'
    return dataclasses.replace(drawn, note=note)


def hidden_plane(weights: network.Weights, inputs: Numbers, targets: Numbers, activations: network.Names) -> Points:
    """The samples as the two hidden units see them, and the output unit's line there."""
    layers = network.forward(inputs, weights, activations)
    hidden, last = np.asarray(layers[0].output).T, np.asarray(weights[1])
    title = 'The hidden plane: one line is enough'
    return planes.hidden_plane('xor_hidden', title, last[0], hidden, np.ravel(targets))


def start_histogram(starts: Starts, max_epochs: int) -> Histogram:
    """Epochs of the starts that converge."""
    epochs, converged = np.asarray(starts.epochs), np.asarray(starts.converged)
    return Histogram(
        'xor_starts',
        'Epochs until the stop',
        f'{converged.sum()} of {len(epochs)} random starts converge within {max_epochs} epochs; the other '
        f'{(~converged).sum()} are left out.',
        {'converged starts': epochs[converged].astype(float)},
        40,
        'epochs',
    )


def start_table(starts: Starts, published: str = '') -> Table:
    """Share, quartiles, fastest and slowest."""
    epochs, converged = np.asarray(starts.epochs), np.asarray(starts.converged)
    count, done = len(epochs), int(converged.sum())
    share = done / count
    z = 1.959964
    middle, half = (share + z**2 / (2 * count)), z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = (middle - half) / (1 + z**2 / count), (middle + half) / (1 + z**2 / count)
    rows = [('starts', str(count)), ('converged', f'{done} ({share:.1%}; Wilson 95 % {low:.1%} to {high:.1%})')]
    if done:
        quartiles = np.percentile(epochs[converged], [25, 50, 75])
        ids = np.flatnonzero(converged)
        rows += [
            ('median epochs (quartiles)', f'{quartiles[1]:g} ({quartiles[0]:g} to {quartiles[2]:g})'),
            ('fastest', f'{epochs[converged].min()} (start {ids[epochs[converged].argmin()]})'),
            ('slowest', f'{epochs[converged].max()} (start {ids[epochs[converged].argmax()]})'),
        ]
    if done < count:
        stuck = np.asarray(starts.mse)[~converged]
        rows.append(('MSE of the others', f'{stuck.min():.4f} to {stuck.max():.4f}, median {np.median(stuck):.4f}'))
    return Table('xor_starts_table', 'How often a random start learns XOR', published, ('what', 'value'), rows, '<<')


def learning(
    snapshots: list[tuple[int, network.Weights]], inputs: Numbers, targets: Numbers, activations: network.Names
) -> Animation:
    """Maps of the network's output over the input plane at some epochs."""
    frames = [output_map(weights, inputs, targets, activations, 61, f'epoch {epoch}') for epoch, weights in snapshots]
    return Animation('xor_learning', 'The output while it learns', '', frames, 0.5)


def xor_figures(
    run: OnlineRun,
    inputs: Numbers,
    targets: Numbers,
    activations: network.Names,
    starts: Starts | None = None,
    max_epochs: int = 10_000,
) -> list[Figure]:
    """Everything of one run and of the starts."""
    figures: list[Figure] = [*curves(run), output_map(run.weights, inputs, targets, activations)]
    if len(run.weights) == 2 and run.weights[1].shape[1] == 3:
        figures.append(hidden_plane(run.weights, inputs, targets, activations))
    if starts is not None:
        figures += [start_table(starts), start_histogram(starts, max_epochs)]
    return figures
