"""`load`: sources, contents, scaling, and what it says when something is wrong."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from jaxlab.data import Split, load
from jaxlab.data.labels import names_of
from jaxlab.errors import UserError
from tests.data.conftest import MNIST_SIZES, digits_like

REAL = os.environ.get('JAXLAB_DATA_DIR', '')


@pytest.fixture(autouse=True)
def no_named_directory(monkeypatch):
    monkeypatch.delenv('JAXLAB_DATA_DIR', raising=False)
    monkeypatch.delenv('JAXLAB_CACHE_DIR', raising=False)


@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist'])
@pytest.mark.parametrize('compressed', [False, True])
def test_idx_files(write_mnist, name, compressed):
    data = load({'name': name}, write_mnist(name, compressed))
    assert data.source == 'files' and not data.stand_in
    for seed, (part, size) in enumerate(zip(('train', 'test'), MNIST_SIZES.values(), strict=True)):
        images, labels = digits_like(size, seed)
        np.testing.assert_array_equal(data.splits[part].arrays['image'][..., 0], images)
        np.testing.assert_array_equal(data.splits[part].arrays['label'], labels)
        assert data.splits[part].arrays['image'].dtype == np.uint8
        assert data.splits[part].arrays['label'].dtype == np.int32
    assert any('60,000' in note for note in data.notes)


def test_the_sets_own_folder_will_do(write_mnist):
    root = write_mnist()
    assert load({'name': 'mnist'}, root / 'mnist').source == 'files'


def test_environment_names_the_directory(write_mnist, monkeypatch):
    monkeypatch.setenv('JAXLAB_DATA_DIR', str(write_mnist()))
    assert load({'name': 'mnist'}).source == 'files'


def test_cifar10_planes_become_channels(write_cifar10):
    root, records = write_cifar10()
    data = load({'name': 'cifar10'}, root)
    assert {part: split.size for part, split in data.splits.items()} == {'train': 20, 'test': 4}
    image = data.splits['train'].arrays['image'][5]
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel].ravel(), records[5, 1 + 1024 * channel :][:1024])
    np.testing.assert_array_equal(data.splits['test'].arrays['label'], records[20:, 0])


@pytest.mark.parametrize(
    'name, shape',
    [
        ('mnist', (28, 28, 1)),
        ('fashion_mnist', (28, 28, 1)),
        ('cifar10', (32, 32, 3)),
        ('cats_dogs', (150, 150, 3)),
        ('flowers17', (64, 64, 3)),
    ],
)
def test_embedded_stand_ins(name, shape):
    options = {'image_size': shape[0]} if name in ('cats_dogs', 'flowers17') else {}
    data = load(ConfigDict({'name': name, 'options': options}))
    assert data.stand_in and data.source == 'embedded'
    assert any('stand in for ' + name in note for note in data.notes)
    assert data.splits['train'].arrays['image'].shape[1:] == shape
    labels = data.splits['train'].labels
    assert set(labels) == set(range(len(names_of(data))))
    assert np.ptp(np.bincount(labels)) <= 10


def test_embedded_digits_keep_their_ink_and_their_place():
    data = load({'name': 'mnist'})
    assert (data.splits['train'].size, data.splits['test'].size) == (1437, 360)
    image = data.splits['train'].arrays['image']
    assert image[:, :4].max() == image[:, -4:].max() == image[:, :, :4].max() == image[:, :, -4:].max() == 0
    assert image.max() == 255 and 0.1 < image.mean() / 255 < 0.2
    assert data.checksum == load({'name': 'mnist', 'source': 'embedded'}).checksum


def test_absent_set_in_a_named_directory_falls_back_and_says_so(tmp_path):
    data = load({'name': 'mnist'}, tmp_path)
    assert data.source == 'embedded' and str(tmp_path) in data.notes[0]


@pytest.mark.parametrize(
    'config, message',
    [
        ({'name': 'mnits'}, "did you mean 'mnist'"),
        ({'name': None}, 'unknown data.name'),
        ({'name': 'mnist', 'source': 'file'}, "did you mean 'files'"),
        ({'name': 'mnist', 'source': 'files'}, 'DATA_DIR/mnist'),
        ({'name': 'mnist', 'source': 'tfds'}, 'is not there as tfds'),
        ({'name': 'gates', 'source': 'files'}, 'no source'),
        ({'name': 'gates', 'options': {'gate': 'xro'}}, "did you mean 'xor'"),
        ({'name': 'gates', 'options': {'gatte': 'or'}}, "did you mean 'gate'"),
        ({'name': 'gates', 'validation_fraction': 0.5}, 'no split'),
        ({'name': 'gates', 'transforms': ('flip',)}, 'need images'),
        ({'name': 'mnist', 'options': {'size': 3}}, 'unknown option'),
        ({'name': 'mnist', 'split': 'offical'}, "did you mean 'official'"),
        ({'name': 'mnist', 'limit': -1}, 'data.limit'),
        ({'name': 'mnist', 'limit': 1.5}, 'data.limit'),
        ({'name': 'mnist', 'validation_fraction': 1.0}, 'data.validation_fraction'),
        ({'name': 'mnist', 'test_fraction': 'a'}, 'data.test_fraction'),
        ({'name': 'mnist', 'scale': (1.0, 0.0)}, 'data.scale'),
        ({'name': 'mnist', 'scale': 1.0}, 'data.scale'),
        ({'name': 'mnist', 'stratify': 'yes'}, 'data.stratify'),
        ({'name': 'mnist', 'options': {'mean': (0.1, 0.2)}}, 'data.options.mean'),
        ({'name': 'mnist', 'transforms': (('flipp', {}),)}, "did you mean 'flip'"),
        ({'name': 'mnist', 'transforms': (('flip', {'q': 1}),)}, "did you mean 'p'|valid: "),
        ({'name': 'mnist', 'transforms': (('flip', {'p': 2}),)}, 'from 0 to 1'),
        ({'name': 'mnist', 'transforms': (('shift', {'pixels': 99}),)}, 'from 0 to 27'),
        ({'name': 'mnist', 'transforms': (('shift', {'fill': 'mirror'}),)}, 'fill'),
        ({'name': 'mnist', 'transforms': ((1, 2),)}, 'no transform'),
        ({'name': 'mnist', 'transforms': 'flip'}, 'data.transforms'),
        ({'name': 'cats_dogs', 'options': {'image_size': 0.5}}, 'image_size'),
        ({'name': 'cats_dogs', 'options': {'resample': 'cubic'}}, 'resample'),
        ({'name': 'folder'}, 'needs a data directory'),
    ],
)
def test_wrong_settings_are_one_clear_line(config, message):
    with pytest.raises(UserError, match=message) as caught:
        load(config)
    assert '\n' not in str(caught.value)


def test_missing_directory(tmp_path):
    with pytest.raises(UserError, match='is not a directory'):
        load({'name': 'mnist'}, tmp_path / 'nowhere')


def damage(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    'part, change, message',
    [
        ('train-images-idx3', lambda content: content[:-1], 'truncated'),
        ('train-images-idx3', lambda content: content + b'0', 'holds more'),
        ('train-images-idx3', lambda content: b'\x00\x00\x08\x01' + content[4:], 'magic number'),
        ('train-images-idx3', lambda content: b'', 'magic number'),
        ('train-images-idx3', lambda content: content[:4] + b'\xff' * 12 + content[16:], 'announces'),
        ('train-labels-idx1', lambda content: content[:4] + b'\x00\x00\x00\x05' + content[8:13], '5 labels'),
        ('t10k-labels-idx1', lambda content: content[:-1] + b'\x0a', 'above 9'),
    ],
)
def test_damaged_idx(write_mnist, part, change, message):
    root = write_mnist()
    damage(root / 'mnist' / f'{part}-ubyte', change)
    with pytest.raises(UserError, match=message):
        load({'name': 'mnist'}, root)


def test_damaged_gzip(write_mnist):
    root = write_mnist(compressed=True)
    damage(root / 'mnist' / 'train-images-idx3-ubyte.gz', lambda content: content[:100])
    with pytest.raises(UserError, match='cannot be read'):
        load({'name': 'mnist'}, root)


def test_missing_part(write_mnist):
    root = write_mnist()
    (root / 'mnist' / 't10k-labels-idx1-ubyte').unlink()
    with pytest.raises(UserError, match='lacks t10k-labels-idx1-ubyte'):
        load({'name': 'mnist'}, root)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda content: content[:-1], 'truncated'),
        (lambda content: b'', '0 bytes'),
        (lambda content: b'\x0b' + content[1:], 'label 11'),
    ],
)
def test_damaged_cifar10(write_cifar10, change, message):
    root, _ = write_cifar10()
    damage(root / 'cifar-10-batches-bin' / 'data_batch_2.bin', change)
    with pytest.raises(UserError, match=message):
        load({'name': 'cifar10'}, root)


def test_missing_cifar10_batch(write_cifar10):
    root, _ = write_cifar10()
    (root / 'cifar-10-batches-bin' / 'data_batch_2.bin').unlink()
    with pytest.raises(UserError, match='lacks data_batch_2.bin'):
        load({'name': 'cifar10'}, root)


def test_scale():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    data = load({'name': 'mnist', 'limit': 8, 'scale': (-1.0, 1.0)})
    symmetric = data.prepare({'image': jnp.asarray(values)})['image']
    np.testing.assert_allclose(
        np.asarray(symmetric).ravel()[[0, 127, 128, 255]], [-1, -0.003921569, 0.003921569, 1], atol=1e-9
    )
    unit = load({'name': 'mnist', 'limit': 8}).prepare({'image': jnp.asarray(values), 'label': 3})
    np.testing.assert_allclose(unit['image'], values / 255, rtol=1.2e-7)
    assert unit['label'] == 3


def test_mean_and_std():
    options = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
    data = load(
        {
            'name': 'cifar10',
            'limit': 8,
            'options': options,
            'transforms': (('shift', {'pixels': 31, 'fill': 'constant'}),),
        }
    )
    image = data.splits['train'].arrays['image'][:4]
    prepared = data.prepare({'image': jnp.asarray(image)})
    np.testing.assert_allclose(prepared['image'], (image / 255 - options['mean']) / options['std'], atol=1e-5)
    corner = np.asarray(data.augment(prepared, jax.random.key(0))['image']).reshape(-1, 3)
    black = (0 - np.array(options['mean'])) / options['std']
    assert (np.abs(corner - black).max(1) < 1e-5).mean() > 0.2


def test_gates():
    data = load({'name': 'gates', 'options': {'gate': 'xor', 'coding': 'binary'}})
    assert data.source == 'embedded' and not data.stand_in and set(data.splits) == {'train'}
    assert data.splits['train'].arrays['inputs'].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.splits['train'].arrays['target'].tolist() == [0, 1, 1, 0]
    bipolar = load({'name': 'gates', 'options': {'gate': 'and'}}).splits['train'].arrays
    assert bipolar['target'].tolist() == [-1, -1, -1, 1] and bipolar['inputs'].dtype == np.float32


def test_read_is_checked_and_takes_any_order():
    split = load({'name': 'mnist', 'limit': 20}).splits['train']
    assert isinstance(split, Split) and split.size == 20
    np.testing.assert_array_equal(split.read([3, 1, 3])['image'], split.arrays['image'][[3, 1, 3]])
    for wrong in ([20], [-1]):
        with pytest.raises(IndexError):
            split.read(wrong)


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = ('tensorflow_datasets', 'tensorflow', 'sklearn', 'PIL', 'grain', 'torch', 'matplotlib')
    code = f'import sys, jaxlab.data; print([name for name in {heavy} if name in sys.modules])'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


@pytest.mark.skipif(not os.path.isdir(os.path.join(REAL, 'mnist')), reason='JAXLAB_DATA_DIR has no mnist')
def test_real_mnist():
    data = load({'name': 'mnist', 'source': 'files'}, REAL)
    train, test = (data.splits[part].arrays for part in ('train', 'test'))
    assert np.bincount(train['label']).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test['label']).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train['label'][:9].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1]
    assert test['label'][:9].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5]
    assert (train['image'].sum(dtype=np.int64), test['image'].sum(dtype=np.int64)) == (1_567_298_545, 264_923_200)
    assert (train['image'][0].sum(), test['image'][0].sum()) == (27_525, 18_454)
    assert train['image'].mean() / 255 == pytest.approx(0.13066048, abs=1e-8)
    pooled = load({'name': 'mnist', 'source': 'files', 'split': 'pooled'}, REAL)
    assert pooled.splits['test'].origin[:3].tolist() == [46730, 48393, 41416]
    labels = np.concatenate([part.labels for part in pooled.splits.values()])
    assert np.bincount(labels).tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
