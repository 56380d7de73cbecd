"""Where examples come from: `tfds`, `files` or `embedded`, and `auto`, the first of them that is there."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Arrays
from jaxlab.errors import UserError, closest
from jaxlab.files import PACKAGE, is_remote, readable

SOURCES = ('tfds', 'files', 'embedded')  # the order in which `auto` looks
DATA_DIR_VARIABLE = 'JAXLAB_DATA_DIR'
CACHE_DIR_VARIABLE = 'JAXLAB_CACHE_DIR'


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of a data-set family. data_dir: None when the user named none. seed: of every random split."""

    name: str
    source: str = 'auto'
    data_dir: Path | None = None
    cache_dir: Path | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 42


Reader = Callable[[Request], Raw | None]  # None: the set is not there; UserError: it is there and wrong


def named_dir(data_dir: str | os.PathLike | None) -> Path | None:
    """The data directory that the user named by argument or environment, checked to exist."""
    said_by = 'data_dir'
    if not data_dir:
        data_dir, said_by = os.environ.get(DATA_DIR_VARIABLE), DATA_DIR_VARIABLE
    if not data_dir:
        return None
    path = readable(data_dir).expanduser()
    if not path.is_dir():
        raise UserError(f'{said_by}={str(data_dir)!r} is not a directory; name an existing one or leave it out')
    return path


def cache_dir_or_none(cache_dir: str | os.PathLike | None) -> Path | None:
    """Where decoded arrays are kept; None: nowhere."""
    cache_dir = cache_dir or os.environ.get(CACHE_DIR_VARIABLE)
    return Path(cache_dir).expanduser() if cache_dir else None


def choose(request: Request, readers: Mapping[str, Reader], how_to_get: str) -> Raw:
    """The examples from the source asked for; with 'auto' from the first of SOURCES that is there.

    readers: source -> reader, only those that this data set has. how_to_get: half a sentence for the error message.
    """
    if request.source not in ('auto', *SOURCES):
        raise UserError(f'unknown data.source {request.source!r}; {closest(request.source, ("auto", *SOURCES))}')
    if request.source != 'auto' and request.source not in readers:
        have = ', '.join(('auto', *readers))
        raise UserError(f'{request.name} has no source {request.source!r}; valid: {have}')
    wanted = SOURCES if request.source == 'auto' else (request.source,)
    for source in wanted:
        raw = readers[source](request) if source in readers else None
        if raw is not None:
            return _tell_absence(request, raw)
    looked = f'in {str(request.data_dir)!r}' if request.data_dir else f'nowhere: no data_dir and no {DATA_DIR_VARIABLE}'
    tried = ' or '.join(source for source in wanted if source in readers)
    raise UserError(f'{request.name} is not there as {tried} (looked {looked}); {how_to_get}')


def _tell_absence(request: Request, raw: Raw) -> Raw:
    if not (request.source == 'auto' and raw.source == 'embedded' and raw.stand_in and request.data_dir):
        return raw
    note = f'{request.name} was not found in {str(request.data_dir)!r}, so embedded data are used.'
    return dataclasses.replace(raw, notes=(note, *raw.notes))


def own_folders(request: Request, *folders: str) -> list[Path]:
    """Where a set's files may lie: data_dir/FOLDER, or data_dir itself when it is the set's own folder."""
    if request.data_dir is None:
        return []
    found = [request.data_dir / folder for folder in folders]
    return [path for path in (*found, request.data_dir) if path.is_dir()]


def named_file(request: Request, option: str, given: str, what: str) -> Path:
    """The file that an option names: in the data directory, or from where the user is. what: what it must be."""
    given = str(given)  # a file may be called 2024
    if not given:
        raise UserError(f'data {request.name!r} needs data.options.{option}, {what}')
    own = (
        [] if request.data_dir is None or given.startswith(PACKAGE) or is_remote(given) else [request.data_dir / given]
    )
    places = [*own, readable(given).expanduser()]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(f'data.options.{option}={given!r} is no file (looked at {", ".join(map(str, places))})')
    return found


def checksum(*parts: Arrays) -> str:
    """First 16 hexadecimal digits of the sha256 over names, dtypes, shapes and bytes of the arrays."""
    digest = hashlib.sha256()
    for arrays in parts:
        for name in sorted(arrays):
            values = np.ascontiguousarray(arrays[name])
            digest.update(f'{name} {values.dtype.str} {values.shape}'.encode())
            digest.update(values.data if values.size else b'')
    return digest.hexdigest()[:16]


def check_options(request: Request, defaults: Mapping[str, Any], sizes: Collection[str] = ()) -> dict[str, Any]:
    """The data set's options over their defaults; unknown names are refused, and values of another kind than the default.

    One value where a tuple is meant becomes one, 'a,b' two; digits where a text is meant are text. sizes: options that are a
    number or a pair of numbers.
    """
    found = dict(defaults)
    for name, value in request.options.items():
        if name not in defaults:
            valid = closest(name, sorted(defaults)) if defaults else 'it has no options'
            raise UserError(f'unknown option {name!r} in data.options of {request.name}; {valid}')
        found[name] = _of_kind(name, value, defaults[name], name in sizes)
    return found


def _of_kind(name: str, value: Any, default: Any, pair: bool) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, tuple):
        value = [one.strip() for one in value.split(',') if one.strip()] if isinstance(value, str) else value
        if number or isinstance(value, list | tuple):
            return (value,) if number else tuple(value)
    if isinstance(default, str) and number:
        return str(value)
    words, right = {
        bool: ('True or False', isinstance(value, bool)),
        int: ('a whole number', number and isinstance(value, int) or pair and isinstance(value, list | tuple)),
        float: ('a number', number),
        str: ('text', isinstance(value, str)),
        tuple: ('a tuple', False),
    }.get(type(default), ('', True))
    if not right:
        raise UserError(f'data.options.{name}={value!r}; valid: {words}, such as {default!r}')
    return value
