"""Image folders: layouts, broken files, streaming, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from jaxlab.data import load
from jaxlab.data.images import Decoding, resized
from jaxlab.data.labels import names_of
from jaxlab.errors import UserError


def write_image(path, seed, size=(20, 16)):
    """A random photograph; width x height pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def classes_in(root, counts, ending='png', size=(20, 16)):
    """Class folders with so many images each."""
    seed = sum(map(ord, str(root)))
    for name, count in counts.items():
        for number in range(count):
            write_image(root / name / f'{number:03}.{ending}', seed := seed + 1, size)


def folder(tmp_path, **config):
    options = {'path': 'pets', 'image_size': 8, **config.pop('options', {})}
    return load({'name': 'folder', 'options': options, **config}, tmp_path, config.pop('cache_dir', None))


def test_class_folders_are_split_by_class(tmp_path):
    classes_in(tmp_path / 'pets', {'01_cat': 10, '02_dog': 20})
    (tmp_path / 'pets' / 'readme.txt').write_text('not an image')
    (tmp_path / 'pets' / '.hidden').mkdir()
    data = folder(tmp_path, validation_fraction=0.25)
    assert names_of(data) == ('cat', 'dog') and data.source == 'files'
    assert {name: np.bincount(part.labels).tolist() for name, part in data.splits.items()} == {
        'train': [6, 12],
        'validation': [2, 4],
        'test': [2, 4],
    }
    assert data.splits['train'].arrays['image'].shape == (18, 8, 8, 3)
    again = folder(tmp_path, validation_fraction=0.25)
    np.testing.assert_array_equal(data.splits['test'].origin, again.splits['test'].origin)
    assert data.checksum == again.checksum


def test_pixels_are_those_of_the_file(tmp_path):
    pixels = write_image(tmp_path / 'pets' / 'a' / '1.png', 1, (8, 8))
    for number in range(4):
        write_image(tmp_path / 'pets' / 'b' / f'{number}.png', number, (8, 8))
    write_image(tmp_path / 'pets' / 'a' / '2.png', 9, (8, 8))
    data = folder(tmp_path, test_fraction=0.5)
    images = np.concatenate([part.arrays['image'] for part in data.splits.values()])
    assert any(np.array_equal(image, pixels) for image in images)


@pytest.mark.parametrize('size', [(20, 16), (16, 20), (21, 16), (17, 9), (9, 9), (40, 10)])
@pytest.mark.parametrize('cut', [4, 5, 8, 9])
def test_the_centre_is_cut_out(size, cut):
    """A picture that is its own mirror image stays so where the margins are even; else they differ by one pixel."""
    width, height = size
    row, column = np.mgrid[:height, :width]
    ramp = np.stack([column, row, 0 * row], axis=-1).astype(np.uint8)  # red: the column, green: the row
    pixels = resized(Image.fromarray(ramp), Decoding((cut, cut), 'nearest', min(size))).astype(int)
    for kept, length in ((pixels[0, :, 0], width), (pixels[:, 0, 1], height)):
        before, after = kept[0], length - 1 - kept[-1]
        np.testing.assert_array_equal(kept, np.arange(kept[0], kept[0] + cut))
        assert abs(before - after) == (length - cut) % 2


def test_a_centred_mark_stays_in_the_centre():
    """After scaling too: a white cross through the middle of 42 x 30 pixels, its shorter side brought to 15, 11 cut out."""
    picture = np.zeros((30, 42), np.uint8)
    picture[14:16], picture[:, 20:22] = 255, 255
    small = resized(Image.fromarray(picture), Decoding((11, 11), 'bilinear', 15, grey=True))[..., 0].astype(int)
    np.testing.assert_array_equal(small, small[:, ::-1])
    np.testing.assert_array_equal(small, small[::-1])
    assert small[5, 5] == small.max() > 200 and small[0, 0] < 20


@pytest.mark.parametrize('held_out', ['val', 'test'])
def test_train_and_held_out_folders(tmp_path, held_out):
    classes_in(tmp_path / 'hymenoptera_data' / 'train', {'ants': 6, 'bees': 5})
    classes_in(tmp_path / 'hymenoptera_data' / held_out, {'ants': 3, 'bees': 4})
    data = load({'name': 'hymenoptera', 'options': {'image_size': 12, 'shorter_side': 14}}, tmp_path)
    assert (data.splits['train'].size, data.splits['test'].size) == (11, 7)
    assert data.splits['test'].labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert any('serves as the test part' in note for note in data.notes) == (held_out == 'val')
    own = load({'name': 'hymenoptera', 'options': {'image_size': 12}}, tmp_path / 'hymenoptera_data')
    assert own.source == 'files'


@pytest.mark.parametrize('place', ['cats_dogs', 'cats_dogs/train', ''])
def test_names_with_class_prefixes(tmp_path, place):
    for number in range(5):
        write_image(tmp_path / place / f'cat.{number}.jpg', number)
        write_image(tmp_path / place / f'dog.{number}.jpg', 50 + number)
    data = load({'name': 'cats_dogs', 'options': {'image_size': (6, 10), 'grey': True}}, tmp_path)
    assert data.source == 'files' and names_of(data) == ('cat', 'dog')
    assert data.splits['train'].arrays['image'].shape == (8, 6, 10, 1)
    assert np.bincount(data.splits['test'].labels).tolist() == [1, 1]


@pytest.mark.parametrize('validation', [{}, {'validation_fraction': 0.5, 'validation_from': 'test'}])
def test_name_prefixes_are_split_once_by_class_and_seed(tmp_path, validation):
    """D1's leak cannot happen: every image in one part, 4 to 1 in each class, the same for the same seed."""
    pixels = {}
    for number in range(20):
        for name in ('cat', 'dog'):
            path = tmp_path / 'cats_dogs' / f'{name}.{number}.png'
            pixels[f'{name}.{number}'] = write_image(path, 100 * (name == 'dog') + number, (4, 4)).tobytes()
    settings = {'name': 'cats_dogs', 'test_fraction': 0.2, 'options': {'image_size': 4}, **validation}
    one, again, other = (load({**settings, 'split_seed': seed}, tmp_path) for seed in (42, 42, 43))
    rows = [part.origin for part in one.splits.values()]
    assert sorted(np.concatenate(rows)) == list(range(40))
    held = {name: [4, 4] for name in ('test',)} if not validation else {'validation': [2, 2], 'test': [2, 2]}
    counts = {name: np.bincount(part.labels).tolist() for name, part in one.splits.items()}
    assert counts == {'train': [16, 16], **held}
    contents = [image.tobytes() for part in one.splits.values() for image in part.arrays['image']]
    assert len(set(contents)) == 40 and set(contents) == set(pixels.values())
    for part, labels in ((part, part.labels) for part in one.splits.values()):
        for image, label in zip(part.arrays['image'], labels, strict=True):
            assert image.tobytes() in {pixels[f'{("cat", "dog")[label]}.{number}'] for number in range(20)}
    assert any('disjoint, by example and by content' in note for note in one.notes)
    np.testing.assert_array_equal(one.splits['train'].origin, again.splits['train'].origin)
    assert set(one.splits['test'].origin) != set(other.splits['test'].origin)


def test_images_without_a_class_are_named(tmp_path):
    """Beside class folders, in a class-per-name folder, in a part's folder."""
    classes_in(tmp_path / 'pets', {'cat': 2, 'dog': 2})
    write_image(tmp_path / 'pets' / 'both.png', 5)
    said = 'Left out, since neither folder nor name gives a class: both.png (1 in all).'
    assert said in folder(tmp_path).notes
    for number in range(3):
        write_image(tmp_path / 'cats_dogs' / 'train' / f'cat.{number}.png', number)
        write_image(tmp_path / 'cats_dogs' / 'train' / f'dog.{number}.png', 20 + number)
    write_image(tmp_path / 'cats_dogs' / 'train' / 'holiday.png', 9)
    notes = load({'name': 'cats_dogs', 'options': {'image_size': 4}}, tmp_path).notes
    assert any('gives a class: train/holiday.png (1 in all)' in note for note in notes)


def test_nothing_is_said_where_every_image_has_a_class(tmp_path):
    classes_in(tmp_path / 'pets' / 'train', {'cat': 3, 'dog': 3})
    classes_in(tmp_path / 'pets' / 'test', {'cat': 1, 'dog': 1})
    assert not any('Left out' in note for note in folder(tmp_path).notes)


def test_an_empty_class_folder_is_refused(tmp_path):
    classes_in(tmp_path / 'pets', {'cat': 2, 'dog': 2})
    (tmp_path / 'pets' / 'annotations').mkdir()
    (tmp_path / 'pets' / 'annotations' / 'cat.xml').write_text('not a class, and not empty')
    assert names_of(folder(tmp_path)) == ('cat', 'dog')
    (tmp_path / 'pets' / 'horse').mkdir()
    with pytest.raises(UserError, match="the class folder 'horse' is empty"):
        folder(tmp_path)


def test_flowers_as_their_authors_distribute_them(tmp_path):
    for number in range(1, 1361, 40):  # two of each class
        write_image(tmp_path / 'flowers17' / 'jpg' / f'image_{number:04}.jpg', number)
    data = load({'name': 'flowers17', 'test_fraction': 0.5, 'options': {'image_size': 8}}, tmp_path)
    assert len(names_of(data)) == 17 and names_of(data)[0] == 'Daffodil'
    assert np.bincount(data.splits['test'].labels).tolist() == [1] * 17


def broken_pets(tmp_path):
    classes_in(tmp_path / 'pets', {'cat': 6, 'dog': 6}, 'jpg')
    whole = (tmp_path / 'pets' / 'cat' / '000.jpg').read_bytes()
    (tmp_path / 'pets' / 'cat' / 'cut.jpg').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'pets' / 'dog' / 'text.jpg').write_text('no image at all')
    (tmp_path / 'pets' / 'dog' / 'empty.jpg').write_bytes(b'')
    write_image(tmp_path / 'pets' / 'dog' / 'huge.png', 3, (300, 200))


@pytest.mark.parametrize('memory_limit', [1 << 30, 100])
def test_broken_files_are_left_out_and_named(tmp_path, memory_limit):
    broken_pets(tmp_path)
    data = folder(tmp_path, options={'max_pixels': 10_000, 'memory_limit': memory_limit})
    assert sum(part.size for part in data.splits.values()) == 12
    note = next(note for note in data.notes if 'could not be decoded' in note)
    assert note.startswith('4 of 16 files')
    for name in ('cat/cut.jpg', 'dog/text.jpg', 'dog/empty.jpg', 'dog/huge.png'):
        assert name in note
    assert str(tmp_path) not in note


def test_streamed_equals_decoded_at_once(tmp_path):
    broken_pets(tmp_path)
    decoded, streamed = (
        folder(tmp_path, validation_fraction=0.3, limit=5, options={'memory_limit': limit}) for limit in (1 << 30, 100)
    )
    for name, part in decoded.splits.items():
        other = streamed.splits[name]
        assert other.arrays is None and other.size == part.size
        rows = np.arange(part.size)[::-1]
        for field, values in part.read(rows).items():
            np.testing.assert_array_equal(other.read(rows)[field], values)
        np.testing.assert_array_equal(other.labels, part.labels)
    assert any('contents were not compared' in note for note in streamed.notes)


def test_file_lost_while_streaming_is_named(tmp_path):
    classes_in(tmp_path / 'pets', {'cat': 4, 'dog': 4})
    data = folder(tmp_path, options={'memory_limit': 100})
    for path in (tmp_path / 'pets').rglob('*.png'):
        path.unlink()
    with pytest.raises(UserError, match='cannot any more'):
        data.splits['train'].read([0])


def test_same_photograph_in_both_parts_is_told(tmp_path):
    for part in ('train', 'test'):
        classes_in(tmp_path / 'pets' / part, {'cat': 3, 'dog': 3})
    copied = (tmp_path / 'pets' / 'train' / 'cat' / '000.png').read_bytes()
    (tmp_path / 'pets' / 'test' / 'cat' / 'again.png').write_bytes(copied)
    assert any('1 of test also in train' in note for note in folder(tmp_path).notes)


def test_cache_is_used_and_follows_the_files(tmp_path):
    classes_in(tmp_path / 'pets', {'cat': 5, 'dog': 5})
    first = folder(tmp_path, cache_dir=tmp_path / 'cache')
    assert len(list((tmp_path / 'cache').iterdir())) == 1
    again = folder(tmp_path, cache_dir=tmp_path / 'cache')
    np.testing.assert_array_equal(first.splits['train'].arrays['image'], again.splits['train'].arrays['image'])
    write_image(tmp_path / 'pets' / 'cat' / '000.png', 77)
    changed = folder(tmp_path, cache_dir=tmp_path / 'cache')
    assert changed.checksum != first.checksum and len(list((tmp_path / 'cache').iterdir())) == 2


@pytest.mark.parametrize('counts, message', [({'cat': 3}, 'one class only'), ({}, 'no images')])
def test_too_few_classes(tmp_path, counts, message):
    (tmp_path / 'pets').mkdir()
    classes_in(tmp_path / 'pets', counts)
    with pytest.raises(UserError, match=message):
        folder(tmp_path)


@pytest.mark.parametrize('path', ['../elsewhere', 'missing', '/'])
def test_paths_outside_the_data_directory(tmp_path, path):
    with pytest.raises(UserError, match='no folder inside'):
        folder(tmp_path, options={'path': path})


def test_wrong_classes_under_a_known_name(tmp_path):
    classes_in(tmp_path / 'cats_dogs', {'cat': 2, 'horse': 2})
    with pytest.raises(UserError, match='has the classes cat, horse'):
        load({'name': 'cats_dogs'}, tmp_path)


def test_class_that_only_the_test_part_has(tmp_path):
    classes_in(tmp_path / 'pets' / 'train', {'cat': 2, 'dog': 2})
    classes_in(tmp_path / 'pets' / 'test', {'cat': 2, 'horse': 2})
    with pytest.raises(UserError, match='horse'):
        folder(tmp_path)


def test_other_sets_beside_it_are_not_taken_for_it(tmp_path):
    classes_in(tmp_path / 'something', {'cat': 2, 'dog': 2})
    data = load({'name': 'hymenoptera', 'options': {'image_size': 16}}, tmp_path)
    assert data.stand_in


@pytest.mark.parametrize(
    'name, value',
    [('shorter_side', 'big'), ('grey', 'no'), ('max_pixels', 1e4), ('memory_limit', 'all'), ('image_size', 8.5)],
)
def test_options_of_another_kind(tmp_path, name, value):
    classes_in(tmp_path / 'pets', {'cat': 3, 'dog': 3})
    with pytest.raises(UserError, match=f'data.options.{name}='):
        folder(tmp_path, options={name: value})


def test_why_no_picture_of_a_class_can_be_decoded(tmp_path):
    classes_in(tmp_path / 'pets', {'cat': 3, 'dog': 3})
    with pytest.raises(UserError, match=r"no image of class 'cat' can be decoded \(.* pixels are more than 10\)"):
        folder(tmp_path, options={'max_pixels': 10})


def test_some_of_the_classes_as_they_are_typed(tmp_path):
    classes_in(tmp_path / 'pets', {'1': 3, '2': 3, 'dog': 3})
    for classes in ('1,dog', (1, 'dog'), ['1', 'dog']):
        assert names_of(folder(tmp_path, options={'classes': classes})) == ('1', 'dog')
