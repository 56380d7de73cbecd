"""Metrics, numbers and times in words: what a name such as `test_accuracy` means to a reader."""

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.measures.metrics import meaning, split_of

LISTED = 20  # values of replicas that somebody may want to read one by one
SPLIT_WORDS = {'train': 'training', 'validation': 'validation', 'test': 'test', '': 'other'}


ABBREVIATIONS = {
    each.lower(): each
    for each in (
        'AUC',
        'BLEU',
        'chrF',
        'ECE',
        'ELBO',
        'F1',
        'IoU',
        'KL',
        'MAE',
        'mAP',
        'MAPE',
        'MCC',
        'MSE',
        'NLL',
        'PSNR',
    )
    + ('RMSE', 'ROC', 'SSIM')
} | {'frechet': 'Fréchet'}


def words(name: str) -> str:
    """`learning_rate` -> 'learning rate', `test_mse` -> 'test MSE'."""
    return ' '.join(ABBREVIATIONS.get(word, word) for word in name.replace('_', ' ').split())


def capital(text: str) -> str:
    """With a capital letter in front, the rest as it is; a name that has one inside (chrF, mAP) stays."""
    named = any(letter.isupper() for letter in text.split(' ')[0][1:])
    return text if named else text[:1].upper() + text[1:]


def label(name: str) -> str:
    """`test_accuracy` -> 'test accuracy', with the split in words."""
    split, metric = split_of(name)
    return f'{SPLIT_WORDS[split]} {words(metric)}' if split else words(metric)


def main_metric(results: Mapping[str, Any]) -> str | None:
    """The metric that answers the question: the first published one, else the test split's score, else the first."""
    metrics = results.get('metrics') or {}
    named = results.get('main_metric')
    published = [name for name in results.get('published') or {} if name in metrics]
    rank = {'test': 0, 'validation': 1, 'train': 2, '': 3}
    scores = sorted((name for name in metrics), key=lambda name: (rank[split_of(name)[0]], meaning(name).better < 1))
    return next((name for name in (named, *published, *scores) if name and name in metrics), None)


def repeated(results: Mapping[str, Any]) -> str:
    """What n counts, in the singular: a split of the data, or a replica (another seed)."""
    return 'split' if results.get('splits') else 'replica'


def spread(results: Mapping[str, Any]) -> str:
    """What stands before and behind the ± of a metric."""
    return f'mean ± standard deviation over {repeated(results)}s'


def of_one_split(replicas: int) -> str:
    """What the value of a split is: `that of one training`, or `the mean of 3 replicas`."""
    return 'that of one training' if replicas == 1 else f'the mean of {replicas} replicas'


def values_of(metric: Any) -> list[float]:
    """The replicas' values of one entry of `results['metrics']`, however little of it is there."""
    if isinstance(metric, Mapping):
        raw = metric.get('values') or [metric.get('mean')]
    else:
        raw = metric if isinstance(metric, Sequence) else [metric]
    return [float(value) for value in raw if value is not None]


def number(value: Any, digits: int = 4) -> str:
    """A number as a reader wants it: thousands separated, `digits` significant places, no exponent where avoidable."""
    if value is None:
        return '–'
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f'{value:,}'
    if not math.isfinite(value):
        return 'not a number' if math.isnan(value) else ('infinite' if value > 0 else '-infinite')
    if value == 0:
        return '0'
    if 1e-4 <= abs(value) < 1e6:
        places = max(0, min(6, digits - 1 - _exponent(value, digits)))
        return f'{value:,.{places}f}'
    return f'{value:.{digits - 1}e}'


def _exponent(value: float, digits: int) -> int:
    """The power of ten of the value once it is rounded to so many digits (0.00996 to two digits: 0.010, so -2)."""
    return int(f'{value:.{digits - 1}e}'.split('e')[1])


def aligned(value: float | None, like: float | None) -> str:
    """The number with the decimals that suit the spread `like`: two significant digits of it, at most six places."""
    if value is None or not math.isfinite(value):
        return number(value)
    if not like or not math.isfinite(like):
        return number(value)
    places = max(0, min(6, 1 - _exponent(like, 2)))
    return f'{value:,.{places}f}'


def plus_minus(mean: float, spread: float) -> str:
    """`0.9880 ± 0.0016`, both rounded to the spread's second digit; the bare mean without a spread."""
    if not math.isfinite(spread):
        return number(mean)
    return f'{aligned(mean, spread)} ± {aligned(spread, spread) if spread else "0"}'


def magnitude(value: float) -> str:
    """`313 M`, `1.2 G`: three places of a large count; an en dash for none."""
    if not value:
        return '–'
    value = float(f'{value:.3g}')
    unit = min(int(math.log10(value)) // 3, 4)
    return f'{value / 1000**unit:.3g} {" kMGT"[unit]}'.strip()


def seconds(value: float | None) -> str:
    """`0.4 s`, `2 min 05 s`, `1 h 07 min`."""
    if value is None:
        return '–'
    if value < 60:
        return f'{value:.2g} s' if value < 1 else f'{value:.1f} s'
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f'{minutes} min {rest:02d} s'
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes:02d} min'


def p_value(value: float) -> str:
    """Four decimals at most."""
    if math.isnan(value):
        return '–'
    return '< 0.0001' if value < 1e-4 else f'{value:.4f}'.rstrip('0').rstrip('.') if value < 1 else '1'


PRINTED = 3  # decimals of a published number from which on equality to its last one says something


def gap(mean: float, published: float, name: str, spread: float = math.nan, judged: bool = True) -> str:
    """The signed gap to the published number and, if it is to be judged, whether that is better."""
    difference = mean - published
    if difference == 0 or not math.isfinite(difference):
        return 'equal' if difference == 0 else 'not comparable'
    decimals = len(repr(float(published)).partition('.')[2])
    if decimals >= PRINTED and round(mean, decimals) == published:
        return 'equal as printed'
    sign = meaning(name).better * (1 if difference > 0 else -1) if judged else 0
    verdict = {1: ', better', -1: ', worse', 0: ''}[sign]
    size = aligned(abs(difference), spread) if spread > 0 else number(abs(difference), 3)
    if float(size.replace(',', '')) == 0:
        size = number(abs(difference), 1)
    return f'{"+" if difference > 0 else "−"}{size}{verdict}'


def data_badge(data: Mapping[str, Any]) -> str:
    """What a reader must know first about the data, empty for the published data set itself."""
    if data.get('synthetic') or data.get('source') == 'synthetic' or 'synthetic' in str(data.get('name', '')).lower():
        return 'synthetic data'
    return 'stand-in data (embedded)' if data.get('stand_in') else ''


def config_value(value: Any) -> str:
    """A hyper-parameter's value in short."""
    if value is None:
        return 'none'
    if isinstance(value, float):
        return f'{value:g}'
    if isinstance(value, list | tuple):
        return ', '.join(_entry(each) for each in value) if value else 'none'
    return str(value)


def _entry(value: Any) -> str:
    """`('shift', {'pixels': 2})` -> `shift(pixels=2)`, as transforms are written in a configuration."""
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], Mapping)
    ):
        return f'{value[0]}({", ".join(f"{name}={each}" for name, each in value[1].items())})'
    return str(value)


def table_cells(table: Any) -> tuple[list[list[str]], str]:
    """The rows of a `figures.Table` as text, and one of '<' or '>' a column: numbers stand at the right."""
    rows = [[_cell(value, table.decimals) for value in row] for row in table.rows]
    width = max([len(table.columns), *map(len, rows)])
    align = ''
    for column in range(width):
        column_values = [row[column] for row in table.rows if column < len(row)]
        numeric = all(_is_number(value) or value in (None, '', '–') for value in column_values) and column_values
        align += table.align[column] if column < len(table.align) else ('>' if numeric else '<')
    return rows, align


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return '–'
    if not _is_number(value):
        return str(value)
    if isinstance(value, numbers.Integral):
        return f'{int(value):,}'
    value = float(value)
    if not math.isfinite(value):
        return number(value)
    small = value != 0 and abs(value) < 0.5 * 10.0**-decimals
    return f'{value:.2e}' if small or abs(value) >= 1e12 else f'{value:,.{decimals}f}'


def every(values: Sequence[float], spread: float) -> str:
    """The value of each replica, or where nobody would read so many what they lie between; nothing of one."""
    if len(values) <= LISTED:
        return ', '.join(aligned(value, spread) for value in values) if len(values) > 1 else ''
    low, middle, high = (aligned(float(value), spread) for value in np.quantile(values, (0, 0.5, 1)))
    return f'{low} to {high}, median {middle}; each stands in results.json'
