"""The intervals and tests against SciPy and against numbers that can be checked by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxlab.report import statistics as s

RNG = np.random.default_rng(7)


def test_t_interval_is_scipys():
    values = RNG.normal(size=5)
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    got = s.t_interval(values)
    assert (got.low, got.high) == pytest.approx((low, high))
    assert got.n == 5 and s.t_interval([1.0]) is None and s.t_interval([1.0, math.nan]) is None


def test_t_interval_known_value():
    # 1, 2, 3: mean 2, std 1, t(2) = 4.30265, half = 4.30265 / sqrt(3)
    got = s.t_interval([1, 2, 3])
    assert got.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_mean_and_std_of_little():
    assert math.isnan(s.mean([])) and math.isnan(s.std([1.0]))
    assert s.std([1.0, 3.0]) == pytest.approx(math.sqrt(2))


def test_bounded_interval_never_leaves_the_range():
    values = [0.999, 0.97, 0.9999]
    assert s.t_interval(values).high > 1
    got = s.bounded_interval(values)
    assert 0 < got.low < s.mean(values) < got.high < 1
    logits = np.log(np.array(values) / (1 - np.array(values)))
    low, high = stats.t.interval(0.95, 2, loc=logits.mean(), scale=stats.sem(logits))
    assert (got.low, got.high) == pytest.approx((1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))))


def test_bounded_interval_falls_back_at_the_bounds():
    got = s.bounded_interval([1.0, 0.98, 1.0])
    assert got.high == 1.0 and got.low < 0.98 + 0.02 and 'clipped' in got.method
    same = s.bounded_interval([1.0, 1.0, 1.0])
    assert (same.low, same.high) == (1.0, 1.0)
    with pytest.raises(ValueError, match='outside'):
        s.bounded_interval([1.2, 0.5])


def test_bounded_interval_with_other_bounds():
    unit = s.bounded_interval([0.2, 0.4, 0.5])
    percent = s.bounded_interval([20, 40, 50], low=0, high=100)
    assert (percent.low, percent.high) == pytest.approx((100 * unit.low, 100 * unit.high))


def test_metric_interval_chooses():
    assert 'logit' in s.metric_interval([0.9, 0.91, 0.92], bounded=True).method
    assert 'logit' not in s.metric_interval([0.9, 0.91, 0.92], bounded=False).method
    assert 'logit' not in s.metric_interval([90.0, 91.0], bounded=True).method


@pytest.mark.parametrize('n, p', [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_sign_flip_smallest_p(n, p):
    got = s.sign_flip(np.arange(1, n + 1) / 10)
    assert got.p == p
    assert ('cannot reach 0.05 with n = ' in got.remark) == (n < 6)


def test_sign_flip_is_scipys_permutation_test():
    differences = RNG.normal(0.5, 1, size=8)
    expected = stats.permutation_test((differences,), np.mean, permutation_type='samples', n_resamples=np.inf)
    assert s.sign_flip(differences).p == pytest.approx(expected.pvalue)


def test_sign_flip_with_ties_and_zeros():
    assert s.sign_flip([0.0, 0.0, 0.0]).p == 1.0
    assert s.sign_flip([0.1, -0.1]).p == 1.0
    assert s.sign_flip([0.1, 0.2, -0.3]).p == 1.0  # rounding must not lose the ties at sum 0


def test_sign_flip_of_many_is_drawn_and_near_the_t_test():
    differences = np.random.default_rng(1).normal(0.4, 1, size=40)
    got = s.sign_flip(differences)
    assert 'random' in got.method
    assert got.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


def test_paired_is_scipys():
    a, b = RNG.normal(size=6), RNG.normal(size=6)
    got = s.paired(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (got.interval.low, got.interval.high) == pytest.approx((expected.low, expected.high))
    with pytest.raises(ValueError, match='pairs'):
        s.paired([1, 2], [1])


def test_welch_is_scipys():
    a, b = RNG.normal(size=6), RNG.normal(1, 3, size=4)
    got, expected = s.welch(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert got.test.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (got.interval.low, got.interval.high) == pytest.approx((interval.low, interval.high))
    assert math.isnan(s.welch([1.0], [1.0, 2.0]).test.p)
    assert s.welch([1.0, 1.0], [1.0, 1.0]).test.p == 1.0


def test_nadeau_bengio_known_value():
    differences = [0.01, 0.03, 0.02, 0.0, 0.04]  # mean 0.02, variance 0.00025
    got = s.nadeau_bengio(differences, train_size=80, test_size=20)
    error = math.sqrt((1 / 5 + 20 / 80) * 0.00025)
    assert got.test.statistic == pytest.approx(0.02 / error)
    assert got.test.p == pytest.approx(2 * stats.t.sf(0.02 / error, 4))
    plain = s.t_interval(differences)
    assert got.interval.low < plain.low and got.interval.high > plain.high
    assert s.nadeau_bengio([0.0, 0.0], 8, 2).test.p == 1.0


def test_the_interval_of_overlapping_splits():
    """Variance 1 / n + test / train: at 80 / 20 and five splits 1.5 times as wide as Student's, and never out of range."""
    values = [0.80, 0.82, 0.79, 0.84, 0.81]
    plain, wide = s.t_interval(values), s.t_interval(values, shared=20 / 80)
    assert (wide.high - wide.low) / (plain.high - plain.low) == pytest.approx(math.sqrt((1 / 5 + 0.25) / (1 / 5)))
    assert wide.method == 'Nadeau-Bengio t' and plain.method == "Student's t"
    assert (wide.high + wide.low) / 2 == pytest.approx(np.mean(values))
    bounded = s.metric_interval([0.97, 0.99, 0.98], True, shared=1.0)
    assert 0 < bounded.low < 0.97 and 0.99 < bounded.high < 1 and bounded.method == 'Nadeau-Bengio t on the logit'
    clipped = s.metric_interval([0.97, 0.99, 1.0], True, shared=1.0)
    assert clipped.high == 1.0 and clipped.method == 'Nadeau-Bengio t, clipped'


def test_mcnemar_known_value():
    first = [True] * 90 + [True] * 8 + [False] * 2
    second = [True] * 90 + [False] * 8 + [True] * 2
    got = s.mcnemar(first, second)
    assert got.p == pytest.approx(2 * sum(math.comb(10, k) for k in range(3)) / 2**10)  # 8 against 2
    assert got.statistic == 6 and '10 of 100' in got.remark
    assert s.mcnemar(first, first).p == 1.0


def test_wilson_is_scipys():
    for successes, total in ((9, 10), (0, 20), (20, 20), (970, 1000)):
        expected = stats.binomtest(successes, total).proportion_ci(method='wilson')
        got = s.wilson(successes, total)
        assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
    assert s.wilson(0, 0) is None


def test_holm_known_values():
    assert s.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert s.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    adjusted = s.holm([0.01, math.nan, 0.02])
    assert math.isnan(adjusted[1]) and adjusted[0] == pytest.approx(0.02)
    assert s.holm([]) == []
