"""`launch.pods local`: hosts that are killed, differ, hang or are stopped; processes of this machine play them."""

import random
import signal
import subprocess
import time

import pytest

from tests.cli import command
from tests.pods import rehearsal
from tests.training.test_processes import finish_two, start_hosts

SMALL = '''"""A few epochs of a very small network."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    config = common.experiment('small', task='classification', data='mnist', model='mlp')
    config.aim = 'Does a training survive?'
    config.data.update({'source': 'embedded', 'limit': 64, 'eval_limit': 32, 'batch_size': 6})
    config.model.features = (8,)
    config.optimizer = common.sgd(0.02, 0.9)
    config.training.update({'epochs': 8, 'steps_per_call': 1})
    config.report.examples = 0
    return common.with_profile(config, profile, smoke={})
'''
PROCESSES = 3
SECONDS = 240  # of a whole rehearsal, on a busy machine


@pytest.fixture(scope='module')
def small(tmp_path_factory) -> str:
    return command.tiny_config(tmp_path_factory.mktemp('config'), SMALL)


@pytest.fixture(scope='module')
def undisturbed(small, tmp_path_factory) -> str:
    """The digest of a run that nothing happened to."""
    workdir = tmp_path_factory.mktemp('undisturbed')
    supervisor = rehearsal.start(PROCESSES, small, f'--workdir={workdir}', output=subprocess.PIPE)
    code, _, err = command.finish(supervisor, SECONDS)
    assert code == 0, err
    assert err.count(' epoch 8 ') == 1  # one of them speaks
    assert 'goodput: ' in err and '0 restarts' in err
    return command.results(workdir)['params_digest']


@pytest.mark.slow
def test_killed_three_times_and_the_same_in_the_end(small, undisturbed, tmp_path):
    """At random, once in the first epochs, once while it starts again, once later; any of the three."""
    chance = random.Random(22)
    supervisor = rehearsal.start(PROCESSES, small, f'--workdir={tmp_path}', output=subprocess.PIPE)
    for epochs in (2, 0, 5):
        command.wait_until(lambda: command.epochs_done(tmp_path) >= epochs, supervisor, SECONDS)
        time.sleep(chance.uniform(0, 0.3))
        before = rehearsal.hosts(supervisor)
        rehearsal.kill_one(supervisor, chance)
        rehearsal.wait_for_another_start(supervisor, before)
    code, _, err = command.finish(supervisor, SECONDS)
    assert code == 0 and err.count('supervisor: a process was ended by signal 9') + err.count('asked for it') == 3, err
    assert 'Traceback' not in err and 'restored step' in err
    assert 'is gone: host' in err and 'ends with exit code 42' in err
    found = command.results(tmp_path)
    assert found['params_digest'] == undisturbed and command.epochs_done(tmp_path) == 8
    assert found['goodput']['restarts'] >= 1 and found['goodput']['seconds']['lost'] > 0


@pytest.mark.slow
def test_a_host_whose_config_differs_is_refused_by_all(small, tmp_path):
    """Started by hand, with another seed on one of them: before the first step."""
    words = (small, f'--workdir={tmp_path}', '--config.training.seed=')
    ends = finish_two(start_hosts((*words[:2], f'{words[2]}1'), (*words[:2], f'{words[2]}2')), SECONDS)
    for code, _, err in ends:
        assert code == 2 and 'config.training.seed is 2 on host 1' in err and 'and 1 on host 0' in err, err
        assert 'Traceback' not in err
    assert not (tmp_path / 'metrics.jsonl').exists()


@pytest.mark.slow
def test_a_signal_to_the_supervisor_stops_all_with_a_checkpoint(small, tmp_path):
    supervisor = rehearsal.start(
        2, small, f'--workdir={tmp_path}', '--config.training.epochs=500', output=subprocess.PIPE
    )
    command.wait_until(lambda: command.epochs_done(tmp_path) >= 1, supervisor, SECONDS)
    supervisor.send_signal(signal.SIGTERM)
    code, _, err = command.finish(supervisor, 120)
    assert code == 143 and 'stopped by signal 15 after step' in err and 'start 2' not in err, err
    assert any(path.name.isdigit() for path in (tmp_path / 'checkpoints').iterdir())


@pytest.mark.slow
def test_a_host_that_hangs_is_found(small, tmp_path):
    """One process is stopped (as by a debugger) while both wait for each other: the other says where it stands."""
    words = (small, f'--workdir={tmp_path}', '--config.training.epochs=500', '--hang_seconds=20', '--grace=1')
    supervisor = rehearsal.start(2, *words, restarts=0, output=subprocess.PIPE)
    command.wait_until(lambda: command.epochs_done(tmp_path) >= 1, supervisor, SECONDS)
    stuck = rehearsal.hosts(supervisor)[1]
    subprocess.run(['kill', '-STOP', str(stuck)], check=True)
    code, _, err = command.finish(supervisor, SECONDS)
    assert code == 42, err
    assert 'no update for 20 s: host 0 stands after step' in err and 'loop.py' in err, err
