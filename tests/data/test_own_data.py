"""docs/own_data.md: each of its experiments is built, on data as they arrive."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs import common
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare

PAGE = (Path(__file__).resolve().parents[2] / 'docs' / 'own_data.md').read_text()
BLOCKS = dict(re.findall(r'```python (\w+)\n(.*?)```', PAGE, re.DOTALL))
KINDS = {  # block -> task, data, model
    'pictures': ('classification', 'folder', 'lenet'),
    'table': ('classification', 'table', 'mlp'),
    'numbers': ('regression', 'table', 'mlp'),
    'text': ('classification', 'text', 'bag'),
    'series': ('forecasting', 'series', 'sequence'),
}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """Forty examples of each kind in one folder."""
    folder = tmp_path_factory.mktemp('own')
    rng = np.random.default_rng(0)
    for at in range(40):
        (folder / 'pictures' / 'ab'[at % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(
            folder / 'pictures' / 'ab'[at % 2] / f'{at}.png'
        )
    rows = [f'{at * 0.5:.1f};{"rgb"[at % 3]};{("no", "yes")[at % 4 == 0]}'.replace('.', ',') for at in range(40)]
    (folder / 'rows.csv').write_text('size;colour;returned\n' + '\n'.join(rows))
    texts = [f'"message {at}, with a comma",{("spam", "ham")[at % 2]}' for at in range(40)]
    (folder / 'messages.csv').write_text('text,label\n' + '\n'.join(texts))
    days = np.datetime64('2024-01-01') + np.arange(60)
    (folder / 'days.csv').write_text('date,value\n' + '\n'.join(f'{day},{at % 7}' for at, day in enumerate(days)))
    return folder


def test_every_block_is_known():
    assert set(BLOCKS) == set(KINDS)


@pytest.mark.parametrize('kind', KINDS)
def test_an_experiment_of_the_page(kind, place):
    task, data, model = KINDS[kind]
    config = common.experiment('mine', task=task, data=data, model=model)
    config.optimizer, config.data.batch_size = common.adam(1e-3), 8
    exec(BLOCKS[kind], {'config': config})
    config = configs.apply(config, {'parallel.devices': 1}, 'test')
    ready = prepare(config, str(place / 'pictures' if kind == 'pictures' else place))
    assert ready.data.splits['train'].size > 10 and ready.task is not None and ready.reporter is not None
    if kind == 'table':
        assert ready.data.features['features'].fitted.feature_names[0] == 'size' and ready.reporter.positive == 'yes'
        assert any('decimal comma' in note for note in ready.data.notes)
