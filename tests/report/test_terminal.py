"""What is printed fits 80 columns and loses nothing."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from jaxlab import figures as f
from jaxlab.report import terminal
from jaxlab.report.comparison import write_comparison
from tests.report import example


def printed(function, *arguments) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    function(*arguments, console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines()), default=0) <= 80
    return text


@pytest.mark.parametrize(
    ('function', 'parts'),
    [
        (
            terminal.print_results,
            (
                '! stand-in data (embedded)',
                '0.9880 ± 0.0016',
                '0.9835 to 0.9913',
                '0.9897',
                '−0.0017',
                'table 2',
                'training 15.3',
            ),
        ),
        (
            terminal.print_describe,
            (
                'How far do five',
                'CC BY 4.0',
                'dense1 (Dense)',
                '61,706',
                'optimizer.momentum',
                'stand-in data',
                'Σₙ log',
            ),
        ),
    ],
)
def test_says_all_of_it(function, parts):
    text = printed(function, example.results())
    for part in parts:
        assert part in text, part


@pytest.mark.parametrize('function', [terminal.print_results, terminal.print_describe])
def test_nothing(function):
    assert 'None' not in printed(function, {})


def test_table_is_plain_text_and_folds():
    rows = [('[bold]not markup[/bold]', 0.123456, 'long ' * 40), (':smile:', 1.0, 'x' * 200)]
    text = printed(terminal.print_table, f.Table('t', 'A $x^2$', 'n = 2', ('name', 'value', 'text'), rows))
    assert '[bold]not' in text and ':smile:' in text and '0.1235' in text and 'A x²' in text
    assert text.count('long') == 40 and text.count('x') >= 200, 'folded, not cut'


def test_worked():
    text = printed(terminal.print_worked, example.typeset()[1])
    assert 'σ(z) = 1/(1 + e^(-z))' in text and '= -0.5' in text and '[check: automatic' in text and 'no spike' in text


def test_model_table_of_two_networks():
    rows = example.results()['networks']['model']
    text = printed(terminal.print_model_table, {'generator': rows, 'discriminator': rows})
    assert text.count('61,706') == 2 and '123,412' in text and '64 × 28 × 28 × 6' in text


def test_comparison(tmp_path):
    text = printed(terminal.print_comparison, write_comparison(tmp_path, example.variants(), 'plain'))
    assert 'Differences to plain' in text and '+0.0050' in text and '−0.0120' in text and 'cannot reach 0.05' in text


def test_nothing_heavy_is_imported():
    code = (
        'import sys; from jaxlab.report import draw, page, comparison, index, terminal, curves, statistics; '
        "print([m for m in ('matplotlib', 'scipy', 'jax', 'sklearn', 'rich', 'PIL', 'jinja2') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'
