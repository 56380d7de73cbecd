"""What this machine has, found out in processes of their own: `python -m benchmarks.accelerator.machine jax | torch`.

The command itself must not hold the accelerator's memory while others are measured, and JAX and PyTorch bring CUDA
libraries of different versions.
"""

import importlib.util
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.accelerator import children
from jaxlab.training import runtime

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'torch')


def facts(seconds: float) -> dict[str, Any]:
    """`platform` ('cpu' where JAX has no accelerator), `card`, `memory_mib`, `driver`, versions; `no_torch`: why PyTorch
    cannot be measured on the accelerator ('' where it can)."""
    found = _asked('jax', seconds)
    if 'error' in found:
        raise RuntimeError(f'JAX does not start: {found["error"]}')
    shown = driver()
    if found['platform'] == 'cpu' and shown and os.environ.get('JAX_PLATFORMS', '') != 'cpu':
        raise RuntimeError(
            f'nvidia-smi shows {shown["card"]}, but JAX does not use it; install its CUDA build (make setup EXTRAS=cuda), '
            'or set JAX_PLATFORMS=cpu for a rehearsal on the CPU'
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    found |= shown if found['platform'] == 'gpu' else {}
    found |= {'python': platform.python_version(), 'processors': cores, 'commit': runtime.commit()}
    found |= {name: _version(name) for name in PACKAGES}
    return found | {'no_torch': _no_torch(found['platform'], seconds)}


def _asked(name: str, seconds: float) -> dict[str, Any]:
    return children.start('benchmarks.accelerator.machine', name).answer(seconds)


def _no_torch(where: str, seconds: float) -> str:
    if not importlib.util.find_spec('torch'):
        return 'PyTorch is not installed here'
    if where == 'cpu':
        return 'JAX has no accelerator here; `make bench` measures PyTorch on the CPU'
    torch = _asked('torch', seconds)
    if 'error' in torch:
        return f'PyTorch does not start: {torch["error"]}'
    return '' if torch['cuda'] else f'this PyTorch ({torch["version"]}) finds no CUDA device'


def driver() -> dict[str, Any]:
    """Driver and memory as nvidia-smi says them; empty where there is none. Only asks."""
    fields = {'card': 'name', 'driver': 'driver_version', 'memory_mib': 'memory.total'}
    command = ['nvidia-smi', f'--query-gpu={",".join(fields.values())}', '--format=csv,noheader,nounits']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    first = [cell.strip() for cell in done.stdout.splitlines()[0].split(',')] if done.stdout.strip() else []
    if len(first) != len(fields):
        return {}
    found = dict(zip(fields, first, strict=True))
    return found if found['memory_mib'].isdigit() else {name: found[name] for name in ('card', 'driver')}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def ask_jax() -> dict[str, Any]:
    """Platform and device; the processor's name where that is the device."""
    import jax

    device = jax.devices()[0]
    card = device.device_kind
    if device.platform == 'cpu':
        cpuinfo = Path('/proc/cpuinfo')
        lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
        card = next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), card)
    limit = (device.memory_stats() or {}).get('bytes_limit') if device.platform != 'cpu' else None
    memory = {'memory_mib': round(limit / 2**20)} if limit else {}
    return {'platform': device.platform, 'card': card, 'count': jax.device_count()} | memory


def ask_torch() -> dict[str, Any]:
    """Whether PyTorch has a CUDA device."""
    import torch

    return {'version': torch.__version__, 'cuda': torch.cuda.is_available()}


def words(found: dict[str, Any]) -> str:
    """One line for a person."""
    memory = f', {int(found["memory_mib"]):,} MiB' if 'memory_mib' in found else ''
    card = f'{found["card"]}{memory}' + (f', driver {found["driver"]}' if 'driver' in found else '')
    versions = ', '.join(f'{name} {found[name] or "missing"}' for name in PACKAGES)
    return (
        f'{card}; {found["processors"]} processor cores; {versions}, Python {found["python"]}, commit {found["commit"]}'
    )


if __name__ == '__main__':
    children.serve(lambda: {'jax': ask_jax, 'torch': ask_torch}[sys.argv[1]]())
