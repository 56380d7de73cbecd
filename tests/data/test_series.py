"""Series over time: dates, gaps, windows, splits in the order of time, scaling by training rows, goldens of B14 and B18."""

import os
from pathlib import Path

import numpy as np
import pytest

from jaxlab import data
from jaxlab.data import dates, description
from jaxlab.data.series import windows, with_phases
from jaxlab.data.settings import checked
from jaxlab.errors import UserError

REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '') or '/nowhere')
real = pytest.mark.skipif(not (REAL / 'time_series').is_dir(), reason='JAXLAB_DATA_DIR has no time_series')


@pytest.mark.parametrize(
    'cells, expected',
    [
        (['12.01.2017', '01.02.2017', '15.04.2017'], ['2017-01-12', '2017-02-01', '2017-04-15']),  # one format a column
        (['01/01/81', '01/02/81', '01/03/81', '01/13/81'], ['1981-01-01', '1981-01-02', '1981-01-03', '1981-01-13']),
        (['1949-01', '1949-02'], ['1949-01', '1949-02']),
        (['1949-01-01', '1949-02-01', '1949-03-01'], ['1949-01', '1949-02', '1949-03']),
        (['2016-07-01 00:00:00', '2016-07-01 01:00:00'], ['2016-07-01T00:00:00', '2016-07-01T01:00:00']),
        (['1700', '1701'], ['1700', '1701']),
    ],
)
def test_one_format_a_column(cells, expected):
    assert dates.parse(cells).astype(str).tolist() == expected


def test_dates_that_cannot_be_told():
    with pytest.raises(UserError, match='may be day or month first'):
        dates.parse(['01/02/2017', '02/03/2017'])
    assert str(dates.parse(['01/02/2017', '02/03/2017'], '%d/%m/%Y')[1]) == '2017-03-02'
    with pytest.raises(UserError, match="'soon' is no date"):
        dates.parse(['2017-01-01', 'soon'])
    with pytest.raises(UserError, match='each date once, in order'):
        dates.grid(dates.parse(['2017-01-01', '2017-01-01', '2017-01-02']))
    with pytest.raises(UserError, match='does not lie on steps'):
        dates.grid(np.array(['2017-01-01T00', '2017-01-01T02', '2017-01-01T04', '2017-01-01T05'], 'datetime64[h]'))


def test_places_on_an_even_grid():
    places, step = dates.grid(dates.parse(['2017-01-01', '2017-01-02', '2017-01-05', '2017-01-06']))
    assert places.tolist() == [0, 1, 4, 5] and step == np.timedelta64(1, 'D')
    np.testing.assert_allclose(dates.years(np.array(['1984-07-02', '1985-01-01'], 'datetime64[D]')), [1984.5, 1985])


def test_windows_of_b18():
    """Series 0..9, length 3: seven windows, [0, 1, 2] -> 3 to [6, 7, 8] -> 9; none across a gap."""
    found = windows(np.arange(10.0), 3, 1, ())
    assert found['series'][..., 0].tolist() == [[k, k + 1, k + 2] for k in range(7)]
    assert found['target'][:, 0].tolist() == list(range(3, 10)) == found['row'].tolist()
    gap = windows(np.where(np.arange(10) == 4, np.nan, np.arange(10.0)), 2, 2, ())
    assert gap['row'].tolist() == [2, 7, 8] and gap['target'].tolist() == [[2, 3], [7, 8], [8, 9]]
    assert windows(np.arange(3.0), 3, 1, ())['row'].size == 0
    phases = with_phases(np.zeros(4), np.arange(4), (4.0,))
    np.testing.assert_allclose(phases[:, 1:], [[0, 1], [1, 0], [0, -1], [-1, 0]], atol=1e-6)


OWN = 'day,level\n' + ''.join(f'{day:02d}.03.2020,{value}\n' for day, value in enumerate(range(10, 30), 1) if day != 12)


def own(folder, **options):
    (folder / 'own.csv').write_text(OWN)
    options = {'path': 'own.csv', 'date': 'day', 'value': 'level', 'unit': 'cm', 'width': 2, **options}
    config = {'name': 'series', 'test_fraction': 0.2, 'validation_fraction': 0.2, 'options': options}
    return data.load(config, folder)


def test_a_series_of_ones_own(tmp_path):
    """Parts follow one another; the scaler has seen training rows alone; what a run keeps is enough to go on."""
    found = own(tmp_path)
    rows = {name: split.arrays['row'].tolist() for name, split in found.splits.items()}
    assert rows == {
        'train': [2, 3, 4, 5, 6, 7, 8, 9, 10],
        'validation': [14, 15, 16],
        'test': [17, 18, 19],
    } and found.notes[0] == ('1 rows are missing, in 1 gaps; no window lies across.')
    feature = found.input_feature
    assert (feature.fitted.low, feature.fitted.high) == (10, 20) and feature.scaling((-1.0, 1.0)) == (15, 5)
    assert feature.following(2).astype(str).tolist() == ['2020-03-21', '2020-03-22']
    assert np.array(feature.recent)[:, 0].tolist() == [28, 29] and feature.label == 'level (cm)'
    batch = found.prepare({'series': found.splits['train'].arrays['series'][:1]})
    np.testing.assert_allclose(batch['series'][0, :, 0], [0, 0.1], atol=1e-6)
    again = description.from_json(description.as_json(found, checked({'options': {}}))).input_feature
    assert again.recent == feature.recent and again.fitted == feature.fitted and again.step == (1, 'D')
    joined = own(tmp_path, gaps='join', fit='all').input_feature
    assert len(joined.values) == 19 and joined.fitted.high == 29
    assert own(tmp_path, scaler='deviation').input_feature.scaling((0.0, 1.0)) == (15, np.arange(10, 21).std())


def test_no_answer_reaches_beyond_a_border(tmp_path):
    found = own(tmp_path, horizon=3, gaps='join')
    ends = {name: split.arrays['row'].max() + 2 for name, split in found.splits.items()}
    assert ends['train'] < found.splits['validation'].arrays['row'].min()
    assert ends['validation'] < found.splits['test'].arrays['row'].min()


@pytest.mark.parametrize(
    'options, said',
    [
        ({'gaps': 'fill'}, "data.options.gaps='fill'"),
        ({'width': 0}, 'data.options.width=0'),
        ({'width': 30}, 'give 0 windows'),
        ({'value': 'levels'}, "no column 'levels'"),
        ({'date_format': '%Y'}, 'not every date'),
        ({'periods': (1,)}, 'data.options.periods'),
    ],
)
def test_what_is_wrong_is_said(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        own(tmp_path, **options)


@real
def test_melbourne_as_published():
    """B14: sizes, the filled mean, scaled values, the border; clean files hold the three values, so they are set missing."""
    options = {'width': 10, 'gaps': 'join', 'corrupted': 'mean', 'fit': 'all'}
    found = data.load({'name': 'melbourne', 'test_fraction': 0.2, 'options': options}, REAL)
    feature, train, test = found.input_feature, found.splits['train'], found.splits['test']
    assert [train.size, test.size] == [2912, 728] and train.arrays['series'].shape == (2912, 10, 1)
    assert (
        feature.values[565]
        == feature.values[566]
        == feature.values[1290]
        == pytest.approx(11.186646558815465, abs=1e-12)
    )
    offset, factor = feature.scaling((-1.0, 1.0))
    scaled = (feature.values - offset) / factor
    assert factor == pytest.approx(13.15) and 0.4 * factor + offset == pytest.approx(18.41)
    first = (0.57414449, 0.36121673, 0.42965779, 0.11026616, 0.20152091, 0.20152091, 0.20152091, 0.32319392, 0.65779468)
    assert scaled[:9] == pytest.approx(first, abs=1e-8)
    assert str(feature.times[test.arrays['row'][0]]) == '1989-01-03' and test.arrays['target'][0] == np.float32(18.5)
    assert train.arrays['target'][-1] == np.float32(17.4) and str(feature.following(1)[0]) == '1991-01-01'


@real
def test_melbourne_without_its_faults():
    found = data.load({'name': 'melbourne', 'options': {'width': 10}}, REAL)
    assert '2 rows are missing, in 2 gaps; no window lies across.' in found.notes
    assert found.input_feature.values[565] == 0.2 and sum(split.size for split in found.splits.values()) == 3620


@real
def test_delhi_as_published():
    """B18, the edition to May 2020."""
    options = {'width': 90, 'gaps': 'join', 'fit': 'all'}
    found = data.load({'name': 'delhi', 'test_fraction': 0.2, 'options': options}, REAL)
    feature, train, test = found.input_feature, found.splits['train'], found.splits['test']
    assert len(feature.values) == 1946 and feature.values.sum() == pytest.approx(232100.67)
    assert [train.size, test.size] == [1484, 372] and (feature.fitted.low, feature.fitted.high) == (10.24, 685.36)
    offset, factor = feature.scaling((0.0, 1.0))
    scaled = (feature.values - offset) / factor
    assert scaled[:3] == pytest.approx((0.448779476, 0.260605522, 0.113964925), abs=1e-9)
    targets = (feature.targets(test) - offset) / factor
    assert targets[0, 0] == pytest.approx(0.106840265, abs=1e-9)
    assert (targets.mean(), targets.var()) == pytest.approx((0.131214982, 0.014565263), abs=5e-9)
