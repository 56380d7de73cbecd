"""Rendered flowers, two rendered domains with a known mapping, and horse2zebra's folders."""

import numpy as np
import pytest
from PIL import Image

from jaxlab.data import load
from jaxlab.data.images import eight_bits, write_png
from jaxlab.data.sets import animals, flowers, horse2zebra
from jaxlab.data.sources import Request
from jaxlab.errors import UserError


def test_flowers_are_a_function_of_the_seed():
    one, other = (flowers.render(40, (32, 32), seed) for seed in (1, 2))
    again = flowers.render(40, (32, 32), 1)
    np.testing.assert_array_equal(one['image'], again['image'])
    assert not np.array_equal(one['image'], other['image'])
    assert one['image'].dtype == np.uint8 and one['image'].shape == (40, 32, 32, 3)
    assert np.bincount(one['label'], minlength=17).min() >= 2


def test_kinds_of_flowers_differ():
    """In the middle of the image: sunflowers are dark there, daisies white round a yellow middle, poppies red."""
    made = flowers.render(340, (48, 48), 3)
    names = [kind.name for kind in flowers.KINDS]
    mean = lambda name: made['image'][made['label'] == names.index(name), 12:32, 16:32].mean((0, 1, 2))
    assert len(set(names)) == 17
    red, green, blue = mean('Tigerlily')
    assert red > 2 * green and red > 2 * blue
    red, green, blue = mean('Bluebell')
    assert blue > 1.2 * red and blue > 1.2 * green
    assert mean('Daisy').min() > 1.3 * mean('Sunflower').min()


def test_flowers_stand_in_for_flowers17():
    data = load({'name': 'flowers17', 'source': 'embedded'})
    assert data.stand_in and data.features['label'].names == tuple(kind.name for kind in flowers.KINDS)
    assert {name: split.size for name, split in data.splits.items()} == flowers.SIZES
    assert data.splits['train'].arrays['image'].shape[1:] == (64, 64, 3)
    assert flowers.render(3, (96, 90), 1)['image'].shape == (3, 96, 90, 3)


def test_the_truth_of_a_scene_is_the_same_scene():
    """Sky and outlines are the same; the mapping is one to one: grass green or dry, coats brown or striped."""
    a, b = (animals.render(20, 64, 5, style).astype(np.int32) for style in animals.STYLES)
    sky = np.abs(a[:, :15] - b[:, :15]).max(-1)
    assert np.median(sky) <= 2
    ground = lambda images: images[:, -3:].mean((0, 1, 2))
    assert ground(a)[1] > ground(a)[0] and ground(b)[0] > ground(b)[1] > ground(b)[2]
    other = animals.render(20, 64, 6, 'a')
    assert not np.array_equal(other, a)
    with pytest.raises(ValueError, match="style: 'c'"):
        animals.render(1, 64, 5, 'c')


def test_a_stripe_of_one_domain_is_a_shade_of_the_other():
    """Where coats are dark in `b` they are darker brown in `a`: the brightness of both goes together, animal by animal."""
    a, b = (animals.render(30, 64, 8, style).astype(np.float64) for style in animals.STYLES)
    for one, other in zip(a, b, strict=True):
        grey = np.ptp(other, axis=-1) < 30  # stripes have no colour
        brown = (one[..., 0] > 1.2 * one[..., 1]) & grey
        assert brown.sum() > 60
        assert np.corrcoef(one[brown].mean(-1), other[brown].mean(-1))[0, 1] > 0.9


def test_both_domains_and_their_truths():
    found = animals.domains(32)
    assert {part: {d: len(found[d][part]['image']) for d in 'ab'} for part in ('train', 'test')} == animals.SIZES
    test = found['a']['test']
    np.testing.assert_array_equal(test['counterpart'], animals.render(120, 32, animals.SEEDS['test', 'a'], 'b'))
    data = load({'name': 'horse2zebra', 'source': 'embedded', 'options': {'image_size': 32}})
    assert data.stand_in and set(data.features) == {'image_a', 'counterpart_a', 'image_b', 'counterpart_b'}
    assert {part: split.size for part, split in data.splits.items()} == {'train': 300, 'test': 140}
    rows = data.splits['test'].read(np.array([[119, 139]]))
    np.testing.assert_array_equal(rows['counterpart_a'][0], test['counterpart'][119])


def test_horse2zebra_is_read_from_its_folders(tmp_path):
    for part, letter, count in (('train', 'A', 3), ('train', 'B', 5), ('test', 'A', 2), ('test', 'B', 2)):
        folder = tmp_path / 'horse2zebra' / f'{part}{letter}'
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = np.full((20, 30, 3), 10 * number + ord(letter), np.uint8)
            Image.fromarray(pixels).save(folder / f'n{number}.png')
    request = Request('horse2zebra', data_dir=tmp_path, options={'image_size': 16})
    found = horse2zebra.from_files(request)
    assert [found[d].parts[part].size for d in 'ab' for part in ('train', 'test')] == [3, 2, 5, 2]
    assert found['a'].parts['train'].arrays['image'][2, 0, 0, 0] == 85
    assert found['b'].parts['test'].origin.tolist() == [5, 6] and 'has 3 train horses' in found['a'].notes[0]
    data = load({'name': 'horse2zebra', 'options': {'image_size': 16}}, tmp_path)
    assert data.source == 'files' and data.splits['train'].size == 5 and not data.stand_in
    (tmp_path / 'horse2zebra' / 'testB' / 'n9.png').write_text('broken')
    with pytest.raises(UserError, match='testB.*cannot be read: n9.png'):
        horse2zebra.from_files(request)
    for file in (tmp_path / 'horse2zebra' / 'testB').iterdir():
        file.unlink()
    with pytest.raises(UserError, match='it has no images'):
        horse2zebra.from_files(request)
    (tmp_path / 'horse2zebra' / 'testB').rmdir()
    with pytest.raises(UserError, match='lacks the folders testB'):
        horse2zebra.from_files(request)
    assert horse2zebra.from_files(Request('horse2zebra', data_dir=tmp_path / 'horse2zebra' / 'trainA')) is None
    with pytest.raises(UserError, match='image_size=30 of horse2zebra; valid: a multiple of 4'):
        horse2zebra.embedded(Request('horse2zebra', options={'image_size': 30}))


def test_eight_bits_are_rounded_and_never_wrap(tmp_path):
    """0.5 is 128, 1.01 is 255, -0.01 is 0."""
    assert eight_bits(np.array([0.5, 1.01, -0.01, 0.0, 1.0, 0.002])).tolist() == [128, 255, 0, 0, 255, 1]
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    for image in (pixels, pixels[..., :1]):
        back = np.asarray(Image.open(write_png(tmp_path / 'one.png', image / 255)))
        np.testing.assert_array_equal(back.reshape(image.shape), image)
