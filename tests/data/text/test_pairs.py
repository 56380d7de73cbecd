"""Pairs: files with tabs, quotation marks and blanks of every kind."""

import pytest

from jaxlab.data.text.pairs import read_pairs, seen_in
from jaxlab.errors import UserError


def test_a_quotation_mark_is_a_mark(tmp_path):
    path = tmp_path / 'fra.txt'
    path.write_text('He said "no.\tIl a dit «\u00a0non\u202f!\tCC\n\n"Go."\tVa\x85 !\n', encoding='utf-8')
    assert read_pairs(path) == (['He said "no.', '"Go."'], ['Il a dit « non !', 'Va !'])
    assert read_pairs(path, 1, 0)[1][1] == '"Go."'
    path.write_text('a\tb\nc\n')
    with pytest.raises(UserError, match=r'line 2: 1 column\(s\)'):
        read_pairs(path)


def test_targets_that_training_has():
    assert seen_in(['a', 'b'], ['b', 'c']).tolist() == [True, False]
