"""TPU VMs by queued resources: wait for them, copy the checkout, run on all workers, delete at the end."""

import dataclasses

from jaxlab.errors import UserError
from jaxlab.training.hosts import RESTART
from launch.pods.plan import PORT, Job, Plan, Step, needed, options

RUNTIMES = {  # kind of chip -> runtime version
    'v6e': 'v2-alpha-tpuv6e',
    'v5p': 'v2-alpha-tpuv5',
    'v5litepod': 'v2-alpha-tpuv5-lite',
    'v4': 'tpu-ubuntu2204-base',
    'v3': 'tpu-ubuntu2204-base',
    'v2': 'tpu-ubuntu2204-base',
}
TPUS = ('gcloud', 'compute', 'tpus')
# What git knows, with its uncommitted changes; neither runs nor virtual environments.
PACK = 'mkdir -p pods && git archive --output={file} $(git stash create | grep . || echo HEAD)'
SETUP = 'mkdir -p ~/jaxlab && cd ~/jaxlab && tar -xzf ~/{file} && python3 -m venv ~/venv && ~/venv/bin/pip install -q -e ".[tpu]"'


@dataclasses.dataclass(frozen=True)
class Settings:
    """project, zone: of Google Cloud. type: such as v5litepod-16. runtime: '' for the one that belongs to the type.

    spot: cheaper, and may be taken away. wait: how long a queued resource may take to come. restarts: how often each worker
    starts the program again where it asks for it (exit code 42) or was killed. keep: whether the machines stay.
    """

    project: str = ''
    zone: str = ''
    type: str = ''
    runtime: str = ''
    spot: bool = False
    wait: str = '6h'
    restarts: int = 10
    keep: bool = False


def plan(job: Job, settings: Settings) -> Plan:
    """Commands of gcloud. A preempted TPU VM holds its quota until its queued resource is deleted."""
    needed(settings, ('project', 'zone', 'type'), 'tpu_vm')
    job.check_workdir('tpu_vm')
    where = options(project=settings.project, zone=settings.zone)
    made = options(
        node_id=job.name, accelerator_type=settings.type, runtime_version=_runtime(settings), spot=settings.spot
    )
    queued = (*TPUS, 'queued-resources')
    create = Step(
        (*queued, 'create', job.name, *where, *made, *options(valid_until_duration=settings.wait)),
        f'queued resource {job.name} in {settings.zone}',
        (*queued, 'delete', job.name, *where, '--force', '--quiet'),
        for_now=not settings.keep,
    )
    waiting = Step(('bash', '-c', _until_active(' '.join((*queued, 'describe', job.name, *where)))))
    file = f'{job.name}.tar.gz'
    pack = Step(('bash', '-c', PACK.format(file=f'pods/{file}')))
    copy = Step((*TPUS, 'tpu-vm', 'scp', *where, '--worker=all', f'pods/{file}', f'{job.name}:~/'))
    ssh = (*TPUS, 'tpu-vm', 'ssh', job.name, *where, '--worker=all', '--command')
    setup, run = (Step((*ssh, line)) for line in (SETUP.format(file=file), _supervised(job, settings.restarts)))
    return Plan((pack, create, waiting, copy, setup, run))


def _runtime(settings: Settings) -> str:
    runtime = settings.runtime or RUNTIMES.get(settings.type.rpartition('-')[0])
    if not runtime:
        raise UserError(
            f'--type={settings.type}: no runtime is known for it (the Cloud TPU API does not serve the newest chips; take '
            f'place gke); valid: {", ".join(RUNTIMES)}, or --runtime=VERSION'
        )
    return runtime


def _until_active(describe: str) -> str:
    """Asks every 15 s; a resource that will not come any more is an error."""
    return (
        f'while state=$({describe} --format="value(state.state)"); do case $state in ACTIVE) exit 0;; '
        'FAILED|SUSPEND*|DELETING) echo "state: $state" >&2; exit 1;; esac; sleep 15; done; exit 1'
    )


def _supervised(job: Job, restarts: int) -> str:
    """On every worker: started again after exit code 42 and after a kill, as the others start theirs; they resume. Lines
    stand behind the worker's name."""
    return (
        f'cd ~/jaxlab && export PATH=~/venv/bin:$PATH && (for start in $(seq 0 {restarts}); do '
        f'{job.command(JAX_COORDINATOR_PORT=PORT)}; code=$?; '
        f'if [ $code -ne {RESTART} ] && [ $code -lt 128 ]; then break; fi; done; exit $code) 2>&1 | '
        'sed -u "s/^/[$HOSTNAME] /"; exit ${PIPESTATUS[0]}'
    )
