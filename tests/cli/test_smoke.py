"""`make smoke`: what a run costs is measured for that run alone, whatever stands beside it."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxlab import figures
from jaxlab.report import page
from launch import side_by_side, smoke

BUSY = 'import time\nwhile time.process_time() < 0.6: pass\nprint("done")'
ASLEEP = 'import time; time.sleep(0.8)'
FAILING = 'import sys; print("out"); print("why", file=sys.stderr); sys.exit(3)'

# Forks are made by a process that has no devices, which this one has.
FORKS = """
import json
import sys
from launch import side_by_side
starts = {word: side_by_side.forked([word]) for word in sys.argv[1:]}
found = {name: result[:2] for name, result in side_by_side.measured(starts, 60)}
print(json.dumps(found))
"""


QUICK = side_by_side.Measured(0, '', 1.0, 1.0)


def measured(stop: float, jobs: int = 2, **codes: str) -> dict[str, side_by_side.Measured]:
    starts = {name: side_by_side.program([sys.executable, '-S', '-c', code]) for name, code in codes.items()}
    return dict(side_by_side.measured(starts, stop, jobs))


def test_each_run_has_its_own_seconds():
    """A sleeper beside a busy program uses no processor; the clock says the same for both."""
    found = measured(60, busy=BUSY, asleep=ASLEEP)
    busy, asleep = found['busy'], found['asleep']
    assert busy[:2] == (0, 'done\n') and busy.processor >= 0.6 and busy.seconds >= 0.6
    assert asleep[:2] == (0, '') and asleep.seconds >= 0.8 and asleep.processor < 0.5


def test_so_many_at_a_time():
    begun = time.perf_counter()
    found = measured(60, 1, **dict.fromkeys('abc', 'import time; time.sleep(0.3)'))
    assert len(found) == 3 and time.perf_counter() - begun >= 0.9


def test_a_failing_run_is_told_with_its_last_words():
    code, said, _, _ = measured(60, failing=FAILING)['failing']
    assert (code, said) == (3, 'out\nwhy\n')


def test_a_run_that_does_not_end_is_stopped():
    code, _, seconds, _ = measured(0.3, endless='import time; time.sleep(60)')['endless']
    assert code is None and seconds < 30


def test_none_runs_on_when_the_first_process_stops(tmp_path):
    """As at Ctrl-C: what a run still wrote would come back into a folder that is removed."""
    number = tmp_path / 'number'
    codes = (
        f'import os, time; open("{number}~", "w").write(str(os.getpid())); os.rename("{number}~", "{number}"); time.sleep(60)',
        f'import os, time\nwhile not os.path.exists("{number}"): time.sleep(0.01)',
    )
    runs = side_by_side.measured({code: side_by_side.program([sys.executable, '-S', '-c', code]) for code in codes}, 60)
    assert next(runs)[0] == codes[1]
    runs.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


def test_a_fork_is_the_command_line():
    """Its output, its error line and its exit code are those of `python -m launch`."""
    words = ['--list', '--config=configs/nothing.py']
    here = {'capture_output': True, 'text': True, 'cwd': side_by_side.ROOT, 'timeout': 120}
    forks = subprocess.run([sys.executable, '-c', FORKS, *words], check=True, **here)
    alone = [subprocess.run([sys.executable, '-m', 'launch', word], **here) for word in words]
    assert json.loads(forks.stdout) == {
        word: [one.returncode, one.stdout + one.stderr] for word, one in zip(words, alone, strict=True)
    }
    assert [one.returncode for one in alone] == [0, 2]


@pytest.mark.parametrize(
    ('seconds', 'processor', 'wrong'),
    [(12.0, 12.0, ''), (70.0, 12.0, ''), (20.0, 35.0, ''), (31.0, 32.0, 'took longer than 30 s')],
)
def test_too_slow_is_slow_by_clock_and_processor(tmp_path, seconds, processor, wrong):
    """A busy machine makes the clock late, several threads the processor."""
    for name in smoke.LEFT_BEHIND:
        (tmp_path / name).touch()
    result = side_by_side.Measured(0, '', seconds, processor)
    assert smoke.judged(result, tmp_path, 30.0) == (wrong, seconds, processor)


def test_a_run_that_leaves_nothing_has_failed(tmp_path):
    assert smoke.judged(QUICK, tmp_path, 30.0).wrong == f'left no {", ".join(smoke.LEFT_BEHIND)}'


def test_a_figure_that_could_not_be_drawn_is_a_failure(tmp_path):
    """As the page of a report says it of one whose data are wrong."""
    for name in smoke.LEFT_BEHIND:
        (tmp_path / name).touch()
    crooked = figures.Lines('curve', 'A curve', series={'a': (np.arange(3), np.arange(2))})
    with pytest.warns(UserWarning, match='could not be drawn'):
        page.write_report(tmp_path, {'name': 'mlp_xor', 'metrics': {}}, figures=[crooked])
    assert smoke.judged(QUICK, tmp_path, 30.0).wrong == 'a figure of report.html could not be drawn'
