"""Tables: what is read, what is fitted on the training rows alone, what is refused."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from jaxlab import data
from jaxlab.data import plain
from jaxlab.data.fitted.columns import Preprocessing
from jaxlab.data.labels import names_of
from jaxlab.data.schema import Target
from jaxlab.data.sets import table_stand_ins
from jaxlab.data.sheets import read_csv, table
from jaxlab.errors import UserError

REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '') or '/nowhere')
TITANIC_891 = 'PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked'
TITANIC_887 = 'Survived,Pclass,Name,Sex,Age,Siblings/Spouses Aboard,Parents/Children Aboard,Fare'
HOUSING = (
    'longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,'
    'median_house_value,ocean_proximity'
)
OWN = {'name': 'table', 'options': {'path': 'own.csv', 'target': 'kind'}}


@pytest.fixture(autouse=True)
def _no_data_dir(monkeypatch):
    monkeypatch.delenv('JAXLAB_DATA_DIR', raising=False)


def written(folder: Path, name: str, header: str, rows) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('\n'.join([header, *(','.join(map(str, row)) for row in rows)]) + '\n')
    return folder


def own_rows(count: int = 40, seed: int = 0) -> list[tuple]:
    """Columns size (number, some missing), colour (three), kind (two classes)."""
    generator = np.random.default_rng(seed)
    size = [f'{value:.3f}' if value > -1 else '' for value in generator.standard_normal(count)]
    return [(size[i], ('red', 'green', 'blue')[i % 3], ('good', 'bad')[i % 2]) for i in range(count)]


# ---- preprocessing ---------------------------------------------------------------------------------------------------


NUMBERS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), NUMBERS), min_size=2, max_size=30), st.integers(0, 9))
def test_numbers_as_scikit_learn(values, seed):
    """Median and standard score of the training rows, missing ones filled; also for rows never seen."""
    column = np.array([np.nan if value is None else value for value in values])
    if np.isnan(column).all():
        return
    other = np.append(np.random.default_rng(seed).standard_normal(5), np.nan)
    fitted = Preprocessing.fit(table(('a',), (column,)), Target('t'))
    imputer = SimpleImputer(strategy='median').fit(column[:, None])
    scaler = StandardScaler().fit(imputer.transform(column[:, None]))
    for rows in (column, other):
        expected = scaler.transform(imputer.transform(rows[:, None]))
        np.testing.assert_allclose(fitted.apply(table(('a',), (rows,))), expected, rtol=1e-4, atol=1e-4)


def test_categories_as_scikit_learn():
    """Two become 0 and 1, more become one feature each; then all are scaled like numbers."""
    sex, port = np.array(['male', 'female', 'male', 'male']), np.array(['S', 'C', 'Q', 'S'])
    fitted = Preprocessing.fit(table(('sex', 'port'), (sex, port)), Target('t'))
    assert fitted.feature_names == ('sex = male', 'port = C', 'port = Q', 'port = S')
    codes = np.hstack(
        [OrdinalEncoder().fit_transform(sex[:, None]), OneHotEncoder(sparse_output=False).fit_transform(port[:, None])]
    )
    found = fitted.apply(table(('sex', 'port'), (sex, port)))
    np.testing.assert_allclose(found, StandardScaler().fit_transform(codes), rtol=1e-6)
    assert [column.fill for column in fitted.columns] == ['male', 'S']


def test_a_constant_column_is_left_at_zero():
    fitted = Preprocessing.fit(table(('a',), (np.full(3, 7.0),)), Target('t'))
    np.testing.assert_array_equal(fitted.apply(table(('a',), (np.array([7.0, 9.0]),))), [[0], [2]])


def test_json_brings_the_same_back():
    """Through JSON every float is the same, in the form of today and of earlier versions."""
    rows = table(('a', 'b'), (np.array([0.1, np.nan, 1 / 3]), np.array(['x', 'y', 'z'])))
    fitted = Preprocessing.fit(rows, Target('t', 'USD', 1e5))
    assert plain.from_json(json.loads(json.dumps(plain.as_json(fitted)))) == fitted
    assert Preprocessing.from_json(json.loads(json.dumps(dataclasses.asdict(fitted)))) == fitted
    with pytest.raises(UserError, match='cannot be read'):
        Preprocessing.from_json({'columns': []})


def test_only_training_rows_are_fitted(tmp_path):
    """Other values in the test rows change nothing; other values in a training row do. The same with `limit`."""
    rows = own_rows()
    for limit in (0, 12):
        config = {**OWN, 'limit': limit}
        first = data.load(config, written(tmp_path, 'own.csv', 'size,colour,kind', rows))
        for split, same in (('test', True), ('train', False)):
            changed = list(rows)
            for at in first.splits[split].origin:
                changed[at] = ('100', *rows[at][1:])
            again = data.load(config, written(tmp_path, 'own.csv', 'size,colour,kind', changed))
            assert (again.features['features'].fitted == first.features['features'].fitted) is same
        assert first.features['features'].fitted.rows == (limit or 32) == first.splits['train'].size
    unused = list(rows)  # rows that the limit leaves out
    for at in set(range(40)) - set(first.splits['train'].origin):
        unused[at] = ('100', *rows[at][1:])
    again = data.load(config, written(tmp_path, 'own.csv', 'size,colour,kind', unused))
    assert again.features['features'].fitted == first.features['features'].fitted


def test_what_is_not_fitted_may_be_given(tmp_path):
    """`load(fitted=...)` scales by what is given; other columns are refused."""
    first = data.load(OWN, written(tmp_path, 'own.csv', 'size,colour,kind', own_rows()))
    other = data.load(OWN, written(tmp_path, 'own.csv', 'size,colour,kind', own_rows(seed=1)))
    again = data.load(OWN, tmp_path, fitted=first.fitted)
    assert again.features['features'].fitted == first.features['features'].fitted != other.features['features'].fitted
    expected = first.features['features'].fitted.apply(other.features['features'].rows['test'].arrays['columns'])
    np.testing.assert_array_equal(again.splits['test'].arrays['features'], expected)
    fewer = {**OWN, 'options': {**OWN['options'], 'features': ('size',)}}
    with pytest.raises(UserError, match='was fitted on the columns size, colour'):
        data.load(fewer, tmp_path, fitted=first.fitted)


def test_a_category_that_training_never_saw(tmp_path):
    """In a held-out row it counts as missing, and the user is told; in a row to predict it is refused."""
    rows = own_rows()
    origin = data.load(OWN, written(tmp_path, 'own.csv', 'size,colour,kind', rows)).splits['test'].origin
    rows[origin[0]] = (rows[origin[0]][0], 'mauve', rows[origin[0]][2])
    found = data.load(OWN, written(tmp_path, 'own.csv', 'size,colour,kind', rows))
    assert any("1 rows of test hold a category of 'colour'" in note for note in found.notes)
    assert np.isfinite(found.splits['test'].arrays['features']).all()
    mine = table(('size', 'colour'), (np.array([1.0, 2.0]), np.array(['red', 'gren'])))
    with pytest.raises(UserError, match=r"row 2, column 'colour': unknown category 'gren'.*green"):
        found.features['features'].fitted.apply_to_input(mine)


# ---- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'is empty'),
        ('a,b\n', 'has no rows'),
        ('a,b\n1,2\n3\n', 'row 2: 1 cells; valid: 2'),
        ('a,a\n1,2\n', "'a' occurs twice"),
        ('a,b\n1,"2\n', 'cannot be read as CSV'),
    ],
)
def test_files_that_are_no_tables(tmp_path, text, words):
    (tmp_path / 'x.csv').write_text(text)
    with pytest.raises(UserError, match=words):
        read_csv(tmp_path / 'x.csv')


def test_cells(tmp_path):
    """Numbers, text, what means 'missing', quotes inside cells, no header."""
    (tmp_path / 'x.csv').write_text('a,b,"c, d"\n1,x,NA\n,?,2.5\n-3e2,"y, z",nan\n')
    rows = read_csv(tmp_path / 'x.csv')
    np.testing.assert_array_equal(rows['a'], [1, np.nan, -300])
    assert list(rows['b']) == ['x', '?', 'y, z'] and rows['c, d'].dtype == np.float64
    (tmp_path / 'y.csv').write_text("1,2,'-1'\n3,4,'1'\n")
    bare = read_csv(tmp_path / 'y.csv', header=None)
    assert bare.dtype.names == ('c1', 'c2', 'c3') and list(bare['c3']) == [-1, 1]


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({}, 'needs data.options.path'),
        ({'path': 'none.csv', 'target': 'kind'}, 'is no file'),
        ({'path': 'own.csv', 'target': 'kinds'}, "no column 'kinds'; did you mean 'kind'"),
        ({'path': 'own.csv', 'target': 'kind', 'features': ('weight',)}, "no column 'weight'"),
        ({'path': 'own.csv', 'target': 'kind', 'features': ('kind',)}, 'without the target'),
        ({'path': 'own.csv', 'target': 'colour', 'kind': 'regression'}, 'no number'),
        ({'path': 'own.csv', 'target': 'name'}, 'has 40 values in 40 rows'),
        ({'path': 'own.csv', 'target': 'kind', 'kind': 'clustering'}, 'clustering'),
        ({'path': 'own.csv', 'target': 'kind', 'colour': 1}, "unknown option 'colour'"),
    ],
)
def test_own_tables_that_cannot_be(tmp_path, options, words):
    rows = [(f'n{at}', *row) for at, row in enumerate(own_rows())]
    written(tmp_path, 'own.csv', 'name,size,colour,kind', rows)
    with pytest.raises(UserError, match=words):
        data.load({'name': 'table', 'options': options}, tmp_path)


def test_an_own_table(tmp_path):
    """Classes in their order; a number as a category; regression by another target."""
    written(tmp_path, 'own.csv', 'size,colour,kind', own_rows())
    found = data.load(OWN, tmp_path)
    assert names_of(found) == ('bad', 'good') and found.splits['train'].arrays['features'].shape == (32, 4)
    by_size = {'path': str(tmp_path / 'own.csv'), 'target': 'level', 'kind': 'regression', 'categories': ('deck',)}
    rows = [(at % 4, at / 10, 'x') for at in range(40)]
    written(tmp_path, 'own.csv', 'deck,level,note', rows)
    other = data.load({'name': 'table', 'options': by_size})
    assert names_of(other) == () and other.splits['train'].arrays['target'].dtype == np.float32
    assert other.features['features'].fitted.feature_names[:4] == tuple(f'deck = {number}' for number in range(4))


def test_both_editions_of_the_titanic(tmp_path):
    """They are told apart by their columns and give the same features."""
    people = [(at % 2, 1 + at % 3, ('male', 'female')[at % 2], 20 + at, at % 4, at % 2, 7.5 * at) for at in range(20)]
    long = [(at, p[0], p[1], '"A, B"', p[2], p[3], p[4], p[5], 't', p[6], '', 'S') for at, p in enumerate(people)]
    short = [(p[0], p[1], 'A B', *p[2:]) for p in people]
    one = data.load({'name': 'titanic'}, written(tmp_path / 'k' / 'titanic', 'train.csv', TITANIC_891, long))
    two = data.load({'name': 'titanic'}, written(tmp_path / 's' / 'titanic', 'titanic.csv', TITANIC_887, short).parent)
    assert one.features['features'].fitted.feature_names == ('Pclass', 'Sex = male', 'Age', 'SibSp', 'Parch', 'Fare')
    for split in ('train', 'test'):
        for name in ('features', 'label'):
            np.testing.assert_array_equal(one.splits[split].arrays[name], two.splits[split].arrays[name])
    assert one.checksum == two.checksum and names_of(one) == ('died', 'survived')
    broken = [row[:5] + ('old',) + row[6:] for row in long[:1]] + long[1:]
    with pytest.raises(UserError, match="row 1, column 'Age': 'old' is no number"):
        data.load({'name': 'titanic'}, written(tmp_path / 'b' / 'titanic', 'train.csv', TITANIC_891, broken))


def test_housing_totals_become_averages(tmp_path):
    """Per household; dollars become units of 100,000; a missing total stays missing until it is filled."""
    rows = [
        (-120 - at, 35, 10 + at, 100.0, '' if at == 3 else 20, 60, 30 + at, 4, 250000, 'INLAND') for at in range(20)
    ]
    found = data.load(
        {'name': 'california_housing'}, written(tmp_path / 'california_housing', 'housing.csv', HOUSING, rows).parent
    )
    columns = np.concatenate([split.arrays['columns'] for split in found.features['features'].rows.values()])
    origin = np.concatenate([split.origin for split in found.splits.values()])
    np.testing.assert_allclose(columns['AveRooms'], 100 / (30 + origin))
    np.testing.assert_array_equal(np.isnan(columns['AveBedrms']), origin == 3)
    assert set(found.splits['train'].arrays['target']) == {np.float32(2.5)} and '1 missing values' in found.notes[0]
    target = found.features['features'].schema.target
    assert (target.name, target.unit, target.factor) == ('MedHouseVal', 'USD', 1e5)


def test_fraud_with_and_without_time(tmp_path):
    """29 features, 30 with the column Time; another file of the folder by name."""
    names = ['Time', *(f'V{number}' for number in range(1, 29)), 'Amount', 'Class']
    rows = [[at, *np.random.default_rng(at).standard_normal(28).round(3), at, int(at % 5 == 0)] for at in range(40)]
    folder = written(tmp_path / 'credit_card', 'creditcard.csv', ','.join(names), rows)
    plain = data.load({'name': 'credit_card', 'stratify': True}, tmp_path)
    timed = data.load({'name': 'credit_card', 'options': {'time': True}}, tmp_path)
    assert plain.splits['train'].arrays['features'].shape == (32, 29)
    assert timed.splits['train'].arrays['features'].shape == (32, 30) and timed.splits['test'].size == 8
    (folder / 'other.csv').write_text('\n'.join(f"{at},{at * at},'{(-1, 1)[at % 4 == 0]}'" for at in range(40)))
    other = data.load({'name': 'credit_card', 'stratify': True, 'options': {'file': 'other.csv'}}, tmp_path)
    assert other.splits['train'].arrays['features'].shape == (32, 2) and other.splits['train'].labels.sum() == 8


# ---- splits and stand-ins ----------------------------------------------------------------------------------------------


def test_the_held_out_part_is_halved(tmp_path):
    """30 % held out, then half of it: the split of two calls of scikit-learn's function, row by row."""
    rows = [(at, 'x', ('good', 'bad')[at % 2]) for at in range(101)]
    written(tmp_path, 'own.csv', 'size,colour,kind', rows)
    config = {**OWN, 'test_fraction': 0.3, 'validation_fraction': 0.5, 'validation_from': 'test'}
    found = data.load(config, tmp_path).splits
    train, rest = train_test_split(np.arange(101), test_size=0.3, random_state=42)
    validation, test = train_test_split(rest, test_size=0.5, random_state=42)
    for name, expected in (('train', train), ('validation', validation), ('test', test)):
        np.testing.assert_array_equal(found[name].origin, expected)
    with pytest.raises(UserError, match='validation_from'):
        data.load({**config, 'validation_from': 'both'}, tmp_path)


def test_the_bayes_rule_of_the_generated_set():
    """By SciPy's densities; its own mean is the share of rare rows; nothing beats it."""
    found = table_stand_ins.draw_rare(20_000, 8, 0.02, 3, 1)
    x, p = found['features'], found['bayes']
    wide = norm.pdf(x[:, :3], table_stand_ins.SHIFT, table_stand_ins.WIDTH).prod(1) * norm.pdf(x[:, 3:]).prod(1) * 0.02
    np.testing.assert_allclose(p, wide / (wide + norm.pdf(x).prod(1) * 0.98), rtol=1e-4)
    assert p.mean() == pytest.approx(0.02, abs=0.004) and found['label'].mean() == pytest.approx(0.02, abs=0.004)
    for low, high in ((0.01, 0.1), (0.1, 0.5), (0.5, 1)):
        near = (p >= low) & (p < high)
        spread = 4 * np.sqrt(p[near].mean() / near.sum())
        assert found['label'][near].mean() == pytest.approx(p[near].mean(), abs=spread)


@pytest.mark.parametrize(
    ('name', 'shape'), [('california_housing', (442, 10)), ('titanic', (569, 30)), ('credit_card', (20_000, 29))]
)
def test_stand_ins(name, shape):
    found = data.load({'name': name})
    sizes = [split.arrays['features'].shape for split in found.splits.values()]
    assert found.stand_in and sum(size[0] for size in sizes) == shape[0] and sizes[0][1] == shape[1]
    answers = {'target'} if name == 'california_housing' else {'label'}
    assert answers <= set(found.splits['train'].arrays) and 'not comparable' in found.notes[0]
    assert ('bayes' in found.splits['test'].arrays) == (name == 'credit_card')


# ---- the real files (B02, B05, B08) ------------------------------------------------------------------------------------


@pytest.mark.skipif(not (REAL / 'california_housing').is_dir(), reason='JAXLAB_DATA_DIR has no california_housing')
def test_the_real_housing_file():
    config = {'test_fraction': 0.3, 'validation_fraction': 0.5, 'validation_from': 'test'}
    found = data.load({'name': 'california_housing', **config}, REAL)
    assert [split.size for split in found.splits.values()] == [14448, 3096, 3096]
    first = {name: split.arrays['target'][:3].tolist() for name, split in found.splits.items()}
    expected = {'train': [1.938, 1.697, 2.598], 'validation': [1.225, 3.204, 4.507], 'test': [1.0, 1.188, 3.761]}
    assert {name: pytest.approx(values) for name, values in expected.items()} == first
    columns = found.features['features'].fitted.columns
    mean = (
        3.876891549,
        28.575373754,
        5.438124632,
        1.098033137,
        1427.927325581,
        3.119236496,
        35.650669297,
        -119.584102298,
    )
    scale = (
        1.904842478,
        12.613197086,
        2.453484380,
        0.447482496,
        1140.185729443,
        12.373207354,
        2.135668270,
        2.002860896,
    )
    assert [column.mean[0] for column in columns] == pytest.approx(mean, rel=1e-8)
    assert [column.scale[0] for column in columns] == pytest.approx(scale, rel=1e-8)
    assert columns[3].fill == pytest.approx(1.049492059, rel=1e-8)
    row = (0.13350629, 0.50935748, 0.18106017, -0.27384969, -0.18411678, -0.01082520, -0.80568191, 0.78093406)
    assert found.splits['train'].arrays['features'][0] == pytest.approx(row, abs=1e-6)
    missing = {
        name: int(np.isnan(split.arrays['columns']['AveBedrms']).sum())
        for name, split in found.features['features'].rows.items()
    }
    assert missing == {'train': 0, 'validation': 91, 'test': 116}
    whole = np.concatenate([split.arrays['target'] for split in found.splits.values()]).astype(np.float64)
    assert whole.mean() == pytest.approx(2.068558169, abs=1e-6) and (whole > 5).sum() == 965


@pytest.mark.skipif(not (REAL / 'titanic').is_dir(), reason='JAXLAB_DATA_DIR has no titanic')
def test_the_real_titanic_file():
    """The 891-row edition: 712 and 179 rows, survivors, missing ages, scaler."""
    found = data.load({'name': 'titanic'}, REAL)
    if sum(split.size for split in found.splits.values()) != 891:
        pytest.skip('another edition')
    assert [np.bincount(split.labels).tolist() for split in found.splits.values()] == [[444, 268], [105, 74]]
    ages = [int(np.isnan(split.arrays['columns']['Age']).sum()) for split in found.features['features'].rows.values()]
    columns = found.features['features'].fitted.columns
    assert ages == [140, 37] and columns[2].fill == 28.0
    mean = (2.330056180, 0.655898876, 29.204129213, 0.553370787, 0.379213483, 32.586276124)
    scale = (0.824005016, 0.475074247, 12.998833000, 1.175577739, 0.791113175, 51.933021073)
    assert [column.mean[0] for column in columns] == pytest.approx(mean, rel=1e-8)
    assert [column.scale[0] for column in columns] == pytest.approx(scale, rel=1e-8)


@pytest.mark.skipif(not (REAL / 'credit_card').is_dir(), reason='JAXLAB_DATA_DIR has no credit_card')
def test_the_real_fraud_file():
    """The reduced file: 5,533 and 394, 1,384 and 98 rows; 29 features."""
    found = data.load({'name': 'credit_card', 'stratify': True, 'options': {'file': 'creditcard_7409.csv'}}, REAL)
    assert [np.bincount(split.labels).tolist() for split in found.splits.values()] == [[5533, 394], [1384, 98]]
    assert found.splits['train'].arrays['features'].shape[1] == 29
