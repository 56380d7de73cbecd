"""SkyPilot: a managed job on spot TPUs that is started again where it was taken away."""

import dataclasses

import yaml

from jaxlab.training.hosts import RESTART
from launch.pods.plan import PORT, Job, Plan, Step, needed


@dataclasses.dataclass(frozen=True)
class Settings:
    """infra: such as gcp or gcp/us-central2. type: such as tpu-v6e-16. runtime: its runtime version, such as v2-alpha-tpuv6e.

    spot: cheaper, and may be taken away. restarts: how often it is started again after an error.
    """

    infra: str = ''
    type: str = ''
    runtime: str = ''
    spot: bool = True
    restarts: int = 10


def plan(job: Job, settings: Settings) -> Plan:
    """The task's file and one command. Set-up and run happen on every host of a slice."""
    needed(settings, ('infra', 'type'), 'sky')
    job.check_workdir('sky')
    resources: dict[str, object] = {
        'infra': settings.infra,
        'accelerators': settings.type,
        'use_spot': settings.spot,
        'job_recovery': {'max_restarts_on_errors': settings.restarts, 'recover_on_exit_codes': [RESTART]},
    }
    if settings.runtime:
        resources['accelerator_args'] = {'runtime_version': settings.runtime}
    task = {
        'name': job.name,
        'resources': resources,
        'workdir': '.',
        'setup': 'pip install -q -e ".[tpu]"',
        'run': job.command(JAX_COORDINATOR_PORT=PORT),
    }
    file = f'pods/{job.name}.yaml'
    launch = ('sky', 'jobs', 'launch', '-n', job.name, '--yes', file)
    step = Step(launch, f'managed job {job.name}', ('sky', 'jobs', 'cancel', '-n', job.name, '--yes'))
    return Plan((step,), {file: yaml.safe_dump(task, sort_keys=False)})
