"""Images through a network that is never trained (`data.backbone`): computed once, kept, and what is learned from them.

A frozen network says the same of an image in every epoch, so a head that is trained on it needs no image after the first
look. What it said is kept in the data cache under the checksums of weights and images and everything that was done to
them; each split, seed and head that follows begins with it.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxlab.data import plain
from jaxlab.data.cache import cached, key_of
from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Split, in_memory
from jaxlab.data.features import BLOCK, Beside, Image, Notes, Read, Splits, Tensor
from jaxlab.data.scaling import Batch, scaler
from jaxlab.data.sources import Request
from jaxlab.errors import UserError
from jaxlab.figures import Figure
from jaxlab.models import build_model
from jaxlab.models.pretrained.account import accounted
from jaxlab.models.pretrained.source import Published, place, published

FIELD = 'features'


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A network [N, H, W, C] -> [N, D] with published weights, and how pixels are scaled for it."""

    model: Mapping[str, Any]
    layout: str
    weights: str  # the file, '' for the installed package
    scale: tuple[float, float]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, settings: Mapping[str, Any], data_dir: Path | None) -> Self:
        """As checked settings of `config.data` name it."""
        block, own = settings['backbone'], [settings[name] for name in ('scale', 'mean', 'std')]
        weights = block.get('weights', '')
        if weights:
            weights = str(place(block['layout'], weights, data_dir).resolve())
        return cls(block['model'], block['layout'], weights, *own)

    def published(self) -> Published:
        """Its weights; the classifier that they may have is left out."""
        return published(self.layout, self.weights, skip=('head',))

    def network(self) -> Callable[[np.ndarray], np.ndarray]:
        """Images [n, H, W, C] as they are decoded, n at most BLOCK, -> [n, D] float32."""
        model, weights = build_model({**self.model, 'classes': 0}, where='data.backbone.model'), self.published()
        scaled = scaler(self.scale, self.mean, self.std)

        @functools.cache
        def variables(shape: tuple[int, ...]) -> Any:
            form = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), np.float32))
            mine = {'.'.join(path): leaf for path, leaf in flatten_dict(form).items()}
            found = accounted(mine, weights.weights, ('head',), f'data.backbone: {weights.where}')
            return unflatten_dict({tuple(name.split('.')): found[name] for name in mine})

        @jax.jit
        def run(variables: Any, images: jax.Array) -> jax.Array:
            return model.apply(variables, scaled({'image': images})['image'], train=False)

        def features(images: np.ndarray) -> np.ndarray:
            filled = np.concatenate([images, np.repeat(images[:1], BLOCK - len(images), axis=0)])
            return np.asarray(run(variables(images.shape[1:]), filled))[: len(images)]

        return features


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded(Tensor):
    """[N, D] float32: what a backbone says of images. images: split -> the images themselves, to be shown."""

    image: Image
    backbone: Backbone
    images: Mapping[str, Split] = dataclasses.field(default_factory=dict, metadata=plain.LEFT_OUT)
    words: ClassVar[str] = 'images'

    def made(self, field: str, splits: Splits, fitted: Any) -> tuple[Splits, Self, Notes]:
        """The splits without their images, which are kept beside them."""
        del fitted
        found = {}
        for name, split in splits.items():
            arrays = {key: array for key, array in (split.arrays or {}).items() if key != 'image'}
            found[name] = dataclasses.replace(split, arrays=arrays)
        return found, dataclasses.replace(self, images=splits), ()

    def prepare(self, field: str, settings: Mapping[str, Any]) -> Callable[[Batch], Batch]:
        """Nothing: pixels were scaled before."""
        return lambda batch: batch

    def source(self, part: str, split: Split) -> Split:
        """The split with its images."""
        return self.images.get(part, split)

    def read(self, source: Path) -> Read:
        """A user's images, decoded as the training images were, through the same network."""
        who, blocks = self.image.read(source)
        network = self.backbone.network()

        def through() -> Iterator[np.ndarray]:
            yield from map(network, blocks)

        return who, through()

    def figure(
        self, name: str, title: str, note: str, split: Split, field: str, rows: Any, beside: Beside, wrong: Any = ()
    ) -> Figure:
        """The images."""
        return self.image.figure(name, title, note, split, 'image', rows, beside, wrong)


def through(raw: Raw, request: Request, settings: Mapping[str, Any]) -> Raw:
    """A source's parts with the features of their images (`FIELD`) in the place of these."""
    image = raw.features.get('image')
    if not isinstance(image, Image) or any(part.arrays is None for part in raw.parts.values()):
        raise UserError(
            'data.backbone needs images in memory; valid: a set of images, a larger data.options.memory_limit'
        )
    network = Backbone.of(settings, request.data_dir)
    key = key_of(raw.checksum, network.published().digest, plain.as_json(network))

    def build() -> tuple[dict[str, np.ndarray], Any]:
        begun, run = time.perf_counter(), network.network()
        found = {
            name: np.concatenate(
                [
                    run(part.read(np.arange(at, min(at + BLOCK, part.size)))['image'])
                    for at in range(0, part.size, BLOCK)
                ]
            )
            for name, part in raw.parts.items()
        }
        return found, time.perf_counter() - begun

    found, seconds = cached(request.cache_dir, f'{request.name}-{FIELD}', key, build)
    parts = {
        name: in_memory({FIELD: found[name], **(part.arrays or {})}, int(part.origin[0]))
        for name, part in raw.parts.items()
    }
    count, width = sum(len(each) for each in found.values()), next(iter(found.values())).shape[1]
    note = (
        f'{count:,} images went once through {network.layout} ({seconds:.1f} s, kept): the network learns from its {width:,} '
        'features; the images are not looked at again.'
    )
    features = {FIELD: Embedded(image, network), **{name: one for name, one in raw.features.items() if name != 'image'}}
    return dataclasses.replace(
        raw, parts=parts, features=features, checksum=f'{raw.checksum}-{key}', notes=(*raw.notes, note)
    )
