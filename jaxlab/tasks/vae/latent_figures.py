"""What a latent space looks like: where images lie, what lies between them, what each number does."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxlab.figures import Bars, Figure, Images, Points
from jaxlab.tasks.latent import between, lattice

Decode = Callable[[np.ndarray], np.ndarray]  # codes [N, D] -> images [N, H, W, C] in [0, 1]
REACH = 3.0  # of a traversal, in standard deviations of the prior
STEPS = 10
MOST = 2000  # points in a scatter
SHOWN = 8  # latent numbers that are traversed, pairs of images that are joined


def plane(decode: Decode) -> list[Figure]:
    """Of two latent numbers: what is decoded all over the plane, evenly (B22) and at equal shares of the prior."""
    from scipy.stats import norm

    even = np.linspace(-REACH, REACH, STEPS)
    quantiles = norm.ppf((np.arange(STEPS) + 0.5) / STEPS)
    kinds = {
        'latent_plane': ('evenly spaced', even),
        'latent_quantiles': ('at equal shares of N(0, 1): every picture stands for as many samples', quantiles),
    }
    return [
        Images(
            name,
            'What the decoder draws over the latent plane',
            f'first latent number downwards, second to the right, from {axis[0]:.2g} to {axis[-1]:.2g}, {how}',
            decode(lattice(axis)),
            columns=STEPS,
        )
        for name, (how, axis) in kinds.items()
    ]


def traversal(decode: Decode, code: np.ndarray, kl: np.ndarray) -> Images:
    """One number at a time over its prior, the others as in one image's code [D]; those with most divergence [D] first."""
    order = np.argsort(-kl)[:SHOWN]
    axis = np.linspace(-REACH, REACH, STEPS - 1)
    codes = np.tile(code, (len(order), len(axis), 1))
    for row, number in enumerate(order):
        codes[row, :, number] = axis
    note = (
        f'each row moves one latent number from {-REACH:g} to {REACH:g}; the others are those of the first test image; rows by '
        'how many nats they hold'
    )
    labels = [f'z{number + 1}: {kl[number]:.2f}' for number in order]
    images = decode(codes.reshape(-1, code.size))
    return Images(
        'latent_traversal', 'What each latent number does', note, images, row_labels=labels, columns=len(axis)
    )


def scatter(codes: np.ndarray, kl: np.ndarray, labels: np.ndarray | None, names: Sequence[str], split: str) -> Points:
    """Where the images' codes [N, D] lie, by class; of many latent numbers the two that hold most."""
    first, second = np.sort(np.argsort(-kl)[:2]) if codes.shape[1] > 1 else (0, 0)
    shown = codes[:MOST, [first, second]]
    groups = {'images': shown}
    if labels is not None:
        groups = {name: shown[labels[: len(shown)] == number] for number, name in enumerate(names)}
    note = f'means of the codes of {len(shown):,} images of the {split} split, first replica'
    title, x_label, y_label = 'Where the images lie in the latent space', f'z{first + 1}', f'z{second + 1}'
    return Points('latent_codes', title, note, groups, x_label=x_label, y_label=y_label, equal_axes=True)


def divergence(kl: np.ndarray, split: str) -> Bars:
    """Nats that each latent number [D] holds, the most first."""
    order = np.argsort(-kl)[:50]
    note = f'mean over the {split} split, first replica; a number without nats is not used'
    if len(kl) > len(order):
        note += f'; the {len(order)} largest of {len(kl)}'
    names = [f'z{number + 1}' for number in order]
    return Bars('kl_by_latent', 'What each latent number holds', note, names, {'KL': kl[order]}, {}, '', 'nats')


def interpolation(decode: Decode, codes: np.ndarray) -> Images:
    """Between the codes of pairs of images: the first with the second, the third with the fourth ..."""
    pairs = codes[: 2 * min(SHOWN // 2, len(codes) // 2)]
    ways = between(pairs[::2], pairs[1::2], STEPS - 1)
    note = 'each row goes from the code of one image (left) to that of another (right), along the arc between them'
    images = decode(ways.reshape(-1, codes.shape[1]))
    return Images('latent_interpolation', 'Between two images', note, images, columns=STEPS - 1)
