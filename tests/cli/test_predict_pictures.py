"""--mode=predict with pictures: read by the decoder of training, without the training folder."""

import shutil

import numpy as np
import pytest
from PIL import Image

import jaxlab
from jaxlab.training import runtime

MINE = '''"""My own pictures."""

from configs import common


def get_config(profile='full'):
    config = common.experiment('my_pictures', task='classification', data='folder', model='mlp')
    config.aim = 'Can a small network tell my pictures apart?'
    config.data.options = {'path': 'mine', 'image_size': 16, 'shorter_side': 16}
    config.data.split, config.data.stratify, config.data.scale = 'pooled', True, (-1.0, 1.0)
    config.data.batch_size = 8
    config.model.features = (16,)
    config.optimizer = common.adam(3e-3)
    config.training.epochs = 15
    return common.with_profile(config, profile)
'''


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """40 pictures of 96x32 pixels: what tells two classes apart stands in the middle third, something louder beside it."""
    folder, rng = tmp_path_factory.mktemp('pictures'), np.random.default_rng(0)
    for number in range(40):
        name = ('dark', 'light')[number % 2]
        pixels = rng.integers(0, 255, (32, 96, 3), np.uint8)
        pixels[:, 32:64] = (60, 190)[number % 2] + rng.integers(-20, 20, (32, 32, 3))
        (folder / 'mine' / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / 'mine' / name / f'{number:02}.png')
    return folder


def test_what_was_trained_is_what_predicts_also_without_the_training_folder(pictures, launch, write_config, tmp_path):
    """Training crops the middle, and so does predicting; all that it needs is kept in the run."""
    words = [write_config(MINE), f'--workdir={tmp_path / "run"}']
    given = [*words, f'--data_dir={pictures}']
    assert launch(*given, '--json').json()['metrics']['test_accuracy']['mean'] == 1
    own = tmp_path / 'own'
    shutil.copytree(pictures / 'mine', own)
    predict = ('--mode=predict', f'--input={own}', '--json')
    found = launch(*given, *predict).json()['predictions']
    assert len(found) == 40 and all(f'/{row["class"]}/' in row['file'] for row in found)
    Image.new('RGB', (96, 32)).save(pictures / 'mine' / 'dark' / 'one_more.png')
    assert launch(*given, *predict).json()['predictions'] == found
    assert 'data found' in launch(*given, '--mode=eval').error
    shutil.rmtree(pictures / 'mine')
    assert launch(*words, *predict).json()['predictions'] == found == launch(*given, *predict).json()['predictions']
    assert 'is no folder inside' in launch(*given, '--mode=eval').error
    with pytest.MonkeyPatch.context() as patch:  # the cache and the allocator stay those of the tests
        patch.setattr(runtime, 'start', lambda: None)
        assert jaxlab.open_run(tmp_path / 'run').predict(own) == found
