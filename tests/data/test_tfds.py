"""Prepared array_record sets, read without TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

from jaxlab.data import load, prepare_tfds
from jaxlab.errors import UserError
from tests.data.conftest import digits_like


def small_mnist():
    parts = {'train': digits_like(12, 5), 'test': digits_like(11, 6)}
    return {part: (images[..., None], labels) for part, (images, labels) in parts.items()}


def test_reads_what_was_written_and_prefers_it(write_tfds, write_mnist, tmp_path):
    parts = small_mnist()
    write_mnist()
    write_tfds('mnist', parts, (28, 28, 1))
    for _ in range(2):  # the second time from the cache
        data = load({'name': 'mnist'}, tmp_path, tmp_path / 'cache')
        assert data.source == 'tfds' and not data.stand_in
        assert any('order of its own' in note for note in data.notes)
        for part, (images, labels) in parts.items():
            np.testing.assert_array_equal(data.splits[part].arrays['image'], images)
            np.testing.assert_array_equal(data.splits[part].arrays['label'], labels)
    assert len(list((tmp_path / 'cache').iterdir())) == 1
    assert load({'name': 'mnist', 'source': 'files'}, tmp_path).source == 'files'


def test_tensorflow_is_not_imported(write_tfds):
    root = write_tfds('mnist', small_mnist(), (28, 28, 1))
    code = (
        'import sys; from jaxlab.data import load; '
        f'print(load(dict(name="mnist", source="tfds"), {str(root)!r}).source, "tensorflow" in sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ['tfds', 'False']


def test_newest_version_is_taken(write_tfds):
    old, new = small_mnist(), small_mnist()
    new = {part: (255 - images, labels) for part, (images, labels) in new.items()}
    write_tfds('mnist', old, (28, 28, 1), version='3.0.1')
    root = write_tfds('mnist', new, (28, 28, 1), version='10.0.0')
    np.testing.assert_array_equal(load({'name': 'mnist'}, root).splits['test'].arrays['image'], new['test'][0])


def test_photographs_of_any_size_are_brought_to_one(write_tfds):
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (9 + row, 12, 3), np.uint8) for row in range(10)]
    root = write_tfds('cats_vs_dogs', {'train': (images, np.arange(10) % 2)}, (None, None, 3), 2, '4.0.1')
    data = load({'name': 'cats_dogs', 'options': {'image_size': 8}}, root)
    assert data.source == 'tfds' and data.splits['train'].arrays['image'].shape == (8, 8, 8, 3)
    assert np.bincount(data.splits['test'].labels).tolist() == [1, 1]


def damage(root, ending, content):
    for path in (root / 'mnist' / '3.0.1').glob(f'*{ending}*'):
        path.write_bytes(content)


@pytest.mark.parametrize('ending, content', [('array_record-0', b'no records'), ('features.json', b'{}')])
def test_damaged_set_is_one_clear_line(write_tfds, ending, content):
    root = write_tfds('mnist', small_mnist(), (28, 28, 1))
    damage(root, ending, content)
    with pytest.raises(UserError, match='cannot be read as array_record') as caught:
        load({'name': 'mnist'}, root)
    assert '\n' not in str(caught.value)


def test_wrong_image_shape(write_tfds):
    images = np.zeros((4, 32, 32, 1), np.uint8)
    root = write_tfds('mnist', {part: (images, np.arange(4)) for part in ('train', 'test')}, (32, 32, 1))
    with pytest.raises(UserError, match='valid: \\(28, 28, 1\\)'):
        load({'name': 'mnist'}, root)


def test_preparing_needs_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorflow', None)
    with pytest.raises(UserError, match='tfds-prepare'):
        prepare_tfds('mnist', tmp_path)
    with pytest.raises(UserError, match='cannot be prepared|did you mean|valid'):
        prepare_tfds('flowers17', tmp_path)
