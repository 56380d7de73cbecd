"""The intervals and tests against SciPy and against numbers that can be checked by hand."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from jaxlab.report import statistics as s
from jaxlab.report import summary

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


def test_an_interval_ends_where_its_metric_does():
    plain = s.t_interval([2.4, 3.6, 10.5])
    assert plain.low < 0
    inside = s.clipped(plain, 0.0, math.inf)
    assert (inside.low, inside.high, inside.method) == (0.0, plain.high, f'{plain.method}, clipped')
    assert s.clipped(plain, -math.inf, math.inf) is plain and s.clipped(None, 0.0, 1.0) is None
    results = {'metrics': {name: [2.4, 3.6, 10.5] for name in ('test_frechet_distance', 'test_loss')}}
    assert summary.interval_of('test_frechet_distance', results) == inside
    assert summary.interval_of('test_loss', results) == plain, 'a loss may be below 0'


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


# ---- everything that a result says of itself: mean, ends, n, level, name of the method, remark

VALUES = [2, 4, 9]  # whole numbers on purpose: mean 5, variance 13
T80, T90 = stats.t.ppf(0.9, 2), stats.t.ppf(0.95, 2)


def interval(found, low, high, n, level, method):
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.n, found.level, found.method) == (n, level, method)


def test_of(found, p, n, statistic, method, remark=''):
    assert (found.p, found.statistic) == pytest.approx((p, statistic), nan_ok=True)
    assert (found.n, found.method, found.remark) == (n, method, remark)


test_of.__test__ = False


def test_all_of_a_t_interval():
    half = T80 * math.sqrt(13 / 3)
    interval(s.t_interval(VALUES, 0.8), 5 - half, 5 + half, 3, 0.8, "Student's t")
    wide = T80 * math.sqrt(13 * (1 / 3 + 0.25))
    interval(s.t_interval(VALUES, 0.8, 0.25), 5 - wide, 5 + wide, 3, 0.8, 'Nadeau-Bengio t')
    assert s.t_interval(VALUES).level == 0.95
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # nothing is computed of too few values
        assert math.isnan(s.std([3])) and math.isnan(s.mean([])) and math.isnan(s.sign_flip([]).statistic)


def test_all_of_a_bounded_interval():
    """On 10 to 20: shares 0.2, 0.4, 0.7; the same with a shared part; clipped where one stands at a bound."""
    values = [12, 14, 17]
    logits = np.log(np.array([0.2, 0.4, 0.7]) / (1 - np.array([0.2, 0.4, 0.7])))
    for shared, method in ((0.0, "Student's t on the logit"), (0.5, 'Nadeau-Bengio t on the logit')):
        half = T80 * math.sqrt(logits.var(ddof=1) * (1 / 3 + shared))
        low, high = (10 + 10 / (1 + math.exp(-end)) for end in (logits.mean() - half, logits.mean() + half))
        interval(s.bounded_interval(values, 0.8, 10, 20, shared), low, high, 3, 0.8, method)
    for at in (10, 20):
        clipped = s.bounded_interval([at, 14, 16], 0.8, 10, 20)
        plain = s.t_interval([at, 14, 16], 0.8)
        ends = max(plain.low, 10), min(plain.high, 20)
        interval(clipped, *ends, 3, 0.8, "Student's t, clipped")
        wide = s.t_interval([at, 14, 16], 0.8, 0.5)
        ends = max(wide.low, 10), min(wide.high, 20)
        interval(s.bounded_interval([at, 14, 16], 0.8, 10, 20, 0.5), *ends, 3, 0.8, 'Nadeau-Bengio t, clipped')
    for outside in ([9, 14], [14, 21]):
        with pytest.raises(ValueError, match='outside'):
            s.bounded_interval(outside, 0.8, 10, 20)
    assert s.bounded_interval([0.5]) is None and s.bounded_interval([0.5, math.nan]) is None


def test_all_of_a_chosen_interval():
    """By the logit for shares, also at the bounds; by Student's t elsewhere; level and shared part are handed on."""
    for values in ([0.2, 0.5, 0.7], [0.0, 0.5, 0.7], [0.2, 0.5, 1.0]):
        assert s.metric_interval(values, True, 0.8, 0.5) == s.bounded_interval(values, 0.8, shared=0.5)
        assert s.metric_interval(values, False, 0.8, 0.5) == s.t_interval(values, 0.8, 0.5)
    assert s.metric_interval([0.5, 1.5], True, 0.8) == s.t_interval([0.5, 1.5], 0.8)
    assert s.metric_interval([0, 1], True) == s.bounded_interval([0, 1])


def test_all_of_a_paired_comparison():
    found = s.paired([2, 4, 9], [1, 0, 1], 0.8)  # differences 1, 4, 8
    differences = np.array([1.0, 4.0, 8.0])
    half = T80 * differences.std(ddof=1) / math.sqrt(3)
    assert found.mean == pytest.approx(13 / 3)
    interval(found.interval, 13 / 3 - half, 13 / 3 + half, 3, 0.8, 'paired t')
    remark = 'cannot reach 0.05 with n = 3: the smallest possible p is 0.25'
    test_of(found.test, 0.25, 3, 13 / 3, 'exact sign-flip test', remark)
    assert s.paired_interval([2, 4, 9], [1, 0, 1]).level == 0.95 and s.paired_interval([1], [2]) is None
    test_of(s.sign_flip([1, 2, 3, 4, 5, 6]), 2 / 64, 6, 3.5, 'exact sign-flip test')
    assert s.sign_flip([3]).remark.endswith('is 1') and math.isnan(s.sign_flip([]).statistic)
    assert 'exact' in s.sign_flip(np.arange(1, 17)).method and 'random' in s.sign_flip(np.arange(1, 18)).method


def test_random_sign_patterns_are_the_same_every_time():
    """None of 100,000 comes near the largest sum: p is one over one more than the draws; and equal sums count."""
    found = s.sign_flip(np.ones(40))
    test_of(found, 1 / 100_001, 40, 1.0, 'sign-flip test, 100000 random sign patterns')
    many = np.random.default_rng(1).normal(0.4, 1, size=40)
    assert s.sign_flip(many).p == s.sign_flip(many).p
    assert s.sign_flip([1.0, -1.0] * 10).p == 1.0


def test_all_of_welchs_comparison():
    """Means 5 and 2, variances of the means 13/3 and 1: Satterthwaite's degrees of freedom."""
    error = math.sqrt(13 / 3 + 1)
    degrees = (13 / 3 + 1) ** 2 / ((13 / 3) ** 2 / 2 + 1**2 / 1)
    half = stats.t.ppf(0.9, degrees) * error
    found = s.welch([2, 4, 9], [1, 3], 0.8)
    assert found.mean == 3
    interval(found.interval, 3 - half, 3 + half, 5, 0.8, 'Welch')
    test_of(found.test, 2 * stats.t.sf(3 / error, degrees), 5, 3 / error, "Welch's t")
    single = s.welch([7], [1, 3])
    assert single.mean == 5 and single.interval is None
    test_of(single.test, math.nan, 3, math.nan, "Welch's t", 'needs two values on each side')
    for values, mean, p in (([4, 4, 4], 3, 0.0), ([1, 1, 1], 0, 1.0)):
        same = s.welch(values, [1, 1], 0.8)
        assert same.mean == mean
        interval(same.interval, mean, mean, 5, 0.8, 'Welch')
        test_of(same.test, p, 5, math.nan, "Welch's t", 'no spread at all')


def test_all_of_the_corrected_comparison_of_folds():
    error = math.sqrt((1 / 3 + 20 / 80) * 13)
    found = s.nadeau_bengio([2, 4, 9], 80, 20, 0.8)
    assert found.mean == 5
    interval(found.interval, 5 - T80 * error, 5 + T80 * error, 3, 0.8, 'Nadeau-Bengio t')
    test_of(found.test, 2 * stats.t.sf(5 / error, 2), 3, 5 / error, 'Nadeau-Bengio t')
    single = s.nadeau_bengio([3], 80, 20)
    assert single.mean == 3 and single.interval is None
    test_of(single.test, math.nan, 1, math.nan, 'Nadeau-Bengio t', 'needs two folds')
    for values, statistic, p in (([2, 2], math.inf, 0.0), ([-2, -2], -math.inf, 0.0), ([0, 0], math.nan, 1.0)):
        test_of(s.nadeau_bengio(values, 80, 20).test, p, 2, statistic, 'Nadeau-Bengio t')


def test_all_of_mcnemars_test():
    """0 and 1 serve as well as truth values; 2 against 1 of 5."""
    found = s.mcnemar([1, 1, 0, 1, 0], [0, 0, 1, 1, 0])
    remark = '3 of 5 examples judged differently: 2 against 1'
    test_of(found, 1.0, 5, 1, "McNemar's exact test", remark)
    with pytest.raises(ValueError, match=r'the same examples: \(2,\) and \(3,\)'):
        s.mcnemar([True, False], [True, False, True])


def test_all_of_wilsons_interval():
    """One example is enough; a share of 0 or 1 is in the interval to the last bit."""
    z = stats.norm.ppf(0.9)
    interval(s.wilson(0, 1, 0.8), 0, z * z / (1 + z * z), 1, 0.8, 'Wilson')
    interval(s.wilson(3, 3, 0.8), 3 / (3 + z * z), 1, 3, 0.8, 'Wilson')
    for total in range(1, 200):
        assert s.wilson(0, total).low == 0.0 and s.wilson(total, total).high == 1.0
    assert s.wilson(1, 4).level == 0.95


def test_holm_never_exceeds_one():
    assert s.holm([0.9, 0.8, 0.6]) == [1.0, 1.0, 1.0]


def test_bounded_intervals_far_from_the_middle_do_not_overflow():
    found = s.bounded_interval([1e-300, 1 - 1e-16])
    assert 0 <= found.low < 1e-9 and 1 - 1e-9 < found.high <= 1


def test_equal_values_have_no_deviation():
    """The mean of three equal values rounds; they do not deviate from it for that."""
    values = [0.1] * 3
    assert np.std(values, ddof=1) > 0 and s.std(values) == 0 and s.mean(values) == 0.1
    assert s.std([0.1, 0.1, 0.2]) == pytest.approx(np.std([0.1, 0.1, 0.2], ddof=1))
