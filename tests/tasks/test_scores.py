"""How made images are judged: what stands first, and the sentence that answers the question."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import data
from jaxlab.report import summary
from jaxlab.tasks import generated
from jaxlab.tasks.protocol import Needed, Record


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
    return data.load({'name': 'mnist', 'source': 'embedded', 'limit': 40, 'eval_limit': 40})


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


@pytest.mark.parametrize('sure, real, word', [
    (0.9, 0.95, 'Yes'), (0.8, 0.95, 'Mostly'), (0.5, 0.95, 'Partly'), (0.1, 0.95, 'Hardly'), (0.5, 0.0, 'Hardly'),
])  # fmt: skip
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
