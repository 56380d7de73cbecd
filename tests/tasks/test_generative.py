"""What is said of made images: the nearest training image, the classes, the scores, the answer, and what stands first."""

import jax
import numpy as np
import pytest

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.protocol import Record
from jaxlab.tasks import generative as generated

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
    features = {'image': Image.of(images.shape[1:]), 'label': ClassLabel(('one',))}
    return Dataset('made', 'embedded', {'train': split}, features, '', '', '')


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


@pytest.mark.parametrize('count', [1, 250, 251])
def test_blocks_are_cut_to_the_count_and_drawn_apart(count):
    draw = lambda key: jax.random.uniform(key, (generated.BLOCK, 1))
    found = generated.in_blocks(draw, jax.random.key(0), count)
    assert found.shape == (count, 1) and len(np.unique(found)) == count


def row(epoch, validation, test):
    return {'epoch': epoch, 'validation_distance': validation, 'test_distance': test}


HISTORY = [row(5, [3.0, 1.0], [30.0, 12.0]), row(10, [2.0, 4.0], [20.0, 10.0]), row(15, [5.0, 5.0], [26.0, 18.0])]


def test_what_choosing_an_epoch_is_worth():
    """Two seeds: by validation epochs 10 and 5, by test both 10; the last spreads by 5.66, the chosen ones by 5.66 and 7.07."""
    (table,) = generated.cost_of_choosing(HISTORY, 'distance')
    assert table.rows[0] == ('the last', '15, 15', 22.0, pytest.approx(32**0.5), '0%')
    assert table.rows[1] == ('best by validation', '10, 5', 16.0, pytest.approx(32**0.5), '0%')
    assert table.rows[2] == ('best by test (no result)', '10, 10', 15.0, pytest.approx(50**0.5), '-25%')
    assert 'n = 2 seeds' in table.note and '3 epochs' in table.note


def test_one_seed_has_no_spread_and_without_validation_nothing_chooses_by_it():
    one = [{'epoch': each['epoch'], 'test_distance': each['test_distance'][:1]} for each in HISTORY]
    (table,) = generated.cost_of_choosing(one, 'distance')
    assert table.rows == [('the last', '15', 26.0, None, None), ('best by test (no result)', '10', 20.0, None, None)]
    assert generated.cost_of_choosing(HISTORY[:1], 'distance') == []
    assert generated.cost_of_choosing([{'epoch': 1}] * 3, 'distance') == []


@pytest.mark.parametrize(
    'sure, real, word',
    [
        (0.9, 0.95, 'Yes'),
        (0.8, 0.95, 'Mostly'),
        (0.5, 0.95, 'Partly'),
        (0.1, 0.95, 'Hardly'),
        (0.5, 0.0, 'Hardly'),
    ],
)
def test_the_answer_in_a_word(sure, real, word):
    assert generated._verdict(sure, real) == word


@pytest.mark.parametrize('epochs', [1, 2, 6])
def test_the_last_samples_come_first(epochs):
    """Then the animation of all, then how they began; each grid once."""
    seen = [(epoch, {'image': np.full((4, 2, 2, 1), epoch / 10)}) for epoch in range(epochs)]
    record = Record([], [], {}, seen, {}, jax.random.key(0))
    found = generated.progress(record, 'note')
    assert found[0].name == f'samples_epoch_{epochs - 1:04d}' and found[1].name == 'samples_over_epochs'
    names = [figure.name for figure in found]
    assert len(set(names)) == len(names) and ('samples_epoch_0000' in names or epochs == 1)
    assert [frame.name for frame in found[1].frames] == [f'samples_epoch_{epoch:04d}' for epoch in range(epochs)]
