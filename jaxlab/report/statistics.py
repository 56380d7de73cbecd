"""Error bars that say what they are: intervals and tests for few replicas, pairs, folds, and one test set.

SciPy is imported when a function is called. Every interval carries its level, its n and the name of its method, so that
a report never has to guess. What to use when:

| situation | function |
|---|---|
| replicas of one configuration | `t_interval`, `bounded_interval` for metrics in [0, 1]; `metric_interval` chooses |
| two variants, same seeds and data order | `paired_interval` and `sign_flip` |
| two variants, different seeds | `welch` |
| folds of a cross-validation | `nadeau_bengio` |
| two trained models on one test set | `mcnemar` |
| one accuracy on one test set | `wilson` |
| several comparisons at once | `holm` |
| what so many seeds can show at all | `detectable` |
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

Values = Sequence[float] | np.ndarray

RESAMPLED = 'Nadeau-Bengio t'  # Student's t with the variance of overlapping splits
LARGEST_EXACT = 16  # 2 ** 16 sign patterns are enumerated; above, random ones are drawn


@dataclasses.dataclass(frozen=True)
class Interval:
    """A confidence interval, with what a reader must know about it."""

    low: float
    high: float
    n: int
    level: float = 0.95
    method: str = ''


@dataclasses.dataclass(frozen=True)
class Test:
    """A two-sided test. `statistic` is named by `method`; `remark` says what the p value cannot say."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    p: float
    n: int
    statistic: float
    method: str
    remark: str = ''


@dataclasses.dataclass(frozen=True)
class Difference:
    """A mean difference with its interval and its test."""

    mean: float
    interval: Interval | None
    test: Test


def mean(values: Values) -> float:
    """The mean, NaN without values; of equal values these, without the rounding of a sum."""
    if len(values) and _equal(values):
        return float(values[0])
    return float(np.mean(values)) if len(values) else math.nan


def std(values: Values) -> float:
    """The sample standard deviation (n - 1), NaN below two values; 0 of equal ones, without the rounding of their mean."""
    if len(values) > 1 and _equal(values):
        return 0.0
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _equal(values: Values) -> bool:
    return all(value == values[0] for value in values)


def t_interval(values: Values, level: float = 0.95, shared: float = 0.0) -> Interval | None:
    """Student's interval of the mean: `mean +- t(n - 1) * std * sqrt(1 / n + shared)`; None below 2 values (3 advised).

    shared: test examples a training example, where the values come from several splits of one data set. Their training
    sets overlap, and `1 / n` alone would be too small (Nadeau and Bengio 2003); 0 for independent values.
    """
    n = len(values)
    if n < 2 or not np.all(np.isfinite(values)):
        return None
    half = _t_quantile(level, n - 1) * std(values) * math.sqrt(1 / n + shared)
    centre = mean(values)
    return Interval(centre - half, centre + half, n, level, RESAMPLED if shared else "Student's t")


def bounded_interval(
    values: Values, level: float = 0.95, low: float = 0.0, high: float = 1.0, shared: float = 0.0
) -> Interval | None:
    """`t_interval` on the logit scale, so that it never leaves (low, high).

    The logit of a bound is infinite: with a value at 0 or 1 this falls back to the plain interval, clipped.
    """
    scaled = (np.asarray(values, np.float64) - low) / (high - low)
    if len(scaled) < 2 or not np.all(np.isfinite(scaled)):
        return None
    if np.any(scaled < 0) or np.any(scaled > 1):
        raise ValueError(f'values outside [{low}, {high}]')
    if np.any(scaled == 0) or np.any(scaled == 1):
        plain = t_interval(values, level, shared)
        assert plain is not None
        return Interval(max(plain.low, low), min(plain.high, high), plain.n, level, f'{plain.method}, clipped')
    inside = t_interval(np.log(scaled / (1 - scaled)), level, shared)
    assert inside is not None
    back = [low + (high - low) * _sigmoid(end) for end in (inside.low, inside.high)]
    return Interval(back[0], back[1], inside.n, level, f'{inside.method} on the logit')


def metric_interval(values: Values, bounded: bool, level: float = 0.95, shared: float = 0.0) -> Interval | None:
    """The interval for one metric's replicas, or its values on several splits: on the logit where it lies in [0, 1]."""
    array = np.asarray(values, np.float64)
    if bounded and len(array) and np.all((array >= 0) & (array <= 1)):
        return bounded_interval(array, level, shared=shared)
    return t_interval(array, level, shared)


def clipped(interval: Interval | None, low: float, high: float) -> Interval | None:
    """The part of it between what the metric can be: a distance is not below 0."""
    if interval is None or (low <= interval.low and interval.high <= high):
        return interval
    method = f'{interval.method}, clipped'
    return dataclasses.replace(interval, low=max(interval.low, low), high=min(interval.high, high), method=method)


def paired_interval(values: Values, reference: Values, level: float = 0.95) -> Interval | None:
    """Student's interval of the mean of `values - reference`, paired by position (same seed, same data order)."""
    interval = t_interval(_differences(values, reference), level)
    return dataclasses.replace(interval, method='paired t') if interval else None


def sign_flip(differences: Values) -> Test:
    """The exact sign-flip (permutation) test of 'the differences are symmetric around 0', two-sided.

    All 2^n sign patterns are equally likely under the hypothesis; p is the share whose |sum| is at least the observed
    one. The smallest possible p is therefore 2 / 2^n: with n below 6 it cannot reach 0.05, and the remark says so.
    """
    values = np.asarray(differences, np.float64)
    n = len(values)
    observed = abs(float(values.sum()))
    threshold = observed - 1e-12 * float(np.abs(values).sum())
    method, remark = 'exact sign-flip test', ''
    if n <= LARGEST_EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n))).reshape(2**n, n)
        p = float(np.mean(np.abs(signs @ values) >= threshold))
    else:
        draws = 100_000
        signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(draws, n))
        p = float((1 + np.sum(np.abs(signs @ values) >= threshold)) / (1 + draws))
        method = f'sign-flip test, {draws} random sign patterns'
    if n < 6:
        remark = f'cannot reach 0.05 with n = {n}: the smallest possible p is {min(1.0, 2 / 2**n):.3g}'
    return Test(p, n, float(values.mean()) if n else math.nan, method, remark)


def paired(values: Values, reference: Values, level: float = 0.95) -> Difference:
    """The paired comparison: mean difference, its t interval, and the exact sign-flip test."""
    differences = _differences(values, reference)
    return Difference(mean(differences), paired_interval(values, reference, level), sign_flip(differences))


def welch(values: Values, reference: Values, level: float = 0.95) -> Difference:
    """Welch's comparison of two unpaired samples (different seeds, variances need not agree)."""
    from scipy import stats

    a, b = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    centre = mean(a) - mean(b)
    if len(a) < 2 or len(b) < 2:
        nothing = Test(math.nan, len(a) + len(b), math.nan, "Welch's t", 'needs two values on each side')
        return Difference(centre, None, nothing)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    error, n = math.sqrt(va + vb), len(a) + len(b)
    if error == 0:
        return Difference(
            centre,
            Interval(centre, centre, n, level, 'Welch'),
            Test(1.0 if centre == 0 else 0.0, n, math.nan, "Welch's t", 'no spread at all'),
        )
    degrees = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = _t_quantile(level, degrees) * error
    statistic = centre / error
    p = float(2 * stats.t.sf(abs(statistic), degrees))
    return Difference(
        centre, Interval(centre - half, centre + half, n, level, 'Welch'), Test(p, n, statistic, "Welch's t")
    )


def nadeau_bengio(differences: Values, train_size: int, test_size: int, level: float = 0.95) -> Difference:
    """Folds share training examples, so their spread is too small: Nadeau and Bengio's corrected resampled t (2003).

    The variance of the mean is `(1 / n + test_size / train_size) * var` instead of `var / n`.
    """
    from scipy import stats

    values, shared = np.asarray(differences, np.float64), test_size / train_size
    n, centre = len(values), mean(differences)
    if n < 2:
        return Difference(centre, None, Test(math.nan, n, math.nan, RESAMPLED, 'needs two folds'))
    error = math.sqrt((1 / n + shared) * float(values.var(ddof=1)))
    statistic = centre / error if error else (math.nan if centre == 0 else math.copysign(math.inf, centre))
    p = 1.0 if math.isnan(statistic) else float(2 * stats.t.sf(abs(statistic), n - 1))
    return Difference(centre, t_interval(values, level, shared), Test(p, n, statistic, RESAMPLED))


def mcnemar(correct: Sequence[bool] | np.ndarray, reference_correct: Sequence[bool] | np.ndarray) -> Test:
    """McNemar's exact test of two trained models on the same examples: only the disagreements count.

    statistic: the examples that only the first has right minus those that only the reference has right.
    """
    from scipy import stats

    first, second = np.asarray(correct, bool), np.asarray(reference_correct, bool)
    if first.shape != second.shape:
        raise ValueError(f'both models must be judged on the same examples: {first.shape} and {second.shape}')
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    disagreements = only_first + only_second
    p = float(stats.binomtest(only_first, disagreements, 0.5).pvalue) if disagreements else 1.0
    remark = f'{disagreements} of {first.size} examples judged differently: {only_first} against {only_second}'
    return Test(p, first.size, only_first - only_second, "McNemar's exact test", remark)


def wilson(successes: float, total: int, level: float = 0.95) -> Interval | None:
    """Wilson's score interval of a share: how far another test set of this size would move one model's accuracy."""
    if total <= 0:
        return None
    from scipy import stats

    z = float(stats.norm.ppf(0.5 + level / 2))
    share = successes / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    low = 0.0 if share == 0 else centre - half
    high = 1.0 if share == 1 else centre + half
    return Interval(max(low, 0.0), min(high, 1.0), total, level, 'Wilson')


def holm(p_values: Values) -> list[float]:
    """Holm's adjusted p values, in the given order: controls the chance of any false claim among several.

    NaN (no test possible) stays NaN and does not count as a comparison.
    """
    adjusted = [math.nan] * len(p_values)
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def detectable(spread: float, seeds: int, known: bool = False, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest difference of two methods' means that `seeds` seeds of each show in `power` of all such comparisons.

    spread: standard deviation over seeds, the same for both. The test is two-sided at `level`: Student's with 2 (n - 1)
    degrees of freedom, or, with the spread known from elsewhere, the normal one, which one seed of each allows; without it
    the difference of single seeds can be tested by nothing (infinite).
    """
    from scipy import optimize, stats

    error = spread * math.sqrt(2 / seeds)
    if known:
        return error * float(stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power))
    if seeds < 2:
        return math.inf
    degrees = 2 * (seeds - 1)
    beyond = _t_quantile(level, degrees)
    # The chance of a significant difference in the wrong direction is below 1e-4 there, and SciPy cannot compute it.
    missing = lambda shift: stats.nct.sf(beyond, degrees, shift) - power
    return error * float(optimize.brentq(missing, 0.0, 10.0))


def _differences(values: Values, reference: Values) -> np.ndarray:
    if len(values) != len(reference):
        raise ValueError(f'pairs need as many values on both sides: {len(values)} and {len(reference)}')
    return np.asarray(values, np.float64) - np.asarray(reference, np.float64)


def _t_quantile(level: float, degrees: float) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.5 + level / 2, degrees))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
