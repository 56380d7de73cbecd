"""Numbers and matrices as LaTeX and as short text; the traces keep full precision, only what is shown is rounded."""

from typing import Any

import numpy as np

DIGITS = 6
ROUNDING = f'Numbers are shown with up to {DIGITS} significant digits and computed in full precision.'


def number(value: Any, digits: int = DIGITS) -> str:
    """As short as it can be: 3, -0.2, 2.4e-05 as 2.4 x 10^-5."""
    text = f'{float(value):.{digits}g}'
    if 'e' in text:
        mantissa, exponent = text.split('e')
        return rf'{mantissa} \times 10^{{{int(exponent)}}}'
    if text in ('nan', 'inf', '-inf'):
        return {'nan': r'\mathrm{undefined}', 'inf': r'\infty', '-inf': r'-\infty'}[text]
    return '0' if text == '-0' else text


def factor(value: Any) -> str:
    """A number inside a product or sum: negative ones in brackets."""
    text = number(value)
    return f'({text})' if text.startswith('-') else text


def matrix(values: Any) -> str:
    """A matrix; a vector becomes a row."""
    rows = np.atleast_2d(np.asarray(values))
    lines = [' & '.join(number(value) for value in row) for row in rows]
    return r'\begin{bmatrix} ' + r' \\ '.join(lines) + r' \end{bmatrix}'


def vector(values: Any) -> str:
    """(1, 2, 3)"""
    return '(' + r',\, '.join(number(value) for value in np.ravel(np.asarray(values))) + ')'


def text_vector(values: Any, digits: int = DIGITS) -> str:
    """The same for a table's cell."""
    return '(' + ', '.join(text_number(value, digits) for value in np.ravel(np.asarray(values))) + ')'


def text_number(value: Any, digits: int = DIGITS) -> str:
    """A number for a table's cell or a sentence."""
    text = f'{float(value):.{digits}g}'
    return '0' if text == '-0' else text


def text_matrix(values: Any, digits: int = DIGITS) -> str:
    """[1, 2; 3, 4]"""
    rows = np.atleast_2d(np.asarray(values))
    return '[' + '; '.join(', '.join(text_number(value, digits) for value in row) for row in rows) + ']'


def as_matrix(printed: str) -> str:
    """A printed nested list in the form of `text_matrix`; anything else as it stands."""
    return printed.replace('], [', '; ').replace('[[', '[').replace(']]', ']')


def matrices(left: Any, right: Any) -> str:
    """Two matrices side by side: their product."""
    return f'{matrix(left)} {matrix(right)}'


def products(left: Any, right: Any) -> str:
    """The sum of products, written out."""
    return ' + '.join(rf'{factor(a)} \cdot {factor(b)}' for a, b in zip(left, right))
