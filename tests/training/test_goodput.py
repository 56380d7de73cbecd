"""Where the wall time of a run goes: over restarts and pauses, by a clock that the test moves."""

import json
import signal

import pytest

from jaxlab.report.goodput import sentence
from jaxlab.training import goodput
from jaxlab.training.goodput import Goodput, known
from jaxlab.training.loop import Interrupted
from tests.training import lab


class Clock:
    def __init__(self):
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def started(clock, workdir, spent=None, startup=5.0, compiled=1.0) -> Goodput:
    """A start that takes so long, of which so much is compilation."""
    result = Goodput(workdir, True, clock.time, clock)
    clock.time += startup + compiled
    result.resume(spent or {})
    result.started(compiled)
    return result


def test_a_run_without_trouble(clock, tmp_path):
    run = started(clock, tmp_path)
    clock.time += 14
    found = run.end(run.spent(steps=10.0, compilation=1.0, evaluation=3.0))
    assert found == known(tmp_path)
    assert found['wall'] == 20 and found['restarts'] == 0 and found['share'] == 0.5
    assert found['seconds'] == {
        'steps': 10,
        'startup': 5,
        'compilation': 1,
        'evaluation': 3,
        'other': 1,
        'lost': 0,
    }


def test_updates_that_are_made_again_are_lost(clock, tmp_path):
    """Killed 7 s after its checkpoint, started again 3 s later: 10 s lost, one restart, all else is added up."""
    first = started(clock, tmp_path)
    clock.time += 8
    saved = first.spent(steps=8.0, compilation=1.0)
    clock.time += 7 + 3
    second = started(clock, tmp_path, saved)
    clock.time += 4
    found = second.end(second.spent(steps=12.0, compilation=1.0))
    assert found['wall'] == 6 + 8 + 10 + 6 + 4 and found['restarts'] == 1
    assert found['seconds'] == {'steps': 12, 'startup': 10, 'compilation': 2, 'other': 0, 'lost': 10}
    assert sum(found['seconds'].values()) == found['wall']


@pytest.mark.parametrize('number, lost, restarts', [(signal.SIGINT, 0, 0), (signal.SIGTERM, 1000, 1)])
def test_a_pause_is_no_loss(number, lost, restarts, clock, tmp_path):
    """Ctrl-C, and the same command again in the evening; a machine that is taken away is another thing."""
    first = started(clock, tmp_path)
    clock.time += 8
    saved = first.spent(steps=8.0)
    first.interrupted(number, saved)
    clock.time += 1000
    second = started(clock, tmp_path, saved)
    found = second.end(second.spent(steps=8.0))
    assert (found['seconds']['lost'], found['restarts']) == (lost, restarts)
    assert found['wall'] == 6 + 8 + lost + 6


def test_a_finished_run_that_is_asked_again(clock, tmp_path):
    """What came after its last checkpoint is not forgotten."""
    first = started(clock, tmp_path)
    saved = first.spent(steps=0.0)
    clock.time += 9
    first.end(first.spent(steps=0.0, evaluation=9.0))
    clock.time += 500
    second = started(clock, tmp_path, saved)
    found = second.end(second.spent(steps=0.0, evaluation=1.0))
    assert found['seconds']['evaluation'] == 10 and found['seconds']['lost'] == 0


def test_nothing_is_said_of_a_run_that_did_not_end(clock, tmp_path):
    started(clock, tmp_path)
    assert known(tmp_path) == {} and known(tmp_path / 'none') == {}


def test_in_words():
    seconds = {'steps': 50.0, 'startup': 30.0, 'input': 0.01, 'lost': 20.0}
    results = {'goodput': {'wall': 100.0, 'share': 0.5, 'restarts': 1, 'seconds': seconds}}
    said = '1 min 40 s from start to end with 1 restart: 50 % steps, 30 % startup, 20 % lost'
    assert sentence(results) == said and sentence({}) == ''


def test_of_a_real_run(tmp_path):
    """Stopped by SIGTERM, then finished: the parts are all of the wall time; an evaluation says the same."""
    with pytest.raises(Interrupted):
        lab.train(lab.small(), tmp_path, lab.Listener(stop_at=4))
    found = lab.train(lab.small(), tmp_path).facts['goodput']
    assert found['restarts'] == 1 and sum(found['seconds'].values()) == pytest.approx(found['wall'], abs=0.02)
    for part in ('steps', 'startup', 'compilation', 'evaluation', 'checkpoint'):
        assert found['seconds'][part] > 0, part
    assert found['share'] == pytest.approx(found['seconds']['steps'] / found['wall'], abs=0.01)
    assert [list(json.loads(line)) for line in (tmp_path / goodput.LOG).read_text().splitlines()] == [
        ['start'],
        ['start'],
        ['end', 'spent'],
    ]
