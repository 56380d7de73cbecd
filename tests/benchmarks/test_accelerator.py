"""The command for an accelerator, rehearsed on the CPU: every part gives numbers, and one that fails costs only itself."""

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.accelerator import __main__ as command
from benchmarks.accelerator import children, cifar10, equality, rows
from benchmarks.accelerator.budget import Budget
from benchmarks.accelerator.context import Context
from benchmarks.accelerator.tables import Table, markdown, text

ROOT = Path(__file__).resolve().parents[2]
FILES = [*(f'data_batch_{number}.bin' for number in range(1, 6)), 'test_batch.bin']


def pictures(folder: Path, each: int = 40) -> Path:
    """CIFAR-10's files with pictures whose colour is their class; returns the data directory."""
    random = np.random.default_rng(0)
    place = folder / cifar10.FOLDER
    place.mkdir(parents=True)
    labels = np.arange(each) % 10
    colours = np.stack([25 * labels, 250 - 25 * labels, np.full(each, 128)], axis=1)
    for name in FILES:
        pixels = np.clip(random.normal(0, 10, (each, 3, 1024)) + colours[:, :, None], 0, 255)
        np.concatenate([labels[:, None], pixels.reshape(each, -1)], axis=1).astype(np.uint8).tofile(place / name)
    return folder


def run(*words: str, seconds: float = 300) -> tuple[int, str, str]:
    """The command line, on the CPU."""
    env = {name: value for name, value in os.environ.items() if name != 'JAXLAB_DATA_DIR'}
    env |= {'JAXLAB_CACHE_DIR': str(ROOT / '.cache' / 'tests'), 'JAX_PLATFORMS': 'cpu'}
    line = [
        sys.executable,
        '-m',
        'benchmarks.accelerator',
        '--tiny',
        '--minutes=30',
        *words,
    ]  # seconds, but on a busy machine
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope='module')
def rehearsal(tmp_path_factory) -> tuple[dict[str, Any], str, str]:
    """(accelerator.json, accelerator.md, stdout) of all parts."""
    folder = tmp_path_factory.mktemp('rehearsal')
    data = pictures(folder / 'data')
    code, out, err = run(f'--out={folder / "out"}', f'--data_dir={data}', '--aim=0.3', '--epochs=6')
    assert code == 0, f'{out}\n{err}'
    found = json.loads((folder / 'out' / 'accelerator.json').read_text())
    return found, (folder / 'out' / 'accelerator.md').read_text(), out


@pytest.mark.slow
def test_every_part_has_numbers(rehearsal):
    found, _, _ = rehearsal
    assert list(found['parts']) == ['equality', 'table', 'replicas', 'bfloat16', 'cifar10']
    assert {part['state'] for part in found['parts'].values()} == {'done'}
    results = {name: part['result'] for name, part in found['parts'].items()}
    assert {entry['model'] for entry in results['equality']['entries']} == {'mlp', 'convnet'}
    for entry in results['equality']['entries']:  # the same program in two processes
        assert entry['same_bits'] and entry['start'] == entry['loss'] == entry['end'] == 0
        assert 0 < entry['last_loss'] < 10
    (row,) = results['table']['entries']
    assert set(row['rows']) == {'jaxlab', 'flax'} and min(row['rows'].values()) > 0 and row['ratio_to_flax'] > 0
    assert set(row['rounding'].values()) == {'float32'} and row['rounds'] >= 1
    (replicas,) = results['replicas']['entries']
    assert set(replicas['ms']) == set(replicas['ratios']) == {'1', '5', '25'}
    assert replicas['ratios']['1'] == [1, 1, 1]
    assert all(0 < low <= ratio <= high for ratio, low, high in replicas['ratios'].values())
    (half,) = results['bfloat16']['entries']
    assert set(half['ms']) == {'jaxlab', 'jaxlab_bf16'} and half['to_float32'][0] > 0
    curve = results['cifar10']['curve']
    assert [point['epoch'] for point in curve] == list(range(1, 7)) and not results['cifar10']['ended_early']
    first = next(point for point in curve if point['accuracy'] >= 0.3)
    assert results['cifar10']['passed'] == first and 0 < first['seconds'] < first['wall']


@pytest.mark.slow
def test_missing_rows_say_why(rehearsal):
    found, pasted, out = rehearsal
    why = found['machine']['no_torch']
    assert re.search('PyTorch is not installed|no accelerator', why)
    (row,) = found['parts']['table']['result']['entries']
    assert row['notes'] == dict.fromkeys(rows.peers('mlp'), why)
    assert f'No rows of PyTorch: {why}' in pasted
    assert f'No rows of PyTorch: {why}' in ' '.join(out.split())


@pytest.mark.slow
def test_what_is_printed_and_pasted(rehearsal):
    found, pasted, out = rehearsal
    lines = [line for line in out.splitlines() if not line.startswith('written to')]  # a folder's name may be long
    assert max(map(len, lines)) <= 80
    assert found['machine']['card'] in pasted and f'jax {found["machine"]["jax"]}' in pasted
    assert '| mlp |' in pasted and 'Tiny sizes' in pasted
    assert 'JAX has no accelerator here' in out and 'two processes on the CPU' in ' '.join(out.split())
    assert '/' not in found['command'] and found['command'] in pasted  # no folders of one machine


@pytest.fixture
def bare(monkeypatch, tmp_path) -> list[str]:
    """The command in this process, without asking the machine; its first words."""
    here = {'platform': 'cpu', 'card': 'none', 'processors': 1, 'python': '3', 'commit': None, 'no_torch': 'not asked'}
    monkeypatch.setattr(command.machine, 'facts', lambda seconds: here | dict.fromkeys(command.machine.PACKAGES))
    monkeypatch.delenv('JAXLAB_DATA_DIR', raising=False)
    return ['--tiny', f'--out={tmp_path}']


@pytest.mark.slow
def test_a_part_that_fails_costs_only_itself(bare, monkeypatch, tmp_path, capsys):
    """A truncated file: one line, exit code 1, and the part after it has its numbers."""
    monkeypatch.setenv('JAXLAB_CACHE_DIR', str(ROOT / '.cache' / 'tests'))
    data = pictures(tmp_path / 'data')
    (data / cifar10.FOLDER / FILES[2]).write_bytes(b'\0' * 100)
    assert command.main([*bare, '--minutes=30', f'--data_dir={data}', '--parts=cifar10,bfloat16']) == 1
    out = capsys.readouterr().out
    parts = json.loads((tmp_path / 'accelerator.json').read_text())['parts']
    assert parts['cifar10']['state'] == 'failed' and 'data_batch_3.bin' in parts['cifar10']['reason']
    assert 'result' not in parts['cifar10'] and 'no multiple of a record' in ' '.join(out.split())
    assert parts['bfloat16']['state'] == 'done' and parts['bfloat16']['result']['entries'][0]['ms']['jaxlab'] > 0


def measured(context: Context, budget: Budget) -> dict[str, Any]:
    """Stands for a part that takes no time."""
    entry = {'model': 'mlp', 'title': 'MLP', 'batch': 4, 'ms': {'1': 2.0}, 'ratios': {'1': [1, 1, 1]}, 'notes': {}}
    result = {'form': 'vmap', 'entries': [entry]}
    context.save(result)
    return result


def replaced(monkeypatch, name: str, measure: Any) -> None:
    part = command.PARTS[name]
    fields = {field: getattr(part, field) for field in part.__dataclass_fields__}
    monkeypatch.setitem(command.PARTS, name, command.Part(**fields | {'measure': measure}))


def test_what_was_measured_before_an_error_is_kept(bare, monkeypatch, tmp_path, capsys):
    """On disk while the part still runs, and afterwards beside the reason; the parts after it run."""
    seen = {}

    def broken(context: Context, budget: Budget) -> dict[str, Any]:
        measured(context, budget)
        seen.update(json.loads((tmp_path / 'accelerator.json').read_text())['parts']['replicas'])
        raise ValueError('a card that fell off\nand a second line')

    replaced(monkeypatch, 'replicas', broken)
    replaced(monkeypatch, 'bfloat16', lambda context, budget: {'products': 'float32', 'no_torch': '', 'entries': []})
    assert command.main([*bare, '--parts=replicas,bfloat16,cifar10']) == 1
    assert seen['state'] == 'unfinished' and seen['result']['entries'][0]['ms'] == {'1': 2.0}
    parts = json.loads((tmp_path / 'accelerator.json').read_text())['parts']
    assert parts['replicas']['reason'] == 'ValueError: a card that fell off'
    assert parts['replicas']['result'] == seen['result']
    assert parts['bfloat16']['state'] == 'done'
    assert parts['cifar10'] == {'state': 'skipped', 'reason': f'no --data_dir with {cifar10.FOLDER}'}
    out = capsys.readouterr().out
    assert 'replicas: failed: ValueError: a card that fell off' in out and 'cifar10: skipped' in out


def test_a_part_left_out_for_a_reason_is_no_error(bare):
    assert command.main([*bare, '--parts=cifar10']) == 0


def test_difference_between_devices_fails(bare, monkeypatch, tmp_path):
    """Beyond the tolerance the command says so with its exit code."""
    cpu = {
        'mlp/start/w': np.ones(3, np.float32),
        'mlp/loss': np.ones(2, np.float32),
        'mlp/end/w': np.ones(3, np.float32),
    }
    near, far = ({**cpu, 'mlp/end/w': np.float32([1, 1, 1 + gap])} for gap in (1e-5, 1e-2))
    assert not equality.failure(equality.compared(near, cpu, 'gpu'))
    assert equality.failure(equality.compared(near, cpu, 'cpu'))  # two processes on one CPU: equal bits
    assert 'mlp' in equality.failure(equality.compared({**cpu, 'mlp/loss': np.float32([1, np.nan])}, cpu, 'gpu'))
    replaced(monkeypatch, 'equality', lambda context, budget: equality.compared(far, cpu, 'gpu'))
    assert command.main([*bare, '--parts=equality']) == 1
    part = json.loads((tmp_path / 'accelerator.json').read_text())['parts']['equality']
    assert part['result']['entries'][0]['end'] == pytest.approx(1e-2, rel=1e-3) and 'mlp' in part['reason']


def test_missing_row_of_our_own_fails():
    """A peer without a number is a note."""
    entry = {'model': 'mlp', 'notes': {'torch_eager': 'not here'}}
    assert not rows.failure({'entries': [entry]})
    assert 'out of memory' in rows.failure({'entries': [{**entry, 'notes': {'jaxlab': 'out of memory'}}]})


def test_time_is_shared_and_handed_on():
    """Each part gets its weight of what is left, so that an early end leaves more to the others."""
    shares = Budget.of(100).shares({'a': 1, 'b': 3, 'c': 1})
    assert next(shares)[1].left == pytest.approx(20, abs=0.5)
    assert next(shares)[1].left == pytest.approx(75, abs=0.5)
    assert next(shares)[1].left == pytest.approx(100, abs=0.5)


def test_a_process_that_hangs_is_ended(tmp_path):
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
    with open(tmp_path / 'out', 'w+b') as out, open(tmp_path / 'log', 'w+b') as log:
        child = children.Child(process, out, log)
        assert 'no answer' in child.answer(0.5)['error'] and time.monotonic() - begun < 20
    assert process.poll() is not None


def test_what_was_reached_when_the_time_ends():
    """No aim reached: the best so far and why it ended."""
    log = [{'epoch': 1, 'seconds': 2.0, 'test_accuracy': [0.5]}, {'epoch': 2, 'seconds': 4.0, 'test_accuracy': [0.7]}]
    result = cifar10.judged(log, {'error': 'no answer within 9 s'}, 0.94, 24)
    assert result['passed'] is None and result['epochs_done'] == 2
    (table,) = cifar10.tables(result)
    assert 'best 0.7000 in 2 of 24 epochs' in text(table) and 'no answer within 9 s' in text(table)
    assert cifar10.judged(log, {}, 0.6, 2)['passed']['seconds'] == 4.0
    assert not math.isnan(cifar10.judged(log, {}, 0.6, 2)['curve'][0]['accuracy'])


def test_tables():
    table = Table('A title', ('row', 'ms'), [('jaxlab', '1.25'), ('a | b', '10')], ['word ' * 40])
    assert '| jaxlab | 1.25 |' in markdown(table) and '| a / b | 10 |' in markdown(table)
    lines = text(table).splitlines()
    assert max(map(len, lines)) <= 80 and lines[2].endswith('1.25') and lines[3].endswith('  10')


def test_every_name_fits_the_terminal():
    """The longest rows of an accelerator: all models, all of PyTorch's rows."""
    model = {'errors': {}, 'rounding': {'jaxlab': 'TF32'}, 'notes': {}, 'no_torch': '', 'ratios': {}, 'batch': 256}
    half = ('jaxlab', 'jaxlab_bf16', 'torch_compile_bf16')
    for name, problem in rows.PROBLEMS.items():
        entry = {**model, 'model': name, 'title': problem.title, 'best_torch': 'torch_channels_last'}
        timed = dict.fromkeys(('jaxlab', 'flax', *rows.PEERS), 1234.5)
        entry |= {'rows': timed, 'low_high': dict.fromkeys(timed, [1234.5, 1234.5])}
        replicas = {'ms': {'25': 1234.5}, 'ratios': {'25': [123.45, 123.45, 123.45]}}
        halved = {'ms': dict.fromkeys(half, 1234.5), 'to_float32': [1.23], 'to_torch': [1.23]}
        common = {'no_torch': '', 'products': 'float32 (TF32 off)', 'form': 'vmap'}
        for found in (
            rows.long_tables({**common, 'entries': [entry]}),
            rows.replica_tables({**common, 'entries': [entry | replicas]}),
            rows.bfloat16_tables({**common, 'entries': [entry | halved]}),
        ):
            assert max(len(line) for table in found for line in text(table).splitlines()) <= 80
        assert problem.title in markdown(rows.wide_table({**common, 'entries': [entry]}))


@pytest.mark.parametrize('words', ['--parts=speed', '--minutes=0', '--aim=2', '--epochs=0'])
def test_wrong_words(words):
    with pytest.raises(SystemExit):
        command.arguments([words])
