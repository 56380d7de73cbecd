"""What is said of made images: the nearest training image, the classes, the scores, the answer, and what stands first."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import data as data_sets
from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Image
from jaxlab.protocol import Needed, Record
from jaxlab.report import summary
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


def test_entropy_of_classes():
    assert generated.entropy(np.full(10, 0.1)) == pytest.approx(np.log(10))
    assert generated.entropy(np.array([1.0, 0.0])) == 0
    assert generated.entropy(np.array([0.5, 0.25, 0.25])) == pytest.approx(1.5 * np.log(2))


@pytest.mark.parametrize('count', [1, 250, 251])
def test_blocks_are_cut_to_the_count_and_drawn_apart(count):
    draw = lambda key: jax.random.uniform(key, (generated.BLOCK, 1))
    found = generated.in_blocks(draw, jax.random.key(0), count)
    assert found.shape == (count, 1) and len(np.unique(found)) == count


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Sure of bright images, undecided about dark ones; its features are the mean of two halves."""

    model: Any = None
    scale: tuple[float, float] = (0.0, 1.0)

    def embed(self, state, images):
        flat = images.reshape(len(images), -1)
        return jnp.stack([flat[:, :300].mean(1), flat[:, 300:].mean(1)], 1)

    def predict(self, state, images):
        bright = (images.mean((1, 2, 3)) > 0.5)[:, None]
        sure = jnp.eye(10)[jnp.zeros(len(images), int)]
        return jnp.where(bright, sure, 0.1)


class Judge:
    """The network's class gives the scorer its name."""


@pytest.fixture(scope='module')
def digits():
    return data_sets.load({'name': 'mnist', 'source': 'embedded', 'limit': 40, 'eval_limit': 40})


def made(bright: int, seed: int):
    """40 images, of which so many are bright."""
    draw = np.random.default_rng(seed)

    def sampler(count, key):
        values = np.where(np.arange(count) < bright, 0.8, 0.2)[:, None, None, None]
        return (values + draw.normal(0, 0.05, (count, 28, 28, 1))).astype(np.float32)

    return sampler


def test_the_share_that_the_scorer_is_sure_of(digits):
    """30 and 10 of 40 are bright; real digits are dark."""
    needed = Needed(Scorer(Judge()), {}, {'test_accuracy': [0.97]})
    found = generated.score([made(30, 0), made(10, 1)], needed, digits, jax.random.key(0))
    assert found.metrics['sure_share'] == [0.75, 0.25] and found.metrics['sure_share_real'] == [0.0, 0.0]
    assert found.metrics['scorer_confidence'] == pytest.approx([0.775, 0.325])
    assert 'a Judge trained on real images is sure (at least 90%) what 50% of the made ones show' in found.answer
    assert 'what 0% of real ones show' in found.answer and found.answer.startswith('Hardly: ')
    assert 'LeNet' not in found.answer + found.figures[0].note + found.remarks[0]
    ratio = np.mean(found.metrics['frechet_distance']) / found.metrics['frechet_floor'][0]
    assert f'is {ratio:.1f} times that of real ones to real ones' in found.answer
    assert summary.answer({'answer': found.answer, 'metrics': {}}) == found.answer


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
