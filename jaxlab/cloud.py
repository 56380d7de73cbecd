"""Buckets (`gs://BUCKET/PATH`): how their clients are set up, what their errors say, copies of what is read from them.

Three clients speak to a bucket: gcsfs (every file of a run, through epath), TensorStore (arrays of checkpoints) and
google-cloud-storage (Orbax asks by it what kind of bucket it is). Imports none of them before a bucket is named.
"""

import fcntl
import functools
import importlib.util
import logging
import os
import re
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError

SCHEME = 'gs://'
# packages that raise errors of their own
CLIENTS = re.compile(r'(gcsfs|aiohttp|google\.(auth|api_core|cloud)|requests|urllib3)\b')
UNAVAILABLE = ('UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED')
AT_ONCE = 512  # objects of a copy that are asked for together


def set_up(place: str) -> None:
    """Before the first use of a bucket, which must be named as one: its clients, as every run needs them."""
    bucket, _, _ = place.removeprefix(SCHEME).partition('/')
    if not place.startswith(SCHEME) or not bucket:
        raise UserError(f'{place!r} is no folder or bucket that is known here; valid: a path, or gs://BUCKET/PATH')
    if importlib.util.find_spec('gcsfs') is None:
        raise UserError(f"{place!r} needs the packages of the extra cloud; valid: pip install -e '.[cloud]'")
    _clients()


@functools.cache
def _clients() -> None:
    """Defaults; what the environment says stays as it is."""
    emulator = os.environ.get('STORAGE_EMULATOR_HOST', '')
    defaults = {
        'EPATH_USE_TF': '0',  # gcsfs also where TensorFlow is installed
        'GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT': 'false',  # gRPC, for zonal buckets alone
    }
    if emulator:  # all clients ask it, and none sends it real credentials
        address = emulator if '://' in emulator else f'http://{emulator}'
        defaults |= {'TENSORSTORE_GCS_HTTP_URL': address, 'GOOGLE_AUTH_TOKEN_FOR_TESTING': 'none'}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    from fsspec.config import conf

    said = {name: value for protocol in ('gs', 'gcs') for name, value in conf.get(protocol, {}).items()}
    # One host must see what another wrote; a listing that is kept would never show it.
    options = {'use_listings_cache': False, **({'token': 'anon'} if emulator else {}), **said}
    conf['gs'] = conf['gcs'] = options
    logging.getLogger('gcsfs').setLevel(logging.CRITICAL + 1)  # its tracebacks; `refusal` says it in a line


def refusal(error: BaseException | None) -> str:
    """What a bucket or the way to it refused, in a few words; '' for any other error, a missing object among them."""
    while error is not None and not isinstance(error, UserError):
        words = _words(error)
        if words:
            return words
        error = error.__cause__ or error.__context__
    return ''


def _words(error: BaseException) -> str:
    """Of one error, not of what caused it. gcsfs raises Python's own errors, too, and TensorStore names its codes in words."""
    text, code = f'{type(error).__name__}: {error}', str(getattr(error, 'code', ''))
    of_client = CLIENTS.match(type(error).__module__) is not None
    of_python = isinstance(error, OSError) and error.errno is None and re.search(r'\bb/', text)
    if not (of_client or of_python or SCHEME in text):
        return ''
    if isinstance(error, FileNotFoundError):  # nothing else keeps an object from being written
        return 'there is no such bucket' if '/upload/' in text and 'upload_id=' not in text else ''
    if '403' in code or any(sign in text for sign in ('Forbidden', 'PERMISSION_DENIED')):
        return 'no permission'
    if '401' in code or any(sign in text for sign in ('Credentials', 'UNAUTHENTICATED')):
        return 'no valid credentials (gcloud auth application-default login)'
    if of_client or any(sign in text for sign in UNAVAILABLE):
        return f'it does not answer ({text.strip().splitlines()[0][:160]})'
    return ''


def store() -> Any:
    """The file system of buckets, the same that epath uses."""
    from etils.epath import backend

    return backend.fsspec_backend.fs(SCHEME)


def write(place: str, content: bytes) -> None:
    """One object, in one request unless it is large: half of what a file that is opened and closed asks."""
    store().pipe_file(place, content)


def move(folder: str, target: str) -> None:
    """Object by object: a bucket has no folders that could be renamed. What lies at the target stays beside it."""
    root, there = (place.removeprefix(SCHEME) for place in (folder, target))
    names = sorted(store().find(root))
    store().mv(names, [there + name.removeprefix(root) for name in names])


def unreadable(folder: str) -> str:
    """Why not everything in a folder can be read now, in a few words; '' where it can. Clients take an object for missing
    that they may not see."""
    try:
        for name in store().find(folder):
            store().cat_file(name, start=0, end=1)
    except Exception as error:
        return refusal(error)
    return ''


@functools.cache
def copy_of(place: str, cache: Path) -> Path:
    """A file or folder of a bucket on this machine's disk, brought up to date once a process; other processes of this
    machine wait for it. Only what has changed since the last copy is read."""
    set_up(place)
    root = place.removeprefix(SCHEME).rstrip('/')
    here = cache / root
    here.parent.mkdir(parents=True, exist_ok=True)
    with open(here.with_name(f'.{here.name}.lock'), 'a') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            found = store().find(root, detail=True)
            objects = {here / name[len(root) :].lstrip('/'): facts for name, facts in found.items() if name[-1] != '/'}
            _bring(objects)
        except FileNotFoundError:
            objects = {}
        except Exception as error:
            said = refusal(error)
            if not said:
                raise
            raise UserError(f'{place} cannot be read: {said}') from error
    if not objects:
        raise UserError(f'{place}: no such file, folder or bucket')
    for path in here.rglob('*') if here.is_dir() else ():
        if path not in objects and not path.is_dir():
            path.unlink()
    return here


def _bring(objects: dict[Path, Any]) -> None:
    """Reads the objects whose copies are missing or of another size or time."""
    times = {path: facts['mtime'].timestamp() for path, facts in objects.items()}
    missing = [path for path in objects if not _is_copy(path, objects[path]['size'], times[path])]
    for first in range(0, len(missing), AT_ONCE):
        part = missing[first : first + AT_ONCE]
        for path in part:
            path.parent.mkdir(parents=True, exist_ok=True)
        store().get([objects[path]['name'] for path in part], [str(path) for path in part])
        for path in part:  # last: a copy that was cut off has another time
            os.utime(path, (times[path], times[path]))


def _is_copy(path: Path, size: int, time: float) -> bool:
    return path.is_file() and path.stat().st_size == size and abs(path.stat().st_mtime - time) < 1e-3
