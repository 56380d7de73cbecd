"""Paired judgements: kept without loss, compared only where the examples are the same, tested as SciPy and statsmodels do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jaxlab.report import same_examples


@given(st.lists(st.booleans(), max_size=40))
def test_nothing_is_lost(right):
    assert same_examples.right_of(same_examples.to_keep(right, 'x')).tolist() == right


def kept(text, examples='x'):
    return same_examples.to_keep([one == '1' for one in text], examples)


def test_counts_and_p():
    """10 examples: the variant gains 5, loses 1: p of 1 of 6 by the binomial."""
    found = {'plain': kept('1110000001'), 'other': kept('0111111101'), 'elsewhere': kept('0111111101', 'y'), 'gone': {}}
    table = same_examples.table(found, 'plain')
    ((name, both, gained, lost, neither, p),) = table.rows
    assert (name, both, gained, lost, neither) == ('other', 3, 5, 1, 1)
    assert float(p) == pytest.approx(stats.binomtest(1, 6).pvalue, abs=6e-5)
    assert table.columns[1:5] == ['both', 'it alone', 'reference alone', 'neither'] and 'n = 10' in table.note


def test_several_are_corrected():
    found = {'plain': kept('0' * 12), 'a': kept('1' * 8 + '0' * 4), 'b': kept('1' * 6 + '0' * 6)}
    rows = same_examples.table(found, 'plain').rows
    assert [float(row[-2]) for row in rows] == pytest.approx([2 / 2**8, 2 / 2**6], abs=6e-5)
    assert [float(row[-1]) for row in rows] == pytest.approx([4 / 2**8, 2 / 2**6], abs=6e-5)


@pytest.mark.parametrize('found', [{}, {'plain': {}}, {'plain': kept('10'), 'other': {}}, {'other': kept('10')}])
def test_nothing_to_compare(found):
    assert not same_examples.table(found, 'plain').rows


def test_statsmodels_agrees():
    contingency = pytest.importorskip('statsmodels.stats.contingency_tables')
    right, other = np.random.default_rng(0).random((2, 200)) < [[0.8], [0.7]]
    found = {'plain': same_examples.to_keep(other, 'x'), 'other': same_examples.to_keep(right, 'x')}
    (row,) = same_examples.table(found, 'plain').rows
    expected = contingency.mcnemar([[row[1], row[2]], [row[3], row[4]]], exact=True).pvalue
    assert float(row[5]) == pytest.approx(expected, abs=6e-5)
