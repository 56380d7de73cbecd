"""--mode=translate: typed sentences, a file, a pipe, a terminal that asks; attention as a picture."""

import os
import subprocess
import sys

import pytest

from tests.cli import command

PHRASES = 'hello\nhow are you\nthank you'


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """The five phrases, learned by heart."""
    folder = tmp_path_factory.mktemp('toy')
    found = ['--config=configs/transformer_toy_translation.py:smoke', f'--workdir={folder}']
    code, _, said = command.finish(command.start(*found, '--json'), 300)
    assert code == 0, said
    return [*found, '--mode=translate'], folder


def test_typed_and_in_a_file(launch, toy, tmp_path):
    words, folder = toy
    found = launch(*words, f'--text={PHRASES}', '--attention=2', '--json').json()
    assert [row['translation'] for row in found['translations']] == ['hallo', 'wie geht es dir', 'danke']
    assert all(row['score'] > -1 for row in found['translations'])
    assert sorted(path.name for path in (folder / 'translations').iterdir()) == [
        'attention_0001.png',
        'attention_0002.png',
    ]
    file = tmp_path / 'mine.txt'
    file.write_text('good morning\n\nhow are you strange one two\n', encoding='utf-8')
    said = launch(*words, f'--input={file}', '--beam=1').out.splitlines()[-3:]
    assert said[0] == 'guten morgen' and said[2].endswith('[3 unknown word(s), cut]')  # a blank line has its own answer


def test_what_is_refused(launch, toy):
    words, _ = toy
    assert 'no such file' in launch(*words, '--input=none.txt').error
    assert '--text is given twice' in launch(*words, '--text=a', '--text=b').error
    assert 'exclude each other' in launch(*words, '--text=a', '--input=b').error
    assert 'from 0 to 8' in launch(*words, '--text=a', '--attention=9').error
    assert 'a whole number from 1 up' in launch(*words, '--text=a', '--beam=0').error


@pytest.mark.slow
def test_through_a_pipe_and_in_a_terminal(toy):
    words, _ = toy
    program = [sys.executable, '-m', 'launch', *words]
    run = {'cwd': command.ROOT, 'env': command.environment()}
    piped = subprocess.run(program, input=PHRASES, capture_output=True, text=True, timeout=300, **run)
    assert piped.stdout.split('\n')[:3] == ['hallo', 'wie geht es dir', 'danke'], piped.stderr
    ours, theirs = os.openpty()
    asked = subprocess.Popen(program, stdin=theirs, stdout=subprocess.PIPE, text=True, **run)
    os.write(ours, b'thank you\nhow are you\n\x04')
    said, _ = asked.communicate(timeout=300)
    os.close(ours), os.close(theirs)
    assert asked.returncode == 0 and 'danke' in said and 'wie geht es dir' in said
