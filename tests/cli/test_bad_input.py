"""Every kind of bad input: one line on stderr that says what, where and what is valid; exit code 2; no traceback."""

import gzip
import os
import struct

import pytest

from jaxlab.tasks.classification.report import ClassificationReport
from tests.cli import command

FIELDS = [  # (words of the command line, what the line says)
    ('--config.training.epoch=3', ('unknown field config.training.epoch', 'did you mean config.training.epochs')),
    ('--config.trainning.epochs=3', ('unknown field config.trainning.epochs', 'config.training.epochs')),
    ('--config.xyzzy=3', ('unknown field config.xyzzy', 'valid: ')),
    ('--config.training.epochs=three', ("config.training.epochs = 'three'", 'a whole number from 0 up')),
    ('--config.training.epochs=1.5', ('config.training.epochs = 1.5', 'a whole number')),
    ('--config.training.epochs=-1', ('config.training.epochs = -1', 'from 0 up')),
    ('--config.training.epochs', ('has no value', '=VALUE')),
    ('--config.data.batch_size=-1', ('config.data.batch_size = -1', 'from 0 up', 'examples an update')),
    ('--config.data.batch_size=None', ('config.data.batch_size = None', 'from 0 up')),
    (
        '--config.data.batch_size=5000',
        ('batch_size = 5000 is larger than the 512 training examples', 'valid: 1 to 512'),
    ),
    ('--config.data.scale=(1.0,0.0)', ('config.data.scale', 'a pair of numbers (low, high)')),
    ("--config.data.scale=('a','b')", ('config.data.scale', 'a pair of numbers (low, high)')),
    ('--config.data.source=disk', ("config.data.source = 'disk'", 'auto, tfds, files, embedded')),
    ('--config.data.shuffle=maybe', ("config.data.shuffle = 'maybe'", 'True or False')),
    ('--config.data.validation_fraction=1', ('config.data.validation_fraction = 1', 'not including, 1')),
    ('--config.training.min_delta=inf', ('config.training.min_delta', 'valid:')),
    ('--config.training.precision=float16', ("config.training.precision = 'float16'", 'float32, bfloat16')),
    ('--config.training.seed=9999999999', ('config.training.seed = 9999999999', 'a whole number from 0 to')),
    ('--config.training.convolutions=mkl', ("config.training.convolutions = 'mkl'", 'auto, onednn, own')),
    (
        '--config.training.matmul_precision=tf32',
        ("config.training.matmul_precision = 'tf32'", 'default, high, highest'),
    ),
    ('--config.training.checkpoint_minutes=-1', ('config.training.checkpoint_minutes = -1', 'from 0 up')),
    ('--config.report.options.figurs=(1,)', ('config.report.options.figurs', "did you mean 'figures'?")),
    (
        "--config.report.options={'main_metrik':'x'}",
        ('config.report.options.main_metrik', "did you mean 'main_metric'?"),
    ),
    ('--config.report.options.sparsity=much', ("config.report.options.sparsity = 'much'", 'True or False')),
    ('--config.report.units.loss=nats', ('unknown field config.report.units.loss',)),
    ('--config.training.best_metric=test_loss', ("'test_loss' would choose by the test split", "'validation_loss'")),
    ('--workdir=', ('--workdir= is empty', 'or leave it out')),
    ('--config.training.patience=3', ('config.training.patience needs config.training.best_metric',)),
    ('--config.training.best_metric=validation_loss', ('not measured while training', 'validation_fraction=0.1')),
    ('--config.training.best_metric=train_los', ("'train_los' is not measured", "did you mean 'train_loss'?")),
    ("--config.training.stop_at={'metric':'train_loss'}", ('config.training.stop_at', 'value: number')),
    ('--config.parallel.devices=99', ('config.parallel.devices = 99', 'valid: 0 (all) to 8')),
    ('--config.parallel.mode=mpi', ("config.parallel.mode = 'mpi'", 'jit, pmap')),
    ("--config.parallel.shard=(('kernel',),)", ('config.parallel.shard', 'pairs')),
    ('--config.replicas=0', ('config.replicas = 0', 'from 1 up')),
    ('--config.optimizer.name=adamm', ("'adamm'", "did you mean 'adam'?")),
    ('--config.optimizer.momentun=0.9', ('momentun', "did you mean 'momentum'?")),
    ('--config.optimizer.learning_rate=fast', ('learning_rate', "'fast'")),
    ('--config.optimizer.schedule=cosin', ("'cosin'", "did you mean 'cosine'?")),
    ('--config.optimizer.nothing.here=1', ('config.optimizer.nothing.here', "has no block 'nothing'")),
    ('--config.model.name=lenett', ("'lenett'", "did you mean 'lenet'?")),
    ('--config.model.clases=10', ('unknown field config.model.clases', "did you mean 'classes'?")),
    ('--config.model.classes=ten', ('config.model.classes of lenet', 'valid: int')),
    ('--config.model.name.deeper=1', ('config.model.name.deeper', "has no block 'name'")),
    ('--config.task.name=clasification', ("'clasification'", "did you mean 'classification'?")),
    ('--config.task.label_smooting=0.1', ('config.task.label_smooting', "did you mean 'label_smoothing'?")),
    ('--config.task.label_smoothing=much', ("config.task.label_smoothing = 'much'", 'valid: float')),
    ('--config.data.name=mnits', ("'mnits'", "did you mean 'mnist'?")),
    ('--config.data.options.colour=1', ('colour', 'no options')),
    ("--config.data.transforms=(('flipp',{}),)", ("'flipp'", "did you mean 'flip'?")),
    ("--config.data.transforms=(('shift',{'pixel':2}),)", ("'pixel'", "did you mean 'pixels'?")),
    ('--config.data.transforms=flip', ("config.data.transforms = 'flip'", 'a tuple')),
    ("--config.needs={'scorer':{'config':'lenet_minst'}}", ('lenet_minst', 'did you mean', 'lenet_mnist.py')),
    (
        "--config.variants={'one':{'training.epoch':1}}",
        ('config.training.epoch (variant one)', 'config.training.epochs'),
    ),
    (  # of one with data of its own, before the first is trained
        "--config.variants={'one':{},'two':{'data.batch_size':8,'training.epoch':1}}",
        ('config.training.epoch (variant two)', 'config.training.epochs'),
    ),
    (
        "--config.variants={'one':{},'two':{'data.batch_size':8,'training.patience':3}}",
        ('config.training.patience needs config.training.best_metric',),
    ),
    ('--mode=trian', ('unknown --mode=trian', "did you mean 'train'?")),
    ('--wokdir=x', ('unknown argument --wokdir=x', "did you mean '--workdir'?")),
    ('--count=5', ('unknown argument --count=5',)),  # an option of --mode=sample alone
    ('--mode=sample', ('no checkpoint', '--mode=train')),
    ('--mode=predict', ('--mode=predict needs --input',)),
    ('--mode=eval', ('no checkpoint', 'train first')),
    ('--data_dir=nowhere', ("data_dir='nowhere' is not a directory",)),
]


@pytest.mark.parametrize('word, says', FIELDS, ids=[word for word, _ in FIELDS])
def test_refused_in_one_line(word, says, launch, lenet, tmp_path):
    if word == '--mode=sample':
        says = ('unknown --mode=sample of this experiment', 'valid: ')
    said = launch(lenet, f'--workdir={tmp_path / "run"}', word).error
    for words in says:
        assert words in said, said
    assert not (tmp_path / 'run' / 'variants').exists()


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        (('--mode=sample', '--count=0'), '--count=0 of --mode=sample; valid: a whole number from 1 up'),
        (('--mode=sample', '--count=many'), '--count=many of --mode=sample; valid: a whole number from 1 up'),
        (('--mode=sample', '--count='), '--count has no value; valid: --count=VALUE'),
        (('--mode=sample', '--cuont=3'), "unknown argument --cuont=3; did you mean '--count'?"),
        (('--mode=sample', '--input=x'), 'unknown argument --input=x'),
        (('--mode=sample',), 'no checkpoint in'),
        (('--mode=predict',), 'unknown --mode=predict of this experiment'),
    ],
)
def test_options_of_a_mode(words, says, launch, tmp_path):
    said = launch('--config=configs/gan_mnist.py:smoke', f'--workdir={tmp_path / "run"}', *words).error
    assert says in said, said


def test_the_modes_of_an_experiment_and_their_options(launch):
    """Without a network, a data set or JAX."""
    said = launch('--config=configs/gan_mnist.py', '--mode=help').out
    assert 'modes of gan_mnist' in said and '--count=... how many (default 64)' in said and 'predict' not in said
    said = launch('--config=configs/lenet_mnist.py', '--mode=help').out
    assert '--input=... IMAGE, FOLDER of images, ROWS.csv, or TEXTS.txt' in said and 'sample' not in said


FILES = [  # (argument, what the line says)
    ('configs/lenet_minst.py', ('no config file configs/lenet_minst.py', 'did you mean configs/lenet_mnist.py?')),
    ('somewhere/else.py', ('no config file somewhere/else.py', '--list')),
    ('configs/lenet_mnist.py:', ("unknown profile ''", 'full, smoke')),
    (':smoke', ('no file in --config=:smoke',)),
    ('configs/lenet_mnist.py:smok', ("unknown profile 'smok'", "did you mean 'smoke'?", 'full, smoke')),
    ('configs', ('no config file configs',)),
]


@pytest.mark.parametrize('argument, says', FILES)
def test_files_that_are_not_there(argument, says, launch):
    said = launch(f'--config={argument}').error
    assert all(words in said for words in says), said


def test_config_is_missing(launch):
    assert '--config=FILE is missing; valid: --config=configs/NAME.py, or --list' in launch().error


START = 'from configs import common\n\n\ndef get_config(profile):\n    config = common.experiment('
BROKEN = {
    'syntax': (START + "'mine', task=\n", ('mine.py, line 5',)),
    'raises': (
        START + "'mine', task='classification', data='mnist')\n    return 1 / 0\n",
        ('mine.py, line 6', 'ZeroDivisionError'),
    ),
    'import': ('import nothing_of_this_name\n', ('mine.py, line 1', 'nothing_of_this_name')),
    'no function': ('x = 1\n', ('mine.py has no function get_config',)),
    'unknown field': (
        START + "'mine', task='classification', data='mnist')\n    config.data.batchsize = 3\n    return config\n",
        ('config.data.batchsize', 'mine.py', 'did you mean config.data.batch_size?'),
    ),
    'nothing': ('def get_config(profile):\n    pass\n', ('mine.py', 'get_config', 'returned')),
    'not text': ('\x00', ('mine.py',)),
}


@pytest.mark.parametrize('what', BROKEN)
def test_config_files_that_are_wrong(what, launch, write_config):
    text, says = BROKEN[what]
    said = launch(write_config(text)).error
    assert all(words in said for words in says), said


def test_a_workdir_that_cannot_be_written(launch, lenet, tmp_path):
    (tmp_path / 'file').write_text('not a folder')
    for workdir in (tmp_path / 'file' / 'run', tmp_path / 'file', '/proc/run'):
        assert f'cannot write to --workdir={workdir}' in launch(lenet, f'--workdir={workdir}').error


def idx(path, magic: int, shape: tuple[int, ...], content: bytes) -> None:
    path.write_bytes(struct.pack(f'>{1 + len(shape)}I', magic, *shape) + content)


def test_a_data_directory_with_wrong_contents(launch, lenet, tmp_path):
    folder = tmp_path / 'data' / 'mnist'
    folder.mkdir(parents=True)
    words = (lenet, f'--workdir={tmp_path / "run"}', f'--data_dir={tmp_path / "data"}')
    (folder / 'train-images-idx3-ubyte').write_bytes(b'GIF89a, by mistake')
    assert 'lacks train-labels-idx1-ubyte' in launch(*words).error
    for part, count in (('train', 60), ('t10k', 10)):
        idx(folder / f'{part}-images-idx3-ubyte', 0x803, (count, 28, 28), bytes(count * 784))
        idx(folder / f'{part}-labels-idx1-ubyte', 0x801, (count,), bytes(count))
    idx(folder / 'train-images-idx3-ubyte', 0x901, (60, 28, 28), bytes(60 * 784))
    assert 'is not an idx file' in launch(*words).error
    idx(folder / 'train-images-idx3-ubyte', 0x803, (60, 28, 28), bytes(59 * 784))
    assert 'truncated or damaged' in launch(*words).error
    os.remove(folder / 'train-images-idx3-ubyte')
    content = struct.pack('>4I', 0x803, 60, 28, 28) + os.urandom(60 * 784)
    (folder / 'train-images-idx3-ubyte.gz').write_bytes(gzip.compress(content)[:500])
    assert 'cannot be read' in launch(*words).error


def test_data_that_must_come_from_files_and_does_not(launch, lenet, tmp_path):
    said = launch(lenet, f'--workdir={tmp_path / "run"}', '--config.data.source=files').error
    assert 'mnist is not there as files' in said and 'idx files' in said


def test_a_corrupted_checkpoint_without_another(launch, tmp_path):
    """The only one: nothing to fall back to."""
    words = (f'{command.tiny_config(tmp_path)}:smoke', f'--workdir={tmp_path / "run"}')
    assert launch(*words).code == 0
    for path in (tmp_path / 'run' / 'checkpoints' / '8' / 'state').rglob('*'):
        if path.is_file():
            path.write_bytes(b'')
    said = launch(*words)
    assert 'every checkpoint in' in said.error and '--fresh' in said.error
    assert 'checkpoint of step 8' in said.err and 'is damaged' in said.err


def test_predicting_without_an_image(launch, lenet, tmp_path):
    words = (lenet, f'--workdir={tmp_path / "run"}', '--mode=predict')
    assert 'no such file or folder' in launch(*words, f'--input={tmp_path / "missing.png"}').error
    (tmp_path / 'text.png').write_text('not an image')
    assert 'not an image that can be read' in launch(*words, f'--input={tmp_path / "text.png"}').error
    (tmp_path / 'empty').mkdir()
    assert 'no image in this folder' in launch(*words, f'--input={tmp_path / "empty"}').error


@pytest.mark.parametrize('words', [['minst.py'], ['mnist.py:smoke', '--config.data.batch_size=-1']])
def test_the_program_itself(words):
    """As a person starts it: nothing else on stderr."""
    code, out, err = command.run(f'--config=configs/lenet_{words[0]}', *words[1:])
    assert code == 2 and out == '' and err.startswith('error: ') and err.count('\n') == 1


def test_a_bug_keeps_its_traceback(launch, tmp_path, monkeypatch):
    """Not everything is the user's fault."""
    monkeypatch.setattr(ClassificationReport, 'report', lambda *_: {}['a bug'])
    with pytest.raises(KeyError, match='a bug'):
        launch(f'{command.tiny_config(tmp_path)}:smoke', f'--workdir={tmp_path / "run"}')
