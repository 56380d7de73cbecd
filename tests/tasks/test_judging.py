"""Made examples as a trained network sees them: what it is given, and the scores, against values by hand."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import data as data_sets
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.measures.frechet import frechet_distance
from jaxlab.protocol import Needed, Record
from jaxlab.report import summary
from jaxlab.tasks import generative, judging
from tests.models.drawn import state_of
from tests.training import lab


def test_entropy_of_classes():
    assert judging.entropy(np.full(10, 0.1)) == pytest.approx(np.log(10))
    assert judging.entropy(np.array([1.0, 0.0])) == 0
    assert judging.entropy(np.array([0.5, 0.25, 0.25])) == pytest.approx(1.5 * np.log(2))


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Sure of bright images, undecided about dark ones; its features are the mean of two halves."""

    model: Any = None
    scale: tuple[float, float] = (-1.0, 1.0)

    def embed(self, state, images):
        flat = images.reshape(len(images), -1)
        return jnp.stack([flat[:, :300].mean(1), flat[:, 300:].mean(1)], 1)

    def predict(self, state, images):
        bright = (images.mean((1, 2, 3)) > 0)[:, None]
        return jnp.where(bright, jnp.eye(10)[jnp.zeros(len(images), int)], 0.1)


class Net:
    """The network's class gives the judge its name."""


NEEDS = {'scorer': Needed(Scorer(Net()), {}, {'test_accuracy': [0.97]})}


def made(bright: int, seed: int):
    """40 images, of which so many are bright."""
    values = np.where(np.arange(40) < bright, 0.8, 0.2)[:, None, None, None]
    return (values + np.random.default_rng(seed).normal(0, 0.05, (40, 28, 28, 1))).astype(np.float32)


@pytest.fixture(scope='module')
def digits():
    return data_sets.load({'name': 'mnist', 'source': 'embedded', 'limit': 40, 'eval_limit': 40})


@pytest.fixture(scope='module')
def seen(digits):
    """Two replicas' outputs of the test split: 30 and 10 of 40 made images are bright; real digits are dark."""
    judge, real = judging.Judge.of(NEEDS), digits.splits['test'].arrays['image'] / np.float32(255)
    return [jax.tree.map(np.asarray, judge.compares(real, made(*how))) for how in ((30, 0), (10, 1))]


def test_images_are_seen_in_8_bits_and_in_the_range_that_the_judge_knows():
    judge = judging.Judge.of(NEEDS)
    image = np.full((1, 28, 28, 1), 0.5004, np.float32)  # 127.6 of 255: as a file it would be 128
    np.testing.assert_allclose(judge.sees(image)[0], 2 * 128 / 255 - 1, rtol=1e-4)
    np.testing.assert_allclose(judge.sees(np.full((1, 28, 28, 1), 1.7, np.float32))[0], 1.0)
    assert judge.name == 'Net' and judge.accuracy == 0.97 and judging.Judge.of({}) is None


def test_scores(seen):
    first, second = (judging.scores(each) for each in seen)
    assert first['sure_share'] == 0.75 and second['sure_share'] == 0.25
    assert first['scorer_confidence'] == pytest.approx(0.775) and second['scorer_confidence'] == pytest.approx(0.325)
    wide = [seen[0][name].astype(np.float64) for name in ('made_features', 'real_features')]
    assert first['frechet_distance'] == pytest.approx(frechet_distance(*wide), rel=1e-12)
    assert first['class_coverage'] == 1.0  # undecided counts as class 0, real or made
    assert first['classes_entropy'] == 0.0 and 0 <= first['sample_precision'] <= 1
    same = {**seen[0], 'made_features': seen[0]['real_features'], 'made_probabilities': seen[0]['real_probabilities']}
    perfect = judging.scores(same)
    assert perfect['sample_precision'] == perfect['sample_recall'] == 1 and perfect['frechet_distance'] < 1e-9


def test_a_network_that_diverged_has_no_scores(seen):
    broken = {**seen[0], 'made_features': np.full_like(seen[0]['made_features'], np.nan)}
    assert all(np.isnan(value) for value in judging.scores(broken).values())


def test_one_example_has_no_distribution(seen):
    """Of a split of one: no scores, where there was a traceback after the training."""
    one = {name: array[:1] for name, array in seen[0].items()}
    for split in (one, {**seen[0], 'real_features': seen[0]['real_features'][:1]}):
        assert np.isnan(list(judging.scores(split).values())).all()


def test_what_the_report_says_of_it(digits, seen):
    metrics = {f'test_{name}': [judging.scores(each)[name] for each in seen] for name in judging.NAMES}
    record = Record([0, 0], [], {'test': seen}, [], metrics, jax.random.key(0), NEEDS)
    found = generative.judged(record, digits)
    assert found.metrics['sure_share_real'] == [0.0, 0.0]
    assert 'Net, trained on real images, is sure (at least 90%) what 50% of the made ones show' in found.answer
    assert 'what 0% of real ones show' in found.answer and found.answer.startswith('Hardly: ')
    ratio = np.mean(metrics['test_frechet_distance']) / found.metrics['frechet_floor'][0]
    assert f'is {ratio:.1f} times that of real ones to real ones' in found.answer
    assert summary.answer({'answer': found.answer, 'metrics': {}}) == found.answer
    np.testing.assert_allclose(found.figures[0].heights['made'], np.eye(10)[0])
    assert generative.judged(Record([0], [], {}, [], {}, jax.random.key(0)), digits).figures == ()


def test_a_classifier_embeds_by_its_features():
    """LeNet has `embed`; a network that can be made without classes gives the features under its head."""
    for model, width in (({'name': 'lenet'}, 84), ({'name': 'mobilenet', 'body': 'tiny'}, 48)):
        changes = {'model': model, 'data.limit': 32, 'data.eval_limit': 8, 'data.name': 'flowers17', 'stand_in': {}}
        config = configs.apply(lab.small(), {**changes, 'data.options': {'image_size': 32}}, 'test')
        ready = prepare(config)
        images = ready.data.prepare({'image': ready.data.splits['train'].read(np.arange(4))['image']})['image']
        state = state_of(ready.task.model, images, train=False)
        both = lambda images, task=ready.task, state=state: (task.embed(state, images), task.predict(state, images))
        features, shares = jax.jit(both)(images)
        assert features.shape == (4, width)
        head = list(state['model'].params)[-1] if model['name'] == 'lenet' else 'head'
        dense = state['model'].params[head]
        logits = features @ dense['kernel'] + dense['bias']
        assert np.isfinite(shares).all()
        np.testing.assert_allclose(jax.nn.softmax(logits), shares, atol=1e-5)
