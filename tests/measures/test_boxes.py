"""Overlap, default boxes, offsets, matching, mining, suppression: golden values of B12 and of `traps` O1 to O12."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.measures import boxes as measured
from jaxlab.measures import multibox as losses
from jaxlab.measures.boxes import area, default_boxes
from jaxlab.measures.multibox import hardest
from jaxlab.measures.suppression import detections, suppressed
from jaxlab.models.ssdlite import cells

# As training runs them, compiled: one operation after the other they would be compiled one by one, for every shape.
decode, encode, iou, match = map(jax.jit, (measured.decode, measured.encode, measured.iou, losses.match))
multibox = jax.jit(losses.multibox, static_argnums=(5, 6))
slope_of_iou = jax.jit(jax.grad(lambda a, b: iou(a, b).sum()))
ANCHORS = default_boxes(cells((320, 320)))


def box(*sides):
    return np.array(sides, np.float32)


@pytest.mark.parametrize(
    'a, b, expected',
    [
        ((0, 0, 100, 100), (10, 10, 110, 110), 0.680672),
        ((0, 0, 100, 100), (0, 0, 90, 100), 0.9),
        ((200, 200, 300, 300), (205, 205, 305, 305), 0.822323),
        ((64, 64, 256, 256), (100, 75, 400, 300), 0.370902),  # B12, flaw 3: the box that was not rescaled
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),  # O2: no size, no NaN
        ((0, 0, 10, 10), (20, 20, 10, 10), 0.0),
        ((159, 181, 302, 431), (160, 182, 302, 431), 0.989035),  # O1: mask's corners without + 1
    ],
)
def test_iou(a, b, expected):
    np.testing.assert_allclose(iou(box(a), box(b))[0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(iou(box(b), box(a))[0, 0], expected, atol=1e-6)
    assert np.isfinite(slope_of_iou(box(a), box(b))).all()


def test_area_of_crossed_edges_is_nothing():
    np.testing.assert_array_equal(area(box((0, 0, 2, 3), (2, 3, 0, 0), (0, 3, 2, 0))), [6, 0, 0])


def test_default_boxes():
    """B12: 3,234 in six maps; the first cell of the first map; sides clamped to the image."""
    assert ANCHORS.shape == (3_234, 4)
    assert [6 * rows * columns for rows, columns in cells((320, 320))] == [2400, 600, 150, 54, 24, 6]
    expected = [
        (-24, -24, 40, 40),
        (-34.3320, -34.3320, 50.3320, 50.3320),
        (-37.2548, -14.6274, 53.2548, 30.6274),
        (-14.6274, -37.2548, 30.6274, 53.2548),
        (-47.4256, -10.4752, 63.4256, 26.4752),
        (-10.4752, -47.4256, 26.4752, 63.4256),
    ]
    np.testing.assert_allclose(ANCHORS[:6] * 320, expected, atol=1e-4)
    np.testing.assert_allclose((ANCHORS[6] + ANCHORS[6:12])[:, ::2].mean(), 3 / 20, atol=1e-6)  # next cell to the right
    np.testing.assert_allclose(ANCHORS[120:126, 1::2].mean(), 1.5 / 20, atol=1e-6)  # next row
    sides = ANCHORS[:, 2:] - ANCHORS[:, :2]
    assert sides.max() <= 1 + 1e-6
    np.testing.assert_allclose(sides[-6:].max(1), [0.95, 0.95**0.5, 1, 1, 1, 1], atol=1e-6)


def test_offsets():
    """B12: anchor (48, 48, 208, 208), object (64, 64, 256, 256); there and back; smooth L1 of four of them."""
    anchor, truth = box((48, 48, 208, 208)), box((64, 64, 256, 256))
    np.testing.assert_allclose(encode(truth, anchor)[0], [2.0, 2.0, 0.911608, 0.911608], atol=1e-6)
    low, sides = np.random.default_rng(0).uniform(size=(2, 50, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + 0.01 + sides], 1)
    np.testing.assert_allclose(decode(encode(boxes, ANCHORS[:50]), ANCHORS[:50]), boxes, atol=1e-5)
    assert np.isfinite(encode(box((1, 1, 1, 1)), anchor)).all()
    grown = decode(jnp.array([[0.0, 0, 100, 100]]), anchor)[0]
    np.testing.assert_allclose(grown[2] - grown[0], 160 * 62.5, rtol=1e-5)


SQUARES = box((0, 0, 0.4, 0.4), (0, 0, 0.5, 0.4), (0.5, 0.5, 1, 1), (0.6, 0.6, 1, 1), (0, 0.9, 0.1, 1))


def test_matching():
    """By the threshold, and each object its own default box; padding claims none (O11)."""
    truth = box((0, 0, 0.42, 0.4), (0, 0, 0, 0), (0.5, 0.5, 0.8, 0.8), (0, 0, 0, 0))
    assert match(truth, SQUARES).tolist() == [0, 0, 2, -1, -1]
    assert match(np.zeros((4, 4), np.float32), SQUARES).tolist() == [-1] * 5
    tiny = box((0.02, 0.95, 0.03, 0.96))  # overlaps the last by far less than the threshold
    assert match(tiny, SQUARES).tolist() == [-1, -1, -1, -1, 0]


def test_two_objects_never_share_a_default_box():
    """O11: the one that fits better has the common best, the other its next, whatever the order; the threshold yields."""
    truth = box((0, 0, 0.4, 0.4), (0, 0, 0.4, 0.38))
    assert match(truth, SQUARES).tolist() == [0, 1, -1, -1, -1]
    assert match(truth[::-1], SQUARES).tolist() == [1, 0, -1, -1, -1]
    twice = np.concatenate([truth[:1], truth[:1]])
    assert match(twice, SQUARES).tolist() == [0, 1, -1, -1, -1]
    many = np.tile(box((0.5, 0.5, 0.99, 0.99)), (4, 1))  # more objects than boxes that overlap them
    assert sorted(set(match(many, SQUARES).tolist())) == [-1, 0, 1]


def test_hardest_negatives():
    losses = jnp.array([5.0, 1, 4, 4, 9, 2])
    able = jnp.array([True, True, True, True, False, True])
    assert hardest(losses, able, 2).tolist() == [True, False, True, False, False, False]  # of equal ones the first
    assert hardest(losses, able, 0).sum() == 0 and hardest(losses, able, 99).tolist() == able.tolist()


def example(seed=0, images=3, places=4, classes=3):
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, 0.6, (images, places, 2))
    boxes = np.concatenate([low, low + generator.uniform(0.05, 0.4, low.shape)], -1).astype(np.float32)
    boxes[0, 2:] = boxes[1] = 0  # two objects, none, four
    labels = generator.integers(0, classes, (images, places)).astype(np.int32)
    logits = generator.normal(size=(images, len(ANCHORS), classes + 1)).astype(np.float32)
    offsets = generator.normal(size=(images, len(ANCHORS), 4)).astype(np.float32)
    return logits, offsets, boxes, labels


def plain_sums(logits, offsets, boxes, labels, ratio, least):
    """One image, as a reader of the paper would write it down."""
    real = [row for row in boxes if (row[2] - row[0]) * (row[3] - row[1]) > 0]
    shared = np.asarray(iou(jnp.asarray(np.array(real).reshape(-1, 4)), jnp.asarray(ANCHORS)))
    owner = np.full(len(ANCHORS), -1)
    if len(real):
        good = shared.max(0) >= 0.5
        owner[good] = shared.argmax(0)[good]
        for row in range(len(real)):
            owner[shared[row].argmax()] = row  # no two objects of the example share a best one
    matched = owner >= 0
    target = np.where(matched, labels[owner] + 1, 0)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    ce = -log_p[np.arange(len(target)), target]
    order = np.argsort(-np.where(matched, -np.inf, ce), kind='stable')[: max(ratio * matched.sum(), least)]
    localisation = 0.0
    for place in np.flatnonzero(matched):
        x0, y0, x1, y1 = ANCHORS[place].astype(float)
        u0, v0, u1, v1 = boxes[owner[place]].astype(float)
        wanted = (
            10 * ((u0 + u1) / 2 - (x0 + x1) / 2) / (x1 - x0),
            10 * ((v0 + v1) / 2 - (y0 + y1) / 2) / (y1 - y0),
            5 * np.log((u1 - u0) / (x1 - x0)),
            5 * np.log((v1 - v0) / (y1 - y0)),
        )
        d = np.abs(offsets[place] - wanted)
        localisation += np.where(d < 1, d * d / 2, d - 0.5).sum()
    return localisation, ce[matched].sum() + ce[order].sum(), matched.sum()


@pytest.mark.parametrize('least', [0, 5])
def test_multibox_loss(least):
    """Against NumPy; an image without objects teaches nothing unless `least` says so (O10)."""
    logits, offsets, boxes, labels = example()
    found = multibox(logits, offsets, boxes, labels, ANCHORS, 3, least)
    for row in range(3):
        expected = plain_sums(logits[row], offsets[row], boxes[row], labels[row], 3, least)
        np.testing.assert_allclose([part[row] for part in found], expected, rtol=1e-5)
    assert found.matched[1] == 0 and (float(found.classification[1]) > 0) == (least > 0)
    np.testing.assert_allclose(found.matched[0] >= 2, True)


def test_smooth_l1_of_b12():
    """Offsets (2.0, 0.5, 0.911608, -0.2) away from the truth cost 2.060515."""
    anchor = box((0.2, 0.2, 0.6, 0.6))
    found = multibox(
        jnp.zeros((1, 1, 2)), jnp.array([[[2.0, 0.5, 0.911608, -0.2]]]), anchor[None], jnp.zeros((1, 1), int), anchor
    )
    np.testing.assert_allclose(found.localisation[0], 2.060515, atol=1e-6)
    np.testing.assert_allclose(found.classification[0], np.log(2), atol=1e-6)


def test_gradients_of_the_loss_are_finite_and_only_where_it_looks():
    logits, offsets, boxes, labels = example()

    def loss(logits, offsets):
        found = multibox(logits, offsets, boxes, labels, ANCHORS)
        return found.localisation.sum() + found.classification.sum(), found.matched

    (to_logits, to_offsets), matched = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(logits, offsets)
    assert np.isfinite(to_logits).all() and np.isfinite(to_offsets).all()
    touched = (np.abs(to_offsets[0]).sum(-1) > 0).sum()
    assert touched == int(matched[0])
    assert (np.abs(to_logits[0]).sum(-1) > 0).sum() == 4 * touched  # three of the background for each
    assert not np.abs(to_logits[1]).any()


def test_suppression_is_one_after_the_other():
    """A box that is dropped drops none itself; scores of 0 are no boxes."""
    boxes = box((0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10), (100, 0, 110, 10), (0, 0, 10, 10))
    scores = jnp.array([0.9, 0.8, 0.7, 0.6, 0.0])
    assert suppressed(boxes, scores, 0.5).tolist() == [True, False, True, True, False]
    assert suppressed(boxes, scores, 0.2).tolist() == [True, False, False, True, False]
    assert suppressed(boxes, scores, 0.6).tolist() == [True, True, True, True, False]


def plain_detections(logits, offsets, least_score, candidates, threshold, most):
    """Greedy suppression in Python, image by image and class by class."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    boxes = np.clip(np.asarray(decode(jnp.asarray(offsets), jnp.asarray(ANCHORS))), 0, 1)
    found = []
    for label in range(1, p.shape[1]):
        order = np.argsort(-p[:, label], kind='stable')[:candidates]
        shared, kept = np.asarray(iou(boxes[order], boxes[order])), []
        for k in range((p[order, label] > least_score).sum()):
            if all(shared[k, other] <= threshold for other in kept):
                kept.append(k)
        found += [(p[order[k], label], label - 1, boxes[order[k]]) for k in kept]
    return sorted(found, key=lambda row: -row[0])[:most]


@pytest.mark.parametrize('options', [(0.2, 40, 0.45, 25), (0.001, 60, 0.3, 1000)])
def test_detections_are_those_of_the_plain_loop(options):
    logits, offsets, *_ = example(1)
    offsets *= 0.3
    names = ('least_score', 'candidates', 'threshold', 'most')
    settings = dict(zip(names, options))
    found = jax.jit(lambda z, t: detections(z, t, ANCHORS, **settings))(logits, offsets)
    for row in range(len(logits)):
        expected = plain_detections(logits[row], offsets[row], **settings)
        there = int((found.scores[row] > 0).sum())
        assert there == len(expected) > 10
        np.testing.assert_allclose(found.scores[row, :there], [one[0] for one in expected], rtol=1e-5)
        assert found.labels[row, :there].tolist() == [one[1] for one in expected]
        np.testing.assert_allclose(found.boxes[row, :there], [one[2] for one in expected], atol=1e-5)
        assert (found.labels[row, there:] == -1).all() and not np.any(found.boxes[row, there:])
    assert found.boxes.min() >= 0 and found.boxes.max() <= 1


def test_classes_do_not_suppress_each_other():
    """Two classes at the same place both stay; in half precision too."""
    logits = jnp.full((1, len(ANCHORS), 3), -20.0).at[:, :, 0].set(20).at[0, 7].set(jnp.array([0.0, 9, 9]))
    offsets = jnp.zeros((1, len(ANCHORS), 4), jnp.bfloat16)
    found = jax.jit(lambda z, t: detections(z, t, ANCHORS))(logits.astype(jnp.bfloat16), offsets)
    assert int((found.scores > 0).sum()) == 2 and sorted(found.labels[0, :2].tolist()) == [0, 1]
    np.testing.assert_allclose(found.boxes[0, 0], found.boxes[0, 1])
