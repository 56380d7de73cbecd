"""The segmenter: its loss, scores that no batch size changes, several classes, a run to its report, a user's own image."""

import dataclasses
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxlab.data.mask import IGNORED
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.use import use
from jaxlab.experiments.watching import Printing
from jaxlab.measures.segmentation import dice_loss
from jaxlab.tasks.segmentation import overlay
from jaxlab.tasks.segmentation.modes import MODES, lines
from tests.models.drawn import state_of
from tests.tasks.shown import shown


@pytest.fixture(scope='module')
def prepared():
    config = importlib.import_module('configs.segmentation_water').get_config('smoke')
    small = {'data.limit': 32, 'data.eval_limit': 12, 'data.eval_batch_size': 8, 'training.epochs': 1}
    return prepare(configs.apply(config, {**small, 'parallel.devices': 1, 'report.examples': 4}, 'test'))


def test_losses_of_b19(prepared):
    """Soft Dice of the whole batch: exactly 0.4 for four zeros, 0.168708375 for its second example."""
    for logits, mask, expected in (
        ([0.0, 0, 0, 0], [1, 1, 0, 0], 0.4),
        ([2.0, -1, 0.5, -3], [1, 0, 1, 0], 0.168708375),
    ):
        shape = (1, 2, 2)
        given = jnp.reshape(jnp.array(logits), (*shape, 1)), jnp.reshape(jnp.array(mask, jnp.uint8), shape)
        entropy, soft = jax.jit(prepared.task._losses)(*given, jnp.ones(1))
        assert float(soft) == pytest.approx(expected, abs=1e-7)
        p = 1 / (1 + np.exp(-np.array(logits)))
        wanted = -np.mean(np.where(mask, np.log(p), np.log(1 - p)))
        assert float(entropy) == pytest.approx(wanted, rel=1e-6)


def three_classes(prepared):
    return dataclasses.replace(prepared.task, names=('ground', 'a', 'b'))


def test_several_classes(prepared):
    """Each class against the rest is the Dice of its softmax; pixels that do not count change nothing."""
    task, rng = three_classes(prepared), np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(2, 4, 4, 3)).astype(np.float32))
    mask = rng.integers(0, 3, (2, 4, 4)).astype(np.uint8)
    losses = jax.jit(task._losses)
    _, soft = losses(logits, jnp.asarray(mask), jnp.ones(2))
    p = np.asarray(jax.nn.softmax(logits), np.float64)
    wanted = []
    for k in range(3):
        t = mask == k
        wanted.append(1 - (2 * p[..., k][t].sum() + 1) / (p[..., k].sum() + t.sum() + 1))
    assert float(soft) == pytest.approx(np.mean(wanted), rel=1e-5)
    part = np.where(np.arange(4) < 2, mask, IGNORED)
    cut = losses(logits, jnp.asarray(part), jnp.ones(2))
    alone = losses(logits[:, :, :2], jnp.asarray(mask[:, :, :2]), jnp.ones(2))
    np.testing.assert_allclose(cut, alone, rtol=1e-5)


def test_two_classes_are_their_sigmoid(prepared):
    logits = np.linspace(-2, 2, 32, dtype=np.float32).reshape(2, 4, 4, 1)
    mask = (np.arange(32).reshape(2, 4, 4) % 3 == 0).astype(np.uint8)
    _, soft = jax.jit(prepared.task._losses)(logits, mask, jnp.array([1.0, 0.0]))
    wanted = jax.jit(dice_loss)(logits[..., 0], mask.astype(np.float32), jnp.array([1.0, 0.0]))
    assert float(soft) == pytest.approx(float(wanted), rel=1e-6)


def test_scores_do_not_hang_on_the_batches(prepared):
    """S1: sums stay apart to the end. The evaluation's loss is that of the whole split as one batch, too."""
    task, data = prepared.task, prepared.data
    arrays = data.splits['test'].read(np.arange(6))
    state = state_of(task.model, data.prepare({'image': jnp.asarray(arrays['image'])})['image'], train=False)
    part = data.splits['test'].take(np.arange(6))

    @jax.jit
    def evaluated(rows, weight):
        batch = {n: jnp.asarray(v)[rows] for n, v in arrays.items()}
        return task.eval_step(state, {**data.prepare(batch), 'weight': weight}, jax.random.key(0))

    def score(blocks):
        parts = [evaluated(jnp.array(rows), jnp.array(weight)) for rows, weight in blocks]
        totals = {name: sum(np.asarray(one[0][name][0], np.float64) for one in parts) for name in ('soft', 'means')}
        real = [np.array(weight) > 0 for _, weight in blocks]
        outputs = {
            name: np.concatenate([np.asarray(one[1][name])[kept] for one, kept in zip(parts, real, strict=True)])
            for name in task.scored
        }
        return task.score(totals, outputs, part)

    one = score([([0, 1, 2, 3, 4, 5], [1.0] * 6)])
    more = score([([0, 1, 2, 3, 0, 0], [1.0] * 4 + [0.0] * 2), ([4, 5, 5, 5, 5, 5], [1.0] * 2 + [0.0] * 4)])
    assert one == pytest.approx(more, rel=1e-5) and {'dice', 'iou', 'precision', 'recall', 'loss'} <= set(one)


def test_a_run_and_its_report(run):
    results, folder = run
    for name in ('test_dice', 'test_iou', 'test_precision', 'test_recall', 'test_dice_per_image', 'validation_dice'):
        assert 0 <= results['metrics'][name]['mean'] <= 1
    figures, page = shown(folder)
    assert {'examples', 'best_and_worst', 'shares'} <= figures
    assert 'water everywhere' in page and 'bluer than a threshold' in page


def test_a_mask_of_a_users_own_image(run, prepared, tmp_path):
    _, folder = run
    Image.fromarray(np.repeat(prepared.data.splits['test'].arrays['image'][0], 2, 1)).save(tmp_path / 'mine.png')
    options = MODES['predict'].read('predict', {'input': str(tmp_path)})
    result = use(prepared, folder, Printing(quiet=True), MODES['predict'], options, False)
    (row,) = result['predictions']
    mask = np.asarray(Image.open(folder / 'segmented' / row['mask']))
    assert mask.shape == (32, 64) and set(np.unique(mask)) <= {0, 255}
    assert row['shares']['water'] == pytest.approx((mask == 255).mean(), abs=1e-9)
    assert np.asarray(Image.open(folder / 'segmented' / row['overlay'])).shape == (32, 64, 3)
    assert 'water' in lines(result)[0]


def test_errors_are_coloured():
    truth, found = np.array([[1, 1, 0, 0, IGNORED]]), np.array([[1, 0, 1, 0, 1]])
    image = overlay.errors(np.full((1, 5, 3), 0.5), found, truth)[0]
    green, blue, red, plain, ignored = image
    assert green.argmax() == 1 and blue.argmax() == 2 and red.argmax() == 0
    np.testing.assert_array_equal(plain, [0.5] * 3)
    np.testing.assert_array_equal(ignored, [0.5] * 3)


def test_a_mask_is_tinted_and_outlined():
    mask = np.zeros((5, 5), np.int32)
    mask[1:4, 1:5] = 1
    image = overlay.classes(np.zeros((5, 5, 1)), mask)
    np.testing.assert_array_equal(image[1, 1], overlay.COLOURS[0])
    np.testing.assert_allclose(
        image[2, 2:], 0.3 * np.repeat(overlay.COLOURS[:1], 3, 0)
    )  # the edge of the image is none
    assert not image[0].any() and not image[:, 0].any()


def test_what_does_not_fit_is_refused(prepared):
    for changes, match in (
        ({'data.name': 'hymenoptera', 'data.options': {'image_size': 32}}, 'has no masks; task segmentation'),
        ({'model': {'name': 'convnet', 'filters': (4,)}}, 'config.model.outputs of convnet'),
        ({'task.dice': 0.0, 'task.cross_entropy': 0.0}, 'one of them above 0'),
        ({'model.levels': 0}, 'config.model.levels = 0'),
    ):
        with pytest.raises(UserError, match=match):
            _ = prepare(configs.apply(prepared.config, changes, 'test')).task
