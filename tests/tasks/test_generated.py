"""What is said of made images: which training image is nearest, and by what distance; how even the classes are."""

import numpy as np
import pytest

from jaxlab.data.dataset import Dataset, in_memory
from jaxlab.tasks import generated

MADE = np.array([0.1, 0.2, 0.3, 0.4])
# Each of the others is nearest by another measure: sums of sizes, the largest difference, differences of the images less
# their means, angles. By squares it is `near`.
REAL = {
    'sizes': MADE + [0.5, 0.0, 0.0, 0.0],  # squares 0.25, sizes 0.5, largest 0.5
    'near': MADE + [0.3, 0.3, 0.1, 0.1],  # squares 0.20, sizes 0.8, largest 0.3
    'largest': MADE + [0.24, -0.24, 0.24, 0.24],  # squares 0.23, largest 0.24
    'shifted': MADE + 0.4,  # the same image, brighter: squares 0.64
    'stretched': MADE * 2.2,  # the same direction: squares 0.43
}


def data_of(images: np.ndarray) -> Dataset:
    split = in_memory({'image': images, 'label': np.zeros(len(images), np.int32)})
    return Dataset('made', 'embedded', {'train': split}, ('one',), '', '', '')


@pytest.mark.parametrize('first', range(len(REAL)))
def test_the_nearest_is_by_squared_differences(first):
    """Wherever it stands among the others; the distance is the root of the mean square."""
    names = np.roll(list(REAL), first)
    data = data_of(np.stack([REAL[name] for name in names]).reshape(-1, 2, 2, 1).astype(np.float32))
    shown = generated.nearest(MADE.reshape(1, 2, 2, 1).astype(np.float32), data)
    np.testing.assert_allclose(shown.images[0].ravel(), MADE, atol=1e-6)
    np.testing.assert_allclose(shown.images[1].ravel(), REAL['near'], atol=1e-6)
    assert list(shown.captions) == ['made', f'r.m.s. {(0.2 / 4) ** 0.5:.2f}'] and shown.columns == 1


def test_each_made_image_has_its_own_nearest_and_a_copy_is_at_no_distance():
    """Bytes are brought to [0, 1] first."""
    real = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 1), np.uint8)
    made = (real[[7, 31, 2]] / 255).astype(np.float32)
    made[1] += 0.02
    shown = generated.nearest(made, data_of(real))
    np.testing.assert_allclose(shown.images[3:], real[[7, 31, 2]] / 255, atol=1e-6)
    assert list(shown.captions)[3:] == ['r.m.s. 0.00', 'r.m.s. 0.02', 'r.m.s. 0.00'] and shown.columns == 3


def test_entropy_of_classes():
    assert generated.entropy(np.full(10, 0.1)) == pytest.approx(np.log(10))
    assert generated.entropy(np.array([1.0, 0.0])) == 0
    assert generated.entropy(np.array([0.5, 0.25, 0.25])) == pytest.approx(1.5 * np.log(2))


@pytest.mark.parametrize('count', [1, 250, 251])
def test_blocks_are_cut_to_the_count_and_drawn_apart(count):
    import jax

    draw = lambda key: jax.random.uniform(key, (generated.BLOCK, 1))
    found = generated.in_blocks(draw, jax.random.key(0), count)
    assert found.shape == (count, 1) and len(np.unique(found)) == count
