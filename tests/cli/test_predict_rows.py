"""--mode=predict with the rows of a CSV file: classes, values with their unit, the run's own preprocessing, mistakes."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from jaxlab.data import plain

HEADER = 'age,sex,bmi,bp,s1,s2,s3,s4,s5,s6'  # of the diabetes data, which stand in for California housing
ROWS = ('59,2,32.1,101,157,93.2,38,4,4.8598,87', '48,1,21.6,87,,103.2,70,3,3.8918,69')
MINE = '''"""My own rows."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    config = common.experiment('mine', task='classification', data='table', model='mlp')
    config.aim = 'Can two columns tell good from bad?'
    config.data.options = {'path': 'PATH', 'target': 'kind'}
    config.model.features = (8,)
    config.data.batch_size = 16
    config.optimizer = common.adam(0.05)
    config.training.epochs = 20
    config.report.options = {'baselines': ('majority', 'logistic'), 'sparsity': True}
    return common.with_profile(config, profile)
'''


@pytest.fixture(scope='module')
def values(tmp_path_factory):
    """The smoke profile of california_housing on its stand-in, trained once: words of the command line."""
    return ['--config=configs/california_housing.py:smoke', f'--workdir={tmp_path_factory.mktemp("values")}']


@pytest.fixture
def run(launch, values):
    """The command line; trains where there are no weights yet."""
    if not (Path(values[1].removeprefix('--workdir=')) / 'results.json').is_file():
        assert launch(*values, '--json').code == 0
    return lambda *words: launch(*values, *words)


def written(folder, *rows, header=HEADER):
    (folder / 'rows.csv').write_text('\n'.join([header, *rows]) + '\n')
    return f'--input={folder / "rows.csv"}'


def test_values_in_their_unit(run, tmp_path):
    """One value a row, times the target's factor; a missing cell is filled; the order of the columns does not matter."""
    found = run('--mode=predict', written(tmp_path, *ROWS), '--json').json()['predictions']
    assert [row['row'] for row in found] == [1, 2] and {row['unit'] for row in found} == {'points'}
    assert all(-100 < row['value'] < 500 and row['target'] == 'progression' for row in found)
    turned = [','.join(reversed(line.split(','))) for line in (HEADER, *ROWS)]
    again = run('--mode=predict', written(tmp_path, *turned[1:], header=turned[0]), '--json').json()['predictions']
    assert again == found
    assert 'row 1: progression ' in run('--mode=predict', written(tmp_path, *ROWS)).out


@pytest.mark.parametrize('earlier', ['', 'fitted.json', 'preprocessing.json'])
def test_the_run_s_own_preprocessing_is_used(run, values, tmp_path, earlier):
    """Predictions and evaluations follow the file in the run's folder, not what would be fitted now."""
    folder = tmp_path / 'copy'
    shutil.copytree(values[1].removeprefix('--workdir='), folder)
    words = [values[0], f'--workdir={folder}']
    first = run('--mode=predict', written(tmp_path, *ROWS), '--json').json()['predictions']
    before = run('--mode=eval', '--json').json()['metrics']['test_mse']['mean']
    kept = json.loads((folder / 'data.json').read_text())
    fitted = kept['features']['features']['fitted']
    bmi = fitted['columns'][2]
    bmi['mean'][0] += 10 * bmi['scale'][0]  # ten deviations higher
    if earlier:  # the files that runs of earlier versions have
        (folder / 'data.json').unlink()
        content = dataclasses.asdict(plain.from_json(fitted))
        (folder / earlier).write_text(json.dumps({'features': content} if earlier == 'fitted.json' else content))
    else:
        (folder / 'data.json').write_text(json.dumps(kept))
    second = run(*words, '--mode=predict', written(tmp_path, *ROWS), '--json').json()['predictions']
    shifts = [two['value'] - one['value'] for one, two in zip(first, second, strict=True)]
    assert shifts[0] == pytest.approx(shifts[1], rel=1e-3) and abs(shifts[0]) > 1
    after = run(*words, '--mode=eval', '--json').json()['metrics']['test_mse']['mean']
    assert after != pytest.approx(before, rel=1e-3)


def test_no_such_file(run):
    assert 'none.csv cannot be read as CSV: No such file' in run('--mode=predict', '--input=none.csv').error


@pytest.mark.parametrize(
    ('header', 'row', 'words'),
    [
        (HEADER.replace('bmi', 'mass'), ROWS[0], "column 'bmi' is missing"),
        (HEADER, ROWS[0].replace('32.1', 'fat'), "row 1, column 'bmi': 'fat' is no number"),
        (HEADER, ROWS[0] + ',1', 'row 1: 11 cells; valid: 10'),
        ('', '', 'is empty'),
    ],
)
def test_rows_that_cannot_be_used(run, tmp_path, header, row, words):
    error = run('--mode=predict', written(tmp_path, row, header=header)).error
    assert words in error and 'rows.csv' in error and error.count('rows.csv') == 1


def test_classes_of_an_own_table(launch, write_config, tmp_path):
    """Class names with probabilities; two columns tell the classes apart; unknown categories are refused."""
    rows = [(at % 7, ('red', 'blue')[at % 2], ('good', 'bad')[at % 2]) for at in range(80)]
    own = tmp_path / 'own.csv'
    own.write_text('\n'.join(['size,colour,kind', *(','.join(map(str, row)) for row in rows)]))
    words = [write_config(MINE.replace('PATH', str(own))), f'--workdir={tmp_path / "run"}']
    trained = launch(*words, '--json').json()['metrics']
    assert trained['test_accuracy']['mean'] == 1 and trained['test_accuracy_logistic']['mean'] == 1
    assert trained['test_accuracy_majority']['mean'] < 0.8 and trained['weights_zero']['mean'] == 0
    mine = written(tmp_path, '3,blue', '4,red', header='size,colour')
    found = launch(*words, '--mode=predict', mine, '--json').json()['predictions']
    assert [row['class'] for row in found] == ['bad', 'good']
    assert all(sum(row['probabilities'].values()) == pytest.approx(1, abs=1e-5) for row in found)
    assert 'row 1: bad (' in launch(*words, '--mode=predict', mine).out
    own.unlink()  # the network needs nothing of it
    assert launch(*words, '--mode=predict', mine, '--json').json()['predictions'] == found
    own.write_text('size,colour,kind\n' + '1,red,good\n2,blue,bad\n' * 50)
    assert launch(*words, '--mode=predict', mine, '--json').json()['predictions'] == found
    assert 'data found' in launch(*words, '--mode=eval').error and 'data found' in launch(*words).error
    strange = written(tmp_path, '3,mauve', header='size,colour')
    assert "unknown category 'mauve'; valid: blue, red" in launch(*words, '--mode=predict', strange).error
    assert 'needs --input' in launch(*words, '--mode=predict').error
