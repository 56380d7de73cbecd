"""The initialisers of an ONNX model: name -> array, read from the protocol buffer itself.

Fields by number (onnx.proto): ModelProto.graph 7; GraphProto.initializer 5; TensorProto dims 1, data_type 2, float_data 4,
int32_data 5, int64_data 7, name 8, raw_data 9, double_data 10, data_location 14 (1: in another file).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxlab.errors import UserError

# data_type -> dtype, field that holds values where raw_data does not
TYPES: dict[int, tuple[Any, int]] = {
    1: (np.float32, 4),
    2: (np.uint8, 5),
    3: (np.int8, 5),
    6: (np.int32, 5),
    7: (np.int64, 7),
    9: (np.bool_, 5),
    10: (np.float16, 5),
    11: (np.float64, 10),
    16: (jnp.bfloat16, 5),
}
PACKED = {4: '<f4', 10: '<f8'}  # fields of numbers of fixed width; others are varints


def read(path: Path) -> dict[str, np.ndarray]:
    """name -> array."""
    try:
        model = memoryview(path.read_bytes())
        graph = _last(model, 7)
        if graph is None:
            raise ValueError('no graph in it')
        return dict(_tensor(value) for number, value in _fields(graph) if number == 5)
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise UserError(f'{str(path)!r} cannot be read as an ONNX model ({error}); valid: a .onnx file') from error


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError('a number without end')


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """(number, value): an int of a varint, else the bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError('an unknown kind of field')
        if at + length > len(data):
            raise ValueError('a field longer than the file')
        yield number, data[at : at + length]
        at += length


def _last(data: memoryview, wanted: int) -> Any:
    found = None
    for number, value in _fields(data):
        found = value if number == wanted else found
    return found


def _integers(values: list[Any]) -> list[int]:
    """Signed integers of a repeated field, whether packed or one by one."""
    found: list[int] = []
    for value in values:
        at, whole = 0, isinstance(value, int)
        while whole or at < len(value):
            number, at = (value, at) if whole else _varint(value, at)
            found.append(number - 2**64 if number >= 2**63 else number)
            if whole:
                break
    return found


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    parts: dict[int, list[Any]] = {}
    for number, value in _fields(data):
        parts.setdefault(number, []).append(value)
    name = bytes(parts.get(8, [b''])[-1]).decode()
    if parts.get(14, [0])[-1]:
        raise ValueError(f'{name!r} lies in another file')
    if parts.get(2, [0])[-1] not in TYPES:
        raise ValueError(f'{name!r} holds no plain numbers')
    dtype, field = TYPES[parts[2][-1]]
    shape = _integers(parts.get(1, []))
    if 9 in parts:
        array = np.frombuffer(bytes(parts[9][-1]), np.dtype(dtype))
    elif field in PACKED:
        array = np.frombuffer(b''.join(bytes(value) for value in parts.get(field, [])), PACKED[field])
    else:
        numbers = _integers(parts.get(field, []))
        half = np.dtype(dtype) in (np.dtype(np.float16), np.dtype(jnp.bfloat16))
        array = np.array(numbers, np.uint16).view(dtype) if half else np.array(numbers).astype(dtype)
    return name, array.reshape(shape)
