"""Killed, stopped, out of room: what was saved stays, and the run ends in the bits of an undisturbed one."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import jax
import pytest

from jaxlab.training.placement import MeshPlacement
from tests.cli import command


@pytest.fixture(scope='module')
def tiny(tmp_path_factory) -> str:
    return command.tiny_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def undisturbed(tiny, launched, tmp_path_factory) -> str:
    """The digest of a run that nothing happened to."""
    workdir = tmp_path_factory.mktemp('undisturbed')
    launched(tiny, f'--workdir={workdir}')
    found = command.results(workdir)
    assert found['steps'] == 12 * 64 and command.epochs_done(workdir) == 12
    return found['params_digest']


@pytest.fixture
def goes_on(tiny, undisturbed, launch):
    """`goes_on(workdir)`: the same command again ends well, in the same bits, with every epoch once in the log."""

    def check(workdir, *more: str) -> None:
        said = launch(tiny, f'--workdir={workdir}', *more)
        assert said.code == 0, said.err
        assert 'restored step' in said.err
        assert command.results(workdir)['params_digest'] == undisturbed
        assert command.epochs_done(workdir) == 12

    return check


def test_kill_9_at_random_moments(tiny, goes_on, tmp_path):
    """Four times: at the first epochs, later, while a checkpoint is being written; started again each time."""
    moments, killed = random.Random(8), 0
    for target in (1, 3, 5, 7):
        process = command.start(tiny, f'--workdir={tmp_path}')
        command.wait_until(lambda: command.epochs_done(tmp_path) >= target, process)
        time.sleep(moments.uniform(0, 0.15))
        killed += process.poll() is None
        process.kill()
        command.finish(process)
    assert killed >= 3
    assert not (tmp_path / 'results.json').exists()
    goes_on(tmp_path)


@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_checkpoints_and_ends(number, code, tiny, goes_on, tmp_path):
    """In seconds, with one line that says how to go on (an Orbax save in flight would hang for 300 s)."""
    process = command.start(tiny, f'--workdir={tmp_path}')
    command.wait_until(lambda: command.epochs_done(tmp_path) >= 4, process)
    process.send_signal(number)
    begun = time.monotonic()
    found, _, err = command.finish(process, 30)
    assert time.monotonic() - begun < 20
    assert found == code, err
    assert 'Traceback' not in err and f'stopped by signal {int(number)} after step' in err.splitlines()[-1]
    step = int(err.splitlines()[-1].split('after step ')[1].split(';')[0])
    assert (tmp_path / 'checkpoints' / str(step)).is_dir()
    goes_on(tmp_path)


def test_a_signal_before_the_first_step_is_heard(tiny, tmp_path):
    """While the program is still starting up."""
    workdir = tmp_path / 'run'
    process = command.start(tiny, f'--workdir={workdir}')
    command.wait_until(workdir.exists, process)
    process.send_signal(signal.SIGINT)
    code, _, err = command.finish(process, 60)
    assert code == 130 and 'Traceback' not in err, err


def test_ctrl_c_reaches_the_compilers_own_processes_too(tiny, launch, tmp_path, monkeypatch):
    """Seen on a GPU: its assembler is a process of its own, dies of the same signal, and the compilation fails."""

    def compile(*arguments, **options):
        if stopped:
            os.kill(os.getpid(), signal.SIGINT)
        raise jax.errors.JaxRuntimeError('INTERNAL: ptxas exited with non-zero error code 2, output: ')

    stopped = True
    monkeypatch.setattr(MeshPlacement, 'compile', compile)
    said = launch(tiny, f'--workdir={tmp_path}')
    assert said.code == 130
    assert said.err.splitlines()[-1] == 'stopped by signal 2 during a compilation; run the same command again to go on'
    stopped = False  # by itself such a failure is a bug
    with pytest.raises(jax.errors.JaxRuntimeError, match='ptxas'):
        launch(tiny, f'--workdir={tmp_path}')


def test_two_signals_end_at_once(tiny, tmp_path):
    """Without waiting for the checkpoint, still in one line."""
    workdir = tmp_path / 'run'
    process = command.start(tiny, f'--workdir={workdir}')
    command.wait_until(workdir.exists, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, _, err = command.finish(process, 60)
    assert code in (130, -signal.SIGINT) and 'Traceback' not in err, err  # a shell shows both as 130


def test_a_signal_is_heard_in_a_needed_experiment(tmp_path):
    """Where another experiment is trained first, that one is stopped, and the command with it."""
    need = "    config.needs = {'scorer': {'config': 'mlp_mnist', 'overrides': {'training.epochs': 2000}}}\n    return common"
    words = (
        command.tiny_config(tmp_path, command.TINY.replace('    return common', need)),
        f'--workdir={tmp_path / "run"}',
    )
    process = command.start(*words)
    command.wait_until(lambda: command.epochs_done(tmp_path / 'run' / 'needs' / 'scorer') >= 1, process)
    process.send_signal(signal.SIGTERM)
    code, _, err = command.finish(process, 60)
    assert code == 143 and 'Traceback' not in err, err
    assert not (tmp_path / 'run' / 'metrics.jsonl').exists()


def test_a_loss_that_is_not_finite_ends_the_run(tiny, launch, tmp_path):
    words = ('--config.optimizer.learning_rate=1e38', '--config.model.batch_norm=False')
    line = launch(tiny, f'--workdir={tmp_path}', *words).error
    assert 'loss is not finite at step' in line and 'no checkpoint yet' in line and 'clip_norm' in line
    assert command.epochs_done(tmp_path) == 0 and not (tmp_path / 'results.json').exists()


def test_the_last_good_checkpoint_is_named(tiny, launch, tmp_path):
    """A schedule that jumps after three epochs: those are kept, and nothing that is broken is saved."""
    jump = '--config.optimizer.schedule=piecewise'
    options = "--config.optimizer.schedule_options={'boundaries': (3,), 'factors': (1.0, 1e38)}"
    line = launch(tiny, f'--workdir={tmp_path}', jump, options, '--config.model.batch_norm=False').error
    assert 'the checkpoint of step 192 is sound' in line
    step = int(line.split('at step ')[1].split(' ')[0])
    assert step > 192
    assert sorted(path.name for path in (tmp_path / 'checkpoints').iterdir()) == ['128', '192']


def out_of_room(err: str, code: int) -> None:
    lines = [line for line in err.splitlines() if line.startswith('error: ')]
    assert code == 2 and len(lines) == 1 and 'Traceback' not in err, err
    assert 'the last whole checkpoint is kept' in lines[0]


@pytest.fixture(scope='module')
def stopped(tiny, tmp_path_factory) -> Path:
    """A run that was stopped after a few epochs, to be copied."""
    workdir = tmp_path_factory.mktemp('stopped')
    process = command.start(tiny, f'--workdir={workdir}')
    command.wait_until(lambda: command.epochs_done(workdir) >= 3, process)
    process.send_signal(signal.SIGTERM)
    assert command.finish(process)[0] == 143
    return workdir


def test_a_file_that_may_not_grow(tiny, stopped, goes_on, tmp_path):
    """The system refuses to write files above 64 KiB: the checkpoint fails, the one before stays."""
    workdir = shutil.copytree(stopped, tmp_path / 'run')
    code, _, err = command.run(tiny, f'--workdir={workdir}', under=('sh', '-c', 'ulimit -f 128; exec "$@"', 'sh'))
    out_of_room(err, code)
    goes_on(workdir)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB of its own."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('a file system can only be mounted by root')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def test_a_full_disk(tiny, stopped, goes_on, small_disk):
    workdir = shutil.copytree(stopped, small_disk / 'run')
    ballast = small_disk / 'ballast'
    with open(ballast, 'wb', buffering=0) as file:
        try:
            while True:
                file.write(b'0' * 4096)
        except OSError:
            pass
    code, _, err = command.run(tiny, f'--workdir={workdir}')
    out_of_room(err, code)
    ballast.unlink()
    goes_on(workdir, '--config.report.examples=1')
