"""A training that does not move is found, and says where it stands."""

import time

import pytest

from launch import hang
from launch.progress import Watcher


@pytest.fixture
def ended(monkeypatch):
    """What would have ended the process."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(hang, 'end_process', lambda line, code: found.append((line, code)))
    return found


def waits_for_ever() -> None:
    time.sleep(0.6)


def test_it_says_where_it_stands(ended):
    watcher = Watcher()
    watcher.progress(7, {})
    with hang.watched(watcher, 0.2, host=3):
        waits_for_ever()
    line, code = ended[0]
    assert code == 42
    assert line.startswith('no update for 0.2 s: host 3 stands after step 7, ends with exit code 42, in\n')
    assert 'in waits_for_ever' in line


def test_the_first_update_may_take_longer(ended):
    """It is compiled first."""
    with hang.watched(Watcher(), 0.2, host=0):
        waits_for_ever()
    assert not ended


def test_signs_of_life(ended):
    """Of this training and of one inside it; evaluations ask for signals."""
    watcher = Watcher(follows=False)
    helper = watcher.helper('inner')
    with hang.watched(watcher, 0.4, host=0):
        for sign in (
            lambda: watcher.started(0, 9, 3),
            lambda: watcher.progress(1, {}),
            lambda: watcher.epoch({'epoch': 1}),
            watcher.stop_requested,
            lambda: helper.progress(2, {}),
            helper.stop_requested,
        ):
            time.sleep(0.25)
            sign()
    assert not ended


@pytest.mark.parametrize('seconds', [0.2, 0.0])
def test_it_ends_with_the_training_and_can_be_switched_off(seconds, ended):
    watcher = Watcher()
    watcher.progress(1, {})
    with hang.watched(watcher, seconds, host=0):
        if not seconds:
            time.sleep(0.4)
    time.sleep(0.4)
    assert not ended
