"""`make smoke`: what a run costs is measured for that run alone, whatever stands beside it."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jaxlab import figures
from jaxlab.report import page
from launch import smoke

BUSY = 'import time\nwhile time.process_time() < 0.6: pass\nprint("done")'
ASLEEP = 'import time; time.sleep(0.8)'
FAILING = 'import sys; print("out"); print("why", file=sys.stderr); sys.exit(3)'


def program(code: str) -> list[str]:
    return [sys.executable, '-S', '-c', code]


def test_each_run_has_its_own_seconds():
    """A sleeper beside a busy program uses no processor; the clock says the same for both."""
    with ThreadPoolExecutor(2) as pool:
        busy, asleep = pool.map(lambda code: smoke.measured(program(code), 60), (BUSY, ASLEEP))
    assert busy[:2] == (0, 'done\n') and busy[3] >= 0.6 and busy[2] >= 0.6
    assert asleep[:2] == (0, '') and asleep[2] >= 0.8 and asleep[3] < 0.5


def test_a_failing_run_is_told_with_its_last_words():
    code, said, _, _ = smoke.measured(program(FAILING), 60)
    assert (code, said) == (3, 'out\nwhy\n')


def test_a_run_that_does_not_end_is_stopped():
    code, _, seconds, _ = smoke.measured(program('import time; time.sleep(60)'), 0.3)
    assert code is None and seconds < 30


@pytest.mark.parametrize(
    ('seconds', 'processor', 'wrong'),
    [(12.0, 12.0, ''), (70.0, 12.0, ''), (20.0, 35.0, ''), (31.0, 32.0, 'took longer than 30 s')],
)
def test_too_slow_is_slow_by_clock_and_processor(monkeypatch, tmp_path, seconds, processor, wrong):
    """A busy machine makes the clock late, several threads the processor."""
    for name in smoke.LEFT_BEHIND:
        (tmp_path / name).touch()
    monkeypatch.setattr(smoke, 'measured', lambda command, stop: (0, '', seconds, processor))
    assert smoke.run('mlp_xor', tmp_path, 30.0) == (wrong, seconds, processor)


def test_a_run_that_leaves_nothing_has_failed(monkeypatch, tmp_path):
    monkeypatch.setattr(smoke, 'measured', lambda command, stop: (0, '', 1.0, 1.0))
    assert smoke.run('mlp_xor', tmp_path, 30.0).wrong == f'left no {", ".join(smoke.LEFT_BEHIND)}'


def test_a_figure_that_could_not_be_drawn_is_a_failure(monkeypatch, tmp_path):
    """As the page of a report says it of one whose data are wrong."""
    for name in smoke.LEFT_BEHIND:
        (tmp_path / name).touch()
    monkeypatch.setattr(smoke, 'measured', lambda command, stop: (0, '', 1.0, 1.0))
    crooked = figures.Lines('curve', 'A curve', series={'a': (np.arange(3), np.arange(2))})
    with pytest.warns(UserWarning, match='could not be drawn'):
        page.write_report(tmp_path, {'name': 'mlp_xor', 'metrics': {}}, figures=[crooked])
    assert smoke.run('mlp_xor', tmp_path, 30.0).wrong == 'a figure of report.html could not be drawn'
