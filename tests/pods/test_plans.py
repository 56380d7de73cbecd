"""What a start on several machines would do: every file and command of `--dry_run`, as it was when somebody looked at it.

After a wanted change: `JAXLAB_GOLDEN=write` in the environment writes the files anew; look at what `git diff` says.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from jaxlab.errors import UserError
from launch.pods import gke, plan, sky, slurm, tpu_vm
from launch.pods.__main__ import main

GOLDEN = Path(__file__).parent / 'golden'
CLOUD = ('--config=configs/mlp_mnist.py:smoke', '--workdir=gs://bucket/run', '--config.model.name=mlp')
GKE = ('--project=mine', '--location=us-east5', '--cluster=lab', '--type=v6e-16', '--image=registry/jaxlab:1')
STARTS = {
    'tpu_vm': ('tpu_vm', '--project=mine', '--zone=us-east5-b', '--type=v6e-16', '--spot'),
    'gke': ('gke', *GKE, '--slices=2'),
    'gke_xpk': ('gke', *GKE, '--tool=xpk', '--manifest=jobset.yaml'),
    'sky': ('sky', '--infra=gcp', '--type=tpu-v6e-16', '--runtime=v2-alpha-tpuv6e'),
    'slurm': ('slurm', '--nodes=2', '--gpus=4', '--time=04:00:00', '--environment=source venv/bin/activate'),
    'local': ('local', '--processes=2', '--devices=4'),
}


@pytest.fixture
def pods(capsys):
    """`pods(word, ...)`: (exit code, stdout, stderr) of the command line in this process."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def refused(said: tuple[int, str, str]) -> str:
    """The one line of a refusal."""
    code, out, err = said
    assert code == 2 and out == '' and len(err.splitlines()) == 1 and err.startswith('error: '), said
    return err


@pytest.mark.parametrize('name', STARTS)
def test_a_dry_run_says_everything_and_does_nothing(name, pods, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('XLA_FLAGS', raising=False)
    code, out, err = pods(*STARTS[name], *CLOUD, '--dry_run')
    assert (code, err, list(tmp_path.iterdir())) == (0, '', [])
    file = GOLDEN / f'{name}.txt'
    if os.environ.get('JAXLAB_GOLDEN') == 'write':
        file.write_text(out)
    assert out == file.read_text()


def made(name: str) -> plan.Plan:
    place, *words = STARTS[name]
    module = {'tpu_vm': tpu_vm, 'gke': gke, 'gke_xpk': gke, 'sky': sky, 'slurm': slurm}[name]
    settings = dict(word.removeprefix('--').split('=', 1) for word in words if '=' in word)
    kinds = {field: type(value) for field, value in vars(module.Settings()).items()}
    job = plan.Job('mlp-mnist', CLOUD)
    return module.plan(job, module.Settings(**{field: kinds[field](value) for field, value in settings.items()}))


def test_the_program_is_the_one_that_was_asked_for():
    """Through every layer of quoting: what a shell hands on are the words of the command line."""
    words = shlex.split(
        plan.Job('name', ("--config.model.features=(1, 'a')", '--workdir=gs://b/r')).command(JAX_PORT=1)
    )
    assert words[3:] == ['python', '-m', 'launch', "--config.model.features=(1, 'a')", '--workdir=gs://b/r']
    assert words[:3] == ['JAXLAB_DISTRIBUTED=1', 'FSSPEC_GCS={"use_listings_cache": false}', 'JAX_PORT=1']


def test_the_sbatch_script_is_a_script():
    """bash can read it, its header comes first, and it asks for another start on 42 and 143 only."""
    ((_, text),) = made('slurm').files.items()
    assert subprocess.run(['bash', '-n'], input=text, text=True).returncode == 0
    header = [line for line in text.splitlines() if line.startswith('#SBATCH')]
    assert text.splitlines()[1 : len(header) + 1] == header
    stubs = 'source() { :; }; srun() { return $CODE; }; scontrol() { echo "$@"; };'
    for code, count, asked in (
        (42, 0, True),
        (143, 0, True),
        (143, 99, True),
        (42, 10, False),
        (0, 0, False),
        (2, 0, False),
    ):
        env = {'CODE': str(code), 'SLURM_JOB_ID': '7', 'SLURM_RESTART_COUNT': str(count)}
        ended = subprocess.run(['bash'], input=stubs + text, text=True, capture_output=True, env=env)
        assert (ended.returncode, ended.stdout) == (code, 'requeue 7\n' if asked else '')


def test_a_worker_of_a_tpu_vm_starts_the_program_again():
    """After 42 and after a kill, a limited number of times; 0, a mistake (2) and a bug (1) end it."""
    *_, line = made('tpu_vm').steps[-1].command
    line = line.replace('cd ~/jaxlab', 'true').replace('seq 0 10', 'echo 1 2 3')
    for codes, starts, ends in (('0', 1, 0), ('42 0', 2, 0), ('137 42 2', 3, 2), ('1', 1, 1), ('42 42 42 42', 3, 42)):
        stub = f'codes=({codes}); n=0; python() {{ echo started; return ${{codes[n++]}}; }}; '
        ended = subprocess.run(['bash', '-c', stub + line], text=True, capture_output=True)
        assert (ended.returncode, ended.stdout.count('started')) == (ends, starts), codes


def test_the_task_of_skypilot():
    """The fields that SkyPilot's schema has, with their types; one exit code means "restart me", 137 never does."""
    ((_, text),) = made('sky').files.items()
    task = yaml.safe_load(text)
    assert {name: type(value) for name, value in task.items()} == {
        'name': str,
        'resources': dict,
        'workdir': str,
        'setup': str,
        'run': str,
    }
    resources = task['resources']
    assert set(resources) == {'infra', 'accelerators', 'use_spot', 'job_recovery', 'accelerator_args'}
    assert resources['job_recovery'] == {'max_restarts_on_errors': 10, 'recover_on_exit_codes': [42]}
    assert 'num_nodes' not in task


def test_names_that_every_place_takes():
    assert plan.job_name('configs/mlp_mnist.py:smoke') == 'mlp-mnist'
    assert plan.job_name('configs/mlp_mnist.py', 'My run 2') == 'my-run-2'
    long, other = (plan.job_name(f'configs/a_very_long_name_of_an_experiment_{end}.py') for end in 'ab')
    assert long != other
    for name in (long, other, plan.job_name('x_.py')):
        assert re.fullmatch(r'[a-z]([a-z0-9-]*[a-z0-9])?', name) and len(name) <= 28
    for name in ('7days', '---'):
        with pytest.raises(UserError, match='begins with a letter'):
            plan.job_name('configs/a.py', name)


def test_nothing_is_guessed(pods):
    assert 'which place?' in refused(pods())
    assert "unknown place 'gkee'; did you mean 'gke'?" in refused(pods('gkee'))
    assert '--config=FILE is missing' in refused(pods('local'))
    assert 'tpu_vm needs --zone' in refused(pods('tpu_vm', '--project=p', *CLOUD))
    assert '--workdir=gs://BUCKET/PATH' in refused(pods('gke', *GKE, '--config=configs/mlp_mnist.py'))
    assert 'no runtime is known' in refused(pods('tpu_vm', '--project=p', '--zone=z', '--type=tpu7x-8', *CLOUD))
    assert "did you mean 'gcluster'?" in refused(pods('gke', *GKE, '--tool=gclustr', *CLOUD))
    assert '--slices' in refused(pods('gke', *GKE, '--slices=two', *CLOUD))
    assert '--processes=0' in refused(pods('local', '--processes=0', '--config=configs/mlp_mnist.py', '--dry_run'))


def test_settings_from_a_file(pods, tmp_path):
    """Flags beat it; what it must not hold is named."""
    file = tmp_path / 'lab.yaml'
    file.write_text('project: mine\nzone: us-east5-b\ntype: v6e-16\nspot: true\n')
    words = ('tpu_vm', f'--settings={file}', *CLOUD, '--dry_run')
    assert pods(*words)[1] == (GOLDEN / 'tpu_vm.txt').read_text()
    assert '--zone=other' in pods(*words, '--zone=other')[1] and '--spot' not in pods(*words, '--no-spot')[1]
    for text, said in (
        ('zonne: z', "unknown field 'zonne'; did you mean 'zone'?"),
        ('spot: 1', 'spot = 1; valid: bool'),
        ('- a', 'holds no fields'),
        ('a: [', 'cannot be read'),
    ):
        file.write_text(text)
        assert said in refused(pods(*words))
    assert 'cannot be read' in refused(pods('tpu_vm', f'--settings={tmp_path / "none"}', *CLOUD))
