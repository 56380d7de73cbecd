"""What many seeds show, and what few could have shown."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxlab.report import seeds, statistics


@pytest.mark.parametrize(('known', 'number'), [(False, 3), (False, 5), (True, 1), (True, 4)])
def test_four_of_five_comparisons_see_such_a_difference(known, number):
    """20,000 comparisons drawn at the difference: some 80 % are significant; without a difference 5 %."""
    rng, spread = np.random.default_rng(0), 2.5
    difference = statistics.detectable(spread, number, known)
    for shift, share in ((difference, 0.8), (0.0, 0.05)):
        a, b = rng.normal(0, spread, (20_000, number)), rng.normal(shift, spread, (20_000, number))
        if known:
            p = 2 * stats.norm.sf(np.abs(b.mean(1) - a.mean(1)) / (spread * math.sqrt(2 / number)))
        else:
            p = stats.ttest_ind(a, b, axis=1).pvalue
        assert np.mean(p < 0.05) == pytest.approx(share, abs=0.012)


def test_single_seeds_show_nothing_by_themselves():
    assert statistics.detectable(1.0, 1) == math.inf
    assert statistics.detectable(1.0, 1, known=True) == pytest.approx((1.959964 + 0.841621) * math.sqrt(2), rel=1e-6)


def test_drawn_from_twenty_seeds_on():
    values = np.random.default_rng(0).normal(30, 3, 40)
    results = {'metrics': {'test_frechet_distance': {'mean': 30.0, 'values': values.tolist()}}}
    histogram, table = seeds.figures(results)
    assert 'n = 40 seeds' in histogram.note and len(histogram.samples['test Fréchet distance']) == 40
    spread = values.std(ddof=1)
    assert table.rows[0][1] == 'none' and float(table.rows[1][1]) == pytest.approx(
        statistics.detectable(spread, 3), rel=0.02
    )
    few = {'metrics': {'test_frechet_distance': {'mean': 30.0, 'values': values[:19].tolist()}}}
    assert seeds.figures(few) == [] and seeds.figures({}) == []
