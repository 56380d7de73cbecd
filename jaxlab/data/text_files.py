"""The text of a file as people have it: encodings are found out and said, files of other programs are refused by name."""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

from jaxlab.errors import UserError, closest

OTHERS = {  # how files begin that are no text, or text of another kind
    b'PK\x03\x04': 'an Excel workbook or another archive',
    b'\xd0\xcf\x11\xe0': 'an old Excel workbook',
    b'\x1f\x8b': 'compressed by gzip',
    b'\xfd7zXZ': 'compressed by xz',
    b'BZh': 'compressed by bzip2',
    b'\x28\xb5\x2f\xfd': 'compressed by zstd',
    b'PAR1': 'Parquet',
    b'ARROW1': 'Arrow',
    b'\x89HDF': 'HDF5',
    b'\x93NUMPY': "NumPy's",
    b'%PDF': 'PDF',
    b'SQLite': 'a database of SQLite',
    b'{\\rtf': 'RTF',
}
MARKUP = re.compile(r'\s*(<[!?a-zA-Z][^>]*>|[\[{]\s*[\[{"])')  # HTML, XML; JSON


def text_of(path: Path, encoding: str) -> tuple[str, list[str]]:
    """(the text of a file, what was found out about it). encoding: '' is found out."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path} cannot be read as CSV: {error.strerror or error}') from error
    for beginning, what in OTHERS.items():
        if raw.startswith(beginning):
            raise UserError(f'{path} cannot be read as CSV: it is {what}; valid: the table saved or unpacked as CSV')
    text, notes = _decoded(path, raw, encoding)
    if '\0' in text:
        raise UserError(f'{path} cannot be read as CSV: it holds zero bytes; valid: text, or data.options.encoding')
    if MARKUP.match(text):
        raise UserError(f'{path} cannot be read as CSV: it looks like HTML, XML or JSON; valid: the table saved as CSV')
    return text, notes


def _decoded(path: Path, raw: bytes, encoding: str) -> tuple[str, list[str]]:
    marks = {codecs.BOM_UTF8: 'utf-8-sig', codecs.BOM_UTF16_LE: 'utf-16', codecs.BOM_UTF16_BE: 'utf-16'}
    marked = next((name for mark, name in marks.items() if raw.startswith(mark)), '')
    for name in [encoding] if encoding else [marked or 'utf-8', 'cp1252']:
        try:
            return raw.decode(name), [f'{path.name}: read as cp1252, since it is no UTF-8.'] if name == 'cp1252' else []
        except UnicodeDecodeError:
            continue
        except LookupError as error:
            raise UserError(f'data.options.encoding={encoding!r}; valid: utf-8, cp1252, latin-1 ...') from error
    tried = encoding or 'UTF-8 nor cp1252'
    raise UserError(f'{path} cannot be read as CSV: it is no {tried}; valid: data.options.encoding, such as latin-1')


def no_column(name: str, names: Sequence[str]) -> str:
    """That a table has no such column, in words; and where its first line is one cell, what may be wrong with that."""
    other = re.search(r'(?<=\w)[^\w"\'.-]+(?=\w)', names[0]) if len(names) == 1 else None
    sign = f'separator={other[0][0]!r}' if other else ''
    hint = f'; are its cells parted by {other[0][0]!r}? (data.options.{sign})' if other else ''
    return f'no column {name!r}; {closest(name, names)}{hint}'
