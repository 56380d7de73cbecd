"""How an experiment is named and found, and how the catalogue shows the names."""

import io
import os

import jax
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from jaxlab.data import features
from jaxlab.experiments import config as configs
from jaxlab.tasks import predicting, sampling
from launch import catalogue
from tests.cli import command


def test_a_bare_name_is_an_experiment_of_the_project(tmp_path, monkeypatch):
    """From any folder; with a profile; a file of one's own keeps its path."""
    monkeypatch.chdir(tmp_path)
    path, profile = configs.split_profile('lenet_mnist')
    assert path.is_file() and path.name == 'lenet_mnist.py' and profile == 'full'
    assert configs.split_profile('lenet_mnist:smoke') == (path, 'smoke')
    assert configs.load(path, 'smoke').name == 'lenet_mnist'
    assert configs.split_profile('mine.py:smoke')[0].as_posix() == 'mine.py'
    assert configs.split_profile('folder/lenet_mnist')[0].as_posix() == 'folder/lenet_mnist'


def test_a_bare_name_from_another_folder_runs(tmp_path):
    said = command.finish(command.start_in(tmp_path, '--config=lenet_mnist', '--mode=describe', '--json'))
    assert said[0] == 0 and '"name": "lenet_mnist"' in said[1], said[2]


@pytest.mark.parametrize('width', [80, 100])
def test_names_are_whole_in_the_catalogue(width, monkeypatch):
    """In a terminal every name stands on one line, and no line is wider than it."""
    rows, out = catalogue.experiments(), io.StringIO()
    terminal = Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False)
    monkeypatch.setattr('rich.console.Console', lambda **options: terminal)
    catalogue.show(rows)
    lines = out.getvalue().splitlines()
    starts = [line.split()[0] for line in lines if line and not line.startswith(' ')]
    assert all(row['name'] in starts for row in rows) and max(map(len, lines)) <= width


def test_one_line_an_experiment_where_no_terminal_is(launch):
    """So that it can be searched: name, question, data, published value."""
    lines = launch('--list').out.splitlines()
    rows = {row['name']: row for row in catalogue.experiments()}
    assert [line.split()[0] for line in lines] == sorted(rows)
    line = next(line for line in lines if line.startswith('lenet_mnist '))
    assert rows['lenet_mnist']['aim'] in line and 'mnist' in line and 'test accuracy 0.9897' in line


WIDE = command.TINY.replace("data='mnist', model='mlp'", "data='folder', model='mlp'").replace(
    "config.data.update({'source': 'embedded', 'limit': 510, 'eval_limit': 100, 'batch_size': 8, 'validation_fraction': 0.1})",
    "config.data.batch_size = 8; config.data.options = {'path': 'pics', 'image_size': 16, 'shorter_side': 16}; "
    "config.data.split = 'pooled'",
)


def test_predicting_decodes_as_training_did_and_block_by_block(launch, tmp_path, monkeypatch):
    """Wide pictures whose class stands in the middle: squashed, their class would be as good as gone. 140 of them are
    decoded 64 at a time."""
    folder, seeds = tmp_path / 'data' / 'pics', np.random.default_rng(0)
    for number in range(140):
        name = ('dark', 'light')[number % 2]
        pixels = seeds.integers(0, 255, (32, 96, 3), np.uint8)
        pixels[:, 40:56] = 40 if name == 'dark' else 215
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f'{number:03}.png')
    config = command.tiny_config(tmp_path, WIDE)
    words = (config, f'--workdir={tmp_path / "run"}', f'--data_dir={tmp_path / "data"}', '--config.training.epochs=15')
    assert launch(*words).code == 0
    seen = []
    decode = features.decode_all
    monkeypatch.setattr(features, 'decode_all', lambda files, how: seen.append(how) or decode(files, how))
    blocks = []
    predicted = predicting.predicted

    def watched(prepared, state, parts):
        return predicted(prepared, state, (blocks.append(len(part)) or part for part in parts))

    monkeypatch.setattr(predicting, 'predicted', watched)
    found = launch(*words, '--mode=predict', f'--input={folder}', '--json').json()['predictions']
    right = [row['class'] == os.path.basename(os.path.dirname(row['file'])) for row in found]
    assert len(found) == 140 and np.mean(right) > 0.95
    assert blocks == [64, 64, 12] and {how.shorter_side for how in seen} == {16}


def test_many_samples_come_block_by_block(tmp_path):
    """150 samples are 64, 64 and 22; a few are drawn at once, as they always were."""
    drawn = []

    class Task:
        def sample(self, state, key, count):
            drawn.append(count)
            return state + jax.random.normal(key, (count, 2, 2, 1))

    many = sampling.sampled(Task(), 1.0, jax.random.key(0), 150)
    assert many.shape == (150, 2, 2, 1) and set(drawn) == {64}
    assert not np.array_equal(many[:64], many[64:128])
    drawn.clear()
    few = sampling.sampled(Task(), 1.0, jax.random.key(0), 5)
    assert drawn == [5] and np.array_equal(few, Task().sample(1.0, jax.random.key(0), 5))
