"""Masks from files: which mask belongs to which image, what its values mean, and that it stays with its image."""

import numpy as np
import pytest
from PIL import Image

from jaxlab import data as data_sets
from jaxlab.data.images import Decoding
from jaxlab.data.mask import IGNORED, Mask, Reading, decode_mask
from jaxlab.data.sets import scenes
from jaxlab.data.sets.segmentation import pairs
from jaxlab.errors import UserError

WHOLE = Decoding((4, 4))


def save(file, values, mode=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    (image if mode is None else image.convert(mode)).save(file)


def value(rows):
    return np.array(rows, np.uint8).repeat(2, 0).repeat(2, 1)


def folder(tmp_path, images, masks):
    for name in images:
        save(tmp_path / 'images' / name, np.zeros((8, 8, 3)))
    for name in masks:
        save(tmp_path / 'masks' / name, np.zeros((8, 8)))
    return pairs(tmp_path / 'images', tmp_path / 'masks')


def stems(found):
    return [(image.name, mask.name) for image, mask in found]


def test_names_are_compared_whole(tmp_path):
    """S4: image2 never takes image21's mask; what has no partner is named."""
    found, notes = folder(tmp_path, ['image2.jpg', 'image3.png'], ['image21.png', 'image2.png'])
    assert stems(found) == [('image2.jpg', 'image2.png')]
    assert '2 images or masks without a partner were left out: image21, image3' in notes[0]


def test_a_common_ending_of_the_masks_is_found_and_said(tmp_path):
    found, notes = folder(tmp_path, ['a.jpg', 'b.jpg'], ['b_mask.png', 'a_mask.png'])
    assert stems(found) == [('a.jpg', 'a_mask.png'), ('b.jpg', 'b_mask.png')]
    assert notes == ('the mask of NAME is NAME_mask.',)
    with pytest.raises(UserError, match='no mask has the name'):
        folder(tmp_path / 'other', ['x.png'], ['y.png'])
    with pytest.raises(UserError, match=r"'c.jpg' and 'c.png' differ in their endings only"):
        folder(tmp_path / 'twice', ['c.jpg', 'c.png'], ['c.png'])
    with pytest.raises(UserError, match='has no images'):
        pairs(tmp_path / 'images', tmp_path)


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA', '1'])
def test_grey_in_any_form(tmp_path, mode):
    save(tmp_path / 'm.png', value([[0, 255], [255, 0]]), mode)
    np.testing.assert_array_equal(decode_mask(tmp_path / 'm.png', WHOLE, Reading()), value([[0, 1], [1, 0]]))


def test_a_threshold_comes_before_resizing(tmp_path):
    """B19: masks saved as JPEG are not exactly 0 and 255."""
    save(tmp_path / 'm.png', value([[3, 127], [128, 251]]))
    found = decode_mask(tmp_path / 'm.png', Decoding((8, 8)), Reading(127))
    np.testing.assert_array_equal(found, value([[0, 0], [1, 1]]).repeat(2, 0).repeat(2, 1))


def test_a_palette_gives_its_numbers(tmp_path):
    """S3: the palette's colours are not the classes."""
    image = Image.fromarray(value([[0, 1], [2, 255]]))
    image.putpalette([7, 8, 9, 200, 0, 0, 0, 200, 0] + [0] * 759)
    image.save(tmp_path / 'm.png')
    found = decode_mask(tmp_path / 'm.png', WHOLE, Reading(None, (0, 1, 2), (255,)))
    np.testing.assert_array_equal(found, value([[0, 1], [2, IGNORED]]))


def test_values_are_listed_or_refused(tmp_path):
    """S3: 0 and 255 taken for classes."""
    save(tmp_path / 'm.png', value([[0, 128], [255, 0]]))
    found = decode_mask(tmp_path / 'm.png', WHOLE, Reading(None, (0, 128, 255)))
    np.testing.assert_array_equal(found, value([[0, 1], [2, 0]]))
    with pytest.raises(UserError, match='has the values 128, 255; valid: 0, 1'):
        decode_mask(tmp_path / 'm.png', WHOLE, Reading(None, (0, 1)))
    save(tmp_path / 'c.png', np.random.default_rng(0).integers(0, 255, (4, 4, 3)))
    with pytest.raises(UserError, match='is a colour image'):
        decode_mask(tmp_path / 'c.png', WHOLE, Reading())


def test_a_folder_of_ones_own(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(10):
        mask = np.zeros((12, 16), np.uint8)
        mask[rng.integers(0, 6) :, rng.integers(0, 8) :] = 200
        save(tmp_path / 'own' / 'pictures' / f'{number}.png', np.stack([mask] * 3, -1))
        save(tmp_path / 'own' / 'truth' / f'{number}.png', mask)
    options = {'path': 'own', 'images': 'pictures', 'masks': 'truth', 'names': ('sky', 'ground'), 'image_size': 24}
    data = data_sets.load({'name': 'masks', 'options': options}, tmp_path)
    assert data.features['mask'] == Mask(('sky', 'ground')) and data.answer == 'mask'
    for split in data.splits.values():  # the mask is where its image is bright
        bright = split.arrays['image'][..., 0] > 127
        assert (bright != split.arrays['mask'].astype(bool)).mean() < 0.06
        assert set(np.unique(split.arrays['mask'])) == {0, 1}
    with pytest.raises(UserError, match='or a value for each name'):
        data_sets.load({'name': 'masks', 'options': {**options, 'names': ('a', 'b', 'c')}}, tmp_path)
    with pytest.raises(UserError, match='is no folder'):
        data_sets.load({'name': 'masks', 'options': {**options, 'masks': 'nowhere'}}, tmp_path)


def test_photographs_that_lie_on_their_side(tmp_path):
    """The mask's size says in which frame it was drawn: of the photograph as it is shown, or as it is stored."""
    shown = np.zeros((32, 48, 3), np.uint8)
    shown[:16, :12] = 255
    stored = Image.fromarray(shown).transpose(Image.Transpose.ROTATE_90)
    note = Image.Exif()
    note[0x0112] = 6
    for name, mask in {'a': shown[..., 0], 'b': np.asarray(stored)[..., 0], 'c': shown[::2, ::2, 0]}.items():
        save(tmp_path / 'masks' / f'{name}.png', mask)
        (tmp_path / 'images').mkdir(exist_ok=True)
        stored.save(tmp_path / 'images' / f'{name}.png', exif=note)
    data = data_sets.load({'name': 'masks', 'options': {'image_size': 16}}, tmp_path)
    for split in data.splits.values():
        bright = split.arrays['image'][..., 0] > 127
        assert (bright == split.arrays['mask'].astype(bool)).mean() > 0.95 and bright.any()


def test_rendered_lakes():
    arrays = scenes.lakes(24, 32, seed=2)
    shares = arrays['mask'].mean((1, 2))
    assert (shares == 0).sum() == 2 and shares.max() < 0.65 and set(np.unique(arrays['mask'])) == {0, 1}
    np.testing.assert_array_equal(arrays['mask'], scenes.lakes(24, 32, seed=2)['mask'])
