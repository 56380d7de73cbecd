"""A family moves in: its own feature, vocabulary, host metric and mode, in four files and a line in two tables."""

import json

import pytest

from configs import common
from jaxlab import data
from jaxlab.errors import UserError
from jaxlab.experiments import many, run_data
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.use import use
from jaxlab.experiments.watching import Printing
from jaxlab.tasks import names
from tests.family import data as words


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """(prepared, folder, results): the best epoch by a metric of the host is restored."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DATASETS, 'words', words.read)
        patch.setitem(
            names.TASKS,
            'vowels',
            names.Kind('tests.family.step:Vowels', 'tests.family.report:VowelsReport', 'tests.family.report:MODES'),
        )
        config = common.experiment('count_vowels', task='vowels', data='words')
        config.aim = 'Can one number a letter count vowels?'
        config.data.validation_fraction, config.data.batch_size = 0.2, 16
        config.optimizer = common.adam(0.05)
        config.training.epochs, config.parallel.devices = 12, 1
        config.training.best_metric, config.training.best_mode = 'validation_exact', 'max'
        config.training.restore_best, config.training.patience = True, 3
        folder = tmp_path_factory.mktemp('vowels')
        prepared = prepare(config)
        yield prepared, folder, many.train(prepared, folder, Printing(quiet=True))


def test_it_learns_and_a_host_metric_chooses(trained):
    prepared, folder, results = trained
    assert results['metrics']['test_exact']['mean'] > 0.95 and '% of the words' in results['answer']
    rows = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    exact = [row['validation_exact'][0] for row in rows]
    assert results['restored']['epoch'] == rows[exact.index(max(exact))]['epoch']
    assert (
        results['metrics']['validation_exact']['mean'] == max(exact)
        and 'Ten words' in (folder / 'report.html').read_text()
    )


def test_the_vocabulary_is_fitted_on_training_rows_and_kept(trained):
    prepared, folder, _ = trained
    assert prepared.data.fitted == {'text': words.Vocabulary('abcdeiou', 9)} == run_data.described(folder).fitted
    tokens = prepared.data.input_feature.fitted.apply(['abz'])  # z is unknown, the rest padding
    assert tokens.tolist() == [[2, 3, 1, 0, 0, 0, 0, 0, 0]]


def test_its_mode_reads_what_training_read(trained, tmp_path):
    """It needs nothing but what the run keeps."""
    prepared, folder, _ = trained
    prepared = prepare(prepared.config, described=run_data.described(folder))
    (tmp_path / 'mine.txt').write_text('aeiou\nbcd\nadieu')
    mode = names.modes_of(prepared.config)['count']
    found = use(prepared, folder, Printing(quiet=True), mode, {'input': str(tmp_path / 'mine.txt')}, False)
    assert mode.lines(found) == ['aeiou: 5', 'bcd: 0', 'adieu: 4']
    with pytest.raises(UserError, match='no such file'):
        use(prepared, folder, Printing(quiet=True), mode, {'input': 'nowhere.txt'}, False)
