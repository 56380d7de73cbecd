"""Two processes (`jax.distributed`, gloo) share every batch: the losses of one, one writer, one checkpoint."""

import itertools
import json
import signal
import socket
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from tests.cli import command
from tests.training import reading, several

FEW = ('--config.training.epochs=6', '--config.data.limit=100')  # 13 updates an epoch, the last with 4 examples


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def start_two(*words: str, module: str = 'launch') -> list:
    """Both processes of one run."""
    return start_hosts(words, words, module=module)


def start_hosts(*commands: Sequence[str], module: str = 'launch') -> list:
    """The processes of one run, each with arguments of its own."""
    port = free_port()
    return [
        command.program(
            module,
            *words,
            env=command.environment(
                JAX_COORDINATOR_ADDRESS=f'127.0.0.1:{port}',
                JAX_NUM_PROCESSES=str(len(commands)),
                JAX_PROCESS_ID=str(number),
            ),
        )
        for number, words in enumerate(commands)
    ]


def finish_two(processes: list, seconds: float = 300) -> list[tuple[int, str, str]]:
    try:
        return [command.finish(process, seconds) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()


def rows(workdir) -> list[dict]:
    return [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]


@pytest.fixture(scope='module')
def tiny(tmp_path_factory) -> str:
    return command.tiny_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def two(tiny, tmp_path_factory):
    """(workdir, what each process said) of a whole run."""
    workdir = tmp_path_factory.mktemp('two')
    return workdir, finish_two(start_two(tiny, f'--workdir={workdir}', '--json', *FEW))


def test_the_losses_of_one_process(two, tiny, launch, tmp_path):
    workdir, ends = two
    assert [code for code, _, _ in ends] == [0, 0], ends[0][2] + ends[1][2]
    said = launch(tiny, f'--workdir={tmp_path}', *FEW)
    assert said.code == 0, said.err
    mine, theirs = rows(workdir), rows(tmp_path)
    assert len(mine) == len(theirs) == 6
    for one, other in zip(mine[:1], theirs[:1]):
        for metric in ('train_loss', 'validation_loss'):
            assert one[metric] == pytest.approx(other[metric], rel=1e-4)
    assert mine[-1]['train_loss'] == pytest.approx(theirs[-1]['train_loss'], rel=0.05)  # float32 parts company slowly


def test_one_writer(two):
    """One result, one log, one checkpoint; only the first process speaks on stdout."""
    workdir, ends = two
    assert json.loads(ends[0][1])['steps'] == 78 and ends[1][1] == ''
    found = command.results(workdir)
    assert found['steps'] == 78 and found['device']['count'] == 2
    assert [row['epoch'] for row in rows(workdir)] == [1, 2, 3, 4, 5, 6]
    assert sorted(path.name for path in (workdir / 'checkpoints').iterdir()) == ['65', '78']
    assert (workdir / 'report.html').is_file() and len(list((workdir / 'events').iterdir())) == 1
    assert [path.name for path in workdir.glob('.*')] == ['.lock']  # no half-written file


def test_four_processes_read_every_example_once(tmp_path, monkeypatch):
    """Streamed: a quarter of every batch each, together all of an epoch and none twice; the losses of one process (this
    one) with four devices, which reads all."""
    processes = start_hosts(*[(str(tmp_path / 'four'), '4')] * 4, module='tests.training.reading')
    for name in ('STREAM_BYTES', 'gather'):  # `train` sets them, for processes of its own
        monkeypatch.setattr(reading.machine, name, getattr(reading.machine, name))
    try:
        whole = reading.train(tmp_path / 'one', 4)
    finally:
        ends = finish_two(processes)
    assert [code for code, _, _ in ends] == [0] * 4, '\n'.join(err for _, _, err in ends)
    four = [json.loads(out.splitlines()[-1]) for _, out, _ in ends]
    for epoch in (slice(-6, -3), slice(-3, None)):  # three blocks of two updates each
        asked = [block for found in four for block in found['asked'][epoch]]
        assert Counter(itertools.chain(*asked)) == Counter(range(100))
        assert max(map(len, asked)) == 2 * 6
    # Each once from the source, too, and one for padding in a block; two for the size and form of an example.
    assert sum(whole['rows']) <= 2 * 100 + 50 + 2 + 2
    assert sum(sum(found['rows']) for found in four) <= 2 * 100 + 50 + 4 * (2 + 2 + 4)
    for found in four:
        np.testing.assert_allclose(found['loss'], whole['loss'], rtol=1e-5)
        np.testing.assert_allclose(found['test'], whole['test'], rtol=1e-5)
    assert len({found['digest'] for found in four}) == 1


def test_replicas_and_split_states(tmp_path):
    """Each process trains its own replicas and knows all results; of a split state it writes and reads its half."""
    processes = start_two(str(tmp_path / 'two'), module='tests.training.several')
    try:
        whole = several.measured(tmp_path / 'one')  # this process has both devices
    finally:
        ends = finish_two(processes)
    assert [code for code, _, _ in ends] == [0, 0], '\n'.join(err for _, _, err in ends)
    two = [json.loads(out.splitlines()[-1]) for _, out, _ in ends]
    for found in two:
        assert found['replicas']['digest'] == two[0]['replicas']['digest']
        np.testing.assert_allclose(found['replicas']['loss'], whole['replicas']['loss'], rtol=1e-5)
        np.testing.assert_allclose(found['replicas']['test'], whole['replicas']['test'], rtol=1e-5)
        mine, theirs = found['pieces'], whole['pieces']
        assert mine['split'] and mine['mine'] == 0.5 and mine['same'] and mine['digest'] == two[0]['pieces']['digest']
        np.testing.assert_allclose(mine['loss'], theirs['loss'], rtol=1e-5)


def test_a_signal_to_one_stops_both_and_both_go_on(two, tiny, tmp_path):
    """To the second process only; all must agree to stop after the same update, or they would wait for each other."""
    processes = start_two(tiny, f'--workdir={tmp_path}', '--config.training.steps_per_call=1', *FEW)
    command.wait_until(lambda: command.epochs_done(tmp_path) >= 1, processes[0])
    processes[1].send_signal(signal.SIGTERM)
    ends = finish_two(processes, 120)
    assert [code for code, _, _ in ends] == [143, 143], ends[0][2] + ends[1][2]
    ends = finish_two(start_two(tiny, f'--workdir={tmp_path}', *FEW))
    assert [code for code, _, _ in ends] == [0, 0], ends[0][2] + ends[1][2]
    assert command.results(tmp_path)['params_digest'] == command.results(two[0])['params_digest']
    assert [row['epoch'] for row in rows(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_of_two_opens_in_one(two, tiny, launch):
    """Evaluated by one process: the same test loss."""
    workdir = two[0]
    before = command.results(workdir)
    found = launch(tiny, f'--workdir={workdir}', '--mode=eval', '--json', *FEW).json()
    assert found['params_digest'] == before['params_digest']
    assert found['metrics']['test_loss']['mean'] == pytest.approx(before['metrics']['test_loss']['mean'], rel=1e-5)
