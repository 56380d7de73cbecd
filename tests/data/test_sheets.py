"""CSV files as people have them: separators, decimal commas, encodings, words that mean 'missing', cells that are no numbers."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxlab import data
from jaxlab.data import description, plain
from jaxlab.data.names import in_order
from jaxlab.data.settings import checked
from jaxlab.data.sheets import Form, read_csv, read_sheet
from jaxlab.errors import UserError


@pytest.fixture
def sheet(tmp_path):
    def read(text, **how):
        (tmp_path / 'x.csv').write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_sheet(tmp_path / 'x.csv', **how)

    return read


def own(folder, lines, **options):
    """A table of one's own, loaded."""
    (folder / 'own.csv').write_text('\n'.join(lines) + '\n')
    options = {'path': str(folder / 'own.csv'), 'target': 'kind', **options}
    return data.load({'name': 'table', 'options': options})


@pytest.mark.parametrize(
    'text',
    [
        'a;größe;c\n1,5;ä;1\n-2;b;,25\n',
        'a\tgröße\tc\n1.5\tä\t1\n-2\tb\t.25\n',
        'a|größe|c\n1.5|ä|1\n-2|b|.25\n',
        'a,größe,c\r\n+1.5, ä ,1\r\n-2,b,2.5e-1\r\n',
        'a,größe,c\r"1.5",ä,1\r-2,b,.25\r',
        ',a,größe,c\n0,1.5,ä,1\n1,-2,b,.25\n',  # pandas' index
        'a,größe,c,\n1.5,ä,1,\n-2,b,.25,\n',  # a comma behind every line
        '\n\na,größe,c\n\n1.5,ä,1\n,,\n-2,b,.25\n\n\n',
    ],
)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'cp1252'])
def test_one_table_in_many_forms(sheet, text, encoding):
    rows = sheet(text.encode(encoding)).rows
    assert rows.dtype.names == ('a', 'größe', 'c')
    assert rows['a'].tolist() == [1.5, -2] and rows['größe'].tolist() == ['ä', 'b'] and rows['c'].tolist() == [1, 0.25]


def test_what_was_found_out_is_said(sheet):
    assert sheet(b'a;b\n1,5;x\n').notes == (
        'x.csv: cells are parted by semicolons.',
        "x.csv: numbers have a decimal comma (column 'a').",
    )
    assert 'cp1252' in sheet('a,b\nä,x\n'.encode('cp1252')).notes[0]
    assert sheet('a,b\n1,2\n\n3,4\n\n').notes == ('x.csv: 1 rows without any value are left out.',)
    assert "called 'column 1'" in sheet(',a\nx,1\n').notes[0] and sheet('a,b\n1,2\n').notes == ()


def test_rows_keep_their_numbers(sheet):
    """Empty rows take no part, and what follows keeps the number that it has in the file."""
    found = sheet('a,b\n1,2\n\n3,4\n,\n   \n5,6\n')
    assert found.rows['a'].tolist() == [1, 3, 5] and found.numbers.tolist() == [1, 3, 6]
    with pytest.raises(UserError, match="row 5, column 'b': 'x' is no number"):
        sheet('a,b\n1,2\n\n3,4\n,\n5,x\n', numbers=['b'])


def test_rows_inside_a_cell_are_said(sheet):
    """A quotation mark that is left open takes in the rows up to the next one; a text of several lines does not look so."""
    rows = [f'item {number},{number}.5,yes' for number in range(30)]
    rows[5], rows[20] = '"item 5,5.5,yes', 'item 20",20.5,yes'
    found = sheet('\n'.join(['name,size,label', *rows]))
    assert len(found.rows) == 15
    assert found.notes == (
        "x.csv, row 6, column 'name': one cell holds 14 lines that look like rows; is a quotation mark left open?",
    )
    poem = '"One, two,\nthree\nfour, five\nsix, seven\neight\nnine, ten"'
    assert sheet(f'text,label\n{poem},a\nshort,b\n').notes == ()


def test_words_that_are_missing_numbers_or_categories(sheet):
    rows = sheet('a,b,c\n1,None,x\nNone,NA,\nn/a,y,NULL\n').rows
    assert np.isnan(rows['a']).tolist() == [False, True, True]
    assert rows['b'].tolist() == ['None', 'NA', 'y'] and rows['c'].tolist() == ['x', '', 'NULL']
    rows = sheet('a,b\n1,None\n-,NA\n2,y\n', form=Form(missing=('-', 'NA'))).rows
    assert np.isnan(rows['a']).tolist() == [False, True, False] and rows['b'].tolist() == ['None', '', 'y']


@pytest.mark.parametrize('cell', ['Infinity', '1e999', '1_000', '1,234', '-', '٣', '0x10', '12%', '1 000'])
def test_what_is_no_number(sheet, cell):
    """Python takes some of these for numbers; a table must not."""
    assert sheet(f'a,b\n1,2\n"{cell}",3\n').rows['a'].tolist() == ['1', cell]
    with pytest.raises(UserError, match=f"row 2, column 'a': '{cell}' is no number"):
        sheet(f'a,b\n1,2\n"{cell}",3\n', numbers=('a',))


def test_thousands_and_decimals(sheet):
    german = sheet('a;b\n1.234,5;1\n-1.000;2\n0,5;3\n', form=Form(decimal=',', thousands='.')).rows
    assert german['a'].tolist() == [1234.5, -1000, 0.5]
    english = sheet('a,b\n"1,234.5",1\n"12,345,678",2\n', form=Form(decimal='.', thousands=',')).rows
    assert english['a'].tolist() == [1234.5, 12345678]
    assert sheet('a;b\n1,234;1\n2,500;2\n').rows['a'].tolist() == ['1,234', '2,500']  # 1.234 or 1234? nobody knows
    for options in ({'decimal': ';'}, {'thousands': ','}, {'separator': ', '}, {'encoding': 'klingon'}):
        with pytest.raises(UserError, match=f'data.options.({next(iter(options))}|decimal)'):
            Form.of({'separator': '', 'decimal': '', 'thousands': '', 'encoding': '', 'missing': (), **options})


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('a;b\n1;2;3\n4;5;6\n', 'row 1: 3 cells; valid: 2'),
        ('a,b,c\n1;2;3\n4;5;6\n', r'row 1: 1 cells.*parted by semicolons\? \(data.options.separator'),
        ('a,b\n1,"x\n2,y\n', 'cannot be read as CSV|1 cells|never closed'),
        (b'a,b\n1,\x81\n', 'no UTF-8 nor cp1252.*data.options.encoding'),
        (b'a,b\n1,\0\n', 'zero bytes'),
        (',\n,\n', 'no rows'),
        (' ,\nx,y\n', None),
    ],
)
def test_what_cannot_be_read_is_said(sheet, text, words):
    if words is None:
        assert sheet(text).rows.dtype.names == ('column 1', 'column 2')
        return
    with pytest.raises(UserError, match=words):
        sheet(text)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'PK\x03\x04' + bytes(40), 'it is an Excel workbook'),
        (gzip.compress(b'a,b\n1,2\n'), 'compressed by gzip'),
        (b'PAR1' + bytes(9), 'it is Parquet'),
        (b'<html>\n<table><tr><td>1,2</td></tr></table>', 'looks like HTML, XML or JSON'),
        (b'[{"a": 1, "b": 2}, {"a": 3, "b": 4}]', 'looks like HTML, XML or JSON'),
        (b'# made in May\na,b\n1,2\n', "row 1: 2 cells; valid: 1, one a column of the first line '# made in May'"),
    ],
    ids=['xlsx', 'gzip', 'parquet', 'html', 'json', 'comment'],
)
def test_files_of_other_programs(sheet, content, words):
    """What the file is, not advice about encodings."""
    with pytest.raises(UserError, match=words):
        sheet(content)


def test_excel_names_the_separator(sheet):
    found = sheet('sep=;\r\na;b\r\n1,5;x\r\n2;y\r\n')
    assert found.rows['a'].tolist() == [1.5, 2] and found.numbers.tolist() == [1, 2]
    assert sheet('"sep=^"\na^b\n1^2,5;\n').rows['b'].tolist() == ['2,5;']


@pytest.mark.parametrize('sign', [':', ' ', '^', '~'])
def test_separators_that_are_not_found_out_are_asked_for(tmp_path, sign):
    lines = [sign.join(row) for row in [('size', 'kind'), *((str(at), 'ab'[at % 2]) for at in range(20))]]
    with pytest.raises(UserError) as said:
        own(tmp_path, lines)
    assert f"parted by '{sign}'? (data.options.separator='{sign}')" in str(said.value)
    assert own(tmp_path, lines, separator=sign).features['features'].fitted.feature_names == ('size',)


def test_points_beside_decimal_commas(sheet):
    """1.234 beside 0,5 is 1234, or nobody knows: never 1.234."""
    text = 'price;rate;code\n999;0,5;1.234\n1.234;1,5;1.235\n'
    with pytest.raises(
        UserError, match=r"row 2, column 'price': '1.234' has a point, where others have a decimal comma"
    ):
        sheet(text, texts=('code',))
    rows = sheet(text, texts=('code',), form=Form(decimal=',', thousands='.')).rows
    assert rows['price'].tolist() == [999, 1234] and rows['code'].tolist() == ['1.234', '1.235']
    assert sheet('a;b\n1.5;0,5\n', form=Form(decimal='.')).rows['a'].tolist() == [1.5]


def test_points_that_may_part_thousands_are_said(sheet):
    """Where cells stand between semicolons and each has three digits behind its point, nobody knows."""
    said = [note for note in sheet('id;price\n1;1.234\n2;12.500\n').notes if 'thousands' in note]
    assert len(said) == 1 and "'1.234' (column 'price') is read as a number with three decimal places" in said[0]
    for text in (
        'id;price\n1;1.234\n2;0.500\n',
        'id;price\n1;1.234\n2;12.5\n',
        'id,price\n1,1.234\n2,12.500\n',
    ):
        assert not any('thousands' in note for note in sheet(text).notes)
    said = [note for note in sheet('id;price;none\n1;;\n2;12.500;\n').notes if 'thousands' in note]
    assert len(said) == 1 and "'12.500' (column 'price')" in said[0], 'empty cells tell nothing'
    known = sheet('id;price\n1;1.234\n2;12.500\n', form=Form(thousands='.'))
    assert known.rows['price'].tolist() == [1234, 12500] and not any('thousands' in note for note in known.notes)


def test_an_earlier_file_decides_what_a_later_one_does_not_tell(tmp_path):
    """Training found decimal commas: '2,500' in a file to predict is 2.5 there, and 1.500 is refused."""
    lines = ['size;kind', *(f'{at / 8:.3f}'.replace('.', ',') + f';{"ab"[at % 2]}' for at in range(40))]
    feature = own(tmp_path, lines).features['features']
    kept = plain.from_json(json.loads(json.dumps(plain.as_json(feature))))
    (tmp_path / 'more.csv').write_text('size;note\n2,500;x\n1,125;y\n')
    (tmp_path / 'same.csv').write_text('size,note\n2.5,x\n1.125,y\n')
    found = [
        np.concatenate(list(one.read(tmp_path / file)[1]))
        for one in (feature, kept)
        for file in ('more.csv', 'same.csv')
    ]
    assert all(np.array_equal(one, found[0]) for one in found) and found[0][0, 0] > found[0][1, 0]
    (tmp_path / 'more.csv').write_text('size;note\n1.500;x\n')
    with pytest.raises(UserError, match=r"'1.500' has a point, where others have a decimal comma"):
        kept.read(tmp_path / 'more.csv')


def test_numbers_that_mean_missing(sheet, tmp_path):
    """-999 in a column of nothing but numbers, however it is written."""
    rows = sheet('a,b\n1,-999\n-999.0,2\n-9.99e2,3\n', form=Form(missing=('-999',))).rows
    assert np.isnan(rows['a']).tolist() == [False, True, True] and np.isnan(rows['b']).tolist() == [True, False, False]
    lines = ['size,kind', *(f'{-1 if at % 10 == 0 else at},{"ab"[at % 2]}' for at in range(40))]
    for missing in (-1, '-1', ('-1',), [-1]):
        assert any("4 of 'size'" in note for note in own(tmp_path, lines, missing=missing).notes)


def test_names_as_they_are_typed(tmp_path):
    """`features=2019,size` and `target=2020` reach a data set as numbers and as one text."""
    lines = ['2019,size,2020', *(f'{at},{at % 5},{"ab"[at % 2]}' for at in range(40))]
    for features in ('2019,size', ('2019', 'size'), (2019, 'size'), ['2019', 'size']):
        assert own(tmp_path, lines, target=2020, features=features).features['features'].schema.features == (
            '2019',
            'size',
        )
    assert own(tmp_path, lines, target=2020, features=2019).features['features'].schema.features == ('2019',)
    for name, value in {'scale_target': 'no', 'target': None, 'features': True, 'unit': ('a',)}.items():
        with pytest.raises(UserError, match=f'data.options.{name}=.*; valid: '):
            own(tmp_path, lines, **{'target': '2020', name: value})


def test_classes_that_may_be_one(tmp_path):
    lines = ['size,kind', *(f'{at},{("Yes", "no", "yes", "1", "1.0")[at % 5]}' for at in range(60))]
    said = "Classes of 'kind' that may be meant as one stand apart: '1' and '1.0'; 'Yes' and 'yes'."
    assert said in own(tmp_path, lines).notes
    assert not any('stand apart' in note for note in own(tmp_path, lines[:1] + ['1,a', '2,b'] * 9).notes)


CELLS = st.one_of(st.integers(-99, 99).map(str), st.floats(-9, 9).map(repr), st.text('abä ,;"\nN/A-', max_size=4))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6), st.sampled_from(',;\t|'), st.booleans())
def test_what_python_writes_is_read(tmp_path_factory, rows, separator, all_quoted):
    """Any cells, written by Python's csv module, come back: as numbers where a whole column is, else as text."""
    import csv

    path = tmp_path_factory.mktemp('sheets') / 'x.csv'
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL)
        writer.writerows([('a', 'b', 'c'), *rows])
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    try:
        found = read_csv(path, header=True)
    except UserError as error:
        assert 'no rows' in str(error) and not kept
        return
    assert found.dtype.names == ('a', 'b', 'c') and len(found) == len(kept)
    for name, cells in zip('abc', zip(*kept, strict=True), strict=True):
        for one, cell in zip(found[name].tolist(), cells, strict=True):
            plain = cell.strip()
            if isinstance(one, float) and not np.isnan(one):
                assert one == float(plain.replace(',', '.'))
            elif isinstance(one, str):
                assert one == plain
            else:
                assert plain.lower() in ('', 'na', 'n/a', 'nan')


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
@example(b'"')
def test_no_file_ends_in_a_traceback(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp('sheets') / 'x.csv'
    path.write_bytes(raw)
    try:
        assert len(read_csv(path, header=None)) > 0
    except UserError as error:
        assert str(path) in str(error) or 'data.options' in str(error)


# ---- tables ------------------------------------------------------------------------------------------------------------


def test_none_decides_the_class(tmp_path):
    """'None' and 'NA' are categories like others, two features of the network, and the user is told of the words."""
    lines = [
        'alley,size,kind',
        *(f'{("None", "NA", "Grvl")[at % 3]},{at},{("no", "None")[at % 3 == 0]}' for at in range(60)),
    ]
    found = own(tmp_path, lines, features=('alley',))
    assert found.features['features'].fitted.feature_names == ('alley = Grvl', 'alley = NA', 'alley = None')
    assert found.features['label'].names == ('None', 'no')
    assert any("20 cells of 'alley' say 'NA'" in note for note in found.notes)
    other = own(tmp_path, lines, features=('alley',), missing=('NA',))
    assert other.features['features'].fitted.feature_names == ('alley = None',)
    assert any("20 of 'alley'" in note for note in other.notes)


@pytest.mark.parametrize('cell', ['Infinity', '-', '"1,234"', '12%', 'about 3'])
def test_one_cell_that_is_no_number(tmp_path, cell):
    """Refused by row, column and cell, with the option that decides otherwise; which then does."""
    lines = ['size,kind', *(f'{at / 7 if at != 30 else cell},{("a", "b")[at % 2]}' for at in range(60))]
    with pytest.raises(UserError, match=r"row 31, column 'size': .* is no number.*data.options.*missing"):
        own(tmp_path, lines)
    found = own(tmp_path, lines, missing=(cell.strip('"'),))
    assert found.splits['train'].arrays['features'].shape[1] == 1 and any("1 of 'size'" in note for note in found.notes)
    assert own(tmp_path, lines, categories=('size',)).splits['train'].arrays['features'].shape[1] > 40
    with pytest.raises(UserError, match='row 31, column'):
        own(
            tmp_path,
            [line.rsplit(',', 1)[0] + ',1' for line in lines[:1]] and lines,
            target='size',
            kind='regression',
            features=('kind',),
        )


def test_categories_by_the_hundred_are_said(tmp_path):
    found = own(tmp_path, ['who,kind', *(f'n{at}x,{("a", "b")[at % 2]}' for at in range(200))])
    assert any("'who' has 160 categories in 160 training rows" in note for note in found.notes)


def test_smote_knows_the_categories_of_a_table(tmp_path):
    """Through `load`: every row of the training split has one colour."""
    lines = ['size,colour,kind', *(f'{at % 9},{"rgb"[at % 3]},{"yes" if at % 5 == 0 else "no"}' for at in range(200))]
    (tmp_path / 'own.csv').write_text('\n'.join(lines))
    options = {'path': str(tmp_path / 'own.csv'), 'target': 'kind'}
    found = data.load({'name': 'table', 'options': options, 'sampling': 'smote', 'stratify': True})
    train = found.splits['train'].arrays['features']
    assert found.features['features'].codes == ((1, 4),) and len(train) == 256
    assert len(np.unique(train[:, 1:], axis=0)) == 3


def test_a_target_in_dollars(tmp_path):
    """The network learns it less its mean, over its deviation; arrays, answers and the description stay in dollars."""
    lines = ['rooms,price', *(f'{at % 7},{200_000 + 31_000 * (at % 7)}' for at in range(70))]
    (tmp_path / 'own.csv').write_text('\n'.join(lines))
    options = {'path': str(tmp_path / 'own.csv'), 'target': 'price', 'kind': 'regression', 'unit': 'USD'}
    found = data.load({'name': 'table', 'options': options})
    targets = found.splits['train'].arrays['target'].astype(np.float64)
    assert found.answer_feature.scaling == pytest.approx((targets.mean(), targets.std())) and targets.max() > 3e5
    assert any('less 29' in note and 'scale_target=False' in note for note in found.notes)
    assert found.answer_feature.answers(np.array([5.0]))[0]['value'] == 5.0
    kept = description.from_json(json.loads(json.dumps(description.as_json(found, checked({'name': 'table'})))))
    assert kept.answer_feature.scaling == found.answer_feature.scaling
    again = data.load({'name': 'table', 'options': options}, fitted=found.fitted)
    assert again.answer_feature == found.answer_feature
    before = data.load({'name': 'table', 'options': options}, fitted={'features': found.fitted['features']})
    assert before.answer_feature.scaling == (0.0, 1.0)  # a run of an earlier version
    plain = data.load({'name': 'table', 'options': {**options, 'scale_target': False}})
    assert plain.answer_feature.scaling == (0.0, 1.0)


def test_names_in_order():
    """Folders, cells and labels alike: numbers as numbers, also inside of names."""
    assert in_order(['10', '2', '1', '-1', '1.5', 'b', 'a']) == ('-1', '1', '1.5', '2', '10', 'a', 'b')
    assert in_order(['class10', 'class2', 'nan', 'inf', '1_0']) == ('1_0', 'class2', 'class10', 'inf', 'nan')
    assert in_order(['10-19', '0-9', '100-']) == ('0-9', '10-19', '100-')


@pytest.mark.parametrize('kind, cells', [('classification', ('a', 'b')), ('regression', ('1.5', '-2'))])
def test_rows_without_an_answer_are_left_out_and_counted(tmp_path, kind, cells):
    lines = ['x,kind', *(f'{row},{cells[row % 2] if row % 5 else ""}' for row in range(40))]
    made = own(tmp_path, lines, kind=kind)
    field, values = ('label', [0, 1]) if kind == 'classification' else ('target', [-2, 1.5])
    found = np.concatenate([split.arrays[field] for split in made.splits.values()])
    assert [(found == value).sum() for value in values] == [16, 16] and len(found) == 32
    assert any("8 rows without a value of 'kind' are left out" in note for note in made.notes)
