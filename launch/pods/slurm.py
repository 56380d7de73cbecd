"""Slurm: an sbatch script whose processes get SIGTERM before the time limit and are queued again."""

import dataclasses
import shlex

from jaxlab.training.hosts import RESTART
from launch.pods.plan import TERMINATED, Job, Plan, Step, needed


@dataclasses.dataclass(frozen=True)
class Settings:
    """nodes, gpus (of each node): one process a GPU. time: the limit, such as 04:00:00. grace: seconds of notice before it.

    restarts: from which start on a job that asks for another (exit code 42) gets none. partition, account: where the cluster
    wants them. environment: a command that makes Python ready, such as
    'source venv/bin/activate'.
    """

    nodes: int = 1
    gpus: int = 1
    time: str = ''
    grace: int = 120
    restarts: int = 10
    partition: str = ''
    account: str = ''
    environment: str = ''


def plan(job: Job, settings: Settings) -> Plan:
    """The script and `sbatch`. JAX takes one GPU a process; it finds the others, and a port that belongs to the job,
    through Slurm's own variables."""
    needed(settings, ('time',), 'slurm')
    chosen = {'partition': settings.partition, 'account': settings.account}
    lines = [
        '#!/bin/bash',
        f'#SBATCH --job-name={job.name}',
        f'#SBATCH --nodes={settings.nodes}',
        f'#SBATCH --ntasks-per-node={settings.gpus}',
        f'#SBATCH --gpus-per-node={settings.gpus}',
        f'#SBATCH --time={settings.time}',
        # Without "B:" the steps themselves get the signal: a shell would keep it to itself.
        f'#SBATCH --signal=TERM@{settings.grace}',
        '#SBATCH --requeue',
        '#SBATCH --open-mode=append',
        f'#SBATCH --output=pods/{job.name}-%j.log',
        *(f'#SBATCH --{name}={value}' for name, value in chosen.items() if value),
        '',
        *([settings.environment] if settings.environment else []),
        f'srun --kill-on-bad-exit=1 --label bash -c {shlex.quote(job.command())}',
        'code=$?',
        f'if [ $code -eq {RESTART} ] && [ "${{SLURM_RESTART_COUNT:-0}}" -ge {settings.restarts} ]; then exit $code; fi',
        f'# {RESTART}: start me again; {TERMINATED}: SIGTERM before the time limit. Anything else stays as it is.',
        f'case $code in {RESTART}|{TERMINATED}) scontrol requeue "$SLURM_JOB_ID";; esac',
        'exit $code',
    ]
    file = f'pods/{job.name}.sbatch'
    submit = Step(('sbatch', file), f'job {job.name}', ('scancel', f'--name={job.name}'))
    return Plan((submit,), {file: '\n'.join(lines) + '\n'})
