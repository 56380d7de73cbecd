"""A working directory, data and weights in a bucket, against an emulator of the store and a way to it that can be bad."""

import time

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

import jaxlab
from jaxlab import cloud, files
from jaxlab.data import load
from jaxlab.errors import UserError
from jaxlab.training.start import Start
from tests.cli import command, store
from tests.undrawn import undrawn

SECONDS = 120  # of one start, on a busy machine
FEW = {'training.epochs': 3, 'data.limit': 64, 'training.log_steps': True, 'parallel.devices': 1}
SMALL = tuple(f'--config.{name}={value}' for name, value in FEW.items())
LAST = 24  # updates


@pytest.fixture(scope='module')
def way():
    """To the store. Its clients read the environment at their first use, once in a process."""
    with pytest.MonkeyPatch.context() as patch, store.opened() as found:
        patch.setenv('STORAGE_EMULATOR_HOST', found.url)
        for name in ('TENSORSTORE_GCS_HTTP_URL', 'GOOGLE_AUTH_TOKEN_FOR_TESTING', 'FSSPEC_GCS'):
            patch.delenv(name, raising=False)
        yield found


@pytest.fixture
def bucket(way, tmp_path):
    """A folder of the test's own in the bucket; the way to it is well before and after."""
    way.rule = store.well
    yield files.path_of(f'gs://{store.BUCKET}/{tmp_path.name}')
    way.rule = store.well


@pytest.fixture(scope='module')
def tiny(tmp_path_factory) -> str:
    return command.tiny_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def undisturbed(tiny, tmp_path_factory) -> str:
    """The digest of a run on a disk, that nothing happened to."""
    experiment = jaxlab.experiment(tiny.removeprefix('--config='), **FEW)
    with undrawn():
        return experiment.train(tmp_path_factory.mktemp('disk')).results['params_digest']


def objects(folder) -> set[str]:
    """Names of all that lies beneath."""
    root = str(folder).removeprefix(cloud.SCHEME)
    return {name.removeprefix(f'{root}/') for name in cloud.store().find(root)}


def test_train_resume_evaluate_predict(bucket, tiny, undisturbed, launch, tmp_path):
    run = bucket / 'runs' / 'tiny'
    words = [tiny, f'--workdir={run}', *SMALL]
    said = launch(*words)
    assert said.code == 0, said.err
    left = objects(bucket)
    assert 'runs/index.html' in left
    kinds = {name.split('/')[2] for name in left if name.startswith('runs/tiny/')}
    assert kinds >= {'config.json', 'data.json', 'results.json', 'metrics.jsonl', 'report.html', 'checkpoints', 'steps'}
    assert kinds >= {'events', 'figures'} and not any('.writable' in name for name in left)
    assert len(list((run / 'events').iterdir())) == 1
    first = command.results(run)
    assert first['params_digest'] == undisturbed and len((run / 'metrics.jsonl').read_text().splitlines()) == 3
    again = launch(*words)
    assert f'restored step {LAST}' in again.err and command.results(run)['params_digest'] == undisturbed
    evaluated = launch(*words, '--mode=eval', '--json').json()
    assert evaluated['metrics']['test_loss']['mean'] == pytest.approx(first['metrics']['test_loss']['mean'], rel=1e-5)
    Image.fromarray(np.full((28, 28), 200, np.uint8)).save(tmp_path / 'one.png')
    (told,) = launch(*words, '--mode=predict', f'--input={tmp_path / "one.png"}', '--json').json()['predictions']
    opened = jaxlab.open_run(str(run))
    assert opened.predict(tmp_path / 'one.png') == [told] and len(opened.history) == 3
    _flip_a_byte(run / 'checkpoints' / str(LAST))
    damaged = launch(*words)
    assert 'is damaged' in damaged.err and f'damaged/{LAST}/commit_success.txt' in objects(run)
    assert command.results(run)['params_digest'] == undisturbed


def _flip_a_byte(folder) -> None:
    """In the largest object."""
    found = cloud.store().find(str(folder), detail=True)
    largest = files.path_of(f'gs://{max(found, key=lambda name: found[name]["size"])}')
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 255
    largest.write_bytes(bytes(content))


@pytest.mark.slow
def test_killed_in_the_middle_and_the_same_in_the_end(bucket, tiny, undisturbed, launch):
    """`kill -9` when the first checkpoint is on its way into the bucket or just there."""
    words = [tiny, f'--workdir={bucket}', *SMALL]
    process = command.start(*words)
    command.wait_until(lambda: any('checkpoints/' in name for name in objects(bucket)), process, SECONDS)
    process.kill()
    _, _, err = command.finish(process)
    assert process.returncode == -9 and 'results.json' not in objects(bucket), err
    said = launch(*words)
    assert said.code == 0, said.err
    assert command.results(bucket)['params_digest'] == undisturbed
    assert len((bucket / 'metrics.jsonl').read_text().splitlines()) == 3


def test_one_answer_in_twenty_fails(way, bucket, tiny, undisturbed, launch):
    """A connection that drops after the work was done, or 503; and all of them are slow."""

    def bad(number: int, method: str, path: str) -> str | int:
        time.sleep(0.01)
        return 'pass' if number % 20 else 503 if number % 40 else 'drop'

    way.rule, before = bad, way.count
    said = launch(tiny, f'--workdir={bucket}', *SMALL)
    assert said.code == 0 and 'Traceback' not in said.err, said.err
    assert way.count - before > 100
    assert command.results(bucket)['params_digest'] == undisturbed
    assert len((bucket / 'metrics.jsonl').read_text().splitlines()) == 3


def test_no_such_bucket(way, bucket, tiny, launch):
    """One line, and none is made."""
    said = launch(tiny, '--workdir=gs://misspelt/run', *SMALL)
    assert said.error == (
        'error: cannot write to --workdir=gs://misspelt/run: there is no such bucket; valid: a bucket that can be written'
    )
    assert not files.path_of('gs://misspelt').exists()
    said = launch(tiny, '--data_dir=gs://misspelt/data', *SMALL)
    assert said.error == 'error: gs://misspelt/data: no such file, folder or bucket'


def test_no_permission(way, bucket, tiny, undisturbed, launch):
    """From the start, in the middle of a training, and when the checkpoint is read: nothing is lost."""
    words = [tiny, f'--workdir={bucket}', *SMALL]

    def none(number: int, method: str, path: str) -> int:
        return 403

    way.rule = none
    said = launch(*words)
    assert said.error.endswith(
        f'cannot write to --workdir={bucket}: no permission; valid: a bucket that can be written'
    )

    def until_the_second_checkpoint(number: int, method: str, path: str) -> str | int:
        return 403 if method in ('POST', 'PUT') and 'checkpoints/16' in path else 'pass'

    way.rule = until_the_second_checkpoint
    said = launch(*words)
    assert 'no permission; the last whole checkpoint is kept' in said.error

    def unreadable(number: int, method: str, path: str) -> str | int:
        return 403 if method == 'GET' and 'checkpoints/8/state' in path else 'pass'

    way.rule = unreadable
    said = launch(*words)
    assert 'could not be read: no permission; it is kept' in said.error
    way.rule = store.well
    said = launch(*words)
    assert said.code == 0 and 'restored step 8' in said.err and 'damaged' not in said.err
    assert command.results(bucket)['params_digest'] == undisturbed


def test_data_and_weights_in_a_bucket(bucket, launch, write_config, tmp_path, monkeypatch):
    """A folder of images is copied once, and again what changed; weights of a run on a disk are read from the bucket."""
    monkeypatch.setenv('JAXLAB_CACHE_DIR', str(tmp_path / 'cache'))
    for number in range(8):
        for name, tone in (('dark', 40), ('light', 200)):
            image = tmp_path / 'image.png'
            Image.fromarray(np.full((8, 8, 3), tone + number, np.uint8)).save(image)
            files.write_file(bucket / 'data' / name / f'{number}.png', image.read_bytes())
    here = files.readable(str(bucket / 'data'))
    assert len(list(here.rglob('*.png'))) == 16 and here.is_relative_to(tmp_path / 'cache')
    times = {path: path.stat().st_mtime_ns for path in here.rglob('*.png')}
    (bucket / 'data' / 'dark' / '7.png').unlink()
    files.write_file(bucket / 'data' / 'dark' / '6.png', image.read_bytes())
    cloud.copy_of.cache_clear()
    files.readable(str(bucket / 'data'))
    changed = {
        path.name for path, time_of_it in times.items() if not path.exists() or path.stat().st_mtime_ns != time_of_it
    }
    assert changed == {'6.png', '7.png'}
    found = load({'name': 'folder', 'options': {'image_size': 8}}, str(bucket / 'data'))
    assert found.source == 'files' and sum(split.size for split in found.splits.values()) == 15
    files.write_file(bucket / 'weights.safetensors', save({'model.params.a': np.arange(3.0)}))
    assert Start.read(files.readable(str(bucket / 'weights.safetensors'))).weights['model.params.a'][2] == 2


def test_what_is_no_refusal_of_a_bucket(bucket):
    """A missing object, a damaged one, another package of Google's, what was said already."""
    from gcsfs.retry import HttpError
    from google.protobuf.message import DecodeError

    damaged = ValueError(
        'DATA_LOSS: Error reading gs://lab/run/checkpoints/8/state/d/1: CRC-32C checksum verification failed'
    )
    for error in (
        FileNotFoundError('b/lab/o/x'),
        damaged,
        DecodeError('x'),
        UserError('gs://lab: no'),
        OSError(28, 'full'),
    ):
        assert cloud.refusal(error) == ''
    busy = HttpError({'code': 503, 'message': 'try again'})
    assert cloud.refusal(busy) == 'it does not answer (HttpError: try again, 503)'
    wrapped = RuntimeError('a save failed')
    wrapped.__cause__ = ValueError('PERMISSION_DENIED: Error writing gs://lab/x: HTTP response code: 403')
    assert cloud.refusal(wrapped) == 'no permission'


def test_without_the_packages(monkeypatch, tiny, launch):
    monkeypatch.setattr(cloud.importlib.util, 'find_spec', lambda name: None)
    said = launch(tiny, '--workdir=gs://lab/run')
    assert said.error == "error: 'gs://lab/run' needs the packages of the extra cloud; valid: pip install -e '.[cloud]'"
    assert 'valid: a path, or gs://BUCKET/PATH' in launch(tiny, '--workdir=s3://lab/run').error


def test_a_folder_stays_a_plain_path(bucket, tmp_path):
    assert type(files.path_of(str(tmp_path))) is type(files.path_of(tmp_path)) is type(tmp_path)
    assert files.absolute(files.path_of('gs://bucket/a')) == files.path_of('gs://bucket/a') / ''


def test_nothing_is_left_of_a_file_that_could_not_be_written_whole(bucket, tmp_path):
    for folder in (tmp_path, bucket / 'b'):
        files.write_file(folder / 'text', 'before')
        with pytest.raises(RuntimeError), files.write_atomically(folder / 'text') as file:
            file.write(b'half')
            raise RuntimeError
        assert (folder / 'text').read_text() == 'before'
        assert [path.name for path in folder.iterdir() if 'text' in path.name] == ['text']
        files.append(folder / 'text', 'line')
        assert (folder / 'text').read_text() == 'beforeline\n'
