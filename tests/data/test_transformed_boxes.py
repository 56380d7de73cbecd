"""One geometry for image, mask and boxes: they move together, and a box is given up when its centre is outside."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.data.augmented import CONTEXT, augment, translated


def marked_boxes(size=24):
    """Images with one white rectangle each, the same as mask and as box (second box: padding)."""
    image, boxes = np.zeros((8, size, size, 1), np.float32), np.zeros((8, 2, 4), np.float32)
    for row in range(8):
        top, left, high, wide = 6 + row % 3, 8 - row % 4, 7, 5 + row % 3
        image[row, top : top + high, left : left + wide] = 1
        boxes[row, 0] = np.array([left, top, left + wide, top + high]) / size
    return {
        'image': jnp.asarray(image),
        'mask': jnp.asarray(image[..., 0].astype(np.int32)),
        'boxes': jnp.asarray(boxes),
    }


@pytest.mark.parametrize(
    'transform, slack',
    [
        (('flip', {'vertical': True}), 0.01),
        (('shift', {'pixels': 4, 'fill': 'constant'}), 0.01),
        (('crop', {'padding': 3}), 0.01),
        (('zoom', {'amount': 0.3, 'fill': 'constant'}), 1.01),
        (('affine', {'shift': 0.15, 'horizontal_flip': True, 'fill': 'constant'}), 1.01),
    ],
)
@pytest.mark.parametrize('key', range(3))
def test_mask_and_boxes_move_with_the_image(transform, slack, key):
    batch = marked_boxes()
    out = augment(batch, transform, key=key)
    assert out['mask'].dtype == jnp.int32 and set(np.unique(out['mask'])) <= {0, 1}
    white = np.asarray(out['image'][..., 0]) > 0.5
    assert (white != np.asarray(out['mask'])).sum() <= (0.1 * white.sum() if slack > 1 else 0)
    for mask, boxes in zip(np.asarray(out['mask']), np.asarray(out['boxes']), strict=True):
        rows, columns = np.nonzero(mask)
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        np.testing.assert_allclose(boxes[0] * 24, seen, atol=slack)
        assert not boxes[1].any()


def test_a_turned_box_contains_the_turned_object_and_a_lost_one_vanishes():
    batch = marked_boxes()
    out = augment(batch, ('rotation', {'degrees': 45, 'fill': 'constant'}))
    for mask, box in zip(np.asarray(out['mask']), np.asarray(out['boxes'][:, 0]) * 24, strict=True):
        rows, columns = np.nonzero(mask)
        assert box[0] - 1 <= columns.min() and box[1] - 1 <= rows.min()
        assert columns.max() + 1 <= box[2] + 1 and rows.max() + 1 <= box[3] + 1
    far = translated(batch, np.full((8, 2), 23, np.float32), 'constant', CONTEXT)
    assert not np.any(far['boxes']) and not np.any(far['mask'])


@pytest.mark.parametrize('moved, left', [(3.0, (0, 4)), (4.0, (0, 3)), (5.0, None), (6.0, None)])
def test_a_box_stays_while_its_centre_is_in_the_image(moved, left):
    """Columns 1 to 6 of 24 (centre 4): moved by 4 to the left the right half is left, by more the object is given up."""
    boxes = np.array([[[1, 4, 7, 10]]], np.float32) / 24
    batch = {'image': np.zeros((1, 24, 24, 1), np.float32), 'boxes': boxes}
    out = np.asarray(translated(batch, np.array([[0.0, moved]], np.float32), 'constant', CONTEXT)['boxes'])[0, 0] * 24
    expected = (0, 0, 0, 0) if left is None else (left[0], 4, left[1], 10)
    np.testing.assert_allclose(out, expected, atol=1e-5)
