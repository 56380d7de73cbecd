"""TPU VMs by queued resources: wait for them, copy the checkout, run on all workers, delete at the end."""

import dataclasses

from jaxlab.errors import UserError
from launch.pods.plan import Job, Plan, Step, needed, options

RUNTIMES = {  # kind of chip -> runtime version
    'v6e': 'v2-alpha-tpuv6e',
    'v5p': 'v2-alpha-tpuv5',
    'v5litepod': 'v2-alpha-tpuv5-lite',
    'v4': 'tpu-ubuntu2204-base',
    'v3': 'tpu-ubuntu2204-base',
    'v2': 'tpu-ubuntu2204-base',
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """project, zone: of Google Cloud. type: such as v5litepod-16. runtime: '' for the one that belongs to the type.

    spot: cheaper, and may be taken away. wait: how long a queued resource may take to come. keep: whether it stays.
    """

    project: str = ''
    zone: str = ''
    type: str = ''
    runtime: str = ''
    spot: bool = False
    wait: str = '6h'
    keep: bool = False


def plan(job: Job, settings: Settings) -> Plan:
    """Commands of gcloud. A preempted TPU VM holds its quota until its queued resource is deleted."""
    needed(settings, ('project', 'zone', 'type'), 'tpu_vm')
    chip = settings.type.rpartition('-')[0]
    runtime = settings.runtime or RUNTIMES.get(chip, '')
    if not runtime:
        raise UserError(
            f'--type={settings.type}: no runtime is known for it (the Cloud TPU API does not serve the newest chips; take '
            f'place gke); valid: {", ".join(RUNTIMES)}, or --runtime=VERSION'
        )
    where = options(project=settings.project, zone=settings.zone)
    queued = ('gcloud', 'compute', 'tpus', 'queued-resources')
    made = options(node_id=job.name, accelerator_type=settings.type, runtime_version=runtime, spot=settings.spot)
    delete = (*queued, 'delete', job.name, *where, '--force', '--quiet')
    create = Step(
        (*queued, 'create', job.name, *where, *made, *options(valid_until_duration=settings.wait)),
        f'queued resource {job.name} in {settings.zone}',
        delete,
    )
    waiting = f'until {" ".join((*queued, "describe", job.name, *where))} --format="value(state.state)" | grep -qx ACTIVE; do sleep 15; done'
    ssh = ('gcloud', 'compute', 'tpus', 'tpu-vm', 'ssh', job.name, *where, '--worker=all', '--command')
    copy = (
        'gcloud',
        'compute',
        'tpus',
        'tpu-vm',
        'scp',
        '--recurse',
        *where,
        '--worker=all',
        '.',
        f'{job.name}:~/jaxlab',
    )
    setup = Step((*ssh, 'cd ~/jaxlab && python3 -m venv ~/venv && ~/venv/bin/pip install -q -e ".[tpu]"'))
    run = Step((*ssh, f'cd ~/jaxlab && PATH=~/venv/bin:$PATH {job.command}'))
    steps = (create, Step(('bash', '-c', waiting)), Step(copy), setup, run)
    return Plan(steps, last=() if settings.keep else (Step(delete),))
