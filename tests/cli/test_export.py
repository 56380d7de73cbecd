"""--export: what the archive holds, that it is used without anything else, and archives of other versions: one line."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load, save

import jaxlab
from configs import common
from jaxlab.errors import UserError
from jaxlab.experiments.export import card, export
from jaxlab.experiments.watching import Printing
from jaxlab.training import runtime
from tests.cli import command
from tests.undrawn import undrawn

HEAVY = ('sklearn', 'skimage', 'matplotlib', 'torch', 'tensorflow', 'pandas', 'pyarrow', 'tensorboardX', 'tokenizers')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """Eight pictures of each of two classes, and a small network that was trained on them and exported."""
    folder, rng = tmp_path_factory.mktemp('export'), np.random.default_rng(0)
    for at in range(16):
        pixels = rng.integers(0, 60, (12, 20, 3), np.uint8) + np.uint8((20, 180)[at % 2])
        (folder / 'mine' / ('dark', 'light')[at % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / 'mine' / ('dark', 'light')[at % 2] / f'{at}.png')
    config = common.experiment('mine', task='classification', data='folder', model='mlp')
    config.aim, config.limits = 'Dark or light?', ('Nothing but grey noise was seen.',)
    config.data.options = {'path': 'mine', 'image_size': 8, 'shorter_side': 8}
    config.data.batch_size, config.data.stratify = 4, True
    config.model.features, config.optimizer, config.training.epochs = (4,), common.adam(1e-2), 2
    config.parallel.devices = 1
    with pytest.MonkeyPatch.context() as patch, undrawn():  # the cache and the allocator stay those of the tests
        patch.setattr(runtime, 'start', lambda: None)
        jaxlab.experiment(config, data_dir=str(folder)).train(folder / 'run', Printing(quiet=True))
        export(folder / 'run', folder / 'model.zip')
    return folder


@pytest.fixture
def given(place, tmp_path, monkeypatch):
    """The archive as somebody unpacks it."""
    monkeypatch.setattr(runtime, 'start', lambda: None)
    with zipfile.ZipFile(place / 'model.zip') as archive:
        archive.extractall(tmp_path)
    return tmp_path


def edited(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.slow
def test_used_by_itself(place, given):
    """In a program of its own, which finds no other package than those that predict.py names and what these need."""
    (given / 'sitecustomize.py').write_text(
        f'import sys\n\n\nclass Without:\n    def find_spec(self, name, path=None, target=None):\n'
        f'        if name.partition(".")[0] in {HEAVY}:\n            raise ImportError(name)\n\n\n'
        'sys.meta_path.insert(0, Without())\n'
    )
    env = command.environment(PYTHONPATH=os.pathsep.join((str(given), str(command.ROOT))))
    run = lambda *words: subprocess.run(
        [sys.executable, 'predict.py', *words], cwd=given, env=env, capture_output=True, text=True
    )
    said = run(str(place / 'mine'))
    assert said.returncode == 0, said.stderr
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(rows) == 16 and {row['class'] for row in rows} <= {'dark', 'light'}
    assert rows == jaxlab.open_run(given).predict(place / 'mine')
    wrong = run('nowhere.png')
    assert (
        wrong.returncode == 2 and wrong.stderr.splitlines()[-1] == 'error: --input=nowhere.png: no such file or folder'
    )
    assert 'Traceback' not in wrong.stderr


def test_what_it_holds(given):
    assert {path.name for path in given.iterdir()} == {
        *('README.md', 'predict.py', 'config.json', 'data.json', 'results.json', 'weights.safetensors'),
    }
    text = (given / 'README.md').read_text()
    assert '**Classes**: dark, light' in text and 'on examples that it never saw' in text and 'accuracy: ' in text
    assert 'must not be used for' in text and '- Nothing but grey noise was seen.' in text
    image = json.loads((given / 'data.json').read_text())['features']['image']
    assert image['decoding']['image_size'] == [8, 8] and image['decoding']['shorter_side'] == 8


def test_a_card_without_a_test_part():
    results = {
        'name': 'x',
        'data': {'description': 'd', 'licence': 'l', 'examples': {'train': 9}, 'notes': []},
        'metrics': {'train_loss': {'mean': 0.5}},
    }
    text = card(results, '{"features": {}}', 'x')
    assert 'on examples that it was trained on' in text and 'never saw' not in text


def decoder(content):
    return content['features']['image']['decoding']


DATA = {  # what another version wrote into data.json, and what is said
    "Decoding has no 'gamma'": lambda content: decoder(content).update(gamma=2.2),
    "Decoding lacks 'image_size'": lambda content: decoder(content).pop('image_size'),
    'no dataclass jaxlab.data.features:Hologram': lambda content: content['features']['image'].update(
        {'@': 'jaxlab.data.features:Hologram'}
    ),
    "lacks 'features'": lambda content: content.pop('features'),
    "lacks 'licence'": lambda content: content.pop('licence'),
}


@pytest.mark.parametrize('words', DATA)
def test_descriptions_of_other_versions(given, place, words):
    edited(given / 'data.json', DATA[words])
    with pytest.raises(UserError) as said:
        jaxlab.open_run(given).predict(place / 'mine')
    assert words in str(said.value) and 'valid: the version of jaxlab that wrote it' in str(said.value)


KINDS = {  # what somebody wrote by hand into data.json, and what is said: where, what stands there, what is valid
    "Decoding.shorter_side is 'eight', it must be a whole number": lambda content: decoder(content).update(
        shorter_side='eight'
    ),
    'Decoding.grey is 1, it must be true or false': lambda content: decoder(content).update(grey=1),
    'Decoding.image_size is 8, it must be a list of a whole number, a whole number': lambda content: decoder(
        content
    ).update(image_size=8),
    'ClassLabel.names is (1, 2), it must be a list of a text': lambda content: content['features']['label'].update(
        names=[1, 2]
    ),
    "Image.decoding is 'as before', it must be a Decoding": lambda content: content['features']['image'].update(
        decoding='as before'
    ),
    "features is {'image': 3}, it must be a block, each value a Tensor or": lambda content: content.update(
        features={'image': 3}
    ),
    "splits is {'train': '12'}, it must be a block": lambda content: content.update(splits={'train': '12'}),
    'stand_in is None, it must be true or false': lambda content: content.update(stand_in=None),
    "example is {'image': 5}, it must be a block": lambda content: content.update(example={'image': 5}),
    "data.scale='all'; valid: a tuple of numbers": lambda content: content['settings'].update(scale='all'),
    "settings.options is 'none', it must be a block": lambda content: content['settings'].update(options='none'),
}


@pytest.mark.parametrize('words', KINDS)
def test_values_of_another_kind(given, place, words):
    """One line that names the file and the value; it was a traceback."""
    edited(given / 'data.json', KINDS[words])
    with pytest.raises(UserError) as said:
        jaxlab.open_run(given).predict(place / 'mine')
    assert str(said.value).startswith(f'{given / "data.json"} cannot be read ({words}') and '\n' not in str(said.value)


CONFIG = {
    "unknown field config.model.gates of mlp; did you mean 'features'?": lambda content: content['model'].update(
        gates=3
    ),
    "unknown config.task.name 'sorting'": lambda content: content['task'].update(name='sorting'),
    'config.model.name is missing': lambda content: content.pop('model'),
    'lies in no block': lambda content: content.update(training=3),
}


@pytest.mark.parametrize('words', CONFIG)
def test_configs_of_other_versions(given, place, words):
    edited(given / 'config.json', CONFIG[words])
    with pytest.raises(UserError) as said:
        jaxlab.open_run(given).predict(place / 'mine')
    assert words.partition(';')[0] in str(said.value)


def test_what_another_version_adds_or_does_not_know_yet(given, place):
    """Fields without a say in predicting change nothing; those that are not there have their defaults."""
    before = jaxlab.open_run(given).predict(place / 'mine' / 'dark')
    edited(given / 'config.json', lambda content: content['training'].update(colour='red'))
    edited(given / 'config.json', lambda content: [content['training'].pop('seed'), content.pop('parallel')])
    edited(given / 'data.json', lambda content: decoder(content).pop('ground'))
    edited(given / 'data.json', lambda content: content.update(newer=1))
    assert jaxlab.open_run(given).predict(place / 'mine' / 'dark') == before


WEIGHTS = {
    "the networks have no 'model.params.more'": lambda w: {**w, 'model.params.more': np.zeros(2, np.float32)},
    "lacks 'model.params.Dense_0.bias'": lambda w: {
        name: array for name, array in w.items() if 'Dense_0.b' not in name
    },
    'another shape has': lambda w: {**w, 'model.params.Dense_0.bias': np.zeros(9, np.float32)},
}


@pytest.mark.parametrize('words', WEIGHTS)
def test_weights_that_do_not_fit(given, place, words):
    file = given / 'weights.safetensors'
    file.write_bytes(save(WEIGHTS[words](load(file.read_bytes()))))
    with pytest.raises(UserError) as said:
        jaxlab.open_run(given).predict(place / 'mine')
    assert words in str(said.value) and str(said.value).endswith('valid: the files of one export together')
    assert 'config.start' not in str(said.value)


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('data.json', b'{', 'data.json cannot be read'),
        ('data.json', b'[1]', 'data.json cannot be read'),
        ('config.json', b'{', 'config.json cannot be read'),
        ('config.json', b'[1]', 'config.json holds list'),
        ('results.json', None, 'holds no finished run'),
        ('weights.safetensors', b'x' * 99, 'weights.safetensors: cannot be read'),
        ('weights.safetensors', None, 'holds no trained network'),
        ('data.json', None, 'lacks data.json'),
    ],
)
def test_files_that_are_damaged_or_gone(given, place, name, content, words):
    (given / name).unlink()
    if content is not None:
        (given / name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        jaxlab.open_run(given).predict(place / 'mine')
