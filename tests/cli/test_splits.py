"""`config.split_seeds`: the same training on several splits, one value of a metric a split."""

import json

import numpy as np

from tests.cli import command

SPLIT = command.TINY.replace(
    '    config.training.epochs = 12\n',
    """    config.training.epochs = 2
    config.replicas = 2
    config.split_seeds = (3, 4, 5)
    config.variants = {'slow': {}, 'fast': {'optimizer.learning_rate': 0.1}}
""",
)


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
    assert 'Split by split' in page and 'n counts splits' in page
    assert ['data.split_seed', '(3, 4, 5)', 'split_seeds'] in whole['config_rows']
    page = (workdir / 'comparison.html').read_text()
    assert 'a value is the mean of 2 replicas on one split' in page
    assert 'n = 3 means on one split each, for every variant; thin lines join those of one split' in page
    # What is evaluated is the first split of the first variant.
    again = launch(config, f'--workdir={workdir}', '--mode=eval', '--json')
    assert again.code == 0, again.err
    assert again.json()['params_digest'] == command.results(workdir / 'variants/slow/splits/3')['params_digest']


def test_refusals(launch, tmp_path):
    config = command.tiny_config(tmp_path, SPLIT)
    for wrong in ('(1,1)', '(1.5,)', '(-1,)'):
        said = launch(config, f'--workdir={tmp_path / "run"}', f'--config.split_seeds={wrong}')
        assert said.code == 2 and 'different whole numbers' in said.error
