"""`config.split_seeds`: the same training on several splits, one value of a metric a split."""

import json

import numpy as np
from PIL import Image

from tests.cli import command

SPLIT = command.TINY.replace(
    '    config.training.epochs = 12\n',
    """    config.training.epochs = 2
    config.data.limit = 160
    config.model = {'name': 'mlp', 'features': (8,)}
    config.replicas = 2
    config.split_seeds = (3, 4, 5)
    config.variants = {'slow': {}, 'fast': {'optimizer.learning_rate': 0.1}}
""",
)

PICTURES = """from configs import common


def get_config(profile: str = 'full') -> common.Config:
    config = common.experiment('pictures', task='classification', data='folder', model='mlp')
    config.data.options = {'path': 'pictures', 'image_size': 8}
    config.data.batch_size = 4
    config.model.features = (8,)
    config.optimizer = common.adam(1e-3)
    config.training.epochs = 1
    return common.with_profile(config, profile)
"""


def test_each_split_counts_once(launch, tmp_path):
    config, workdir = command.tiny_config(tmp_path, SPLIT), tmp_path / 'run'
    said = launch(config, f'--workdir={workdir}')
    assert said.code == 0, said.err
    fast = workdir / 'variants' / 'fast'
    ran = [command.results(fast / 'splits' / str(seed)) for seed in (3, 4, 5)]
    whole = command.results(fast)
    assert whole['seeds'] == [3, 4, 5] and whole['replicas'] == 3 and ran[0]['seeds'] == [0, 1]
    values = [np.mean(run['metrics']['validation_accuracy']['values']) for run in ran]
    np.testing.assert_allclose(whole['metrics']['validation_accuracy']['values'], values)
    assert len({run['data']['checksum'] for run in ran}) > 1 or len(set(values)) > 1, 'the splits differ'
    assert [[row[1] for row in run['config_rows'] if row[0] == 'data.split_seed'] for run in ran] == [[3], [4], [5]]
    rows = [json.loads(line) for line in (fast / 'metrics.jsonl').read_text().splitlines()]
    assert [row['epoch'] for row in rows] == [1, 2] and len(rows[0]['train_loss']) == 3
    page = (fast / 'report.html').read_text()
    assert 'Split by split' in page and 'n counts splits of the data' in page and 'every split</th>' in page
    assert 'A Nadeau-Bengio interval says' in page and 'A Student interval' not in page and 'Below 3 splits no' in page
    assert 'is the mean of 2 replicas on one of 3 splits' in page
    assert ['data.split_seed', '(3, 4, 5)', 'split_seeds'] in whole['config_rows']
    page = (workdir / 'comparison.html').read_text()
    assert 'a value is the mean of 2 replicas on one split' in page
    assert 'deviation over splits; n: splits.' in page and 'n: splits' in said.out
    assert 'n = 3 means on one split each, for every variant; thin lines join those of one split' in page
    # What is evaluated is the first split of the first variant.
    again = launch(config, f'--workdir={workdir}', '--mode=eval', '--json')
    assert again.code == 0, again.err
    assert again.json()['params_digest'] == command.results(workdir / 'variants/slow/splits/3')['params_digest']


def test_parts_that_no_seed_changes_are_refused(launch, tmp_path):
    """Folders `train` and `test`: five such trainings would be one, and their error bar nought."""
    draw = np.random.default_rng(0)
    for part, count in (('train', 6), ('test', 3)):
        for name, low in (('dark', 0), ('light', 128)):
            (tmp_path / 'pictures' / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(low, low + 127, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / 'pictures' / part / name / f'{number}.png')
    config = command.tiny_config(tmp_path, PICTURES)
    own = (config, f'--workdir={tmp_path / "run"}', f'--data_dir={tmp_path}', '--config.split_seeds=(3,4)')
    said = launch(*own).error
    assert 'folder has a test part of its own' in said and "valid: config.data.split='pooled'" in said
    assert not list((tmp_path / 'run').rglob('checkpoints'))
    pooled = launch(
        *own, '--config.data.split=pooled', '--config.data.test_fraction=0.3', f'--workdir={tmp_path / "pooled"}'
    )
    assert pooled.code == 0, pooled.err
    ran = [command.results(tmp_path / 'pooled' / 'splits' / seed)['params_digest'] for seed in '34']
    assert ran[0] != ran[1]


def test_refusals(launch, tmp_path):
    config = command.tiny_config(tmp_path, SPLIT)
    for wrong in ('(1,1)', '(1.5,)', '(-1,)'):
        said = launch(config, f'--workdir={tmp_path / "run"}', f'--config.split_seeds={wrong}')
        assert said.code == 2 and 'different whole numbers' in said.error
