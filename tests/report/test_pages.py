"""The pages: complete, self-contained, tolerant, and safe against what stands in the data."""

import html.parser
import json
import math
import re

import numpy as np
import pytest
from scipy import stats

from jaxlab import figures as f
from jaxlab.report import comparison, summary
from jaxlab.report.comparison import write_comparison
from jaxlab.report.curves import history_figures
from jaxlab.report.index import write_index
from jaxlab.report.page import write_report
from jaxlab.report.variant_curves import variant_curves
from tests.report import example

SINGLE = ('meta', 'img', 'br', 'link')


class Checker(html.parser.HTMLParser):
    """Tags are closed in order; addresses stay inside the file; nothing runs."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        assert tag not in ('script', 'link', 'iframe')
        attributes = dict(attrs)
        assert not any(name.startswith('on') for name in attributes)
        if tag not in SINGLE:
            self.open.append(tag)
        self.ids += [attributes['id']] if 'id' in attributes else []
        self.links += [attributes['href']] if 'href' in attributes else []
        assert attributes.get('src', 'data:image/').startswith('data:image/')
        if tag == 'img':
            assert attributes['alt']

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == 'style':
            return
        self.text.append(data)


def checked(path) -> tuple[Checker, str]:
    page = path.read_text(encoding='utf-8')
    checker = Checker()
    checker.feed(page)
    assert not checker.open and len(set(checker.ids)) == len(checker.ids)
    assert all(link[1:] in checker.ids for link in checker.links if link.startswith('#'))
    assert '@import' not in page and 'url(' not in page
    assert not re.search(r'https?://(?!www\.w3\.org/1998/Math)', page)
    return checker, ' '.join(' '.join(checker.text).split())


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    some = [*example.charts()[:1], *example.grids()[-1:], *example.typeset()]
    return checked(write_report(folder, example.results(), example.history(), some)), folder


def test_report_says_everything(page):
    (_, text), folder = page
    results = example.results()
    for part in (
        results['aim'],
        results['command'],
        results['data']['licence'],
        results['data']['checksum'],
        'stand-in data (embedded)',
        '1,437',
        '61,706',
        '0.9880 ± 0.0016',
        '0.9897',
        'table 2',
        'trained on 60,000 images',
        'n = 3',
        "Student's t on the logit",
        'not comparable with the published value',
        'command line',
        'optimizer.clip_norm',
        'fewer examples',
        '0, 1, 2',
        '0524e09',
        'jax 0.10.2',
        '2 processors',
        '21.4 s',
        results['remarks'][0],
        results['limits'][0],
        'The weighted sum',
        '0.9870',
        'check: automatic differentiation agrees',
        'no spike is sent',
        '0.9889, 0.9861, 0.9889',
    ):
        assert part in text, part
    assert 'could not be drawn' not in text
    assert {path.name for path in (folder / 'figures').iterdir()} >= {
        'curve_loss.png',
        'curve_accuracy.png',
        'moving.gif',
    }


def test_report_of_nothing(tmp_path):
    _, text = checked(write_report(tmp_path, {}))
    assert 'None' not in text and 'nan' not in text


@pytest.mark.parametrize('key', example.results())
def test_report_tolerates_each_missing_key(key, tmp_path):
    results = example.results()
    del results[key]
    checked(write_report(tmp_path, results))


def test_report_tolerates_odd_values(tmp_path):
    results = {
        'name': '<script>alert(1)</script>',
        'aim': 'a $x$ & <b>',
        'stopped': {'reason': 'loss is not finite', 'epoch': 3},
        'metrics': {
            'test_accuracy': {'mean': math.nan, 'std': None, 'values': [math.nan, 0.5]},
            'odd': 3,
            'gone': {'mean': None},
        },
        'published': {'test_accuracy': 0.9, 'bleu': {'value': 'about 30'}},
        'profile': 'smoke',
        'networks': {'g': [{}]},
        'config_rows': [{'field': 'a', 'value': 1, 'chosen_by': 'experiment'}, ['b', 2]],
    }
    _, text = checked(write_report(tmp_path, results, [{'epoch': 1, 'train_loss': [None, 2.0]}, {'epoch': 2}]))
    assert 'stopped at epoch 3: loss is not finite' in text and 'smoke profile' in text and 'about 30' in text


def test_one_broken_figure_does_not_lose_the_report(tmp_path):
    broken = f.Matrix('broken', 'Broken', values=np.zeros((2, 2, 2)))
    with pytest.warns(UserWarning, match='broken'):
        _, text = checked(write_report(tmp_path, {'name': 'x'}, [], [broken]))
    assert 'Broken could not be drawn' in text


def test_single_run_has_wilson_interval(tmp_path):
    results = {'metrics': {'test_accuracy': {'mean': 0.9, 'values': [0.9]}}, 'data': {'examples': {'test': 100}}}
    _, text = checked(write_report(tmp_path, results))
    assert 'Wilson' in text and '0.83 to 0.94' in text


@pytest.mark.parametrize(
    'count, said', [(1, ''), (20, '0.000, 0.010, 0.020'), (100, '0.00 to 0.99, median 0.49; each')]
)
def test_values_of_many_replicas_are_not_written_out(count, said):
    values = [0.01 * number for number in range(count)]
    (row,) = summary.metric_rows({'metrics': {'test_accuracy': {'values': values}}})
    assert row.n == count and (row.values.startswith(said) if said else row.values == '')


def test_history_figures():
    loss, accuracy, rate = history_figures(example.history(), example.results()['published'])
    assert (loss.name, accuracy.name, rate.name) == ('curve_loss', 'curve_accuracy', 'curve_learning_rate')
    assert list(accuracy.series) == ['training', 'test'] and accuracy.series['test'][1].shape == (3, 10)
    assert accuracy.horizontal == {'published, test (0.9897)': 0.9897} and not loss.horizontal
    assert 'changes while it is measured' in loss.note and 'n = 3' in loss.note
    assert rate.series['learning rate'][1].shape == (1, 10), 'the same in all replicas: one line'
    assert history_figures([], {}) == []


def test_a_line_for_every_split_of_a_metric():
    """`generator_loss` names no split: its line stands in the plot that two players share; a full name is meant alone."""
    rows = [{'epoch': 1, 'train_generator_loss': [1.0], 'train_discriminator_loss': [0.9], 'test_accuracy': [0.5]}]
    lines = {
        'generator_loss': {'ln 2': 0.693},
        'discriminator_loss': {'2 ln 2': 1.386},
        'train_accuracy': {'coin': 0.5},
    }
    both, accuracy = history_figures(rows, {}, lines)
    assert both.horizontal == {'ln 2': 0.693, '2 ln 2': 1.386} and accuracy.horizontal == {}
    assert history_figures(rows, {}, {'loss': {'x': 1.0}})[0].horizontal == {}


def test_history_with_gaps():
    rows = [{'epoch': 1, 'train_loss': [1.0]}, {'epoch': 2, 'train_loss': [0.5], 'validation_loss': [0.7, None]}]
    (loss,) = history_figures(rows)
    x, y = loss.series['validation']
    assert x.tolist() == [2] and y.shape == (2, 1) and math.isnan(y[1, 0])


def test_comparison(tmp_path):
    runs = example.variants()
    made = write_comparison(tmp_path, runs, 'plain', {name: example.history() for name in runs})
    _, text = checked(made.path)
    fields, metrics, differences, costs = made.tables
    assert [row[0] for row in fields.rows] == ['data.transforms'], 'only what differs'
    assert [row[1] for row in metrics.rows] == [*runs, 'all', 'all'] and len(costs.rows) == 3, 'equal ones take one row'
    assert [row[1] for row in differences.rows] == ['shifted', 'shifted further']
    assert [row[2] for row in differences.rows] == ['+0.0050', '−0.0120'], 'variant minus reference'
    assert 'above plain' in made.answers[0] and 'below plain' in made.answers[1]
    assert differences.rows[0][4:] == ('0.25', '0.5'), 'sign-flip p and Holm'
    for part in (
        'cannot reach 0.05 with n = 3',
        'Same data, same order of the examples',
        'same parameters',
        'shift(pixels=2)',
    ):
        assert part in text, part
    assert made.figures[0].series['replicas'][1].shape == (3, 3) and made.figures[0].x_names == tuple(runs)


def on_splits(values, seeds=(3, 4, 5, 6, 7)):
    """The results of a run on several splits of 800 training and 200 test examples."""
    return {
        'metrics': {'test_accuracy': {'mean': float(np.mean(values)), 'values': list(values)}},
        'seeds': list(seeds),
        'replicas': len(seeds),
        'splits': {'seeds': list(seeds), 'replicas': 2},
        'data': {'source': 'files', 'checksum': 'x', 'examples': {'train': 800, 'test': 200}},
    }


def test_variants_on_several_splits_are_compared_with_their_overlap_in_mind():
    """The difference's interval and p are Nadeau and Bengio's, by hand; each variant's own interval is widened, too."""
    base, better = [0.80, 0.82, 0.79, 0.84, 0.81], [0.82, 0.83, 0.83, 0.85, 0.86]
    runs = {'plain': on_splits(base), 'better': on_splits(better)}
    found = comparison.difference(runs, 'better', 'plain', 'test_accuracy')
    differences = np.subtract(better, base)
    error = math.sqrt((1 / 5 + 200 / 800) * differences.var(ddof=1))
    assert found.mean == pytest.approx(differences.mean()) and found.mean > 0
    assert found.test.method == found.interval.method == 'Nadeau-Bengio t'
    assert found.test.p == pytest.approx(2 * stats.t.sf(differences.mean() / error, 4))
    half = stats.t.ppf(0.975, 4) * error
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (differences.mean() - half, differences.mean() + half)
    )
    assert 'overlap' in ' '.join(comparison.statements(runs))
    own = summary.interval_of('test_accuracy', runs['plain'])
    replicas = {**runs['plain'], 'splits': None}
    plain = summary.interval_of('test_accuracy', replicas)
    assert own.method == 'Nadeau-Bengio t on the logit' and own.high - own.low > 1.4 * (plain.high - plain.low)


def test_curves_of_variants_over_updates_examples_and_time():
    """A small batch makes many updates of the same examples: the axes say so, and grow logarithmic."""
    runs, (few, many) = example.variants(), (example.history(1), example.history(1))
    runs = {'few': runs['plain'], 'many': runs['shifted']}
    runs['few'].update(
        data={'examples': {'train': 1437}},
        steps_per_epoch=1,
        curves={'x_axes': ['epoch', 'updates', 'examples', 'seconds'], 'lines': {'train_loss': {'ln 10': 2.302585}}},
    )
    runs['many'].update(data={'examples': {'train': 1437}}, steps_per_epoch=1437)
    for rows, steps in ((few, 1), (many, 1437)):
        for row in rows:
            row['step'] = steps * row['epoch']
    found = {figure.name: figure for figure in variant_curves({'few': few, 'many': many}, runs, ['test_accuracy'])}
    assert list(found) == [
        'variants_curve_test_accuracy',
        'variants_curve_train_loss',
        *(
            f'variants_curve_{name}_by_{axis}'
            for name in ('test_accuracy', 'train_loss')
            for axis in ('updates', 'examples', 'seconds')
        ),
    ]
    by_updates, by_examples = (found[f'variants_curve_train_loss_by_{axis}'] for axis in ('updates', 'examples'))
    assert by_updates.x_log and by_updates.series['many'][0][-1] == 14_370 and by_updates.series['few'][0][-1] == 10
    assert not by_examples.x_log and all(x[-1] == 14_370 for x, _ in by_examples.series.values())
    assert found['variants_curve_train_loss'].horizontal == {'ln 10': 2.302585}
    assert not found['variants_curve_test_accuracy'].horizontal
    (loss, *_) = history_figures(few, {}, {'train_loss': {'ln 10': 2.302585}})
    assert loss.horizontal == {'ln 10': 2.302585}
    plain = variant_curves({name: example.history() for name in runs}, example.variants(), ['test_loss'])
    assert [figure.x_label for figure in plain] == ['epoch', 'epoch'] and 'n = 3' in plain[0].note
    assert variant_curves({'few': few}, runs, ['test_accuracy']) == [] == variant_curves({}, {}, [])


def test_comparison_of_unlike_runs(tmp_path):
    runs = example.variants()
    runs['shifted'].update(seeds=[7, 8], networks={}, data={'name': 'other', 'source': 'files'}, steps=1)
    runs['shifted']['metrics']['test_accuracy']['values'] = [0.9, 0.92]
    made = write_comparison(tmp_path, runs, 'plain')
    said = ' '.join([*made.statements, *made.answers])
    for part in ("Welch's t", 'data differ', 'networks differ', 'training steps differs'):
        assert part in said, part
    single = {name: {'metrics': {'test_loss': {'values': [value]}}} for name, value in (('a', 1.0), ('b', 0.5))}
    alone = write_comparison(tmp_path, single, 'a')
    assert 'one replica: no spread, no test' in alone.answers[0]
    assert next(table.columns for table in alone.tables if table.name == 'differences')[-1] == 'difference'  # no dashes
    with pytest.raises(ValueError, match='reference'):
        write_comparison(tmp_path, single, 'c')
    checked(write_comparison(tmp_path, {'a': {}, 'b': {}}, 'a').path)


def test_index(tmp_path):
    for name, run in (
        ('lenet', example.results()),
        ('lenet/a b', example.variants()['plain']),
        ('odd', [1]),
        ('.hidden', {}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'results.json').write_text(json.dumps(run))
    (tmp_path / 'cut').mkdir()
    (tmp_path / 'cut' / 'results.json').write_text('{"name": ')
    (tmp_path / 'lenet' / 'a b' / 'report.html').write_text('')
    checker, text = checked(write_index(tmp_path))
    assert checker.links == ['lenet/a%20b/report.html']
    assert '2 runs' in text and '0.9880 ± 0.0016' in text and text.count(example.results()['aim']) == 1
    assert 'cut/results.json was skipped' in text and 'odd/results.json was skipped' in text and '.hidden' not in text


def test_index_of_nothing(tmp_path):
    assert 'No finished run yet' in checked(write_index(tmp_path / 'runs'))[1]


def test_the_order_of_a_page_is_that_of_a_readers_interest(tmp_path):
    """Question, answer, the first figure, curves, numbers, further figures; then theory, model, data, settings, limits."""
    results = {**example.results(), 'answer': 'About half of them can be read.'}
    shown = [example.charts()[0], example.grids()[0]]
    text = write_report(tmp_path, results, example.history(), shown).read_text()
    order = [
        'class="question"',
        'About half',
        'id="lead"',
        shown[0].title,
        'id="curves"',
        'id="results"',
        'id="figures"',
        shown[1].title,
        'id="theory"',
        'id="model"',
        'id="data"',
        'id="settings"',
        'id="limits"',
        'id="repeat"',
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
