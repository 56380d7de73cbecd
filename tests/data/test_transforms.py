"""Transforms: published values, invariants, one geometry for image, mask and boxes, keys an example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from jaxlab.data.transforms import TRANSFORMS, Context, compose, geometry

RAMP = jnp.arange(25.0).reshape(1, 5, 5, 1)
BLACK = jnp.float32(0)
CONTEXT = Context(0.0, 1.0, 4)


def matrix_of(theta=0.0, shift=(0.0, 0.0), zoom=(1.0, 1.0), size=(5, 5)):
    angle = jnp.deg2rad(jnp.array([theta]))
    return geometry.affine_matrix(size, angle, jnp.array([shift]), jnp.zeros(1), jnp.array([zoom]))


def batch_of(count=6, size=12, channels=3, seed=0, dtype=np.float32):
    generator = np.random.default_rng(seed)
    image = generator.uniform(0, 1, (count, size, size, channels))
    image = image.astype(np.float32) if dtype == np.float32 else (image * 255).astype(np.uint8)
    return {'image': jnp.asarray(image), 'label': jnp.arange(count, dtype=jnp.int32) % 4}


def augment(batch, *transforms, key=0, context=CONTEXT):
    return jax.jit(compose(transforms, context, batch))(batch, jax.random.key(key))


def test_published_rotation():
    """Rotation about (H / 2 - 0.5), output to input, order 1, edges held: 20 degrees of a 5x5 ramp."""
    matrix = matrix_of(20.0)
    np.testing.assert_allclose(matrix[0], [[0.93969262, -0.34202014, 0.80465505],
                                           [0.34202014, 0.93969262, -0.56342553]], atol=1e-6)
    turned = geometry.warp(RAMP, matrix, 'nearest', BLACK)[0, :, :, 0]
    np.testing.assert_allclose(turned[0], [4.023275, 2.689442, 1.919034, 2.255652, 3.195345], atol=1e-5)
    assert turned[2, 2] == pytest.approx(12, abs=1e-5)


@pytest.mark.parametrize('move', [
    lambda offset: geometry.warp(RAMP, matrix_of(shift=offset), 'nearest', BLACK),
    lambda offset: geometry.translated({'image': RAMP}, jnp.array([offset]), 'nearest', CONTEXT)['image'],
])
def test_published_shifts(move):
    np.testing.assert_array_equal(move((1.0, 0.0))[0, :, 0, 0], [5, 10, 15, 20, 20])
    np.testing.assert_array_equal(move((0.0, -1.0))[0, 0, :, 0], [0, 0, 1, 2, 3])


@pytest.mark.parametrize('fill, mode', [('nearest', 'nearest'), ('constant', 'grid-constant'), ('reflect', 'mirror')])
def test_equal_to_scipy(fill, mode):
    from scipy.ndimage import affine_transform

    matrix = np.asarray(matrix_of(33.0, (1.3, -2.1), (1.4, 0.7), (9, 7))[0], np.float64)
    image = np.random.default_rng(1).uniform(size=(9, 7)).astype(np.float32)
    expected = affine_transform(image.astype(np.float64), matrix[:, :2], matrix[:, 2], order=1, mode=mode, cval=0.25)
    got = geometry.warp(jnp.asarray(image)[None, :, :, None], jnp.asarray(matrix)[None], fill, jnp.float32(0.25))
    np.testing.assert_allclose(got[0, :, :, 0], expected, atol=2e-5)


ARGUMENTS = {
    'mixup': {'alpha': 1.0},
    'cutout': {'size': 5},
    'shift': {'pixels': 3},
    'affine': {'rotation': 30, 'shift': 0.2, 'zoom': 0.3, 'shear': 10, 'horizontal_flip': True},
}


@pytest.mark.parametrize('name', TRANSFORMS)
@pytest.mark.parametrize('dtype', [np.float32, np.uint8])
def test_range_shape_and_dtype_are_kept(name, dtype):
    batch = batch_of(16, dtype=dtype)
    out = augment(batch, (name, ARGUMENTS.get(name, {})))
    assert out['image'].shape == batch['image'].shape and out['image'].dtype == batch['image'].dtype
    high = 255 if dtype == np.uint8 else 1
    assert out['image'].min() >= 0 and out['image'].max() <= high + 1e-6
    assert not np.array_equal(out['image'], batch['image'])
    np.testing.assert_array_equal(out['label'], batch['label'])


@pytest.mark.parametrize('name', [name for name in TRANSFORMS if name != 'mixup'])
def test_an_example_draws_from_its_own_key(name):
    """The first rows of a larger batch get what they get in a smaller one: nothing depends on the batch's size."""
    large = batch_of(8)
    small = {field: values[:3] for field, values in large.items()}
    transform = (name, ARGUMENTS.get(name, {}))
    np.testing.assert_allclose(augment(large, transform)['image'][:3], augment(small, transform)['image'], atol=1e-6)


@pytest.mark.parametrize('name', TRANSFORMS)
def test_deterministic_in_the_key_and_different_between_keys(name):
    batch, transform = batch_of(16), (name, ARGUMENTS.get(name, {}))
    first, again, other = (augment(batch, transform, key=key)['image'] for key in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_steps_draw_differently():
    batch = batch_of(64)
    once, twice = augment(batch, 'flip'), augment(batch, 'flip', 'flip')
    assert not np.array_equal(twice['image'], batch['image']) and not np.array_equal(twice['image'], once['image'])


@pytest.mark.parametrize('name', ['flip', 'shift', 'affine', 'mixup', 'cutout'])
def test_pmap_draws_what_one_device_draws(name):
    if jax.local_device_count() < 2:
        pytest.skip('needs two (simulated) devices')
    batch, key = batch_of(8), jax.random.key(3)
    function = compose(((name, ARGUMENTS.get(name, {})),), CONTEXT, batch)
    shared = jax.tree.map(lambda values: values.reshape(2, 4, *values.shape[1:]), batch)
    spread = jax.pmap(lambda share: function(share, key), axis_name='batch', devices=jax.local_devices()[:2])(shared)
    whole = jax.jit(function)(batch, key)
    for field in whole:
        np.testing.assert_allclose(spread[field].reshape(whole[field].shape), whole[field], atol=1e-6)


def test_flip_chooses_half_and_mirrors():
    batch = batch_of(400, 4)
    out = augment(batch, ('flip', {'horizontal': True, 'vertical': False}))['image']
    mirrored = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(out, batch['image'], strict=True)])
    same = np.array([np.array_equal(a, b) for a, b in zip(out, batch['image'], strict=True)])
    assert (mirrored ^ same).all() and 150 < mirrored.sum() < 250
    always = augment(batch, ('flip', {'horizontal': False, 'vertical': True, 'p': 1.0}))['image']
    np.testing.assert_array_equal(always, batch['image'][:, ::-1])


def test_crop_covers_all_places_with_a_black_border():
    count, size, padding = 2000, 6, 2
    image = jnp.tile(1 + jnp.arange(size * size, dtype=jnp.float32).reshape(1, size, size, 1), (count, 1, 1, 1))
    out = np.asarray(augment({'image': image}, ('crop', {'padding': padding}), context=Context(-1.0, 50.0))['image'])
    padded = np.pad(np.asarray(image[0, :, :, 0]), padding, constant_values=-1)
    windows = {padded[r : r + size, c : c + size].tobytes() for r in range(5) for c in range(5)}
    assert {one.tobytes() for one in out[..., 0]} == windows  # 25 windows, each of them met


@given(strategies.integers(0, 1000), strategies.sampled_from(['nearest', 'reflect']))
@settings(max_examples=10, deadline=None)
def test_a_flat_image_stays_flat(seed, fill):
    image = jnp.full((2, 9, 9, 1), 0.3)
    out = augment({'image': image}, ('affine', {'rotation': 180, 'shift': 0.4, 'zoom': 0.5, 'fill': fill}), key=seed)
    np.testing.assert_allclose(out['image'], 0.3, atol=1e-6)


def marked_boxes(size=24):
    """Images with one white rectangle each, the same as mask and as box (second box: padding)."""
    image, boxes = np.zeros((8, size, size, 1), np.float32), np.zeros((8, 2, 4), np.float32)
    for row in range(8):
        top, left, high, wide = 6 + row % 3, 8 - row % 4, 7, 5 + row % 3
        image[row, top : top + high, left : left + wide] = 1
        boxes[row, 0] = np.array([top, left, top + high, left + wide]) / size
    return {'image': jnp.asarray(image), 'mask': jnp.asarray(image[..., 0].astype(np.int32)), 'boxes': jnp.asarray(boxes)}


@pytest.mark.parametrize('transform, slack', [
    (('flip', {'vertical': True}), 0.01), (('shift', {'pixels': 4, 'fill': 'constant'}), 0.01),
    (('crop', {'padding': 3}), 0.01), (('zoom', {'amount': 0.3, 'fill': 'constant'}), 1.01),
    (('affine', {'shift': 0.15, 'horizontal_flip': True, 'fill': 'constant'}), 1.01)])
@pytest.mark.parametrize('key', range(3))
def test_mask_and_boxes_move_with_the_image(transform, slack, key):
    batch = marked_boxes()
    out = augment(batch, transform, key=key)
    assert out['mask'].dtype == jnp.int32 and set(np.unique(out['mask'])) <= {0, 1}
    white = np.asarray(out['image'][..., 0]) > 0.5
    assert (white != np.asarray(out['mask'])).sum() <= (0.1 * white.sum() if slack > 1 else 0)
    for mask, boxes in zip(np.asarray(out['mask']), np.asarray(out['boxes']), strict=True):
        rows, columns = np.nonzero(mask)
        seen = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
        np.testing.assert_allclose(boxes[0] * 24, seen, atol=slack)
        assert not boxes[1].any()


def test_a_turned_box_contains_the_turned_object_and_a_lost_one_vanishes():
    batch = marked_boxes()
    out = augment(batch, ('rotation', {'degrees': 45, 'fill': 'constant'}))
    for mask, box in zip(np.asarray(out['mask']), np.asarray(out['boxes'][:, 0]) * 24, strict=True):
        rows, columns = np.nonzero(mask)
        assert box[0] - 1 <= rows.min() and box[1] - 1 <= columns.min()
        assert rows.max() + 1 <= box[2] + 1 and columns.max() + 1 <= box[3] + 1
    far = geometry.translated(batch, jnp.full((8, 2), 23.0), 'constant', CONTEXT)
    assert not far['boxes'].any() and not far['mask'].any()


def test_brightness_and_contrast_use_the_true_range():
    """The same light in [0, 1], in [-1, 1] and as bytes gives the same result."""
    batch = batch_of(4, dtype=np.uint8)
    for name in ('brightness', 'contrast', 'cutout'):
        as_bytes = augment(batch, name)['image'] / 255
        unit = augment({**batch, 'image': batch['image'] / 255}, name)['image']
        signed = augment({**batch, 'image': batch['image'] / 127.5 - 1}, name, context=Context(-1.0, 1.0))['image']
        np.testing.assert_allclose(as_bytes, unit, atol=0.51 / 255 + 1e-6)
        np.testing.assert_allclose((signed + 1) / 2, unit, atol=1e-6)


def test_mixup_mixes_targets_as_images_and_leaves_padding_out():
    count = 64
    labels = jnp.arange(count, dtype=jnp.int32) % 4
    image = jnp.broadcast_to(jax.nn.one_hot(labels, 4)[:, None, None, :], (count, 3, 3, 4))
    weight = (jnp.arange(count) < 40).astype(jnp.float32)
    image = jnp.where(weight[:, None, None, None] > 0, image, 99.0)
    out = augment({'image': image, 'label': labels, 'weight': weight}, ('mixup', {'alpha': 1.0}))
    np.testing.assert_allclose(out['image'][:40, 0, 0], out['target'][:40], atol=1e-6)
    np.testing.assert_allclose(out['target'].sum(1), 1, atol=1e-6)
    assert out['target'].dtype == jnp.float32 and (out['target'].max(1) < 0.99).sum() > 10


def test_cutout_covers_what_it_says():
    image = jnp.ones((500, 10, 10, 1))
    covered = np.asarray((augment({'image': image}, ('cutout', {'size': 4, 'value': 0.0}))['image'] == 0).sum((1, 2, 3)))
    assert covered.max() == 16 and covered.min() >= 4


def test_no_transforms_is_the_identity():
    batch = batch_of()
    assert compose((), CONTEXT, batch)(batch, jax.random.key(0)) is batch


def test_works_under_jit_scan_and_vmap():
    batch = batch_of()
    function = compose((('affine', ARGUMENTS['affine']), 'flip', ('mixup', {})), CONTEXT, batch)
    keys = jax.random.split(jax.random.key(0), 2)
    both = jax.jit(jax.vmap(lambda key: function(batch, key)['image']))(keys)
    scanned = jax.jit(lambda: jax.lax.scan(lambda carry, key: (carry, function(batch, key)['image']), 0, keys)[1])()
    for row, key in enumerate(keys):
        single = jax.jit(function)(batch, key)['image']
        np.testing.assert_allclose(both[row], single, atol=1e-5)
        np.testing.assert_allclose(scanned[row], single, atol=1e-5)
