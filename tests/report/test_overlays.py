"""Curves of all variants in one figure, metrics that an experiment wants compared, published numbers not to be judged."""

import numpy as np
import pytest

from jaxlab.figures import Bars, Lines
from jaxlab.measures import metrics
from jaxlab.report import comparison, statistics, summary, variant_curves

X = np.array([0.0, 0.5, 1.0])


def curve(y, name='roc', compared='model'):
    series = {'model': (X, y), 'chance': (X, X)}
    note = f'test split, n = 60, 7 of them positive; {len(y)} replicas'
    return Lines(name, 'A curve', note, series, 'x', 'y', horizontal={'base': 0.2}, compared=compared)


def test_kept_and_laid_over():
    one, other = np.array([[0.1, 0.6, 0.9], [0.2, 0.8, 0.9]]), np.array([[0.3, 0.3, 0.3], [0.5, 0.4, 0.3]])
    kept = {
        name: variant_curves.curves_to_keep(
            [curve(y), curve(y, 'only_here' if name == 'a' else 'there'), Bars('bars', 'Bars')]
        )
        for name, y in (('a', one), ('b', other))
    }
    assert list(kept['a']) == ['roc', 'only_here']
    (figure,) = variant_curves.overlaid(kept)
    assert figure.name == 'variants_roc' and list(figure.series) == ['a', 'b'] and figure.horizontal == {'base': 0.2}
    np.testing.assert_allclose(figure.series['a'][1], one.mean(0))
    expected = statistics.bounded_interval(one[:, 1])
    assert (figure.bands['a'][0][1], figure.bands['a'][1][1]) == (expected.low, expected.high)
    assert figure.note.startswith('test split, n = 60, 7 of them positive; 2 replicas of each variant')
    assert variant_curves.curves_to_keep([curve(one, compared='')]) == {} and variant_curves.overlaid({}) == []


def test_one_replica_has_no_band():
    kept = {name: variant_curves.curves_to_keep([curve(np.array([[0.1, 0.6, 0.9]]))]) for name in 'ab'}
    assert variant_curves.overlaid(kept)[0].bands == {}


def runs(**facts):
    metrics = {
        name: {'mean': k / 10, 'values': [k / 10]} for k, name in enumerate(('test_accuracy', 'test_f1', 'test_ece'))
    }
    return {name: {'name': 'x', 'metrics': metrics, 'seeds': [0], **facts} for name in 'ab'}


def test_the_experiment_names_what_is_compared_first():
    assert comparison.shared_metrics(runs(main_metric='test_ece'))[0] == 'test_ece'
    chosen = runs(main_metric='test_ece', compared=['test_f1', 'test_ece', 'not_there'])
    assert comparison.shared_metrics(chosen) == ['test_ece', 'test_f1']


@pytest.mark.parametrize(('comparable', 'ending'), [(True, ', better'), (False, '')])
def test_a_published_number_that_is_not_to_be_judged(comparable, ending):
    published = {'test_f1': {'value': 0.5, 'note': 'another set', 'comparable': comparable}}
    results = {'metrics': {'test_f1': {'mean': 0.7, 'values': [0.6, 0.7, 0.8]}}, 'published': published}
    (row,) = summary.published_rows(results)
    assert row.gap == f'+0.20{ending}' and bool(row.inside) == comparable
    assert ('better' in summary.answer(results)) == comparable


@pytest.mark.parametrize(
    ('name', 'sign', 'bounded'),
    [
        ('test_f1_tuned_threshold', 1, True),
        ('test_ece_corrected', -1, True),
        ('test_recall_at_90_precision', 1, True),
        ('test_mcc', 1, False),
        ('test_brier', -1, True),
        ('test_chosen_threshold', 0, True),
    ],
)
def test_directions(name, sign, bounded):
    found = metrics.meaning(name)
    assert found.better == sign and found.bounded == bounded


def test_running_statistics_are_no_trained_parameters():
    """B06: 545,098 parameters, with batch norm 448 more that are trained, and 448 that are not."""
    plain = [{'path': 'conv', 'type': 'Conv', 'parameters': 545_098, 'statistics': 0, 'multiply_adds': 6_128_896}]
    norm = {'path': 'norm', 'type': 'BatchNorm', 'parameters': 896, 'statistics': 448}
    networks = {'baseline': plain, 'batch_norm': [*plain, norm]}
    totals = summary.network_totals(summary.network_rows(networks['batch_norm']))
    assert (totals.parameters, totals.statistics, totals.trained) == (545_994, 448, 545_546)
    assert totals.untrained_words == ', 448 of them running statistics (545,546 trained)'
    made = {name: {'networks': {'model': rows}, 'parameters': 1, 'seconds': 2.0} for name, rows in networks.items()}
    table = comparison.cost_table(made)
    assert [row[1] for row in table.rows] == [545_098, 545_546] and 'without running statistics' in table.note
    assert 'running statistics' not in comparison.cost_table({'baseline': made['baseline']}).note
