"""The command line and runs as people use them: values as typed, own folders, narrow and plain terminals, two at once."""

import io
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image
from rich.console import Console

from configs import common
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments.facts import facts
from jaxlab.experiments.prepare import prepare
from jaxlab.experiments.run import alone_in
from jaxlab.models import build_model
from jaxlab.report import terminal
from jaxlab.tasks.supervised import Supervised
from jaxlab.training.events import Events, read_log
from jaxlab.training.identity import check_same
from launch.__main__ import main
from tests.cli import command
from tests.training import lab


def own(tmp_path, **changes):
    """Four grey pictures of each of two classes, and a config for them."""
    for at in range(8):
        folder = tmp_path / 'mine' / 'ab'[at % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((30, 30), 20 * at, np.uint8)).save(folder / f'{at}.png')
    options = {'path': 'mine', 'image_size': 28, 'grey': True}
    return {'data.name': 'folder', 'data.options': options, **changes}


def test_values_as_they_are_typed():
    literals = {
        '1_1_1': '1_1_1',
        '1_0.5': '1_0.5',
        '3': 3,
        '1e-3': 1e-3,
        'none': None,
        '(1, 2)': (1, 2),
        '(' * 9000: '(' * 9000,
    }
    assert {text: configs.literal(text) for text in literals} == literals
    config = common.experiment('mine', task='classification', data='table', model='mlp')
    config.data.options, config.model.features = {'path': 'x.csv', 'features': ('a',)}, (32,)
    typed = ['--config.data.options.path=2024', '--config.data.options.features=b', '--config.model.features=64']
    found = configs.apply(config, configs.parse_overrides(typed), 'test')
    assert (found.data.options.path, found.data.options.features, found.model.features) == ('2024', ('b',), (64,))
    for text in ('1e3', '2024.10', '0x10', '1_1', '007'):  # never as Python writes the number
        typed = [
            f'--config.data.options.path={text}',
            f'--config.aim={text}',
            f'--config.report.options.positive={text}',
        ]
        found = configs.apply(config, configs.parse_overrides(typed), 'test')
        assert (found.data.options.path, found.aim, found.report.options.positive) == (text, text, text)
    several = configs.apply(config, configs.parse_overrides(['--config.model.features=64,32']), 'test')
    assert several.model.features == (64, 32)
    weighted = configs.apply(config, {'task.class_weights': (1.0, 2.0)}, 'test')
    assert configs.apply(weighted, {'task.class_weights': 'balanced'}, 'test').task.class_weights == 'balanced'


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'model.features': ('a', 'b')}, r"model.features of mlp is \('a', 'b'\); valid: a tuple of int"),
        ({'model.features': 64.5}, 'valid: a tuple of int'),
        ({'model.features': (8, -3)}, r'model.features of mlp is \(8, -3\); valid: whole numbers from 0 up'),
        ({'model.dropout': 1.5}, 'model.dropout of mlp is 1.5; valid: a number from 0'),
        ({'model.dropout': -0.5}, 'model.dropout of mlp is -0.5'),
        ({'task.label_smoothing': 1.5}, 'config.task.label_smoothing = 1.5; valid: a number from 0'),
        ({'task.label_smoothing': -0.1}, 'label_smoothing = -0.1'),
        ({'task.class_weights': 'none', 'task.label_smoothing': 0.1}, None),
        ({'task.class_weights': None}, None),  # what `none` is on a command line
    ],
)
def test_values_that_cannot_be(changes, words):
    ready = lambda: prepare(configs.apply(lab.small(), changes, 'test')).task
    if words is None:
        assert ready().class_weights == ()
        return
    with pytest.raises(UserError, match=words):
        ready()


def test_paths_of_configs(tmp_path, monkeypatch):
    """A colon in a folder's name; a config that takes its values from a file beside it."""
    folder = tmp_path / 'at 10:30'
    folder.mkdir()
    (folder / 'my_values.py').write_text('EPOCHS = 7\n')
    (folder / 'mine.py').write_text(
        command.TINY.replace('from configs', 'import my_values\nfrom configs').replace('= 12', '= my_values.EPOCHS')
    )
    before = list(sys.path)
    path, profile = configs.split_profile(f'{folder}/mine.py')
    assert profile == 'full' and configs.load(path, profile).training.epochs == 7
    assert configs.split_profile(f'{folder}/mine.py:smoke') == (folder / 'mine.py', 'smoke') and sys.path == before
    with pytest.raises(UserError, match="unknown profile 'smok'"):
        configs.split_profile('mine.py:smok')


def test_a_folder_named_configs(tmp_path):
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / '__init__.py').write_text('')
    code, out, err = command.finish(command.start_in(tmp_path, '--list'))
    assert code == 0 and 'lenet_mnist' in out, err


def test_a_terminal_of_ascii(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, encoding='ascii'))
    assert main(['--list']) == 0
    sys.stdout.flush()
    assert b'French' in raw.getvalue() and b'?' in raw.getvalue()


def test_a_narrow_terminal():
    """A table keeps the width that it needs."""
    for width in (20, 45):
        out = io.StringIO()
        console = Console(file=out, width=max(width, terminal.NARROWEST))
        terminal.print_results(
            {'name': 'x', 'metrics': {'test_accuracy': {'mean': 0.5, 'values': [0.5]}}, 'aim': 'A'}, console
        )
        assert ' accuracy  0.500000 ' in out.getvalue()


def test_published_numbers_are_those_of_other_data(tmp_path):
    shipped = configs.load(configs.main_folder() / 'mlp_mnist.py', 'smoke')
    mine = configs.apply(shipped, {**own(tmp_path), 'data.limit': 0, 'data.batch_size': 4}, 'test')
    changed = prepare(mine, str(tmp_path), {'data.name': configs.COMMAND_LINE})
    assert facts(changed)['published'] == {} and shipped.published
    assert facts(prepare(mine, str(tmp_path)))['published']  # what the experiment itself says of other data stays


def test_a_network_that_has_nothing_left():
    """LeNet needs 12 pixels; the message says the least, which is enough."""
    task = Supervised()
    task.model, task.input, task.optimizer = build_model({'name': 'lenet'}, classes=3), 'image', optax.sgd(0.1)

    def start(side: int):
        images = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
        return jax.eval_shape(lambda x: task.init(jax.random.key(0), {'image': x}), images)

    with pytest.raises(
        UserError, match=r'LeNet takes no images of 8x8 pixels; valid: data.options.image_size from (\d+) up'
    ) as said:
        start(8)
    side = int(str(said.value).split('from ')[1].split(' ')[0])
    assert start(side)
    with pytest.raises(UserError, match=r'takes no images'):
        start(side - 1)


@pytest.mark.parametrize('padding', ['same', 'valid'])
@pytest.mark.parametrize('kernel', [3, 5])
def test_convolutions_that_have_nothing_left(padding, kernel):
    """The size that is said is the least that will do."""
    options = {'filters': (2, 2, 2), 'pool_after': (1, 3), 'padding': padding, 'kernel_size': kernel}
    model = build_model({'name': 'convnet', **options}, classes=2)

    def start(side: int):
        images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        return jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)

    with pytest.raises(UserError, match=r'valid: data.options.image_size from (\d+) up') as said:
        start(2)
    side = int(str(said.value).split('from ')[1].split(' ')[0])
    assert start(side)
    with pytest.raises(UserError, match='too small'):
        start(side - 1)


@pytest.mark.parametrize(
    ('name', 'size', 'words'),
    [
        ('vae_flowers', 30, 'makes images of 28x28x1 of those of 30x30x1; valid: data.options.image_size=32'),
        ('vae_flowers', 1, 'valid: data.options.image_size=4'),
        ('denoising_mnist', 30, 'makes images of 32x32x1 of those of 30x30x1; valid: data.options.image_size=32'),
        ('dcgan_flowers', 28, 'valid: config.model.generator.channels=1 and config.model.generator.size=7'),
        ('dcgan_flowers', 30, 'valid: config.model.generator.channels=1 and data.options.image_size=32'),
        ('cyclegan_horse2zebra', 32, 'valid: data.name=horse2zebra, in whose place your own pictures may lie'),
    ],
)
def test_other_experiments_on_own_pictures(tmp_path, name, size, words):
    """A size that does not fit is refused before training, with one that does."""
    shipped = configs.load(configs.main_folder() / f'{name}.py', 'smoke')
    changes = own(tmp_path, **{'data.batch_size': 4, 'data.limit': 0, 'data.validation_fraction': 0.0})
    changes['data.options'] = {'path': 'mine', 'image_size': size, 'grey': True}
    with pytest.raises(UserError) as said:
        _ = prepare(configs.apply(shipped, changes, 'test'), str(tmp_path), reported=False).task
    assert words in str(said.value), said.value


@pytest.mark.parametrize(('size', 'grey'), [(28, False), (32, True), (20, False), (30, True)])
def test_a_gan_takes_the_size_of_the_pictures(tmp_path, size, grey):
    shipped = configs.load(configs.main_folder() / 'gan_mnist.py', 'smoke')
    changes = own(tmp_path, **{'data.batch_size': 4, 'data.limit': 0, 'data.validation_fraction': 0.0})
    changes['data.options'] = {'path': 'mine', 'image_size': size, 'grey': grey}
    config = configs.apply(shipped, changes, 'test')
    if size % 4:
        with pytest.raises(UserError, match=r'the data have 30x30x1; valid: data.options.image_size=32'):
            _ = prepare(config, str(tmp_path), reported=False).task
        return
    task = prepare(config, str(tmp_path), reported=False).task
    assert task.generator.size == size // 4 and task.generator.channels == task.image_shape[2] == (1 if grey else 3)


def test_two_commands_in_one_folder(tmp_path):
    with alone_in(tmp_path / 'run'):
        with pytest.raises(UserError, match='another command is at work in .*run; valid: wait for it, or another'):
            with alone_in(tmp_path / 'run'):
                pass
        with alone_in(tmp_path / 'other'):
            pass
    with alone_in(tmp_path / 'run'):
        pass


def test_a_kill_costs_no_epoch_of_the_events(tmp_path):
    """What was written lies in the file soon, before it is closed."""
    events = Events(tmp_path, writer=True)
    events.start([])
    events.write({'epoch': 1, 'step': 5, 'train_loss': [0.5]})
    written = lambda: any(b'train_loss' in path.read_bytes() for path in (tmp_path / 'events').iterdir())
    end = time.monotonic() + 20  # on a busy machine; a second elsewhere
    while not written() and time.monotonic() < end:
        time.sleep(0.1)
    assert written()
    events.close()


def test_epochs_that_a_kill_took_from_the_events_are_written_again(tmp_path):
    """Two epochs reached the file, the checkpoint holds three: after the resume and one more there are four, once each."""
    rows = [{'epoch': e, 'step': 5 * e, 'seconds': 60.0 * e, 'train_loss': [0.5]} for e in range(1, 5)]
    for history, written in (([], rows[:2]), (rows[:3], rows[3:])):
        events = Events(tmp_path, writer=True)
        events.start(history)
        for row in written:
            events.write(row)
        events.close()
    (file,) = (tmp_path / 'events').iterdir()
    assert file.read_bytes().count(b'train_loss') == 4
    assert [row['epoch'] for row in read_log(tmp_path)] == [1, 2, 3, 4]


def test_a_flag_that_cannot_help_is_not_recommended(tmp_path):
    with pytest.raises(UserError, match='or --fresh to start again beside it$'):
        check_same({'replicas': 2, 'a': 1}, {'replicas': 1, 'a': 2}, tmp_path)
    with pytest.raises(UserError, match='--allow_config_change to go on'):
        check_same({'replicas': 2, 'a': 1}, {'replicas': 2, 'a': 2}, tmp_path)


def test_nor_where_the_network_is_another(launch, tmp_path):
    """Of other layers or another rule of updates the flag ends in an error; with another rate it helps."""
    words = (f'{command.tiny_config(tmp_path)}:smoke', f'--workdir={tmp_path / "run"}')
    assert launch(*words).code == 0
    for change in ('model.features=9', 'model.batch_norm=False', 'optimizer.momentum=0'):
        said = launch(*words, f'--config.{change}').error
        assert '--allow_config_change' not in said and '--fresh' in said, change
    assert '--allow_config_change' in launch(*words, '--config.optimizer.learning_rate=0.01').error


def test_a_greater_patience_goes_on(tmp_path):
    """A run that had stopped early is decided anew: with more patience it trains on, and it says which it is."""
    settings = {'training__best_metric': 'train_loss', 'training__min_delta': 100.0, 'training__epochs': 6}
    first = lab.train(lab.small(training__patience=1, **settings), tmp_path)
    assert first.facts['stopped'] and len(first.record.history) == 2
    listener = lab.Listener()
    again = lab.train(lab.small(training__patience=1, **settings), tmp_path, listener)
    assert len(again.record.history) == 2 and any(
        'training had stopped: train_loss was not better' in one for one in listener.said
    )
    more = lab.small(training__patience=4, **settings)
    listener = lab.Listener()
    longer = lab.train(more, tmp_path, listener, allow_change=True)
    assert len(longer.record.history) == 5 and any('it goes on' in one for one in listener.said)
