"""Lengths that batches of sequences are cut to, and orders in which sequences of similar length meet.

Pure functions of lengths and seeds.
"""

from collections.abc import Mapping

import numpy as np

from jaxlab.data.splits import epoch_order

MIXED = 7  # the stream of orders that batches are mixed by
ENDS = 1024  # different lengths that are weighed against each other; of more, every second, third, ... is


def bounds(lengths: np.ndarray, count: int) -> np.ndarray:
    """At most `count` lengths, rising, that leave the least padding where each example [n] is padded to the next of them.

    The last is that of the longest example. Exact by dynamic programming over the different lengths.
    """
    values, counts = np.unique(lengths, return_counts=True)
    ends = values[:: -(len(values) // ENDS + 1)][::-1]
    below = np.concatenate([[0], np.cumsum(counts)[np.searchsorted(values, ends)]])  # examples up to each end
    places = np.arange(len(below))
    # cells[i, j]: what the examples above end i take, padded to end j
    cells = (below[None, :] - below[:, None]) * np.concatenate([[0], ends])[None, :].astype(np.float64)
    cells[places[:, None] > places[None, :]] = np.inf
    best, cuts = np.where(places == 0, 0.0, np.inf), []
    for _ in range(count):
        whole = best[:, None] + cells
        best = whole.min(axis=0)
        cuts.append(whole.argmin(axis=0))
    found, place = [], len(ends)
    for cut in reversed(cuts):
        if cut[place] < place:
            found.append(ends[place - 1])
        place = cut[place]
    return np.array(found[::-1])


def shapes(lengths: Mapping[str, np.ndarray], widths: Mapping[str, int], count: int) -> tuple[dict[str, int], ...]:
    """At most `count` shapes that batches are cut to, the smallest first: field -> length.

    lengths: field -> [n]; widths: field -> its padded length, which is that of the last shape. Of several fields the sum
    of their lengths is what is bounded.
    """
    total = np.sum(list(lengths.values()), axis=0)
    found = [
        {field: int(values[total <= bound].max()) for field, values in lengths.items()}
        for bound in bounds(total, count)[:-1]
    ]
    return (*found, dict(widths))


def numbers(lengths: Mapping[str, np.ndarray], shapes: tuple[Mapping[str, int], ...]) -> np.ndarray:
    """[n] int32: the first shape that holds each example."""
    found = np.zeros(len(next(iter(lengths.values()))), np.int32)
    for shape in shapes[:-1]:
        found += np.any([values > shape[field] for field, values in lengths.items()], axis=0)
    return found


def gathered(order: np.ndarray, numbers: np.ndarray, batch_size: int, epoch: int) -> np.ndarray:
    """The order [n] of an epoch so that examples of one number stand in the same batch, and the batches mixed.

    Among those of one number it stays as it is, and so does a short last batch. The batches are mixed alike for all
    seeds, so that replicas that are trained side by side have batches of the same length at the same time.
    """
    full = order[: len(order) // batch_size * batch_size]
    batches = full[np.argsort(numbers[full], kind='stable')].reshape(-1, batch_size)
    mixed = batches[epoch_order(0, epoch, len(batches), MIXED)]
    return np.concatenate([mixed.reshape(-1), order[len(full) :]])
