"""The embedded handwritten digits: 1,797 real 8x8 scans that ship inside scikit-learn.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998
(test part). Brought to MNIST's form: 20x20 by bicubic interpolation, centred in 28x28, grey values 0..255.
"""

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.data.sources import Request, checksum
from jaxlab.data.splits import stratified
from jaxlab.files import path_of

# The file itself: importing scikit-learn takes longer than importing jax.
FILE = 'package:sklearn/datasets/data/digits.csv.gz'
SPLIT_SEED = 0  # of the fixed 80/20 split that stands in for the official one
NAMES = tuple(str(digit) for digit in range(10))


def bicubic_matrix(size: int, new_size: int) -> np.ndarray:
    """[new_size, size] float64: interpolation along one axis (Keys's kernel, a = -1/2; half-pixel centres)."""
    centres = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    matrix = np.zeros((new_size, size))
    for tap in range(-1, 3):
        source = np.floor(centres).astype(int) + tap
        distance = np.abs(centres - source)
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        np.add.at(matrix, (np.arange(new_size), source.clip(0, size - 1)), np.where(distance <= 1, near, far))
    return matrix


def enlarge(images: np.ndarray) -> np.ndarray:
    """[N, 8, 8] float in 0..16 -> [N, 28, 28, 1] uint8 in 0..255."""
    matrix = bicubic_matrix(8, 20)
    enlarged = matrix @ (images * (255 / 16)) @ matrix.T
    # The last term makes exact halves round alike whatever the order of summation was.
    grey = np.floor(enlarged + 0.5 + 1e-6).clip(0, 255).astype(np.uint8)
    return np.pad(grey, ((0, 0), (4, 4), (4, 4)))[..., None]


def read(request: Request) -> Raw:
    """Stands in for MNIST and Fashion-MNIST: 1,437 training and 360 test digits, stratified, always the same ones."""
    rows = np.loadtxt(path_of(FILE), delimiter=',')
    arrays = {'image': enlarge(rows[:, :64].reshape(-1, 8, 8)), 'label': rows[:, 64].astype(np.int32)}
    train, test = stratified(arrays['label'], 0.2, SPLIT_SEED)
    parts = [{name: values[rows] for name, values in arrays.items()} for rows in (np.sort(train), np.sort(test))]
    note = (
        f'embedded data: 1,797 handwritten 8x8 digits (scikit-learn), brought to 20x20 and centred in 28x28, '
        f'stand in for {request.name}; results are not comparable with published ones.'
    )
    return Raw(
        source='embedded',
        parts={'train': in_memory(parts[0]), 'test': in_memory(parts[1], first_row=len(train))},
        features={'image': Image.of((28, 28, 1)), 'label': ClassLabel(NAMES)},
        description='1,797 handwritten digits by 43 people, 8x8 grey values, enlarged to 28x28 (UCI, via scikit-learn)',
        licence='CC BY 4.0',
        checksum=checksum(*parts),
        notes=(note,),
        stand_in=True,
    )
