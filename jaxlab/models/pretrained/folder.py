"""Published networks as a folder in Hugging Face's layout: config.json and model.safetensors, read and written.

Every tensor of a file has its place in a table (`jaxlab/models/pretrained/transformers.py`) or is named there as left out,
and every tensor of the network is in the file; anything else is refused in one line.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxlab.errors import UserError, lookup
from jaxlab.files import write_file, write_json
from jaxlab.layers.positions import sinusoids_by_halves
from jaxlab.models.encoder_decoder import EncoderDecoder
from jaxlab.models.pretrained.account import accounted, skips
from jaxlab.models.pretrained.transformers import LAYOUTS, Layout

WEIGHTS, INDEX, CONFIG = 'model.safetensors', 'model.safetensors.index.json', 'config.json'
DTYPES = {'F64': np.float64, 'F32': np.float32, 'F16': np.float16, 'BF16': ml_dtypes.bfloat16, 'I64': np.int64}
DTYPES |= {'I32': np.int32, 'I16': np.int16, 'I8': np.int8, 'U8': np.uint8, 'BOOL': np.bool_}

Tensors = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A published network. params: as the module has them, NumPy float32 arrays. config: config.json as it was read."""

    module: nn.Module
    params: Mapping[str, Any]
    config: Mapping[str, Any]

    def weights(self, beneath: str = '') -> Tensors:
        """name -> array; `beneath` is put before every name, such as `model.params.encoder.`."""
        return {beneath + '.'.join(path): array for path, array in flatten_dict(dict(self.params)).items()}


def read(folder: Path | str, skip: Sequence[str] = ()) -> Pretrained:
    """The network of a folder. skip: regular expressions of tensors to leave out that the network has no place for."""
    folder = Path(folder)
    where, config = f'the folder {str(folder)!r}', _json(folder / CONFIG)
    if 'model_type' not in config:
        raise UserError(f'{where}: {CONFIG} has no model_type; valid: {", ".join(LAYOUTS)}')
    layout = lookup(LAYOUTS, config['model_type'], f'model_type in {where}')
    tensors = _plain_names(_files(folder), layout)
    module = layout.module(config, tuple(tensors), where)
    places = {place.theirs.removeprefix(layout.prefix): place for place in layout.named(module)}
    shapes = _shapes(module)
    wanted = {
        name: jax.ShapeDtypeStruct(place.shape_of_theirs(shapes[place.ours]), np.float32)
        for name, place in places.items()
    }
    tensors = _without_copies(tensors, layout, where)
    _check_positions(tensors, where)
    kept = {
        name: array for name, array in tensors.items() if name in wanted or not skips((*layout.left_out, *skip), name)
    }
    found = accounted(wanted, kept, (), where)
    params = {tuple(places[name].ours.split('.')): places[name].to_ours(array) for name, array in found.items()}
    return Pretrained(module, unflatten_dict(params), config)


def write(folder: Path | str, pretrained: Pretrained) -> None:
    """The same folder again: config.json as it was read, model.safetensors with these parameters in float32."""
    from safetensors.numpy import save

    folder, mine = Path(folder), pretrained.weights()
    layout = lookup(LAYOUTS, pretrained.config['model_type'], 'model_type')
    tensors = {
        place.theirs: place.to_theirs(np.asarray(mine.pop(place.ours), np.float32))
        for place in layout.named(pretrained.module)
    }
    if mine:
        raise ValueError(f'no place for {", ".join(mine)}')
    write_json(folder / CONFIG, {**pretrained.config, 'dtype': 'float32'})
    write_file(folder / WEIGHTS, save(tensors, {'format': 'pt'}))


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name -> shape of each of a network's parameters, nothing computed."""
    tokens = jnp.zeros((1, 2), jnp.int32)
    given = (tokens, tokens) if isinstance(module, EncoderDecoder) else (tokens,)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *given))['params']
    return {'.'.join(path): leaf.shape for path, leaf in flatten_dict(shapes).items()}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'{str(path)!r} cannot be read ({error}); valid: a folder as Hugging Face saves it') from error
    return found


def _files(folder: Path) -> Tensors:
    """All tensors, from the one file or from those that the index names; others in the folder are not the model's."""
    if (folder / WEIGHTS).is_file():
        return _tensors(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        raise UserError(f'{str(folder)!r} has no {WEIGHTS}; valid: a folder with it, or with {INDEX} and its parts')
    table, found, parts = _json(folder / INDEX)['weight_map'], {}, {}
    for name, file in table.items():
        if file not in parts:
            parts[file] = _tensors(folder / Path(file).name)
        if name not in parts[file]:
            raise UserError(f'{str(folder / file)!r} lacks {name!r}, which {INDEX} promises')
        found[name] = parts[file][name]
    return found


def _tensors(path: Path) -> Tensors:
    """name -> array of one file; half precision is widened to float32."""
    from safetensors import SafetensorError, deserialize

    try:
        parts = deserialize(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise UserError(f'{str(path)!r} cannot be read ({error}); valid: a .safetensors file') from error
    found = {}
    for name, part in parts:
        array = np.frombuffer(part['data'], lookup(DTYPES, part['dtype'], f'dtype in {path.name}')).reshape(
            part['shape']
        )
        found[name] = array.astype(np.float32) if array.dtype.itemsize == 2 and array.dtype.kind in 'fV' else array
    return found


def _plain_names(tensors: Tensors, layout: Layout) -> Tensors:
    """Without the prefix of the encoder inside a model with a head, and a norm's old names put right."""
    old = {'LayerNorm.gamma': 'LayerNorm.weight', 'LayerNorm.beta': 'LayerNorm.bias'}
    found = {}
    for name, array in tensors.items():
        for ending, right in old.items():
            name = name.removesuffix(ending) + right if name.endswith(ending) else name
        found[name.removeprefix(layout.prefix)] = array
    return found


def _without_copies(tensors: Tensors, layout: Layout, where: str) -> Tensors:
    """Tied tensors once, under their first name."""
    found = dict(tensors)
    for name, first in layout.copies.items():
        if name not in found:
            continue
        copy = found.pop(name)
        if not np.array_equal(found.setdefault(first, copy), copy):
            raise UserError(f'{where}: {name!r} and {first!r} differ, but the config says that they are one tensor')
    return found


def _check_positions(tensors: Tensors, where: str) -> None:
    """Fixed positions that a file holds all the same are those that are computed."""
    for name, table in tensors.items():
        if not re.search(r'embed_positions\.weight$', name):
            continue
        if not np.allclose(table, sinusoids_by_halves(*table.shape), atol=1e-4):
            raise UserError(f'{where}: {name!r} are not sines, then cosines')
