"""Average precision: B12's example under four names, the traps O1 to O9 by number, COCO's rules equal to pycocotools."""

import numpy as np
import pytest

from jaxlab.measures.detection import (
    COCO_THRESHOLDS,
    Found,
    Objects,
    all_forms,
    average_precision,
    by_class,
    curve,
    hits_per_object,
    mean,
    ranked,
)

TRUTH = [Objects(np.array([(0, 0, 100, 100), (200, 200, 300, 300)]), np.zeros(2, int))]
BOXES = [(0, 0, 100, 100), (10, 10, 110, 110), (0, 0, 90, 100), (205, 205, 305, 305), (400, 400, 450, 450)]
FOUND = [Found(np.array(BOXES), np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.zeros(5, int))]


def found(boxes, scores, labels=None):
    return Found(
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
        np.zeros(len(scores), int) if labels is None else np.array(labels),
    )


def objects(boxes, **fields):
    return Objects(np.array(boxes, float).reshape(-1, 4), np.zeros(len(boxes), int), **fields)


def ap(truth, seen, form='all_points', **options):
    return average_precision(ranked([truth], [seen], 0, **options), form)


def test_the_example_of_b12():
    """Flags 1 0 0 1 0; .75, .772727, .752475, .678218: four numbers, four names (O3)."""
    one = ranked(TRUTH, FOUND, 0)
    assert one.hits.tolist() == [True, False, False, True, False] and one.objects == 2
    recall, precision = curve(one)
    np.testing.assert_allclose(precision, [1, 0.5, 1 / 3, 0.5, 0.4])
    np.testing.assert_allclose(recall, [0.5, 0.5, 0.5, 1, 1])
    expected = {'map_50': 0.75, 'map_50_11_points': 0.772727, 'coco_map_50': 0.752475, 'coco_map': 0.678218}
    forms = all_forms(TRUTH, FOUND, 1)
    assert forms.keys() == expected.keys()
    np.testing.assert_allclose(list(forms.values()), list(expected.values()), atol=1e-6)


def test_the_number_of_the_report_can_exceed_one():
    """B12, flaw 1: hits of any class and any rank, per object: 2.0; images without a prediction are left out."""
    assert hits_per_object(TRUTH, FOUND) == 2.0
    assert hits_per_object(TRUTH * 2, [*FOUND, found([], [])]) == 2.0
    assert np.isnan(hits_per_object(TRUTH, [found([], [])]))


def test_a_second_object_close_by():
    """O3: COCO gives a detection its next free object, VOC the one that it overlaps most and no other."""
    truth = objects([(0, 0, 10, 10), (0, 0, 10, 8)])
    seen = found([(0, 0, 10, 10), (0, 0, 10, 9)], [0.9, 0.8])
    assert ap(truth, seen) == 0.5
    assert ap(truth, seen, '101_points', rule='coco') == pytest.approx(1)


def test_the_threshold_itself_is_enough():
    truth, seen = objects([(0, 0, 10, 10)]), found([(0, 0, 10, 5)], [0.9])
    assert ap(truth, seen) == 1 and ap(truth, seen, '101_points', rule='coco') == pytest.approx(1)
    assert ap(truth, seen, threshold=0.51) == 0


def test_difficult_objects_neither_hit_nor_miss():
    """O4: one hit and one ignored object: 1, not .504950; what finds the ignored one does not count, once or twice."""
    truth = objects([(0, 0, 10, 10), (20, 0, 30, 10)], ignored=np.array([False, True]))
    for rule, form in (('voc', 'all_points'), ('coco', '101_points')):
        assert ap(truth, found([(0, 0, 10, 10)], [0.5]), form, rule=rule) == pytest.approx(1)
        both = found([(20, 0, 30, 10), (0, 0, 10, 10)], [0.9, 0.5])
        assert ap(truth, both, form, rule=rule) == pytest.approx(1)
    twice = found([(20, 0, 30, 10), (20, 0, 30, 9), (0, 0, 10, 10)], [0.9, 0.8, 0.5])
    assert ap(truth, twice) == 1  # VOC: every one on it is left out
    assert ap(truth, twice, rule='coco') == 0.5  # COCO: the second is a false positive


def test_a_crowd_takes_any_number_by_the_share_inside():
    truth = objects([(0, 0, 10, 10), (50, 0, 100, 50)], crowd=np.array([False, True]))
    seen = found([(50, 0, 60, 10), (70, 10, 80, 20), (0, 0, 10, 10)], [0.9, 0.8, 0.7])
    assert ap(truth, seen, '101_points', rule='coco') == pytest.approx(1)


def test_averaging_over_classes():
    """O6: a class without truth is left out, truth without detection is 0."""
    truth = [Objects(np.array([(0, 0, 10, 10), (20, 0, 30, 10)]), np.array([0, 2]))]
    seen = [found([(0, 0, 10, 10), (5, 5, 9, 9)], [0.9, 0.8], [0, 1])]
    values = by_class(truth, seen, 4)
    assert values[0] == 1 and np.isnan(values[1]) and values[2] == 0 and np.isnan(values[3])
    assert mean(values) == 0.5 and np.isnan(mean(values[1:2]))


def test_a_false_positive_on_an_empty_image_counts():
    """O6: above the hit it halves the precision."""
    truth = [objects([]), objects([(0, 0, 10, 10)])]
    seen = [found([(0, 0, 5, 5)], [0.9]), found([(0, 0, 10, 10)], [0.8])]
    assert average_precision(ranked(truth, seen, 0)) == 0.5


def test_ties_keep_their_order():
    """O7: equal scores, hit first 1.0, miss first 0.5."""
    hit, miss = [(0, 0, 10, 10)], [(50, 50, 60, 60)]
    truth = objects(hit)
    assert ap(truth, found(hit + miss, [0.5, 0.5])) == 1
    assert ap(truth, found(miss + hit, [0.5, 0.5])) == 0.5


def test_coco_keeps_a_hundred_detections_an_image():
    """O6: 150 perfect ones score .663366; VOC keeps all."""
    boxes = [(20 * k, 0, 20 * k + 10, 10) for k in range(150)]
    truth, seen = objects(boxes), found(boxes, np.linspace(1, 0.5, 150))
    assert ap(truth, seen, '101_points', rule='coco') == pytest.approx(0.663366, abs=1e-6)
    assert ap(truth, seen) == 1


def test_eleven_recalls_are_tenths():
    """Three of ten objects found reach the recall 0.3: four of the eleven points."""
    boxes = [(20 * k, 0, 20 * k + 10, 10) for k in range(10)]
    assert ap(objects(boxes), found(boxes[:3], [0.9, 0.8, 0.7]), '11_points') == pytest.approx(4 / 11)


def scene(seed, images=12, classes=3):
    """Crowded random scenes: overlapping objects, ties in scores, duplicates, crowds, small and large ones, empty images."""
    generator = np.random.default_rng(seed)
    truth, seen = [], []
    for _ in range(images):
        count = generator.integers(0, 7)
        low, side = generator.integers(0, 120, (count, 2)), generator.integers(4, 130, (count, 2))
        boxes, labels = np.concatenate([low, low + side], 1).astype(float), generator.integers(0, classes, count)
        truth.append(Objects(boxes, labels, crowd=generator.random(count) < 0.15))
        copies = np.repeat(np.arange(count), 3)
        moved = boxes[copies] + generator.normal(0, 6, (len(copies), 4)).round()
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        noise = generator.integers(0, 100, (5, 2))
        moved = np.concatenate([moved, np.concatenate([noise, noise + 30], 1)])
        names = np.concatenate([labels[copies], generator.integers(0, classes, 5)])
        seen.append(Found(moved, generator.random(len(moved)).round(1), names))
    return truth, seen


def by_pycocotools(truth, seen, classes):
    coco = pytest.importorskip('pycocotools.coco')
    from pycocotools.cocoeval import COCOeval

    wide = lambda box: [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]
    annotations = []
    for image, there in enumerate(truth, 1):
        for box, label, crowd in zip(there.boxes, there.labels, there.crowd):
            area = float((box[2] - box[0]) * (box[3] - box[1]))
            row = {'id': len(annotations) + 1, 'image_id': image, 'category_id': int(label) + 1}  # O5: ids from 1
            annotations.append(row | {'bbox': wide(box), 'area': area, 'iscrowd': int(crowd)})
    gold = coco.COCO()
    gold.dataset = {
        'images': [{'id': image} for image in range(1, len(truth) + 1)],
        'annotations': annotations,
        'categories': [{'id': label + 1} for label in range(classes)],
    }
    gold.createIndex()
    results = [
        {'image_id': image, 'category_id': int(label) + 1, 'bbox': wide(box), 'score': float(score)}
        for image, one in enumerate(seen, 1)
        for box, score, label in zip(one.boxes, one.scores, one.labels)
    ]
    evaluated = COCOeval(gold, gold.loadRes(results), 'bbox')
    evaluated.evaluate()
    evaluated.accumulate()
    return evaluated.eval['precision']  # [T, R, K, A, M]


@pytest.mark.parametrize('seed', range(3))
def test_cocos_rules_are_pycocotools(seed, capsys):
    """Each class, threshold, and range of sizes."""
    truth, seen = scene(seed)
    precision = by_pycocotools(truth, seen, 3)
    ranges = ((0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10))
    for at, area in enumerate(ranges):
        for place, threshold in enumerate(COCO_THRESHOLDS):
            mine = by_class(truth, seen, 3, (threshold,), 'coco', '101_points', area)
            theirs = precision[place, :, :, at, 2].mean(0)
            np.testing.assert_allclose(np.where(np.isnan(mine), -1, mine), theirs, atol=1e-12)
    assert 0.1 < precision[0, :, :, 0, 2].mean() < 0.95
    capsys.readouterr()
