"""How it was trained and split, tried on given numbers: early stopping on a list of losses, a split drawn several times."""

from collections.abc import Sequence

import numpy as np

from jaxlab.data.splits import after_repeated_splits
from jaxlab.figures import Figure, Lines, Table
from jaxlab.looks.subject import Subject
from jaxlab.measures.stopping import stops_after, waiting

PATIENCES, DELTAS = (1, 2, 3, 5, 8), (0.0, 0.01, 0.05)


def patience(subject: Subject, *, losses: tuple = (), patience: int = 5, min_delta: float = 0.0) -> list[Figure]:
    """What early stopping does with these validation losses (B07), and what other settings would have done."""
    del subject
    if not losses:
        return []
    values = [float(loss) for loss in losses]
    log, end = waiting(values, 'min', min_delta), stops_after(values, patience, 'min', min_delta)
    rows = [
        (epoch, f'{value:.4f}', f'{one.best:.4f}', one.waited, _action(one.improved, one.waited, patience))
        for epoch, (value, one) in enumerate(zip(values, log, strict=True), 1)
        if end is None or epoch <= end + 1
    ]
    note = (
        'The stored validation losses, decided by the function that decides in training: '
        f'patience {patience}, min_delta {min_delta:g}.'
    )
    columns = ('epoch', 'validation loss', 'best so far', 'epochs waited', 'what happens')
    others = 'Cells: the epoch after which training stops, and the one with the smallest loss till then, whose weights come back.'
    names = ('patience', *(f'min_delta {delta:g}' for delta in DELTAS))
    settings = [(p, *(_outcome(values, p, delta) for delta in DELTAS)) for p in PATIENCES]
    return [
        _curve(values, end),
        Table('patience', 'Early stopping on the published losses', note, columns, rows),
        Table(
            'patience_settings',
            'The same losses with other settings',
            others,
            names,
            settings,
            align='>' + '<' * len(DELTAS),
        ),
    ]


def _restored(values: Sequence[float], end: int | None) -> int:
    """The epoch, from 1, of the smallest loss up to the evaluation `end`: what the engine's best checkpoint holds."""
    return int(np.argmin(values if end is None else values[: end + 1])) + 1


def _curve(values: Sequence[float], end: int | None) -> Lines:
    epochs, best = np.arange(1, len(values) + 1), _restored(values, end)
    marks = {f'restored: epoch {best}': float(best)}
    marks |= {} if end is None else {f'stopped after epoch {end + 1}': end + 1.0}
    return Lines(
        'patience_curve',
        'The published validation losses',
        'One run of the source.',
        {'validation': (epochs, np.asarray(values))},
        'epoch',
        'loss',
        markers=True,
        vertical=marks,
        horizontal={'coin flip, ln 2': float(np.log(2))},
    )


def _action(improved: bool, waited: int, patience: int) -> str:
    if improved:
        return 'saved'
    return f'{waited}/{patience}, stopped' if waited == patience else f'{waited}/{patience}'


def _outcome(values: Sequence[float], patience: int, min_delta: float) -> str:
    end = stops_after(values, patience, 'min', min_delta)
    return f'{"goes on" if end is None else f"stops after {end + 1}"}, restores {_restored(values, end)}'


def repeated_split(subject: Subject, *, runs: int = 5) -> list[Figure]:
    """How many held-out images are trained on if a split is drawn anew into folders that nobody empties (D1, flaw 1)."""
    data = subject.data
    total = sum(split.size for split in data.splits.values())
    share = 1 - data.splits['train'].size / total
    rows = []
    for count in range(1, runs + 1):
        found = after_repeated_splits(total, share, count)
        train, held, both = (f'{mean:,.0f}' for mean in (found.train, found.held_out, found.both))
        rows.append((count, train, held, both, f'{found.both / found.held_out:.1%}'))
    note = (
        f'Expected numbers for the {total:,} images used here, {share:.0%} held out. Here the split is drawn once from a '
        'seed, and no image is in two parts: that is asserted whenever the data is loaded.'
    )
    columns = ('times drawn', 'in training', 'held out', 'in both', 'share of the held out')
    return [
        Table('repeated_split', 'What a split does that is drawn several times', note, columns, rows, align='>>>>>')
    ]
