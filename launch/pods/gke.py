"""Google's Kubernetes: a JobSet through `gcluster job submit`, or through the older xpk."""

import dataclasses

from jaxlab.errors import lookup
from jaxlab.training.hosts import RESTART
from launch.pods.plan import PORT, TERMINATED, Job, Plan, Step, needed, options


@dataclasses.dataclass(frozen=True)
class Settings:
    """project, location, cluster: where. type: such as v6e-16; slices: how many of them. image: with jaxlab inside.

    restarts: how often the whole job is started again when a host says so (exit code 42) or is taken away. grace: seconds
    between SIGTERM and the end. tool: gcluster or xpk. manifest: a file that gets the JobSet's manifest, nothing is started.
    """

    project: str = ''
    location: str = ''
    cluster: str = ''
    type: str = ''
    image: str = ''
    slices: int = 1
    restarts: int = 10
    grace: int = 120
    tool: str = 'gcluster'
    manifest: str = ''


def plan(job: Job, settings: Settings) -> Plan:
    """One command. Only the listed exit codes restart: 2 is the user's mistake and must not."""
    needed(settings, ('project', 'location', 'cluster', 'type', 'image'), 'gke')
    submit = lookup({'gcluster': _gcluster, 'xpk': _xpk}, settings.tool, '--tool')
    job.check_workdir('gke')
    return Plan((submit(job, settings),))


def _gcluster(job: Job, settings: Settings) -> Step:
    where = options(cluster=settings.cluster, project=settings.project, location=settings.location)
    what = options(
        image=settings.image,
        compute_type=settings.type,
        num_slices=settings.slices if settings.slices > 1 else None,
        restarts=settings.restarts,
        restart_on_exit_codes=f'{RESTART},{TERMINATED}',
        grace_period=f'{settings.grace}s',
        dry_run_out=settings.manifest,
    )
    command = ('gcluster', 'job', 'submit', f'--name={job.name}', *where, *what, f'--command={_command(job)}')
    return _submitted(job, settings, command, ('gcluster', 'job', 'cancel', job.name, *where))


def _xpk(job: Job, settings: Settings) -> Step:
    where = options(cluster=settings.cluster, project=settings.project, zone=settings.location)
    what = options(
        tpu_type=settings.type,
        docker_image=settings.image,
        num_slices=settings.slices,
        max_restarts=settings.restarts,
        restart_on_exit_codes=f'{RESTART},{TERMINATED}',
        termination_grace_period_seconds=settings.grace,
        output_manifest_file=settings.manifest,
        dry_run=bool(settings.manifest),
    )
    command = ('xpk', 'workload', 'create', f'--workload={job.name}', *where, *what, f'--command={_command(job)}')
    return _submitted(job, settings, command, ('xpk', 'workload', 'delete', f'--workload={job.name}', *where))


def _command(job: Job) -> str:
    return job.command(JAX_COORDINATOR_PORT=PORT)


def _submitted(job: Job, settings: Settings, command: tuple[str, ...], remove: tuple[str, ...]) -> Step:
    if settings.manifest:
        return Step(command)
    return Step(command, f'job {job.name} on cluster {settings.cluster}', remove)
