"""Boxes from files: VOC's XML, COCO's JSON, Penn-Fudan's text; corners, parts, what is missing, turned photographs."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxlab import data as data_sets
from jaxlab.data import annotations
from jaxlab.data.boxes import Annotation, Boxes, in_fractions, there
from jaxlab.data.sets import scenes
from jaxlab.errors import UserError

OBJECT = """<object><bndbox><ymax>{3}</ymax><xmin>{0}</xmin><xmax>{2}</xmax><ymin>{1}</ymin></bndbox>
<difficult>{difficult}</difficult><name>{name}</name></object>"""


def picture(file, size=(50, 40), **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, (30, 60, 90)).save(file, **options)


def voc(root, stem, objects, size=(50, 40), named=True):
    """One VOC annotation; its tags in another order than VOC's, numbers that may be fractions."""
    inside = ''.join(OBJECT.format(*box, name=name, difficult=difficult) for name, box, difficult in objects)
    head = f'<filename>{stem}.jpg</filename>' if named else ''
    shape = f'<size><depth>3</depth><height>{size[1]}</height><width>{size[0]}</width></size>'
    (root / 'Annotations').mkdir(parents=True, exist_ok=True)
    (root / 'Annotations' / f'{stem}.xml').write_text(f'<annotation>{inside}{head}{shape}</annotation>')


def load(folder, name='boxes', **options):
    settings = {'name': name, 'test_fraction': 0.25, 'options': {'image_size': 32, **options}}
    return data_sets.load(settings, folder)


def objects(split):
    arrays = split.arrays
    return [
        (boxes[real], classes[real], ignored[real])
        for boxes, classes, ignored, real in zip(
            arrays['boxes'], arrays['classes'], arrays['ignored'], there(arrays['boxes']), strict=True
        )
    ]


def test_corners_of_voc_count_from_one(tmp_path):
    """O1: FudanPed00001's (160, 182)-(302, 431) is (159, 181, 302, 431)."""
    voc(tmp_path, 'a', [('cat', (160, 182, 302, 431), 0), ('dog', (1.4, 1, 2, 3), 1)], size=(559, 536))
    _, listed = annotations.voc_file(tmp_path / 'Annotations' / 'a.xml')
    np.testing.assert_allclose(listed.boxes, [(159, 181, 302, 431), (0.4, 0, 2, 3)])
    assert listed.names == ('cat', 'dog') and listed.ignored == (False, True) and listed.size == (559, 536)


def test_boxes_go_with_their_image_when_it_is_squashed():
    """B12: (100, 75, 400, 300) of 500x375 is (64, 64, 256, 256) of 320x320."""
    one = Annotation(np.array([(100.0, 75, 400, 300)]), np.zeros(1, int), np.zeros(1, bool), (500, 375))
    np.testing.assert_allclose(in_fractions([one])['boxes'][0] * 320, [(64, 64, 256, 256)], rtol=1e-6)


def test_a_folder_of_ones_own_in_vocs_layout(tmp_path):
    for number in range(8):
        size = (50, 40 + number)
        picture(tmp_path / 'JPEGImages' / f'p{number}.jpg', size)
        found = [('cat', (1, 1, 25, 20), 0), ('dog', (30, 30, 30, 39), 0), ('cat', (26, 21, 90, 90), 1)]
        voc(tmp_path, f'p{number}', found[: number % 3 + 1], size, named=number % 2 == 0)
    data = load(tmp_path)
    assert data.features['boxes'] == Boxes(('cat', 'dog')) and data.input == 'image' and data.answer == 'boxes'
    assert data.splits['train'].size == 6 and data.splits['test'].size == 2
    assert any('less than 2 pixels' in note for note in data.notes)
    for part in data.splits.values():
        for (boxes, classes, ignored), origin in zip(objects(part), part.origin, strict=True):
            height = 40 + origin
            np.testing.assert_allclose(boxes[0], (0, 0, 25 / 50, 20 / height), rtol=1e-6)
            assert len(boxes) == 1 + (origin % 3 == 2) and not classes.any() and not ignored[0]
            if len(boxes) == 2:  # the narrow one is gone, the one past the edge is cut
                np.testing.assert_allclose(boxes[1], (0.5, 20 / height, 1, 1), rtol=1e-6)
                assert ignored[1]


def test_vocs_lists_of_parts(tmp_path):
    for number in range(4):
        picture(tmp_path / 'bccd' / 'JPEGImages' / f'p{number}.jpg')
        voc(tmp_path / 'bccd', f'p{number}', [('WBC', (1, 1, 9, 9), 0)])
    lists = tmp_path / 'bccd' / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    for name, stems in {'train': 'p0\np2', 'val': 'p1', 'test': 'p3'}.items():
        (lists / f'{name}.txt').write_text(stems)
    data = load(tmp_path, 'bccd')
    assert {name: split.size for name, split in data.splits.items()} == {'train': 2, 'validation': 1, 'test': 1}


def test_cocos_json(tmp_path):
    """O9: x, y, w, h; gapped and repeated ids, no `iscrowd`, no `area`; O5: an annotation with id 0 is one like others."""
    for number in range(4):
        picture(tmp_path / 'images' / f'{number}.png')
    content = {
        'images': [{'id': 7 * n, 'file_name': f'images/{n}.png', 'width': 50, 'height': 40} for n in range(4)],
        'categories': [{'id': 90, 'name': 'zebra'}, {'id': 3, 'name': 'ant'}],
        'annotations': [
            {'id': 0, 'image_id': 7 * n, 'category_id': category, 'bbox': [10.5, 5, 20, 10], **crowd}
            for n in range(3)
            for category, crowd in ((3, {}), (90, {'iscrowd': 1}))
        ],
    }
    (tmp_path / 'instances.json').write_text(json.dumps(content))
    data = load(tmp_path)
    assert data.features['boxes'].names == ('ant', 'zebra')
    found = [each for split in data.splits.values() for each in objects(split)]
    assert sorted(len(boxes) for boxes, _, _ in found) == [0, 2, 2, 2]
    for boxes, classes, ignored in found:
        if len(boxes):
            np.testing.assert_allclose(boxes, [(0.21, 0.125, 0.61, 0.375)] * 2, rtol=1e-6)
            assert classes.tolist() == [0, 1] and ignored.tolist() == [False, True]
    del content['categories'][0]
    (tmp_path / 'instances.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match='90 is missing'):
        load(tmp_path)


def test_images_of_equal_names(tmp_path):
    """An image is found by its folder where its name says one; what may be either is refused, never taken for the other."""
    content = {
        'images': [{'id': n, 'file_name': f'{"ab"[n % 2]}/{n // 2}.png'} for n in range(8)],
        'categories': [{'id': 1, 'name': 'ant'}],
        'annotations': [{'id': n, 'image_id': n, 'category_id': 1, 'bbox': [1, 1, 5 + n, 9]} for n in range(8)],
    }
    for n in range(8):
        file = tmp_path / 'images' / 'ab'[n % 2] / f'{n // 2}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (50, 40), (10 * n, 0, 0)).save(file)
    (tmp_path / 'images' / '.ipynb_checkpoints').mkdir()
    (tmp_path / 'images' / '.ipynb_checkpoints' / '0.png').write_bytes(b'a copy')
    (tmp_path / 'all.json').write_text(json.dumps(content))
    for split in load(tmp_path).splits.values():
        for image, (boxes, _, _) in zip(split.arrays['image'], objects(split), strict=True):
            assert boxes[0][2] == pytest.approx((6 + image[0, 0, 0] // 10) / 50)
    content['images'][3]['file_name'] = '1.png'
    (tmp_path / 'all.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"its image '1.png' may be '.*a/1.png', '.*b/1.png'"):
        load(tmp_path)


def test_penn_fudan(tmp_path):
    picture(tmp_path / 'PennFudanPed' / 'PNGImages' / 'F1.png', (559, 536))
    (tmp_path / 'PennFudanPed' / 'Annotation').mkdir()
    text = (
        'Image size (X x Y x C) : 559 x 536 x 3\n'
        'Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (160, 182) - (302, 431)\n'
        'Bounding box for object 2 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (420, 171) - (535, 486)\n'
    )
    (tmp_path / 'PennFudanPed' / 'Annotation' / 'F1.txt').write_text(text)
    parts = annotations.penn_fudan(tmp_path / 'PennFudanPed')
    (one,) = parts['all']
    np.testing.assert_array_equal(one.boxes, [(159, 181, 302, 431), (419, 170, 535, 486)])
    assert one.names == ('person', 'person') and one.size == (559, 536)


def test_a_turned_photograph(tmp_path):
    """O8: stored 40x50 with a note to turn it; the annotated size says which frame its boxes are in."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    for stem, size in {'shown': (50, 40), 'stored': (40, 50)}.items():
        picture(tmp_path / 'JPEGImages' / f'{stem}.jpg', (40, 50), exif=exif)
        voc(tmp_path, stem, [('cat', (1, 1, 20, 10), 0)], size)
    voc(tmp_path, 'third', [('cat', (1, 1, 20, 10), 0)], (40, 50))
    picture(tmp_path / 'JPEGImages' / 'third.jpg', (40, 50))
    data = load(tmp_path)
    boxes = {
        int(o): b[0] for part in data.splits.values() for o, (b, _, _) in zip(part.origin, objects(part), strict=True)
    }
    np.testing.assert_allclose(boxes[0], (0, 0, 0.4, 0.25), rtol=1e-6)
    np.testing.assert_allclose(boxes[1], (0, 0, 0.5, 0.2), rtol=1e-6)
    voc(tmp_path, 'third', [('cat', (1, 1, 20, 10), 0)], (41, 50))
    with pytest.raises(UserError, match='40x50, its annotation says 41x50'):
        load(tmp_path)


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(UserError, match='has no boxes; valid: the layouts voc, coco, penn_fudan'):
        load(tmp_path)
    voc(tmp_path, 'a', [('cat', (1, 1, 9, 9), 0)])
    with pytest.raises(UserError, match=r"its image 'a\.jpg' is not there"):
        load(tmp_path)
    (tmp_path / 'Annotations' / 'a.xml').write_text('<annotation><object><name>cat</name></object></annotation>')
    with pytest.raises(UserError, match='no <bndbox/xmin>'):
        load(tmp_path)
    (tmp_path / 'Annotations' / 'a.xml').write_text('<annotation>')
    with pytest.raises(UserError, match='cannot be read'):
        load(tmp_path)


def test_rendered_boxes_are_exact():
    """Each box touches its shape on all four sides: seen where nothing else is drawn."""
    arrays = scenes.render(60, 64, seed=5)
    real = there(arrays['boxes'])
    assert (real.sum(1) >= 1).all() and real.sum(1).max() > 3
    assert {0, 1, 2} == set(arrays['classes'][real]) and not arrays['classes'][~real].any()
    for row in np.flatnonzero(real.sum(1) == 1)[:5]:
        left, top, right, bottom = np.round(arrays['boxes'][row, 0] * 64).astype(int)
        image = arrays['image'][row].astype(float)
        ground = np.median(image.reshape(-1, 3), axis=0)
        inside = np.abs(image[top:bottom, left:right] - ground).mean(-1)
        around = np.abs(image - ground).mean(-1)
        around[top:bottom, left:right] = 0
        assert np.median(inside) > 2 * np.median(around[around > 0])
    np.testing.assert_array_equal(arrays['image'], scenes.render(60, 64, seed=5)['image'])
