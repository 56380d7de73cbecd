"""The cache of decoded arrays: atomic, checked, rebuilt when damaged."""

import json
import os
import shutil

import numpy as np
import pytest

from jaxlab.data.cache import cached, key_of


@pytest.fixture
def build():
    """A builder that counts its calls."""

    def function():
        function.calls += 1
        return {'a': np.arange(1000, dtype=np.int32), 'b': np.zeros((0, 2))}, {'note': 'x'}

    function.calls = 0
    return function


def same(found):
    arrays, facts = found
    np.testing.assert_array_equal(arrays['a'], np.arange(1000))
    assert arrays['a'].dtype == np.int32 and arrays['b'].shape == (0, 2) and facts == {'note': 'x'}


def test_built_once(tmp_path, build):
    for _ in range(3):
        same(cached(tmp_path / 'new' / 'cache', 'set', 'k', build))
    assert build.calls == 1
    assert [path.name for path in (tmp_path / 'new' / 'cache').iterdir()] == ['set-k']


def test_without_a_place_nothing_is_kept(build):
    same(cached(None, 'set', 'k', build))
    same(cached(None, 'set', 'k', build))
    assert build.calls == 2


def flip_a_bit(entry):
    content = bytearray((entry / 'a.npy').read_bytes())
    content[-7] ^= 1
    (entry / 'a.npy').write_bytes(content)


@pytest.mark.parametrize(
    'damage',
    [
        flip_a_bit,
        lambda entry: (entry / 'a.npy').write_bytes((entry / 'a.npy').read_bytes()[:-5]),
        lambda entry: (entry / 'a.npy').unlink(),
        lambda entry: (entry / 'a.npy').write_bytes(b''),
        lambda entry: (entry / 'manifest.json').write_text('{'),
        lambda entry: (entry / 'manifest.json').write_text('[]'),
        lambda entry: (entry / 'manifest.json').write_text(json.dumps({'checks': {'../a': 1}})),
        lambda entry: (shutil.rmtree(entry), entry.write_text('a file')),
        lambda entry: np.save(entry / 'a.npy', np.array([{}], object), allow_pickle=True),
    ],
)
def test_damaged_entries_are_built_again(tmp_path, build, damage):
    cached(tmp_path, 'set', 'k', build)
    damage(tmp_path / 'set-k')
    same(cached(tmp_path, 'set', 'k', build))
    assert build.calls == 2
    same(cached(tmp_path, 'set', 'k', build))
    assert build.calls == 2 and len(list(tmp_path.iterdir())) == 1


def test_interrupted_write_leaves_nothing(tmp_path, build, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', stop)
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, 'set', 'k', build)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_costs_only_the_shortcut(tmp_path, build, monkeypatch):
    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(np, 'save', full)
    same(cached(tmp_path, 'set', 'k', build))
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written(tmp_path, build):
    """It costs time at the next start, nothing else."""
    (tmp_path / 'file').write_text('')
    arrays, notes = cached(tmp_path / 'file' / 'below', 'set', 'k', build)
    again, same = build()
    assert notes == same and arrays.keys() == again.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, again[name])


def test_key_depends_on_every_fact():
    keys = {key_of(*facts) for facts in ((1, 2), (2, 1), ('1', 2), ((1, 2),), (1, 2, None))}
    assert len(keys) == 5 and key_of(1, 2) in keys
