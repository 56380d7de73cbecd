"""How a command ends: exit codes, what a user is told of an error, and what the other hosts of the run are told."""

import contextlib
import errno
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxlab import cloud
from jaxlab.errors import UserError

BUG, USER, INTERRUPTED = 1, 2, 128  # exit codes; the last plus the signal's number
OF_THE_DISK = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EPERM, errno.EFBIG)


def refusal(error: Exception) -> str:
    """One line about what the user can mend, or ''."""
    if isinstance(error, UserError):
        return f'error: {error}'.replace('\n', ' ')
    if isinstance(error, OSError) and error.errno in OF_THE_DISK:
        what = f'{error.strerror}: {error.filename or "the disk"}'
        return f'error: {what}; free some room or choose another --workdir; the last whole checkpoint is kept'
    said = cloud.refusal(error)
    return said and f'error: the bucket: {said}; the last whole checkpoint is kept; run the same command again to go on'


def compiler_was_stopped(error: Exception, number: int) -> bool:
    """Whether a signal ended a compilation: Ctrl-C reaches NVIDIA's assembler too, which is a process of its own."""
    return bool(number) and re.search(r'\b(ptxas|nvlink)\b', str(error)) is not None


@contextlib.contextmanager
def together(hosts: Any) -> Iterator[None]:
    """One of several hosts tells the others how it ends; where it fails it does not wait for them, as jax would."""
    try:
        yield
    except Exception as error:
        if hosts is None:
            raise
        said = refusal(error)
        if said:
            print(said, file=sys.stderr)
        else:
            hosts.settle()
            traceback.print_exc()
        code = USER if said else BUG
        hosts.leave(code)
        sys.stderr.flush()
        os._exit(code)
    if hosts is not None:
        hosts.leave(0)


def of_this_host(prepared: Any, mode: str, workdir: Path) -> dict[str, str]:
    """What all hosts of a run must have alike."""
    import jax

    from jaxlab.training import runtime
    from jaxlab.training.identity import flat

    fields = flat(prepared.config.to_dict(), 'config.')
    return {
        'code': runtime.code_digest(),
        **{f'version of {package}': version for package, version in runtime.versions().items()},
        'mode': mode,
        'workdir': str(workdir),
        **{name: repr(value) for name, value in fields.items()},
        'data': f'{prepared.data.source}, checksum {prepared.data.checksum}',
        'number of devices': str(jax.local_device_count()),
        'kind of devices': jax.local_devices()[0].device_kind,
    }
