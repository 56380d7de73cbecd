"""A data set without its examples: what a run keeps of it is enough to prepare, build and answer."""

import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pytest

from jaxlab import data
from jaxlab.data import description, plain
from jaxlab.data.dataset import Raw
from jaxlab.data.features import ClassLabel, Columns, Image
from jaxlab.data.images import Decoding
from jaxlab.data.labels import class_counts, names_of
from jaxlab.data.settings import checked

SETS = {
    'digits': {'name': 'mnist', 'limit': 200, 'scale': (-1.0, 1.0), 'transforms': (('shift', {'pixels': 2}),)},
    'shapes': {'name': 'cats_dogs', 'limit': 60, 'options': {'image_size': (20, 24), 'mean': (0.5, 0.4, 0.3)}},
    'drawn': {'name': 'credit_card', 'sampling': 'weighted', 'epoch_examples': 90},
    'made': {'name': 'titanic', 'sampling': 'smote'},
    'values': {'name': 'california_housing'},
    'gate': {'name': 'gates'},
}


def kept(found: data.Dataset, config: dict) -> data.Dataset:
    """Through a file, as a run keeps it."""
    return description.from_json(json.loads(json.dumps(description.as_json(found, checked(config)))))


@pytest.mark.parametrize('name', SETS)
def test_all_but_the_examples_comes_back(name):
    found = data.load({**SETS[name], 'source': 'embedded'})
    again = kept(found, SETS[name])
    assert plain.as_json(dict(again.features)) == plain.as_json(dict(found.features))
    assert again.fitted == found.fitted and again.draws == found.draws
    for field in description.SAME_FIELDS:
        assert getattr(again, field) == getattr(found, field)
    for part, split in found.splits.items():
        assert again.splits[part].size == split.size and again.splits[part].arrays is None
        blank, expected = again.splits[part].blank(3), split.read([0, 0, 0])
        assert {n: (a.shape, a.dtype) for n, a in blank.items()} == {n: (a.shape, a.dtype) for n, a in expected.items()}
    if names_of(found) and 'label' in expected:
        np.testing.assert_array_equal(class_counts(again), class_counts(found))
    batch = found.splits['train'].read([0, 1, 2, 3])
    key = jax.random.key(3)
    made = [
        jax.jit(lambda batch, each=each: each.augment(each.prepare(batch), key))(dict(batch)) for each in (found, again)
    ]
    for one, other in zip(*(each.values() for each in made), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match='were not loaded'):
        again.splits['train'].read([0])


def test_domains_side_by_side(monkeypatch):
    """Two sizes, two forms; each domain keeps its own feature."""

    def read(request):
        parts = [data.DATASETS[name](data.sources.Request(name, 'embedded')) for name in ('mnist', 'cats_dogs')]
        return Raw('embedded', {}, {}, 'Two', 'none', 'both', domains=dict(zip('ab', parts, strict=True)))

    monkeypatch.setitem(data.DATASETS, 'two', read)
    config = {'name': 'two', 'split': 'pooled'}
    found = data.load(config)
    again = kept(found, config)
    assert again.features == found.features and list(again.features) == ['image_a', 'label_a', 'image_b', 'label_b']
    for part, split in found.splits.items():
        assert [one.size for one in again.splits[part].domains.values()] == [one.size for one in split.domains.values()]
        assert again.splits[part].blank(2)['image_b'].shape == split.blank(2)['image_b'].shape
    batch = found.splits['train'].read([0, 1])
    np.testing.assert_array_equal(found.prepare(batch)['image_b'], again.prepare(batch)['image_b'])


def test_only_plain_values_and_known_classes():
    """Nothing is imported for a file's sake, and nothing but a dataclass is made."""
    image = Image(Decoding((3, 4), 'nearest', 5, True, 99))
    assert plain.from_json(json.loads(json.dumps(plain.as_json(image)))) == image
    assert plain.from_json(plain.as_json(ClassLabel(('a', 'b')))) == ClassLabel(('a', 'b'))
    assert plain.as_json((np.float32(0.5), {'a': [1, None, True]})) == [0.5, {'a': [1, None, True]}]
    assert 'rows' not in plain.as_json(Columns(schema=None))
    for wrong in ('antigravity:Anything', 'os:system', 'jaxlab.data:load', 'nothing', 7):
        with pytest.raises(ValueError, match='no dataclass'):
            plain.from_json({plain.CLASS: wrong})
    with pytest.raises(ValueError, match="ClassLabel has no 'titles'"):
        plain.from_json({plain.CLASS: 'jaxlab.data.features:ClassLabel', 'titles': []})
    with pytest.raises(ValueError, match="ClassLabel lacks 'names'"):
        plain.from_json({plain.CLASS: 'jaxlab.data.features:ClassLabel'})
    with pytest.raises(TypeError, match='ndarray is no plain value'):
        plain.as_json(np.zeros(3))


@pytest.mark.parametrize(
    ('hint', 'right', 'wrong', 'words'),
    [
        (int, (3, -1), (3.0, True, '3', None), 'a whole number'),
        (float, (3, 0.5, np.inf), (True, '0.5'), 'a number'),
        (bool, (True,), (1, 'yes'), 'true or false'),
        (int | None, (None, 3), ('3',), 'a whole number or null'),
        (float | str, (3, 'a'), (None, ()), 'a number or a text'),
        (tuple[str, ...], ((), ('a', 'b')), ('ab', (1,)), 'a list of a text'),
        (tuple[int, str], ((1, 'a'),), ((1,), ('a', 1), (1, 'a', 2), 3), 'a list of a whole number, a text'),
        (tuple[tuple[str, str], ...], ((('a', 'b'),),), (('a', 'b'),), 'a list of a list of a text, a text'),
        (Mapping[str, Any], ({'a': None},), ((), 'a'), 'a block'),
        (Mapping[str, int], ({'a': 1},), ({'a': 'b'},), 'a block, each value a whole number'),
        (Decoding, (Decoding((3, 4)),), ({}, None), 'a Decoding'),
    ],
)
def test_kinds_of_values(hint, right, wrong, words):
    """As the annotation of a field says; a whole number is a number as well."""
    for value in right:
        plain.check(value, hint, 'it')
    for value in wrong:
        with pytest.raises(ValueError, match=rf'^it is .*, it must be {words}$'):
            plain.check(value, hint, 'it')
