"""Folders of pictures as people have them: parts, names of classes, what is left out and said."""

import shutil
import unicodedata

import pytest

from jaxlab.data.features import Image as Picture
from jaxlab.data.images import Decoding
from jaxlab.data.labels import names_of
from jaxlab.data.names import plain_names
from jaxlab.errors import UserError
from tests.data.pictures import filled, folder

WHOLE = Decoding((8, 12))


def test_formats_left_out(tmp_path):
    """All that Pillow reads is taken; the rest is counted; a class of nothing else is refused."""
    for ending in ('tif', 'ppm', 'tga'):
        filled(tmp_path, {f'as_{ending}': 4}, ending)
    (tmp_path / 'as_tif' / 'list.txt').write_text('a list')
    (tmp_path / 'as_tif' / 'one.heic').write_bytes(b'1')
    found = folder(tmp_path)
    assert names_of(found) == ('as_ppm', 'as_tga', 'as_tif') and found.splits['train'].size == 9
    assert any('1 .txt, 1 .heic' in note or '1 .heic, 1 .txt' in note for note in found.notes)
    for other in ('IMG_1.HEIC', 'x.qoi', 'x.sgi', '0001'):
        (tmp_path / 'phone').mkdir()
        (tmp_path / 'phone' / other).write_bytes(b'1')
        with pytest.raises(UserError, match=f"'phone' has no picture that can be read, but '{other}'"):
            folder(tmp_path)
        shutil.rmtree(tmp_path / 'phone')


def test_copies_that_programs_hide_are_no_pictures(tmp_path):
    """Of notebooks, servers and Macs: beside the classes and inside of them, in training and predicting."""
    filled(tmp_path, {'cat': 4, 'dog': 4})
    for hidden in ('.ipynb_checkpoints', '@eaDir', '__MACOSX'):
        filled(tmp_path, {f'cat/{hidden}': 2, hidden: 2, f'{hidden}/cat': 1})
    found = folder(tmp_path)
    assert names_of(found) == ('cat', 'dog') and sum(split.size for split in found.splits.values()) == 8
    assert len(list(Picture(WHOLE).read(tmp_path)[0])) == 8
    filled(tmp_path, {'@home': 4})
    assert names_of(folder(tmp_path)) == ('@home', 'cat', 'dog')


@pytest.mark.parametrize(
    'parts',
    [
        ('Training', 'Testing'),
        ('TRAIN', 'Val', 'Test'),
        ('train', 'valid', 'test'),
        ('training_set', 'test_set'),
        ('train', 'dev', 'eval'),
    ],
)
def test_parts_in_any_case(tmp_path, parts):
    for part in parts:
        filled(tmp_path / part, {'cat': 3, 'dog': 3})
    found = folder(tmp_path)
    held = {'validation'} if len(parts) > 2 else set()
    assert names_of(found) == ('cat', 'dog')
    assert set(found.splits) == {'train', 'test', *held}


def test_what_lies_beside_the_parts_is_said(tmp_path):
    filled(tmp_path / 'train', {'cat': 3, 'dog': 3})
    filled(tmp_path / 'more', {'cat': 2, 'dog': 1})
    said = "Left out, since their names are those of no part: 'more' with 3 pictures."
    assert said in folder(tmp_path).notes
    filled(tmp_path / 'test', {'cat': 3, 'dog': 3})
    assert said in folder(tmp_path).notes
    (tmp_path / 'more').rename(tmp_path / 'Holdout')
    with pytest.raises(UserError, match="'Holdout', 'test' are all named like the test part"):
        folder(tmp_path)


def test_an_umlaut_of_a_mac(tmp_path):
    filled(tmp_path / 'train', {unicodedata.normalize('NFD', 'Käfer'): 3, 'dog': 3})
    filled(tmp_path / 'test', {'Käfer': 3, 'dog': 3})
    assert names_of(folder(tmp_path)) == ('Käfer', 'dog')


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
