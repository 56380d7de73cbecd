"""Starts with stand-ins for the clouds' programs: what they are called with, what is left where one of them fails."""

import json
import os
import stat
import subprocess
import sys

import pytest

from tests.cli import command

# Takes down its arguments; then does what its plan says to a call that holds the given words.
STAND_IN = f"""#!{sys.executable}
import json, os, sys
words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
with open(f'{{folder}}/calls', 'a') as file:
    print(json.dumps(words), file=file)
for part, code, text in json.load(open(f'{{folder}}/plan')):
    if part in ' '.join(words):
        print(text)
        sys.exit(code)
"""
PROGRAMS = ('gcloud', 'gcluster', 'xpk', 'sky', 'sbatch')
ACTIVE = ['describe', 0, 'ACTIVE']
JOB = ('--config=configs/mlp_mnist.py', '--workdir=gs://bucket/run')
TPU_VM = ('tpu_vm', '--project=mine', '--zone=z', '--type=v6e-16', *JOB)
GKE = ('gke', '--project=mine', '--location=l', '--cluster=c', '--type=v6e-16', '--image=i:1', *JOB)
SKY = ('sky', '--infra=gcp', '--type=tpu-v6e-16', *JOB)
SLURM = ('slurm', '--time=1:00', '--config=configs/mlp_mnist.py')
DELETE = 'gcloud compute tpus queued-resources delete mlp-mnist --project=mine --zone=z --force --quiet'


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """`cloud(words, plan)`: (exit code, output, calls of the stand-ins) of a start in a checkout of its own."""
    programs, checkout = tmp_path / 'bin', tmp_path / 'checkout'
    programs.mkdir()
    checkout.mkdir()
    (checkout / 'code.py').write_text('1')
    for words in (['init', '-q'], ['add', '.'], ['-c', 'user.name=a', '-c', 'user.email=a', 'commit', '-qm', 'a']):
        subprocess.run(['git', *words], cwd=checkout, check=True)
    for name in PROGRAMS:
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(stat.S_IRWXU)

    def run(words, plan=(), without=()):
        (programs / 'plan').write_text(json.dumps([*plan, ACTIVE]))
        (programs / 'calls').write_text('')
        for name in without:
            (programs / name).unlink()
        env = command.environment(PATH=f'{programs}:{os.environ["PATH"]}', PYTHONPATH=str(command.ROOT))
        start = [sys.executable, '-m', 'launch.pods', *words]
        done = subprocess.run(start, cwd=checkout, env=env, capture_output=True, text=True, timeout=60)
        calls = [json.loads(line) for line in (programs / 'calls').read_text().splitlines()]
        assert 'Traceback' not in done.stderr
        return done.returncode, done.stdout + done.stderr, calls

    run.checkout = checkout
    return run


def verbs(calls) -> list[str]:
    """Which of gcloud's commands were called."""
    return [next(word for word in words if word in ('create', 'describe', 'scp', 'ssh', 'delete')) for words in calls]


def test_a_tpu_vm_from_nothing_to_nothing(cloud):
    """Made, waited for, filled with the checkout and its changes, run, deleted."""
    (cloud.checkout / 'code.py').write_text('2')
    code, out, calls = cloud(TPU_VM)
    assert code == 0 and 'may exist' not in out
    assert verbs(calls) == ['create', 'describe', 'scp', 'ssh', 'ssh', 'delete']
    packed = ['tar', '-xzOf', str(cloud.checkout / 'pods' / 'mlp-mnist.tar.gz'), 'code.py']
    assert subprocess.run(packed, capture_output=True, text=True).stdout == '2'
    for words in calls:
        assert '--project=mine' in words and '--zone=z' in words and 'mlp-mnist' in ' '.join(words)
    assert all('--worker=all' in words for words in calls[2:5])
    assert '-m launch --config=configs/mlp_mnist.py --workdir=gs://bucket/run' in calls[4][-1]


def test_a_run_that_fails_is_deleted_and_its_exit_code_kept(cloud):
    code, out, calls = cloud(TPU_VM, [['-m launch', 2, '']])
    assert code == 2 and verbs(calls)[-1] == 'delete' and 'may exist' not in out


def test_one_that_stays_is_named(cloud):
    """Wanted (--keep), or because deleting it failed."""
    code, out, calls = cloud((*TPU_VM, '--keep'), [['-m launch', 1, '']])
    assert code == 1 and 'delete' not in verbs(calls)
    assert f'queued resource mlp-mnist in z may exist; what removes it: {DELETE}' in out
    code, out, calls = cloud(TPU_VM, [['delete', 1, '']])
    assert code == 0 and f'may exist; what removes it: {DELETE}' in out


def test_one_that_could_not_be_made_is_not_deleted(cloud):
    """It may be half made, or have been there before: it is named, with what removes it."""
    code, out, calls = cloud(TPU_VM, [['create', 1, 'ALREADY_EXISTS']])
    assert code == 1 and verbs(calls) == ['create']
    assert f'gcloud ended with exit code 1\nqueued resource mlp-mnist in z may exist; what removes it: {DELETE}' in out


def test_one_that_never_comes_is_not_waited_for(cloud):
    code, out, calls = cloud(TPU_VM, [['describe', 0, 'SUSPENDED']])
    assert code == 1 and verbs(calls) == ['create', 'describe', 'delete']


@pytest.mark.parametrize(
    'words, call, removed',
    [
        (GKE, ['gcluster', 'job', 'submit'], 'gcluster job cancel mlp-mnist --cluster=c --project=mine --location=l'),
        (
            (*GKE, '--tool=xpk'),
            ['xpk', 'workload', 'create'],
            'xpk workload delete --workload=mlp-mnist --cluster=c --project=mine --zone=l',
        ),
        (SKY, ['sky', 'jobs', 'launch'], 'sky jobs cancel -n mlp-mnist --yes'),
        (SLURM, ['sbatch', 'pods/mlp-mnist.sbatch'], 'scancel --name=mlp-mnist'),
    ],
)
def test_a_job_is_handed_over_or_named(words, call, removed, cloud):
    code, out, (only,) = cloud(words)
    assert code == 0 and only[: len(call)] == call and 'may exist' not in out
    for word in only:  # the files that it is given are there
        assert not word.startswith('pods/') or (cloud.checkout / word).is_file()
    code, out, _ = cloud(words, [[' '.join(call), 3, '']])
    assert code == 3 and f'may exist; what removes it: {removed}' in out
    code, out, calls = cloud(words, without=call[:1])
    assert code == 2 and calls == [] and f'{call[0]} is not installed here' in out and 'may exist' not in out


def test_a_manifest_alone_starts_nothing(cloud):
    code, out, (only,) = cloud((*GKE, '--manifest=jobset.yaml'), [['submit', 1, '']])
    assert code == 1 and '--dry-run-out=jobset.yaml' in only and 'may exist' not in out
