"""What every mode leaves and prints: --list, describe, train, eval, sample, predict; variants, needs, stand-in data."""

import json
import re
import shutil
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from jaxlab.report import same_examples
from tests.cli import command

FIELDS = (  # of results.json: issue 8, section 3
    'name',
    'config_id',
    'profile',
    'data',
    'metrics',
    'published',
    'parameters',
    'params_digest',
    'steps',
    'seconds',
    'compile_seconds',
    'steps_per_second',
    'device',
    'versions',
)
HEAVY = ('jax', 'jaxlib', 'numpy', 'flax', 'optax', 'orbax', 'sklearn', 'matplotlib')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The smoke profile of lenet_mnist by the program itself, with --json: (workdir, what was printed)."""
    workdir = tmp_path_factory.mktemp('lenet')
    code, out, err = command.run('--config=configs/lenet_mnist.py:smoke', f'--workdir={workdir}', '--json')
    assert code == 0, err
    return workdir, out, err


def test_list_is_faster_than_importing_jax():
    """It imports no heavy library at all; times are the best of three, alternating."""
    code = f"""
import sys
from launch.__main__ import main
code = main(['--list', '--json'])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)"""
    times = {'list': [], 'jax': []}
    for _ in range(3):
        for name, program in (('list', code), ('jax', 'import jax')):
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, '-c', program], cwd=command.ROOT, capture_output=True, text=True, timeout=120
            )
            times[name].append(time.perf_counter() - begun)
            assert done.returncode == 0, done.stderr
            if name == 'list':
                assert done.stderr.strip() == '[]'
                rows = json.loads(done.stdout)
    assert min(times['list']) < min(times['jax'])
    row = next(row for row in rows if row['name'] == 'lenet_mnist')
    assert row['published']['test_accuracy'] == 0.9897 and row['data'] == 'mnist' and row['aim'].endswith('?')


def test_list_shows_every_experiment(launch):
    said = launch('--list')
    assert said.code == 0 and all(word in said.out for word in ('lenet_mnist', 'test accuracy 0.9897'))


def test_what_a_run_leaves(trained):
    workdir, out, _ = trained
    printed, stored = json.loads(out), command.results(workdir)
    assert printed == stored and out.count('\n') == 1
    assert all(field in stored for field in FIELDS)
    assert stored['data']['name'] == 'mnist' and stored['data']['source'] == 'embedded'
    assert stored['data']['examples'] == {'train': 512, 'test': 256}
    assert set(stored['metrics']['test_accuracy']) == {'mean', 'std', 'values'}
    assert stored['published']['test_accuracy']['value'] == 0.9897
    assert stored['parameters'] == 61_706 and re.fullmatch('[0-9a-f]{64}', stored['params_digest'])
    assert stored['steps'] == 16 and stored['profile'] == 'smoke' and stored['steps_per_second'] > 0
    assert {'jax', 'flax', 'numpy', 'python'} <= set(stored['versions'])
    rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    assert [row['step'] for row in rows] == [8, 16] and isinstance(rows[0]['train_loss'], list)
    assert json.loads((workdir / 'config.json').read_text())['data']['batch_size'] == 64
    assert (workdir / 'report.html').read_text().lstrip().lower().startswith('<!doctype html')
    assert list((workdir / 'figures').glob('*.png')) and (workdir / 'checkpoints' / '16').is_dir()


def test_tensorboard_events(trained):
    """One file of records: length, its checksum, content with the tag, checksum."""
    files = list((trained[0] / 'events').iterdir())
    assert len(files) == 1 and '.tfevents.' in files[0].name
    content, records, at = files[0].read_bytes(), [], 0
    while at < len(content):
        (length,) = struct.unpack_from('<Q', content, at)
        records.append(content[at + 12 : at + 12 + length])
        at += 16 + length
    assert at == len(content)
    assert sum(b'train_loss' in record for record in records) == 2


def test_evaluating_equals_the_end_of_training(trained, launch, lenet):
    workdir, out, _ = trained
    before = json.loads(out)
    found = launch(lenet, f'--workdir={workdir}', '--mode=eval', '--json').json()
    assert found['params_digest'] == before['params_digest'] and found['steps'] == before['steps']
    for name, entry in before['metrics'].items():
        assert found['metrics'][name]['mean'] == pytest.approx(entry['mean'], rel=1e-5), name


def test_starting_again_goes_on_and_fresh_starts_beside(trained, launch, lenet):
    workdir = trained[0]
    said = launch(lenet, f'--workdir={workdir}', '--json')
    assert 'restored step 16' in said.err and said.json()['params_digest'] == json.loads(trained[1])['params_digest']
    before = sorted(path for path in workdir.rglob('*') if path.is_file())
    said = launch(lenet, f'--workdir={workdir}', '--fresh', '--json', '--config.training.epochs=1')
    assert said.json()['steps'] == 8 and 'restored' not in said.err
    assert command.results(workdir.with_name(workdir.name + '-2'))['steps'] == 8
    assert sorted(path for path in workdir.rglob('*') if path.is_file()) == before
    refused = launch(lenet, f'--workdir={workdir}', '--config.training.epochs=1').error
    assert 'training.epochs (2 there, 1 here)' in refused and '--allow_config_change' in refused


def test_a_change_of_the_config_can_be_allowed(trained, launch, lenet, tmp_path):
    """One epoch more than the run was made for."""
    shutil.copytree(trained[0], tmp_path / 'run')
    words = ('--config.training.epochs=3', '--allow_config_change', '--json')
    said = launch(lenet, f'--workdir={tmp_path / "run"}', *words)
    assert 'restored step 16' in said.err and said.json()['steps'] == 24


def test_a_workdir_that_is_a_file_gets_a_sibling(launch, lenet, tmp_path):
    (tmp_path / 'run').write_text('')
    said = launch(lenet, f'--workdir={tmp_path / "run"}', '--fresh', '--config.training.epochs=0', '--json')
    assert said.code == 0 and (tmp_path / 'run-2' / 'results.json').is_file()


def test_describing_trains_nothing(launch, tmp_path, monkeypatch):
    said = launch('--config=configs/lenet_mnist.py', f'--workdir={tmp_path / "run"}', '--mode=describe', '--json')
    found = said.json()
    assert found['parameters'] == 61_706 and found['data']['source'] == 'embedded'
    assert found['steps'] == 23 * 60 and found['steps_per_epoch'] == 23  # the stand-in's 60 epochs of 1,437 images
    layers = {row['path']: row for row in found['networks']['model']}
    assert layers['conv1']['parameters'] == 156 and layers['conv1']['output_shape'] == [1, 28, 28, 6]
    assert layers['dense1']['parameters'] == 48_120
    assert found['flops_per_step'] > 64 * 2 * 400_000 and found['memory']['state_bytes'] > 2 * 4 * 61_706
    assert not (tmp_path / 'run').exists()
    monkeypatch.setattr('jaxlab.experiments.prepare.build_report', None)  # nothing is reported
    said = launch('--config=configs/lenet_mnist.py', '--mode=describe')
    assert said.code == 0 and '61,706' in said.out


def test_predicting_with_own_images(trained, launch, lenet, tmp_path):
    for name in ('one.png', 'two.png'):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)).save(tmp_path / name)
    found = launch(lenet, f'--workdir={trained[0]}', '--mode=predict', f'--input={tmp_path}', '--json').json()
    assert [row['file'].rpartition('/')[2] for row in found['predictions']] == ['one.png', 'two.png']
    for row in found['predictions']:
        assert sum(row['probabilities'].values()) == pytest.approx(1, abs=1e-5)
        assert row['probability'] == max(row['probabilities'].values()) and len(row['probabilities']) == 10


def test_stand_in_data_adapt_what_was_not_asked_for(launch, tmp_path):
    """The config's own adaptation, except where the command line says otherwise; every origin is told."""
    words = ('--config=configs/lenet_mnist.py', f'--workdir={tmp_path}', '--mode=describe', '--json')
    adapted = launch(*words).json()
    assert adapted['epochs'] == 60 and adapted['adapted'][0]['field'] == 'training.epochs'
    chosen = launch(*words, '--config.training.epochs=7').json()
    assert chosen['epochs'] == 7 and chosen['adapted'] == []
    origins = {row[0]: row[2] for row in chosen['config_rows']}
    assert origins['training.epochs'] == 'command line' and origins['data.batch_size'] != 'command line'
    assert {row[0]: row[2] for row in adapted['config_rows']}['training.epochs'] == 'stand-in data'


TWO = command.TINY.replace(
    '    return common',
    "    config.variants = {'plain': {}, 'bold': {'optimizer.learning_rate': 0.1}}\n    return common",
)


def test_variants_start_alike_and_are_compared(launch, write_config, tmp_path):
    """The same start and order of data: where nothing differs, the bits are the same."""
    same = TWO.replace("{'optimizer.learning_rate': 0.1}", "{'report.examples': 5}")
    small = ('--config.training.epochs=2', '--config.data.limit=64')
    found = launch(write_config(TWO), f'--workdir={tmp_path / "two"}', *small, '--json').json()
    assert found['reference'] == 'plain' and set(found['variants']) == {'plain', 'bold'}
    runs = {name: command.results(tmp_path / 'two' / 'variants' / name) for name in ('plain', 'bold')}
    assert runs['plain']['params_digest'] != runs['bold']['params_digest']
    assert found['variants']['bold'] == runs['bold']['metrics'] and command.results(tmp_path / 'two') == found
    page = (tmp_path / 'two' / 'comparison.html').read_text()
    assert 'plain' in page and 'bold' in page and 'The same examples: plain and the others' in page
    for name, run in runs.items():
        judged = json.loads((tmp_path / 'two' / 'variants' / name / 'judged.json').read_text())
        assert same_examples.right_of(judged).mean() == pytest.approx(run['metrics']['test_accuracy']['mean'])
    launch(write_config(same, 'same'), f'--workdir={tmp_path / "same"}', *small)
    twins = [command.results(tmp_path / 'same' / 'variants' / name)['params_digest'] for name in ('plain', 'bold')]
    assert twins == [runs['plain']['params_digest']] * 2
    said = launch(write_config(TWO), f'--workdir={tmp_path / "two"}', *small, '--json')
    assert said.err.count('restored step 16') == 2 and said.json()['variants'] == found['variants']


@pytest.fixture(scope='module')
def gan_run(launched, tmp_path_factory):
    workdir = tmp_path_factory.mktemp('gan')
    sizes = (
        "--config.model={'generator': {'name': 'mlp_generator', 'features': (8,)},"
        " 'discriminator': {'name': 'mlp_discriminator', 'features': (8,)}}",
        '--config.data.limit=128',
        '--config.training.epochs=1',
        "--config.needs.scorer.overrides.model={'name': 'lenet'}",
        '--config.needs.scorer.overrides.training.epochs=1',
        '--config.needs.scorer.overrides.data.limit=128',
    )
    launched('--config=configs/gan_mnist.py:smoke', f'--workdir={workdir}', *sizes)
    return workdir, sizes


def test_another_experiment_is_trained_where_one_is_needed(gan_run):
    """The GAN is judged in the features of a LeNet, trained in the run's own folder on the same source of data."""
    workdir = gan_run[0]
    found = command.results(workdir)
    for metric in ('test_frechet_distance', 'frechet_floor', 'train_generator_loss', 'train_discriminator_loss'):
        assert np.isfinite(found['metrics'][metric]['mean'])
    assert (workdir / 'needs' / 'scorer' / 'checkpoints').is_dir()
    assert any('moving average of the generator (decay 0.998' in remark for remark in found['remarks'])
    assert [path.name for path in sorted((workdir / 'snapshots').iterdir())] == ['epoch_0000.npz', 'epoch_0001.npz']
    assert list((workdir / 'figures').glob('*.gif'))


def test_sampling_draws_new_images(gan_run, launch, monkeypatch):
    """From what the run keeps: no data set is loaded."""
    workdir, sizes = gan_run
    monkeypatch.setattr('jaxlab.data.load', None)
    words = ('--config=configs/gan_mnist.py:smoke', f'--workdir={workdir}', *sizes, '--mode=sample', '--json')
    found = [launch(*words, '--count=5', f'--seed={seed}').json() for seed in (0, 1)]
    images = [np.load(item['arrays'])['image'] for item in found]
    assert images[0].shape == (5, 28, 28, 1) and not np.array_equal(*images)
    assert images[0].min() >= 0 and images[0].max() <= 1
    again = launch(*words, '--count=5', '--seed=0').json()
    assert np.array_equal(np.load(again['arrays'])['image'], images[0])
    assert 'unknown --mode=predict of this experiment; valid: train, eval, describe, help, sample' in (
        launch(*words[:-2], '--mode=predict').error
    )
