"""Pictures as people have them: every mode and format of Pillow, turned, deep and transparent ones."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from jaxlab.data.features import Image as Picture
from jaxlab.data.images import CLEAR, DEEP, FRAMES, TURNED, Decoding, decode, decode_marked, decode_whole
from jaxlab.errors import UserError
from jaxlab.tasks.whole_images import whole_images
from tests.data.pictures import filled, folder

WHOLE = Decoding((8, 12))


@pytest.fixture
def gradient():
    """[8, 12] uint8, dark on the left and bright on the right, darker at the top."""
    row, column = np.mgrid[:8, :12]
    return (20 * column + 3 * row).astype(np.uint8)


ENDS = (
    'png',
    'apng',
    'bmp',
    'dib',
    'tif',
    'tiff',
    'ppm',
    'pgm',
    'pbm',
    'pnm',
    'tga',
    'gif',
    'pcx',
    'ico',
    'jp2',
    'jpx',
    'j2k',
)
LOSSY = ('jpg', 'jfif', 'mpo', 'avif')
MODES = (
    *(
        '1',
        'L',
        'LA',
        'P',
        'PA',
        'RGB',
        'RGBA',
        'RGBa',
        'RGBX',
        'CMYK',
        'YCbCr',
        'HSV',
        'LAB',
        'I',
        'I;16',
        'I;16B',
        'F',
    ),
)


def of_mode(gradient, mode):
    """The gradient as a Pillow image of a mode; deep ones reach over their whole range."""
    grey = Image.fromarray(gradient)
    if mode == 'LAB':
        profiles = ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB')
        return ImageCms.profileToProfile(grey.convert('RGB'), *profiles, outputMode='LAB')
    if mode in ('PA', 'RGBa'):
        return grey.convert({'PA': 'P', 'RGBa': 'RGBA'}[mode]).convert(mode)
    deep = {'I': '<i4', 'I;16': '<u2', 'I;16B': '>u2', 'F': '<f4'}.get(mode)
    return grey.convert(mode) if deep is None else Image.fromarray((gradient.astype(np.int64) * 257).astype(deep))


@pytest.mark.parametrize('mode', MODES)
def test_every_mode_in_every_format(tmp_path, gradient, mode):
    """What Pillow writes is read as the same greys, or refused in words: never as something else."""
    read, refused = [], []
    image = of_mode(gradient, mode)
    wanted = np.asarray(image.convert('L')).astype(int) if mode == '1' else gradient.astype(int)
    for ending in (*ENDS, 'webp', *LOSSY):
        if mode.startswith(('I', 'F')) and ending in ('gif', 'webp', *LOSSY):
            continue  # written as other numbers
        if ending == 'j2k' and mode in ('CMYK', 'YCbCr'):
            continue  # written without a word of its colours
        path = tmp_path / f'x.{ending}'
        try:
            image.save(path, **({'lossless': True} if ending == 'webp' else {}))
        except (OSError, KeyError, ValueError):
            continue  # nobody can have such a file
        try:
            found, marks = decode_marked(path, Decoding((8, 12), grey=True))
        except ValueError as error:
            said = {'LAB': 'conversion from LAB'}.get(mode, '32 bits of grey')
            assert mode in ('I', 'F', 'LAB') and said in str(error), (ending, error)
            refused.append(ending)
            continue
        read.append(ending)
        near = 4 if ending in LOSSY else 9 if (ending, mode) == ('gif', 'RGBA') else 1 if mode == 'LAB' else 0
        assert mode == '1' and ending in LOSSY or np.abs(found[..., 0] - wanted).max() <= near, (ending, mode)
        assert marks == ({DEEP} if mode.startswith('I') else frozenset())
    least = {'HSV': 1, 'RGBa': 1, 'PA': 2, 'LAB': 1, 'RGBX': 4, 'I': 3, 'F': 0}.get(mode, 6)
    assert len(read) >= least - (not features.check('webp')) and (refused != []) is (mode in ('I', 'F', 'LAB')), read


def png(bits, colour, rows, clear=b''):
    """A PNG of any depth, which Pillow cannot write. rows: [H, n] of bytes."""
    chunk = lambda name, data: struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    size = struct.pack('>IIBBBBB', 12, 8, bits, colour, 0, 0, 0)
    pixels = zlib.compress(b''.join(b'\0' + row.tobytes() for row in rows))
    note = chunk(b'tRNS', clear) if clear else b''
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', size) + note + chunk(b'IDAT', pixels) + chunk(b'IEND', b'')


def test_depths_that_pillow_does_not_write(tmp_path, gradient):
    """2, 4 and 16 bits, with alpha and with one clear grey; greys of other largest values."""
    deep = (gradient.astype('>u2') * 257).astype('>u2')
    pair = lambda alpha: np.stack([deep, np.full_like(deep, alpha)], -1)
    colour = np.repeat(deep[..., None], 3, 2)
    fewer = lambda bits: np.unpackbits((gradient >> (8 - bits))[..., None], axis=-1)[..., 8 - bits :].reshape(8, -1)
    hole = np.where(gradient == gradient[3, 4], 255, gradient)
    cases = {
        '2.png': (png(2, 0, np.packbits(fewer(2), axis=1)), (gradient >> 6) * 85),
        '4.png': (png(4, 0, np.packbits(fewer(4), axis=1)), (gradient >> 4) * 17),
        'colour.png': (png(16, 2, colour), gradient),
        'alpha.png': (png(16, 4, pair(65535)), gradient),
        'nothing.png': (png(16, 4, pair(0)), np.full_like(gradient, 255)),
        'hole.png': (png(16, 0, deep, struct.pack('>H', int(deep[3, 4]))), hole),
        '15.pgm': (b'P5 12 8 15\n' + (gradient >> 4).tobytes(), (gradient >> 4) * 17),
        '1000.pgm': (b'P5 12 8 1000\n' + np.round(gradient / 255 * 1000).astype('>u2').tobytes(), gradient),
        'text.pgm': (b'P2 12 8 255\n' + ' '.join(map(str, gradient.ravel())).encode(), gradient),
        'deep.ppm': (b'P6 12 8 65535\n' + colour.tobytes(), gradient),
    }
    for name, (content, wanted) in cases.items():
        (tmp_path / name).write_bytes(content)
        found, marks = decode_marked(tmp_path / name, WHOLE)
        assert np.abs(found[..., 0].astype(int) - wanted).max() <= 1, name
        assert (CLEAR in marks) is (name in ('nothing.png', 'hole.png')), name


def test_negatives(tmp_path, gradient):
    """TIFF may say that 0 is white."""
    for values in (255 - gradient, 65535 - gradient.astype(np.uint16) * 257):
        file = io.BytesIO()
        Image.fromarray(values).save(file, 'TIFF')
        raw = bytearray(file.getvalue())
        (first,) = struct.unpack_from('<I', raw, 4)
        for at in range(first + 2, first + 2 + 12 * struct.unpack_from('<H', raw, first)[0], 12):
            if struct.unpack_from('<H', raw, at)[0] == 262:
                struct.pack_into('<H', raw, at + 8, 0)
        (tmp_path / 'x.tif').write_bytes(raw)
        np.testing.assert_array_equal(decode(tmp_path / 'x.tif', WHOLE)[..., 0], gradient)


def test_one_frame_of_several(tmp_path, gradient):
    """The first one, and that is marked; of an icon the largest."""
    first, *others = (Image.fromarray(values).convert('RGB') for values in (gradient, 255 - gradient, gradient // 2))
    for ending, how in (('gif', {}), ('webp', {'lossless': True}), ('png', {}), ('tif', {})):
        first.save(tmp_path / f'x.{ending}', save_all=True, append_images=others, **how)
        found, marks = decode_marked(tmp_path / f'x.{ending}', WHOLE)
        np.testing.assert_array_equal(found[..., 0], gradient, ending)
        assert marks == {FRAMES}, ending
    first.resize((48, 32), Image.Resampling.NEAREST).save(tmp_path / 'x.ico', sizes=[(16, 16), (48, 32)])
    np.testing.assert_array_equal(decode(tmp_path / 'x.ico', Decoding((32, 48)))[::4, ::4, 0], gradient)


def test_nothing_in_every_way(tmp_path, gradient):
    """Alpha, a clear entry of a palette, one clear grey or colour: all of it white."""
    nothing = np.dstack([gradient, gradient, gradient, np.zeros_like(gradient)])
    for ending in ('png', 'tif', 'tga', 'jp2', 'gif', 'webp'):
        Image.fromarray(nothing).save(tmp_path / f'x.{ending}', **({'lossless': True} if ending == 'webp' else {}))
        found, marks = decode_marked(tmp_path / f'x.{ending}', WHOLE)
        assert (found == 255).all() and marks == {CLEAR}, ending
    palette = Image.fromarray(gradient).convert('P')
    palette.putalpha(0)
    palette.save(tmp_path / 'x.tif')
    assert palette.mode == 'PA' and (decode(tmp_path / 'x.tif', WHOLE) == 255).all()
    sixteen = Image.fromarray(gradient >> 4)
    sixteen.putpalette([number // 3 * 16 for number in range(48)])
    sixteen.save(tmp_path / 'x.png', transparency=bytes([0] * 4 + [255] * 12))
    wanted = np.where(gradient >> 4 < 4, 255, gradient >> 4 << 4)
    np.testing.assert_array_equal(decode(tmp_path / 'x.png', WHOLE)[..., 0], wanted)
    for mode, clear in (('1', 0), ('L', int(gradient[3, 4])), ('RGB', (int(gradient[3, 4]),) * 3)):
        image = Image.fromarray(gradient).convert(mode)
        image.save(tmp_path / 'x.png', transparency=clear)
        grey = np.asarray(image.convert('L'))
        wanted = np.where(grey == (clear[0] if isinstance(clear, tuple) else clear), 255, grey)
        np.testing.assert_array_equal(decode(tmp_path / 'x.png', WHOLE)[..., 0], wanted, mode)


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
    for ending in ('png', 'webp', 'jpg', 'mpo', 'avif'):
        if ending in ('webp', 'avif') and not features.check(ending):
            continue
        image.save(tmp_path / f'x.{ending}', exif=note, **({'lossless': True} if ending == 'webp' else {}))
        found, marks = decode_marked(tmp_path / f'x.{ending}', WHOLE)
        assert np.abs(found[..., 0].astype(int) - gradient).max() <= (4 if ending in LOSSY else 0), ending
        assert marks == ({TURNED} if turns else frozenset()), ending
    for mode in ('L', 'P', 'RGB', 'RGBA', 'CMYK', 'I;16'):  # stored as they are, or squeezed
        laid = Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == 'I;16' else image.convert(mode)
        for compression in (None, 'tiff_lzw'):
            laid.save(tmp_path / 'x.tif', tiffinfo={0x0112: orientation}, compression=compression)
            np.testing.assert_array_equal(decode(tmp_path / 'x.tif', WHOLE)[..., 0], gradient, (mode, compression))


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


def test_pictures_in_their_own_size_follow_the_same_options(tmp_path, gradient):
    """What is denoised, translated or drawn upon is read as the training pictures were."""
    Image.fromarray(gradient.astype(np.uint16) * 16).save(tmp_path / 'deep.png')
    how = Decoding((1, 1), grey=True, white=16 * 255, ground='black')
    np.testing.assert_array_equal(decode_whole(tmp_path / 'deep.png', how)[..., 0], gradient)
    Image.new('RGBA', (5, 3)).save(tmp_path / 'clear.png')
    (_, image), (_, deep) = whole_images(tmp_path, how)[0]
    assert image.shape == (3, 5, 1) and not image.any() and deep.max() > 0.9


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
