"""What must be set before the first array exists: the compilation cache, the allocator, several processes."""

import functools
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """Where compiled programs and decoded data are kept: JAXLAB_CACHE_DIR, else the user's cache folder."""
    named = os.environ.get('JAXLAB_CACHE_DIR')
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(named) if named else Path(base) / 'jaxlab'


@functools.cache
def start(deterministic: bool = False) -> None:
    """Before anything is computed; a second call does nothing."""
    import jax

    from jaxlab.allocator import keep_memory

    if deterministic:
        os.environ['XLA_FLAGS'] = os.environ.get('XLA_FLAGS', '') + ' --xla_gpu_deterministic_ops=true'
    keep_memory()
    _join_processes()
    folder = cache_folder() / 'compiled'
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a home that cannot be written costs compile time, nothing else
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


def _join_processes() -> None:
    """Several processes: named by JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, or found by jax itself
    (TPU pods, Slurm) where JAXLAB_DISTRIBUTED=1 asks for it."""
    import jax

    address, found = os.environ.get('JAX_COORDINATOR_ADDRESS'), os.environ.get('JAXLAB_DISTRIBUTED') == '1'
    if not found and not (address and 'JAX_NUM_PROCESSES' in os.environ):
        return
    # The preemption service would replace the signal handlers that checkpoint on SIGTERM.
    jax.config.update('jax_enable_preemption_service', False)
    if found:
        jax.distributed.initialize()
    else:
        count, number = int(os.environ['JAX_NUM_PROCESSES']), int(os.environ['JAX_PROCESS_ID'])
        jax.distributed.initialize(address, count, number)


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
