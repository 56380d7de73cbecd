"""Transforms: published values, invariants, one geometry for image, mask and boxes, keys an example."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from jaxlab.data.transforms import TRANSFORMS, Context, compose, geometry
from jaxlab.errors import UserError
from tests.data.augmented import CONTEXT, augment, batch_of, translated

RAMP = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
BLACK = np.float32(0)


@functools.partial(jax.jit, static_argnames='size')
def matrix_of(theta=0.0, shift=(0.0, 0.0), zoom=(1.0, 1.0), size=(5, 5)):
    angle = jnp.deg2rad(jnp.array([theta]))
    return geometry.affine_matrix(size, angle, jnp.array([shift]), jnp.zeros(1), jnp.array([zoom]))


warp = jax.jit(geometry.warp, static_argnums=2)


def test_published_rotation():
    """Rotation about (H / 2 - 0.5), output to input, order 1, edges held: 20 degrees of a 5x5 ramp."""
    matrix = matrix_of(20.0)
    np.testing.assert_allclose(
        matrix[0], [[0.93969262, -0.34202014, 0.80465505], [0.34202014, 0.93969262, -0.56342553]], atol=1e-6
    )
    turned = warp(RAMP, matrix, 'nearest', BLACK)[0, :, :, 0]
    np.testing.assert_allclose(turned[0], [4.023275, 2.689442, 1.919034, 2.255652, 3.195345], atol=1e-5)
    assert turned[2, 2] == pytest.approx(12, abs=1e-5)


@pytest.mark.parametrize(
    'move',
    [
        lambda offset: warp(RAMP, matrix_of(shift=offset), 'nearest', BLACK),
        lambda offset: translated({'image': RAMP}, np.array([offset], np.float32), 'nearest', CONTEXT)['image'],
    ],
)
def test_published_shifts(move):
    np.testing.assert_array_equal(move((1.0, 0.0))[0, :, 0, 0], [5, 10, 15, 20, 20])
    np.testing.assert_array_equal(move((0.0, -1.0))[0, 0, :, 0], [0, 0, 1, 2, 3])


@pytest.mark.parametrize('fill, mode', [('nearest', 'nearest'), ('constant', 'grid-constant'), ('reflect', 'mirror')])
def test_equal_to_scipy(fill, mode):
    from scipy.ndimage import affine_transform

    matrix = np.asarray(matrix_of(33.0, (1.3, -2.1), (1.4, 0.7), (9, 7))[0], np.float64)
    image = np.random.default_rng(1).uniform(size=(9, 7)).astype(np.float32)
    expected = affine_transform(image.astype(np.float64), matrix[:, :2], matrix[:, 2], order=1, mode=mode, cval=0.25)
    got = warp(image[None, :, :, None], matrix[None].astype(np.float32), fill, np.float32(0.25))
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
    large = batch_of(16)
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
    batch = batch_of(16)
    once, twice = augment(batch, ('flip', {})), augment(batch, ('flip', {}), ('flip', {}))
    assert not np.array_equal(twice['image'], batch['image']) and not np.array_equal(twice['image'], once['image'])


@pytest.mark.parametrize('name', ['flip', 'shift', 'affine', 'mixup', 'cutout'])
def test_pmap_draws_what_one_device_draws(name):
    if jax.local_device_count() < 2:
        pytest.skip('needs two (simulated) devices')
    batch, key, transform = batch_of(16), jax.random.key(3), (name, ARGUMENTS.get(name, {}))
    function = compose((transform,), CONTEXT, batch)
    shared = jax.tree.map(lambda values: values.reshape(2, 8, *values.shape[1:]), batch)
    spread = jax.pmap(lambda share: function(share, key), axis_name='batch', devices=jax.local_devices()[:2])(shared)
    whole = augment(batch, transform, key=3)
    for field in whole:
        np.testing.assert_allclose(spread[field].reshape(whole[field].shape), whole[field], atol=1e-6)


def test_flip_chooses_half_and_mirrors():
    batch = {field: np.asarray(values) for field, values in batch_of(400, 4).items()}
    out = np.asarray(augment(batch, ('flip', {'horizontal': True, 'vertical': False}))['image'])
    mirrored = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(out, batch['image'], strict=True)])
    same = np.array([np.array_equal(a, b) for a, b in zip(out, batch['image'], strict=True)])
    assert (mirrored ^ same).all() and 150 < mirrored.sum() < 250
    always = augment(batch, ('flip', {'horizontal': False, 'vertical': True, 'p': 1.0}))['image']
    np.testing.assert_array_equal(always, batch['image'][:, ::-1])


def drawn(name, image, measure, count=3000, **arguments):
    """What `measure` finds in each of many copies of one image [H, W, C] after a transform, [count]."""
    batch = {'image': np.tile(np.asarray(image, np.float32)[None], (count, 1, 1, 1))}
    out = np.asarray(augment(batch, (name, arguments))['image'])
    return np.asarray(measure(out[..., 0]))


def both_sides(values, reach, slack=0.0):
    """Uniform from -reach to reach: nothing outside, both ends come up, the middle at 0, a draw of its own an example."""
    assert np.abs(values).max() <= reach * (1 + slack) + 1e-4
    assert values.max() > 0.9 * reach and values.min() < -0.9 * reach
    deviation = reach / (3 * len(values)) ** 0.5
    assert abs(values.mean()) < 4 * deviation + slack * reach
    assert 0.45 < (values > 0).mean() < 0.55
    assert len(np.unique(np.round(values, 6))) > 0.5 * len(values)


ROW, COLUMN = np.mgrid[-8:9, -8:9].astype(np.float64)  # about the centre of 17 x 17 pixels
CENTRE = (slice(None), slice(6, 11), slice(6, 11))


def slope(out, axis):
    """How fast the values in the middle of an image change along an axis, [count]."""
    return np.diff(out[CENTRE], axis=axis).mean((1, 2))


def ramp(along):
    """Values of -8 to 8 brought to 0..1, 1 / 20 a pixel."""
    return (0.5 + along / 20)[:, :, None]


TURNS = {'rotation': {'degrees': 30.0}, 'affine': {'rotation': 30.0}}


@pytest.mark.parametrize('name', TURNS)
def test_turns_go_both_ways(name):
    """The slope of a ramp over the columns turns with the image: its angle is the image's."""
    angles = drawn(name, ramp(COLUMN), lambda out: np.degrees(np.arctan2(slope(out, 1), slope(out, 2))), **TURNS[name])
    both_sides(angles, 30.0, 0.01)


@pytest.mark.parametrize('name', ['shift', 'affine'])
@pytest.mark.parametrize('axis', ['rows', 'columns'])
def test_shifts_go_both_ways(name, axis):
    """The value in the centre of a ramp says how far it was moved; rows and columns by draws of their own."""
    arguments = {'fraction': 0.25} if name == 'shift' else {'shift': 0.25}
    moved = drawn(name, ramp(ROW if axis == 'rows' else COLUMN), lambda out: 20 * (out[:, 8, 8] - 0.5), **arguments)
    both_sides(moved, 0.25 * 17, 0.01)


@pytest.mark.parametrize('along', [ROW, COLUMN], ids=['rows', 'columns'])
def test_shifts_by_whole_pixels_are_equally_often_any_number(along):
    moved = drawn('shift', ramp(along), lambda out: np.round(20 * (out[:, 8, 8] - 0.5)).astype(int), pixels=2)
    counts = np.bincount(moved + 2, minlength=5)
    assert len(counts) == 5 and abs(counts - 600).max() < 4 * (3000 * 0.2 * 0.8) ** 0.5


def test_rows_and_columns_are_shifted_independently():
    image = np.concatenate([ramp(ROW), ramp(COLUMN)], axis=2)
    batch = {'image': np.tile(image.astype(np.float32)[None], (2000, 1, 1, 1))}
    out = np.asarray(augment(batch, ('shift', {'pixels': 3}))['image'])[:, 8, 8]
    assert abs(np.corrcoef(out.T)[0, 1]) < 0.1


ZOOMS = [('zoom', {'amount': 0.3}), ('zoom', {'amount': 0.3, 'keep_aspect': False}), ('affine', {'zoom': 0.3})]


@pytest.mark.parametrize('name, arguments', ZOOMS)
@pytest.mark.parametrize('axis', [1, 2])
def test_zooms_go_both_ways(name, arguments, axis):
    """The slope of a ramp is stretched by the factor."""
    factors = drawn(name, ramp(ROW if axis == 1 else COLUMN), lambda out: 20 * slope(out, axis) - 1, **arguments)
    both_sides(factors, 0.3, 0.01)


def test_shears_go_both_ways():
    """A vertical ramp leans: the slope along the columns is -sin of the angle."""
    angles = drawn('affine', ramp(ROW), lambda out: np.degrees(np.arcsin(-20 * slope(out, 2))), shear=20.0)
    both_sides(angles, 20.0, 0.01)


FLIPS = [
    ('flip', {}, {2}),
    ('flip', {'horizontal': False, 'vertical': True}, {1}),
    ('flip', {'vertical': True}, {1, 2}),
    ('affine', {'horizontal_flip': True}, {2}),
]


@pytest.mark.parametrize('name, arguments, axes', FLIPS)
@pytest.mark.parametrize('axis', [1, 2])
def test_half_of_the_images_are_mirrored(name, arguments, axes, axis):
    """Up to four standard deviations of a fair coin; never along the other axis."""
    mirrored = drawn(name, ramp(ROW if axis == 1 else COLUMN), lambda out: slope(out, axis) < 0, **arguments)
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / 3000**0.5 if axis in axes else not mirrored.any()


@pytest.mark.parametrize('name', ['brightness', 'contrast'])
def test_light_goes_up_and_down(name):
    """Half grey (a step of half grey for the contrast): the factor is read from the brightest pixel."""
    image = np.full((4, 4, 1), 0.5) if name == 'brightness' else np.repeat([[0.25], [0.75]], 8).reshape(4, 4, 1)
    factors = drawn(
        name, image, lambda out: 2 * out[:, 3, 3] - 1 if name == 'brightness' else 4 * out[:, 3, 3] - 3, amount=0.3
    )
    both_sides(factors, 0.3, 0.01)


def test_cut_out_rectangles_lie_anywhere():
    """The centre is any pixel, with the same chance."""
    centres = drawn('cutout', np.ones((9, 9, 1)), lambda out: (out == 0).reshape(-1, 81).argmax(1), size=1, value=0.0)
    counts = np.bincount(centres, minlength=81)
    assert counts.min() > 10 and counts.max() < 70 and abs(centres // 9 - 4).mean() == pytest.approx(20 / 9, abs=0.15)


def test_crop_covers_all_places_with_a_black_border():
    count, size, padding = 2000, 6, 2
    image = np.tile(1 + np.arange(size * size, dtype=np.float32).reshape(1, size, size, 1), (count, 1, 1, 1))
    out = np.asarray(augment({'image': image}, ('crop', {'padding': padding}), context=Context(-1.0, 50.0))['image'])
    padded = np.pad(image[0, :, :, 0], padding, constant_values=-1)
    windows = {padded[r : r + size, c : c + size].tobytes() for r in range(5) for c in range(5)}
    assert {one.tobytes() for one in out[..., 0]} == windows  # 25 windows, each of them met


@given(strategies.integers(0, 1000), strategies.sampled_from(['nearest', 'reflect']))
@settings(max_examples=10, deadline=None)
def test_a_flat_image_stays_flat(seed, fill):
    image = np.full((2, 9, 9, 1), 0.3, np.float32)
    out = augment({'image': image}, ('affine', {'rotation': 180, 'shift': 0.4, 'zoom': 0.5, 'fill': fill}), key=seed)
    np.testing.assert_allclose(out['image'], 0.3, atol=1e-6)


def test_brightness_and_contrast_use_the_true_range():
    """The same light in [0, 1], in [-1, 1] and as bytes gives the same result."""
    batch = batch_of(16, dtype=np.uint8)
    light = np.asarray(batch['image'], np.float32)
    for name in ('brightness', 'contrast', 'cutout'):
        transform = (name, ARGUMENTS.get(name, {}))
        as_bytes, unit, signed = (
            np.asarray(augment({**batch, 'image': image}, transform, context=context)['image'])
            for image, context in (
                (batch['image'], CONTEXT),
                (light / 255, CONTEXT),
                (light / 127.5 - 1, Context(-1.0, 1.0)),
            )
        )
        np.testing.assert_allclose(as_bytes / 255, unit, atol=0.51 / 255 + 1e-6)
        np.testing.assert_allclose((signed + 1) / 2, unit, atol=1e-6)


def test_mixup_mixes_targets_as_images_and_leaves_padding_out():
    count = 64
    labels = np.arange(count, dtype=np.int32) % 4
    image = np.broadcast_to(np.eye(4, dtype=np.float32)[labels][:, None, None, :], (count, 3, 3, 4)).copy()
    weight = (np.arange(count) < 40).astype(np.float32)
    image[40:] = 99.0
    out = augment({'image': image, 'label': labels, 'weight': weight}, ('mixup', {'alpha': 1.0}))
    out = {field: np.asarray(values) for field, values in out.items()}
    np.testing.assert_allclose(out['image'][:40, 0, 0], out['target'][:40], atol=1e-6)
    np.testing.assert_allclose(out['target'].sum(1), 1, atol=1e-6)
    assert out['target'].dtype == np.float32 and (out['target'].max(1) < 0.99).sum() > 10


def test_what_was_mixed_is_mixed_again():
    """The targets of a second mixup are those of the first, not the labels."""
    labels = np.arange(32, dtype=np.int32) % 4
    image = np.broadcast_to(np.eye(4, dtype=np.float32)[labels][:, None, None, :], (32, 2, 2, 4))
    out = augment({'image': image, 'label': labels}, ('mixup', {'alpha': 2.0}), ('mixup', {'alpha': 1.0}))
    out = {field: np.asarray(values) for field, values in out.items()}
    np.testing.assert_allclose(out['image'][:, 0, 0], out['target'], atol=1e-6)
    assert ((out['target'] > 1e-3).sum(axis=1) > 2).any()


@pytest.mark.parametrize('fill, lost', [('constant', True), ('nearest', False)])
def test_fractional_shifts_fill_as_they_are_told(fill, lost):
    out = augment({'image': np.ones((32, 8, 8, 1), np.float32)}, ('shift', {'fraction': 0.5, 'fill': fill}))['image']
    assert bool((np.asarray(out) < 0.5).any()) is lost


@pytest.mark.parametrize(
    'name, given, said',
    [
        ('flip', {'p': 2}, ('flip', 'p')),
        ('brightness', {'amount': 3}, ('brightness', 'amount')),
        ('crop', {'padding': 1, 'fill': 'black'}, ('fill', 'black')),
        ('rotation', {'degrees': 3, 'fill': 'black'}, ('fill', 'black')),
    ],
)
def test_what_is_wrong_is_named(name, given, said):
    with pytest.raises(UserError) as found:
        compose(((name, given),), CONTEXT, batch_of())
        augment(batch_of(), (name, given))
    words = re.findall(r'\w+', str(found.value))
    assert all(word in words for word in said)


def test_cutout_covers_what_it_says():
    image = np.ones((500, 10, 10, 1), np.float32)
    covered = (np.asarray(augment({'image': image}, ('cutout', {'size': 4, 'value': 0.0}))['image']) == 0).sum(
        (1, 2, 3)
    )
    assert covered.max() == 16 and covered.min() >= 4


def test_no_transforms_is_the_identity():
    batch = batch_of()
    assert compose((), CONTEXT, batch)(batch, jax.random.key(0)) is batch


@pytest.mark.parametrize('name', ['affine', 'flip', 'mixup'])
def test_works_under_jit_scan_and_vmap(name):
    """As a run of stacked replicas has it: two keys side by side, twice in a loop; each draws what it draws alone."""
    batch, transform, seeds = batch_of(16), (name, ARGUMENTS.get(name, {})), np.arange(4)
    function = compose((transform,), CONTEXT, batch)

    @jax.jit
    def loop(batch, seeds):
        stacked = jax.vmap(lambda seed: function(batch, jax.random.key(seed))['image'])
        return jax.lax.scan(lambda carry, pair: (carry, stacked(pair)), 0, seeds)[1]

    found = np.asarray(loop(batch, seeds.reshape(2, 2)))
    for seed, image in zip(seeds.tolist(), found.reshape(4, *batch['image'].shape), strict=True):
        np.testing.assert_allclose(image, augment(batch, transform, key=seed)['image'], atol=1e-5)
