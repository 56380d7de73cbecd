"""docs/own_data.md: each of its experiments is built, on data as they arrive; some are trained and predict."""

import json
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
    'boxes': ('detection', 'boxes', 'ssdlite'),
    'masks': ('segmentation', 'masks', 'original_unet'),
    'pairs': ('translation', 'pairs', 'seq2seq'),
}
FOLDERS = ('pictures', 'boxes', 'masks')  # each is a data directory of its own


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
    _pictures_with_places(folder, rng)
    pairs = [
        f'the {one} {two}\tle {two} {one}' for one in ('red', 'green', 'old', 'new') for two in ('cat', 'dog', 'cow')
    ]
    (folder / 'pairs.tsv').write_text('\n'.join(pairs))
    return folder


def _pictures_with_places(folder, rng):
    """Twelve pictures of a bright rectangle: its mask, and its box as COCO has it."""
    for name in ('boxes/images', 'masks/images', 'masks/masks'):
        (folder / name).mkdir(parents=True)
    images, places = [], []
    for at in range(12):
        left, top = rng.integers(0, 30), rng.integers(0, 20)
        mask = np.zeros((40, 60), np.uint8)
        mask[top : top + 16, left : left + 20] = 255
        for kind in ('boxes', 'masks'):
            Image.fromarray(mask // 2 + 60).convert('RGB').save(folder / kind / 'images' / f'{at}.jpg')
        Image.fromarray(mask).save(folder / 'masks' / 'masks' / f'{at}_mask.png')
        images.append({'id': at, 'file_name': f'{at}.jpg', 'width': 60, 'height': 40})
        places.append({'id': at, 'image_id': at, 'category_id': 1 + at % 2, 'bbox': [int(left), int(top), 20, 16]})
    kinds = [{'id': 1, 'name': 'odd'}, {'id': 2, 'name': 'even'}]
    content = {'images': images, 'annotations': places, 'categories': kinds}
    (folder / 'boxes' / 'annotations.json').write_text(json.dumps(content))


def test_every_block_is_known():
    assert set(BLOCKS) == set(KINDS)


def test_the_project_s_experiments_that_are_named():
    """Each with a variant that there is, which needs no published weights."""
    named = re.findall(r'--config=(\w+) --config.data.name=(\w+) --variants=(\w+)', PAGE)
    assert {data for _, data, _ in named} == {'boxes', 'masks', 'pairs'}
    for name, _, variant in named:
        config = configs.only_variants(configs.load(configs.main_folder() / f'{name}.py', 'full'), variant)
        assert 'start' not in config.variants[variant]


def experiment(kind):
    task, data, model = KINDS[kind]
    config = common.experiment('mine', task=task, data=data, model=model)
    config.optimizer, config.data.batch_size = common.adam(1e-3), 8
    exec(BLOCKS[kind], {'config': config})
    return configs.apply(config, {'parallel.devices': 1}, 'test')


@pytest.mark.parametrize('kind', KINDS)
def test_an_experiment_of_the_page(kind, place):
    ready = prepare(experiment(kind), str(place / kind if kind in FOLDERS else place))
    assert ready.data.splits['train'].size > 8 and ready.task is not None and ready.reporter is not None
    if kind == 'table':
        assert ready.data.features['features'].fitted.feature_names[0] == 'size' and ready.reporter.positive == 'yes'
        assert any('decimal comma' in note for note in ready.data.notes)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['boxes', 'masks', 'pairs'])
def test_from_the_folder_to_a_prediction(kind, place, launch, tmp_path):
    """Trained, and used without the data."""
    task, data, model = KINDS[kind]
    block = ''.join(f'    {line}\n' for line in BLOCKS[kind].splitlines())
    head = f"    config = common.experiment('mine', task={task!r}, data={data!r}, model={model!r})\n    config.aim = 'What?'\n"
    (tmp_path / 'mine.py').write_text(
        f'"""Mine."""\nfrom configs import common\n\n\ndef get_config(profile):\n{head}    config.optimizer = common.sgd(1e-3)\n'
        f'    config.data.batch_size = 8\n{block}    return common.with_profile(config, profile)\n'
    )
    words = [f'--config={tmp_path / "mine.py"}', f'--workdir={tmp_path / "run"}']
    trained = launch(*words, f'--data_dir={place / kind if kind in FOLDERS else place}', '--json').json()
    assert trained['data']['examples']['test'] >= 2
    if kind == 'pairs':
        said = launch(*words, '--mode=translate', '--text=the red cat', '--json').json()
        assert len(said['translations']) == 1
        return
    said = launch(*words, '--mode=predict', f'--input={place / kind / "images" / "0.jpg"}', '--json').json()
    assert said['predictions'][0]['size'] == [60, 40] and (tmp_path / 'run' / 'data.json').is_file()
    if kind == 'masks':
        assert {Path(file).name[-8:] for file in said['images']} == {'mask.png', 'rlay.png'}
