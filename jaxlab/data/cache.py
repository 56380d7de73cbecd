"""Decoded arrays kept on disk: one folder an entry, .npy files and a manifest with their checks.

An entry is written beside its place and renamed into it, so that an interrupted write leaves nothing; an entry that is
damaged in any way is thrown away and built again.
"""

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.examples import Arrays

FORMAT = 3  # goes into every key: raise it when decoding changes


def key_of(*facts: Any) -> str:
    """16 hexadecimal digits that identify what the arrays are made from (anything that JSON can write)."""
    text = json.dumps((FORMAT, *facts), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cached(cache_dir: Path | None, name: str, key: str, build: Callable[[], tuple[Arrays, Any]]) -> tuple[Arrays, Any]:
    """(arrays, facts that JSON can write) from the entry NAME-KEY, or from `build`, which then makes the entry."""
    if cache_dir is None:
        return build()
    entry = cache_dir / f'{name}-{key}'
    found = _read(entry)
    if found is None:
        found = build()
        _write(entry, *found)
    return found


def _read(entry: Path) -> tuple[Arrays, Any] | None:
    """The entry, or None when it is absent or damaged."""
    try:
        manifest = json.loads((entry / 'manifest.json').read_text())
        arrays = {}
        for name, check in manifest['checks'].items():
            arrays[name] = np.load(entry / f'{name}.npy', allow_pickle=False)
            if zlib.crc32(arrays[name].data) != check:
                return None
        return arrays, manifest['facts']
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None


def _write(entry: Path, arrays: Arrays, facts: Any) -> None:
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f'.{entry.name}.', dir=entry.parent))
    except OSError:
        return  # a folder that cannot be written costs time at the next start, nothing else
    try:
        checks = {}
        for name, values in arrays.items():
            values = np.ascontiguousarray(values)
            np.save(draft / f'{name}.npy', values, allow_pickle=False)
            checks[name] = zlib.crc32(values.data)
        (draft / 'manifest.json').write_text(json.dumps({'checks': checks, 'facts': facts}))
        if entry.exists():  # damaged, or written by another process meanwhile: equal content either way
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()
        os.replace(draft, entry)
    except OSError:
        # A full disk or a race lost: the arrays are at hand, only the shortcut is missing.
        pass
    finally:
        shutil.rmtree(draft, ignore_errors=True)
