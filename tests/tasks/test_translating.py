"""Translated images before a judge, and a user's own images translated: each direction by its own generator."""

import dataclasses
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from configs import common
from jaxlab import data
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import in_memory
from jaxlab.data.features import Image as Picture
from jaxlab.data.sets import animals
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.use import use
from jaxlab.experiments.watching import Printing
from jaxlab.layers import Conv
from jaxlab.measures.frechet import frechet_distance
from jaxlab.measures.metrics import meaning
from jaxlab.protocol import ALL, Needed
from jaxlab.tasks.cyclegan.modes import MODES
from jaxlab.tasks.cyclegan.report import CycleGanReport
from jaxlab.training.machine import Machine
from tests.training import lab

SIZES = {'dark': (6, 5), 'light': (4, 8)}  # training and test pictures
LEVELS = {'dark': 60, 'light': 190}


def read(request):
    rng = np.random.default_rng(0)
    domains = {}
    for name, (train, test) in SIZES.items():
        images = rng.integers(LEVELS[name] - 40, LEVELS[name] + 40, (train + test, 8, 8, 1)).astype(np.uint8)
        parts = {'train': in_memory({'image': images[:train]}), 'test': in_memory({'image': images[train:]}, train)}
        domains[name] = Raw('embedded', parts, {'image': Picture.of((8, 8, 1))}, 'Noise', 'none', name)
    return Raw('embedded', {}, {}, 'Dark and light', 'none', 'dl', domains=domains)


class Painter(nn.Module):
    """Image to image, of sides that 4 divides: a convolution and tanh."""

    dtype: type | None = None
    multiple: ClassVar[int] = 4

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        assert all(side % self.multiple == 0 for side in images.shape[1:3])
        return jnp.tanh(Conv(images.shape[-1], 3, kernel_init=nn.initializers.normal(0.5))(images))


class Critic(nn.Module):
    """A map of scores."""

    dtype: type | None = None

    @nn.compact
    def __call__(self, images, train=False, weight=None):
        return Conv(1, 3, 2)(images)[..., 0]


@pytest.fixture(scope='module', autouse=True)
def known():
    with lab.with_networks('dark_and_light', read, Painter, Critic):
        yield


def config(**changes):
    found = common.experiment('small_translation', task='cyclegan', data='dark_and_light')
    found.aim = 'A test.'
    found.model = {'generator': {'name': 'painter'}, 'discriminator': {'name': 'critic'}}
    found.optimizer = {'generator': common.adam(1e-2), 'discriminator': common.adam(1e-3)}
    found.data.update({'batch_size': 2, 'eval_batch_size': 4, 'scale': (-1.0, 1.0)})
    found.training.epochs, found.parallel.devices, found.task.pool = 1, 1, 0
    return lab.changed(found, **changes)


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Class 1 of bright images, else 0; features: the mean and the deviation."""

    model: object = None
    scale: tuple[float, float] = (-1.0, 1.0)

    def embed(self, state, images):
        return jnp.stack([images.mean((1, 2, 3)), images.std((1, 2, 3))], 1)

    def predict(self, state, images):
        return jax.nn.one_hot((images.mean((1, 2, 3)) > 0).astype(int), 2)


class Brightness:
    """The network's class gives the judge its name."""


NEEDS = {'scorer': Needed(Scorer(Brightness()), {}, {'test_accuracy': [0.9]})}


@pytest.fixture(scope='module')
def judged():
    """(task, data, outputs of the test split, its scores) of networks that were not trained."""
    ready = prepare(config())
    task = ready.task.judged_by(NEEDS)
    machine = Machine(ready.config, task, ready.data)
    found = machine.evaluate(machine.placement.state(machine.init()), 'test', keep=ALL)
    return task, ready.data, found


def test_only_rows_with_an_image_are_compared(judged):
    """5 dark and 8 light test images: translations to light are of the 5 dark ones, and the other way."""
    task, dataset, found = judged
    outputs = found.outputs[0]
    for target, other in (('light', 'dark'), ('dark', 'light')):
        seen = task.seen(outputs, target)
        assert len(seen['real_features']) == SIZES[target][1] and len(seen['made_features']) == SIZES[other][1]
        real = dataset.splits['test'].domains[target].arrays['image'] / 127.5 - 1
        np.testing.assert_allclose(seen['real_features'][:, 0], real.mean((1, 2, 3)), atol=2e-3)
        made = outputs[f'made_{target}'][: SIZES[other][1]] * 2 - 1
        np.testing.assert_allclose(seen['made_features'][:, 0], made.mean((1, 2, 3)), atol=5e-3)  # 8 bits
        distance = frechet_distance(seen['made_features'].astype(float), seen['real_features'].astype(float))
        assert found.metrics[f'translation_{target}_frechet_distance'][0] == pytest.approx(distance)


def test_recognised_is_the_share_taken_for_the_target(judged):
    """Dark images are of class 0 and light ones of class 1, whatever the domains are called."""
    task, _, found = judged
    for target, number in (('light', 1), ('dark', 0)):
        made = task.seen(found.outputs[0], target)['made_probabilities']
        assert found.metrics[f'translation_{target}_recognised'][0] == pytest.approx((made.argmax(1) == number).mean())
        assert meaning(f'test_translation_{target}_recognised').better == 1
    constant = {
        'there_dark': np.ones(4, bool),
        'there_light': np.array([True, True, False, False]),
        'real_features_dark': np.random.default_rng(0).normal(size=(4, 2)),
        'real_features_light': np.random.default_rng(1).normal(size=(4, 2)),
        'made_features_dark': np.random.default_rng(2).normal(size=(4, 2)),
        'made_features_light': np.random.default_rng(3).normal(size=(4, 2)),
        'real_probabilities_dark': np.eye(2)[[0, 0, 1, 0]],
        'real_probabilities_light': np.eye(2)[[1, 1, 0, 0]],
        'made_probabilities_dark': np.eye(2)[[0, 1, 1, 1]],  # two of them are there: one is taken for dark
        'made_probabilities_light': np.eye(2)[[1, 1, 1, 0]],
    }
    scores = task.score({}, constant, None)
    assert scores['translation_dark_recognised'] == 0.5 and scores['translation_light_recognised'] == 0.75


def test_the_table_has_both_marks(judged):
    """Untouched images and real training images stand beside translated ones."""
    task, dataset, found = judged
    (table,) = CycleGanReport(task, dataset, 2)._distances(found.outputs[0])
    assert [row[0] for row in table.rows][:3] == ['light as dark', 'light as they are', 'dark, training images']
    rows = {row[0]: row for row in table.rows}
    assert rows['dark as light'][3] == pytest.approx(found.metrics['translation_light_frechet_distance'][0])
    assert rows['light, training images'][3] < rows['dark as they are'][3]
    assert rows['light, training images'][5] == 1 and rows['dark as they are'][5] == 0
    assert 'Brightness with 90.0% test accuracy' in table.note
    assert CycleGanReport(task, dataset, 2).keeps('test') == ALL
    assert CycleGanReport(dataclasses.replace(task, judge=None), dataset, 2)._distances(found.outputs[0]) == []


def test_own_images_go_through_the_generator_of_their_target(tmp_path):
    """Of 13x18 and 8x8 pixels: --to=dark is the generator of dark images, and sizes stay."""
    ready = prepare(config())
    state = lab.train(config(), tmp_path / 'run').record.states[0]
    rng = np.random.default_rng(0)
    pictures = tmp_path / 'own'
    pictures.mkdir()
    Image.fromarray(rng.integers(0, 256, (13, 18), np.uint8)).save(pictures / 'first.png')
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(pictures / 'second.png')
    mode = MODES['translate']
    made = {}
    for target in ('', 'dark'):
        options = mode.read('translate', {'input': str(pictures), **({'to': target} if target else {})})
        found = use(ready, tmp_path / 'run', Printing(quiet=True), mode, options, False)
        assert found['to'] == (target or 'light')
        images = [np.asarray(Image.open(file)) for file in found['images']]
        assert [image.shape for image in images] == [(13, 18), (8, 8)]
        assert mode.lines(found)[1].endswith(f'second.png: 0002_second.png (to {found["to"]})')
        made[found['to']] = images[1]
    given = np.asarray(Image.open(pictures / 'second.png'))[None, ..., None] / np.float32(255)
    for target, image in made.items():
        params = state[f'generator_{target}'].averaged()['params']
        expected = np.asarray(ready.task.translated(params, jnp.asarray(given)))[0, ..., 0] * 255
        assert np.abs(image - expected).max() <= 1
    assert not np.array_equal(made['dark'], made['light'])
    with pytest.raises(UserError, match='^--to=blue; valid: dark, light'):
        use(ready, tmp_path / 'run', Printing(quiet=True), mode, {'input': str(pictures), 'to': 'blue'}, False)


def test_horses_or_zebras_are_the_domains_as_classes():
    """The rendered animals: every image of both domains once, train and test apart, no counterpart."""
    found = data.load({'name': 'horse_or_zebra', 'source': 'embedded', 'options': {'image_size': 16}})
    for part, sizes in animals.SIZES.items():
        labels = found.splits[part].arrays['label']
        assert np.bincount(labels).tolist() == list(sizes.values())
    both = data.load({'name': 'horse2zebra', 'source': 'embedded', 'options': {'image_size': 16}})
    first = both.splits['test'].domains['b'].arrays['image'][0]
    np.testing.assert_array_equal(found.splits['test'].arrays['image'][animals.SIZES['test']['a']], first)
    assert set(found.features) == {'image', 'label'} and found.stand_in
