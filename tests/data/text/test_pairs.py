"""Pairs: files with tabs, quotation marks and blanks of every kind; no source in two splits."""

import numpy as np
import pytest

from jaxlab.data.text.pairs import first_of_each, read_pairs, seen_in, split_by_source
from jaxlab.errors import UserError


def test_a_quotation_mark_is_a_mark(tmp_path):
    path = tmp_path / 'fra.txt'
    path.write_text('He said "no.\tIl a dit «\u00a0non\u202f!\tCC\n\n"Go."\tVa\x85 !\n', encoding='utf-8')
    assert read_pairs(path) == (['He said "no.', '"Go."'], ['Il a dit « non !', 'Va !'])
    assert read_pairs(path, 1, 0)[1][1] == '"Go."'
    path.write_text('a\tb\nc\n')
    with pytest.raises(UserError, match=r'line 2: 1 column\(s\)'):
        read_pairs(path)


SOURCES = ['Run!', 'Go.', 'Run!', 'Hi.', 'Wait', 'Wait', 'Wait', 'Stop', 'No', 'Yes', 'Run!']


def test_first_of_each():
    assert first_of_each(SOURCES).tolist() == [0, 1, 3, 4, 7, 8, 9]


@pytest.mark.parametrize('seed', range(5))
def test_no_source_is_in_two_splits(seed):
    parts = split_by_source(SOURCES, {'train': 0.6, 'validation': 0.2, 'test': 0.2}, seed)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(11))
    texts = {name: {SOURCES[row] for row in rows} for name, rows in parts.items()}
    assert not (
        texts['train'] & texts['test'] or texts['train'] & texts['validation'] or texts['validation'] & texts['test']
    )
    assert [len(texts[name]) for name in parts] == [4, 2, 1]
    again = split_by_source(SOURCES, {'train': 0.6, 'validation': 0.2, 'test': 0.2}, seed)
    assert all((parts[name] == again[name]).all() for name in parts)


def test_small_shares_get_one_source_at_least():
    parts = split_by_source(['a', 'b', 'c'], {'train': 0.98, 'validation': 0.01, 'test': 0.01}, 0)
    assert [len(rows) for rows in parts.values()] == [1, 1, 1]
    with pytest.raises(UserError, match='2 different source'):
        split_by_source(['a', 'b', 'a'], {'train': 0.5, 'validation': 0.25, 'test': 0.25}, 0)
    with pytest.raises(UserError, match='add up to 1'):
        split_by_source(['a', 'b'], {'train': 0.5, 'test': 0.4}, 0)


def test_targets_that_training_has():
    assert seen_in(['a', 'b'], ['b', 'c']).tolist() == [True, False]
