"""ETT: windows and borders as papers have them, the persistence and least squares of trap 13."""

import os
from pathlib import Path

import numpy as np
import pytest

from jaxlab import data
from jaxlab.errors import UserError
from jaxlab.tasks.forecasting import rules

REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '') or '/nowhere')
real = pytest.mark.skipif(not (REAL / 'time_series').is_dir(), reason='JAXLAB_DATA_DIR has no time_series')


def test_borders_of_the_stand_in():
    """Each column's windows: 8,209 of training, 2,785 of the test at 336 -> 96; no answer lies beyond its part."""
    found = data.load({'name': 'ett', 'source': 'embedded'})
    assert {name: split.size for name, split in found.splits.items()} == {
        'train': 2 * 8209,
        'validation': 2 * 2785,
        'test': 2 * 2785,
    }
    feature, ends = found.input_feature, {'train': 8640, 'validation': 11_520, 'test': 14_400}
    for name, split in found.splits.items():
        rows = split.arrays['row'] % 14_401
        assert rows.max() + 96 == ends[name]
        some = np.array([0, split.size - 1])
        np.testing.assert_allclose(split.arrays['target'][some], feature.targets(split)[some], atol=1e-6)
        np.testing.assert_allclose(split.arrays['series'][some, :, 0], feature.windows(split)[some], atol=1e-6)
    assert feature.scaling((0.0, 1.0)) == (0, 1) and not np.isnan(found.splits['test'].arrays['series']).any()
    with pytest.raises(UserError, match="data.options.file: 'ETTh3'|ETTh1"):
        data.load({'name': 'ett', 'source': 'embedded', 'options': {'file': 'ETTh3'}})


@real
@pytest.mark.slow
@pytest.mark.parametrize('file, persistence, linear', [('ETTh1', 1.2944, 0.3702), ('ETTh2', 0.4317, 0.2726)])
def test_trap_13(file, persistence, linear):
    found = data.load({'name': 'ett', 'options': {'file': file}}, REAL)
    feature, train, test = found.input_feature, found.splits['train'], found.splits['test']
    known = rules.Known(feature.windows(train), feature.targets(train), feature)
    windows, targets, rows = feature.windows(test), feature.targets(test), test.arrays['row']
    error = lambda rule: np.square(rule(known)(windows, rows, 96) - targets).mean()
    assert round(error(rules.persistence), 4) == persistence and round(error(rules.linear), 4) == linear


def test_the_last_column_is_shown():
    """Columns lie one behind the other; a figure over time shows one of them."""
    feature = data.load({'name': 'ett', 'source': 'embedded', 'options': {'width': 24, 'horizon': 2}}).input_feature
    times = feature.times[feature.last_column :].astype(np.int64)
    assert (np.diff(times[:-1]) > 0).all() and len(times) == 14_401
