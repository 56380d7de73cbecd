"""What every part is told: the machine, the size, where data lie."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.problems import Setting
from jaxlab.files import cache_folder

QUICKLY_COMPILED = '--xla_backend_optimization_level=0'


@dataclass(frozen=True)
class Context:
    """save: hands over what a part has measured so far, to be written at once."""

    machine: Mapping[str, Any]
    tiny: bool = False
    tf32: bool = True
    data_dir: str | None = None
    aim: float = 0.94
    epochs: int = 24
    verbose: bool = False
    save: Callable[[Mapping[str, Any]], None] = field(default=lambda result: None)

    def saving(self, save: Callable[[Mapping[str, Any]], None]) -> 'Context':
        """The same, for one part."""
        return replace(self, save=save)

    @property
    def platform(self) -> str:
        """'gpu', 'tpu' or 'cpu'."""
        return self.machine['platform']

    @property
    def setting(self) -> Setting:
        """Of the rows."""
        return Setting(self.platform != 'cpu', self.tf32, self.tiny)

    @property
    def environment(self) -> dict[str, str]:
        """Of every process that computes.

        Several share the card, so none may take its memory beforehand; what one compiled need not be compiled again.
        """
        folder = Path(os.environ.get('JAX_COMPILATION_CACHE_DIR') or cache_folder() / 'compiled')
        kept = {
            'JAX_COMPILATION_CACHE_DIR': str(folder),
            'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
            'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
        }
        if self.platform == 'cpu':
            # A rehearsal's time is that of compilation.
            flags = {'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} {QUICKLY_COMPILED}'.strip()} if self.tiny else {}
            return {**kept, **flags, 'JAX_PLATFORMS': 'cpu'}
        return {**kept, 'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}
