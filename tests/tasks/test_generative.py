"""What is said of made images: the nearest training image, the classes, the scores, the answer, and what stands first."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.protocol import Needed, Record
from jaxlab.tasks import generative as generated
from jaxlab.tasks import judging
from tests.tasks.pixels import Pixels

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


def seen(made, real):
    """What a judge without doubt saw."""
    certain = np.ones((len(made), 1), np.float32)
    features = {'made_features': made.astype(np.float32), 'real_features': real.astype(np.float32)}
    return {**features, 'made_probabilities': certain, 'real_probabilities': certain}


@pytest.fixture(scope='module')
def crowd():
    """Forty training and thirty test images of 2x2 pixels."""
    draw = np.random.default_rng(0).uniform(size=(70, 2, 2, 1)).astype(np.float32)
    data = data_of(draw[:40])
    test = in_memory({'image': draw[40:], 'label': np.zeros(30, np.int32)}, 40)
    return dataclasses.replace(data, splits={**data.splits, 'test': test}), draw.reshape(70, 4)


def judged(crowd, *made):
    data, draw = crowd
    outputs = {'test': [seen(each, draw[40:]) for each in made]}
    distances = [float(np.isfinite(each).all()) or np.nan for each in made]
    metrics = {'test_frechet_distance': distances, 'test_sure_share': distances, 'test_class_coverage': distances}
    needs = {'scorer': Needed(Pixels(), None, {'test_accuracy': [0.9]})}
    return generated.judged(Record([None] * len(made), [], outputs, [], metrics, jax.random.key(0), needs), data)


def test_copies_are_told(crowd):
    """Training images are nearer to training images than held-out ones are; so are not those far from all."""
    copies = judged(crowd, crowd[1][:30])
    assert copies.metrics['frechet_to_train'][0] < copies.metrics['frechet_floor'][0]
    assert any('look for copies' in remark for remark in copies.remarks)
    far = judged(crowd, crowd[1][:30] + 2)
    assert not any('copies' in remark for remark in far.remarks) and len(far.remarks) == 1
    assert far.metrics['kernel_floor'] == copies.metrics['kernel_floor']


def test_a_failed_replica_leaves_the_others_as_they_are(crowd):
    good, bad = crowd[1][:30] + 2, np.full((30, 4), np.nan)
    together, alone = judged(crowd, good, bad), judged(crowd, good)
    assert together.metrics['frechet_to_train'][0] == alone.metrics['frechet_to_train'][0]
    assert np.isnan(together.metrics['frechet_to_train'][1]) and together.answer == alone.answer
    assert 'Replica 2 of 2 failed' in together.remarks[1]
    assert judged(crowd, bad).answer.startswith('No:')


def test_the_share_that_collapses(crowd):
    """Of four classes one replica makes one, one makes two; a failed one is not counted."""
    data, draw = crowd
    classes = np.eye(4, dtype=np.float32)[np.arange(30) % 4]
    found = [seen(draw[:30], draw[40:]) | {'real_probabilities': classes} for _ in range(3)]
    for one, many in zip(found, (1, 2, 1), strict=True):
        one['made_probabilities'] = np.eye(4, dtype=np.float32)[np.arange(30) % many]
    found[2]['made_features'] = np.full((30, 4), np.nan, np.float32)
    metrics = {'test_frechet_distance': [1.0, 1.0, np.nan], 'test_sure_share': [1.0, 1.0, np.nan]}
    metrics['test_class_coverage'] = [judging.scores(one)['class_coverage'] for one in found]
    data = dataclasses.replace(data, features={**data.features, 'label': ClassLabel(tuple('abcd'))})
    needs = {'scorer': Needed(Pixels(), None, {'test_accuracy': [0.9]})}
    report = generated.judged(Record([None] * 3, [], {'test': found}, [], metrics, jax.random.key(0), needs), data)
    np.testing.assert_array_equal(report.metrics['collapsed'], [1, 0, np.nan])
    assert any(remark.startswith('1 of 3 replicas have collapsed: of the classes') for remark in report.remarks)


def test_how_near_the_training_images_are(crowd, monkeypatch):
    """Copies are at no distance; wherever they stand among blocks of training images."""
    data, draw = crowd
    makers = [
        lambda count, key: draw[:count].reshape(-1, 2, 2, 1),
        lambda count, key: np.full((count, 2, 2, 1), np.nan),
    ]
    found = generated.memorised(makers, data, jax.random.key(0)).metrics
    assert found['nearest_made'][0] < 1e-3 < found['nearest_held_out'][0] and np.isnan(found['nearest_made'][1])
    expected = np.sqrt(np.square(draw[40:, None] - draw[None, :40]).mean(-1)).min(1).mean()
    assert found['nearest_held_out'][0] == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr(generated, 'TRAIN_BLOCK', 7)
    assert generated.memorised(makers, data, jax.random.key(0)).metrics['nearest_held_out'] == pytest.approx(
        found['nearest_held_out'], rel=1e-5
    )
