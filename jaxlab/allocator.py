"""Keeps large buffers in the process: on a CPU, page faults otherwise cost as much as the arithmetic.

glibc hands every large buffer back to the system and faults it in again, page by page, at the next call: concatenating
150 MB took 126 ms as it comes and 28 ms with memory kept (two cores). The price is resident memory, about three times.
"""

import ctypes
import importlib.metadata
import importlib.util
import os
import platform

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
KEEP = 1 << 30  # bytes: buffers below stay in the heap, and so much free memory at its top is not given back
PAD = 64 << 20  # bytes that the heap grows by beyond what is asked for


def accelerator_is_installed() -> bool:
    """Whether JAX would find a GPU or TPU to compute on, told by what is installed (nothing is started for it)."""
    plugins = importlib.metadata.entry_points(group='jax_plugins')
    return bool(plugins) or importlib.util.find_spec('libtpu') is not None


def keep_memory() -> str | None:
    """Tells glibc to keep freed memory; to be called before the first computation (afterwards it has no effect).

    Returns a short description of what was set, or None where nothing was: not Linux, not glibc, an accelerator asked
    for through `JAX_PLATFORMS` or installed, or switched off by `JAXLAB_KEEP_MEMORY=0`. Harmless to call twice.
    """
    if os.environ.get('JAXLAB_KEEP_MEMORY', '1').lower() in ('0', 'false', 'no', 'off'):
        return None
    if platform.system() != 'Linux' or platform.libc_ver()[0] != 'glibc':
        return None
    asked = os.environ.get('JAX_PLATFORMS', '').lower()
    if ('cpu' not in asked.split(',')) if asked else accelerator_is_installed():
        return None
    try:
        mallopt = ctypes.CDLL('libc.so.6').mallopt
    except (OSError, AttributeError):
        return None
    # One arena: a thread's own arena is made of mapped heaps of 64 MB, which no threshold keeps.
    options = {
        'M_ARENA_MAX': (M_ARENA_MAX, 1),
        'M_MMAP_THRESHOLD': (M_MMAP_THRESHOLD, KEEP),
        'M_TRIM_THRESHOLD': (M_TRIM_THRESHOLD, 2 * KEEP - 1),
        'M_TOP_PAD': (M_TOP_PAD, PAD),
    }
    done = [f'{name}={value}' for name, (option, value) in options.items() if mallopt(option, value) == 1]
    return f'glibc malloc keeps memory ({", ".join(done)})' if done else None
