"""What must be set before the first array exists: the compilation cache, the allocator, several processes."""

import contextlib
import functools
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.files import cache_folder
from jaxlab.training import hosts
from jaxlab.training.hosts import Hosts

PATIENCE = 300.0  # seconds that hosts which have come wait for the others


@functools.cache
def start(deterministic: bool = False, patience: float = PATIENCE) -> Hosts | None:
    """Before anything is computed; a second call does nothing. Gives the hosts of the run, where it has several.

    patience: seconds that hosts which have come wait for the others.
    """
    import jax

    from jaxlab.allocator import keep_memory

    if deterministic:
        os.environ['XLA_FLAGS'] = os.environ.get('XLA_FLAGS', '') + ' --xla_gpu_deterministic_ops=true'
    keep_memory()
    joined = _join_processes(patience)
    folder = cache_folder() / 'compiled'
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return joined  # a home that cannot be written costs compile time, nothing else
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
    return joined


def ask_for_devices(parallel: Any) -> None:
    """Before the first computation: on a CPU the virtual devices that replicas are spread over (`config.parallel`).

    As many as are wanted, never more than there are cores; where the number is given otherwise (`XLA_FLAGS`, several
    processes) or jax has begun, it stays.
    """
    import jax

    several = 'JAX_NUM_PROCESSES' in os.environ or os.environ.get('JAXLAB_DISTRIBUTED') == '1'
    given = 'xla_force_host_platform_device_count' in os.environ.get('XLA_FLAGS', '')
    if parallel.replica_axis == 1 or several or given or jax.config.jax_num_cpu_devices > 0:
        return
    wanted = parallel.devices or parallel.replica_axis * parallel.model_axis
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):
        jax.config.update('jax_num_cpu_devices', min(wanted, cores))


def _join_processes(patience: float) -> Hosts | None:
    """Several processes: named by JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, or found by jax itself
    (TPU pods, Slurm) where JAXLAB_DISTRIBUTED=1 asks for it."""
    import jax

    address, found = os.environ.get('JAX_COORDINATOR_ADDRESS'), os.environ.get('JAXLAB_DISTRIBUTED') == '1'
    if not found and not (address and 'JAX_NUM_PROCESSES' in os.environ):
        return None
    devices = None
    if found:
        from jax._src.clusters import ClusterEnv  # what `initialize` asks; it tells nobody

        detect = ClusterEnv.auto_detect_unset_distributed_params
        address, count, number, devices = detect(address, None, None, None, None, int(patience))
        if address is None or count is None or number is None:
            raise UserError('JAXLAB_DISTRIBUTED=1, but this is neither a TPU pod nor a Slurm job; valid: leave it out')
    else:
        count, number = int(os.environ['JAX_NUM_PROCESSES']), int(os.environ['JAX_PROCESS_ID'])
    joined = hosts.join(str(address), number, count, patience, _say, hosts.end_process) if count > 1 else None
    # The preemption service would replace the signal handlers that checkpoint on SIGTERM.
    jax.config.update('jax_enable_preemption_service', False)
    # At the end the others wait for the one that draws the report; who is gone is known from `hosts`.
    jax.distributed.initialize(address, count, number, devices, shutdown_timeout_seconds=3600)
    return joined


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def code_digest() -> str:
    """Of every Python file of this project's packages: a commit's name would say nothing of changes, or of a copy."""
    result, root = hashlib.sha256(), Path(__file__).resolve().parents[2]
    for package in ('configs', 'jaxlab', 'launch'):
        for path in sorted((root / package).rglob('*.py')):
            result.update(path.relative_to(root).as_posix().encode() + b'\0' + path.read_bytes())
    return result.hexdigest()[:16]


def is_writer() -> bool:
    """Whether this process writes files and speaks to the user: one of several does."""
    import jax

    return jax.process_index() == 0


def device_facts() -> Mapping[str, Any]:
    """Platform, kind and number of the devices, and the processors of this machine."""
    import jax

    device = jax.devices()[0]
    count = len(jax.devices())
    return {'platform': device.platform, 'kind': device.device_kind, 'count': count, 'processors': os.cpu_count()}


def versions() -> Mapping[str, str]:
    """Versions of everything installed that may change a number."""
    from importlib.metadata import PackageNotFoundError, version

    found = {'python': platform.python_version()}
    for package in ('jaxlab', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'scikit-learn'):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The checkout's commit, with '+changes' if it has uncommitted ones; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        return subprocess.run(
            ['git', '-C', str(root), *words], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()

    try:
        return git('rev-parse', '--short', 'HEAD') + ('+changes' if git('status', '--porcelain', '-uno') else '')
    except (OSError, subprocess.SubprocessError):
        return None
