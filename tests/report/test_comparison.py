"""Which way a difference points: variant minus reference, in the answers and in the tables, paired or not."""

import numpy as np
import pytest

from jaxlab.report import statistics
from jaxlab.report.charts import draw_lines
from jaxlab.report.comparison import answers, difference, difference_table, metric_table, points, write_comparison

BASE = (0.80, 0.84, 0.82, 0.81)
MOVES = {'better': (0.05, 0.07, 0.03, 0.05), 'worse': (-0.01, -0.03, -0.02, -0.04)}  # means 0.05 and -0.025


def runs(kind: str, reference: str = 'plain') -> dict[str, dict]:
    """Three runs whose differences are not alike; kind: what makes replicas pairs, or that they are none."""
    values = {'plain': BASE} | {name: tuple(np.add(BASE, move)) for name, move in MOVES.items()}
    made = {}
    for number, (name, each) in enumerate(values.items()):
        each = each[:1] if kind == 'single' else each
        run = {'metrics': {'test_accuracy': {'mean': float(np.mean(each)), 'values': list(each)}}}
        run['seeds'] = [10 * number + k if kind == 'unpaired' else k for k in range(len(each))]
        if kind == 'splits':
            run['splits'] = {'seeds': run['seeds'], 'replicas': 1, 'train_size': 80, 'test_size': 20}
            run['data'] = {'examples': {'train': 80, 'test': 20}}
        made[name] = run
    return {reference: made[reference]} | made


KINDS = {'paired': 'exact sign-flip', 'unpaired': "Welch's t", 'splits': 'Nadeau-Bengio t', 'single': 'no test'}


@pytest.mark.parametrize('kind', KINDS)
def test_a_difference_is_variant_minus_reference(kind):
    made = runs(kind)
    means = {'better': 0.05, 'worse': -0.01 if kind == 'single' else -0.025}
    for name, mean in means.items():
        found = difference(made, name, 'plain', 'test_accuracy')
        assert found.mean == pytest.approx(mean) and found.test.method.startswith(KINDS[kind])
        back = difference(made, 'plain', name, 'test_accuracy')
        assert back.mean == pytest.approx(-mean)
        if found.interval:
            middle = (found.interval.low + found.interval.high) / 2
            assert middle == pytest.approx(mean) and found.interval.low < mean < found.interval.high
            assert (back.interval.low, back.interval.high) == pytest.approx((-found.interval.high, -found.interval.low))
    best = difference(made, 'better', 'worse', 'test_accuracy')
    assert best.mean == pytest.approx(means['better'] - means['worse'])


@pytest.mark.parametrize('kind', KINDS)
def test_the_words_say_the_same(kind):
    first, second = answers(runs(kind), 'plain', ['test_accuracy'])
    size = '0.01' if kind == 'single' else '0.025'
    assert first.startswith('better: test accuracy 0.05') and ' above plain (' in first
    assert second.startswith(f'worse: test accuracy {size}') and ' below plain (' in second
    first, second = answers(runs(kind, 'better'), 'better', ['test_accuracy'])
    assert first.startswith('plain: ') and second.startswith('worse: ') and ' above ' not in first + second


@pytest.mark.parametrize('kind', KINDS)
def test_the_table_says_the_same(kind):
    table = difference_table(runs(kind), 'plain', ['test_accuracy'])
    assert 'variant minus reference' in table.note and table.title == 'Differences to plain'
    cells = {row[1]: row[2] for row in table.rows}
    assert list(cells) == ['better', 'worse']
    assert cells['better'].startswith('+0.05') and cells['worse'].startswith('−0.01' if kind == 'single' else '−0.025')


@pytest.mark.parametrize(
    ('kind', 'drawn'), [('paired', '-'), ('splits', '-'), ('unpaired', 'None'), ('single', 'None')]
)
def test_lines_join_what_belongs_together(kind, drawn):
    """The values of one seed, or of one split; nothing leads from one variant to the next otherwise."""
    figure = points(runs(kind), 'test_accuracy')
    assert figure.joined == (drawn == '-') and ('thin lines join' in figure.note) == figure.joined
    lines = draw_lines(figure).axes[0].get_lines()
    assert {line.get_linestyle() for line in lines} == {drawn} and all(line.get_marker() != 'None' for line in lines)
    np.testing.assert_allclose(
        lines[-1].get_ydata(), [np.mean(run['metrics']['test_accuracy']['values']) for run in runs(kind).values()]
    )


@pytest.mark.parametrize('kind', ['paired', 'splits'])
def test_one_variant_is_compared_with_none(kind, tmp_path):
    """No lines lead anywhere; what n counts is said; one training on a split is no mean of replicas."""
    alone = {'plain': runs(kind)['plain']}
    figure = points(alone, 'test_accuracy')
    assert not figure.joined and 'lines' not in figure.note and figure.note.endswith('large: the mean.')
    what = 'splits' if kind == 'splits' else 'replicas'
    assert metric_table(alone, ['test_accuracy']).note.startswith(f'Mean ± standard deviation over {what}; n: {what}.')
    write_comparison(tmp_path, alone, 'plain')
    page = (tmp_path / 'comparison.html').read_text()
    assert '<h1>runs: 1 variant</h1>' in page and '1 replicas' not in page
    assert ('a value is that of one training on one split' in page) == (kind == 'splits')


def test_every_variant_has_its_own_mean():
    rows = {row[1]: float(row[2].split(' ')[0]) for row in metric_table(runs('paired'), ['test_accuracy']).rows}
    assert rows == pytest.approx({'plain': 0.8175, 'better': 0.8675, 'worse': 0.7925}, abs=6e-4)


def test_no_difference_is_neither_above_nor_below():
    made = runs('paired')
    made['worse']['metrics'] = made['plain']['metrics']
    assert 'worse: test accuracy equal to plain' in answers(made, 'plain', ['test_accuracy'])[1]
    assert difference_table(made, 'plain', ['test_accuracy']).rows[1][2][0] not in '+−'


@pytest.mark.parametrize('compare', [statistics.paired, statistics.welch])
def test_first_minus_second(compare):
    """By hand: means 6 and 2; the statistic and the interval have the sign of the difference."""
    found = compare([5.0, 6.0, 7.0], [1.0, 3.0, 2.0])
    assert found.mean == 4.0 and found.interval.low < 4.0 < found.interval.high
    assert found.interval.low + found.interval.high == pytest.approx(8.0) and found.test.statistic > 0
    assert compare([1.0, 3.0, 2.0], [5.0, 6.0, 7.0]).test.statistic < 0
