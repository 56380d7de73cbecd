"""Resampling of the training split where classes are imbalanced (B08): fewer, repeated, weighted or made examples.

It comes last: after the split, the limits and everything that is fitted on the training split, so that no row of another
split can have a part in it, and SMOTE measures its distances between scaled features. Pure functions of their arguments.

| strategy | the training split afterwards |
|---|---|
| weighted | the same; an epoch draws from it with replacement, every row of a class with the same chance |
| undersample | a random part of each class that is too large |
| oversample | with randomly drawn copies of the rows of each class that is too small |
| smote | with made rows between neighbours of each class that is too small (Chawla et al., arXiv 1106.1813); columns of
categories take the neighbours' most frequent one (SMOTE-NC, section 6.1 there) |

An epoch draws as many examples as before the resampling, so that all strategies make the same number of updates.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.data.dataset import Sampling
from jaxlab.data.examples import Split
from jaxlab.errors import UserError

STRATEGIES = ('', 'weighted', 'undersample', 'oversample', 'smote')
Codes = Sequence[tuple[int, int]]  # (first, end) of the features of one column of categories
STREAM = 8  # the seed's stream that this module draws from
MADE = -1  # `Split.origin` of a made row: it comes from no row of the source


def balanced(
    splits: Mapping[str, Split], names: Sequence[str], settings: Mapping[str, Any], codes: Codes = ()
) -> tuple[dict[str, Split], Sampling | None, str]:
    """The splits with `train` resampled as the settings ask, what was done (None: nothing), and a sentence about it."""
    strategy, ratio, neighbours = (settings[f'sampling{field}'] for field in ('', '_ratio', '_neighbours'))
    if not strategy:
        return dict(splits), None, ''
    train, sampling = resampled(splits['train'], names, strategy, ratio, neighbours, settings['split_seed'], codes)
    return {**splits, 'train': train}, sampling, note(sampling, names)


def resampled(
    train: Split, names: Sequence[str], strategy: str, ratio: float, neighbours: int, seed: int, codes: Codes = ()
) -> tuple[Split, Sampling]:
    """The training split by the strategy, and what was done to it; `ratio`: smaller class to largest class, afterwards.

    codes: (first, end) of the features that stand for one category each time.
    """
    labels = _labels(train, strategy)
    before = np.bincount(labels, minlength=len(names))
    after = target_counts(before, strategy, ratio)
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, STREAM])))
    sampling = Sampling(strategy, before, after, train.size)
    if strategy == 'weighted':
        return train, Sampling(strategy, before, after, train.size, row_chances(labels, after))
    if strategy == 'undersample':
        return train.take(fewer_rows(labels, after, generator)), sampling
    if strategy == 'oversample':
        return train.take(repeated_rows(labels, after, generator)), sampling
    for number in np.flatnonzero(after > before).tolist():
        if before[number] <= neighbours:
            raise UserError(
                f'data.sampling_neighbours={neighbours} needs more than {neighbours} training examples of a class; '
                f'{names[number]!r} has {before[number]}'
            )
    return _with_made(train, labels, after, neighbours, generator, codes), sampling


def target_counts(counts: np.ndarray, strategy: str, ratio: float = 1.0) -> np.ndarray:
    """Examples of each class afterwards, [C] int. Classes without examples stay so.

    undersample: none has more than (smallest class) / ratio; else: none has fewer than ratio * (largest class).
    """
    present = counts[counts > 0]
    if strategy == 'undersample':
        return np.minimum(counts, round(present.min() / ratio))
    return np.where(counts > 0, np.maximum(counts, round(ratio * present.max())), 0)


def row_chances(labels: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The chance of each row to be drawn, [n] float64, sum 1: a class's share of `after`, over its rows."""
    counts = np.bincount(labels, minlength=len(after))
    return (after / np.maximum(counts, 1))[labels] / after.sum()


def fewer_rows(labels: np.ndarray, after: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rows [sum(after)], in their order: `after[c]` of each class, drawn without replacement."""
    chosen = [generator.permutation(np.flatnonzero(labels == c))[:count] for c, count in enumerate(after)]
    return np.sort(np.concatenate(chosen))


def repeated_rows(labels: np.ndarray, after: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rows [sum(after)]: all in their order, then what each class lacks, drawn with replacement."""
    return np.concatenate([np.arange(len(labels)), _lacking(labels, after, generator)])


def smote(
    features: np.ndarray,
    labels: np.ndarray,
    after: np.ndarray,
    neighbours: int,
    generator: np.random.Generator,
    codes: Codes = (),
) -> tuple[np.ndarray, np.ndarray]:
    """(made features [M, F], the row [M] that each starts from), M = sum(after) - n.

    x_new = x + lambda (x' - x): x a row of the class, x' one of its k nearest rows of the same class (Euclidean, never x
    itself, though it may be a row with the same values), lambda uniform in (0, 1). A category becomes the most frequent one of
    the k neighbours.
    """
    bases = _lacking(labels, after, generator)
    partners = np.empty_like(bases)
    around = np.empty((len(bases), neighbours), np.int64)
    for number in np.unique(labels[bases]):
        rows, mine = np.flatnonzero(labels == number), labels[bases] == number
        near = nearest(distant(features[rows], codes), neighbours)  # [rows, k]
        picked = generator.integers(0, near.shape[1], mine.sum())
        around[mine] = rows[near[np.searchsorted(rows, bases[mine])]]
        partners[mine] = np.take_along_axis(around[mine], picked[:, None], axis=1)[:, 0]
    share = generator.random((len(bases), 1)).astype(features.dtype)
    made = between(features[bases], features[partners], share)
    for first, end in codes:
        kinds, number = np.unique(features[:, first:end], axis=0, return_inverse=True)
        votes = (number.reshape(-1)[around][:, :, None] == np.arange(len(kinds))).sum(axis=1)  # [M, categories]
        made[:, first:end] = kinds[votes.argmax(axis=1)]
    return made, bases


def distant(features: np.ndarray, codes: Codes) -> np.ndarray:
    """The rows of a class as SMOTE-NC measures them: two categories lie apart by the median deviation of the numbers."""
    if not codes:
        return features
    plain = np.ones(features.shape[1], bool)
    for first, end in codes:
        plain[first:end] = False
    apart = float(np.median(features[:, plain].std(axis=0))) if plain.any() else 1.0
    parts = [features[:, plain]]
    for first, end in codes:
        kinds, number = np.unique(features[:, first:end], axis=0, return_inverse=True)
        parts.append(np.eye(len(kinds))[number.reshape(-1)] * apart / np.sqrt(2))
    return np.concatenate(parts, axis=1)


def between(start: np.ndarray, end: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """The points `start + share (end - start)`."""
    return start + share * (end - start)


def nearest(features: np.ndarray, neighbours: int) -> np.ndarray:
    """The k nearest other rows of each row, [n, k] int. (Without an argument, `kneighbors` leaves each row itself out.)"""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=neighbours).fit(features).kneighbors(return_distance=False)


def note(sampling: Sampling, names: Sequence[str]) -> str:
    """What was done to the training split, in words for the user."""
    if sampling.strategy == 'weighted':
        shares = sampling.after / sampling.after.sum()
        drawn = ', '.join(f'{name} {share:.1%}' for name, share in zip(names, shares, strict=True))
        return f'Training examples are drawn with replacement, {sampling.draws:,} an epoch: {drawn}.'
    changes = ', '.join(
        f'{name} {old:,} -> {new:,}'
        for name, old, new in zip(names, sampling.before, sampling.after, strict=True)
        if old != new
    )
    words = {'undersample': 'Undersampling', 'oversample': 'Oversampling', 'smote': 'SMOTE'}[sampling.strategy]
    return f'{words} of the training split alone: {changes or "classes were equal"}; {sampling.draws:,} draws an epoch.'


def _labels(train: Split, strategy: str) -> np.ndarray:
    """Class numbers of all rows, or why there can be no resampling."""
    if train.labels is None or np.ndim(train.labels) != 1 or not np.issubdtype(train.labels.dtype, np.integer):
        raise UserError(f"data.sampling={strategy!r} needs one class an example; valid for this data set: ''")
    if strategy == 'smote' and (train.arrays is None or 'features' not in train.arrays):
        raise UserError(
            "data.sampling='smote' mixes the columns of a table in memory, and this data set has none; "
            "valid: '', weighted, undersample, oversample"
        )
    return np.asarray(train.labels)


def _lacking(labels: np.ndarray, after: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rows drawn with replacement from each class, as many as it lacks."""
    counts = np.bincount(labels, minlength=len(after))
    drawn = [
        generator.choice(np.flatnonzero(labels == c), size=after[c] - counts[c]) for c in np.flatnonzero(after > counts)
    ]
    return np.concatenate(drawn) if drawn else np.zeros(0, np.int64)


def _with_made(
    train: Split, labels: np.ndarray, after: np.ndarray, k: int, generator: np.random.Generator, codes: Codes
) -> Split:
    """The split followed by SMOTE's rows; other columns (the label) are those of the row that a made one starts from."""
    assert train.arrays is not None
    made, bases = smote(train.arrays['features'], labels, after, k, generator, codes)
    added = {**train.read(bases), 'features': made}
    return Split(
        size=train.size + len(bases),
        arrays={name: np.concatenate([values, added[name]]) for name, values in train.arrays.items()},
        origin=np.concatenate([train.origin, np.full(len(bases), MADE)]),
        labels=np.concatenate([labels, labels[bases]]),
    )
