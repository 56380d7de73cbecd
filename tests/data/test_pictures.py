"""Pictures as people have them: every mode and format of Pillow, turned, deep and transparent ones, names of folders."""

import numpy as np
import pytest
from PIL import Image, features

from jaxlab.data import load
from jaxlab.data.features import Image as Picture
from jaxlab.data.images import CLEAR, DEEP, TURNED, Decoding, decode, decode_marked
from jaxlab.data.labels import names_of
from jaxlab.data.names import plain_names
from jaxlab.errors import UserError

WHOLE = Decoding((8, 12))


@pytest.fixture
def gradient():
    """[8, 12] uint8, dark on the left and bright on the right, darker at the top."""
    row, column = np.mgrid[:8, :12]
    return (20 * column + 3 * row).astype(np.uint8)


def filled(root, counts, ending='png', size=(12, 8)):
    """Folders with so many plain pictures each."""
    for at, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new('RGB', size, (10 * at, number, 99)).save(root / name / f'{number}.{ending}')


def folder(root, **config):
    options = {'path': '.', 'image_size': 8, **config.pop('options', {})}
    return load({'name': 'folder', 'options': options, **config}, root)


EXACT = ('png', 'bmp', 'tif', 'tiff', 'ppm', 'pgm', 'tga', 'gif', 'pcx', 'dib', 'ico', 'jp2', 'webp')
MODES = ('1', 'L', 'P', 'RGB', 'RGBA', 'LA', 'CMYK', 'YCbCr', 'HSV', 'LAB', 'I', 'F', 'I;16', 'PA')


@pytest.mark.parametrize('mode', MODES)
def test_every_mode_in_every_format(tmp_path, gradient, mode):
    """What Pillow writes is read as the same greys, or refused in words: never as something else."""
    written = read = 0
    grey = Image.fromarray(gradient)
    for ending in (*EXACT, 'jpg', 'avif'):
        if (ending, True) in ((name, not features.check(name)) for name in ('avif', 'webp')):
            continue
        path = tmp_path / f'x.{ending}'
        try:
            if mode.startswith('I') and ending not in ('png', 'tif', 'tiff'):
                continue  # written as other numbers
            if mode == 'I;16':
                Image.fromarray(gradient.astype(np.uint16) * 257).save(path)
            elif mode in ('LAB', 'PA'):
                grey.convert({'LAB': 'RGB', 'PA': 'LA'}[mode]).convert('P' if mode == 'PA' else 'RGB').save(path)
            else:
                grey.convert(mode).save(path, **({'lossless': True} if ending == 'webp' else {}))
        except (OSError, KeyError, ValueError, TypeError):
            continue  # nobody can have such a file
        written += 1
        try:
            found = decode(path, Decoding((8, 12), grey=True))[..., 0].astype(int)
        except ValueError as error:
            assert mode in ('I', 'F') and '32 bits of grey' in str(error), (ending, error)
            continue
        read += 1
        wanted = np.asarray(grey.convert('1').convert('L')).astype(int) if mode == '1' else gradient.astype(int)
        near = (
            40 if mode in ('HSV', 'P', 'PA', 'CMYK', 'YCbCr') or ending in ('jpg', 'avif', 'gif', 'ico', 'jp2') else 2
        )
        assert np.median(np.abs(found - wanted)) <= near, (ending, mode)
        if ending in ('png', 'tif') and mode in ('L', 'RGB', 'RGBA', 'LA', 'I;16'):
            np.testing.assert_array_equal(found, wanted)
    assert written and (read or mode in ('I', 'F'))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turned_photographs(tmp_path, gradient, orientation):
    """Each of the eight ways to lay a photograph down, by its note upright again: the same pixels."""
    image = Image.fromarray(gradient)
    turns = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],  # stored so that it must be turned clockwise
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    for turn in turns:
        image = image.transpose(turn)
    note = Image.Exif()
    note[0x0112] = orientation
    image.save(tmp_path / 'x.png', exif=note)
    found, marks = decode_marked(tmp_path / 'x.png', WHOLE)
    np.testing.assert_array_equal(found[..., 0], gradient)
    assert marks == ({TURNED} if turns else frozenset())


def test_sixteen_bits_and_transparency(tmp_path, gradient):
    """65,535 is white, or what is said to be; a black disc on nothing is a disc on white, or on what is said."""
    Image.fromarray(gradient.astype(np.uint16) * 16).save(tmp_path / 'deep.png')
    assert decode(tmp_path / 'deep.png', WHOLE).max() == round(int(gradient.max()) * 16 / 257)
    found, marks = decode_marked(tmp_path / 'deep.png', Decoding((8, 12), white=16 * 255))
    np.testing.assert_array_equal(found[..., 0], gradient)
    assert marks == {DEEP}
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[2:5, 3:9, 3] = 255
    pixels[0, 0, 3] = 51  # a fifth of it is black
    for ground, behind in (('white', 255), ('#808080', 128), ('black', 0)):
        Image.fromarray(pixels).save(tmp_path / 'clear.png')
        found, marks = decode_marked(tmp_path / 'clear.png', Decoding((8, 12), ground=ground))
        assert (found[2:5, 3:9] == 0).all() and (found[6:] == behind).all() and marks == {CLEAR}
        assert abs(int(found[0, 0, 0]) - 0.8 * behind) <= 1
    one = Image.new('P', (12, 8), 0)
    one.putpalette([0, 0, 0, 255, 0, 0])
    one.save(tmp_path / 'palette.gif', transparency=0)
    assert (decode(tmp_path / 'palette.gif', WHOLE) == 255).all()
    Image.new('RGBA', (12, 8), (9, 9, 9, 255)).save(tmp_path / 'full.png')
    assert decode_marked(tmp_path / 'full.png', WHOLE)[1] == frozenset()


def test_what_was_done_is_said_with_counts(tmp_path, gradient):
    filled(tmp_path, {'a': 4, 'b': 4})
    Image.fromarray(gradient.astype(np.uint16) * 257).save(tmp_path / 'a' / 'deep.png')
    for number in range(2):
        Image.new('RGBA', (9, 9), (1, 2, 3, 40)).save(tmp_path / 'b' / f'clear{number}.png')
    frames = [Image.new('L', (9, 9), grey) for grey in (10, 20)]
    frames[0].save(tmp_path / 'b' / 'pages.tif', save_all=True, append_images=frames[1:])
    for limit in (1 << 30, 10):
        notes = ' '.join(folder(tmp_path, options={'memory_limit': limit, 'ground': 'black'}).notes)
        assert '1 pictures have 16 bits of grey: 65,535 is white' in notes and '1 pictures have several frames' in notes
        assert '2 pictures have transparent pixels: black lies behind' in notes
    for options in ({'ground': 'invisible'}, {'white': 0}, {'white': 1e5}):
        with pytest.raises(UserError, match=f'data.options.{next(iter(options))}='):
            folder(tmp_path, options=options)


def test_formats_left_out(tmp_path):
    """All that Pillow reads is taken; the rest is counted; a class of nothing else is refused."""
    for ending in ('tif', 'ppm', 'tga'):
        filled(tmp_path, {f'as_{ending}': 4}, ending)
    (tmp_path / 'as_tif' / 'list.txt').write_text('a list')
    (tmp_path / 'as_tif' / 'one.heic').write_bytes(b'1')
    found = folder(tmp_path)
    assert names_of(found) == ('as_ppm', 'as_tga', 'as_tif') and found.splits['train'].size == 9
    assert any('1 .txt, 1 .heic' in note or '1 .heic, 1 .txt' in note for note in found.notes)
    (tmp_path / 'phone').mkdir()
    (tmp_path / 'phone' / 'IMG_1.HEIC').write_bytes(b'1')
    with pytest.raises(UserError, match="'phone' has no picture that can be read, but 'IMG_1.HEIC'"):
        folder(tmp_path)


@pytest.mark.parametrize(
    'parts',
    [('Training', 'Testing'), ('TRAIN', 'Val', 'Test'), ('train', 'valid', 'test'), ('training_set', 'test_set')],
)
def test_parts_in_any_case(tmp_path, parts):
    for part in parts:
        filled(tmp_path / part, {'cat': 3, 'dog': 3})
    found = folder(tmp_path)
    held = {'validation'} if len(parts) > 2 else set()
    assert names_of(found) == ('cat', 'dog')
    assert set(found.splits) == {'train', 'test', *held}


def test_folders_that_look_like_parts(tmp_path):
    """'train' beside 'bus' is a class; parts under other names are asked for."""
    filled(tmp_path / 'vehicles', {'train': 5, 'bus': 5, 'car': 5})
    assert names_of(folder(tmp_path, options={'path': 'vehicles'})) == ('bus', 'car', 'train')
    for part in ('lernen', 'pruefen'):
        filled(tmp_path / 'mine' / part, {'cat': 3, 'dog': 3})
    with pytest.raises(UserError, match="'lernen', 'pruefen' all hold the folders cat, dog"):
        folder(tmp_path, options={'path': 'mine'})


@pytest.mark.parametrize(
    ('names', 'shown'),
    [
        (('0-9', '10-19', '20-29'), ('0-9', '10-19', '20-29')),
        (('2020_spring', '2021_spring'), ('2020_spring', '2021_spring')),
        (('1', '2', '10'), ('1', '2', '10')),
        (('01_cat', '02_dog'), ('cat', 'dog')),
        (('01_cat', 'dog'), ('01_cat', 'dog')),
        (('1.4', '1.12'), ('1.12', '1.4')),
        (('2_10', '1_20'), ('1_20', '2_10')),
        (('3 Ähre', '11 Öl'), ('Ähre', 'Öl')),
        (('5kg', '10kg'), ('5kg', '10kg')),
    ],
)
def test_names_of_classes(tmp_path, names, shown):
    """The folders' names, in the order of their numbers; a number in front goes where all have one and none is lost."""
    filled(tmp_path, dict.fromkeys(names, 3))
    assert names_of(folder(tmp_path)) == shown and len(set(plain_names(names))) == len(names)


def test_one_picture_in_each_class(tmp_path):
    filled(tmp_path, dict.fromkeys('abcdef', 1))
    found = folder(tmp_path)
    held = found.splits['test'].size
    assert any(
        f'{held} of 6 classes have no training example' in note and f'{held} examples' in note for note in found.notes
    )


def test_a_folder_to_predict_with_broken_files(tmp_path):
    """What cannot be read is named beside the others, as in training; a Mac's hidden copies are no pictures."""
    filled(tmp_path, {'mine': 3})
    whole = (tmp_path / 'mine' / '0.png').read_bytes()
    (tmp_path / 'mine' / 'cut.png').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'mine' / '._0.png').write_bytes(b'Mac OS X')
    feature = Picture(Decoding((8, 8)))
    who, blocks = feature.read(tmp_path / 'mine')
    (block,) = blocks
    assert block.shape == (4, 8, 8, 3)
    assert [one['file'][-5:] for one in who] == ['0.png', '1.png', '2.png', 't.png'] and 'error' in who[3]
    assert not any('error' in one for one in who[:3])
    with pytest.raises(UserError, match='cut.png: not an image that can be read'):
        list(feature.read(tmp_path / 'mine' / 'cut.png')[1])
