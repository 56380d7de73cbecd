"""A person's own small network: numbers from a command line or a JSON file, checked, in the conventions of the pages."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.sets.gates import CODINGS
from jaxlab.errors import UserError, closest
from jaxlab.layers.activations import activation

UNITS, LAYERS, SAMPLES = 12, 6, 32  # what a page can show
MEBIBYTE = 1 << 20
FIELDS = ('inputs', 'weights', 'targets')


@dataclasses.dataclass(frozen=True)
class OwnNetwork:
    """inputs: one row a sample [N, D]; targets: [N, K] or None; weights: [units, inputs (+ 1, bias first)] a layer."""

    inputs: np.ndarray
    weights: tuple[np.ndarray, ...]
    targets: np.ndarray | None
    activations: tuple[str, ...]  # empty: the rule's own

    @property
    def single(self) -> bool:
        """Whether the network is a single unit."""
        return len(self.weights) == 1 and self.weights[0].shape[0] == 1


def read(inputs: Any, weights: Any, targets: Any, activations: str = '') -> OwnNetwork | None:
    """The network of these fields, or None where all are empty. `weights` may name a JSON file with any of the three."""
    given = {'inputs': inputs, 'weights': weights, 'targets': targets}
    if isinstance(weights, str):
        given = {**given, **_file(Path(weights))}
        given |= {name: value for name, value in (('inputs', inputs), ('targets', targets)) if len(value)}
    if not any(len(value) for value in given.values()):
        return None
    if not len(given['inputs']):
        raise UserError('config.worked.inputs is missing: give the samples, one row each, such as [[0, 1], [1, 1]]')
    samples = _matrix(given['inputs'], 'config.worked.inputs')
    wanted = _targets(given['targets'], len(samples)) if len(given['targets']) else None
    matrices = _layers(given['weights'], samples.shape[1], 1 if wanted is None else wanted.shape[1])
    _fits_a_page(samples, matrices)
    outputs = matrices[-1].shape[0]
    if wanted is not None and wanted.shape[1] != outputs:
        raise UserError(
            f'config.worked.targets has {wanted.shape[1]} numbers a sample but the last layer {outputs} units'
        )
    return OwnNetwork(samples, matrices, wanted, _names(activations, len(matrices)))


def _file(path: Path) -> dict[str, Any]:
    if path.suffix != '.json' or not path.is_file():
        raise UserError(f'config.worked.weights = {str(path)!r}; valid: numbers, or a .json file that is there')
    if path.stat().st_size > MEBIBYTE:
        raise UserError(f'{path} is larger than 1 MiB: too large for a page')
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path} is not JSON: {error}') from error
    if not isinstance(found, Mapping) or 'weights' not in found and 'inputs' not in found:
        raise UserError(f'{path} must hold an object with any of {", ".join(FIELDS)}')
    for name in found:
        if name not in FIELDS:
            raise UserError(f'{path}: unknown entry {name!r}; {closest(name, FIELDS)}')
    for name, value in found.items():
        if not isinstance(value, list):
            raise UserError(f'{path}: {name} must be a list')
    return {'inputs': (), 'weights': (), 'targets': ()} | dict(found)


def _depth(values: Any) -> int:
    return 1 + _depth(values[0]) if isinstance(values, Sequence) and not isinstance(values, str) and len(values) else 0


def _matrix(values: Any, what: str) -> np.ndarray:
    """Rows of finite numbers; a flat list is one row."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f'{what}: rows of different length, or entries that are not numbers') from error
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not array.size:
        raise UserError(f'{what}: expected rows of numbers, got shape {array.shape}')
    if not np.isfinite(array).all():
        raise UserError(f'{what}: every number must be finite')
    return array


def _targets(values: Any, samples: int) -> np.ndarray:
    """Targets as a matrix [N, K]; a flat list stands for one output unit."""
    array = _matrix(values, 'config.worked.targets')
    array = array.T if _depth(values) == 1 else array
    if len(array) != samples:
        raise UserError(
            f'config.worked.inputs has {samples} samples but config.worked.targets {len(array)}: give one target a sample'
        )
    return array


def _layers(values: Any, features: int, outputs: int) -> tuple[np.ndarray, ...]:
    """One matrix a layer; a flat list is one unit, rows are one layer, nothing is one layer of zeros with a bias."""
    if not len(values):
        return (np.zeros((outputs, features + 1)),)
    depth = _depth(values)
    matrices = values if depth == 3 else [values]
    found, width = [], features
    for index, each in enumerate(matrices):
        matrix = _matrix(each, f'config.worked.weights, layer {index + 1}')
        if matrix.shape[1] not in (width, width + 1):
            raise UserError(
                f'config.worked.weights, layer {index + 1}: {matrix.shape[1]} columns do not fit {width} inputs; '
                f'valid: {width} (no bias) or {width + 1} (bias first)'
            )
        found.append(matrix)
        width = matrix.shape[0]
    return tuple(found)


def _fits_a_page(samples: np.ndarray, matrices: Sequence[np.ndarray]) -> None:
    widest = max(samples.shape[1], *(len(matrix) for matrix in matrices))
    for number, most, what in (
        (widest, UNITS, 'units wide'),
        (len(matrices), LAYERS, 'layers deep'),
        (len(samples), SAMPLES, 'samples long'),
    ):
        if number > most:
            raise UserError(f'the network is {number} {what}: a page shows at most {most}')


def _names(text: str, layers: int) -> tuple[str, ...]:
    """One name for all layers, or one a layer separated by commas; '' leaves it to the rule."""
    names = tuple(name.strip() for name in text.split(',') if name.strip())
    names = names * layers if len(names) == 1 else names
    if names and len(names) != layers:
        raise UserError(
            f'config.task.activation names {len(names)} activations for {layers} layers; valid: 1 or {layers}'
        )
    return tuple(activation(name).name for name in names)


def coding_of(targets: np.ndarray) -> str:
    """`bipolar` where a target is negative, else `binary`; anything but two such values is refused."""
    values = set(np.unique(targets).tolist())
    for coding, valid in CODINGS.items():
        if values <= set(valid) and not math.isnan(sum(values)):
            return coding
    raise UserError('config.worked.targets: a threshold unit needs targets 0 and 1, or -1 and 1')
