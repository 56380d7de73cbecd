"""Names, numbers and formulas in words."""

import math

import pytest

from jaxlab import figures as f
from jaxlab.measures import metrics
from jaxlab.report import formula, wording


@pytest.mark.parametrize(
    'value, text',
    [
        (0.98765, '0.9877'),
        (1234567, '1,234,567'),
        (0.0, '0'),
        (1.5e-7, '1.500e-07'),
        (123.456, '123.5'),
        (None, '–'),
        (float('nan'), 'not a number'),
        (12345.6, '12,346'),
        ('text', 'text'),
        (True, 'True'),
        (float('-inf'), '-infinite'),
    ],
)
def test_number(value, text):
    assert wording.number(value) == text


def test_a_name_keeps_its_letters_at_the_head_of_a_title():
    assert [wording.capital(text) for text in ('test loss', 'chrF', 'mAP at 50', 'ROC AUC', '')] == [
        'Test loss',
        'chrF',
        'mAP at 50',
        'ROC AUC',
        '',
    ]


def test_plus_minus_is_rounded_to_the_spread():
    assert wording.plus_minus(0.987654, 0.00123) == '0.9877 ± 0.0012'
    assert wording.plus_minus(0.5, math.nan) == '0.5000'
    assert wording.plus_minus(0.5, 0.0) == '0.5000 ± 0'
    assert wording.plus_minus(1234.5, 321.0) == '1,234 ± 321'


def test_splits_and_directions():
    assert metrics.split_of('test_top5_accuracy') == ('test', 'top5_accuracy')
    assert metrics.split_of('learning_rate') == ('', 'learning_rate')
    assert metrics.meaning('test_top5_accuracy').bounded and not metrics.meaning('test_loss').bounded
    found = [metrics.meaning(name) for name in ('test_rmse', 'validation_f1', 'test_oddity', 'test_balanced_accuracy')]
    assert [one.better for one in found] == [-1, 1, 0, 1]
    assert [one.share_of for one in found] == ['', '', '', ''] and metrics.meaning(
        'test_accuracy'
    ).share_of == 'examples'


def test_gap_says_what_is_better_only_where_it_may():
    assert wording.gap(0.98, 0.99, 'test_accuracy') == '−0.0100, worse'
    assert wording.gap(0.5, 0.7, 'test_loss') == '−0.200, better'
    assert wording.gap(0.5, 0.7, 'test_loss', judged=False) == '−0.200'
    assert wording.gap(0.5, 0.5, 'test_loss') == 'equal'
    assert wording.gap(0.33687, 0.3369, 'test_bleu') == 'equal as printed'
    assert wording.gap(0.98, 1.0, 'test_accuracy') == '−0.0200, worse', 'a round number claims no decimals'
    assert wording.gap(0.98796, 0.9897, 'test_accuracy', spread=0.0016) == '−0.0017, worse'


def test_main_metric():
    metrics = {'train_accuracy': 1, 'test_loss': 1, 'test_accuracy': 1}
    assert wording.main_metric({'metrics': metrics}) == 'test_accuracy'
    assert wording.main_metric({'metrics': metrics, 'published': {'test_loss': 1}}) == 'test_loss'
    assert wording.main_metric({'metrics': metrics, 'main_metric': 'train_accuracy'}) == 'train_accuracy'
    assert wording.main_metric({'metrics': {'steps_to_converge': 3}}) == 'steps_to_converge'
    assert wording.main_metric({}) is None


def test_seconds():
    assert [wording.seconds(value) for value in (0.42, 12.34, 125, 4020, None)] == [
        '0.42 s',
        '12.3 s',
        '2 min 05 s',
        '1 h 07 min',
        '–',
    ]


def test_magnitudes():
    counts = (0, 5, 999, 1000, 11_375_104, 999_600, 1_234_000_000)
    assert [wording.magnitude(count) for count in counts] == ['–', '5', '999', '1 k', '11.4 M', '1 M', '1.23 G']


def test_config_values():
    assert wording.config_value([['shift', {'pixels': 2}], ['flip', {}]]) == 'shift(pixels=2), flip()'
    assert [wording.config_value(each) for each in (None, [], 0.01, (3, 3))] == ['none', 'none', '0.01', '3, 3']


def test_table_cells():
    table = f.Table('t', 'T', '', ('name', 'x', 'n'), [('a', 0.5, 1200), ('b', None, 3), ('c', 1e-9, 4)])
    rows, align = wording.table_cells(table)
    assert rows == [['a', '0.5000', '1,200'], ['b', '–', '3'], ['c', '1.00e-09', '4']] and align == '<>>'


@pytest.mark.parametrize(
    'latex, text',
    [
        (r'$\hat{y} = \sigma(w^\top x)$', 'y\u0302 = σ(wᵀ x)'),
        (r'$\frac{\partial L}{\partial w_{ij}}$', '(∂L)/(∂wᵢⱼ)'),
        (r'$\begin{bmatrix}1&2\\3&4\end{bmatrix}$', '[1 2; 3 4]'),
        (r'costs \$5, $x^2$ \$', 'costs $5, x² $'),
        (r'$\{0, 1\}$', '{0, 1}'),
        ('no formula', 'no formula'),
    ],
)
def test_plain_formulas(latex, text):
    assert formula.plain(latex) == text


def test_mathml():
    code = formula.with_math(r'a < b: $\frac{a}{b} < \arg\max_k x_k$ & more')
    assert code.startswith('a &lt; b: <math') and '<mfrac>' in code and code.endswith('</math> &amp; more')
    assert formula.mathml(r'\frac{') == r'<code>\frac{</code>', 'a typing error is shown, not raised'
    assert '<script' not in formula.with_math('$\\text{<script>}$ <script>').replace('&lt;script', '')
    assert '&</mi>' not in formula.mathml(r'\begin{aligned} a &= b \\ &= c \end{aligned}')
    assert 'class="square"' in formula.mathml(r'\begin{bmatrix} 1 \\ 2 \end{bmatrix}')


def test_results_of_steps():
    assert formula.result_html('no spike is sent') == 'no spike is sent'
    assert formula.result_html('-0.5', 'z = 1').startswith('<math')
    assert formula.continued('1 + 1', 'z') == '= 1 + 1'
    assert formula.continued('z = 1', 'z') == 'z = 1' and formula.continued('1', '') == '1'
    assert formula.continued(r'\infty', 'z') == r'= \infty', 'not the sign \\in'
