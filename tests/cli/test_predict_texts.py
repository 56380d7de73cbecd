"""--mode=predict of a network that reads text: typed, through a pipe, in a file, line by line in a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import command


@pytest.fixture(scope='module')
def words(launched, tmp_path_factory):
    """The smoke profile of rnn_imdb on its stand-in with a bag of words, trained once; its batches are cut to two lengths."""
    folder = tmp_path_factory.mktemp('texts')
    found = ['--config=configs/rnn_imdb.py:smoke', f'--workdir={folder}', '--config.model={"name": "bag"}']
    found += ['--config.optimizer.learning_rate=0.1', '--config.data.options.pad=back', '--config.data.buckets=2']
    launched(*found)
    return [*found, '--mode=predict']


def test_typed_and_in_a_file(launch, words, tmp_path):
    lines = launch(*words, '--text=the film was good\nthe plot was awful', '--json').json()['predictions']
    assert [row['class'] for row in lines] == ['positive', 'negative'] and lines[0]['text'] == 'the film was good'
    (tmp_path / 'mine.txt').write_text('the plot was awful\n\nthe film was good 😀\n', encoding='utf-8')
    said = launch(*words, f'--input={tmp_path / "mine.txt"}').out.splitlines()
    assert [line.rpartition(':')[0] for line in said[-3:]] == ['"the plot was awful"', '""', '"the film was good 😀"']
    assert 'negative' in said[-3] and 'positive' in said[-1]
    assert 'no such file' in launch(*words, '--input=none.txt').error


@pytest.mark.slow
def test_through_a_pipe_and_in_a_terminal(words):
    """A pipe is read whole; a terminal asks line by line until Ctrl-D."""
    program = [sys.executable, '-m', 'launch', *words]
    run = {'cwd': command.ROOT, 'env': command.environment(), 'timeout': 120, 'text': True}
    piped = subprocess.run(program, input='the film was good\nthe plot was awful\n', capture_output=True, **run)
    assert piped.returncode == 0 and len(piped.stdout.strip().splitlines()) == 2
    ours, theirs = os.openpty()
    asked = subprocess.Popen(
        program, stdin=theirs, stdout=subprocess.PIPE, cwd=Path(command.ROOT), env=run['env'], text=True
    )
    os.write(ours, b'the plot was awful\nthe film was good\n\x04')
    said, _ = asked.communicate(timeout=120)
    os.close(ours), os.close(theirs)
    assert asked.returncode == 0
    assert [line for line in said.splitlines() if 'negative' in line] and 'positive (' in said
