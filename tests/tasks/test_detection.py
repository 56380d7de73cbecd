"""The detector: what its loss and scores are made of, a run from its config to its report, boxes in a user's own image."""

import dataclasses
import importlib
import json

import jax
import numpy as np
import pytest
from PIL import Image

from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.use import use
from jaxlab.experiments.watching import Printing
from jaxlab.measures.boxes import encode
from jaxlab.tasks.detection import report as reports
from jaxlab.tasks.detection.modes import MODES, lines
from jaxlab.tasks.detection.step import truths
from tests.tasks.shown import shown


@pytest.fixture(scope='module')
def prepared():
    config = importlib.import_module('configs.detection_voc').get_config('smoke')
    small = {'data.limit': 32, 'data.eval_limit': 8, 'data.batch_size': 8, 'data.eval_batch_size': 8}
    small |= {'training.epochs': 1, 'training.eval_every': 1, 'parallel.devices': 1, 'report.examples': 4}
    return prepare(configs.apply(config, small, 'test'))


encoded = jax.jit(encode)


def perfect(task, arrays):
    """Logits and offsets that say the truth: each object by the default box nearest to it."""
    count, places = len(arrays['boxes']), len(task.anchors)
    logits = np.zeros((count, places, len(task.names) + 1), np.float32)
    logits[..., 0] = 12
    offsets = np.zeros((count, places, 4), np.float32)
    for row, (boxes, classes) in enumerate(zip(arrays['boxes'], arrays['classes'], strict=True)):
        taken = set()
        for box, label in zip(boxes[boxes[:, 2] > boxes[:, 0]], classes, strict=False):
            middle = (task.anchors[:, :2] + task.anchors[:, 2:] - box[:2] - box[2:]) / 2
            order = np.argsort(np.abs(middle).sum(1), kind='stable')
            place = next(one for one in order if one not in taken)
            taken.add(place)
            logits[row, place, 0], logits[row, place, label + 1] = 0, 12
            offsets[row, place] = encoded(box, task.anchors[place])
    return logits, offsets


def test_the_truth_scores_one(prepared):
    """All forms of mAP are 1, and B12's number, too."""
    task, split = prepared.task, prepared.data.splits['test']
    assert task.anchors.shape == (6 * (16 + 4), 4)
    found = jax.tree.map(np.asarray, jax.jit(task._found)(perfect(task, split.arrays)))
    scores = task.score({}, found._asdict(), split)
    # Two objects of a class that cover each other by more than the suppression's IoU are one for it.
    assert scores['map_50'] > 0.9 and scores['coco_map'] > 0.8
    half = found._replace(scores=np.where(np.arange(found.scores.shape[1]) < 1, found.scores, 0))
    assert task.score({}, half._asdict(), split)['map_50'] < scores['map_50']
    nothing = found._replace(scores=np.zeros_like(found.scores))
    assert task.score({}, nothing._asdict(), split)['map_50'] == 0
    counted = truths(split)
    assert sum(len(one.labels) for one in counted) == int((split.arrays['boxes'][..., 2] > 0).sum())


def test_scores_do_not_hang_on_the_class_numbers_of_padding(prepared):
    split = prepared.data.splits['test']
    found = jax.tree.map(np.asarray, jax.jit(prepared.task._found)(perfect(prepared.task, split.arrays)))
    changed = {**split.arrays, 'classes': np.where(split.arrays['boxes'][..., 2] > 0, split.arrays['classes'], 2)}
    other = dataclasses.replace(split, arrays=changed)
    score = prepared.task.score
    assert score({}, found._asdict(), split) == score({}, found._asdict(), other)


def test_losses_count_no_padding(prepared):
    """Rows of weight 0 add nothing; the loss is per matched box, so that it does not hang on the batch's size."""
    task, arrays = prepared.task, prepared.data.splits['train'].read(np.arange(4))
    outputs = perfect(task, arrays)
    noisy = tuple(each + 0.1 * np.sin(np.arange(each.size, dtype=each.dtype).reshape(each.shape)) for each in outputs)
    batch = dict(arrays)
    losses = jax.jit(task._losses)
    whole = losses(noisy, {**batch, 'weight': np.ones(4, np.float32)})
    halves = [
        losses(
            tuple(each[rows] for each in noisy),
            {n: v[rows] for n, v in batch.items()} | {'weight': np.ones(2, np.float32)},
        )
        for rows in (slice(0, 2), slice(2, 4))
    ]
    masked = losses(noisy, {**batch, 'weight': np.array([1, 1, 0, 0], np.float32)})
    for name, total in whole.items():
        np.testing.assert_allclose(total, halves[0][name] + halves[1][name], rtol=1e-5)
        np.testing.assert_allclose(masked[name], halves[0][name], rtol=1e-5)
    assert whole['matched'] >= (arrays['boxes'][..., 2] > 0).sum() and whole['localisation'] > 0


def test_numbers_called_map(prepared):
    """B12's example: four numbers for one set of detections, and 2.0 for what is none."""
    figure = prepared.reporter._forms([reports.LESSON[0]], [reports.LESSON[1]])
    example = {row[0]: row[2] for row in figure.rows}
    wanted = {'map_50': 0.75, 'map_50_11_points': 0.772727, 'coco_map_50': 0.752475, 'coco_map': 0.678218}
    for name, value in {**wanted, 'hits_per_object': 2.0}.items():
        assert example[reports.FORMS[name]] == pytest.approx(value, abs=1e-6)


def test_a_run_and_its_report(run):
    results, folder = run
    metrics = results['metrics']
    for name in ('test_map_50', 'test_map_50_11_points', 'test_coco_map_50', 'test_coco_map'):
        assert 0 <= metrics[name]['mean'] <= 1
    assert metrics['test_hits_per_object']['mean'] >= 0 and np.isfinite(metrics['validation_map_50']['mean'])
    figures, page = shown(folder)
    assert {'examples', 'detections', 'precision_recall'} <= figures
    assert 'no mAP: boxes on any object' in page and 'Average precision by class' in page


def test_boxes_in_a_users_own_image(run, prepared, tmp_path):
    _, folder = run
    pixels = np.repeat(np.repeat(prepared.data.splits['test'].arrays['image'][0], 3, 0), 2, 1)
    Image.fromarray(pixels).save(tmp_path / 'mine.png')
    options = MODES['predict'].read('predict', {'input': str(tmp_path / 'mine.png'), 'score': '0'})
    result = use(prepared, folder, Printing(quiet=True), MODES['predict'], options, False)
    (row,) = result['predictions']
    assert row['size'] == [128, 192] and len(row['objects']) > 0 and json.dumps(row)
    for one in row['objects']:
        assert one['class'] in prepared.task.names and 0 < one['score'] <= 1
        left, top, right, bottom = one['box']
        assert 0 <= left <= right <= 128 and 0 <= top <= bottom <= 192
    assert (folder / 'detected' / row['drawn']).is_file() and 'mine.png' in lines(result)[0]


def test_other_data_and_other_networks_are_refused(prepared):
    other = configs.apply(prepared.config, {'data.name': 'hymenoptera', 'data.options': {'image_size': 64}}, 'test')
    with pytest.raises(UserError, match='has no boxes; task detection'):
        prepare(other)
    for changes, match in (
        ({'model': {'name': 'lenet'}}, 'is no detector; valid: ssdlite'),
        ({'model.classes': 0}, 'valid: 1 and more'),
    ):
        with pytest.raises(UserError, match=match):
            prepare(configs.apply(prepared.config, changes, 'test'), like=prepared)
