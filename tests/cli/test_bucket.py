"""A working directory in a bucket: every file of a run is written and read through `jaxlab.files` and epath."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from etils.epath import backend, gpath
from orbax.checkpoint._src.path import gcs_utils
from PIL import Image

import jaxlab
from jaxlab import files
from jaxlab.training import runtime
from tests.cli import command

WORKDIR = 'gs://bucket/deep/run'
SMALL = ('--config.training.epochs=2', '--config.data.limit=64', '--config.training.log_steps=True')


class Bucket(backend._OsPathBackend):
    """A folder that answers to gs:// names; as in a bucket, nothing is appended to an object."""

    def __init__(self, root: Path):
        self.root = root

    def local(self, path: os.PathLike | str) -> str:
        """Where an object lies."""
        name = os.fspath(path)
        return str(self.root / name.removeprefix('gs://')) if name.startswith('gs://') else name

    def open(self, path, mode):
        assert 'a' not in mode
        return super().open(self.local(path), mode)

    def glob(self, path):
        return [f'gs://{os.path.relpath(found, self.root)}' for found in super().glob(self.local(path))]


def _mapped(inner: Callable, paths: int) -> Callable:
    """A method of the local backend whose first arguments are names in the bucket."""
    return lambda self, *given, **options: inner(self, *map(self.local, given[:paths]), *given[paths:], **options)


for number, names in enumerate(
    ('exists isdir listdir makedirs mkdir remove rmtree stat walk', 'rename replace copy'), 1
):
    for name in names.split():
        setattr(Bucket, name, _mapped(getattr(backend._OsPathBackend, name), number))


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The folder behind gs://."""
    behind = Bucket(tmp_path / 'cloud')
    monkeypatch.setitem(gpath._PREFIX_TO_BACKEND, 'gs', behind)
    monkeypatch.setattr(gpath, '_is_tf_installed', lambda: False)
    monkeypatch.setattr(gcs_utils, 'is_hierarchical_namespace_enabled', lambda path: False)
    monkeypatch.setattr(gcs_utils, 'rmtree', lambda path, **options: files.path_of(path).rmtree())
    monkeypatch.setattr(gcs_utils, 'get_kvstore_for_gcs', lambda path: {'driver': 'file', 'path': behind.local(path)})
    monkeypatch.setattr(runtime, 'start', lambda *_: None)
    return behind.root / 'bucket'


def test_train_resume_evaluate_predict(bucket, launch, write_config, tmp_path):
    words = [write_config(command.TINY), f'--workdir={WORKDIR}', *SMALL, '--json']
    first = launch(*words).json()
    folder = bucket / 'deep' / 'run'
    left = {path.relative_to(folder).parts[0] for path in folder.rglob('*') if path.is_file()}
    assert left >= {'config.json', 'data.json', 'results.json', 'metrics.jsonl', 'report.html', 'checkpoints', 'steps'}
    assert left >= {'events', 'figures'} and command.results(folder) == first and command.epochs_done(folder) == 2
    assert len(list((folder / 'events').iterdir())) == 1
    again = launch(*words)
    assert 'restored step' in again.err and again.json()['params_digest'] == first['params_digest']
    evaluated = launch(*words, '--mode=eval').json()
    assert evaluated['metrics']['test_loss']['mean'] == pytest.approx(first['metrics']['test_loss']['mean'], rel=1e-5)
    Image.fromarray(np.full((28, 28), 200, np.uint8)).save(tmp_path / 'one.png')
    (said,) = launch(*words, '--mode=predict', f'--input={tmp_path / "one.png"}').json()['predictions']
    run = jaxlab.open_run(WORKDIR)
    assert run.predict(tmp_path / 'one.png') == [said] and len(run.history) == 2
    files_of_newest = [path for path in (folder / 'checkpoints' / '16').rglob('*') if path.is_file()]
    largest = max(files_of_newest, key=lambda path: path.stat().st_size)
    largest.write_bytes(bytes(byte ^ 255 for byte in largest.read_bytes()))
    damaged = launch(*words)
    assert 'is damaged' in damaged.err and (folder / 'damaged' / '16').is_dir()
    assert not Path('gs:').exists()


def test_a_folder_stays_a_plain_path(bucket, tmp_path):
    assert type(files.path_of(str(tmp_path))) is type(files.path_of(tmp_path)) is type(tmp_path)
    assert files.absolute(files.path_of('gs://bucket/a')) == files.path_of('gs://bucket/a') / ''


def test_nothing_is_left_of_a_file_that_could_not_be_written_whole(bucket, tmp_path):
    for folder in (tmp_path, files.path_of('gs://bucket/b')):
        files.write_file(folder / 'text', 'before')
        with pytest.raises(RuntimeError):
            with files.write_atomically(folder / 'text') as file:
                file.write(b'half')
                raise RuntimeError
        assert (folder / 'text').read_text() == 'before'
        assert [path.name for path in folder.iterdir() if 'text' in path.name] == ['text']
        files.append(folder / 'text', 'line')
        assert (folder / 'text').read_text() == 'beforeline\n'
